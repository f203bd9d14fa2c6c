//! Rows of `run_step`: intent before the call, checkpoint after it.

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlx::PgConnection;

use super::log::{Columns, NewLine};
use crate::base::id::RunId;
use crate::db::Result;
use crate::orchestrator::{Run, RunStep, StepStatus};

/// How a step ended.
#[derive(Debug)]
pub struct Finish {
    pub name: String,
    pub status: StepStatus,
    pub checkpoint: Option<Vec<u8>>,
    pub error: Option<String>,
}

/// Lays out the steps of runs, by name: those that are there stay, those that the version which
/// laid them out did not know get their place. The first step of a first attempt is begun at once.
pub async fn lay_out<'a>(
    connection: &mut PgConnection,
    runs: impl Iterator<Item = (&'a Run, &'static [&'static str])>,
) -> Result<()> {
    let (mut ids, mut positions, mut names, mut begun) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (run, steps) in runs {
        for (position, &name) in (1_i32..).zip(steps) {
            ids.push(run.id.0);
            positions.push(position);
            names.push(name.to_owned());
            begun.push(position == 1 && run.attempt == 1);
        }
    }
    sqlx::query!(
        "INSERT INTO run_step (run_id, position, name, status, attempt, started_at)
         SELECT run_id, position, name, CASE WHEN begun THEN 'running' ELSE 'pending' END,
             CASE WHEN begun THEN 1 ELSE 0 END, CASE WHEN begun THEN clock_timestamp() END
         FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::boolean[]) AS s (run_id, position, name, begun)
         ON CONFLICT (run_id, name) DO UPDATE SET position = excluded.position
             WHERE run_step.position <> excluded.position",
        &ids,
        &positions,
        &names,
        &begun
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Records the intent to execute a step. `None`: the run is not this attempt's any more; else
/// whether an earlier attempt began it, so that it may have had its effect.
pub async fn begin(connection: &mut PgConnection, run: RunId, attempt: i32, name: &str) -> Result<Option<bool>> {
    Ok(sqlx::query_scalar!(
        r#"WITH before AS (SELECT attempt > 0 AS begun FROM run_step WHERE run_id = $1 AND name = $3)
         UPDATE run_step SET status = 'running', attempt = $2, error = NULL, ended_at = NULL,
             started_at = clock_timestamp()
         FROM before
         WHERE run_id = $1 AND name = $3
           AND EXISTS (SELECT FROM run WHERE id = $1 AND attempt = $2 AND lease_until IS NOT NULL FOR SHARE)
         RETURNING before.begun AS "begun!""#,
        run.0,
        attempt,
        name
    )
    .fetch_optional(connection)
    .await?)
}

/// The end of a step with what follows: its checkpoint, the log lines that wait, and the intent to
/// execute the next one.
#[derive(Debug)]
pub struct Advance {
    pub run: RunId,
    pub attempt: i32,
    pub finish: Finish,
    pub lines: Vec<NewLine>,
    pub next: Option<&'static str>,
}

/// Records it in one statement. `None`: the run is not this attempt's any more; else whether
/// an earlier attempt began that next one.
pub async fn advance(connection: &mut PgConnection, one: &Advance) -> Result<Option<bool>> {
    let Advance { run, attempt, finish, lines, next } = one;
    let lines = Columns::of(lines);
    let before = sqlx::query_scalar!(
        r#"WITH held AS (
             UPDATE run SET log_seq = log_seq + $8 WHERE id = $1 AND attempt = $2 AND lease_until IS NOT NULL
             RETURNING log_seq - $8 AS before),
         finished AS (
             UPDATE run_step SET status = $4, checkpoint = coalesce($5, checkpoint), error = $6,
                 ended_at = clock_timestamp()
             FROM held WHERE run_id = $1 AND name = $3 AND attempt = $2),
         begun AS (
             UPDATE run_step SET status = 'running', attempt = $2, error = NULL, ended_at = NULL,
                 started_at = clock_timestamp()
             FROM held WHERE run_id = $1 AND name = $7),
         written AS (
             INSERT INTO log_line (run_id, seq, attempt, step, stream, text)
             SELECT $1, held.before + line.n, $2, line.step, line.stream, line.text
             FROM held, unnest($9::text[], $10::text[], $11::text[]) WITH ORDINALITY AS line (step, stream, text, n))
         SELECT EXISTS (SELECT FROM run_step WHERE run_id = $1 AND name = $7 AND attempt > 0) AS "begun!" FROM held"#,
        run.0,
        attempt,
        finish.name,
        finish.status as StepStatus,
        finish.checkpoint,
        finish.error,
        *next,
        lines.count,
        &lines.steps,
        &lines.streams,
        &lines.texts
    )
    .fetch_optional(connection)
    .await?;
    Ok(before)
}

/// How the transaction of [`advance_many`] begins. It knows each row by its key, and statistics of
/// tables that just grow must not make it read them whole.
pub const BEGIN_MANY: &str = "BEGIN; SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off;
     SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";

/// [`advance`] of many runs in one statement, each under its own token. In their order: `None` for a
/// run that is not its attempt's any more, or that somebody else has locked: it waits for nobody.
pub async fn advance_many(connection: &mut PgConnection, many: &[Arc<Advance>]) -> Result<Vec<Option<bool>>> {
    let (mut numbers, mut places, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    for (number, one) in (1_i64..).zip(many) {
        for (place, line) in (1_i64..).zip(&one.lines) {
            numbers.push(number);
            places.push(place);
            lines.push(line.clone());
        }
    }
    let lines = Columns::of(&lines);
    let rows = sqlx::query!(
        r#"WITH letter AS (
             SELECT * FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::text[],
                 $8::bigint[]) WITH ORDINALITY AS l (run, token, step, ended, made, wrong, next, lines, n)),
         free AS MATERIALIZED (
             SELECT letter.* FROM letter JOIN run ON run.id = letter.run
             WHERE run.attempt = letter.token AND run.lease_until IS NOT NULL FOR NO KEY UPDATE OF run SKIP LOCKED),
         held AS (
             UPDATE run SET log_seq = log_seq + free.lines FROM free
             WHERE run.id = free.run AND run.attempt = free.token AND run.lease_until IS NOT NULL
             RETURNING free.*, log_seq - free.lines AS before),
         finished AS (
             UPDATE run_step SET status = held.ended, checkpoint = coalesce(held.made, checkpoint), error = held.wrong,
                 ended_at = clock_timestamp()
             FROM held WHERE run_id = held.run AND name = held.step AND attempt = held.token),
         begun AS (
             UPDATE run_step SET status = 'running', attempt = held.token, error = NULL, ended_at = NULL,
                 started_at = clock_timestamp()
             FROM held WHERE run_id = held.run AND name = held.next),
         written AS (
             INSERT INTO log_line (run_id, seq, attempt, step, stream, text)
             SELECT held.run, held.before + line.place, held.token, line.step, line.stream, line.text
             FROM held JOIN unnest($9::bigint[], $10::bigint[], $11::text[], $12::text[], $13::text[])
                 AS line (letter, place, step, stream, text) ON line.letter = held.n)
         SELECT n AS "n!", EXISTS (
             SELECT FROM run_step WHERE run_id = held.run AND name = held.next AND attempt > 0) AS "begun!" FROM held"#,
        &column(many, |one| one.run.0),
        &column(many, |one| one.attempt),
        &column(many, |one| one.finish.name.clone()),
        &column(many, |one| status_name(one.finish.status).to_owned()),
        &column(many, |one| one.finish.checkpoint.clone()) as &[Option<Vec<u8>>],
        &column(many, |one| one.finish.error.clone()) as &[Option<String>],
        &column(many, |one| one.next.map(str::to_owned)) as &[Option<String>],
        &column(many, |one| i64::try_from(one.lines.len()).unwrap_or(i64::MAX)),
        &numbers,
        &places,
        &lines.steps,
        &lines.streams,
        &lines.texts
    )
    .fetch_all(connection)
    .await?;
    let begun: BTreeMap<i64, bool> = rows.into_iter().map(|row| (row.n, row.begun)).collect();
    Ok((1_i64..).zip(many).map(|(number, _)| begun.get(&number).copied()).collect())
}

