-- Roles that end by themselves, and who gave them.
ALTER TABLE role_binding
    ADD COLUMN expires_at timestamptz,
    -- Empty: by a sign-in, the demo or an operator.
    ADD COLUMN given_by text NOT NULL DEFAULT '';
CREATE INDEX role_binding_newest ON role_binding (created_at DESC, id DESC);
CREATE INDEX role_binding_expires ON role_binding (expires_at) WHERE expires_at IS NOT NULL;

-- The roles that count: from the second of its end on, one counts for nothing.
CREATE VIEW role_now AS
    SELECT id, role, person_id, team_id, project_id, source, created_at
    FROM role_binding WHERE expires_at IS NULL OR expires_at > now();

CREATE OR REPLACE VIEW held AS
    SELECT DISTINCT m.person_id, t.id AS team, t.slug, t.name, NULL::text AS role, NULL::uuid AS project
    FROM team_member m JOIN team t ON t.id = m.team_id
    UNION ALL
    SELECT b.person_id, NULL, NULL, NULL, b.role, b.project_id
    FROM role_now b WHERE b.person_id IS NOT NULL
    UNION ALL
    SELECT m.person_id, NULL, NULL, NULL, b.role, b.project_id
    FROM team_member m JOIN role_now b ON b.team_id = m.team_id;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'paddock_app') THEN
        GRANT SELECT ON role_now TO paddock_app;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END
$$;
