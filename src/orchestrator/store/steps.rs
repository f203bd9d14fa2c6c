//! Rows of `run_step`: intent before the call, checkpoint after it.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use crate::base::id::RunId;
use crate::db::Result;
use crate::orchestrator::{RunStep, StepStatus};

/// Lays out the steps of a run; those that are there stay.
pub async fn lay_out(connection: &mut PgConnection, run: RunId, names: &[&str]) -> Result<()> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    sqlx::query!(
        "INSERT INTO run_step (run_id, position, name, status)
         SELECT $1, ordinality::integer, name, 'pending' FROM unnest($2::text[]) WITH ORDINALITY AS s (name, ordinality)
         ON CONFLICT DO NOTHING",
        run.0,
        &names
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Records the intent to execute a step. False: the run is not this attempt's any more.
pub async fn begin(connection: &mut PgConnection, run: RunId, attempt: i32, name: &str) -> Result<bool> {
    let result = sqlx::query!(
        "UPDATE run_step SET status = 'running', attempt = $2, error = NULL, ended_at = NULL,
             started_at = clock_timestamp()
         WHERE run_id = $1 AND name = $3
           AND EXISTS (SELECT FROM run WHERE id = $1 AND attempt = $2 AND state = 'running' FOR SHARE)",
        run.0,
        attempt,
        name
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Records how a step ended, with its checkpoint. False: the run is not this attempt's any more.
pub async fn finish(
    connection: &mut PgConnection,
    run: RunId,
    attempt: i32,
    name: &str,
    status: StepStatus,
    checkpoint: Option<&[u8]>,
    error: Option<&str>,
) -> Result<bool> {
    let result = sqlx::query!(
        "UPDATE run_step SET status = $4, checkpoint = coalesce($5, checkpoint), error = $6,
             ended_at = clock_timestamp()
         WHERE run_id = $1 AND name = $3 AND attempt = $2
           AND EXISTS (SELECT FROM run WHERE id = $1 AND attempt = $2 AND state = 'running' FOR SHARE)",
        run.0,
        attempt,
        name,
        status as StepStatus,
        checkpoint,
        error
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

struct StepRow {
    name: String,
    status: StepStatus,
    attempt: i32,
    error: Option<String>,
    started_at: Option<jiff_sqlx::Timestamp>,
    ended_at: Option<jiff_sqlx::Timestamp>,
}

pub async fn list(connection: &mut PgConnection, run: RunId) -> Result<Vec<RunStep>> {
    let rows = sqlx::query_as!(
        StepRow,
        r#"SELECT name, status AS "status: _", attempt, error, started_at, ended_at
           FROM run_step WHERE run_id = $1 ORDER BY position"#,
        run.0
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| RunStep {
            name: row.name,
            status: row.status,
            attempt: row.attempt,
            error: row.error,
            started_at: row.started_at.map(jiff_sqlx::Timestamp::to_jiff),
            ended_at: row.ended_at.map(jiff_sqlx::Timestamp::to_jiff),
        })
        .collect())
}

/// The checkpoints of the steps that succeeded.
pub async fn checkpoints(connection: &mut PgConnection, run: RunId) -> Result<BTreeMap<String, Vec<u8>>> {
    let rows = sqlx::query!("SELECT name, checkpoint FROM run_step WHERE run_id = $1 AND status = 'succeeded'", run.0)
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.checkpoint.unwrap_or_default())).collect())
}

/// The checkpoint of one step, if it succeeded.
pub async fn checkpoint(connection: &mut PgConnection, run: RunId, name: &str) -> Result<Option<Vec<u8>>> {
    let row = sqlx::query!(
        "SELECT checkpoint FROM run_step WHERE run_id = $1 AND name = $2 AND status = 'succeeded'",
        run.0,
        name
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.and_then(|row| row.checkpoint))
}
