-- The foundation: people, projects, catalog, environments, requests, runs, audit.
-- PostgreSQL 15, no extension. Words are those of docs/PRODUCT.md. Enumerations are text with a
-- CHECK; tests/it/schema.rs compares each with the Rust enum.

-- The role that serve and worker use (SET ROLE on every connection). It owns nothing, so it can
-- neither alter a table nor drop a trigger. Roles belong to the cluster: it may be there already.
DO $$
BEGIN
    CREATE ROLE paddock_app NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN
    NULL;
END
$$;

-- ---------------------------------------------------------------- identity
CREATE TABLE person (
    id            uuid PRIMARY KEY,
    login         text NOT NULL UNIQUE CHECK (login ~ '^[a-z0-9][a-z0-9._@+-]{0,99}$'),
    display_name  text NOT NULL,
    email         text,
    active        boolean NOT NULL DEFAULT true,
    demo          boolean NOT NULL DEFAULT false,
    service       boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE local_password (
    person_id   uuid PRIMARY KEY REFERENCES person ON DELETE CASCADE,
    phc         text NOT NULL,
    changed_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE external_identity (
    issuer      text NOT NULL,
    subject     text NOT NULL,
    person_id   uuid NOT NULL REFERENCES person ON DELETE CASCADE,
    claims      jsonb NOT NULL DEFAULT '{}',
    seen_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX ON external_identity (person_id);

CREATE TABLE session (
    id              uuid PRIMARY KEY,
    token_hash      bytea NOT NULL UNIQUE,
    person_id       uuid NOT NULL REFERENCES person ON DELETE CASCADE,
    method          text NOT NULL CHECK (method IN ('local', 'oidc', 'demo')),
    address         text,
    user_agent      text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    seen_at         timestamptz NOT NULL DEFAULT now(),
    idle_until      timestamptz NOT NULL,
    absolute_until  timestamptz NOT NULL
);
CREATE INDEX ON session (person_id);
CREATE INDEX ON session (absolute_until);

-- One sign-in under way at the OpenID provider; consumed once. Nonce and PKCE verifier follow
-- from the browser's cookie and the state, so that nothing secret is stored.
CREATE TABLE sign_in_flow (
    state_hash     bytea PRIMARY KEY,
    browser_hash   bytea NOT NULL,
    return_to      text NOT NULL,
    expires_at     timestamptz NOT NULL
);
CREATE INDEX ON sign_in_flow (expires_at);

-- Attempts at a password or the set-up code, per login and per address; a success gives its own
-- attempt back. Here and not in memory, so that the limit is one for all replicas.
CREATE TABLE sign_in_throttle (
    subject        bytea PRIMARY KEY CHECK (octet_length(subject) = 32),
    attempts       integer NOT NULL CHECK (attempts >= 0),
    last_at        timestamptz NOT NULL,
    blocked_until  timestamptz NOT NULL
);
CREATE INDEX ON sign_in_throttle (last_at);

CREATE TABLE api_token (
    id            uuid PRIMARY KEY,
    person_id     uuid NOT NULL REFERENCES person ON DELETE CASCADE,
    name          text NOT NULL,
    token_hash    bytea NOT NULL UNIQUE,
    last4         text NOT NULL,
    scopes        text[] NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    last_used_at  timestamptz,
    revoked_at    timestamptz
);
CREATE INDEX ON api_token (person_id);

-- The code printed on the terminal for the first visit; used once.
CREATE TABLE setup_code (
    only_one    boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    code_hash   bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    used_at     timestamptz
);

CREATE TABLE team (
    id          uuid PRIMARY KEY,
    slug        text NOT NULL UNIQUE,
    name        text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE team_member (
    team_id    uuid NOT NULL REFERENCES team ON DELETE CASCADE,
    person_id  uuid NOT NULL REFERENCES person ON DELETE CASCADE,
    source     text NOT NULL CHECK (source IN ('local', 'oidc')),
    PRIMARY KEY (team_id, person_id, source)
);
CREATE INDEX ON team_member (person_id);

-- ---------------------------------------------------------------- projects
CREATE TABLE environment_type (
    id        uuid PRIMARY KEY,
    slug      text NOT NULL UNIQUE,
    name      text NOT NULL,
    position  integer NOT NULL DEFAULT 0
);

CREATE TABLE project (
    id          uuid PRIMARY KEY,
    slug        text NOT NULL UNIQUE,
    name        text NOT NULL,
    summary     text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- A role for a person or a team, on the platform (project_id null) or in one project.
CREATE TABLE role_binding (
    id          uuid PRIMARY KEY,
    role        text NOT NULL CHECK (role IN ('developer', 'lead', 'admin', 'auditor')),
    person_id   uuid REFERENCES person ON DELETE CASCADE,
    team_id     uuid REFERENCES team ON DELETE CASCADE,
    project_id  uuid REFERENCES project ON DELETE CASCADE,
    source      text NOT NULL DEFAULT 'local' CHECK (source IN ('local', 'oidc', 'demo')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    CHECK (num_nonnulls(person_id, team_id) = 1),
    UNIQUE NULLS NOT DISTINCT (role, person_id, team_id, project_id, source)
);
CREATE INDEX ON role_binding (person_id);
CREATE INDEX ON role_binding (team_id);
CREATE INDEX ON role_binding (project_id);

-- Where a provider makes things, with its credentials (sealed).
CREATE TABLE target (
    id          uuid PRIMARY KEY,
    slug        text NOT NULL UNIQUE,
    name        text NOT NULL,
    provider    text NOT NULL,
    settings    jsonb NOT NULL DEFAULT '{}',
    secret      bytea,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE project_environment_type (
    id                        uuid PRIMARY KEY,
    project_id                uuid NOT NULL REFERENCES project ON DELETE CASCADE,
    environment_type_id       uuid NOT NULL REFERENCES environment_type,
    enabled                   boolean NOT NULL DEFAULT true,
    default_lifetime_seconds  bigint NOT NULL CHECK (default_lifetime_seconds > 0),
    maximum_lifetime_seconds  bigint NOT NULL CHECK (maximum_lifetime_seconds >= default_lifetime_seconds),
    UNIQUE (project_id, environment_type_id)
);

CREATE TABLE project_environment_type_target (
    project_environment_type_id  uuid NOT NULL REFERENCES project_environment_type ON DELETE CASCADE,
    provider                     text NOT NULL,
    target_id                    uuid NOT NULL REFERENCES target,
    PRIMARY KEY (project_environment_type_id, provider)
);

-- A limit and its counters. used + reserved moves only by a guarded UPDATE (I7).
CREATE TABLE quota (
    id                           uuid PRIMARY KEY,
    project_environment_type_id  uuid NOT NULL REFERENCES project_environment_type ON DELETE CASCADE,
    dimension                    text NOT NULL,
    maximum                      bigint NOT NULL CHECK (maximum >= 0),
    used                         bigint NOT NULL DEFAULT 0 CHECK (used >= 0),
    reserved                     bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    UNIQUE (project_environment_type_id, dimension)
);

-- ---------------------------------------------------------------- catalog
CREATE TABLE catalog_source (
    id            uuid PRIMARY KEY,
    slug          text NOT NULL UNIQUE,
    kind          text NOT NULL CHECK (kind IN ('folder', 'git', 'embedded')),
    location      text NOT NULL,
    branch        text,
    folder        text NOT NULL DEFAULT '',
    sync_state    text NOT NULL DEFAULT 'never' CHECK (sync_state IN ('never', 'running', 'succeeded', 'failed')),
    sync_error    text,
    synced_at     timestamptz,
    source_commit text,
    added         integer NOT NULL DEFAULT 0,
    updated       integer NOT NULL DEFAULT 0,
    unchanged     integer NOT NULL DEFAULT 0,
    removed       integer NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now()
);

-- What the last sync found wrong: replaced as a whole by every sync.
CREATE TABLE catalog_problem (
    source_id  uuid NOT NULL REFERENCES catalog_source ON DELETE CASCADE,
    position   integer NOT NULL,
    path       text NOT NULL,
    line       integer,
    col        integer,
    key        text,
    message    text NOT NULL,
    severity   text NOT NULL CHECK (severity IN ('error', 'warning')),
    PRIMARY KEY (source_id, position)
);

CREATE TABLE template (
    id          uuid PRIMARY KEY,
    source_id   uuid NOT NULL REFERENCES catalog_source ON DELETE CASCADE,
    path        text NOT NULL,
    slug        text NOT NULL UNIQUE,
    name        text NOT NULL,
    summary     text NOT NULL DEFAULT '',
    provider    text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('environment', 'workspace')),
    icon        text NOT NULL DEFAULT 'box',
    tags        text[] NOT NULL DEFAULT '{}',
    search      tsvector GENERATED ALWAYS AS (
                    to_tsvector('simple', name || ' ' || slug || ' ' || summary)) STORED,
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (source_id, path)
);
CREATE INDEX ON template USING gin (search);

CREATE TABLE template_version (
    id               uuid PRIMARY KEY,
    template_id      uuid NOT NULL REFERENCES template ON DELETE CASCADE,
    version          text NOT NULL,
    number           integer NOT NULL,
    state            text NOT NULL CHECK (state IN ('draft', 'published', 'deprecated', 'retired')),
    digest           bytea NOT NULL CHECK (octet_length(digest) = 32),
    source_commit    text,
    format           text NOT NULL CHECK (format IN ('paddock', 'ade')),
    manifest         jsonb NOT NULL,
    inputs_schema    jsonb NOT NULL,
    outputs          jsonb NOT NULL DEFAULT '[]',
    provider         text NOT NULL,
    provider_config  jsonb NOT NULL DEFAULT '{}',
    readme           text NOT NULL DEFAULT '',
    created_at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (template_id, number),
    UNIQUE (template_id, digest)
);
CREATE UNIQUE INDEX template_version_current ON template_version (template_id) WHERE state = 'published';

CREATE TABLE template_file (
    version_id  uuid NOT NULL REFERENCES template_version ON DELETE CASCADE,
    path        text NOT NULL,
    executable  boolean NOT NULL,
    content     bytea NOT NULL,
    PRIMARY KEY (version_id, path)
);

-- ---------------------------------------------------------------- environments
CREATE TABLE environment (
    id                           uuid PRIMARY KEY,
    project_id                   uuid NOT NULL REFERENCES project,
    project_environment_type_id  uuid NOT NULL REFERENCES project_environment_type,
    template_id                  uuid NOT NULL REFERENCES template,
    template_version_id          uuid NOT NULL REFERENCES template_version,
    target_id                    uuid REFERENCES target,
    owner_id                     uuid NOT NULL REFERENCES person,
    name                         text NOT NULL,
    kind                         text NOT NULL CHECK (kind IN ('environment', 'workspace')),
    state                        text NOT NULL CHECK (state IN ('requested', 'provisioning', 'ready', 'updating',
                                     'stopping', 'stopped', 'starting', 'deleting', 'deleted', 'failed', 'faulted')),
    generation                   bigint NOT NULL DEFAULT 1,
    inputs                       jsonb NOT NULL DEFAULT '{}',
    secret_inputs                bytea,
    seed                         bytea NOT NULL,
    provider_state               bytea,
    lifetime_seconds             bigint NOT NULL CHECK (lifetime_seconds > 0),
    expires_at                   timestamptz,
    expiry_warned_at             timestamptz,
    last_error                   text,
    created_at                   timestamptz NOT NULL DEFAULT now(),
    ready_at                     timestamptz,
    deleted_at                   timestamptz,
    CHECK ((state = 'deleted') = (deleted_at IS NOT NULL))
);
CREATE UNIQUE INDEX environment_name ON environment (project_id, lower(name)) WHERE state <> 'deleted';
CREATE INDEX environment_project ON environment (project_id, created_at DESC, id DESC);
CREATE INDEX environment_owner ON environment (owner_id, created_at DESC, id DESC);
CREATE INDEX environment_newest ON environment (created_at DESC, id DESC);
CREATE INDEX environment_live ON environment (created_at DESC, id DESC) WHERE state <> 'deleted';
CREATE INDEX environment_expiry ON environment (expires_at) WHERE state IN ('ready', 'stopped', 'failed');

CREATE TABLE quota_reservation (
    environment_id  uuid NOT NULL REFERENCES environment,
    quota_id        uuid NOT NULL REFERENCES quota,
    amount          bigint NOT NULL CHECK (amount >= 0),
    state           text NOT NULL CHECK (state IN ('reserved', 'used', 'released')),
    PRIMARY KEY (environment_id, quota_id)
);
CREATE INDEX ON quota_reservation (quota_id) WHERE state <> 'released';

CREATE TABLE environment_output (
    environment_id  uuid NOT NULL REFERENCES environment ON DELETE CASCADE,
    name            text NOT NULL,
    position        integer NOT NULL,
    sensitive       boolean NOT NULL,
    value           jsonb,
    sealed          bytea,
    PRIMARY KEY (environment_id, name),
    CHECK (sensitive = (sealed IS NOT NULL) AND sensitive = (value IS NULL))
);

CREATE TABLE environment_resource (
    environment_id  uuid NOT NULL REFERENCES environment ON DELETE CASCADE,
    address         text NOT NULL,
    type            text NOT NULL,
    provider_id     text,
    PRIMARY KEY (environment_id, address)
);

-- ---------------------------------------------------------------- policy and requests
CREATE TABLE policy_set (
    digest      bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    source      text NOT NULL,
    schema      text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- What policy said, with everything that it was said about: enough to decide again.
CREATE TABLE decision (
    id                uuid PRIMARY KEY,
    outcome           text NOT NULL CHECK (outcome IN ('allowed', 'denied', 'needs_approval')),
    input             jsonb NOT NULL,
    policy_digest     bytea NOT NULL REFERENCES policy_set,
    rules             jsonb NOT NULL,
    requirements      jsonb NOT NULL,
    -- The words that people saw: a later version may choose others.
    sentence          text NOT NULL,
    would_be_allowed  text[] NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE request (
    id                           uuid PRIMARY KEY,
    operation                    text NOT NULL CHECK (operation IN ('create', 'update', 'extend', 'delete')),
    status                       text NOT NULL CHECK (status IN ('denied', 'awaiting_approval', 'rejected', 'withdrawn',
                                     'lapsed', 'approved', 'running', 'succeeded', 'failed', 'canceled')),
    requester_id                 uuid REFERENCES person,
    requester_label              text NOT NULL,
    project_id                   uuid NOT NULL REFERENCES project,
    project_environment_type_id  uuid NOT NULL REFERENCES project_environment_type,
    template_id                  uuid NOT NULL REFERENCES template,
    template_version_id          uuid NOT NULL REFERENCES template_version,
    environment_id               uuid REFERENCES environment,
    environment_name             text NOT NULL,
    decision_id                  uuid NOT NULL REFERENCES decision,
    inputs                       jsonb NOT NULL,
    secret_inputs                bytea,
    digest                       bytea NOT NULL CHECK (octet_length(digest) = 32),
    lifetime_seconds             bigint,
    reason                       text NOT NULL DEFAULT '',
    idempotency_key              text,
    body_digest                  bytea,
    lapses_at                    timestamptz,
    created_at                   timestamptz NOT NULL DEFAULT now(),
    decided_at                   timestamptz,
    finished_at                  timestamptz,
    UNIQUE (requester_id, idempotency_key)
);
CREATE INDEX request_newest ON request (created_at DESC, id DESC);
CREATE INDEX request_requester ON request (requester_id, created_at DESC, id DESC);
CREATE INDEX request_project ON request (project_id, created_at DESC, id DESC);
CREATE INDEX request_environment ON request (environment_id, created_at DESC, id DESC);
CREATE INDEX request_waiting ON request (project_id, created_at DESC, id DESC) WHERE status = 'awaiting_approval';
-- One open operation per environment.
CREATE UNIQUE INDEX request_open ON request (environment_id)
    WHERE status IN ('awaiting_approval', 'approved', 'running');

CREATE TABLE approval_requirement (
    id          uuid PRIMARY KEY,
    request_id  uuid NOT NULL REFERENCES request,
    rule_id     text NOT NULL,
    who         text NOT NULL,
    role        text NOT NULL CHECK (role IN ('developer', 'lead', 'admin', 'auditor')),
    count       integer NOT NULL CHECK (count > 0),
    UNIQUE (request_id, rule_id)
);

CREATE TABLE review (
    id              uuid PRIMARY KEY,
    request_id      uuid NOT NULL REFERENCES request,
    reviewer_id     uuid NOT NULL REFERENCES person,
    verdict         text NOT NULL CHECK (verdict IN ('approved', 'rejected')),
    reason          text NOT NULL,
    request_digest  bytea NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (request_id, reviewer_id)
);

-- ---------------------------------------------------------------- orchestrator
-- Small and hot: one row per run. subject_key is the environment: one run at a time for each.
CREATE TABLE run (
    id                uuid PRIMARY KEY,
    kind              text NOT NULL,
    subject_id        uuid NOT NULL,
    request_id        uuid,
    project_id        uuid NOT NULL,
    label             text NOT NULL,
    state             text NOT NULL CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'canceled', 'faulted')),
    attempt           integer NOT NULL DEFAULT 0,
    max_attempts      integer NOT NULL DEFAULT 5,
    priority          integer NOT NULL DEFAULT 100,
    run_at            timestamptz NOT NULL DEFAULT now(),
    worker            text,
    lease_until       timestamptz,
    cancel_requested  boolean NOT NULL DEFAULT false,
    error             text,
    error_step        text,
    log_seq           bigint NOT NULL DEFAULT 0,
    created_at        timestamptz NOT NULL DEFAULT now(),
    started_at        timestamptz,
    ended_at          timestamptz,
    CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CHECK ((state IN ('succeeded', 'failed', 'canceled', 'faulted')) = (ended_at IS NOT NULL))
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX run_one_running ON run (subject_id) WHERE state = 'running';
CREATE INDEX run_queue ON run (priority, run_at, id) WHERE state = 'queued';
CREATE INDEX run_leases ON run (lease_until) WHERE state = 'running';
CREATE INDEX run_subject ON run (subject_id, created_at DESC, id DESC);
CREATE INDEX run_request ON run (request_id);

CREATE TABLE run_step (
    run_id      uuid NOT NULL REFERENCES run ON DELETE CASCADE,
    position    integer NOT NULL,
    name        text NOT NULL,
    status      text NOT NULL CHECK (status IN ('pending', 'running', 'succeeded', 'failed', 'canceled')),
    attempt     integer NOT NULL DEFAULT 0,
    checkpoint  bytea,
    error       text,
    started_at  timestamptz,
    ended_at    timestamptz,
    PRIMARY KEY (run_id, position)
);

CREATE TABLE log_line (
    run_id   uuid NOT NULL REFERENCES run ON DELETE CASCADE,
    seq      bigint NOT NULL,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempt  integer NOT NULL,
    step     text NOT NULL,
    stream   text NOT NULL CHECK (stream IN ('stdout', 'stderr', 'paddock')),
    text     text NOT NULL,
    PRIMARY KEY (run_id, seq)
);

CREATE TABLE worker (
    name          text PRIMARY KEY,
    kinds         text[] NOT NULL,
    slots         integer NOT NULL,
    started_at    timestamptz NOT NULL DEFAULT now(),
    seen_at       timestamptz NOT NULL DEFAULT now()
);

-- ---------------------------------------------------------------- audit
CREATE TABLE audit_record (
    id              uuid PRIMARY KEY,
    at              timestamptz NOT NULL DEFAULT now(),
    xid             xid8 NOT NULL DEFAULT pg_current_xact_id(),
    operation_id    uuid NOT NULL,
    actor_kind      text NOT NULL CHECK (actor_kind IN ('person', 'system', 'operator', 'anonymous')),
    actor_id        uuid,
    actor_label     text NOT NULL,
    token_id        uuid,
    action          text NOT NULL,
    object_kind     text NOT NULL,
    object_id       uuid,
    object_label    text NOT NULL,
    project_id      uuid,
    environment_id  uuid,
    request_id      uuid,
    run_id          uuid,
    decision_id     uuid,
    outcome         text NOT NULL CHECK (outcome IN ('succeeded', 'denied', 'failed')),
    channel         text NOT NULL,
    address         text,
    detail          jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_newest ON audit_record (at DESC, id DESC);
CREATE INDEX audit_actor ON audit_record (actor_label, at DESC, id DESC);
CREATE INDEX audit_action ON audit_record (action, at DESC, id DESC);
CREATE INDEX audit_object ON audit_record (object_id, at DESC, id DESC);
CREATE INDEX audit_environment ON audit_record (environment_id, at DESC, id DESC) WHERE environment_id IS NOT NULL;
CREATE INDEX audit_project ON audit_record (project_id, at DESC, id DESC) WHERE project_id IS NOT NULL;
CREATE INDEX audit_request ON audit_record (request_id, at DESC, id DESC) WHERE request_id IS NOT NULL;
CREATE INDEX audit_operation ON audit_record (operation_id);

-- ---------------------------------------------------------------- guards
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: its rows are never changed', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_record
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON audit_record
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON decision
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON review
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON policy_set
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER immutable BEFORE UPDATE ON template_file
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
-- A template version moves between its states; its content stays.
CREATE TRIGGER immutable BEFORE UPDATE ON template_version
    FOR EACH ROW WHEN ((old.id, old.template_id, old.version, old.number, old.digest, old.manifest,
                        old.inputs_schema, old.outputs, old.provider, old.provider_config, old.readme)
        IS DISTINCT FROM (new.id, new.template_id, new.version, new.number, new.digest, new.manifest,
                          new.inputs_schema, new.outputs, new.provider, new.provider_config, new.readme))
    EXECUTE FUNCTION refuse_change();

-- Terminal states are final, and only declared transitions happen (I5).
CREATE FUNCTION check_environment_transition() RETURNS trigger LANGUAGE plpgsql AS $$
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
        ('deleting', 'deleted'), ('deleting', 'faulted'),
        ('faulted', 'deleting')) THEN
        RAISE EXCEPTION 'an environment does not go from % to %', old.state, new.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'environment_transition';
    END IF;
    RETURN new;
END
$$;
CREATE TRIGGER environment_transition BEFORE UPDATE OF state ON environment
    FOR EACH ROW WHEN (old.state <> new.state) EXECUTE FUNCTION check_environment_transition();

CREATE FUNCTION check_request_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (old.status, new.status) IN (
        ('awaiting_approval', 'rejected'), ('awaiting_approval', 'withdrawn'), ('awaiting_approval', 'lapsed'),
        ('awaiting_approval', 'approved'), ('approved', 'running'), ('approved', 'succeeded'),
        ('approved', 'canceled'), ('approved', 'failed'),
        ('running', 'succeeded'), ('running', 'failed'), ('running', 'canceled'),
        ('failed', 'running'), ('canceled', 'running')) THEN
        RAISE EXCEPTION 'a request does not go from % to %', old.status, new.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'request_transition';
    END IF;
    RETURN new;
END
$$;
CREATE TRIGGER request_transition BEFORE UPDATE OF status ON request
    FOR EACH ROW WHEN (old.status <> new.status) EXECUTE FUNCTION check_request_transition();

CREATE FUNCTION check_run_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (old.state, new.state) IN (
        ('queued', 'running'), ('queued', 'canceled'), ('queued', 'faulted'),
        ('running', 'queued'), ('running', 'succeeded'), ('running', 'failed'),
        ('running', 'canceled'), ('running', 'faulted')) THEN
        RAISE EXCEPTION 'a run does not go from % to %', old.state, new.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'run_transition';
    END IF;
    RETURN new;
END
$$;
CREATE TRIGGER run_transition BEFORE UPDATE OF state ON run
    FOR EACH ROW WHEN (old.state <> new.state) EXECUTE FUNCTION check_run_transition();

-- ---------------------------------------------------------------- rights of the application's role
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'paddock_app') THEN
        GRANT USAGE ON SCHEMA public TO paddock_app;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO paddock_app;
        REVOKE UPDATE, DELETE, TRUNCATE ON audit_record, decision, review, policy_set FROM paddock_app;
        REVOKE DELETE, TRUNCATE ON environment, request, run FROM paddock_app;
        EXECUTE format('GRANT paddock_app TO %I', current_user);
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END
$$;
