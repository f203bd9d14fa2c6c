//! Removes what the plan of a create left at the target when the create was rejected, withdrawn or
//! lapsed: prepare → destroy → verify that it is gone. The environment is deleted already, and stays so.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::json;

use super::Shared;
use crate::audit::{Entry, Outcome};
use crate::base::Op;
use crate::db::Tx;
use crate::environments::State;
use crate::environments::service::about;
use crate::orchestrator::{Ending, Run, StepContext, StepError, Workflow};
use crate::providers::Stream;

/// The workflow of discarding a plan.
pub struct DiscardPlan(pub Shared);

#[async_trait]
impl Workflow for DiscardPlan {
    fn steps(&self) -> &'static [&'static str] {
        &["prepare", "destroy", "verify gone"]
    }

    async fn started(&self, _: &mut Tx, _: &Op, _: &Run) -> crate::db::Result<()> {
        Ok(())
    }

    async fn step(&self, context: &StepContext, name: &str) -> Result<Vec<u8>, StepError> {
        match name {
            "prepare" => self.prepare(context).await,
            "destroy" => self.0.destroy(context).await,
            _ => self.0.verify_gone(context).await,
        }
    }

    async fn settle(
        &self,
        tx: &mut Tx,
        _: &Op,
        run: &Run,
        ending: &Ending,
        _: &BTreeMap<String, Vec<u8>>,
    ) -> crate::db::Result<Vec<Entry>> {
        let environment = self.0.environment(tx, run).await?;
        let outcome = if *ending == Ending::Succeeded { Outcome::Succeeded } else { Outcome::Failed };
        let detail = json!({"attempt": run.attempt, "error": ending.error(), "step": ending.step()});
        Ok(vec![about(&environment, "environment.plan_discarded").run(run.id).outcome(outcome).detail(detail)])
    }
}

impl DiscardPlan {
    async fn prepare(&self, context: &StepContext) -> Result<Vec<u8>, StepError> {
        let job = self.0.job(context).await?;
        let mut connection = context.db().acquire().await?;
        let environment = self.0.environment(&mut connection, &context.run).await?;
        drop(connection);
        // Nothing but a plan was ever made for one that was never carried out.
        if environment.state != State::Deleted || environment.ready_at.is_some() {
            return Err(StepError::internal("a plan to discard of an environment that was made"));
        }
        let line = format!(
            "Removing what the plan of {} in {} ({}) left: it was not carried out",
            job.environment_name, job.project, job.environment_type
        );
        context.log(Stream::Paddock, &line).await?;
        Ok(Vec::new())
    }
}
