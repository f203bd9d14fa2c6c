-- Circuit breakers: where several environments in a row met an error that may pass, runs wait instead
-- of using up their attempts, and one at a time tries whether it has passed (docs/decisions/0023).
-- A row is there from the first such error until a run succeeds; nearly always there is none.
CREATE TABLE circuit (
    id          uuid PRIMARY KEY,
    provider    text NOT NULL,
    -- None: the provider works without one.
    target_id   uuid REFERENCES target (id) ON DELETE CASCADE,
    -- The environments whose runs met one since a run last succeeded here.
    subjects    uuid[] NOT NULL,
    -- What the last one said.
    error       text NOT NULL,
    failed_at   timestamptz NOT NULL DEFAULT now(),
    -- How many times in a row it was opened.
    opened      integer NOT NULL DEFAULT 0,
    -- Set: it is open. From then on one run may try.
    open_until  timestamptz,
    -- A run was let through to try.
    trying      boolean NOT NULL DEFAULT false,
    UNIQUE NULLS NOT DISTINCT (provider, target_id),
    CHECK ((opened > 0) = (open_until IS NOT NULL))
);

DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'paddock_app') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON circuit TO paddock_app;
    END IF;
END $$;
