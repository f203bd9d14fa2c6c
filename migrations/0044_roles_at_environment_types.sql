-- Roles in one environment type of a project.
ALTER TABLE project_environment_type
    ADD CONSTRAINT project_environment_type_of_project UNIQUE (id, project_id);

ALTER TABLE role_binding
    -- Null: in the whole project, or on the platform.
    ADD COLUMN project_environment_type_id uuid,
    ADD CONSTRAINT role_binding_place_in_project CHECK (project_environment_type_id IS NULL OR project_id IS NOT NULL),
    ADD CONSTRAINT role_binding_place FOREIGN KEY (project_environment_type_id, project_id)
        REFERENCES project_environment_type (id, project_id) ON DELETE CASCADE,
    DROP CONSTRAINT role_binding_role_person_id_team_id_project_id_source_key,
    ADD CONSTRAINT role_binding_once
        UNIQUE NULLS NOT DISTINCT (role, person_id, team_id, project_id, project_environment_type_id, source);
CREATE INDEX ON role_binding (project_environment_type_id) WHERE project_environment_type_id IS NOT NULL;

-- Whether a role that is held here counts there. Held: on the platform (both null), in a project, or in one of its
-- environment types. There: an environment type of a project, or the project as a whole (the last one null), in
-- which a role of one environment type counts for nothing. All that reads roles asks this, as Access::roles_in
-- does outside of the database.
CREATE FUNCTION role_counts(held_project uuid, held_place uuid, project uuid, place uuid) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN held_project IS NULL
        OR (held_project = project AND (held_place IS NULL OR coalesce(held_place = place, false)));

CREATE OR REPLACE VIEW role_now AS
    SELECT id, role, person_id, team_id, project_id, source, created_at, project_environment_type_id
    FROM role_binding WHERE expires_at IS NULL OR expires_at > now();

-- The last two of a row are set for a role in one environment type: which it is, and its short name.
CREATE OR REPLACE VIEW held AS
    SELECT DISTINCT m.person_id, t.id AS team, t.slug, t.name, NULL::text AS role, NULL::uuid AS project,
        NULL::uuid AS place, NULL::text AS environment_type
    FROM team_member m JOIN team t ON t.id = m.team_id
    UNION ALL
    SELECT b.person_id, NULL, NULL, NULL, b.role, b.project_id, b.project_environment_type_id,
        (SELECT y.slug FROM project_environment_type w JOIN environment_type y ON y.id = w.environment_type_id
         WHERE w.id = b.project_environment_type_id)
    FROM role_now b WHERE b.person_id IS NOT NULL
    UNION ALL
    SELECT m.person_id, NULL, NULL, NULL, b.role, b.project_id, b.project_environment_type_id,
        (SELECT y.slug FROM project_environment_type w JOIN environment_type y ON y.id = w.environment_type_id
         WHERE w.id = b.project_environment_type_id)
    FROM team_member m JOIN role_now b ON b.team_id = m.team_id;

CREATE OR REPLACE VIEW stand_in AS
    SELECT g.requirement_id, g.request_id, g.role, g.team, d.id AS delegation_id, d.person_id, d.delegate_id
    FROM approval_group g
    JOIN request r ON r.id = g.request_id
    JOIN delegation_now d ON d.person_id IS DISTINCT FROM r.requester_id AND d.delegate_id IS DISTINCT FROM r.requester_id
    CROSS JOIN LATERAL (
        SELECT FROM held h
        WHERE h.person_id = d.person_id
          AND (h.slug = g.team
               OR (h.role = g.role AND role_counts(h.project, h.place, r.project_id, r.project_environment_type_id)))
        LIMIT 1) AS held;
