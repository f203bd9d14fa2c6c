//! Targets and their bindings.

use serde_json::Value;
use sqlx::PgConnection;

use crate::base::id::{ProjectEnvironmentTypeId, TargetId};
use crate::db::Result;
use crate::projects::{StoredTarget, TargetLimits};

/// Inserts the target or, when its slug is there, takes over settings and credential.
pub async fn ensure(connection: &mut PgConnection, target: &StoredTarget) -> Result<TargetId> {
    Ok(sqlx::query_scalar!(
        r#"INSERT INTO target (id, slug, name, provider, settings) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (slug) DO UPDATE SET settings = excluded.settings RETURNING id AS "id: _""#,
        target.id.0,
        target.slug,
        target.name,
        target.provider,
        target.settings
    )
    .fetch_one(connection)
    .await?)
}

pub async fn set_secret(connection: &mut PgConnection, id: TargetId, sealed: &[u8]) -> Result<()> {
    sqlx::query!("UPDATE target SET secret = $2 WHERE id = $1", id.0, sealed).execute(connection).await?;
    Ok(())
}

pub async fn bind(
    connection: &mut PgConnection,
    place: ProjectEnvironmentTypeId,
    provider: &str,
    target: TargetId,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO project_environment_type_target (project_environment_type_id, provider, target_id)
         VALUES ($1, $2, $3)
         ON CONFLICT (project_environment_type_id, provider) DO UPDATE SET target_id = excluded.target_id",
        place.0,
        provider,
        target.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

struct TargetRow {
    id: TargetId,
    slug: String,
    name: String,
    provider: String,
    settings: Value,
    secret: Option<Vec<u8>>,
}

impl From<TargetRow> for StoredTarget {
    fn from(row: TargetRow) -> Self {
        Self {
            id: row.id,
            slug: row.slug,
            name: row.name,
            provider: row.provider,
            settings: row.settings,
            secret: row.secret,
        }
    }
}

/// The target that a provider uses at a place.
pub async fn at(
    connection: &mut PgConnection,
    place: ProjectEnvironmentTypeId,
    provider: &str,
) -> Result<Option<StoredTarget>> {
    let row = sqlx::query_as!(
        TargetRow,
        r#"SELECT t.id AS "id: _", t.slug, t.name, t.provider, t.settings, t.secret
           FROM project_environment_type_target b JOIN target t ON t.id = b.target_id
           WHERE b.project_environment_type_id = $1 AND b.provider = $2"#,
        place.0,
        provider
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Into::into))
}

pub async fn find(connection: &mut PgConnection, id: TargetId) -> Result<Option<StoredTarget>> {
    let row = sqlx::query_as!(
        TargetRow,
        r#"SELECT id AS "id: _", slug, name, provider, settings, secret FROM target WHERE id = $1"#,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Into::into))
}

/// What holds the runs of one target or of all, by slug.
pub async fn limits(connection: &mut PgConnection, id: Option<TargetId>) -> Result<Vec<TargetLimits>> {
    Ok(sqlx::query_as!(
        TargetLimits,
        r#"SELECT id AS "id: _", slug, name, provider, run_limit, labels FROM target
           WHERE $1::uuid IS NULL OR id = $1 ORDER BY slug LIMIT 500"#,
        id.map(|id| id.0)
    )
    .fetch_all(connection)
    .await?)
}

pub async fn set_limits(
    connection: &mut PgConnection,
    id: TargetId,
    run_limit: Option<i32>,
    labels: &[String],
) -> Result<()> {
    sqlx::query!("UPDATE target SET run_limit = $2, labels = $3 WHERE id = $1", id.0, run_limit, labels)
        .execute(connection)
        .await?;
    Ok(())
}
