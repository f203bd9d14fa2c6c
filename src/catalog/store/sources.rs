//! Sources and what was wrong with them.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;

use crate::base::id::CatalogSourceId;
use crate::catalog::model::{CatalogSource, NewSource, Problem, Severity, SourceKind, SyncCounts, SyncState};
use crate::db::Result;

struct SourceRow {
    id: CatalogSourceId,
    slug: String,
    kind: SourceKind,
    location: String,
    branch: Option<String>,
    folder: String,
    sync_state: SyncState,
    sync_error: Option<String>,
    synced_at: Option<jiff_sqlx::Timestamp>,
    source_commit: Option<String>,
    added: i32,
    updated: i32,
    unchanged: i32,
    removed: i32,
}

impl From<SourceRow> for CatalogSource {
    fn from(row: SourceRow) -> Self {
        Self {
            id: row.id,
            slug: row.slug,
            kind: row.kind,
            location: row.location,
            branch: row.branch,
            folder: row.folder,
            sync_state: row.sync_state,
            sync_error: row.sync_error,
            synced_at: row.synced_at.map(jiff_sqlx::Timestamp::to_jiff),
            source_commit: row.source_commit,
            counts: SyncCounts {
                added: row.added,
                updated: row.updated,
                unchanged: row.unchanged,
                removed: row.removed,
            },
        }
    }
}

pub(in crate::catalog) async fn insert_source(
    connection: &mut PgConnection,
    id: CatalogSourceId,
    source: &NewSource,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO catalog_source (id, slug, kind, location, branch, folder) VALUES ($1, $2, $3, $4, $5, $6)",
        id.0,
        source.slug,
        source.kind as SourceKind,
        source.location,
        source.branch,
        source.folder
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(in crate::catalog) async fn list_sources(connection: &mut PgConnection) -> Result<Vec<CatalogSource>> {
    let rows = sqlx::query_as!(
        SourceRow,
        r#"SELECT id AS "id: _", slug, kind AS "kind: _", location, branch, folder, sync_state AS "sync_state: _",
               sync_error, synced_at, source_commit, added, updated, unchanged, removed
           FROM catalog_source ORDER BY created_at, id"#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub(in crate::catalog) async fn find_source(
    connection: &mut PgConnection,
    id: CatalogSourceId,
) -> Result<Option<CatalogSource>> {
    let row = sqlx::query_as!(
        SourceRow,
        r#"SELECT id AS "id: _", slug, kind AS "kind: _", location, branch, folder, sync_state AS "sync_state: _",
               sync_error, synced_at, source_commit, added, updated, unchanged, removed
           FROM catalog_source WHERE id = $1"#,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Into::into))
}

/// Locks the catalog for one sync until the transaction ends: slugs are unique across sources.
/// False when the source is gone.
pub(in crate::catalog) async fn lock_source(connection: &mut PgConnection, id: CatalogSourceId) -> Result<bool> {
    // The key is “pcat” in ASCII; nothing else in this database takes it.
    sqlx::query!("SELECT pg_advisory_xact_lock(1885565300)").execute(&mut *connection).await?;
    let row =
        sqlx::query_scalar!(r#"SELECT id AS "id: CatalogSourceId" FROM catalog_source WHERE id = $1 FOR UPDATE"#, id.0)
            .fetch_optional(connection)
            .await?;
    Ok(row.is_some())
}

pub(in crate::catalog) async fn finish_sync(
    connection: &mut PgConnection,
    id: CatalogSourceId,
    counts: SyncCounts,
    commit: Option<&str>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE catalog_source SET sync_state = 'succeeded', sync_error = NULL, synced_at = now(), source_commit = $2,
             added = $3, updated = $4, unchanged = $5, removed = $6
         WHERE id = $1",
        id.0,
        commit,
        counts.added,
        counts.updated,
        counts.unchanged,
        counts.removed
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(in crate::catalog) async fn fail_sync(
    connection: &mut PgConnection,
    id: CatalogSourceId,
    reason: &str,
) -> Result<()> {
    sqlx::query!(
        "UPDATE catalog_source SET sync_state = 'failed', sync_error = $2, synced_at = now() WHERE id = $1",
        id.0,
        reason
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(in crate::catalog) async fn replace_problems(
    connection: &mut PgConnection,
    source: CatalogSourceId,
    problems: &[Problem],
) -> Result<()> {
    sqlx::query!("DELETE FROM catalog_problem WHERE source_id = $1", source.0).execute(&mut *connection).await?;
    let number = |value: Option<u32>| value.and_then(|value| i32::try_from(value).ok());
    for (position, problem) in (0_i32..).zip(problems) {
        sqlx::query!(
            "INSERT INTO catalog_problem (source_id, position, path, line, col, key, message, severity)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            source.0,
            position,
            storable(&problem.path),
            number(problem.line),
            number(problem.col),
            problem.key.as_deref().map(storable),
            storable(&problem.message),
            problem.severity as Severity
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Text as Postgres takes it: it repeats what a stranger wrote, NUL characters perhaps.
fn storable(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(2_000).collect()
}

pub(in crate::catalog) async fn problems(
    connection: &mut PgConnection,
    source: CatalogSourceId,
) -> Result<Vec<Problem>> {
    let rows = sqlx::query!(
        r#"SELECT path, line, col, key, message, severity AS "severity: Severity"
           FROM catalog_problem WHERE source_id = $1 ORDER BY severity, position"#,
        source.0
    )
    .fetch_all(connection)
    .await?;
    let number = |value: Option<i32>| value.and_then(|value| u32::try_from(value).ok());
    Ok(rows
        .into_iter()
        .map(|row| Problem {
            path: row.path,
            line: number(row.line),
            col: number(row.col),
            key: row.key,
            message: row.message,
            severity: row.severity,
        })
        .collect())
}

/// The ids of sources that were not synced since `before`.
pub(in crate::catalog) async fn due_sources(
    connection: &mut PgConnection,
    before: Timestamp,
) -> Result<Vec<CatalogSourceId>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: CatalogSourceId" FROM catalog_source
           WHERE synced_at IS NULL OR synced_at < $1 ORDER BY synced_at NULLS FIRST"#,
        before.to_sqlx() as jiff_sqlx::Timestamp
    )
    .fetch_all(connection)
    .await?)
}
