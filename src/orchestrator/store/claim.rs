//! Claim, heartbeat, release, end: every statement but the claim carries the fencing token.
//!
//! Fenced writes ask for `lease_until IS NOT NULL`. By the table's CHECK it says the same as
//! `state = 'running'`; but with that the planner takes the index of running runs, where each run
//! that has ended lies dead until the vacuum, instead of the primary key.

use sqlx::PgConnection;

use super::log::{Columns, NewLine};
use super::runs::RunRow;
use super::steps::Finish;
use crate::base::id::RunId;
use crate::db::Result;
use crate::orchestrator::worker::Settings;
use crate::orchestrator::{AGEING, Ending, Run, RunState, StepStatus};

/// How the transaction of a claim begins. To plan it would cost more than to execute it, and no plan
/// of it may read a whole table, whatever the statistics say.
pub const BEGIN: &str = "BEGIN; SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off";

/// Takes the locks of the limits that apply, without waiting: a limit is counted by one claim at a
/// time. Returns the targets and the providers whose lock another claim holds: theirs is the next turn.
pub async fn lock_limits(
    connection: &mut PgConnection,
    providers: &[String],
) -> Result<(Vec<uuid::Uuid>, Vec<String>)> {
    let busy_targets = sqlx::query_scalar!(
        "SELECT id FROM (SELECT id, pg_try_advisory_xact_lock(hashtextextended(id::text, 7302)) AS mine
                         FROM target WHERE run_limit IS NOT NULL) AS t WHERE NOT mine"
    )
    .fetch_all(&mut *connection)
    .await?;
    if providers.is_empty() {
        return Ok((busy_targets, Vec::new()));
    }
    let busy_providers = sqlx::query_scalar!(
        r#"SELECT name AS "name!" FROM (SELECT name, pg_try_advisory_xact_lock(hashtextextended(name, 7303)) AS mine
                             FROM unnest($1::text[]) AS name) AS p WHERE NOT mine"#,
        providers
    )
    .fetch_all(connection)
    .await?;
    Ok((busy_targets, busy_providers))
}

