//! `GET /runs/{run}/events`: what happens in a run, as server-sent events for the page.
//!
//! Unnamed messages bring rows of the log, with the number of their last line as id, so that
//! `Last-Event-ID` resumes without a gap and without a line twice. `changed` says that steps or
//! state are others: htmx fetches them again from the page. `done` is the last.
//!
//! The database is the truth: it is looked at every second, and at once on a hint. The next look
//! happens when the reader has taken what the last one found, so a slow reader blocks nobody. A
//! stream ends after a while and the browser comes back: the session is then checked again.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use askama::Template as _;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::log::{self, BATCH, Before};
use super::readable;
use super::view::LogFragment;
use crate::base::id::RunId;
use crate::orchestrator::{self, Run, RunState, RunStep, StepStatus};
use crate::web::answer::Query;
use crate::web::error::PageError;
use crate::web::visitor::Visitor;

/// How often the database is looked at without a hint.
const POLL: Duration = Duration::from_secs(1);
/// How long one stream lives: below the minute within which a disabled person must be out.
const LIFE: Duration = Duration::from_secs(45);
/// Proxies close connections that are silent for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How many streams one process feeds; each looks once a second. Whoever gets none reloads.
static STREAMS: Semaphore = Semaphore::const_new(500);

/// The stream.
pub async fn follow(
    visitor: Visitor,
    Path(id): Path<String>,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let Ok(place) = STREAMS.try_acquire() else {
        return Err(PageError::of_status(StatusCode::SERVICE_UNAVAILABLE));
    };
    let hints = visitor.app.signals.subscribe();
    let mut connection = visitor.app.db.acquire().await?;
    let (run, _) = readable(&visitor, &mut connection, &id).await?;
    let resumed = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let after = resumed.unwrap_or_else(|| query.get("after")).parse().unwrap_or(0);
    // The line before tells whether the next one begins a step.
    let before = match after {
        1.. => orchestrator::log_lines(&mut connection, run.id, after - 1, 1).await?.pop(),
        _ => None,
    };
    drop(connection);
    let follow = Follow {
        visitor,
        id: run.id,
        hints,
        after,
        before: before.map(|line| (line.step, line.attempt)),
        seen: None,
        found: VecDeque::new(),
        look_now: true,
        quiet: query.has("quiet"),
        ended: false,
        until: Instant::now() + LIFE,
        _place: place,
    };
    let events = stream::unfold(follow, |mut follow| async move {
        follow.next().await.map(|event| (Ok::<_, Infallible>(event), follow))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// What `changed` tells of: a difference means that the page shows something else.
#[derive(PartialEq)]
struct Seen {
    state: RunState,
    attempt: i32,
    canceling: bool,
    steps: Vec<(StepStatus, i32)>,
}

/// One reader's place in a run.
struct Follow {
    visitor: Visitor,
    id: RunId,
    hints: broadcast::Receiver<orchestrator::Event>,
    after: i64,
    before: Before,
    seen: Option<Seen>,
    found: VecDeque<Event>,
    look_now: bool,
    /// The page shows another part of the log: it is told of steps and state only.
    quiet: bool,
    ended: bool,
    until: Instant,
    _place: SemaphorePermit<'static>,
}

impl Follow {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.found.pop_front() {
                return Some(event);
            }
            if self.ended || !(self.look_now || self.wait().await) {
                return None;
            }
            if let Err(error) = self.look().await {
                // The reader comes back with the id of its last event.
                tracing::debug!(run.id = %self.id, ?error, "stopped telling of a run");
                return None;
            }
        }
    }

    /// Waits for a hint or for the next poll. False: the stream's time is over, or the process stops.
    async fn wait(&mut self) -> bool {
        let stopping = self.visitor.app.tasks.stopping();
        tokio::select! {
            () = stopping.cancelled() => false,
            () = tokio::time::sleep_until(self.until) => false,
            () = tokio::time::sleep(POLL) => true,
            () = hint(&mut self.hints, self.id) => true,
        }
    }

    async fn look(&mut self) -> Result<(), PageError> {
        let mut connection = self.visitor.app.db.acquire().await?;
        // The run first: what was written before it ended is then among the lines that follow.
        let run = orchestrator::find(&mut connection, self.id).await?.ok_or(orchestrator::Error::NotFound)?;
        let steps = orchestrator::steps(&mut connection, self.id).await?;
        let lines = if self.quiet {
            Vec::new()
        } else {
            orchestrator::log_lines(&mut connection, self.id, self.after, BATCH).await?
        };
        drop(connection);
        self.look_now = lines.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
        if let Some(last) = lines.last() {
            self.after = last.seq;
            let log = log::entries(&lines, &mut self.before, &steps, &self.visitor.times());
            let rows = LogFragment { log }.render()?;
            self.found.push_back(Event::default().id(self.after.to_string()).data(rows.trim().replace('\r', "")));
        }
        self.tell_changes(&run, &steps);
        if run.state.is_terminal() && !self.look_now {
            self.ended = true;
            self.found.push_back(Event::default().event("done").data(run.state.as_str()));
        }
        Ok(())
    }

    fn tell_changes(&mut self, run: &Run, steps: &[RunStep]) {
        let now = Seen {
            state: run.state,
            attempt: run.attempt,
            canceling: run.cancel_requested,
            steps: steps.iter().map(|step| (step.status, step.attempt)).collect(),
        };
        if self.seen.as_ref() != Some(&now) {
            self.seen = Some(now);
            self.found.push_back(Event::default().event("changed").data(run.state.as_str()));
        }
    }
}

/// Returns on news of this run, and when hints were missed.
async fn hint(hints: &mut broadcast::Receiver<orchestrator::Event>, id: RunId) {
    loop {
        match hints.recv().await {
            Ok(orchestrator::Event::Run(found)) if found == id => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
