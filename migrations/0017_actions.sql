-- Power operations and actions of the template's own: they are requests like any other.

ALTER TABLE request DROP CONSTRAINT request_operation_check;
ALTER TABLE request ADD CONSTRAINT request_operation_check CHECK (operation IN
    ('create', 'update', 'extend', 'start', 'stop', 'hibernate', 'restart', 'act', 'delete'));
-- Which action, by its name in the manifest, and what it was called at that time.
ALTER TABLE request ADD COLUMN action text;
ALTER TABLE request ADD COLUMN action_title text;
ALTER TABLE request ADD CONSTRAINT request_action_check
    CHECK ((operation = 'act') = (action IS NOT NULL) AND (action IS NULL) = (action_title IS NULL));

-- A restart leads from ready to ready. What failed can be tried again. What was refused before it
-- began leaves the environment as it was.
CREATE OR REPLACE FUNCTION check_environment_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (old.state, new.state) IN (
        ('requested', 'provisioning'), ('requested', 'deleted'),
        ('provisioning', 'ready'), ('provisioning', 'failed'), ('provisioning', 'deleting'),
        ('ready', 'updating'), ('ready', 'stopping'), ('ready', 'starting'), ('ready', 'deleting'),
        ('updating', 'ready'), ('updating', 'failed'),
        ('stopping', 'stopped'), ('stopping', 'failed'), ('stopping', 'ready'),
        ('stopped', 'starting'), ('stopped', 'deleting'),
        ('starting', 'ready'), ('starting', 'failed'), ('starting', 'stopped'),
        ('failed', 'provisioning'), ('failed', 'updating'), ('failed', 'stopping'), ('failed', 'starting'),
        ('failed', 'deleting'),
        ('deleting', 'deleted'), ('deleting', 'faulted'), ('deleting', 'failed'),
        ('faulted', 'deleting')) THEN
        RAISE EXCEPTION 'an environment does not go from % to %', old.state, new.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'environment_transition';
    END IF;
    RETURN new;
END
$$;
