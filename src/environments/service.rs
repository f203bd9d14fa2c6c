//! Use-cases of environments, called by `requests` inside its transaction.

use jiff::SignedDuration;
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::store::{contents, rows, transitions};
use super::{
    Environment, Error, Expiring, Filter, NewEnvironment, Operation, State, drift_kind_of, kind_of, plan_kind_of,
};
use crate::audit::{self, Entry, Object};
use crate::base::cursor::{Cursor, Page};
use crate::base::id::{EnvironmentId, RequestId, RunId, TargetId, TemplateVersionId};
use crate::base::{Actor, Op, Sealer};
use crate::catalog::{self, TemplateVersion};
use crate::db::Tx;
use crate::orchestrator::{self, NewRun, RunPlace};
use crate::providers::Resource;

/// The environment with this id.
pub async fn find(connection: &mut PgConnection, id: EnvironmentId) -> Result<Option<Environment>, Error> {
    Ok(rows::find(connection, id).await?)
}

/// The environment with this id, locked until the transaction ends.
pub async fn load(tx: &mut Tx, id: EnvironmentId) -> Result<Environment, Error> {
    rows::lock(tx, id).await?.ok_or(Error::NotFound)
}

/// Environments, newest first.
pub async fn list(
    connection: &mut PgConnection,
    filter: &Filter,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Page<Environment>, Error> {
    let rows = rows::list(connection, filter, after, limit).await?;
    Ok(Page::cut(rows, limit, |environment| Cursor { at: environment.created_at, id: environment.id.0 }))
}

/// The resources that the last run left.
pub async fn resources(connection: &mut PgConnection, id: EnvironmentId) -> Result<Vec<Resource>, Error> {
    Ok(contents::resources(connection, id).await?)
}

/// Inserts an environment that waits.
pub async fn create(tx: &mut Tx, op: &Op, sealer: &Sealer, new: &NewEnvironment) -> Result<(), Error> {
    let inputs = seal_secret_inputs(op, sealer, &inputs_place(new.id), &new.secret_inputs)?;
    let seed = sealer.seal(op.entropy(), &seed_place(new.id), &op.entropy().bytes32())?;
    transitions::insert(tx, new, inputs.as_deref(), &seed).await.map_err(|error| {
        if error.is_constraint("environment_name") { Error::NameTaken(new.name.clone()) } else { error.into() }
    })?;
    let entry = Entry::new("environment.requested", Object::new("environment", new.id.0, new.name.clone()))
        .project(new.project)
        .environment(new.id);
    audit::append(tx, op, entry).await?;
    Ok(())
}

/// An approved create: the environment is made.
pub async fn begin_create(tx: &mut Tx, op: &Op, id: EnvironmentId, request: RequestId) -> Result<RunId, Error> {
    let environment = load(tx, id).await?;
    begin(tx, op, &environment, Operation::Create, None, State::Provisioning, Some(request)).await
}

/// What an approved update brings.
#[derive(Debug, Clone)]
pub struct Change {
    /// The generation that the change was made for.
    pub generation: i64,
    /// The version to go to.
    pub version: TemplateVersionId,
    /// Its target.
    pub target: Option<TargetId>,
    /// The new inputs, without the secret ones.
    pub inputs: Map<String, Value>,
    /// The secret ones.
    pub secret_inputs: Map<String, Value>,
}

/// Writes the inputs of an approved update; [`begin_update`] follows.
pub async fn change_inputs(
    tx: &mut Tx,
    op: &Op,
    sealer: &Sealer,
    id: EnvironmentId,
    change: &Change,
) -> Result<(), Error> {
    let sealed = seal_secret_inputs(op, sealer, &inputs_place(id), &change.secret_inputs)?;
    let done = transitions::change(
        tx,
        id,
        change.generation,
        change.version,
        change.target,
        &change.inputs,
        sealed.as_deref(),
    )
    .await?;
    if done { Ok(()) } else { Err(Error::Stale) }
}

/// An approved update: the environment is changed.
pub async fn begin_update(tx: &mut Tx, op: &Op, id: EnvironmentId, request: RequestId) -> Result<RunId, Error> {
    let environment = load(tx, id).await?;
    begin(tx, op, &environment, Operation::Update, None, State::Updating, Some(request)).await
}

/// An approved power operation or action: the environment is started, stopped or acted on. `action`
/// is what people call the action.
pub async fn begin_act(
    tx: &mut Tx,
    op: &Op,
    id: EnvironmentId,
    operation: Operation,
    action: Option<&str>,
    request: RequestId,
) -> Result<RunId, Error> {
    let environment = load(tx, id).await?;
    let next = during(operation).ok_or(Error::WrongState(environment.state, why_not(operation)))?;
    if !may_begin(operation, environment.state) {
        return Err(Error::WrongState(environment.state, why_not(operation)));
    }
    begin(tx, op, &environment, operation, action, next, Some(request)).await
}

/// The state while it goes on; none for what is no run.
fn during(operation: Operation) -> Option<State> {
    Some(match operation {
        Operation::Create => State::Provisioning,
        Operation::Update | Operation::Act => State::Updating,
        Operation::Start | Operation::Restart => State::Starting,
        Operation::Stop | Operation::Hibernate => State::Stopping,
        Operation::Delete => State::Deleting,
        Operation::Extend => return None,
    })
}

/// Whether it can be asked for in this state, as far as the state alone decides.
pub fn may_begin(operation: Operation, state: State) -> bool {
    match operation {
        Operation::Start => state == State::Stopped,
        Operation::Stop | Operation::Hibernate | Operation::Restart | Operation::Act => state == State::Ready,
        Operation::Extend => matches!(state, State::Ready | State::Stopped | State::Failed),
        Operation::Create | Operation::Update | Operation::Delete => {
            during(operation).is_some_and(|next| state.can_become(next))
        }
    }
}

/// An approved delete: the environment is removed.
pub async fn begin_delete(tx: &mut Tx, op: &Op, id: EnvironmentId, request: RequestId) -> Result<RunId, Error> {
    let environment = load(tx, id).await?;
    begin(tx, op, &environment, Operation::Delete, None, State::Deleting, Some(request)).await
}

/// Tries the operation that failed again, with a new run for the same request.
pub async fn retry(
    tx: &mut Tx,
    op: &Op,
    id: EnvironmentId,
    operation: Operation,
    action: Option<&str>,
    request: RequestId,
) -> Result<RunId, Error> {
    let environment = load(tx, id).await?;
    let next = during(operation).ok_or(Error::WrongState(environment.state, "there is nothing to retry"))?;
    if !matches!(environment.state, State::Failed | State::Faulted) {
        return Err(Error::WrongState(environment.state, "only a failed operation can be retried"));
    }
    begin(tx, op, &environment, operation, action, next, Some(request)).await
}

/// Queues a run that plans what a request wishes, and changes nothing. `version` is the one that is
/// wished for.
pub async fn plan(
    tx: &mut Tx,
    op: &Op,
    id: EnvironmentId,
    operation: Operation,
    version: &TemplateVersion,
    request: RequestId,
) -> Result<RunId, Error> {
    let environment = load(tx, id).await?;
    let labels = catalog::worker_labels(tx, version.id).await?;
    let run = NewRun {
        id: RunId::new(op.clock(), op.entropy()),
        kind: plan_kind_of(&version.provider),
        subject: id.0,
        request: Some(request),
        project: environment.project.id,
        label: format!("Plan: {} {}", operation.as_str(), environment.name),
        priority: priority(op),
        // No place: a freeze of changes does not keep anybody from looking.
        place: RunPlace {
            provider: version.provider.clone(),
            target: environment.target.map(|target| target.0),
            place: None,
            labels,
        },
    };
    orchestrator::enqueue(tx, &run).await?;
    Ok(run.id)
}

/// The part of Paddock that lets in those who wait in line for a quota.
pub const LINE: &str = "reconciler.quotas";

/// People before automation; people are also those who have waited in line.
pub(super) fn priority(op: &Op) -> i32 {
    let for_people = op.actor.person().is_some() || matches!(op.actor, Actor::System { part: LINE });
    if for_people { 100 } else { 200 }
}

async fn begin(
    tx: &mut Tx,
    op: &Op,
    environment: &Environment,
    operation: Operation,
    action: Option<&str>,
    next: State,
    request: Option<RequestId>,
) -> Result<RunId, Error> {
    if !environment.state.can_become(next) {
        return Err(Error::WrongState(environment.state, why_not(operation)));
    }
    if !transitions::move_to(tx, environment.id, environment.state, next, None).await? {
        return Err(Error::Stale);
    }
    orchestrator::give_way(tx, op, environment.id.0, &drift_kind_of(&environment.template.provider)).await?;
    let labels = catalog::worker_labels(tx, environment.template.version_id).await?;
    let run = NewRun {
        id: RunId::new(op.clock(), op.entropy()),
        kind: kind_of(operation, &environment.template.provider),
        subject: environment.id.0,
        request,
        project: environment.project.id,
        label: operation.label(action, &environment.name),
        priority: priority(op),
        place: RunPlace {
            provider: environment.template.provider.clone(),
            target: environment.target.map(|target| target.0),
            place: Some(environment.place.id.0),
            labels,
        },
    };
    orchestrator::enqueue(tx, &run).await?;
    let detail = json!({"from": environment.state, "to": next, "generation": environment.generation});
    let mut entry = about(environment, started_action(operation)).run(run.id).detail(detail);
    entry.request = request;
    audit::append(tx, op, entry).await?;
    Ok(run.id)
}

fn why_not(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "it is being made already, or has been",
        Operation::Update => "only one that is ready or failed can be updated",
        Operation::Extend => "only one that is ready, stopped or failed can be extended",
        Operation::Start => "only one that is stopped can be started",
        Operation::Stop => "only one that is ready can be stopped",
        Operation::Hibernate => "only one that is ready can be hibernated",
        Operation::Restart => "only one that is ready can be restarted",
        Operation::Act => "only one that is ready can be acted on",
        Operation::Delete => "it cannot be deleted at the moment; wait for the running operation or cancel it",
    }
}

