//! Carries out an approved request, in the transaction that approves it.

use serde_json::json;

use super::store::{requests, reviews};
use super::{Error, Request, RequestStatus};
use crate::audit::{self, Entry, Object, Outcome};
use crate::base::id::RequestId;
use crate::base::{Op, Sealer};
use crate::db::{Connection, Tx};
use crate::environments::{self, Change, Operation, State};
use crate::projects;

/// Where the secret inputs of a request are sealed for.
pub fn secrets_place(id: RequestId) -> String {
    format!("request/{id}/secret_inputs")
}

/// An audit record about a request.
pub fn about(request: &Request, action: &'static str) -> Entry {
    let entry = Entry::new(action, Object::new("request", request.id.0, request.label()))
        .project(request.project)
        .request(request.id)
        .decision(request.decision_id);
    match request.environment {
        Some(environment) => entry.environment(environment),
        None => entry,
    }
}

/// Does what the request asks for: queues its run, or, for extend, does it at once.
pub async fn carry_out(tx: &mut Tx, op: &Op, sealer: &Sealer, id: RequestId) -> Result<(), Error> {
    let request = requests::find(tx, id).await?.ok_or(Error::NotFound)?;
    let environment = request.environment.ok_or(Error::NotFound)?;
    match request.operation {
        Operation::Create => {
            restore(tx, op, sealer, &request).await?;
            environments::begin_create(tx, op, environment, id).await?;
        }
        Operation::Update => {
            update(tx, op, sealer, &request).await?;
        }
        Operation::Start | Operation::Stop | Operation::Hibernate | Operation::Restart | Operation::Act => {
            let title = request.action_title.as_deref();
            environments::begin_act(tx, op, environment, request.operation, title, id).await?;
        }
        Operation::Delete => {
            environments::begin_delete(tx, op, environment, id).await?;
        }
        Operation::Extend => {
            let lifetime = request.lifetime.ok_or(Error::NotFound)?;
            environments::extend(tx, op, environment, id, lifetime).await?;
            finish(tx, op, &request, RequestStatus::Approved, RequestStatus::Succeeded, None).await?;
        }
    }
    Ok(())
}

async fn update(tx: &mut Tx, op: &Op, sealer: &Sealer, request: &Request) -> Result<(), Error> {
    let id = request.environment.ok_or(Error::NotFound)?;
    environments::load(tx, id).await?;
    let change = change_of(tx, sealer, request).await?;
    environments::change_inputs(tx, op, sealer, id, &change).await?;
    environments::begin_update(tx, op, id, request.id).await?;
    Ok(())
}

/// A create that asked again is made of what was asked for, whatever stands in the environment.
async fn restore(tx: &mut Tx, op: &Op, sealer: &Sealer, request: &Request) -> Result<(), Error> {
    let id = request.environment.ok_or(Error::NotFound)?;
    if environments::load(tx, id).await?.state == State::Failed {
        let change = change_of(tx, sealer, request).await?;
        environments::change_inputs(tx, op, sealer, id, &change).await?;
    }
    Ok(())
}

/// What the request would bring to its environment as it is now.
pub async fn change_of(connection: &mut Connection, sealer: &Sealer, request: &Request) -> Result<Change, Error> {
    let id = request.environment.ok_or(Error::NotFound)?;
    let environment = environments::find(connection, id).await?.ok_or(Error::NotFound)?;
    let version = crate::catalog::get_version(connection, request.version_id).await?;
    let target = projects::target(connection, environment.place.id, &version.provider).await?;
    let blob = requests::secret_inputs(connection, request.id).await?;
    Ok(Change {
        generation: environment.generation,
        version: request.version_id,
        target: target.map(|target| target.id),
        inputs: request.inputs.clone(),
        secret_inputs: environments::open_secret_inputs(sealer, &secrets_place(request.id), blob.as_deref())?,
    })
}

/// Moves a request to another status, with its audit record.
pub async fn finish(
    tx: &mut Tx,
    op: &Op,
    request: &Request,
    from: RequestStatus,
    to: RequestStatus,
    error: Option<&str>,
) -> Result<(), Error> {
    let entry = end(tx, request, from, to, error).await?;
    audit::append(tx, op, entry).await?;
    Ok(())
}

/// The same, and returns the audit record for the caller to append.
pub async fn end(
    tx: &mut Tx,
    request: &Request,
    from: RequestStatus,
    to: RequestStatus,
    error: Option<&str>,
) -> Result<Entry, Error> {
    if !requests::move_to(tx, request.id, from, to).await? {
        return Err(Error::WrongStatus("the request has moved on in the meantime"));
    }
    if from == RequestStatus::AwaitingApproval {
        reviews::end_ladders(tx, request.id).await?;
    }
    let in_line = from == RequestStatus::AwaitingQuota;
    let let_in = in_line && matches!(to, RequestStatus::Approved | RequestStatus::AwaitingApproval);
    if in_line && !let_in {
        projects::leave_line(tx, request.id).await?;
    }
    let dropped = matches!(to, RequestStatus::Rejected | RequestStatus::Withdrawn | RequestStatus::Lapsed);
    if let (true, Operation::Update | Operation::Start, Some(environment)) =
        (dropped && !in_line, request.operation, request.environment)
    {
        projects::give_back(tx, environment, request.id).await?;
    }
    let (action, outcome) = match to {
        _ if let_in => ("request.admitted", Outcome::Succeeded),
        RequestStatus::Succeeded => ("request.succeeded", Outcome::Succeeded),
        RequestStatus::Failed => ("request.failed", Outcome::Failed),
        RequestStatus::Canceled => ("request.canceled", Outcome::Succeeded),
        RequestStatus::Running => ("request.started", Outcome::Succeeded),
        RequestStatus::Approved => ("request.approved", Outcome::Succeeded),
        RequestStatus::Rejected => ("request.rejected", Outcome::Succeeded),
        RequestStatus::Withdrawn => ("request.withdrawn", Outcome::Succeeded),
        RequestStatus::Lapsed => ("request.lapsed", Outcome::Failed),
        RequestStatus::Denied => ("request.denied", Outcome::Denied),
        RequestStatus::AwaitingQuota => ("request.lined_up", Outcome::Succeeded),
        RequestStatus::AwaitingApproval => ("request.awaiting_approval", Outcome::Succeeded),
    };
    Ok(about(request, action).outcome(outcome).detail(json!({"error": error})))
}
