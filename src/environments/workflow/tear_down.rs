//! Delete: prepare → plan → guard → destroy → verify that it is gone, then the environment is deleted.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::Shared;
use super::job::step_error;
use crate::audit::Entry;
use crate::base::Op;
use crate::base::failpoint::reach;
use crate::db::Tx;
use crate::orchestrator::{Ending, Run, StepContext, StepError, Workflow};
use crate::providers::Stream;

/// The workflow of delete.
pub struct TearDown(pub Shared);

#[async_trait]
impl Workflow for TearDown {
    fn steps(&self) -> &'static [&'static str] {
        &["prepare", "plan", "guard", "destroy", "verify gone"]
    }

    async fn started(&self, tx: &mut Tx, op: &Op, run: &Run) -> crate::db::Result<()> {
        self.0.started(tx, op, run).await
    }

    async fn step(&self, context: &StepContext, name: &str) -> Result<Vec<u8>, StepError> {
        match name {
            "prepare" => self.0.prepare(context).await,
            "plan" => self.0.plan(context).await,
            "guard" => self.0.guard(context).await,
            "destroy" => {
                let job = self.0.job(context).await?;
                self.0.look_first(context, &job).await?;
                reach("provider.call");
                let outcome = self.0.provider.destroy(&job, &self.0.host(context)).await;
                Shared::effect(outcome)
            }
            _ => self.verify(context).await,
        }
    }

    async fn settle(
        &self,
        tx: &mut Tx,
        op: &Op,
        run: &Run,
        ending: &Ending,
        _: &BTreeMap<String, Vec<u8>>,
    ) -> crate::db::Result<Vec<Entry>> {
        self.0.settle_tear_down(tx, op, run, ending).await
    }
}

impl TearDown {
    /// Never “deleted” without a look: what is still there is named.
    async fn verify(&self, context: &StepContext) -> Result<Vec<u8>, StepError> {
        let job = self.0.job(context).await?;
        reach("provider.call");
        let left = self.0.provider.read_back(&job, &self.0.host(context)).await.map_err(step_error)?;
        reach("provider.answered");
        if left.is_empty() {
            context.log(Stream::Paddock, "Nothing is left.").await?;
            return Ok(Vec::new());
        }
        let names: Vec<&str> = left.iter().map(|resource| resource.address.as_str()).collect();
        Err(StepError::Retryable(format!("Still there after destroy: {}", names.join(", "))))
    }
}
