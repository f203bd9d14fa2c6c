//! Rows of `environment_drift`.

use serde_json::Value;
use sqlx::PgConnection;

use crate::base::id::{EnvironmentId, RunId};
use crate::db::{Error, Result};
use crate::environments::State;
use crate::environments::drift::{Accepted, Checked, DriftReport, DriftResult};
use crate::providers::Difference;

/// What is known of an environment; `None` while it was never ready.
pub async fn find(connection: &mut PgConnection, id: EnvironmentId) -> Result<Option<DriftReport>> {
    let row = sqlx::query!(
        r#"SELECT due_at AS "due_at: jiff_sqlx::Timestamp", checked_at AS "checked_at: jiff_sqlx::Timestamp",
               result AS "result: DriftResult", reason, run_id AS "run_id: RunId", differences,
               drifted_since AS "drifted_since: jiff_sqlx::Timestamp", accepted
           FROM environment_drift WHERE environment_id = $1"#,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let checked = row.checked_at.zip(row.result).map(|(at, result)| Checked {
        at: at.to_jiff(),
        result,
        reason: row.reason,
        run: row.run_id,
    });
    Ok(Some(DriftReport {
        due_at: row.due_at.map(jiff_sqlx::Timestamp::to_jiff),
        checked,
        differences: list(row.differences)?,
        since: row.drifted_since.map(jiff_sqlx::Timestamp::to_jiff),
        accepted: list(row.accepted)?,
    }))
}

fn list<T: serde::de::DeserializeOwned>(value: Value) -> Result<Vec<T>> {
    serde_json::from_value(value).map_err(|_| Error::Corrupt("drift"))
}

fn json<T: serde::Serialize>(values: &[T]) -> Result<Value> {
    serde_json::to_value(values).map_err(|_| Error::Corrupt("drift"))
}

/// A check could look: what it found, and what of that is accepted.
pub async fn looked(
    connection: &mut PgConnection,
    id: EnvironmentId,
    run: Option<RunId>,
    differences: &[Difference],
    accepted: &[Accepted],
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO environment_drift (environment_id, checked_at, result, run_id, differences, accepted, drifted_since)
         VALUES ($1, now(), 'looked', $2, $3, $4, CASE WHEN $3::jsonb <> '[]' THEN now() END)
         ON CONFLICT (environment_id) DO UPDATE SET checked_at = now(), result = 'looked', reason = NULL,
             run_id = excluded.run_id, differences = excluded.differences, accepted = excluded.accepted,
             drifted_since = CASE WHEN excluded.differences <> '[]'
                 THEN coalesce(environment_drift.drifted_since, now()) END",
        id.0,
        run.map(|run| run.0),
        json(differences)?,
        json(accepted)?
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A check could not look: what was known before stays.
pub async fn not_looked(
    connection: &mut PgConnection,
    id: EnvironmentId,
    run: RunId,
    result: DriftResult,
    reason: &str,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO environment_drift (environment_id, checked_at, result, reason, run_id)
         VALUES ($1, now(), $2, $3, $4)
         ON CONFLICT (environment_id) DO UPDATE SET checked_at = now(), result = excluded.result,
             reason = excluded.reason, run_id = excluded.run_id",
        id.0,
        result as DriftResult,
        reason,
        run.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// People accepted everything that was told.
pub async fn accept(connection: &mut PgConnection, id: EnvironmentId, accepted: &[Accepted]) -> Result<()> {
    sqlx::query!(
        "UPDATE environment_drift SET differences = '[]', drifted_since = NULL, accepted = $2 WHERE environment_id = $1",
        id.0,
        json(accepted)?
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A run has just left the environment as it is.
pub async fn begin_anew(connection: &mut PgConnection, id: EnvironmentId) -> Result<()> {
    sqlx::query!(
        "INSERT INTO environment_drift (environment_id) VALUES ($1)
         ON CONFLICT (environment_id) DO UPDATE SET due_at = NULL, checked_at = NULL, result = NULL, reason = NULL,
             run_id = NULL, differences = '[]', drifted_since = NULL, accepted = '[]'",
        id.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The environment is gone.
pub async fn remove(connection: &mut PgConnection, id: EnvironmentId) -> Result<()> {
    sqlx::query!("DELETE FROM environment_drift WHERE environment_id = $1", id.0).execute(connection).await?;
    Ok(())
}

/// Gives environments without one a moment within the coming period, spread evenly by their ids. Those
/// that have one of a longer period get another one.
pub async fn spread(connection: &mut PgConnection, period: f64) -> Result<()> {
    sqlx::query!(
        "UPDATE environment_drift SET due_at = now() + make_interval(secs => $1
             * (('x' || substr(md5(environment_id::text), 1, 8))::bit(32)::bigint / 4294967296.0)::float8)
         WHERE due_at IS NULL OR due_at > now() + make_interval(secs => $1)",
        period
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Environments at rest whose moment has come, by the database's clock.
pub async fn due(connection: &mut PgConnection, limit: i64) -> Result<Vec<EnvironmentId>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT e.id AS "id: EnvironmentId" FROM environment_drift d JOIN environment e ON e.id = d.environment_id
           WHERE d.due_at <= now() AND e.state IN ('ready', 'stopped') ORDER BY d.due_at LIMIT $1"#,
        limit
    )
    .fetch_all(connection)
    .await?)
}

/// Takes the moment of an environment, and gives it the one after `seconds`. False: somebody else has.
pub async fn take(connection: &mut PgConnection, id: EnvironmentId, seconds: f64) -> Result<bool> {
    let result = sqlx::query!(
        "UPDATE environment_drift SET due_at = CASE
             WHEN due_at + make_interval(secs => $2) > now() THEN due_at + make_interval(secs => $2)
             ELSE now() + make_interval(secs => $2) END
         WHERE environment_id = $1 AND due_at <= now()",
        id.0,
        seconds
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// State and generation, without waiting for anybody.
pub async fn place(connection: &mut PgConnection, id: EnvironmentId) -> Result<Option<(State, i64)>> {
    let row = sqlx::query!(r#"SELECT state AS "state: State", generation FROM environment WHERE id = $1"#, id.0)
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|row| (row.state, row.generation)))
}
