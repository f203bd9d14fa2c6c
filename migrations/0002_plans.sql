-- Plans of requests that need approval: made first, seen by approvers, applied as approved.

-- What a plan run made for a request. Rows are never changed: another plan is another run.
CREATE TABLE request_plan (
    run_id         uuid PRIMARY KEY,
    request_id     uuid NOT NULL REFERENCES request,
    -- The table that people see; the plan itself, with the provider's own bytes, is sealed.
    changes        jsonb NOT NULL,
    plan           bytea NOT NULL,
    -- The parts that a review binds to, so that a refusal can say which of them has changed.
    plan_digest    bytea NOT NULL CHECK (octet_length(plan_digest) = 32),
    work_digest    bytea NOT NULL CHECK (octet_length(work_digest) = 32),
    policy_digest  bytea NOT NULL CHECK (octet_length(policy_digest) = 32),
    made_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX request_plan_request ON request_plan (request_id);
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON request_plan
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The plan run that counts now, and what a review binds to once its plan is made. Both are null for
-- requests that need no plan: their reviews bind to the digest of the request.
ALTER TABLE request
    ADD COLUMN plan_run_id uuid,
    ADD COLUMN approval_digest bytea CHECK (octet_length(approval_digest) = 32);

-- A different plan asks again, also those who have answered for another one.
ALTER TABLE review DROP CONSTRAINT review_request_id_reviewer_id_key;
ALTER TABLE review ADD CONSTRAINT review_once UNIQUE (request_id, reviewer_id, request_digest);

CREATE OR REPLACE FUNCTION check_request_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (old.status, new.status) IN (
        ('awaiting_approval', 'rejected'), ('awaiting_approval', 'withdrawn'), ('awaiting_approval', 'lapsed'),
        ('awaiting_approval', 'approved'), ('approved', 'running'), ('approved', 'succeeded'),
        ('approved', 'canceled'), ('approved', 'failed'),
        ('running', 'succeeded'), ('running', 'failed'), ('running', 'canceled'), ('running', 'awaiting_approval'),
        ('failed', 'running'), ('canceled', 'running')) THEN
        RAISE EXCEPTION 'a request does not go from % to %', old.status, new.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'request_transition';
    END IF;
    RETURN new;
END
$$;

-- A delete that its guard refused has removed nothing.
CREATE OR REPLACE FUNCTION check_environment_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (old.state, new.state) IN (
        ('requested', 'provisioning'), ('requested', 'deleted'),
        ('provisioning', 'ready'), ('provisioning', 'failed'), ('provisioning', 'deleting'),
        ('ready', 'updating'), ('ready', 'stopping'), ('ready', 'deleting'),
        ('updating', 'ready'), ('updating', 'failed'),
        ('stopping', 'stopped'), ('stopping', 'failed'),
        ('stopped', 'starting'), ('stopped', 'deleting'),
        ('starting', 'ready'), ('starting', 'failed'),
        ('failed', 'provisioning'), ('failed', 'updating'), ('failed', 'deleting'),
        ('deleting', 'deleted'), ('deleting', 'faulted'), ('deleting', 'failed'),
        ('faulted', 'deleting')) THEN
        RAISE EXCEPTION 'an environment does not go from % to %', old.state, new.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'environment_transition';
    END IF;
    RETURN new;
END
$$;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'paddock_app') THEN
        GRANT SELECT, INSERT ON request_plan TO paddock_app;
        REVOKE UPDATE, DELETE, TRUNCATE ON request_plan FROM paddock_app;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END
$$;
