//! Rows of `worker`.

use serde_json::Value;
use sqlx::PgConnection;

use crate::db::Result;
use crate::orchestrator::WorkerState;
use crate::orchestrator::worker::Settings;

/// Says that a worker is there; returns whether a person told it to drain.
pub async fn seen(
    connection: &mut PgConnection,
    settings: &Settings,
    kinds: &[String],
    draining: bool,
) -> Result<bool> {
    let slots = i32::try_from(settings.slots).unwrap_or(i32::MAX);
    let limits: Value =
        settings.provider_limits.iter().map(|(name, limit)| (name.clone(), Value::from(*limit))).collect();
    Ok(sqlx::query_scalar!(
        "INSERT INTO worker (name, kinds, slots, labels, version, provider_limits, draining)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (name) DO UPDATE SET kinds = excluded.kinds, slots = excluded.slots, labels = excluded.labels,
             version = excluded.version, provider_limits = excluded.provider_limits,
             draining = excluded.draining OR worker.drain_requested, seen_at = now()
         RETURNING drain_requested",
        settings.name,
        kinds,
        slots,
        &settings.labels,
        settings.version,
        limits,
        draining
    )
    .fetch_one(connection)
    .await?)
}

/// Takes a worker off the list, and those that have long been silent.
pub async fn gone(connection: &mut PgConnection, name: &str) -> Result<()> {
    sqlx::query!("DELETE FROM worker WHERE name = $1 OR seen_at < now() - interval '1 hour'", name)
        .execute(connection)
        .await?;
    Ok(())
}

struct WorkerRow {
    name: String,
    version: String,
    labels: Vec<String>,
    kinds: Vec<String>,
    slots: i32,
    busy: i64,
    provider_limits: Value,
    draining: bool,
    drain_requested: bool,
    silent: bool,
    started_at: jiff_sqlx::Timestamp,
    seen_at: jiff_sqlx::Timestamp,
}

pub async fn list(connection: &mut PgConnection) -> Result<Vec<WorkerState>> {
    // A worker says that it is there every fifth of its lease; after twice the usual lease it is dead.
    let rows = sqlx::query_as!(
        WorkerRow,
        r#"SELECT name, version, labels, kinds, slots, provider_limits, draining OR drain_requested AS "draining!",
               drain_requested, started_at, seen_at, seen_at < now() - interval '30 seconds' AS "silent!",
               (SELECT count(*) FROM run WHERE run.worker = worker.name AND run.state = 'running') AS "busy!"
           FROM worker WHERE seen_at > now() - interval '1 hour'
           ORDER BY 11, name LIMIT 500"#
    )
    .fetch_all(connection)
    .await?;
    let state = |row: WorkerRow| WorkerState {
        name: row.name,
        version: row.version,
        labels: row.labels,
        kinds: row.kinds,
        slots: row.slots,
        busy: row.busy,
        provider_limits: row.provider_limits,
        draining: row.draining,
        drain_requested: row.drain_requested,
        silent: row.silent,
        started_at: row.started_at.to_jiff(),
        seen_at: row.seen_at.to_jiff(),
    };
    Ok(rows.into_iter().map(state).collect())
}

/// False: there is no such worker.
pub async fn request_drain(connection: &mut PgConnection, name: &str, drain: bool) -> Result<bool> {
    let result =
        sqlx::query!("UPDATE worker SET drain_requested = $2 WHERE name = $1", name, drain).execute(connection).await?;
    Ok(result.rows_affected() == 1)
}
