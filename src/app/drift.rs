//! Checks for drift, as people and the reconciler ask for them, and handing environments over.

use std::time::Duration;

use super::App;
use crate::base::Op;
use crate::base::id::RunId;
use crate::environments::{self, Environment, Error};
use crate::orchestrator::Event;
use crate::policy::{Permit, ability};

impl App {
    /// Compares an environment with what its last run left, as soon as a worker is free.
    pub async fn check_drift(&self, op: &Op, permit: &Permit<ability::CheckDrift>) -> Result<RunId, Error> {
        let mut tx = self.db.begin().await?;
        let run = environments::drift::check(&mut tx, op, permit).await?;
        tx.commit().await?;
        self.signals.send(Event::Queue);
        Ok(run)
    }

    /// Accepts what differs, as the person has seen it.
    pub async fn accept_drift(
        &self,
        op: &Op,
        permit: &Permit<ability::AcceptDrift>,
        seen: &str,
        reason: &str,
    ) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        environments::drift::accept(&mut tx, op, permit, seen, reason).await?;
        Ok(tx.commit().await?)
    }

    /// Gives an environment to another member of its project.
    pub async fn hand_over(
        &self,
        op: &Op,
        permit: &Permit<ability::HandOver>,
        login: &str,
        reason: &str,
    ) -> Result<Environment, Error> {
        let mut tx = self.db.begin().await?;
        let environment = environments::hand_over(&mut tx, op, permit, login, reason).await?;
        tx.commit().await?;
        Ok(environment)
    }

    /// Asks for the checks that are due. Returns how many.
    pub async fn check_due_drift(&self, op: &Op, period: Duration) -> Result<usize, Error> {
        let asked = environments::drift::check_due(&self.db, op, period).await?;
        if asked > 0 {
            self.signals.send(Event::Queue);
        }
        Ok(asked)
    }
}
