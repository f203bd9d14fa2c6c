//! What an admin does with budgets. The caller has the permit to.

use super::App;
use crate::base::Op;
use crate::cost::{self, Budget, BudgetTerms, Error};
use crate::db;
use crate::policy::{Permit, ability};
use crate::projects::Project;

impl App {
    /// Gives a project a budget. `generation`: it must not have changed since; 0: there must be none.
    pub async fn set_budget(
        &self,
        op: &Op,
        permit: &Permit<ability::ManageQuotas>,
        project: &Project,
        generation: Option<i64>,
        terms: &BudgetTerms,
    ) -> Result<Budget, Error> {
        let mut tx = self.db.begin().await?;
        let set = cost::set_budget(&mut tx, op, permit, (project.id, &project.slug), generation, terms).await?;
        tx.commit().await?;
        Ok(set)
    }

    /// Takes the budget of a project away.
    pub async fn remove_budget(
        &self,
        op: &Op,
        permit: &Permit<ability::ManageQuotas>,
        project: &Project,
    ) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        cost::remove_budget(&mut tx, op, permit, (project.id, &project.slug)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Writes down that somebody wanted to do this to a budget and may not.
    pub async fn record_refused_budget(&self, op: &Op, action: &'static str, project: &str) -> db::Result<()> {
        let mut tx = self.db.begin().await?;
        cost::record_budget_refusal(&mut tx, op, action, project).await?;
        tx.commit().await
    }
}
