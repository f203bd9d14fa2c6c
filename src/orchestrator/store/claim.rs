//! Claim, heartbeat, release, end: every statement but the claim carries the fencing token.
//!
//! Fenced writes ask for `lease_until IS NOT NULL`. By the table's CHECK it says the same as
//! `state = 'running'`; but with that the planner takes the index of running runs, where each run
//! that has ended lies dead until the vacuum, instead of the primary key.

use sqlx::PgConnection;

use super::circuits;
use super::log::{Columns, NewLine};
use super::runs::RunRow;
use super::steps::Finish;
use crate::base::id::RunId;
use crate::db::Result;
use crate::orchestrator::worker::Settings;
use crate::orchestrator::{AGEING, Ending, Run, RunState};

/// How the transaction of a claim begins, and of a record. To plan it would cost more than to execute
/// it, and no plan of it may read a whole table, whatever the statistics say.
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
/// claim is just taking, which matters the more the fewer pools there are. Behind a circuit that is
/// open nothing is taken, until one run may try. Among those that may, people come before automation,
/// which counts as people once it has waited for [`AGEING`]; then the project with the fewest runs at
/// work has its turn; then the oldest.
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
                   least(target.run_limit
                           - (SELECT coalesce(sum(runs), 0) FROM busy WHERE busy.target_id = pool.target_id),
                       CASE WHEN circuit.target_id IS NOT NULL AND circuit.opened > 0 THEN 1 END) AS target_free,
                   least(most.runs
                           - (SELECT coalesce(sum(runs), 0) FROM busy WHERE busy.provider = pool.provider),
                       CASE WHEN circuit.target_id IS NULL AND circuit.opened > 0 THEN 1 END) AS provider_free
               FROM pool
               LEFT JOIN circuit ON circuit.provider = pool.provider
                   AND circuit.target_id IS NOT DISTINCT FROM pool.target_id
               LEFT JOIN target ON target.id = pool.target_id
               LEFT JOIN unnest($5::text[], $6::bigint[]) AS most (provider, runs) ON most.provider = pool.provider
               WHERE (circuit.open_until IS NULL OR circuit.open_until <= now()) AND pool.kind = ANY ($1) AND pool.labels <@ $7::text[]
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
               SELECT run.id, run.provider, run.target_id FROM chosen JOIN run ON run.id = chosen.id WHERE run.state = 'queued' AND run.head
               ORDER BY chosen.rank, chosen.turn, chosen.run_at, chosen.id LIMIT $2::bigint FOR UPDATE OF run SKIP LOCKED),
           tried AS (
               UPDATE circuit SET trying = true, open_until = now() + make_interval(secs => $11)
               FROM next WHERE circuit.provider = next.provider AND circuit.target_id IS NOT DISTINCT FROM next.target_id
                   AND circuit.opened > 0)
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
        circuits::FIRST.as_secs_f64(),
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

/// The end of a run, with the end of its last step and the log lines that wait.
pub struct End {
    pub run: RunId,
    /// The run as the caller knows it.
    pub attempt: i32,
    pub state: RunState,
    pub ending: Ending,
    /// Where it ended, if the ending does not say.
    pub step: Option<String>,
    pub last: Option<Finish>,
    pub lines: Vec<NewLine>,
}

impl End {
    /// The end of a run that nobody executes.
    pub fn of(run: &Run, ending: Ending, step: Option<String>) -> Self {
        let (id, attempt, state) = (run.id, run.attempt, run.state);
        Self { run: id, attempt, state, ending, step, last: None, lines: Vec::new() }
    }
}

/// Ends runs; one that succeeded closes the circuit of its target. False for each that is not as the caller knows it, by attempt and state: somebody
/// else holds it, or it has ended.
pub async fn end(connection: &mut PgConnection, several: &[&End]) -> Result<Vec<bool>> {
    let lines = Columns::of(several.iter().map(|one| &one.lines[..]));
    let last = || several.iter().map(|one| one.last.as_ref());
    let runs: Vec<uuid::Uuid> = several.iter().map(|one| one.run.0).collect();
    let attempts: Vec<i32> = several.iter().map(|one| one.attempt).collect();
    let before: Vec<String> = several.iter().map(|one| one.state.as_str().to_owned()).collect();
    let after: Vec<String> = several.iter().map(|one| one.ending.state().as_str().to_owned()).collect();
    let errors: Vec<Option<&str>> = several.iter().map(|one| one.ending.error()).collect();
    let places: Vec<Option<&str>> = several.iter().map(|one| one.step.as_deref().or(one.ending.step())).collect();
    let names: Vec<Option<&str>> = last().map(|last| Some(last?.name.as_str())).collect();
    let statuses: Vec<Option<&str>> = last().map(|last| Some(last?.status.as_str())).collect();
    let checkpoints: Vec<Option<&[u8]>> = last().map(|last| last?.checkpoint.as_deref()).collect();
    let step_errors: Vec<Option<&str>> = last().map(|last| last?.error.as_deref()).collect();
    // A step that was begun and not finished is told as stopped: nobody is at it any more.
    let ended = sqlx::query_scalar!(
        r#"WITH one AS MATERIALIZED (
             SELECT * FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                 $8::text[], $9::bytea[], $10::text[], $11::bigint[]) WITH ORDINALITY
             AS one (run_id, attempt, was, becomes, error, place, name, status, checkpoint, step_error, lines, n)),
         ended AS (
             UPDATE run SET state = one.becomes, lease_until = NULL, ended_at = now(), error = one.error,
                 error_step = one.place, log_seq = log_seq + one.lines
             FROM one WHERE run.id = one.run_id AND run.attempt = one.attempt AND run.state = one.was
             RETURNING one.*, log_seq - one.lines AS before, run.provider, run.target_id),
         closed AS (
             DELETE FROM circuit USING ended WHERE ended.becomes = 'succeeded' AND circuit.provider = ended.provider
                 AND circuit.target_id IS NOT DISTINCT FROM ended.target_id),
         finished AS (
             UPDATE run_step AS s SET ended_at = clock_timestamp(),
                 status = CASE WHEN s.name = ended.name THEN ended.status ELSE 'canceled' END,
                 checkpoint = CASE WHEN s.name = ended.name THEN coalesce(ended.checkpoint, s.checkpoint)
                     ELSE s.checkpoint END,
                 error = CASE WHEN s.name = ended.name THEN ended.step_error ELSE s.error END
             FROM ended WHERE s.run_id = ended.run_id AND s.status = 'running'),
         written AS (
             INSERT INTO log_line (run_id, seq, attempt, step, stream, text)
             SELECT ended.run_id, ended.before + line.seq, ended.attempt, line.step, line.stream, line.text
             FROM unnest($12::bigint[], $13::bigint[], $14::text[], $15::text[], $16::text[])
                 AS line (n, seq, step, stream, text) JOIN ended ON ended.n = line.n)
         SELECT n AS "n!" FROM ended"#,
        &runs,
        &attempts,
        &before,
        &after,
        &errors as &[Option<&str>],
        &places as &[Option<&str>],
        &names as &[Option<&str>],
        &statuses as &[Option<&str>],
        &checkpoints as &[Option<&[u8]>],
        &step_errors as &[Option<&str>],
        &lines.counts,
        &lines.of,
        &lines.numbers,
        &lines.steps,
        &lines.streams,
        &lines.texts
    )
    .fetch_all(connection)
    .await?;
    Ok((1..).zip(several).map(|(n, _)| ended.contains(&n)).collect())
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
