-- The state of environments whose provider keeps it in versions under a lock (Terraform), and how
-- long each resource took. An environment's rows go when it is deleted: states hold secrets.
CREATE TABLE state_version (
    environment_id  uuid NOT NULL REFERENCES environment ON DELETE CASCADE,
    version         integer NOT NULL CHECK (version > 0),
    origin          text NOT NULL CHECK (origin IN ('written', 'rescued', 'stray', 'migrated')),
    lineage         text NOT NULL,
    serial          bigint NOT NULL,
    run_id          uuid REFERENCES run,
    attempt         integer,
    sealed          bytea NOT NULL,
    written_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (environment_id, version),
    CHECK ((run_id IS NULL) = (attempt IS NULL))
);
CREATE INDEX ON state_version (run_id);

CREATE TABLE state_lock (
    environment_id  uuid PRIMARY KEY REFERENCES environment ON DELETE CASCADE,
    lock_id         text NOT NULL,
    info            jsonb NOT NULL,
    run_id          uuid NOT NULL REFERENCES run,
    attempt         integer NOT NULL,
    taken_at        timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE resource_timing (
    run_id       uuid NOT NULL REFERENCES run ON DELETE CASCADE,
    attempt      integer NOT NULL,
    address      text NOT NULL,
    action       text NOT NULL,
    provider_id  text,
    failed       boolean NOT NULL DEFAULT false,
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at     timestamptz,
    PRIMARY KEY (run_id, attempt, address, action)
);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'paddock_app') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON state_version, state_lock, resource_timing TO paddock_app;
        REVOKE UPDATE, TRUNCATE ON state_version FROM paddock_app;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END
$$;
