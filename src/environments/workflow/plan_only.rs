//! Plan only: prepare → plan, for a request that waits for approval. Nothing is written to the
//! target, to the environment or to its provider state.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{Planned, Shared, Work};
use crate::audit::Entry;
use crate::base::failpoint::reach;
use crate::base::{Digest, Op};
use crate::db::{Error, Tx};
use crate::environments::plans;
use crate::orchestrator::{Ending, Run, StepContext, StepError, Workflow};
use crate::providers::{Job, Stream};

/// The workflow of a plan. The operation is that of the request.
pub struct PlanOnly(pub Shared);

#[async_trait]
impl Workflow for PlanOnly {
    fn steps(&self) -> &'static [&'static str] {
        &["prepare", "plan"]
    }

    async fn started(&self, _: &mut Tx, _: &Op, _: &Run) -> crate::db::Result<()> {
        Ok(())
    }

    async fn step(&self, context: &StepContext, name: &str) -> Result<Vec<u8>, StepError> {
        let job = self.job(context).await?;
        let digest = Shared::digest(&job);
        if name == "prepare" {
            if let Err(reason) = self.0.provider.check().await {
                let name = self.0.provider.name();
                return Err(StepError::Failed(format!("This worker cannot run {name}: {reason}")));
            }
            let line = format!(
                "Planning: {} {} in {} ({}) with {}. Nothing is changed.",
                job.operation,
                job.environment_name,
                job.project,
                job.environment_type,
                self.0.provider.name()
            );
            context.log(Stream::Paddock, &line).await?;
            // The plan is made for exactly this.
            return Ok(digest.0.to_vec());
        }
        if context.checkpoint("prepare") != Some(&digest.0) {
            return Err(StepError::Failed("The request changed while it was planned. Plan again.".to_owned()));
        }
        self.0.make_plan(context, &job, &self.0.read_only_host(context)).await
    }

    async fn settle(
        &self,
        tx: &mut Tx,
        op: &Op,
        run: &Run,
        ending: &Ending,
        checkpoints: &BTreeMap<String, Vec<u8>>,
    ) -> crate::db::Result<Vec<Entry>> {
        let Some(request) = run.request else { return Ok(Vec::new()) };
        let error = match ending {
            Ending::Succeeded => {
                let digest = checkpoints.get("prepare").and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
                let blob = checkpoints.get(plans::STEP);
                let (Some(digest), Some(blob)) = (digest, blob) else {
                    return Err(Error::Corrupt("plan checkpoint"));
                };
                let plan = plans::open(&self.0.sealer, run.id, blob).map_err(|_| Error::Corrupt("plan checkpoint"))?;
                let made = Planned::Made(Work { digest: Digest(digest), plan: &plan });
                self.0.requests.planned(tx, op, request, run.id, made).await?;
                reach("request.told");
                return Ok(Vec::new());
            }
            Ending::Failed { error, .. } | Ending::Faulted { error } => error.as_str(),
            Ending::Canceled => "Canceled.",
        };
        self.0.requests.planned(tx, op, request, run.id, Planned::Not(error)).await?;
        reach("request.told");
        Ok(Vec::new())
    }
}

impl PlanOnly {
    async fn job(&self, context: &StepContext) -> Result<Job, StepError> {
        let request = context.run.request.ok_or_else(|| StepError::internal("a plan that nobody asked for"))?;
        let wish = self.0.requests.wish(&mut *context.db().acquire().await?, request).await?;
        match wish {
            Some(wish) => self.0.job_of(context, wish).await,
            None => Err(StepError::Failed("The request does not wait for approval any more.".to_owned())),
        }
    }
}
