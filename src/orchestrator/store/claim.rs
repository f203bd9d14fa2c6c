//! Claim, heartbeat, release, end: every statement but the claim carries the fencing token.

use sqlx::PgConnection;

use super::runs::RunRow;
use crate::base::id::RunId;
use crate::db::Result;
use crate::orchestrator::{Ending, Run, RunState};

/// Claims at most `limit` runs of `kinds` and gives each a new attempt number and a lease.
pub async fn claim(
    connection: &mut PgConnection,
    worker: &str,
    kinds: &[String],
    lease_seconds: f64,
    limit: i64,
) -> Result<Vec<Run>> {
    let rows = sqlx::query_as!(
        RunRow,
        r#"WITH next AS (
               SELECT id FROM run AS candidate
               WHERE state = 'queued' AND kind = ANY ($1) AND run_at <= now()
                 AND NOT EXISTS (SELECT FROM run AS other
                                 WHERE other.subject_id = candidate.subject_id AND other.state = 'running')
               ORDER BY priority, run_at, id
               LIMIT $2
               FOR UPDATE SKIP LOCKED)
           UPDATE run SET state = 'running', attempt = attempt + 1, worker = $3,
               lease_until = now() + make_interval(secs => $4), started_at = coalesce(started_at, now()),
               error = NULL, error_step = NULL
           FROM next WHERE run.id = next.id
           RETURNING run.id AS "id: _", kind, subject_id, request_id AS "request_id: _",
               project_id AS "project_id: _", label, state AS "state: _", attempt, max_attempts, worker,
               cancel_requested, error, error_step, created_at, run_at, started_at, ended_at"#,
        kinds,
        limit,
        worker,
        lease_seconds,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Renews the lease. `None`: the run is not this attempt's any more; else whether to cancel.
pub async fn heartbeat(
    connection: &mut PgConnection,
    id: RunId,
    attempt: i32,
    lease_seconds: f64,
) -> Result<Option<bool>> {
    let cancel = sqlx::query_scalar!(
        "UPDATE run SET lease_until = now() + make_interval(secs => $3)
         WHERE id = $1 AND attempt = $2 AND state = 'running' RETURNING cancel_requested",
        id.0,
        attempt,
        lease_seconds,
    )
    .fetch_optional(connection)
    .await?;
    Ok(cancel)
}

/// Puts the run back into the queue, to be claimed after `delay_seconds`. False: not this attempt's.
pub async fn release(
    connection: &mut PgConnection,
    id: RunId,
    attempt: i32,
    delay_seconds: f64,
    error: Option<&str>,
    step: Option<&str>,
) -> Result<bool> {
    let result = sqlx::query!(
        "UPDATE run SET state = 'queued', lease_until = NULL, run_at = now() + make_interval(secs => $3),
             error = $4, error_step = $5
         WHERE id = $1 AND attempt = $2 AND state = 'running'",
        id.0,
        attempt,
        delay_seconds,
        error,
        step,
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Ends the run. False: not this attempt's, or it has ended.
pub async fn end(connection: &mut PgConnection, id: RunId, attempt: i32, ending: &Ending) -> Result<bool> {
    let result = sqlx::query!(
        "UPDATE run SET state = $3, lease_until = NULL, ended_at = now(), error = $4, error_step = $5
         WHERE id = $1 AND attempt = $2 AND state IN ('queued', 'running')",
        id.0,
        attempt,
        ending.state() as RunState,
        ending.error(),
        ending.step(),
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Locks at most `limit` runs whose lease has ended, skipping those that others work on.
pub async fn lock_expired(connection: &mut PgConnection, limit: i64) -> Result<Vec<Run>> {
    let rows = sqlx::query_as!(
        RunRow,
        r#"SELECT id AS "id: _", kind, subject_id, request_id AS "request_id: _", project_id AS "project_id: _",
               label, state AS "state: _", attempt, max_attempts, worker, cancel_requested, error, error_step,
               created_at, run_at, started_at, ended_at
           FROM run WHERE state = 'running' AND lease_until < now()
           ORDER BY lease_until LIMIT $1 FOR UPDATE SKIP LOCKED"#,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// True while this attempt holds the run: checked, with the row locked, before a fenced write.
pub async fn holds(connection: &mut PgConnection, id: RunId, attempt: i32) -> Result<bool> {
    let row = sqlx::query_scalar!(
        "SELECT 1 AS \"one!\" FROM run WHERE id = $1 AND attempt = $2 AND state = 'running' FOR SHARE",
        id.0,
        attempt
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

/// Says that a worker is there.
pub async fn worker_seen(connection: &mut PgConnection, name: &str, kinds: &[String], slots: i32) -> Result<()> {
    sqlx::query!(
        "INSERT INTO worker (name, kinds, slots) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET kinds = excluded.kinds, slots = excluded.slots, seen_at = now()",
        name,
        kinds,
        slots
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes a worker off the list.
pub async fn worker_gone(connection: &mut PgConnection, name: &str) -> Result<()> {
    sqlx::query!("DELETE FROM worker WHERE name = $1 OR seen_at < now() - interval '1 hour'", name)
        .execute(connection)
        .await?;
    Ok(())
}
