-- Approvals by teams, and others who may give one when nobody has in time.
ALTER TABLE approval_requirement
    ALTER COLUMN role DROP NOT NULL,
    -- The slug of the team whose members count; otherwise those with the role do.
    ADD COLUMN team text,
    ADD CONSTRAINT approval_requirement_whose CHECK (num_nonnulls(role, team) = 1);

-- Rungs of an escalation ladder: from `since` on, these people count as well.
CREATE TABLE approval_escalation (
    requirement_id uuid NOT NULL REFERENCES approval_requirement ON DELETE CASCADE,
    rung           smallint NOT NULL CHECK (rung BETWEEN 1 AND 5),
    -- How long the requirement has waited by then.
    after_seconds  bigint NOT NULL CHECK (after_seconds > 0),
    role           text CHECK (role IN ('developer', 'lead', 'admin', 'auditor')),
    team           text,
    -- When they are asked, while the requirement waits and they are not asked yet.
    due_at         timestamptz,
    since          timestamptz,
    PRIMARY KEY (requirement_id, rung),
    CHECK (num_nonnulls(role, team) = 1),
    CHECK (since IS NULL OR due_at IS NULL)
);
CREATE INDEX approval_escalation_due ON approval_escalation (due_at) WHERE due_at IS NOT NULL;

-- Whose approval counts for a requirement now.
CREATE VIEW approval_group AS
    SELECT id AS requirement_id, request_id, role, team FROM approval_requirement
    UNION ALL
    SELECT e.requirement_id, a.request_id, e.role, e.team
    FROM approval_escalation e JOIN approval_requirement a ON a.id = e.requirement_id
    WHERE e.since IS NOT NULL;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'paddock_app') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON approval_escalation TO paddock_app;
        GRANT SELECT ON approval_group TO paddock_app;
    END IF;
END
$$;