fn status_name(status: StepStatus) -> &'static str {
    match status {
        StepStatus::Pending => "pending",
        StepStatus::Running => "running",
        StepStatus::Succeeded => "succeeded",
        StepStatus::Failed => "failed",
        StepStatus::Canceled => "canceled",
    }
}

fn column<T>(many: &[Arc<Advance>], of: impl Fn(&Advance) -> T) -> Vec<T> {
    many.iter().map(|one| of(one)).collect()
}

struct StepRow {
    run_id: RunId,
    name: String,
    status: StepStatus,
    attempt: i32,
    error: Option<String>,
    started_at: Option<jiff_sqlx::Timestamp>,
    ended_at: Option<jiff_sqlx::Timestamp>,
}

/// The steps of a run, in order.
pub async fn list(connection: &mut PgConnection, run: RunId) -> Result<Vec<RunStep>> {
    Ok(of_some(connection, &[run]).await?.remove(&run).unwrap_or_default())
}

/// The steps of each of these runs, in order.
pub async fn of_some(connection: &mut PgConnection, runs: &[RunId]) -> Result<BTreeMap<RunId, Vec<RunStep>>> {
    let runs: Vec<uuid::Uuid> = runs.iter().map(|run| run.0).collect();
    let rows = sqlx::query_as!(
        StepRow,
        r#"SELECT run_id AS "run_id: _", name, status AS "status: _", attempt, error, started_at, ended_at
           FROM run_step WHERE run_id = ANY ($1) ORDER BY run_id, position, name"#,
        &runs
    )
    .fetch_all(connection)
    .await?;
    let mut found: BTreeMap<RunId, Vec<RunStep>> = BTreeMap::new();
    for row in rows {
        found.entry(row.run_id).or_default().push(RunStep {
            name: row.name,
            status: row.status,
            attempt: row.attempt,
            error: row.error,
            started_at: row.started_at.map(jiff_sqlx::Timestamp::to_jiff),
            ended_at: row.ended_at.map(jiff_sqlx::Timestamp::to_jiff),
        });
    }
    Ok(found)
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
