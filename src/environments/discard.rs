//! What becomes of an environment that was asked for and is not made.

use super::service::{about, load, priority};
use super::store::transitions;
use super::{Environment, Error, State, discard_kind_of};
use crate::audit;
use crate::base::Op;
use crate::base::id::{EnvironmentId, RunId};
use crate::catalog;
use crate::db::Tx;
use crate::orchestrator::{self, NewRun, RunPlace};
use crate::projects;
use crate::providers;

/// An environment that was never made and will not be: its request was rejected, withdrawn or lapsed.
pub async fn discard(tx: &mut Tx, op: &Op, id: EnvironmentId) -> Result<(), Error> {
    let environment = load(tx, id).await?;
    if !transitions::move_to(tx, id, State::Requested, State::Deleted, None).await? {
        return Err(Error::WrongState(environment.state, "it does not wait to be made any more"));
    }
    projects::release(tx, id, projects::Cause::default()).await?;
    audit::append(tx, op, about(&environment, "environment.discarded")).await?;
    if providers::leaves_plans(&environment.template.provider) {
        discard_plan(tx, op, &environment).await?;
    }
    Ok(())
}

/// Queues the run that removes what planning left at the target. It waits in the environment's lane for
/// a plan that is still being made.
async fn discard_plan(tx: &mut Tx, op: &Op, environment: &Environment) -> Result<(), Error> {
    let labels = catalog::worker_labels(tx, environment.template.version_id).await?;
    let run = NewRun {
        id: RunId::new(op.clock(), op.entropy()),
        kind: discard_kind_of(&environment.template.provider),
        subject: environment.id.0,
        request: None,
        project: environment.project.id,
        label: format!("Discard the plan of {}", environment.name),
        priority: priority(op),
        // No place: a freeze of changes protects what is in use, and this never was.
        place: RunPlace {
            provider: environment.template.provider.clone(),
            target: environment.target.map(|target| target.0),
            place: None,
            labels,
        },
    };
    orchestrator::enqueue(tx, &run).await?;
    Ok(())
}
