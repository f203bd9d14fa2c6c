-- Roles for a time that people ask for, or take in an emergency.
ALTER TABLE role_binding DROP CONSTRAINT role_binding_source_check;
ALTER TABLE role_binding ADD CONSTRAINT role_binding_source_check
    CHECK (source IN ('local', 'oidc', 'demo', 'elevation'));
-- What was asked for ends.
ALTER TABLE role_binding ADD CONSTRAINT role_binding_elevation_ends
    CHECK (source <> 'elevation' OR (expires_at IS NOT NULL AND person_id IS NOT NULL));

CREATE TABLE elevation (
    id               uuid PRIMARY KEY,
    person_id        uuid NOT NULL REFERENCES person ON DELETE CASCADE,
    role             text NOT NULL CHECK (role IN ('developer', 'lead', 'admin', 'auditor')),
    -- Null: on the platform.
    project_id       uuid REFERENCES project ON DELETE CASCADE,
    -- Taken at once, to be reviewed.
    emergency        boolean NOT NULL,
    reason           text NOT NULL CHECK (reason <> ''),
    lifetime_seconds bigint NOT NULL CHECK (lifetime_seconds > 0),
    status           text NOT NULL CHECK (status IN ('waiting', 'granted', 'declined', 'withdrawn')),
    created_at       timestamptz NOT NULL DEFAULT now(),
    -- Until when somebody can decide.
    lapses_at        timestamptz NOT NULL,
    decided_by       text NOT NULL DEFAULT '',
    decided_at       timestamptz,
    answer           text NOT NULL DEFAULT '',
    -- The role that it became; null again when that was ended.
    binding_id       uuid REFERENCES role_binding ON DELETE SET NULL,
    ends_at          timestamptz,
    reviewed_by      text NOT NULL DEFAULT '',
    reviewed_at      timestamptz,
    -- Whether the emergency was one, as the reviewer says.
    justified        boolean,
    review           text NOT NULL DEFAULT '',
    CHECK ((status = 'granted') = (ends_at IS NOT NULL)),
    CHECK ((reviewed_at IS NULL) = (justified IS NULL))
);
CREATE INDEX elevation_newest ON elevation (created_at DESC, id DESC);
CREATE INDEX elevation_person ON elevation (person_id, created_at DESC, id DESC);
CREATE INDEX elevation_binding ON elevation (binding_id) WHERE binding_id IS NOT NULL;
CREATE INDEX elevation_waiting ON elevation (created_at) WHERE status = 'waiting';
-- What every admin is told on every page.
CREATE INDEX elevation_alarm ON elevation (created_at) WHERE emergency AND reviewed_at IS NULL;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'paddock_app') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON elevation TO paddock_app;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END
$$;
