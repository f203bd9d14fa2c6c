//! Targets and their bindings.

use std::collections::{BTreeMap, HashSet};

use jiff_sqlx::Timestamp;
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::base::id::{PersonId, ProjectEnvironmentTypeId, TargetId};
use crate::db::{Error, Result};
use crate::projects::{Binding, CheckReport, ConnectedTarget, StoredTarget, TargetLimits};
use crate::providers::{Finding, Verdict};

/// Inserts the target or, when its slug is there, takes over its settings.
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

/// Which of these places have a target of the provider.
pub async fn bound(
    connection: &mut PgConnection,
    places: &[ProjectEnvironmentTypeId],
    provider: &str,
) -> Result<HashSet<ProjectEnvironmentTypeId>> {
    let places: Vec<uuid::Uuid> = places.iter().map(|id| id.0).collect();
    let bound = sqlx::query_scalar!(
        r#"SELECT project_environment_type_id AS "id: ProjectEnvironmentTypeId" FROM project_environment_type_target
           WHERE project_environment_type_id = ANY ($1) AND provider = $2"#,
        &places,
        provider
    )
    .fetch_all(connection)
    .await?;
    Ok(bound.into_iter().collect())
}

/// Inserts the target with what holds its runs; its slug must be free.
pub async fn insert(
    connection: &mut PgConnection,
    target: &StoredTarget,
    run_limit: Option<i32>,
    labels: &[String],
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO target (id, slug, name, provider, settings, run_limit, labels) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        target.id.0,
        target.slug,
        target.name,
        target.provider,
        target.settings,
        run_limit,
        labels
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Remembers with which key a person connected the target, and the sealed digest of the draft.
pub async fn set_key(
    connection: &mut PgConnection,
    id: TargetId,
    person: PersonId,
    key: &str,
    digest: &[u8],
) -> Result<()> {
    sqlx::query!(
        "UPDATE target SET connected_by = $2, connect_key = $3, connect_digest = $4 WHERE id = $1",
        id.0,
        person.0,
        key,
        digest
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The target that this person connected with this key, and the sealed digest of its draft. Others with
/// the same person and key wait here until this transaction ends.
pub async fn with_key(
    connection: &mut PgConnection,
    person: PersonId,
    key: &str,
) -> Result<Option<(TargetId, Vec<u8>)>> {
    let lock = format!("target/{person}/{key}");
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", lock).execute(&mut *connection).await?;
    let row = sqlx::query!(
        r#"SELECT id AS "id: TargetId", connect_digest AS "digest!" FROM target
           WHERE connected_by = $1 AND connect_key = $2"#,
        person.0,
        key
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| (row.id, row.digest)))
}

/// Sets the credential; none that may follow is kept. Counts as a change.
pub async fn set_secret(connection: &mut PgConnection, id: TargetId, sealed: &[u8]) -> Result<()> {
    sqlx::query!(
        "UPDATE target SET secret = $2, secret_set_at = now(), next_secret = NULL, rotation_begun_at = NULL,
             generation = generation + 1, updated_at = now()
         WHERE id = $1",
        id.0,
        sealed
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Keeps the credential that is about to be set at the target, or forgets it. Counts as a change.
pub async fn set_next_secret(connection: &mut PgConnection, id: TargetId, sealed: Option<&[u8]>) -> Result<()> {
    sqlx::query!(
        "UPDATE target SET next_secret = $2, rotation_begun_at = CASE WHEN $2::bytea IS NOT NULL THEN now() END,
             generation = generation + 1, updated_at = now()
         WHERE id = $1",
        id.0,
        sealed
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn change(connection: &mut PgConnection, id: TargetId, name: &str, settings: &Value) -> Result<()> {
    sqlx::query!(
        "UPDATE target SET name = $2, settings = $3, generation = generation + 1, updated_at = now() WHERE id = $1",
        id.0,
        name,
        settings
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn set_check(connection: &mut PgConnection, id: TargetId, result: Verdict, report: &[Finding]) -> Result<()> {
    sqlx::query!(
        "UPDATE target SET checked_at = now(), check_result = $2, check_report = $3 WHERE id = $1",
        id.0,
        result.as_str(),
        Json(report) as _
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Ends the target: no credential, no binding, and its slug is free again.
pub async fn disconnect(connection: &mut PgConnection, id: TargetId) -> Result<()> {
    sqlx::query!("DELETE FROM project_environment_type_target WHERE target_id = $1", id.0)
        .execute(&mut *connection)
        .await?;
    sqlx::query!(
        "UPDATE target SET disconnected_at = now(), slug = slug || '~' || id::text, secret = NULL, next_secret = NULL,
             rotation_begun_at = NULL, connect_key = NULL, connect_digest = NULL, generation = generation + 1,
             updated_at = now()
         WHERE id = $1",
        id.0
    )
    .execute(connection)
    .await?;
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

/// `false`: it was not bound there.
pub async fn unbind(connection: &mut PgConnection, place: ProjectEnvironmentTypeId, target: TargetId) -> Result<bool> {
    let done = sqlx::query!(
        "DELETE FROM project_environment_type_target WHERE project_environment_type_id = $1 AND target_id = $2",
        place.0,
        target.0
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

struct TargetRow {
    id: TargetId,
    slug: String,
    name: String,
    provider: String,
    settings: Value,
    secret: Option<Vec<u8>>,
    next_secret: Option<Vec<u8>>,
    generation: i64,
}

impl From<TargetRow> for StoredTarget {
    fn from(row: TargetRow) -> Self {
        Self {
            id: row.id,
            slug: row.slug,
            name: row.name,
            provider: row.provider,
            settings: row.settings,
            generation: row.generation,
            secret: row.secret,
            next_secret: row.next_secret,
        }
    }
}

/// The target that a provider uses at a place. It cannot be disconnected before the transaction ends.
pub async fn at(
    connection: &mut PgConnection,
    place: ProjectEnvironmentTypeId,
    provider: &str,
) -> Result<Option<StoredTarget>> {
    let row = sqlx::query_as!(
        TargetRow,
        r#"SELECT t.id AS "id: _", t.slug, t.name, t.provider, t.settings, t.secret, t.next_secret, t.generation
           FROM project_environment_type_target b JOIN target t ON t.id = b.target_id
           WHERE b.project_environment_type_id = $1 AND b.provider = $2 AND t.disconnected_at IS NULL
           FOR KEY SHARE OF t"#,
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
        r#"SELECT id AS "id: _", slug, name, provider, settings, secret, next_secret, generation FROM target
           WHERE id = $1"#,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Into::into))
}

/// The target, held against every change and against new environments until the transaction ends.
pub async fn lock(connection: &mut PgConnection, id: TargetId) -> Result<Option<StoredTarget>> {
    let row = sqlx::query_as!(
        TargetRow,
        r#"SELECT id AS "id: _", slug, name, provider, settings, secret, next_secret, generation FROM target
           WHERE id = $1 AND disconnected_at IS NULL FOR UPDATE"#,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Into::into))
}

struct ConnectedRow {
    id: TargetId,
    slug: String,
    name: String,
    provider: String,
    settings: Value,
    run_limit: Option<i32>,
    labels: Vec<String>,
    generation: i64,
    has_credential: bool,
    credential_set_at: Option<Timestamp>,
    rotation_begun_at: Option<Timestamp>,
    created_at: Timestamp,
    checked_at: Option<Timestamp>,
    check_report: Option<Value>,
}

impl ConnectedRow {
    fn target(self, bindings: Vec<Binding>) -> Result<ConnectedTarget> {
        let check = match (self.checked_at, self.check_report) {
            (Some(at), Some(report)) => {
                let findings: Vec<Finding> =
                    serde_json::from_value(report).map_err(|_| Error::Corrupt("report of a target's check"))?;
                Some(CheckReport { at: at.to_jiff(), result: Finding::worst(&findings), findings })
            }
            _ => None,
        };
        Ok(ConnectedTarget {
            id: self.id,
            slug: self.slug,
            name: self.name,
            provider: self.provider,
            settings: self.settings,
            run_limit: self.run_limit,
            labels: self.labels,
            generation: self.generation,
            has_credential: self.has_credential,
            credential_set_at: self.credential_set_at.map(Timestamp::to_jiff),
            rotation_begun_at: self.rotation_begun_at.map(Timestamp::to_jiff),
            created_at: self.created_at.to_jiff(),
            bindings,
            check,
        })
    }
}

/// The connected target of this id or slug, or all, by slug. Two queries.
pub async fn connected(
    connection: &mut PgConnection,
    id: Option<TargetId>,
    slug: Option<&str>,
) -> Result<Vec<ConnectedTarget>> {
    let rows = sqlx::query_as!(
        ConnectedRow,
        r#"SELECT id AS "id: _", slug, name, provider, settings, run_limit, labels, generation,
               secret IS NOT NULL AS "has_credential!", secret_set_at AS "credential_set_at: _",
               rotation_begun_at AS "rotation_begun_at: _", created_at AS "created_at: _",
               checked_at AS "checked_at: _", check_report
           FROM target
           WHERE disconnected_at IS NULL AND ($1::uuid IS NULL OR id = $1) AND ($2::text IS NULL OR slug = $2)
           ORDER BY slug LIMIT 500"#,
        id.map(|id| id.0),
        slug
    )
    .fetch_all(&mut *connection)
    .await?;
    let ids: Vec<uuid::Uuid> = rows.iter().map(|row| row.id.0).collect();
    let found = sqlx::query!(
        r#"SELECT b.target_id AS "target: TargetId", b.project_environment_type_id AS "place: ProjectEnvironmentTypeId",
               p.slug AS project, e.slug AS environment_type
           FROM project_environment_type_target b
           JOIN project_environment_type pe ON pe.id = b.project_environment_type_id
           JOIN project p ON p.id = pe.project_id
           JOIN environment_type e ON e.id = pe.environment_type_id
           WHERE b.target_id = ANY($1) ORDER BY p.slug, e.position, e.slug"#,
        &ids
    )
    .fetch_all(connection)
    .await?;
    let mut bindings: BTreeMap<TargetId, Vec<Binding>> = BTreeMap::new();
    for row in found {
        let binding = Binding { place: row.place, project: row.project, environment_type: row.environment_type };
        bindings.entry(row.target).or_default().push(binding);
    }
    let own = |row: ConnectedRow| {
        let bindings = bindings.remove(&row.id).unwrap_or_default();
        row.target(bindings)
    };
    rows.into_iter().map(own).collect()
}

/// What holds the runs of a target.
pub async fn limits(connection: &mut PgConnection, id: TargetId) -> Result<Option<TargetLimits>> {
    Ok(sqlx::query_as!(
        TargetLimits,
        r#"SELECT id AS "id: _", slug, name, provider, run_limit, labels FROM target
           WHERE id = $1 AND disconnected_at IS NULL"#,
        id.0
    )
    .fetch_optional(connection)
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
