//! Rows of `resource_timing`: what a run does to each resource, and how long that takes.

use jiff::Timestamp;
use sqlx::PgConnection;

use crate::base::id::RunId;
use crate::db::Result;
use crate::providers::{Phase, Progress, Resource};

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

/// What attempts before `attempt` have made: their last word on each address was a creation.
pub async fn made(connection: &mut PgConnection, run: RunId, attempt: i32) -> Result<Vec<Resource>> {
    let rows = sqlx::query!(
        "SELECT address, provider_id FROM (
             SELECT DISTINCT ON (address) address, action, provider_id FROM resource_timing
             WHERE run_id = $1 AND attempt < $2 AND ended_at IS NOT NULL AND NOT failed
             ORDER BY address, attempt DESC, ended_at DESC) AS last
         WHERE action = 'create' ORDER BY address",
        run.0,
        attempt
    )
    .fetch_all(connection)
    .await?;
    let resource = |address: String, provider_id| Resource { r#type: String::new(), address, provider_id };
    Ok(rows.into_iter().map(|row| resource(row.address, row.provider_id)).collect())
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
