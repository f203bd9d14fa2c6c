//! What somebody does to the schedule of an environment. The caller has the permit to start and stop it.

use jiff::SignedDuration;

use super::App;
use crate::base::Op;
use crate::environments::{self, Error, Schedule};
use crate::policy::{Permit, ability};

impl App {
    /// Sets when it stops and starts by itself; nothing with `None`.
    pub async fn set_schedule(
        &self,
        op: &Op,
        permit: &Permit<ability::PowerEnvironment>,
        schedule: Option<&Schedule>,
    ) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        environments::set_schedule(&mut tx, op, permit, schedule).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Lets the next stop of the schedule pass.
    pub async fn skip_stop(&self, op: &Op, permit: &Permit<ability::PowerEnvironment>) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        environments::skip_stop(&mut tx, op, permit).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Puts the next stop off.
    pub async fn delay_stop(
        &self,
        op: &Op,
        permit: &Permit<ability::PowerEnvironment>,
        by: SignedDuration,
    ) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        environments::delay_stop(&mut tx, op, permit, by).await?;
        tx.commit().await?;
        Ok(())
    }
}
