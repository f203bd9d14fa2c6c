//! The queue, its freezes, and the workers.

use axum::Json;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::{Admins, Caller};
use super::error::Problem;
use super::extract::{Body, Id, NoBody};
use super::page::List;
use crate::base::id::{CircuitId, EnvironmentId, FreezeId, ProjectEnvironmentTypeId, TargetId};
use crate::orchestrator::{self, Circuit, Freeze, NewFreeze, Waiting, WorkerState};
use crate::policy::{Permit, Resource, ability};

/// The queue as it is now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Queue)]
pub struct QueueView {
    /// How many runs wait in all.
    waiting: i64,
    /// How many runs are at work.
    running: usize,
    /// The first ones, in the order in which they are likely to start; those that are held last.
    items: Vec<WaitingView>,
    /// What holds runs, now or soon.
    freezes: Vec<FreezeView>,
    /// Where runs wait because several environments in a row met an error.
    circuits: Vec<CircuitView>,
}

/// A run that waits.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WaitingRun)]
pub struct WaitingView {
    run_id: String,
    label: String,
    environment_id: String,
    project: String,
    /// Asked for by Paddock itself.
    automatic: bool,
    queued_at: Timestamp,
    /// `turn`, `lane`, `again`, `frozen`, `circuit`, `no_worker` or `limit`.
    why: &'static str,
    /// The same in words.
    reason: String,
    /// When that ends, where it is known.
    until: Option<Timestamp>,
    /// Place in line; null: it is held, or no worker can take it.
    position: Option<usize>,
    /// When it is likely to start; null: unknown.
    estimated_start: Option<Timestamp>,
}

impl WaitingView {
    /// A waiting run, as seen now.
    pub fn of(waiting: Waiting, now: Timestamp) -> Self {
        Self {
            run_id: waiting.id.to_string(),
            label: waiting.label,
            environment_id: EnvironmentId(waiting.subject).to_string(),
            project: waiting.project,
            automatic: waiting.automatic,
            queued_at: waiting.queued_at,
            why: waiting.why.as_str(),
            reason: waiting.why.sentence(),
            until: waiting.why.until(),
            position: waiting.position,
            estimated_start: waiting.starts_in.and_then(|after| now.checked_add(after).ok()),
        }
    }
}

/// A time in which runs are held.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Freeze)]
pub struct FreezeView {
    id: String,
    /// The project environment type; null: the whole platform.
    place: Option<String>,
    /// Where, in words.
    scope: String,
    reason: String,
    starts_at: Timestamp,
    /// Null: until it is lifted.
    ends_at: Option<Timestamp>,
    in_force: bool,
    set_by: String,
}

impl From<Freeze> for FreezeView {
    fn from(freeze: Freeze) -> Self {
        Self {
            id: freeze.id.to_string(),
            place: freeze.place.map(|id| ProjectEnvironmentTypeId(id).to_string()),
            scope: freeze.scope,
            reason: freeze.reason,
            starts_at: freeze.starts_at,
            ends_at: freeze.ends_at,
            in_force: freeze.in_force,
            set_by: freeze.set_by,
        }
    }
}

/// A circuit breaker that opened: several environments in a row met an error there that may pass.
/// Runs wait, one at a time tries, and when it succeeds the others go on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Circuit)]
pub struct CircuitView {
    id: String,
    /// Where, in words.
    scope: String,
    provider: String,
    /// Null: the provider works without one.
    target_id: Option<String>,
    /// How many environments met an error since a run last succeeded there.
    environments: i32,
    /// What the last one said.
    error: String,
    /// From when on the next run may try.
    next_try_at: Timestamp,
}

impl From<Circuit> for CircuitView {
    fn from(circuit: Circuit) -> Self {
        Self {
            id: circuit.id.to_string(),
            scope: circuit.of,
            provider: circuit.provider,
            target_id: circuit.target.map(|id| TargetId(id).to_string()),
            environments: circuit.environments,
            error: circuit.error,
            next_try_at: circuit.until,
        }
    }
}

/// A worker.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Worker)]
pub struct WorkerView {
    name: String,
    version: String,
    labels: Vec<String>,
    /// The kinds of runs that it knows.
    kinds: Vec<String>,
    /// How many runs at once.
    slots: i32,
    /// How many it holds.
    busy: i64,
    /// It takes no more runs: it stops, or was told to.
    draining: bool,
    /// A person told it to.
    drain_requested: bool,
    /// Not heard of for longer than a lease.
    silent: bool,
    started_at: Timestamp,
    seen_at: Timestamp,
}

impl From<WorkerState> for WorkerView {
    fn from(worker: WorkerState) -> Self {
        Self {
            name: worker.name,
            version: worker.version,
            labels: worker.labels,
            kinds: worker.kinds,
            slots: worker.slots,
            busy: worker.busy,
            draining: worker.draining,
            drain_requested: worker.drain_requested,
            silent: worker.silent,
            started_at: worker.started_at,
            seen_at: worker.seen_at,
        }
    }
}

/// What waits, why, and until when. The first 300 runs.
#[utoipa::path(get, path = "/queue", tag = "queue", security(("token" = ["admin"]), ("session" = [])),
    responses((status = 200, body = QueueView)))]