fn started_action(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "environment.provisioning",
        Operation::Update => "environment.updating",
        Operation::Delete => "environment.deleting",
        Operation::Extend => "environment.extended",
        Operation::Start => "environment.starting",
        Operation::Stop | Operation::Hibernate => "environment.stopping",
        Operation::Restart => "environment.restarting",
        Operation::Act => "environment.acting",
    }
}

/// Gives the environment a later (or earlier) end: `lifetime` from now, by the database's clock.
pub async fn extend(
    tx: &mut Tx,
    op: &Op,
    id: EnvironmentId,
    request: RequestId,
    lifetime: SignedDuration,
) -> Result<(), Error> {
    let before = load(tx, id).await?;
    if !transitions::extend(tx, id, lifetime.as_secs()).await? {
        return Err(Error::WrongState(before.state, why_not(Operation::Extend)));
    }
    let after = load(tx, id).await?;
    let detail = json!({"before": before.expires_at, "after": after.expires_at});
    audit::append(tx, op, about(&after, "environment.extended").request(request).detail(detail)).await?;
    Ok(())
}

/// Environments whose end has come, by the database's clock.
pub async fn expired(connection: &mut PgConnection, limit: i64) -> Result<Vec<Expiring>, Error> {
    Ok(rows::expired(connection, limit).await?)
}

