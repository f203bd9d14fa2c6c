-- What environments were, from when to when: what they have cost follows from it, from what their template says
-- they take, and from the price book.

-- Written by the trigger below, in the transaction that changes the environment. Whole seconds.
CREATE TABLE environment_interval (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment_id       uuid NOT NULL REFERENCES environment,
    project_id           uuid NOT NULL REFERENCES project,
    phase                text NOT NULL CHECK (phase IN ('running', 'stopped')),
    -- What it was made of in this time: both together say what it took.
    template_version_id  uuid NOT NULL REFERENCES template_version,
    inputs               jsonb NOT NULL,
    began_at             timestamptz NOT NULL,
    -- Null: it goes on.
    ended_at             timestamptz,
    -- Whether it was there before intervals were written: what it cost until then is not known.
    from_before          boolean NOT NULL DEFAULT false,
    CHECK (ended_at >= began_at)
);
CREATE INDEX environment_interval_of ON environment_interval (environment_id, id);
CREATE UNIQUE INDEX environment_interval_open ON environment_interval (environment_id) WHERE ended_at IS NULL;
-- What lies in a month, however long ago it began.
CREATE INDEX environment_interval_time ON environment_interval USING gist (tstzrange(began_at, ended_at));
CREATE INDEX environment_interval_project ON environment_interval (project_id);
-- What is being made, which the forecast counts.
CREATE INDEX environment_making ON environment (project_id) WHERE state = 'provisioning';

-- Whether a run that makes or changes it came so far that something may be there.
CREATE FUNCTION environment_was_begun(of_environment uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM run r JOIN run_step s ON s.run_id = r.id
        WHERE r.subject_id = of_environment AND (r.kind LIKE 'create.%' OR r.kind LIKE 'update.%')
          AND s.started_at IS NOT NULL AND s.name NOT IN ('prepare', 'plan', 'guard'))
$$;

-- Ready and starting is running, stopped is stopped; between them, and after a failure, it stays what it was last.
-- It begins when it is ready, or has failed after its making had begun; before that it costs nothing.
CREATE FUNCTION follow_environment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last environment_interval;
    phase text;
    at timestamptz;
BEGIN
    SELECT * INTO last FROM environment_interval WHERE environment_id = new.id AND ended_at IS NULL;
    phase := CASE
        WHEN new.state IN ('requested', 'deleted') THEN NULL
        WHEN new.state = 'ready' THEN 'running'
        WHEN new.state = 'stopped' THEN 'stopped'
        WHEN new.state = 'starting' AND last.id IS NOT NULL THEN 'running'
        WHEN last.id IS NOT NULL THEN last.phase
        WHEN new.state IN ('failed', 'faulted') AND environment_was_begun(new.id) THEN 'running'
    END;
    IF (last.phase, last.template_version_id, last.inputs) IS NOT DISTINCT FROM
        (phase, new.template_version_id, new.inputs) THEN
        RETURN NULL;
    END IF;
    -- A clock that was set back makes no interval that ends before it began.
    at := greatest(date_trunc('second', clock_timestamp()), last.began_at);
    IF last.id IS NOT NULL THEN
        UPDATE environment_interval SET ended_at = at WHERE id = last.id;
    END IF;
    IF phase IS NOT NULL THEN
        INSERT INTO environment_interval (environment_id, project_id, phase, template_version_id, inputs, began_at)
        VALUES (new.id, new.project_id, phase, new.template_version_id, new.inputs, at);
    END IF;
    RETURN NULL;
END
$$;

-- What is there already begins now.
INSERT INTO environment_interval
    (environment_id, project_id, phase, template_version_id, inputs, began_at, from_before)
SELECT id, project_id, CASE WHEN state = 'stopped' THEN 'stopped' ELSE 'running' END, template_version_id, inputs,
       date_trunc('second', now()), true
FROM environment
WHERE state NOT IN ('requested', 'deleted') AND (ready_at IS NOT NULL
    OR state IN ('failed', 'faulted') AND environment_was_begun(id));

CREATE TRIGGER environment_interval AFTER UPDATE OF state, template_version_id, inputs ON environment
    FOR EACH ROW WHEN ((old.state, old.template_version_id, old.inputs)
        IS DISTINCT FROM (new.state, new.template_version_id, new.inputs))
    EXECUTE FUNCTION follow_environment();

-- An interval that goes on is ended, and that is all.
CREATE TRIGGER immutable BEFORE UPDATE ON environment_interval
    FOR EACH ROW WHEN (old.ended_at IS NOT NULL
        OR (old.environment_id, old.project_id, old.phase, old.template_version_id, old.inputs, old.began_at,
            old.from_before) IS DISTINCT FROM (new.environment_id, new.project_id, new.phase, new.template_version_id,
            new.inputs, new.began_at, new.from_before))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER kept BEFORE DELETE ON environment_interval FOR EACH ROW EXECUTE FUNCTION refuse_change();

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'paddock_app') THEN
        GRANT SELECT, INSERT, UPDATE ON environment_interval TO paddock_app;
        REVOKE DELETE, TRUNCATE ON environment_interval FROM paddock_app;
    END IF;
END
$$;
