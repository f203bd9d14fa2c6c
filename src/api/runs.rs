//! Runs: read, log, cancel, retry.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, Reach, Reads, Requests};
use super::error::Problem;
use super::extract::{Id, NoBody, Query};
use super::requests::may_see_environment;
use crate::app::App;
use crate::base::ErrorKind;
use crate::base::id::{EnvironmentId, RunId};
use crate::db;
use crate::environments::Environment;
use crate::orchestrator::{self, LogLine, Run, RunState, RunStep, StepStatus};
use crate::policy::ability;

/// How many lines are read at once.
pub const BATCH: i64 = 500;

/// A run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Run)]
pub struct RunView {
    id: String,
    status: RunState,
    /// The current attempt; 0 before the first.
    attempt: i32,
    max_attempts: i32,
    steps: Vec<StepView>,
    /// Which workflow executes it.
    kind: String,
    /// What it does, in words.
    label: String,
    environment_id: String,
    request_id: Option<String>,
    cancel_requested: bool,
    /// The first real error.
    error: Option<String>,
    /// The step that it came from.
    error_step: Option<String>,
    /// The worker that holds it or held it last.
    worker: Option<String>,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
}

/// A step of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RunStep)]
pub struct StepView {
    name: String,
    status: StepStatus,
    /// The attempt that began it last.
    attempt: i32,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    error: Option<String>,
}

/// One run.
#[utoipa::path(get, path = "/runs/{id}", tag = "runs", params(("id" = String, Path)),
    security(("token" = ["read"]), ("session" = [])), responses((status = 200, body = RunView)))]
pub async fn get_run(caller: Caller<Reads>, Id(id): Id<RunId>) -> Result<Json<RunView>, Problem> {
    readable(&caller, id).await?;
    Ok(Json(load(&caller.app, id).await?))
}

/// Which lines.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct LogQuery {
    /// Only lines after this number.
    #[serde(default)]
    after: i64,
}

/// The log as it is now, one JSON object per line.
#[utoipa::path(get, path = "/runs/{id}/logs", tag = "runs", params(("id" = String, Path), LogQuery),
    security(("token" = ["read"]), ("session" = [])),
    responses((status = 200, description = "Log lines", body = LogLine, content_type = "application/x-ndjson")))]
pub async fn get_logs(
    caller: Caller<Reads>,
    Id(id): Id<RunId>,
    Query(query): Query<LogQuery>,
) -> Result<Response, Problem> {
    readable(&caller, id).await?;
    // Read as the client reads: no connection is held while a slow one takes its time.
    let lines = stream::try_unfold(Some(query.after), move |after| {
        let app = caller.app.clone();
        async move {
            let Some(after) = after else { return Ok::<_, db::Error>(None) };
            let lines = orchestrator::log_lines(&mut *app.db.acquire().await?, id, after, BATCH).await?;
            let more = lines.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
            let next = lines.last().filter(|_| more).map(|line| line.seq);
            Ok((!lines.is_empty()).then(|| (ndjson(&lines), next)))
        }
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

fn ndjson(lines: &[LogLine]) -> Bytes {
    let mut out = Vec::new();
    for line in lines {
        out.extend(serde_json::to_vec(line).unwrap_or_default());
        out.push(b'\n');
    }
    out.into()
}

/// Stops a run: at once when it waits, else as soon as its worker has stopped what it does.
#[utoipa::path(post, path = "/runs/{id}/cancel", tag = "runs", params(("id" = String, Path)),
    security(("token" = ["request"]), ("session" = [])),
    responses((status = 202, description = "The run; it may take a while to stop", body = RunView)))]
pub async fn cancel_run(
    caller: Caller<Requests>,
    Id(id): Id<RunId>,
    _: NoBody,
) -> Result<(StatusCode, Json<RunView>), Problem> {
    let (_, environment) = readable(&caller, id).await?;
    let permit = caller.permit_environment::<ability::CancelRun>(&environment)?;
    caller.app.cancel_run(&caller.op, &permit, id).await?;
    Ok((StatusCode::ACCEPTED, Json(load(&caller.app, id).await?)))
}

/// Tries what failed again, with a new run for the same request.
#[utoipa::path(post, path = "/runs/{id}/retry", tag = "runs", params(("id" = String, Path)),
    security(("token" = ["request"]), ("session" = [])),
    responses((status = 201, description = "The new run", body = RunView)))]
pub async fn retry_run(
    caller: Caller<Requests>,
    Id(id): Id<RunId>,
    _: NoBody,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<RunView>), Problem> {
    let (run, environment) = readable(&caller, id).await?;
    let permit = caller.permit_environment::<ability::RetryRun>(&environment)?;
    let request = run.request.ok_or_else(|| {
        Problem::new(ErrorKind::Conflict, "Nobody asked for this run, so there is nothing to try again.")
    })?;
    let new = caller.app.requests.retry(&caller.op, &permit, request).await?;
    let location = [(header::LOCATION, format!("/api/v1/runs/{new}"))];
    Ok((StatusCode::CREATED, location, Json(load(&caller.app, new).await?)))
}

/// The run and its environment, for those who may read the environment.
pub async fn readable<S: Reach>(caller: &Caller<S>, id: RunId) -> Result<(Run, Environment), Problem> {
    let found = orchestrator::find(&mut *caller.app.db.acquire().await?, id).await?;
    let run = found.ok_or(orchestrator::Error::NotFound)?;
    let environment = may_see_environment(caller, EnvironmentId(run.subject)).await?;
    Ok((run, environment))
}

pub(super) async fn load(app: &App, id: RunId) -> Result<RunView, Problem> {
    let mut connection = app.db.acquire().await?;
    let run = orchestrator::find(&mut connection, id).await?.ok_or(orchestrator::Error::NotFound)?;
    let steps = orchestrator::steps(&mut connection, id).await?;
    Ok(RunView::new(run, steps))
}

impl RunView {
    fn new(run: Run, steps: Vec<RunStep>) -> Self {
        Self {
            id: run.id.to_string(),
            status: run.state,
            attempt: run.attempt,
            max_attempts: run.max_attempts,
            steps: steps.into_iter().map(Into::into).collect(),
            kind: run.kind,
            label: run.label,
            environment_id: EnvironmentId(run.subject).to_string(),
            request_id: run.request.map(|id| id.to_string()),
            cancel_requested: run.cancel_requested,
            error: run.error,
            error_step: run.error_step,
            worker: run.worker,
            created_at: run.created_at,
            started_at: run.started_at,
            ended_at: run.ended_at,
        }
    }
}

impl From<RunStep> for StepView {
    fn from(step: RunStep) -> Self {
        Self {
            name: step.name,
            status: step.status,
            attempt: step.attempt,
            started_at: step.started_at,
            ended_at: step.ended_at,
            error: step.error,
        }
    }
}

impl StepView {
    /// The step's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}