pub async fn get_queue(caller: Caller<Admins>) -> Result<Json<QueueView>, Problem> {
    let _: Permit<ability::ReadAdmin> = caller.permit_platform(Resource::platform())?;
    let mut connection = caller.app.db.acquire().await?;
    let queue = orchestrator::queue(&mut connection).await?;
    let freezes = orchestrator::freezes(&mut connection).await?;
    let circuits = orchestrator::circuits(&mut connection).await?;
    let now = caller.op.now();
    Ok(Json(QueueView {
        waiting: queue.total,
        running: queue.running,
        items: queue.waiting.into_iter().map(|one| WaitingView::of(one, now)).collect(),
        freezes: freezes.into_iter().map(Into::into).collect(),
        circuits: circuits.into_iter().map(Into::into).collect(),
    }))
}

/// The workers that were heard of within the hour.
#[utoipa::path(get, path = "/workers", tag = "queue", security(("token" = ["admin"]), ("session" = [])),
    responses((status = 200, body = List<WorkerView>)))]
pub async fn list_workers(caller: Caller<Admins>) -> Result<Json<List<WorkerView>>, Problem> {
    let _: Permit<ability::ReadAdmin> = caller.permit_platform(Resource::platform())?;
    let workers = orchestrator::workers(&mut *caller.app.db.acquire().await?).await?;
    Ok(List::whole(workers.into_iter().map(Into::into).collect()))
}

/// Tells a worker to take no more runs; what it runs goes on.
#[utoipa::path(post, path = "/workers/{name}/drain", tag = "queue", params(("name" = String, Path)),
    security(("token" = ["admin"]), ("session" = [])), responses((status = 200, body = WorkerView)))]
pub async fn drain_worker(
    caller: Caller<Admins>,
    Id(name): Id<String>,
    _: NoBody,
) -> Result<Json<WorkerView>, Problem> {
    tell(&caller, &name, true).await
}

/// Tells a drained worker to take runs again.
#[utoipa::path(post, path = "/workers/{name}/resume", tag = "queue", params(("name" = String, Path)),
    security(("token" = ["admin"]), ("session" = [])), responses((status = 200, body = WorkerView)))]
pub async fn resume_worker(
    caller: Caller<Admins>,
    Id(name): Id<String>,
    _: NoBody,
) -> Result<Json<WorkerView>, Problem> {
    tell(&caller, &name, false).await
}

async fn tell(caller: &Caller<Admins>, name: &str, drain: bool) -> Result<Json<WorkerView>, Problem> {
    let permit = caller.permit_platform::<ability::ManageQueue>(Resource::platform())?;
    caller.app.drain_worker(&caller.op, &permit, name, drain).await?;
    let workers = orchestrator::workers(&mut *caller.app.db.acquire().await?).await?;
    let worker = workers.into_iter().find(|worker| worker.name == name).ok_or(orchestrator::Error::NoWorker)?;
    Ok(Json(worker.into()))
}

/// A freeze to be set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewFreeze)]
pub struct FreezeDraft {
    /// Why, in words: people see it beside every run that waits.
    reason: String,
    /// The project environment type; left out: the whole platform.
    place: Option<String>,
    /// Left out: now.
    starts_at: Option<Timestamp>,
    /// Left out: until it is lifted.
    ends_at: Option<Timestamp>,
}

/// Holds runs, on the whole platform or in one project environment type.
#[utoipa::path(post, path = "/freezes", tag = "queue", request_body = FreezeDraft,
    security(("token" = ["admin"]), ("session" = [])),
    responses((status = 201, description = "The freeze", body = FreezeView)))]
pub async fn set_freeze(
    caller: Caller<Admins>,
    Body(draft): Body<FreezeDraft>,
) -> Result<(StatusCode, Json<FreezeView>), Problem> {
    let permit = caller.permit_platform::<ability::ManageQueue>(Resource::platform())?;
    let place: Option<ProjectEnvironmentTypeId> = draft
        .place
        .as_deref()
        .map(str::parse)
        .transpose()
        .map_err(|_| Problem::malformed("/place", "must be the id of a project environment type, pet_…"))?;
    let new = NewFreeze {
        place: place.map(|id| id.0),
        reason: draft.reason,
        starts_at: draft.starts_at,
        ends_at: draft.ends_at,
    };
    let id = caller.app.set_freeze(&caller.op, &permit, &new).await?;
    let freezes = orchestrator::freezes(&mut *caller.app.db.acquire().await?).await?;
    let freeze = freezes.into_iter().find(|freeze| freeze.id == id).ok_or(orchestrator::Error::NoFreeze)?;
    Ok((StatusCode::CREATED, Json(freeze.into())))
}

/// Lifts a freeze before its end.
#[utoipa::path(post, path = "/freezes/{id}/lift", tag = "queue", params(("id" = String, Path)),
    security(("token" = ["admin"]), ("session" = [])),
    responses((status = 204, description = "Held runs go on")))]
pub async fn lift_freeze(caller: Caller<Admins>, Id(id): Id<FreezeId>, _: NoBody) -> Result<StatusCode, Problem> {
    let permit = caller.permit_platform::<ability::ManageQueue>(Resource::platform())?;
    caller.app.lift_freeze(&caller.op, &permit, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Closes a circuit, so that all runs go on there at once.
#[utoipa::path(post, path = "/circuits/{id}/close", tag = "queue", params(("id" = String, Path)),
    security(("token" = ["admin"]), ("session" = [])),
    responses((status = 204, description = "Runs go on there")))]
pub async fn close_circuit(caller: Caller<Admins>, Id(id): Id<CircuitId>, _: NoBody) -> Result<StatusCode, Problem> {
    let permit = caller.permit_platform::<ability::ManageQueue>(Resource::platform())?;
    caller.app.close_circuit(&caller.op, &permit, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
