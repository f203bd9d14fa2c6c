-- Whether environments are still as their last run left them. There is a row from when an environment
-- was ready first until it is deleted; a run that makes or changes the environment begins it anew.
CREATE TABLE environment_drift (
    environment_id  uuid PRIMARY KEY REFERENCES environment ON DELETE CASCADE,
    -- When it is looked at next by itself; null until the reconciler has chosen a moment of its own for it.
    due_at          timestamptz,
    -- The last check that came to an end. What it could not tell, or why it failed, is the reason.
    checked_at      timestamptz,
    result          text CHECK (result IN ('looked', 'cannot_tell', 'failed')),
    reason          text,
    run_id          uuid,
    -- What differs and nobody accepted, by the last check that could look, and since when something does.
    differences     jsonb NOT NULL DEFAULT '[]',
    drifted_since   timestamptz,
    -- What people accepted, with who, when and why; each as long as it is found like that.
    accepted        jsonb NOT NULL DEFAULT '[]',
    CHECK ((checked_at IS NULL) = (result IS NULL)),
    CHECK ((reason IS NOT NULL) = (result IS NOT DISTINCT FROM 'cannot_tell' OR result IS NOT DISTINCT FROM 'failed')),
    CHECK ((drifted_since IS NULL) = (differences = '[]'))
);
CREATE INDEX environment_drift_due ON environment_drift (due_at);
CREATE INDEX environment_drift_drifted ON environment_drift (environment_id) WHERE drifted_since IS NOT NULL;

INSERT INTO environment_drift (environment_id)
    SELECT id FROM environment WHERE ready_at IS NOT NULL AND state <> 'deleted';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'paddock_app') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON environment_drift TO paddock_app;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END
$$;
