-- Whoever may review a request suggests changes to it: what would be agreed to. The requester accepts them (a
-- request of its own takes the place of the first), or does not.
CREATE TABLE suggestion (
    id               uuid PRIMARY KEY,
    request_id       uuid NOT NULL REFERENCES request,
    reviewer_id      uuid NOT NULL REFERENCES person,
    -- By which delegation; none: in the reviewer's own name.
    delegation_id    uuid REFERENCES delegation,
    -- All inputs as they would be, without the secret ones, which stay as they are.
    inputs           jsonb NOT NULL CHECK (jsonb_typeof(inputs) = 'object'),
    lifetime_seconds bigint CHECK (lifetime_seconds > 0),
    reason           text NOT NULL CHECK (length(reason) BETWEEN 1 AND 2000),
    created_at       timestamptz NOT NULL DEFAULT now(),
    -- 'replaced': the same reviewer suggested something else later.
    state            text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'accepted', 'declined', 'replaced')),
    decided_at       timestamptz,
    -- The request that came of it.
    successor_id     uuid UNIQUE REFERENCES request,
    CONSTRAINT suggestion_decided CHECK ((state = 'open') = (decided_at IS NULL)),
    CONSTRAINT suggestion_successor CHECK ((state = 'accepted') = (successor_id IS NOT NULL))
);
CREATE UNIQUE INDEX suggestion_open ON suggestion (request_id, reviewer_id) WHERE state = 'open';
CREATE INDEX suggestion_of ON suggestion (request_id, created_at, id);

-- What was suggested stays so; it is decided on once.
CREATE FUNCTION check_suggestion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'open' OR (NEW.id, NEW.request_id, NEW.reviewer_id, NEW.delegation_id, NEW.inputs, NEW.lifetime_seconds,
            NEW.reason, NEW.created_at) IS DISTINCT FROM (OLD.id, OLD.request_id, OLD.reviewer_id, OLD.delegation_id,
            OLD.inputs, OLD.lifetime_seconds, OLD.reason, OLD.created_at) THEN
        RAISE EXCEPTION 'a suggestion is decided on once, and otherwise stays as it is' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER suggestion_stays BEFORE UPDATE ON suggestion FOR EACH ROW EXECUTE FUNCTION check_suggestion();

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'paddock_app') THEN
        GRANT SELECT, INSERT, UPDATE ON suggestion TO paddock_app;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END
$$;
