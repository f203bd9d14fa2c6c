//! Rows of `run_step`: intent before the call, checkpoint after it.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::log::{Columns, NewLine};
use crate::base::id::RunId;
use crate::db::Result;
use crate::orchestrator::{Run, RunStep, StepStatus};

/// How a step ended.
#[derive(Debug, Clone)]
pub struct Finish {
    pub name: String,
    pub status: StepStatus,
    pub checkpoint: Option<Vec<u8>>,
    pub error: Option<String>,
}

/// The end of a step, with the log lines that wait, and which step is next.
#[derive(Debug)]
pub struct Advance {
    pub run: RunId,
    pub attempt: i32,
    pub finish: Finish,
    pub next: Option<&'static str>,
    pub lines: Vec<NewLine>,
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

/// Records in one statement how steps of several runs ended, with their checkpoints and the log lines
/// that wait, and the intent to execute the next ones. For each, in their order: `None` if the run
/// is not this attempt's any more, else whether an earlier attempt began that next step.
pub async fn advance(connection: &mut PgConnection, several: &[Advance]) -> Result<Vec<Option<bool>>> {
    let lines = Columns::of(several.iter().map(|one| &one.lines[..]));
    let runs: Vec<uuid::Uuid> = several.iter().map(|one| one.run.0).collect();
    let attempts: Vec<i32> = several.iter().map(|one| one.attempt).collect();
    let names: Vec<String> = several.iter().map(|one| one.finish.name.clone()).collect();
    let statuses: Vec<String> = several.iter().map(|one| one.finish.status.as_str().to_owned()).collect();
    let checkpoints: Vec<Option<&[u8]>> = several.iter().map(|one| one.finish.checkpoint.as_deref()).collect();
    let errors: Vec<Option<&str>> = several.iter().map(|one| one.finish.error.as_deref()).collect();
    let next: Vec<Option<&str>> = several.iter().map(|one| one.next).collect();
    let rows = sqlx::query!(
        r#"WITH one AS MATERIALIZED (
             SELECT * FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::text[],
                 $8::bigint[]) WITH ORDINALITY AS one (run_id, attempt, name, status, checkpoint, error, next, lines, n)),
         held AS (
             UPDATE run SET log_seq = log_seq + one.lines FROM one
             WHERE run.id = one.run_id AND run.attempt = one.attempt AND run.lease_until IS NOT NULL
             RETURNING one.*, log_seq - one.lines AS before),
         finished AS (
             UPDATE run_step AS s SET status = held.status, checkpoint = coalesce(held.checkpoint, s.checkpoint),
                 error = held.error, ended_at = clock_timestamp()
             FROM held WHERE s.run_id = held.run_id AND s.name = held.name AND s.attempt = held.attempt),
         begun AS (
             UPDATE run_step AS s SET status = 'running', attempt = held.attempt, error = NULL, ended_at = NULL,
                 started_at = clock_timestamp()
             FROM held WHERE s.run_id = held.run_id AND s.name = held.next),
         written AS (
             INSERT INTO log_line (run_id, seq, attempt, step, stream, text)
             SELECT held.run_id, held.before + line.seq, held.attempt, line.step, line.stream, line.text
             FROM unnest($9::bigint[], $10::bigint[], $11::text[], $12::text[], $13::text[])
                 AS line (n, seq, step, stream, text) JOIN held ON held.n = line.n)
         SELECT held.n AS "n!", EXISTS (SELECT FROM run_step AS s
             WHERE s.run_id = held.run_id AND s.name = held.next AND s.attempt > 0) AS "begun!" FROM held"#,
        &runs,
        &attempts,
        &names,
        &statuses,
        &checkpoints as &[Option<&[u8]>],
        &errors as &[Option<&str>],
        &next as &[Option<&str>],
        &lines.counts,
        &lines.of,
        &lines.numbers,
        &lines.steps,
        &lines.streams,
        &lines.texts
    )
    .fetch_all(connection)
    .await?;
    let held: BTreeMap<i64, bool> = rows.into_iter().map(|row| (row.n, row.begun)).collect();
    Ok((1..).zip(several).map(|(n, _)| held.get(&n).copied()).collect())
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

/// Whether any run of a subject has begun another step than these.
pub async fn went_beyond(connection: &mut PgConnection, subject: uuid::Uuid, known: &[&str]) -> Result<bool> {
    let known: Vec<String> = known.iter().map(|name| (*name).to_owned()).collect();
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM run r JOIN run_step s ON s.run_id = r.id
               WHERE r.subject_id = $1 AND s.started_at IS NOT NULL AND s.name <> ALL ($2)) AS "any!""#,
        subject,
        &known
    )
    .fetch_one(connection)
    .await?)
}
