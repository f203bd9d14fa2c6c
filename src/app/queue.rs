//! What an admin does to the queue: freezes, draining workers. The caller has the permit to.

use super::App;
use crate::base::Op;
use crate::base::id::FreezeId;
use crate::orchestrator::{self, Error, Event, NewFreeze};
use crate::policy::{Permit, ability};

impl App {
    /// Holds runs from now or later on.
    pub async fn set_freeze(
        &self,
        op: &Op,
        _: &Permit<ability::ManageQueue>,
        new: &NewFreeze,
    ) -> Result<FreezeId, Error> {
        let mut tx = self.db.begin().await?;
        let id = orchestrator::freeze(&mut tx, op, new).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Lets held runs go on.
    pub async fn lift_freeze(&self, op: &Op, _: &Permit<ability::ManageQueue>, id: FreezeId) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        orchestrator::lift_freeze(&mut tx, op, id).await?;
        tx.commit().await?;
        self.signals.send(Event::Queue);
        Ok(())
    }

    /// Tells a worker to take no more runs, or to take runs again.
    pub async fn drain_worker(
        &self,
        op: &Op,
        _: &Permit<ability::ManageQueue>,
        name: &str,
        drain: bool,
    ) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        orchestrator::drain_worker(&mut tx, op, name, drain).await?;
        tx.commit().await?;
        self.signals.send(Event::Queue);
        Ok(())
    }
}
