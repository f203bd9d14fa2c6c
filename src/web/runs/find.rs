//! Where something is in a log: words, the first error, the beginning of a step.
//!
//! Each of them reads a bounded number of lines. Words are looked for in one span of the log after
//! the other; the first error has an index; the beginning of a step is found by halving, since lines
//! are written in the order of time.

use axum::response::Response;

use super::window::LINES;
use crate::base::id::RunId;
use crate::base::text::slugify;
use crate::db::{self, Connection};
use crate::orchestrator::{self, LogLine, Run, RunStep};
use crate::web::answer;
use crate::web::error::PageError;
use crate::web::listing;
use crate::web::urls;
use jiff::Timestamp;

/// How many lines one search reads.
const SPAN: i64 = 50_000;
/// How many of them it shows.
const MOST: i64 = 200;

/// Lines with certain words.
pub(super) struct Found {
    pub(super) lines: Vec<LogLine>,
    /// The number of the last line that was read.
    pub(super) until: i64,
}

/// Looks on after a line.
pub(super) async fn words(
    connection: &mut Connection,
    run: RunId,
    (after, length): (i64, i64),
    words: &str,
) -> Result<Found, db::Error> {
    let after = after.clamp(0, length);
    let until = after.saturating_add(SPAN).min(length);
    let lines = orchestrator::search_log(connection, run, (after, until), words, MOST).await?;
    let cut = i64::try_from(lines.len()).is_ok_and(|n| n >= MOST);
    let until = lines.last().filter(|_| cut).map_or(until, |line| line.seq);
    Ok(Found { lines, until })
}

impl Found {
    /// Where the search goes on.
    pub(super) fn on(&self, run: RunId, words: &str, length: i64) -> Option<String> {
        let after = self.until.to_string();
        (self.until < length).then(|| listing::href(&urls::run(run), [("q", words), ("after", &after)]))
    }
}

/// `?at=error`, `?at=apply`: to the line itself.
pub(super) async fn jump(
    connection: &mut Connection,
    run: &Run,
    steps: &[RunStep],
    to: &str,
) -> Result<Response, PageError> {
    let length = orchestrator::log_length(connection, run.id).await?;
    let name = if to == "error" { run.error_step.as_deref().unwrap_or_default() } else { to };
    let step = steps.iter().find(|step| step.name == name || slugify(&step.name) == name);
    let begins = match step.and_then(|step| step.started_at) {
        Some(at) => first_since(connection, run.id, length, at).await?,
        None => 1,
    };
    let line = if to == "error" { first_error(connection, run, begins, length).await? } else { begins };
    Ok(answer::see_other(&format!("{}?line={line}#L{line}", urls::run(run.id))))
}

/// The first line that tells of the error: on the error stream, else with the word, else the last.
async fn first_error(connection: &mut Connection, run: &Run, begins: i64, length: i64) -> Result<i64, db::Error> {
    if let Some(line) = orchestrator::first_on_stderr(connection, run.id, begins - 1).await? {
        return Ok(line);
    }
    let span = (begins - 1, begins.saturating_add(SPAN).min(length));
    let said = orchestrator::search_log(connection, run.id, span, "error", 1).await?;
    Ok(said.first().map_or(length, |line| line.seq).max(1))
}

/// The number of the first line that was written at a time or later: at most as many reads as the
/// length has binary digits.
async fn first_since(connection: &mut Connection, run: RunId, length: i64, at: Timestamp) -> Result<i64, db::Error> {
    let (mut low, mut high) = (1, length.max(1));
    while low < high {
        let middle = low + (high - low) / 2;
        let line = orchestrator::log_lines(connection, run, middle - 1, 1).await?.pop();
        if line.is_some_and(|line| line.at < at) { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}

/// "12 lines with “error”".
pub(super) fn summary(found: &Found, words: &str, after: i64, length: i64) -> String {
    let n = found.lines.len();
    let lines = if n == 1 { "One line".to_owned() } else { format!("{n} lines") };
    let whole = after == 0 && found.until == length;
    let of = if whole { String::new() } else { format!(", of lines {} to {}", after + 1, found.until) };
    format!("{lines} with “{words}”{of}")
}

/// A search takes no more words than a line has.
pub(super) fn asked(text: &str) -> String {
    text.trim().chars().take(200).collect()
}

const _: () = assert!(MOST <= LINES, "what was found fits a page");
