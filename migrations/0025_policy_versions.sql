-- Versions of the policy set: written as drafts, proposed, published by a second person, never changed after.

CREATE TABLE policy_version (
    id               uuid PRIMARY KEY,
    number           integer NOT NULL CONSTRAINT policy_version_number UNIQUE CHECK (number > 0),
    state            text NOT NULL CHECK (state IN ('draft', 'proposed', 'published', 'superseded', 'discarded')),
    -- built_in: the set inside the binary, each process its own; folder: loaded from --policies.
    origin           text NOT NULL CHECK (origin IN ('built_in', 'folder', 'person')),
    source           text NOT NULL CHECK (octet_length(source) <= 262144),
    -- A folder's own schema; null: that of the binary.
    schema           text,
    -- Of schema and source, when it was last written.
    digest           bytea NOT NULL CHECK (octet_length(digest) = 32),
    note             text NOT NULL CHECK (length(note) <= 1000),
    author_id        uuid REFERENCES person,
    author_label     text NOT NULL,
    -- The number of the version that it was made from.
    based_on         integer,
    -- Counts every change; whoever changes it says which one they saw.
    generation       bigint NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    proposed_at      timestamptz,
    proposer_label   text,
    published_at     timestamptz,
    publisher_id     uuid REFERENCES person,
    publisher_label  text,
    CHECK ((origin = 'person') = (author_id IS NOT NULL)),
    CHECK (origin = 'person' OR state IN ('published', 'superseded')),
    CHECK (state NOT IN ('published', 'superseded') OR published_at IS NOT NULL),
    -- Nobody publishes alone.
    CONSTRAINT policy_version_publisher
        CHECK (origin <> 'person' OR published_at IS NULL OR (publisher_id IS NOT NULL AND publisher_id <> author_id))
);
CREATE UNIQUE INDEX policy_version_in_force ON policy_version ((true)) WHERE state = 'published';

-- Everybody who wrote in a version, or proposed it.
CREATE TABLE policy_version_editor (
    version_id  uuid NOT NULL REFERENCES policy_version,
    person_id   uuid NOT NULL REFERENCES person,
    label       text NOT NULL,
    since       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (version_id, person_id)
);

CREATE FUNCTION check_policy_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (old.id, old.number, old.origin, old.author_id, old.created_at)
        IS DISTINCT FROM (new.id, new.number, new.origin, new.author_id, new.created_at)
       OR ((old.source, old.schema, old.digest, old.note) IS DISTINCT FROM (new.source, new.schema, new.digest, new.note)
           AND NOT (old.state = 'draft' AND new.state = 'draft')) THEN
        RAISE EXCEPTION 'a policy version that is % keeps its content', old.state
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'policy_version_content';
    END IF;
    IF old.state <> new.state AND NOT (old.state, new.state) IN (
        ('draft', 'proposed'), ('draft', 'discarded'), ('proposed', 'draft'), ('proposed', 'published'),
        ('proposed', 'discarded'), ('published', 'superseded')) THEN
        RAISE EXCEPTION 'a policy version does not go from % to %', old.state, new.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'policy_version_transition';
    END IF;
    IF old.state = 'proposed' AND new.state = 'published' AND EXISTS (
        SELECT FROM policy_version_editor WHERE version_id = new.id AND person_id = new.publisher_id) THEN
        RAISE EXCEPTION 'who wrote in a policy version does not publish it'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'policy_version_second_person';
    END IF;
    RETURN new;
END
$$;
CREATE TRIGGER check_change BEFORE UPDATE ON policy_version FOR EACH ROW EXECUTE FUNCTION check_policy_version();
CREATE TRIGGER immutable BEFORE DELETE ON policy_version FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON policy_version_editor FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- What rules that are only watched would have made of it; null: none applied.
ALTER TABLE decision ADD COLUMN observed jsonb;
CREATE INDEX decision_observed ON decision (created_at) WHERE observed IS NOT NULL;
CREATE INDEX decision_oldest ON decision (created_at, id);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'paddock_app') THEN
        GRANT SELECT, INSERT, UPDATE ON policy_version TO paddock_app;
        GRANT SELECT, INSERT ON policy_version_editor TO paddock_app;
        REVOKE DELETE, TRUNCATE ON policy_version FROM paddock_app;
        REVOKE UPDATE, DELETE, TRUNCATE ON policy_version_editor FROM paddock_app;
    END IF;
END
$$;
