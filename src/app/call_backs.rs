//! What somebody else says of the work of a run.

use super::App;
use crate::base::Op;
use crate::environments::{self, Error, Reception};
use crate::orchestrator::Event;
use crate::providers::Report;

impl App {
    /// Whether anybody was given this token. Nothing of what comes with another one is read.
    pub async fn knows_call_back(&self, token: &str) -> Result<bool, Error> {
        environments::knows_call_back(&mut *self.db.acquire().await?, token).await
    }

    /// Takes a call-back, and wakes the worker that waits for it.
    pub async fn take_call_back(&self, op: &Op, token: &str, report: &Report) -> Result<Reception, Error> {
        let mut tx = self.db.begin().await?;
        let reception = environments::take_call_back(&mut tx, op, &self.sealer, token, report).await?;
        tx.commit().await?;
        if let Reception::Taken(run) = reception {
            self.signals.send(Event::Run(run));
        }
        Ok(reception)
    }
}
