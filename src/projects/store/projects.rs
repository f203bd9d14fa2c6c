//! Projects and environment types.

use jiff::SignedDuration;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::base::id::{EnvironmentTypeId, ProjectEnvironmentTypeId, ProjectId};
use crate::db::Result;
use crate::projects::{NewProjectEnvironmentType, Project, ProjectEnvironmentType};

pub async fn list(connection: &mut PgConnection, only: Option<&[ProjectId]>) -> Result<Vec<Project>> {
    let only: Option<Vec<Uuid>> = only.map(|ids| ids.iter().map(|id| id.0).collect());
    Ok(sqlx::query_as!(
        Project,
        r#"SELECT id AS "id: _", slug, name, summary FROM project
           WHERE $1::uuid[] IS NULL OR id = ANY ($1) ORDER BY name, id LIMIT 500"#,
        only.as_deref()
    )
    .fetch_all(connection)
    .await?)
}

pub async fn find(connection: &mut PgConnection, slug: &str) -> Result<Option<Project>> {
    Ok(sqlx::query_as!(Project, r#"SELECT id AS "id: _", slug, name, summary FROM project WHERE slug = $1"#, slug)
        .fetch_optional(connection)
        .await?)
}

pub async fn ensure(
    connection: &mut PgConnection,
    id: ProjectId,
    slug: &str,
    name: &str,
    summary: &str,
) -> Result<ProjectId> {
    Ok(sqlx::query_scalar!(
        r#"INSERT INTO project (id, slug, name, summary) VALUES ($1, $2, $3, $4)
           ON CONFLICT (slug) DO UPDATE SET slug = excluded.slug RETURNING id AS "id: _""#,
        id.0,
        slug,
        name,
        summary
    )
    .fetch_one(connection)
    .await?)
}

pub async fn ensure_environment_type(
    connection: &mut PgConnection,
    id: EnvironmentTypeId,
    slug: &str,
    name: &str,
    position: i32,
) -> Result<EnvironmentTypeId> {
    Ok(sqlx::query_scalar!(
        r#"INSERT INTO environment_type (id, slug, name, position) VALUES ($1, $2, $3, $4)
           ON CONFLICT (slug) DO UPDATE SET slug = excluded.slug RETURNING id AS "id: _""#,
        id.0,
        slug,
        name,
        position
    )
    .fetch_one(connection)
    .await?)
}

pub async fn ensure_project_environment_type(
    connection: &mut PgConnection,
    id: ProjectEnvironmentTypeId,
    new: &NewProjectEnvironmentType,
) -> Result<ProjectEnvironmentTypeId> {
    Ok(sqlx::query_scalar!(
        r#"INSERT INTO project_environment_type
               (id, project_id, environment_type_id, default_lifetime_seconds, maximum_lifetime_seconds)
           VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (project_id, environment_type_id) DO UPDATE SET project_id = excluded.project_id
           RETURNING id AS "id: _""#,
        id.0,
        new.project.0,
        new.environment_type.0,
        new.default_lifetime.as_secs(),
        new.maximum_lifetime.as_secs()
    )
    .fetch_one(connection)
    .await?)
}

struct PlaceRow {
    id: ProjectEnvironmentTypeId,
    project: ProjectId,
    environment_type: EnvironmentTypeId,
    slug: String,
    name: String,
    enabled: bool,
    default_lifetime_seconds: i64,
    maximum_lifetime_seconds: i64,
}

impl From<PlaceRow> for ProjectEnvironmentType {
    fn from(row: PlaceRow) -> Self {
        Self {
            id: row.id,
            project: row.project,
            environment_type: row.environment_type,
            slug: row.slug,
            name: row.name,
            enabled: row.enabled,
            default_lifetime: SignedDuration::from_secs(row.default_lifetime_seconds),
            maximum_lifetime: SignedDuration::from_secs(row.maximum_lifetime_seconds),
        }
    }
}

pub async fn environment_types(
    connection: &mut PgConnection,
    project: ProjectId,
) -> Result<Vec<ProjectEnvironmentType>> {
    let rows = sqlx::query_as!(
        PlaceRow,
        r#"SELECT p.id AS "id: _", p.project_id AS "project: _", p.environment_type_id AS "environment_type: _",
               t.slug, t.name, p.enabled, p.default_lifetime_seconds, p.maximum_lifetime_seconds
           FROM project_environment_type p JOIN environment_type t ON t.id = p.environment_type_id
           WHERE p.project_id = $1 ORDER BY t.position, t.slug"#,
        project.0
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Slug and name of every environment type of the platform, in its order.
pub async fn all_environment_types(connection: &mut PgConnection) -> Result<Vec<(String, String)>> {
    let rows = sqlx::query!("SELECT slug, name FROM environment_type ORDER BY position, slug").fetch_all(connection);
    Ok(rows.await?.into_iter().map(|row| (row.slug, row.name)).collect())
}

/// The environment types of several projects, by project in the platform's order.
pub async fn environment_types_of(
    connection: &mut PgConnection,
    projects: &[ProjectId],
) -> Result<Vec<ProjectEnvironmentType>> {
    let projects: Vec<Uuid> = projects.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        PlaceRow,
        r#"SELECT p.id AS "id: _", p.project_id AS "project: _", p.environment_type_id AS "environment_type: _",
               t.slug, t.name, p.enabled, p.default_lifetime_seconds, p.maximum_lifetime_seconds
           FROM project_environment_type p JOIN environment_type t ON t.id = p.environment_type_id
           WHERE p.project_id = ANY ($1) ORDER BY p.project_id, t.position, t.slug"#,
        &projects
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}
