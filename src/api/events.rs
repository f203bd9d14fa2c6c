//! What happens in a run, as server-sent events.
//!
//! Three kinds: `state` (the run's status), `step` (one step) and `log` (one line); `end` is the
//! last. States and steps are sent when they change and once at the beginning, so a reader needs
//! no other source; lines are sent once. Every event's id is the number of the last line before
//! it, so `Last-Event-ID` resumes without a gap and without a line twice.
//!
//! All readers of this process share one look at the database (`orchestrator::Followers`).

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::caller::{Caller, Reads, authenticate};
use super::error::Problem;
use super::extract::Id;
use super::runs::{StepView, readable};
use crate::app::App;
use crate::base::id::{PersonId, RunId};
use crate::identity;
use crate::orchestrator::{Follower, News, Run, RunState};

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
    readable(&caller, id).await?;
    let resume = headers.get("last-event-id").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let after = resume.parse().unwrap_or(0);
    if resume.ends_with(LAST) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let follow = Follow {
        follower: caller.app.followers.follow(id, after),
        told: after,
        app: caller.app.clone(),
        person: caller.access().person.id,
        headers,
        state: None,
        steps: HashMap::new(),
        found: VecDeque::new(),
        ended: false,
        checked: Instant::now(),
    };
    Ok(Sse::new(follow.events()).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// One reader's place in a run.
struct Follow {
    follower: Follower,
    /// The number of the last line that was told.
    told: i64,
    app: App,
    person: PersonId,
    headers: HeaderMap,
    state: Option<RunStateEvent>,
    steps: HashMap<String, StepView>,
    found: VecDeque<Event>,
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
            if self.ended {
                return None;
            }
            let stopping = self.app.tasks.stopping();
            let news = tokio::select! {
                () = stopping.cancelled() => return None,
                () = tokio::time::sleep_until(self.checked + RECHECK) => None,
                news = self.follower.next() => Some(news),
            };
            if !self.may_still_read().await {
                return None;
            }
            match news {
                None => {}
                Some(Ok(news)) => self.tell(news),
                Some(Err(error)) => {
                    // The reader comes back with the id of its last event.
                    tracing::debug!(run.id = %self.follower.run(), %error, "stopped telling of a run");
                    return None;
                }
            }
        }
    }

    /// Whether the credential still holds, looked at now and then.
    async fn may_still_read(&mut self) -> bool {
        if self.checked.elapsed() < RECHECK {
            return true;
        }
        self.checked = Instant::now();
        match authenticate(&self.app, &self.headers).await {
            Ok((who, _)) => who.access.person.id == self.person && who.reaches(identity::Scope::Read),
            Err(_) => false,
        }
    }

    fn tell(&mut self, News { look, lines, last }: News) {
        for step in look.steps.iter().cloned().map(StepView::from) {
            self.tell_step(step);
        }
        for line in lines {
            self.told = line.seq;
            self.push("log", &line);
        }
        self.tell_state(&look.run);
        if last {
            self.ended = true;
            let id = format!("{}{LAST}", self.told);
            let state = self.state.clone();
            self.found.extend(Event::default().event("end").id(id).json_data(state));
        }
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
        let event = Event::default().event(kind).id(self.told.to_string()).json_data(data);
        self.found.extend(event);
    }
}
