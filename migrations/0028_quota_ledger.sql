-- Quotas with a scope, and the ledger behind them.
--
-- What environments hold is written down once, by dimension, whatever quotas there are; which quotas
-- that counts in follows from the environment (quota_reach). Entries are only ever added.

-- ---------------------------------------------------------------- quotas
ALTER TABLE quota
    DROP CONSTRAINT quota_project_environment_type_id_dimension_key,
    ALTER COLUMN project_environment_type_id DROP NOT NULL,
    ADD COLUMN scope text NOT NULL DEFAULT 'project_environment_type' CHECK (scope IN ('organisation', 'project',
        'environment_type', 'project_environment_type', 'team', 'user')),
    ADD COLUMN project_id uuid REFERENCES project ON DELETE CASCADE,
    ADD COLUMN environment_type_id uuid REFERENCES environment_type ON DELETE CASCADE,
    ADD COLUMN team_id uuid REFERENCES team ON DELETE CASCADE,
    ADD COLUMN person_id uuid REFERENCES person ON DELETE CASCADE,
    -- Whether what stopped environments take counts.
    ADD COLUMN count_stopped boolean NOT NULL DEFAULT true,
    ADD COLUMN generation bigint NOT NULL DEFAULT 1,
    ADD COLUMN created_at timestamptz NOT NULL DEFAULT now(),
    ADD CONSTRAINT quota_dimension CHECK (dimension ~ '^[a-z][a-z0-9_]{0,39}$');
ALTER TABLE quota
    ALTER COLUMN scope DROP DEFAULT,
    -- Whom it is for. Null: the organisation, or every team or user without a quota of their own.
    ADD COLUMN subject uuid GENERATED ALWAYS AS
        (coalesce(project_id, environment_type_id, project_environment_type_id, team_id, person_id)) STORED,
    ADD CHECK (num_nonnulls(project_id, environment_type_id, project_environment_type_id, team_id, person_id) <= 1),
    ADD CHECK ((project_id IS NOT NULL) = (scope = 'project')),
    ADD CHECK ((environment_type_id IS NOT NULL) = (scope = 'environment_type')),
    ADD CHECK ((project_environment_type_id IS NOT NULL) = (scope = 'project_environment_type')),
    ADD CHECK (team_id IS NULL OR scope = 'team'),
    ADD CHECK (person_id IS NULL OR scope = 'user');
ALTER TABLE quota ADD CONSTRAINT quota_once UNIQUE NULLS NOT DISTINCT (scope, subject, dimension);

