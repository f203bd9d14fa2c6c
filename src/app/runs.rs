//! What a person does to a run, where it needs the workflows of this process.

use super::App;
use crate::base::Op;
use crate::base::id::{EnvironmentId, RunId};
use crate::orchestrator::{self, Error, Event, Run};
use crate::policy::{Permit, ability};

impl App {
    /// Asks for a run to be stopped. The permit is for the run's environment.
    pub async fn cancel_run(&self, op: &Op, permit: &Permit<ability::CancelRun>, id: RunId) -> Result<Run, Error> {
        let mut tx = self.db.begin().await?;
        let run = orchestrator::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
        if permit.resource() != EnvironmentId(run.subject).to_string() {
            return Err(Error::NotFound);
        }
        let workflow = self.workflows().all().remove(&run.kind);
        let workflow = workflow.ok_or_else(|| Error::UnknownKind(run.kind.clone()))?;
        let run = orchestrator::cancel(&mut tx, op, id, &workflow).await?;
        tx.commit().await?;
        self.signals.send(Event::Run(id));
        Ok(run)
    }
}
