//! What an admin does to the queue: freezes, draining workers, limits of targets. The caller has the permit to.

use super::App;
use crate::base::Op;
use crate::base::id::{CircuitId, FreezeId, TargetId};
use crate::db;
use crate::orchestrator::{self, Error, Event, NewFreeze};
use crate::policy::{Permit, ability};
use crate::projects::{self, TargetLimits};

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

    /// Closes a circuit: runs go on at its target.
    pub async fn close_circuit(&self, op: &Op, _: &Permit<ability::ManageQueue>, id: CircuitId) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        orchestrator::close_circuit(&mut tx, op, id).await?;
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

    /// Sets how many runs of a target may be at work, and what a worker must have for them.
    /// `None`: there is no such target.
    pub async fn limit_target(
        &self,
        op: &Op,
        _: &Permit<ability::ManageQueue>,
        id: TargetId,
        run_limit: Option<i32>,
        labels: &[String],
    ) -> db::Result<Option<TargetLimits>> {
        let mut tx = self.db.begin().await?;
        let target = projects::limit_target(&mut tx, op, id, run_limit, labels).await?;
        tx.commit().await?;
        self.signals.send(Event::Queue);
        Ok(target)
    }
}