/// Claims at most `limit` runs of `kinds` and gives each a new attempt number and a lease.
///
/// Only heads of lanes are looked at, pool by pool: what decides whether a run may be claimed is
/// the same for a whole pool, so that a backlog behind a freeze, a limit or a label costs one look.
/// Of a pool no more than `limit` can be needed; a few more are looked at for those that another
/// claim is just taking, which matters the more the fewer pools there are. Among those that may, people come before automation, which counts as people once it has waited
/// for [`AGEING`]; then the project with the fewest runs at work has its turn; then the oldest.
#[expect(clippy::too_many_lines, reason = "one statement, so that nobody claims between its parts")]
pub async fn claim(
    connection: &mut PgConnection,
    settings: &Settings,
    kinds: &[String],
    busy: &(Vec<uuid::Uuid>, Vec<String>),
    limit: i64,
) -> Result<Vec<Run>> {
    let (providers, limits): (Vec<String>, Vec<i64>) =
        settings.provider_limits.iter().map(|(name, limit)| (name.clone(), i64::from(*limit))).unzip();
    let rows = sqlx::query_as!(
        RunRow,
        r#"WITH RECURSIVE pool AS (
               (SELECT pool, project_id, kind, priority, provider, target_id, place_id, labels FROM run
                WHERE state = 'queued' AND head ORDER BY pool LIMIT 1)
               UNION ALL
               SELECT next.* FROM pool AS last CROSS JOIN LATERAL (
                   SELECT pool, project_id, kind, priority, provider, target_id, place_id, labels FROM run
                   WHERE state = 'queued' AND head AND run.pool > last.pool ORDER BY run.pool LIMIT 1) AS next),
           busy AS MATERIALIZED (
               SELECT project_id, target_id, provider, count(*)::integer AS runs FROM run WHERE state = 'running'
               GROUP BY project_id, target_id, provider),
           opened AS MATERIALIZED (
               SELECT pool.*,
                   (SELECT coalesce(sum(runs), 0) FROM busy WHERE busy.project_id = pool.project_id) AS at_work,
                   target.run_limit
                       - (SELECT coalesce(sum(runs), 0) FROM busy WHERE busy.target_id = pool.target_id) AS target_free,
                   most.runs
                       - (SELECT coalesce(sum(runs), 0) FROM busy WHERE busy.provider = pool.provider) AS provider_free
               FROM pool
               LEFT JOIN target ON target.id = pool.target_id
               LEFT JOIN unnest($5::text[], $6::bigint[]) AS most (provider, runs) ON most.provider = pool.provider
               WHERE pool.kind = ANY ($1) AND pool.labels <@ $7::text[]
                 AND (pool.target_id IS NULL OR pool.target_id <> ALL ($8::uuid[])) AND pool.provider <> ALL ($9::text[])
                 AND NOT EXISTS (SELECT FROM worker AS w WHERE w.name = $3 AND w.drain_requested)
                 AND NOT EXISTS (SELECT FROM freeze_window AS f
                     WHERE f.lifted_at IS NULL AND f.starts_at <= now() AND (f.ends_at IS NULL OR f.ends_at > now())
                       AND (f.place_id IS NULL OR f.place_id = pool.place_id))),
           candidate AS (
               SELECT c.id, c.run_at, o.project_id, o.target_id, o.provider, o.target_free, o.provider_free, o.at_work,
                   CASE WHEN c.run_at < now() - make_interval(secs => $10) THEN least(o.priority, 100)
                        ELSE o.priority END AS rank
               FROM opened AS o CROSS JOIN LATERAL (
                   SELECT id, run_at FROM run
                   WHERE run.pool = o.pool AND state = 'queued' AND head AND run_at <= now()
                   ORDER BY run_at, id LIMIT $2::bigint + 2 * $2::bigint / (SELECT count(*) FROM opened)) AS c
               WHERE coalesce(o.target_free, 1) > 0 AND coalesce(o.provider_free, 1) > 0),
           turns AS (
               SELECT *, at_work + row_number() OVER (PARTITION BY project_id ORDER BY rank, run_at, id) AS turn
               FROM candidate),
           shares AS (
               SELECT *, row_number() OVER (PARTITION BY target_id ORDER BY rank, turn, run_at, id) AS of_target,
                   row_number() OVER (PARTITION BY provider ORDER BY rank, turn, run_at, id) AS of_provider
               FROM turns),
           chosen AS (
               SELECT id, rank, turn, run_at FROM shares
               WHERE of_target <= coalesce(target_free, of_target) AND of_provider <= coalesce(provider_free, of_provider)
               ORDER BY rank, turn, run_at, id LIMIT 8 * $2::bigint),
           next AS MATERIALIZED (
               SELECT run.id FROM chosen JOIN run ON run.id = chosen.id WHERE run.state = 'queued' AND run.head
               ORDER BY chosen.rank, chosen.turn, chosen.run_at, chosen.id LIMIT $2::bigint FOR UPDATE OF run SKIP LOCKED)
           UPDATE run SET state = 'running', attempt = attempt + 1, worker = $3,
               lease_until = now() + make_interval(secs => $4), started_at = coalesce(started_at, clock_timestamp()),
               error = NULL, error_step = NULL
           FROM next WHERE run.id = next.id
           RETURNING run.id AS "id: _", kind, subject_id, request_id AS "request_id: _",
               project_id AS "project_id: _", label, state AS "state: _", attempt, max_attempts, worker,
               cancel_requested, error, error_step, created_at, run_at, started_at, ended_at"#,
        kinds,
        limit,
        settings.name,
        settings.lease.as_secs_f64(),
        &providers,
        &limits,
        &settings.labels,
        &busy.0,
        &busy.1,
        AGEING.as_secs_f64(),
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
         WHERE id = $1 AND attempt = $2 AND lease_until IS NOT NULL RETURNING cancel_requested",
        id.0,
        attempt,
        lease_seconds,
    )
    .fetch_optional(connection)
    .await?;
    Ok(cancel)
}