/// Warns about environments that end within a day, and again within an hour: one audit record each;
/// the pages show the mark. Returns how many.
pub async fn warn_expiring(tx: &mut Tx, op: &Op, limit: i64) -> Result<usize, Error> {
    let warned = rows::mark_warned(tx, limit).await?;
    for expiring in &warned {
        let object = Object::new("environment", expiring.id.0, expiring.name.clone());
        let entry = Entry::new("environment.expiry_warned", object)
            .project(expiring.project)
            .environment(expiring.id)
            .detail(json!({"expires_at": expiring.expires_at}));
        audit::append(tx, op, entry).await?;
    }
    Ok(warned.len())
}

/// The secret inputs, opened: to be carried over into an update that does not change them.
pub async fn secret_inputs(
    connection: &mut PgConnection,
    sealer: &Sealer,
    id: EnvironmentId,
) -> Result<Map<String, Value>, Error> {
    let sealed = contents::sealed(connection, id).await?;
    open_secret_inputs(sealer, &inputs_place(id), sealed.secret_inputs.as_deref())
}

/// Opens what [`seal_secret_inputs`] sealed for the same place.
pub fn open_secret_inputs(sealer: &Sealer, place: &str, blob: Option<&[u8]>) -> Result<Map<String, Value>, Error> {
    let Some(blob) = blob else { return Ok(Map::new()) };
    let plain = sealer.open(place, blob)?;
    Ok(serde_json::from_slice(&plain).map_err(|_| crate::db::Error::Corrupt("secret input"))?)
}

/// Seals secret inputs for the row that `place` names; nothing when there are none.
pub fn seal_secret_inputs(
    op: &Op,
    sealer: &Sealer,
    place: &str,
    inputs: &Map<String, Value>,
) -> Result<Option<Vec<u8>>, Error> {
    if inputs.is_empty() {
        return Ok(None);
    }
    let plain = Value::Object(inputs.clone()).to_string();
    Ok(Some(sealer.seal(op.entropy(), place, plain.as_bytes())?))
}

pub(super) fn inputs_place(id: EnvironmentId) -> String {
    format!("environment/{id}/secret_inputs")
}

pub(super) fn seed_place(id: EnvironmentId) -> String {
    format!("environment/{id}/seed")
}

pub(super) fn state_place(id: EnvironmentId) -> String {
    format!("environment/{id}/provider_state")
}

/// An audit record about an environment.
pub(super) fn about(environment: &Environment, action: &'static str) -> Entry {
    Entry::new(action, Object::new("environment", environment.id.0, environment.name.clone()))
        .project(environment.project.id)
        .environment(environment.id)
}
