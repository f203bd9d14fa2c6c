//! What the queue is explained with.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::base::id::{ProjectId, RunId};
use crate::db::Result;

/// A run that waits, with what decides when it may start.
pub struct WaitingRow {
    pub id: RunId,
    pub kind: String,
    pub subject_id: Uuid,
    pub project_id: ProjectId,
    pub project: Option<String>,
    pub label: String,
    pub priority: i32,
    pub created_at: jiff_sqlx::Timestamp,
    pub run_at: jiff_sqlx::Timestamp,
    pub later: bool,
    pub due_seconds: f64,
    pub provider: String,
    pub target_id: Option<Uuid>,
    pub place_id: Option<Uuid>,
    pub labels: Vec<String>,
}

/// The first runs of the queue: heads by their turn, then those behind them.
pub async fn waiting(connection: &mut PgConnection, limit: i64) -> Result<Vec<WaitingRow>> {
    Ok(sqlx::query_as!(
        WaitingRow,
        r#"SELECT r.id AS "id: _", r.kind, r.subject_id, r.project_id AS "project_id: _", p.slug AS "project?", r.label,
               r.priority, r.created_at, r.run_at, r.run_at > now() AS "later!", extract(epoch FROM now() - r.run_at)::float8 AS "due_seconds!",
               r.provider, r.target_id, r.place_id, r.labels
           FROM run AS r LEFT JOIN project AS p ON p.id = r.project_id
           WHERE r.state = 'queued' ORDER BY r.head DESC, r.priority, r.run_at, r.created_at, r.id LIMIT $1"#,
        limit
    )
    .fetch_all(connection)
    .await?)
}

/// How many wait.
pub async fn total(connection: &mut PgConnection) -> Result<i64> {
    Ok(sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM run WHERE state = 'queued'"#)
        .fetch_one(connection)
        .await?)
}

/// A run at work.
pub struct RunningRow {
    pub id: RunId,
    pub kind: String,
    pub label: String,
    pub subject_id: Uuid,
    pub project_id: ProjectId,
    pub worker: Option<String>,
    pub seconds: f64,
    pub provider: String,
    pub target_id: Option<Uuid>,
}

/// The runs at work.
pub async fn running(connection: &mut PgConnection) -> Result<Vec<RunningRow>> {
    Ok(sqlx::query_as!(
        RunningRow,
        r#"SELECT id AS "id: _", kind, label, subject_id, project_id AS "project_id: _", worker,
               extract(epoch FROM now() - coalesce(started_at, now()))::float8 AS "seconds!", provider, target_id
           FROM run WHERE state = 'running'"#
    )
    .fetch_all(connection)
    .await?)
}

/// How many runs may be at work: of a target (with its slug), of a provider.
pub struct Limits {
    pub targets: BTreeMap<Uuid, (String, i64)>,
    pub providers: BTreeMap<String, i64>,
}

/// The limits of targets, and the strictest that a live worker keeps for a provider.
pub async fn limits(connection: &mut PgConnection) -> Result<Limits> {
    let targets = sqlx::query!(r#"SELECT id, slug, run_limit AS "most!" FROM target WHERE run_limit IS NOT NULL"#)
        .fetch_all(&mut *connection)
        .await?;
    let providers = sqlx::query!(
        r#"SELECT l.key AS "provider!", min(l.value::text::bigint) AS "most!" FROM worker, jsonb_each(provider_limits) AS l
           WHERE seen_at > now() - interval '30 seconds' GROUP BY l.key"#
    )
    .fetch_all(connection)
    .await?;
    Ok(Limits {
        targets: targets.into_iter().map(|row| (row.id, (row.slug, i64::from(row.most)))).collect(),
        providers: providers.into_iter().map(|row| (row.provider, row.most)).collect(),
    })
}

/// How long runs of these kinds usually take: the middle of the last twenty that succeeded, and
/// nothing for a kind of which there are fewer than three.
pub async fn usual(connection: &mut PgConnection, kinds: &[String]) -> Result<BTreeMap<String, Duration>> {
    let rows = sqlx::query!(
        r#"SELECT k.kind AS "kind!", last.seconds AS "seconds!"
           FROM (SELECT DISTINCT kind FROM unnest($1::text[]) AS kind) AS k
           CROSS JOIN LATERAL (
               SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - started_at)::float8) AS seconds
               FROM (SELECT ended_at, started_at FROM run WHERE run.kind = k.kind AND state = 'succeeded'
                     ORDER BY ended_at DESC LIMIT 20) AS r
               HAVING count(*) >= 3) AS last"#,
        kinds
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.kind, Duration::from_secs_f64(row.seconds.max(0.0)))).collect())
}

/// How many runs are at work on each target.
pub async fn at_work(connection: &mut PgConnection) -> Result<BTreeMap<Uuid, i64>> {
    let rows = sqlx::query!(
        r#"SELECT target_id AS "target!", count(*) AS "count!" FROM run
           WHERE state = 'running' AND target_id IS NOT NULL GROUP BY target_id"#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.target, row.count)).collect())
}
