//! `GET /runs/{run}/events`: what happens in a run, as server-sent events for the page.
//!
//! Unnamed messages bring rows of the log, with the number of their last line as id, so that
//! `Last-Event-ID` resumes without a gap and without a line twice. `changed` says that steps or
//! state are others: htmx fetches them again from the page. `done` is the last.
//!
//! All readers of this process share one look at the database (`orchestrator::Followers`). A stream
//! ends after a while and the browser comes back: the session is then checked again.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use askama::Template as _;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::log::{self, Before};
use super::readable;
use super::view::LogFragment;
use crate::orchestrator::{self, Follower, News, Run, RunState, RunStep, StepStatus};
use crate::web::answer::Query;
use crate::web::error::PageError;
use crate::web::visitor::Visitor;
use crate::web::words::Times;

/// How long one stream lives: below the minute within which a disabled person must be out.
const LIFE: Duration = Duration::from_secs(45);
/// Proxies close connections that are silent for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How many streams one process feeds: at 30 KB each they fit everywhere. Whoever gets none reloads.
static STREAMS: Semaphore = Semaphore::const_new(4000);

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
    let quiet = query.has("quiet");
    let follow = Follow {
        // A page that shows another part of the log is told of steps and state only.
        follower: visitor.app.followers.follow(run.id, if quiet { i64::MAX } else { after }),
        stopping: visitor.app.tasks.stopping(),
        times: visitor.times(),
        before: before.map(|line| (line.step, line.attempt)),
        seen: None,
        found: VecDeque::new(),
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
    follower: Follower,
    stopping: CancellationToken,
    times: Times,
    before: Before,
    seen: Option<Seen>,
    found: VecDeque<Event>,
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
            if self.ended {
                return None;
            }
            let news = tokio::select! {
                () = self.stopping.cancelled() => return None,
                () = tokio::time::sleep_until(self.until) => return None,
                news = self.follower.next() => news,
            };
            let told = news.map_err(PageError::from).and_then(|news| self.tell(&news));
            if let Err(error) = told {
                // The reader comes back with the id of its last event.
                tracing::debug!(run.id = %self.follower.run(), ?error, "stopped telling of a run");
                return None;
            }
        }
    }

    fn tell(&mut self, News { look, lines, last }: &News) -> Result<(), PageError> {
        if !lines.is_empty() {
            let log = log::entries(lines, &mut self.before, &look.steps, &self.times);
            let rows = LogFragment { log }.render()?;
            let id = self.follower.after().to_string();
            self.found.push_back(Event::default().id(id).data(rows.trim().replace('\r', "")));
        }
        self.tell_changes(&look.run, &look.steps);
        if *last {
            self.ended = true;
            self.found.push_back(Event::default().event("done").data(look.run.state.as_str()));
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
