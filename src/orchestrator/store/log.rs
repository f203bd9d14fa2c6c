//! Rows of `log_line`.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use crate::base::id::RunId;
use crate::db::Result;
use crate::orchestrator::LogLine;
use crate::providers::Stream;

/// A line to be written.
#[derive(Debug, Clone)]
pub struct NewLine {
    pub step: String,
    pub stream: Stream,
    pub text: String,
}

/// Lines of one or more writers as columns, for `unnest`.
#[derive(Default)]
pub struct Columns {
    /// How many, of each writer.
    pub counts: Vec<i64>,
    /// Whose it is, from 1.
    pub of: Vec<i64>,
    /// Its number among the lines of its writer, from 1.
    pub numbers: Vec<i64>,
    pub steps: Vec<String>,
    pub streams: Vec<String>,
    pub texts: Vec<String>,
}

impl Columns {
    pub fn of<'a>(writers: impl Iterator<Item = &'a [NewLine]>) -> Self {
        let mut columns = Self::default();
        for (writer, lines) in (1..).zip(writers) {
            columns.counts.push(i64::try_from(lines.len()).unwrap_or(i64::MAX));
            for (number, line) in (1..).zip(lines) {
                columns.of.push(writer);
                columns.numbers.push(number);
                columns.steps.push(line.step.clone());
                columns.streams.push(stream_name(line.stream).to_owned());
                columns.texts.push(line.text.clone());
            }
        }
        columns
    }
}

/// Appends lines with the next numbers. False: the run is not this attempt's any more.
pub async fn append(connection: &mut PgConnection, run: RunId, attempt: i32, lines: &[NewLine]) -> Result<bool> {
    let count = i64::try_from(lines.len()).unwrap_or(i64::MAX);
    let lines = Columns::of(std::iter::once(lines));
    let result = sqlx::query!(
        "WITH held AS (
             UPDATE run SET log_seq = log_seq + $3 WHERE id = $1 AND attempt = $2 AND lease_until IS NOT NULL
             RETURNING log_seq - $3 AS before)
         INSERT INTO log_line (run_id, seq, attempt, step, stream, text)
         SELECT $1, held.before + line.n, $2, line.step, line.stream, line.text
         FROM held, unnest($4::text[], $5::text[], $6::text[]) WITH ORDINALITY AS line (step, stream, text, n)",
        run.0,
        attempt,
        count,
        &lines.steps,
        &lines.streams,
        &lines.texts
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected() > 0)
}

fn stream_name(stream: Stream) -> &'static str {
    match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
        Stream::Paddock => "paddock",
    }
}

struct LineRow {
    seq: i64,
    at: jiff_sqlx::Timestamp,
    attempt: i32,
    step: String,
    stream: Stream,
    text: String,
}

impl From<LineRow> for LogLine {
    fn from(row: LineRow) -> Self {
        Self {
            seq: row.seq,
            at: row.at.to_jiff(),
            attempt: row.attempt,
            step: row.step,
            stream: row.stream,
            text: row.text,
        }
    }
}

/// Lines after number `after`, oldest first.
pub async fn after(connection: &mut PgConnection, run: RunId, after: i64, limit: i64) -> Result<Vec<LogLine>> {
    let rows = sqlx::query_as!(
        LineRow,
        r#"SELECT seq, at, attempt, step, stream AS "stream: _", text
           FROM log_line WHERE run_id = $1 AND seq > $2 ORDER BY seq LIMIT $3"#,
        run.0,
        after,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(LogLine::from).collect())
}

/// The last lines of each of these runs, oldest first.
pub async fn ends(connection: &mut PgConnection, runs: &[RunId], most: i64) -> Result<BTreeMap<RunId, Vec<LogLine>>> {
    let runs: Vec<uuid::Uuid> = runs.iter().map(|run| run.0).collect();
    let rows = sqlx::query!(
        r#"SELECT run.id AS "run: RunId", l.seq, l.at, l.attempt, l.step, l.stream AS "stream: Stream", l.text
           FROM run JOIN log_line AS l ON l.run_id = run.id AND l.seq > run.log_seq - $2
           WHERE run.id = ANY ($1) ORDER BY run.id, l.seq"#,
        &runs,
        most
    )
    .fetch_all(connection)
    .await?;
    let mut found: BTreeMap<RunId, Vec<LogLine>> = BTreeMap::new();
    for row in rows {
        found.entry(row.run).or_default().push(LogLine {
            seq: row.seq,
            at: row.at.to_jiff(),
            attempt: row.attempt,
            step: row.step,
            stream: row.stream,
            text: row.text,
        });
    }
    Ok(found)
}

/// Lines with these words after number `after` and up to `until`, oldest first.
pub async fn search(
    connection: &mut PgConnection,
    run: RunId,
    (after, until): (i64, i64),
    words: &str,
    limit: i64,
) -> Result<Vec<LogLine>> {
    let rows = sqlx::query_as!(
        LineRow,
        r#"SELECT seq, at, attempt, step, stream AS "stream: _", text FROM log_line
           WHERE run_id = $1 AND seq > $2 AND seq <= $3 AND strpos(lower(text), lower($4)) > 0 ORDER BY seq LIMIT $5"#,
        run.0,
        after,
        until,
        words,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(LogLine::from).collect())
}

/// The number of the first line after `after` on the error stream.
pub async fn first_on_stderr(connection: &mut PgConnection, run: RunId, after: i64) -> Result<Option<i64>> {
    let row = sqlx::query!(
        "SELECT seq FROM log_line WHERE run_id = $1 AND seq > $2 AND stream = 'stderr' ORDER BY seq LIMIT 1",
        run.0,
        after
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| row.seq))
}

/// The number of the last line.
pub async fn length(connection: &mut PgConnection, run: RunId) -> Result<i64> {
    let row = sqlx::query!("SELECT log_seq FROM run WHERE id = $1", run.0).fetch_optional(connection).await?;
    Ok(row.map_or(0, |row| row.log_seq))
}
