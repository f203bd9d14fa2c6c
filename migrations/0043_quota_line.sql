-- A quota that is full denies, or lets wait in line, as its admin chose.
ALTER TABLE quota ADD COLUMN when_full text NOT NULL DEFAULT 'deny' CHECK (when_full IN ('deny', 'wait'));

ALTER TABLE request
    DROP CONSTRAINT request_status_check,
    ADD CONSTRAINT request_status_check CHECK (status IN ('denied', 'awaiting_quota', 'awaiting_approval', 'rejected',
        'withdrawn', 'lapsed', 'approved', 'running', 'succeeded', 'failed', 'canceled'));
-- One open operation per environment.
DROP INDEX request_open;
CREATE UNIQUE INDEX request_open ON request (environment_id)
    WHERE status IN ('awaiting_quota', 'awaiting_approval', 'approved', 'running');
CREATE INDEX request_lapsing ON request (lapses_at) WHERE status IN ('awaiting_quota', 'awaiting_approval');

CREATE OR REPLACE FUNCTION check_request_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (old.status, new.status) IN (
        ('awaiting_quota', 'denied'), ('awaiting_quota', 'withdrawn'), ('awaiting_quota', 'lapsed'),
        ('awaiting_quota', 'awaiting_approval'), ('awaiting_quota', 'approved'),
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

-- The requests that wait for room. A row goes when its request is let in or ends.
CREATE TABLE quota_line (
    request_id      uuid PRIMARY KEY REFERENCES request,
    environment_id  uuid NOT NULL REFERENCES environment,
    -- Given under the locks of the counters that had no room: of two that wait for the same, the earlier one is first.
    place           bigint GENERATED ALWAYS AS IDENTITY UNIQUE
);

-- By how much each would move what its environment holds.
CREATE TABLE quota_line_want (
    request_id  uuid NOT NULL REFERENCES quota_line ON DELETE CASCADE,
    dimension   text NOT NULL,
    reserved    bigint NOT NULL,
    stopped     bigint NOT NULL,
    PRIMARY KEY (request_id, dimension)
);

-- The counters that had no room for it, at the submit or since: nobody behind it takes from these.
CREATE TABLE quota_line_stand (
    quota_id    uuid NOT NULL REFERENCES quota ON DELETE CASCADE,
    subject     uuid NOT NULL,
    place       bigint NOT NULL,
    request_id  uuid NOT NULL REFERENCES quota_line ON DELETE CASCADE,
    PRIMARY KEY (quota_id, subject, place)
);
CREATE INDEX ON quota_line_stand (request_id);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'paddock_app') THEN
        GRANT SELECT, INSERT, DELETE ON quota_line, quota_line_want, quota_line_stand TO paddock_app;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END
$$;