/// Puts the run back into the queue, to be claimed after `delay_seconds`. An attempt that does not
/// count leaves as many as before. False: not this attempt's.
pub async fn release(
    connection: &mut PgConnection,
    id: RunId,
    attempt: i32,
    delay_seconds: f64,
    error: Option<&str>,
    step: Option<&str>,
    counts: bool,
) -> Result<bool> {
    let result = sqlx::query!(
        "UPDATE run SET state = 'queued', lease_until = NULL, run_at = now() + make_interval(secs => $3),
             error = $4, error_step = $5, max_attempts = max_attempts + CASE WHEN $6 THEN 0 ELSE 1 END
         WHERE id = $1 AND attempt = $2 AND lease_until IS NOT NULL",
        id.0,
        attempt,
        delay_seconds,
        error,
        step,
        counts,
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Ends the run, with the end of its last step and the log lines that wait. False: it is not as
/// the caller knows it, by attempt and state: somebody else holds it, or it has ended.
pub async fn end(
    connection: &mut PgConnection,
    run: &Run,
    ending: &Ending,
    step: Option<&str>,
    last: Option<&Finish>,
    lines: &[NewLine],
) -> Result<bool> {
    let lines = Columns::of(lines);
    // A step that was begun and not finished is told as stopped: nobody is at it any more.
    let ended = sqlx::query_scalar!(
        r#"WITH ended AS (
             UPDATE run SET state = $3, lease_until = NULL, ended_at = now(), error = $4, error_step = $5,
                 log_seq = log_seq + $10
             WHERE id = $1 AND attempt = $2 AND state = $14 RETURNING log_seq - $10 AS before),
         finished AS (
             UPDATE run_step SET ended_at = clock_timestamp(),
                 status = CASE WHEN name = $6 THEN $7 ELSE 'canceled' END,
                 checkpoint = CASE WHEN name = $6 THEN coalesce($8, checkpoint) ELSE checkpoint END,
                 error = CASE WHEN name = $6 THEN $9 ELSE error END
             FROM ended WHERE run_id = $1 AND status = 'running'),
         written AS (
             INSERT INTO log_line (run_id, seq, attempt, step, stream, text)
             SELECT $1, ended.before + line.n, $2, line.step, line.stream, line.text
             FROM ended, unnest($11::text[], $12::text[], $13::text[]) WITH ORDINALITY AS line (step, stream, text, n))
         SELECT count(*) AS "count!" FROM ended"#,
        run.id.0,
        run.attempt,
        ending.state() as RunState,
        ending.error(),
        step.or(ending.step()),
        last.map(|last| last.name.as_str()),
        last.map(|last| last.status) as Option<StepStatus>,
        last.and_then(|last| last.checkpoint.as_deref()),
        last.and_then(|last| last.error.as_deref()),
        lines.count,
        &lines.steps,
        &lines.streams,
        &lines.texts,
        run.state as RunState
    )
    .fetch_one(connection)
    .await?;
    Ok(ended == 1)
}

/// Locks a run whose lease has ended, passing over those that others work on. One that used up its
/// attempts only when its kind is among `kinds`: somebody who knows it must settle it.
pub async fn lock_expired(connection: &mut PgConnection, kinds: &[String]) -> Result<Option<Run>> {
    let row = sqlx::query_as!(
        RunRow,
        r#"SELECT id AS "id: _", kind, subject_id, request_id AS "request_id: _", project_id AS "project_id: _",
               label, state AS "state: _", attempt, max_attempts, worker, cancel_requested, error, error_step,
               created_at, run_at, started_at, ended_at
           FROM run WHERE state = 'running' AND lease_until < now() AND (attempt < max_attempts OR kind = ANY ($1))
           ORDER BY lease_until LIMIT 1 FOR UPDATE SKIP LOCKED"#,
        kinds
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Into::into))
}

/// True while this attempt holds the run: checked, with the row locked, before a fenced write.
pub async fn holds(connection: &mut PgConnection, id: RunId, attempt: i32) -> Result<bool> {
    let row = sqlx::query_scalar!(
        "SELECT 1 AS \"one!\" FROM run WHERE id = $1 AND attempt = $2 AND lease_until IS NOT NULL FOR SHARE",
        id.0,
        attempt
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}
