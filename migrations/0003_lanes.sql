-- Lanes: the queue of runs that does not search. The runs of one subject form a lane; only its
-- head can be claimed, and whoever takes the head out of the lane promotes the next one. Triggers
-- do it, so that every way in and out is covered, also that of a process of the last version.

ALTER TABLE run
    -- The one run of its subject that runs or may be claimed.
    ADD COLUMN head       boolean NOT NULL DEFAULT false,
    -- What decides whether a run may be claimed is the same for all runs of a pool.
    ADD COLUMN pool       uuid,
    ADD COLUMN provider   text NOT NULL DEFAULT '',
    ADD COLUMN target_id  uuid,
    -- The project environment type.
    ADD COLUMN place_id   uuid,
    -- What a worker must have to execute it.
    ADD COLUMN labels     text[] NOT NULL DEFAULT '{}';

CREATE FUNCTION run_pool(r run) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT md5(concat_ws('|', r.project_id, r.kind, r.priority, coalesce(r.place_id::text, '-'),
        coalesce(r.target_id::text, '-'), r.provider, array_to_string(r.labels, ',')))::uuid
$$;

UPDATE run SET provider = split_part(kind, '.', 2) WHERE state IN ('queued', 'running');
UPDATE run SET pool = run_pool(run) WHERE state IN ('queued', 'running');
UPDATE run SET head = true FROM (
    SELECT DISTINCT ON (subject_id) id FROM run WHERE state IN ('queued', 'running')
    ORDER BY subject_id, state = 'running' DESC, created_at, id) AS first
WHERE run.id = first.id;

DROP INDEX run_queue;
-- Few rows run at a time, and renewing a lease shall touch no index.
DROP INDEX run_leases;
CREATE UNIQUE INDEX run_lane_head ON run (subject_id) WHERE head;
CREATE INDEX run_waiting ON run (subject_id, created_at, id) WHERE state = 'queued' AND NOT head;
CREATE INDEX run_claimable ON run (pool, run_at, id) WHERE state = 'queued' AND head;
-- Recent durations, for estimates.
CREATE INDEX run_succeeded ON run (kind, ended_at DESC) WHERE state = 'succeeded';

-- The lock of a lane is taken last in every transaction that ends a run (at commit) and after the
-- subject's own lock in one that queues a run, so that the two never wait for each other.
CREATE FUNCTION lock_lane(subject uuid) RETURNS void LANGUAGE sql VOLATILE AS $$
    SELECT pg_advisory_xact_lock(hashtextextended(subject::text, 7301))
$$;

CREATE FUNCTION run_enter_lane() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lock_lane(new.subject_id);
    IF new.provider = '' THEN
        new.provider := split_part(new.kind, '.', 2);
    END IF;
    new.pool := run_pool(new);
    new.head := new.state IN ('queued', 'running') AND NOT EXISTS (
        SELECT FROM run WHERE subject_id = new.subject_id AND head) AND NOT EXISTS (
        SELECT FROM run WHERE subject_id = new.subject_id AND state = 'queued' AND NOT head);
    RETURN new;
END
$$;
CREATE TRIGGER lane_enter BEFORE INSERT ON run FOR EACH ROW EXECUTE FUNCTION run_enter_lane();

CREATE FUNCTION run_leave_lane() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF new.state = 'running' AND NOT old.head THEN
        RETURN NULL; -- not its turn: this row stays as it is
    END IF;
    IF new.state NOT IN ('queued', 'running') THEN
        new.head := false;
    END IF;
    RETURN new;
END
$$;
CREATE TRIGGER lane_leave BEFORE UPDATE OF state ON run
    FOR EACH ROW WHEN (old.state <> new.state) EXECUTE FUNCTION run_leave_lane();

-- Makes the oldest waiting run of a lane its head, unless there is one. A waiting run that another
-- transaction is about to cancel is passed over: to wait for it could be a deadlock. Should that
-- transaction fail, the lane stands still until `promote_waiting` looks.
CREATE FUNCTION promote_next(subject uuid) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    next uuid;
BEGIN
    PERFORM lock_lane(subject);
    IF EXISTS (SELECT FROM run WHERE subject_id = subject AND head) THEN
        RETURN false;
    END IF;
    SELECT id INTO next FROM run WHERE subject_id = subject AND state = 'queued' AND NOT head
        ORDER BY created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED;
    UPDATE run SET head = true WHERE id = next;
    RETURN FOUND;
END
$$;

CREATE FUNCTION run_promote_next() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM promote_next(old.subject_id);
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER lane_promote AFTER UPDATE OF state ON run
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (old.head AND NOT new.head) EXECUTE FUNCTION run_promote_next();

-- Lanes that stand still, put right. Returns how many.
CREATE FUNCTION promote_waiting() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    WITH RECURSIVE lane AS (
        (SELECT subject_id FROM run WHERE state = 'queued' AND NOT head ORDER BY subject_id LIMIT 1)
        UNION ALL
        SELECT (SELECT r.subject_id FROM run r WHERE r.state = 'queued' AND NOT r.head
                    AND r.subject_id > lane.subject_id ORDER BY r.subject_id LIMIT 1)
        FROM lane WHERE lane.subject_id IS NOT NULL)
    SELECT count(*) FILTER (WHERE promote_next(subject_id)) FROM lane
    WHERE subject_id IS NOT NULL
      AND NOT EXISTS (SELECT FROM run WHERE run.subject_id = lane.subject_id AND head)
$$;

-- How many runs of a target, and of a worker's labels.
ALTER TABLE target
    ADD COLUMN run_limit  integer CHECK (run_limit > 0),
    ADD COLUMN labels     text[] NOT NULL DEFAULT '{}';

ALTER TABLE worker
    ADD COLUMN labels           text[] NOT NULL DEFAULT '{}',
    ADD COLUMN version          text NOT NULL DEFAULT '',
    -- How many runs of a provider it lets run at a time on the whole platform.
    ADD COLUMN provider_limits  jsonb NOT NULL DEFAULT '{}',
    -- It claims nothing more, because it stops or was told to.
    ADD COLUMN draining         boolean NOT NULL DEFAULT false,
    -- A person told it to.
    ADD COLUMN drain_requested  boolean NOT NULL DEFAULT false;

-- Times in which runs are held, on the platform (place_id null) or of one project environment type.
CREATE TABLE freeze_window (
    id          uuid PRIMARY KEY,
    place_id    uuid REFERENCES project_environment_type ON DELETE CASCADE,
    reason      text NOT NULL CHECK (reason <> ''),
    starts_at   timestamptz NOT NULL DEFAULT now(),
    ends_at     timestamptz CHECK (ends_at > starts_at),
    set_by      text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    lifted_at   timestamptz,
    lifted_by   text,
    CHECK ((lifted_at IS NULL) = (lifted_by IS NULL))
);
CREATE INDEX freeze_open ON freeze_window (starts_at) WHERE lifted_at IS NULL;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'paddock_app') THEN
        GRANT SELECT, INSERT, UPDATE ON freeze_window TO paddock_app;
    END IF;
END
$$;
