//! Rows of `state_version` and `state_lock`.

use jiff::Timestamp;
use serde_json::Value;
use sqlx::PgConnection;

use crate::base::id::{EnvironmentId, RunId};
use crate::db::Result;
use crate::providers::{StateLock, StateOrigin};

/// A version, still sealed.
pub struct Version {
    pub number: i32,
    pub origin: StateOrigin,
    pub serial: i64,
    pub run: Option<RunId>,
    pub attempt: Option<i32>,
    pub sealed: Vec<u8>,
    pub written_at: Timestamp,
}

struct VersionRow {
    version: i32,
    origin: StateOrigin,
    serial: i64,
    run_id: Option<RunId>,
    attempt: Option<i32>,
    sealed: Vec<u8>,
    written_at: jiff_sqlx::Timestamp,
}

impl From<VersionRow> for Version {
    fn from(row: VersionRow) -> Self {
        Self {
            number: row.version,
            origin: row.origin,
            serial: row.serial,
            run: row.run_id,
            attempt: row.attempt,
            sealed: row.sealed,
            written_at: row.written_at.to_jiff(),
        }
    }
}

/// The version that counts: strays do not.
pub async fn newest(connection: &mut PgConnection, id: EnvironmentId) -> Result<Option<Version>> {
    let row = sqlx::query_as!(
        VersionRow,
        r#"SELECT version, origin AS "origin: _", serial, run_id AS "run_id: _", attempt, sealed, written_at
           FROM state_version WHERE environment_id = $1 AND origin <> 'stray' ORDER BY version DESC LIMIT 1"#,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Into::into))
}

/// Versions before `before`, newest first, strays too.
pub async fn list(
    connection: &mut PgConnection,
    id: EnvironmentId,
    before: Option<i32>,
    limit: i64,
) -> Result<Vec<Version>> {
    let rows = sqlx::query_as!(
        VersionRow,
        r#"SELECT version, origin AS "origin: _", serial, run_id AS "run_id: _", attempt, sealed, written_at
           FROM state_version WHERE environment_id = $1 AND ($2::integer IS NULL OR version < $2)
           ORDER BY version DESC LIMIT $3"#,
        id.0,
        before,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The number that the next version gets.
pub async fn next_number(connection: &mut PgConnection, id: EnvironmentId) -> Result<i32> {
    Ok(sqlx::query_scalar!(
        r#"SELECT coalesce(max(version), 0) + 1 AS "number!" FROM state_version WHERE environment_id = $1"#,
        id.0
    )
    .fetch_one(connection)
    .await?)
}

/// What is known of a new version.
pub struct NewVersion<'a> {
    pub number: i32,
    pub origin: StateOrigin,
    pub lineage: &'a str,
    pub serial: i64,
    pub by: Option<(RunId, i32)>,
    pub sealed: &'a [u8],
}

pub async fn insert(connection: &mut PgConnection, id: EnvironmentId, new: &NewVersion<'_>) -> Result<()> {
    sqlx::query!(
        "INSERT INTO state_version (environment_id, version, origin, lineage, serial, run_id, attempt, sealed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        id.0,
        new.number,
        new.origin as StateOrigin,
        new.lineage,
        new.serial,
        new.by.map(|(run, _)| run.0),
        new.by.map(|(_, attempt)| attempt),
        new.sealed
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A lock and the attempt that took it.
pub struct Held {
    pub lock: StateLock,
    pub run: RunId,
    pub attempt: i32,
}

/// Who holds the lock; the row stays as it is until the transaction ends.
pub async fn held(connection: &mut PgConnection, id: EnvironmentId) -> Result<Option<Held>> {
    let row = sqlx::query!(
        r#"SELECT lock_id, info, run_id AS "run_id: RunId", attempt
           FROM state_lock WHERE environment_id = $1 FOR UPDATE"#,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Held {
        lock: StateLock { id: row.lock_id, info: row.info },
        run: row.run_id,
        attempt: row.attempt,
    }))
}

/// Takes the lock. False: somebody else was faster.
pub async fn take(
    connection: &mut PgConnection,
    id: EnvironmentId,
    lock: &StateLock,
    run: RunId,
    attempt: i32,
) -> Result<bool> {
    let result = sqlx::query!(
        "INSERT INTO state_lock (environment_id, lock_id, info, run_id, attempt) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
        id.0,
        lock.id,
        &lock.info as &Value,
        run.0,
        attempt
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

pub async fn free(connection: &mut PgConnection, id: EnvironmentId) -> Result<()> {
    sqlx::query!("DELETE FROM state_lock WHERE environment_id = $1", id.0).execute(connection).await?;
    Ok(())
}

/// Forgets all versions and the lock: the environment is deleted.
pub async fn forget(connection: &mut PgConnection, id: EnvironmentId) -> Result<()> {
    sqlx::query!("DELETE FROM state_version WHERE environment_id = $1", id.0).execute(&mut *connection).await?;
    free(connection, id).await
}
