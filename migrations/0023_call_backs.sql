-- What receivers of webhooks tell of the runs that asked them.

CREATE TABLE call_back (
    run_id        uuid PRIMARY KEY REFERENCES run ON DELETE CASCADE,
    -- SHA-256 of the token in its address. The token itself is stored nowhere.
    token_digest  bytea NOT NULL UNIQUE CHECK (length(token_digest) = 32),
    expires_at    timestamptz NOT NULL,
    -- How many reports on the way came in.
    reports       bigint NOT NULL DEFAULT 0,
    -- The last word: it is taken once.
    answered_at   timestamptz,
    -- What tells it from another one: a digest under the token as the key.
    answer_digest  bytea CHECK (length(answer_digest) = 32),
    -- Sealed; gone once the run has ended.
    answer        bytea,
    -- Why something was refused, for one audit record of each.
    refused       text[] NOT NULL DEFAULT '{}',
    CHECK ((answered_at IS NULL) = (answer_digest IS NULL)),
    CHECK (answer IS NULL OR answered_at IS NOT NULL)
);

-- Reports on the way that the worker has not told yet. Sealed.
CREATE TABLE call_back_report (
    run_id  uuid NOT NULL REFERENCES call_back ON DELETE CASCADE,
    number  bigint NOT NULL,
    body    bytea NOT NULL,
    PRIMARY KEY (run_id, number)
);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'paddock_app') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON call_back, call_back_report TO paddock_app;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END
$$;
