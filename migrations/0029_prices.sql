-- The price book: what items cost, in one currency, from which day on; and what a request would have cost.

CREATE TABLE price_book (
    one       boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- ISO 4217. It changes only while there are no prices.
    currency  text NOT NULL DEFAULT 'EUR' CHECK (currency ~ '^[A-Z]{3}$')
);
INSERT INTO price_book DEFAULT VALUES;

CREATE TABLE price_item (
    name   text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9._-]{0,59}$'),
    title  text NOT NULL CHECK (length(title) BETWEEN 1 AND 80),
    unit   text NOT NULL CHECK (unit IN ('hour', 'month'))
);

-- A new price is a new row. Of those of one day the last one counts.
CREATE TABLE price (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item        text NOT NULL REFERENCES price_item,
    -- Of one unit.
    amount      numeric(12, 6) NOT NULL CHECK (amount >= 0),
    -- From the beginning of this day on (UTC).
    valid_from  date NOT NULL,
    added_by    text NOT NULL,
    added_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON price (item, valid_from DESC, id DESC);

-- What a request was said to cost when it was submitted: what its approvers see.
CREATE TABLE request_estimate (
    request_id  uuid PRIMARY KEY REFERENCES request,
    estimate    jsonb NOT NULL
);

CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON price_item FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON price FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON request_estimate FOR EACH ROW EXECUTE FUNCTION refuse_change();

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'paddock_app') THEN
        GRANT SELECT, UPDATE ON price_book TO paddock_app;
        GRANT SELECT, INSERT ON price_item, price, request_estimate TO paddock_app;
        REVOKE UPDATE, DELETE, TRUNCATE ON price_item, price, request_estimate FROM paddock_app;
        REVOKE INSERT, DELETE, TRUNCATE ON price_book FROM paddock_app;
    END IF;
END
$$;
