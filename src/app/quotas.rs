//! What an admin does with quotas. The caller has the permit to.

use super::App;
use crate::base::Op;
use crate::base::id::QuotaId;
use crate::db;
use crate::orchestrator::Event;
use crate::policy::{Permit, ability};
use crate::projects::{self, Error, ListedQuota, NewQuota, QuotaTerms};

impl App {
    /// Makes a quota.
    pub async fn add_quota(
        &self,
        op: &Op,
        permit: &Permit<ability::ManageQuotas>,
        new: &NewQuota,
    ) -> Result<ListedQuota, Error> {
        let mut tx = self.db.begin().await?;
        let made = projects::add_quota(&mut tx, op, permit, new).await?;
        tx.commit().await?;
        self.signals.send(Event::Queue);
        Ok(made)
    }

    /// Gives a quota other terms. `generation`: it must not have changed since.
    pub async fn change_quota(
        &self,
        op: &Op,
        permit: &Permit<ability::ManageQuotas>,
        (id, generation): (QuotaId, Option<i64>),
        terms: QuotaTerms,
    ) -> Result<ListedQuota, Error> {
        let mut tx = self.db.begin().await?;
        let changed = projects::change_quota(&mut tx, op, permit, (id, generation), terms).await?;
        tx.commit().await?;
        self.signals.send(Event::Queue);
        Ok(changed)
    }

    /// Removes a quota: nothing holds there any more, but what others say.
    pub async fn remove_quota(
        &self,
        op: &Op,
        permit: &Permit<ability::ManageQuotas>,
        id: QuotaId,
    ) -> Result<ListedQuota, Error> {
        let mut tx = self.db.begin().await?;
        let gone = projects::remove_quota(&mut tx, op, permit, id).await?;
        tx.commit().await?;
        // Who waits in line may have room now.
        self.signals.send(Event::Queue);
        Ok(gone)
    }

    /// Writes down that somebody wanted to do this to a quota and may not.
    pub async fn record_refused_quota(&self, op: &Op, action: &'static str, quota: &str) -> db::Result<()> {
        let mut tx = self.db.begin().await?;
        projects::record_quota_refusal(&mut tx, op, action, quota).await?;
        tx.commit().await
    }
}
