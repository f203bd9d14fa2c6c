//! The log: rows for the page and the stream, and all of it as text.

use axum::body::Body;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::ansi;
use super::outline;
use super::readable;
use super::view::LogEntry;
use crate::base::text::slugify;
use crate::db;
use crate::orchestrator::{self, LogLine, RunStep};
use crate::providers::Stream;
use crate::web::error::PageError;
use crate::web::visitor::Visitor;
use crate::web::words::Times;

/// How many lines are read at once.
pub(super) const BATCH: i64 = 500;

/// The last line before some others: a step's head stands where the step or the attempt changes.
pub(super) type Before = Option<(String, i32)>;

/// Lines as rows, with the heads of their steps.
pub(super) fn entries(lines: &[LogLine], before: &mut Before, steps: &[RunStep], times: &Times) -> Vec<LogEntry> {
    let mut entries = Vec::with_capacity(lines.len() + 4);
    for line in lines {
        let here = (line.step.clone(), line.attempt);
        if before.as_ref() != Some(&here) {
            entries.push(head(&here, steps, times));
            *before = Some(here);
        }
        entries.push(LogEntry::Line {
            number: u64::try_from(line.seq).unwrap_or(0),
            at: times.clock(line.at),
            stream: match line.stream {
                Stream::Stdout => "stdout",
                Stream::Stderr => "stderr",
                Stream::Paddock => "note",
            },
            spans: ansi::spans(&line.text),
        });
    }
    entries
}

fn head((name, attempt): &(String, i32), steps: &[RunStep], times: &Times) -> LogEntry {
    let step = steps.iter().find(|step| step.name == *name);
    let current = step.filter(|step| step.attempt == *attempt);
    let name = if *attempt > 1 { format!("{}, attempt {attempt}", outline::title(name)) } else { outline::title(name) };
    LogEntry::Step {
        id: anchor(step.map_or("", |step| &step.name), *attempt),
        name,
        pill: outline::pill(current),
        took: current.map(|step| outline::took(step, times)).unwrap_or_default(),
    }
}

/// The anchor of a step's head.
pub(super) fn anchor(step: &str, attempt: i32) -> String {
    format!("step-{}-{attempt}", slugify(step))
}

/// `GET /runs/{run}/log.txt`: read as the client reads, so a slow one holds no connection.
pub async fn text(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    let (run, _) = readable(&visitor, &mut *visitor.app.db.acquire().await?, &id).await?;
    let app = visitor.app.clone();
    let lines = stream::try_unfold(Some(0), move |after| {
        let app = app.clone();
        async move {
            let Some(after) = after else { return Ok::<_, db::Error>(None) };
            let lines = orchestrator::log_lines(&mut *app.db.acquire().await?, run.id, after, BATCH).await?;
            let next = lines.last().map(|line| line.seq);
            Ok((!lines.is_empty()).then(|| (lines.iter().map(plain).collect::<String>(), next)))
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}.txt\"", run.id)),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// "2026-11-21T09:58:38Z apply: Creation complete".
fn plain(line: &LogLine) -> String {
    let text: String = ansi::spans(&line.text).into_iter().map(|span| span.text).collect();
    format!("{} {}: {text}\n", line.at, line.step)
}
