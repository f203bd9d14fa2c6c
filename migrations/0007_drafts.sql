-- Drafts of request forms, and the way to the first error of a long log.

-- One draft for each person and form. It holds what a browser would post, without secrets: those
-- are typed again. It is private to the person, decides nothing, and is gone when it was sent.
CREATE TABLE request_draft (
    person_id  uuid NOT NULL REFERENCES person ON DELETE CASCADE,
    -- The address of the form: /catalog/postgres-database/request
    form       text NOT NULL CHECK (length(form) BETWEEN 1 AND 200),
    -- What the form is for, in words: Request Postgres database
    title      text NOT NULL CHECK (length(title) <= 300),
    -- The query of the link that the form was opened with.
    link       text NOT NULL DEFAULT '' CHECK (length(link) <= 8000),
    -- [[name, value], …]
    fields     jsonb NOT NULL CHECK (pg_column_size(fields) <= 262144),
    saved_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (person_id, form)
);

-- Without it the first error is looked for line by line.
CREATE INDEX log_line_stderr ON log_line (run_id, seq) WHERE stream = 'stderr';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'paddock_app') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON request_draft TO paddock_app;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END
$$;
