//! What happens in a run, as server-sent events.
//!
//! Three kinds: `state` (the run's status), `step` (one step) and `log` (one line); `end` is the
//! last. States and steps are sent when they change and once at the beginning, so a reader needs
//! no other source; lines are sent once. Every event's id is the number of the last line before
//! it, so `Last-Event-ID` resumes without a gap and without a line twice.
//!
//! The database is the truth: it is looked at once a second, and at once on a hint. The next look
//! happens when the reader has taken what the last one found, so a slow reader holds neither
//! memory nor a connection of the pool.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use serde::Serialize;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::Instant;
use utoipa::ToSchema;

use super::caller::{Caller, Reads, authenticate};
use super::error::Problem;
use super::extract::Id;
use super::runs::{BATCH, StepView, readable};
use crate::app::App;
use crate::base::id::{PersonId, RunId};
use crate::orchestrator::{self, Run, RunState};
use crate::{db, identity};

/// How often the database is looked at without a hint.
const POLL: Duration = Duration::from_secs(1);
/// How often it is looked whether the reader may still read: well below the minute within which a
/// disabled person must be out.
const RECHECK: Duration = Duration::from_secs(20);
/// Proxies close connections that are silent for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Marks the id of the last event: a browser that comes back with it is told that nothing follows.
const LAST: &str = ".end";

/// The data of a `state` event, and of `end`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RunStateEvent {
    status: RunState,
    attempt: i32,
    cancel_requested: bool,
    error: Option<String>,
    error_step: Option<String>,
}

/// Follows a run until it has ended: events `state`, `step`, `log` and, last, `end`.
#[utoipa::path(get, path = "/runs/{id}/events", tag = "runs",
    params(("id" = String, Path),
           ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was received")),
    security(("token" = ["read"]), ("session" = [])),
    responses((status = 200, description = "Events; the data of `state` and `end` is this, of `step` a RunStep, of \
                                            `log` a LogLine", body = RunStateEvent, content_type = "text/event-stream"),
              (status = 204, description = "The run has ended and everything was received")))]
pub async fn follow_run(caller: Caller<Reads>, Id(id): Id<RunId>, headers: HeaderMap) -> Result<Response, Problem> {
    let hints = caller.app.signals.subscribe();
    readable(&caller, id).await?;
    let resume = headers.get("last-event-id").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let after = resume.parse().unwrap_or(0);
    if resume.ends_with(LAST) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let follow = Follow {
        app: caller.app.clone(),
        person: caller.access().person.id,
        headers,
        id,
        hints,
        after,
        state: None,
        steps: HashMap::new(),
        found: VecDeque::new(),
        look_now: true,
        ended: false,
        checked: Instant::now(),
    };
    Ok(Sse::new(follow.events()).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// One reader's place in a run.
struct Follow {
    app: App,
    person: PersonId,
    headers: HeaderMap,
    id: RunId,
    hints: broadcast::Receiver<orchestrator::Event>,
    after: i64,
    state: Option<RunStateEvent>,
    steps: HashMap<String, StepView>,
    found: VecDeque<Event>,
    look_now: bool,
    ended: bool,
    checked: Instant,
}

impl Follow {
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut follow| async move { follow.next().await.map(|event| (Ok(event), follow)) })
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.found.pop_front() {
                return Some(event);
            }
            if self.ended || !(self.look_now || self.wait().await) || !self.may_still_read().await {
                return None;
            }
            if let Err(error) = self.look().await {
                // The reader comes back with the id of its last event.
                tracing::debug!(run.id = %self.id, %error, "stopped telling of a run");
                return None;
            }
        }
    }

    /// Waits for a hint or for the next poll. False: the process stops.
    async fn wait(&mut self) -> bool {
        let stopping = self.app.tasks.stopping();
        tokio::select! {
            () = stopping.cancelled() => false,
            () = tokio::time::sleep(POLL) => true,
            () = hint(&mut self.hints, self.id) => true,
        }
    }

    /// Whether the credential still holds, looked at now and then.
    async fn may_still_read(&mut self) -> bool {
        if self.checked.elapsed() < RECHECK {
            return true;
        }
        self.checked = Instant::now();
        match authenticate(&self.app, &self.headers).await {
            Ok(who) => who.access.person.id == self.person && who.reaches(identity::Scope::Read),
            Err(_) => false,
        }
    }

    async fn look(&mut self) -> db::Result<()> {
        let mut connection = self.app.db.acquire().await?;
        // The run first: what was written before it ended is then among the lines that follow.
        let Some(run) = orchestrator::find(&mut connection, self.id).await? else {
            self.ended = true;
            return Ok(());
        };
        let steps = orchestrator::steps(&mut connection, self.id).await?;
        let lines = orchestrator::log_lines(&mut connection, self.id, self.after, BATCH).await?;
        drop(connection);
        for step in steps.into_iter().map(StepView::from) {
            self.tell_step(step);
        }
        self.look_now = lines.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
        for line in lines {
            self.after = line.seq;
            self.push("log", &line);
        }
        self.tell_state(&run);
        if run.state.is_terminal() && !self.look_now {
            self.ended = true;
            let id = format!("{}{LAST}", self.after);
            let state = self.state.clone();
            self.found.extend(Event::default().event("end").id(id).json_data(state));
        }
        Ok(())
    }

    fn tell_step(&mut self, step: StepView) {
        if self.steps.get(step.name()) != Some(&step) {
            self.push("step", &step);
            self.steps.insert(step.name().to_owned(), step);
        }
    }

    fn tell_state(&mut self, run: &Run) {
        let state = RunStateEvent {
            status: run.state,
            attempt: run.attempt,
            cancel_requested: run.cancel_requested,
            error: run.error.clone(),
            error_step: run.error_step.clone(),
        };
        if self.state.as_ref() != Some(&state) {
            self.push("state", &state);
            self.state = Some(state);
        }
    }

    fn push(&mut self, kind: &str, data: &impl Serialize) {
        let event = Event::default().event(kind).id(self.after.to_string()).json_data(data);
        self.found.extend(event);
    }
}

/// Returns on news of this run, and when hints were missed.
async fn hint(hints: &mut broadcast::Receiver<orchestrator::Event>, id: RunId) {
    loop {
        match hints.recv().await {
            Ok(orchestrator::Event::Run(found)) if found == id => break,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => break,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
    // One look serves all hints that have come until now.
    while !matches!(
        hints.try_recv(),
        Err(broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed)
    ) {}
}
