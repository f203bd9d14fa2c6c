-- Somebody decides for an approver who is absent.
CREATE TABLE delegation (
    id          uuid PRIMARY KEY,
    -- The absent one.
    person_id   uuid NOT NULL REFERENCES person,
    -- Who decides for them.
    delegate_id uuid NOT NULL REFERENCES person,
    starts_at   timestamptz NOT NULL,
    ends_at     timestamptz NOT NULL,
    note        text NOT NULL DEFAULT '' CHECK (length(note) <= 500),
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- When it was taken back.
    ended_at    timestamptz,
    CONSTRAINT delegation_to_another CHECK (person_id <> delegate_id),
    CONSTRAINT delegation_length CHECK (ends_at > starts_at AND ends_at - starts_at <= interval '90 days')
);
CREATE INDEX delegation_given ON delegation (person_id, ends_at DESC);
CREATE INDEX delegation_held ON delegation (delegate_id, ends_at DESC);

-- Those that hold: from the second of its end on, one counts for nothing.
CREATE VIEW delegation_now AS
    SELECT d.id, d.person_id, d.delegate_id
    FROM delegation d JOIN person absent ON absent.id = d.person_id JOIN person deputy ON deputy.id = d.delegate_id
    WHERE d.ended_at IS NULL AND d.starts_at <= now() AND d.ends_at > now() AND absent.active AND deputy.active;

-- For whose approval somebody else may give it, requirement by requirement: the absent one holds now what is
-- asked for, by themselves and not by a delegation, and neither of the two made the request.
CREATE VIEW stand_in AS
    SELECT g.requirement_id, g.request_id, g.role, g.team, d.id AS delegation_id, d.person_id, d.delegate_id
    FROM approval_group g
    JOIN request r ON r.id = g.request_id
    JOIN delegation_now d ON d.person_id IS DISTINCT FROM r.requester_id AND d.delegate_id IS DISTINCT FROM r.requester_id
    CROSS JOIN LATERAL (
        SELECT FROM held h
        WHERE h.person_id = d.person_id
          AND (h.slug = g.team OR (h.role = g.role AND (h.project IS NULL OR h.project = r.project_id)))
        LIMIT 1) AS held;

-- By which delegation it was given; none: in the reviewer's own name.
ALTER TABLE review ADD COLUMN delegation_id uuid REFERENCES delegation;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'paddock_app') THEN
        GRANT SELECT, INSERT, UPDATE ON delegation TO paddock_app;
        GRANT SELECT ON delegation_now, stand_in TO paddock_app;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END
$$;
