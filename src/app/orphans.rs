//! Looks targets over for what nobody owns, and does with it what an admin says.
//!
//! Targets are asked between two transactions and never inside one; what a look tells of a failure is
//! masked before it is kept.

use std::time::Duration;

use super::App;
use crate::base::Op;
use crate::base::id::{OrphanId, RunId, TargetId};
use crate::base::mask::Masks;
use crate::environments::{Error, orphans};
use crate::orchestrator::Event;
use crate::policy::{Permit, ability};
use crate::providers::Inventory;

/// How long the look at one target may take.
const LOOK: Duration = Duration::from_mins(1);
/// The longest reason of a failed look, in characters.
const LONGEST: usize = 600;

impl App {
    /// Looks over the targets whose turn it is. Returns how many orphans are new. A period of zero looks
    /// at none.
    pub async fn find_orphans(&self, op: &Op, period: Duration) -> Result<usize, Error> {
        if period.is_zero() {
            return Ok(0);
        }
        let mut fresh = 0;
        loop {
            let turn = orphans::take_turn(&mut *self.db.acquire().await?, period).await?;
            let Some((target, began)) = turn else { return Ok(fresh) };
            let found = self.inventory(target).await;
            let mut tx = self.db.begin().await?;
            fresh += orphans::settle(&mut tx, op, target, began, found).await?;
            tx.commit().await?;
        }
    }

    async fn inventory(&self, id: TargetId) -> Result<Inventory, String> {
        let (stored, target) = self.opened(id).await.map_err(|error| error.to_string())?;
        let Some(provider) = self.providers.find(&stored.provider) else {
            return Ok(Inventory::CannotTell(format!("No worker here has the provider {}.", stored.provider)));
        };
        let secrets = Masks::of(target.secret_texts());
        let clean = |text: String| secrets.hide(text.chars().filter(|c| !c.is_control()).collect(), LONGEST);
        match tokio::time::timeout(LOOK, provider.inventory(&target)).await {
            Ok(Ok(Inventory::CannotTell(reason))) => Ok(Inventory::CannotTell(clean(reason))),
            Ok(Ok(listed)) => Ok(listed),
            Ok(Err(error)) => Err(clean(error.to_string())),
            Err(_) => Err(format!("The target did not answer within {} s.", LOOK.as_secs())),
        }
    }

    /// Lets every target be looked over as soon as a worker comes to it.
    pub async fn look_for_orphans(&self, permit: &Permit<ability::ManageOrphans>) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        orphans::hurry(&mut tx, permit).await?;
        Ok(tx.commit().await?)
    }

    /// Gives an orphan back to the environment that its mark names.
    pub async fn adopt_orphan(
        &self,
        op: &Op,
        permit: &Permit<ability::ManageOrphans>,
        id: OrphanId,
        reason: &str,
    ) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        orphans::adopt(&mut tx, op, permit, id, reason).await?;
        Ok(tx.commit().await?)
    }

    /// Lets a run remove an orphan for good.
    pub async fn destroy_orphan(
        &self,
        op: &Op,
        permit: &Permit<ability::ManageOrphans>,
        id: OrphanId,
        reason: &str,
    ) -> Result<RunId, Error> {
        let mut tx = self.db.begin().await?;
        let run = orphans::destroy(&mut tx, op, permit, id, reason).await?;
        tx.commit().await?;
        self.signals.send(Event::Queue);
        Ok(run)
    }
}
