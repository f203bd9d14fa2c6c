-- What targets hold with our mark and nobody owns. Nothing is removed by itself: a person adopts or
-- destroys it, or it is gone at the target by somebody else's hand.

-- When each target is looked over, by the database's clock.
CREATE TABLE target_inventory (
    target_id  uuid PRIMARY KEY REFERENCES target ON DELETE CASCADE,
    due_at     timestamptz NOT NULL DEFAULT now(),
    looked_at  timestamptz,
    result     text CHECK (result IN ('listed', 'cannot_tell', 'failed')),
    reason     text,
    CHECK ((looked_at IS NULL) = (result IS NULL)),
    CHECK ((reason IS NOT NULL) = (result IS NOT DISTINCT FROM 'cannot_tell' OR result IS NOT DISTINCT FROM 'failed'))
);
CREATE INDEX target_inventory_due ON target_inventory (due_at);

CREATE TABLE orphan (
    id              uuid PRIMARY KEY,
    target_id       uuid NOT NULL REFERENCES target,
    type            text NOT NULL,
    -- The thing at the provider, and its name inside the environment where the provider has one.
    provider_id     text NOT NULL,
    address         text,
    -- Whose it is by its mark: of this Paddock or of another one, so it refers to nothing.
    environment_id  uuid,
    there_since     timestamptz,
    cost            text,
    found_at        timestamptz NOT NULL DEFAULT now(),
    seen_at         timestamptz NOT NULL DEFAULT now(),
    -- The run that removes it, and what the last one said when it could not.
    run_id          uuid,
    error           text,
    state           text NOT NULL DEFAULT 'found'
                        CHECK (state IN ('found', 'destroying', 'destroyed', 'adopted', 'gone')),
    closed_at       timestamptz,
    CHECK ((state IN ('destroyed', 'adopted', 'gone')) = (closed_at IS NOT NULL))
);
CREATE UNIQUE INDEX orphan_open ON orphan (target_id, type, provider_id) WHERE closed_at IS NULL;
CREATE INDEX orphan_newest ON orphan (found_at DESC, id DESC) WHERE closed_at IS NULL;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'paddock_app') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON target_inventory TO paddock_app;
        GRANT SELECT, INSERT, UPDATE ON orphan TO paddock_app;
        REVOKE DELETE, TRUNCATE ON orphan FROM paddock_app;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END
$$;