-- Whether the quota is the one that holds this subject of this scope: its own one, else the one for all.
CREATE FUNCTION quota_counts(q quota, of_scope text, of_subject uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT q.scope = of_scope AND (q.subject = of_subject OR q.subject IS NULL AND NOT EXISTS (
        SELECT FROM quota own
        WHERE own.scope = of_scope AND own.subject = of_subject AND own.dimension = q.dimension))
$$;

-- The subject as people call it.
CREATE FUNCTION quota_subject(of_scope text, of_subject uuid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(CASE of_scope
        WHEN 'project' THEN (SELECT slug FROM project WHERE id = of_subject)
        WHEN 'environment_type' THEN (SELECT slug FROM environment_type WHERE id = of_subject)
        WHEN 'project_environment_type' THEN (
            SELECT p.slug || ' ' || t.slug FROM project_environment_type w
            JOIN project p ON p.id = w.project_id JOIN environment_type t ON t.id = w.environment_type_id
            WHERE w.id = of_subject)
        WHEN 'team' THEN (SELECT slug FROM team WHERE id = of_subject)
        WHEN 'user' THEN (SELECT login FROM person WHERE id = of_subject)
    END, '')
$$;

-- ---------------------------------------------------------------- where an environment counts
-- The teams that it counts for: those through which its owner has a role there.
CREATE TABLE environment_team (
    environment_id  uuid NOT NULL REFERENCES environment ON DELETE CASCADE,
    team_id         uuid NOT NULL REFERENCES team ON DELETE CASCADE,
    PRIMARY KEY (environment_id, team_id)
);
CREATE INDEX ON environment_team (team_id);
INSERT INTO environment_team
SELECT DISTINCT e.id, m.team_id FROM environment e
JOIN team_member m ON m.person_id = e.owner_id
JOIN role_binding b ON b.team_id = m.team_id AND (b.project_id = e.project_id OR b.project_id IS NULL)
WHERE e.state <> 'deleted';

CREATE VIEW environment_scope AS
SELECT e.id AS environment_id, s.scope, s.subject FROM environment e
JOIN project_environment_type w ON w.id = e.project_environment_type_id
CROSS JOIN LATERAL (VALUES
    ('organisation', '00000000-0000-0000-0000-000000000000'::uuid), ('project', e.project_id),
    ('environment_type', w.environment_type_id), ('project_environment_type', w.id), ('user', e.owner_id)
) s (scope, subject)
UNION ALL SELECT environment_id, 'team', team_id FROM environment_team;

CREATE VIEW quota_reach AS
SELECT s.environment_id, q.id AS quota_id, q.dimension, s.subject FROM environment_scope s
JOIN quota q ON quota_counts(q, s.scope, s.subject);

-- ---------------------------------------------------------------- the ledger
-- What an environment holds moves between three balances: reserved (asked for), used (it runs) and stopped.
CREATE TABLE quota_entry (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment_id  uuid NOT NULL REFERENCES environment,
    dimension       text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('reserve', 'settle', 'stop', 'start', 'release')),
    reserved        bigint NOT NULL,
    used            bigint NOT NULL,
    stopped         bigint NOT NULL,
    request_id      uuid REFERENCES request,
    run_id          uuid REFERENCES run,
    at              timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON quota_entry (environment_id, dimension);
CREATE INDEX ON quota_entry (request_id) WHERE request_id IS NOT NULL;

-- The sum of an environment's entries; moved in the transaction that adds one.
CREATE TABLE quota_holding (
    environment_id  uuid NOT NULL REFERENCES environment,
    dimension       text NOT NULL,
    reserved        bigint NOT NULL CHECK (reserved >= 0),
    used            bigint NOT NULL CHECK (used >= 0),
    stopped         bigint NOT NULL CHECK (stopped >= 0),
    PRIMARY KEY (environment_id, dimension)
);

-- The sum of the holdings that a quota reaches, by subject; moved in the same transaction (I7).
CREATE TABLE quota_counter (
    quota_id  uuid NOT NULL REFERENCES quota ON DELETE CASCADE,
    subject   uuid NOT NULL,
    reserved  bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    used      bigint NOT NULL DEFAULT 0 CHECK (used >= 0),
    stopped   bigint NOT NULL DEFAULT 0 CHECK (stopped >= 0),
    PRIMARY KEY (quota_id, subject)
);

-- What exists already: one environment each, as far as it has come.
INSERT INTO quota_entry (environment_id, dimension, kind, reserved, used, stopped)
SELECT e.id, 'environments', step.kind, step.reserved, step.used, step.stopped FROM environment e
CROSS JOIN LATERAL (VALUES
    (1, 'reserve', 1, 0, 0, true), (2, 'settle', -1, 1, 0, e.ready_at IS NOT NULL),
    (3, 'stop', 0, -1, 1, e.ready_at IS NOT NULL AND e.state = 'stopped')
) step (number, kind, reserved, used, stopped, holds)
WHERE e.state <> 'deleted' AND step.holds ORDER BY e.id, step.number;
INSERT INTO quota_holding
SELECT environment_id, dimension, sum(reserved), sum(used), sum(stopped) FROM quota_entry GROUP BY 1, 2;
INSERT INTO quota_counter
SELECT r.quota_id, r.subject, sum(h.reserved), sum(h.used), sum(h.stopped) FROM quota_reach r
JOIN quota_holding h ON h.environment_id = r.environment_id AND h.dimension = r.dimension GROUP BY 1, 2;
DROP TABLE quota_reservation;
ALTER TABLE quota DROP COLUMN used, DROP COLUMN reserved;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'paddock_app') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON environment_team, quota_holding, quota_counter TO paddock_app;
        GRANT SELECT, INSERT ON quota_entry TO paddock_app;
        GRANT SELECT ON environment_scope, quota_reach TO paddock_app;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END
$$;
