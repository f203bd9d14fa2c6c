-- Targets as admins connect, check, rotate and disconnect them.

ALTER TABLE target
    -- Counts every change; whoever changes it says which one they saw.
    ADD COLUMN generation         bigint NOT NULL DEFAULT 1,
    ADD COLUMN updated_at         timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN secret_set_at      timestamptz,
    -- The credential that is about to be set at the target itself: until that is sure, both are tried.
    ADD COLUMN next_secret        bytea,
    ADD COLUMN rotation_begun_at  timestamptz,
    -- The last check: when, the worst of its findings, and all of them.
    ADD COLUMN checked_at         timestamptz,
    ADD COLUMN check_result       text CHECK (check_result IN ('ok', 'warning', 'failed')),
    ADD COLUMN check_report       jsonb,
    -- Nothing is made there any more, and its credential is gone. The row stays for what was there once;
    -- its slug is free again.
    ADD COLUMN disconnected_at    timestamptz,
    -- The API's idempotency key, and the sealed digest of what came with it.
    ADD COLUMN connected_by       uuid REFERENCES person,
    ADD COLUMN connect_key        text CHECK (length(connect_key) <= 255),
    ADD COLUMN connect_digest     bytea,
    ADD CHECK ((checked_at IS NULL) = (check_result IS NULL) AND (checked_at IS NULL) = (check_report IS NULL)),
    ADD CHECK ((next_secret IS NULL) = (rotation_begun_at IS NULL)),
    ADD CHECK ((connect_key IS NULL) = (connect_digest IS NULL)),
    ADD CHECK (disconnected_at IS NULL OR (secret IS NULL AND next_secret IS NULL));

UPDATE target SET secret_set_at = created_at WHERE secret IS NOT NULL;

CREATE UNIQUE INDEX target_connect_key ON target (connected_by, connect_key) WHERE connect_key IS NOT NULL;
CREATE INDEX environment_target ON environment (target_id) WHERE state <> 'deleted';
CREATE INDEX project_environment_type_target_target ON project_environment_type_target (target_id);
