//! Rows of `resource_timing`: what a run does to each resource, and how long that takes.

use jiff::Timestamp;
use sqlx::PgConnection;

use crate::base::id::{EnvironmentId, RunId};
use crate::db::Result;
use crate::providers::{Phase, Progress, Resource, Trace};

/// What a run did to one resource.
#[derive(Debug, Clone)]
pub struct ResourceTiming {
    /// The resource, as the provider names it.
    pub address: String,
    /// What was done to it, in the provider's word.
    pub action: String,
    /// Which attempt did it.
    pub attempt: i32,
    /// Whether it failed.
    pub failed: bool,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; none: still under way, or cut off.
    pub ended_at: Option<Timestamp>,
}

/// Records progress. False: the run is not this attempt's any more.
pub async fn record(connection: &mut PgConnection, run: RunId, attempt: i32, progress: &Progress) -> Result<bool> {
    let result = sqlx::query!(
        "INSERT INTO resource_timing (run_id, attempt, address, action, provider_id, failed, ended_at)
         SELECT $1, $2, $3, $4, $5, $6, CASE WHEN $7 THEN clock_timestamp() END
         WHERE EXISTS (SELECT FROM run WHERE id = $1 AND attempt = $2 AND state = 'running' FOR SHARE)
         ON CONFLICT (run_id, attempt, address, action) DO UPDATE SET
             provider_id = coalesce(excluded.provider_id, resource_timing.provider_id), failed = excluded.failed,
             started_at = CASE WHEN $7 THEN resource_timing.started_at ELSE excluded.started_at END,
             ended_at = excluded.ended_at",
        run.0,
        attempt,
        progress.address,
        progress.action,
        progress.provider_id,
        progress.phase == Phase::Failed,
        progress.phase != Phase::Begun
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// What runs of the environment have begun to make, or made, and no state accounts for: their last
/// word on each address was a creation. What a run did that succeeded is in its state.
pub async fn traces(connection: &mut PgConnection, environment: EnvironmentId) -> Result<Vec<Trace>> {
    let rows = sqlx::query!(
        r#"SELECT address, provider_id, made AS "made!", run_id AS "run: RunId", attempt FROM (
             SELECT DISTINCT ON (t.address) t.address, t.action, t.provider_id, t.ended_at IS NOT NULL AS made,
                 t.run_id, t.attempt
             FROM run r JOIN resource_timing t ON t.run_id = r.id
             WHERE r.subject_id = $1 AND r.state <> 'succeeded' AND NOT t.accounted AND NOT t.failed
                 AND t.action IN ('create', 'delete')
             ORDER BY t.address, t.started_at DESC, t.attempt DESC) AS last
         WHERE action = 'create' ORDER BY address"#,
        environment.0
    )
    .fetch_all(connection)
    .await?;
    let trace = |address, provider_id| Resource { r#type: String::new(), address, provider_id };
    Ok(rows
        .into_iter()
        .map(|row| Trace {
            resource: trace(row.address, row.provider_id),
            made: row.made,
            run: row.run,
            attempt: row.attempt,
        })
        .collect())
}

/// Everything that was told of the environment until now is accounted for.
pub async fn account(connection: &mut PgConnection, environment: EnvironmentId) -> Result<()> {
    sqlx::query!(
        "UPDATE resource_timing t SET accounted = true FROM run r
         WHERE r.subject_id = $1 AND t.run_id = r.id AND NOT t.accounted",
        environment.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

struct TimingRow {
    address: String,
    action: String,
    attempt: i32,
    failed: bool,
    started_at: jiff_sqlx::Timestamp,
    ended_at: Option<jiff_sqlx::Timestamp>,
}

/// What a run did, in the order in which it began.
pub async fn list(connection: &mut PgConnection, run: RunId) -> Result<Vec<ResourceTiming>> {
    let rows = sqlx::query_as!(
        TimingRow,
        "SELECT address, action, attempt, failed, started_at, ended_at FROM resource_timing
         WHERE run_id = $1 ORDER BY attempt, started_at, address",
        run.0
    )
    .fetch_all(connection)
    .await?;
    let timing = |row: TimingRow| ResourceTiming {
        address: row.address,
        action: row.action,
        attempt: row.attempt,
        failed: row.failed,
        started_at: row.started_at.to_jiff(),
        ended_at: row.ended_at.map(jiff_sqlx::Timestamp::to_jiff),
    };
    Ok(rows.into_iter().map(timing).collect())
}
