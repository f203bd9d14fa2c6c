-- What people hold: each of their teams, and each of their roles, those through teams included.
-- Either the first three of a row are set, or the last two.
CREATE VIEW held AS
    SELECT DISTINCT m.person_id, t.id AS team, t.slug, t.name, NULL::text AS role, NULL::uuid AS project
    FROM team_member m JOIN team t ON t.id = m.team_id
    UNION ALL
    SELECT b.person_id, NULL, NULL, NULL, b.role, b.project_id
    FROM role_binding b WHERE b.person_id IS NOT NULL
    UNION ALL
    SELECT m.person_id, NULL, NULL, NULL, b.role, b.project_id
    FROM team_member m JOIN role_binding b ON b.team_id = m.team_id;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'paddock_app') THEN
        GRANT SELECT ON held TO paddock_app;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END
$$;
