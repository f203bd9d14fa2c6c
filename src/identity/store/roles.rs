//! Role bindings, and what a person holds by them.

use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::people::PersonRow;
use crate::base::id::{PersonId, ProjectEnvironmentTypeId, ProjectId, RoleBindingId, TeamId};
use crate::db::Result;
use crate::identity::role::Role;
use crate::identity::{Holder, Member, Person, Source};

impl Holder {
    fn columns(self) -> (Option<PersonId>, Option<TeamId>) {
        match self {
            Self::Person(id) => (Some(id), None),
            Self::Team(id) => (None, Some(id)),
        }
    }
}

/// True when the holder did not have the role from this source before.
pub(in crate::identity) async fn insert(
    connection: &mut PgConnection,
    id: RoleBindingId,
    role: Role,
    holder: Holder,
    project: Option<ProjectId>,
    source: Source,
) -> Result<bool> {
    let (person, team) = holder.columns();
    let done = sqlx::query!(
        "INSERT INTO role_binding (id, role, person_id, team_id, project_id, source) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT DO NOTHING",
        id.0,
        role as Role,
        person.map(|id| id.0),
        team.map(|id| id.0),
        project.map(|id| id.0),
        source as Source,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// True when the holder had the role from this source.
pub(in crate::identity) async fn delete(
    connection: &mut PgConnection,
    role: Role,
    holder: Holder,
    project: Option<ProjectId>,
    source: Source,
) -> Result<bool> {
    let (person, team) = holder.columns();
    let done = sqlx::query!(
        "DELETE FROM role_binding WHERE role = $1 AND source = $2 AND project_id IS NOT DISTINCT FROM $3
             AND project_environment_type_id IS NULL AND person_id IS NOT DISTINCT FROM $4 AND team_id IS NOT DISTINCT FROM $5",
        role as Role,
        source as Source,
        project.map(|id| id.0),
        person.map(|id| id.0),
        team.map(|id| id.0),
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// One team of the person, or one role: either the first three are set, or the role with where it is held,
/// outermost first. It also comes as JSON, with a credential.
#[derive(Deserialize)]
pub(in crate::identity) struct HeldRow {
    pub team: Option<Uuid>,
    pub slug: Option<String>,
    pub name: Option<String>,
    pub role: Option<Role>,
    pub project: Option<Uuid>,
    pub place: Option<Uuid>,
    pub environment_type: Option<String>,
}

pub(in crate::identity) async fn held(connection: &mut PgConnection, person: PersonId) -> Result<Vec<HeldRow>> {
    let rows = sqlx::query_as!(
        HeldRow,
        r#"SELECT team, slug, name, role AS "role: _", project, place, environment_type FROM held WHERE person_id = $1"#,
        person.0
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

pub(in crate::identity) async fn people_with_role(
    connection: &mut PgConnection,
    (project, place): (ProjectId, ProjectEnvironmentTypeId),
    role: Role,
) -> Result<Vec<Person>> {
    let rows = sqlx::query_as!(
        PersonRow,
        r#"WITH holder AS (
               SELECT person_id, team_id FROM role_now
               WHERE role = $2 AND role_counts(project_id, project_environment_type_id, $1, $3)
           )
           SELECT id AS "id: _", login, display_name, email, active, demo, service, created_at
           FROM person
           WHERE active AND (
               id IN (SELECT person_id FROM holder)
               OR id IN (SELECT member.person_id FROM team_member member JOIN holder USING (team_id)))
           ORDER BY display_name, id"#,
        project.0,
        role as Role,
        place.0,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub(in crate::identity) async fn people_in_team(connection: &mut PgConnection, team: &str) -> Result<Vec<Person>> {
    let rows = sqlx::query_as!(
        PersonRow,
        r#"SELECT p.id AS "id: _", p.login, p.display_name, p.email, p.active, p.demo, p.service, p.created_at
           FROM team t JOIN team_member m ON m.team_id = t.id JOIN person p ON p.id = m.person_id
           WHERE t.slug = $1 AND p.active
           ORDER BY p.display_name, p.id"#,
        team
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub(in crate::identity) async fn members(connection: &mut PgConnection, project: ProjectId) -> Result<Vec<Member>> {
    Ok(sqlx::query_as!(
        Member,
        r#"SELECT p.id AS "person: _", p.login, p.display_name, b.role AS "role!: _", t.slug AS "team?",
               w.id AS "place?: _", y.slug AS "environment_type?"
           FROM role_now b
           LEFT JOIN team t ON t.id = b.team_id
           LEFT JOIN project_environment_type w ON w.id = b.project_environment_type_id
           LEFT JOIN environment_type y ON y.id = w.environment_type_id
           JOIN person p ON p.id = b.person_id
               OR p.id IN (SELECT m.person_id FROM team_member m WHERE m.team_id = b.team_id)
           WHERE b.project_id = $1 AND p.active
           GROUP BY p.id, b.role, t.slug, w.id, y.id
           ORDER BY p.display_name, p.id, b.role, t.slug, y.position, y.slug LIMIT 500"#,
        project.0
    )
    .fetch_all(connection)
    .await?)
}
