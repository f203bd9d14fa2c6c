-- What a project may cost in a calendar month, and what requests met of it.

CREATE TABLE budget (
    project_id       uuid PRIMARY KEY REFERENCES project,
    -- For each month (UTC), in the currency of the price book.
    amount           numeric(14, 2) NOT NULL CHECK (amount > 0),
    -- Percent of the amount above which requests are warned, need approval, are denied; null: never.
    warn_above       integer CHECK (warn_above BETWEEN 1 AND 1000),
    approve_above    integer CHECK (approve_above BETWEEN 1 AND 1000),
    deny_above       integer CHECK (deny_above BETWEEN 1 AND 1000),
    -- Counts its changes.
    generation       bigint NOT NULL DEFAULT 1,
    CHECK (warn_above IS NOT NULL OR approve_above IS NOT NULL OR deny_above IS NOT NULL),
    CHECK (warn_above < approve_above),
    CHECK (warn_above < deny_above),
    CHECK (approve_above < deny_above)
);

-- The numbers by which the budget was held against a request when it was submitted.
CREATE TABLE request_budget (
    request_id  uuid PRIMARY KEY REFERENCES request,
    -- What it adds until the end of the month, by the estimate: taken until the request has ended.
    adds        numeric(38, 8) NOT NULL CHECK (adds >= 0),
    -- Everything, as it was told.
    told        jsonb NOT NULL
);
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON request_budget FOR EACH ROW EXECUTE FUNCTION refuse_change();
-- The requests of a project that are under way.
CREATE INDEX request_under_way ON request (project_id) WHERE status IN ('awaiting_approval', 'approved', 'running');

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'paddock_app') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON budget TO paddock_app;
        GRANT SELECT, INSERT ON request_budget TO paddock_app;
        REVOKE UPDATE, DELETE, TRUNCATE ON request_budget FROM paddock_app;
    END IF;
END
$$;
