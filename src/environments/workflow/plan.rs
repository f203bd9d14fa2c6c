//! The steps `plan` and `guard`: what a run would do, and whether it may.
//!
//! A plan that was approved and that the provider can apply byte by byte is taken as it is. Other
//! providers find out at apply what to do: their plan is made again, and the guard compares it.

use super::job::step_error;
use super::{Shared, Work};
use crate::base::failpoint::reach;
use crate::environments::host::StepHost;
use crate::environments::plans;
use crate::orchestrator::{StepContext, StepError};
use crate::providers::{Job, Plan, PlanAction, Stream};

impl Shared {
    /// Makes the plan of the run, or takes the approved one.
    pub async fn plan(&self, context: &StepContext) -> Result<Vec<u8>, StepError> {
        let approved = match context.run.request {
            Some(request) => self.requests.approved_plan(&mut *context.db().acquire().await?, request).await?,
            None => None,
        };
        if let Some(plan) = approved.filter(|plan| plan.artifact.is_some()) {
            let line = format!("Taking the approved plan {}. {}", plan.digest().short(), in_words(&plan));
            context.log(Stream::Paddock, &line).await?;
            return self.seal_plan(context, &plan);
        }
        let job = self.job(context).await?;
        self.make_plan(context, &job, &self.host(context)).await
    }

    /// Asks the provider what it would do.
    pub async fn make_plan(&self, context: &StepContext, job: &Job, host: &StepHost<'_>) -> Result<Vec<u8>, StepError> {
        reach("provider.call");
        let plan = self.provider.plan(job, host).await.map_err(step_error)?;
        reach("provider.answered");
        context.log(Stream::Paddock, &in_words(&plan)).await?;
        self.seal_plan(context, &plan)
    }

    fn seal_plan(&self, context: &StepContext, plan: &Plan) -> Result<Vec<u8>, StepError> {
        plans::seal(&context.op, &self.sealer, context.run.id, plan).map_err(StepError::internal)
    }

    /// Nothing goes on that is not what was approved, or that policy refuses by now (I6).
    pub async fn guard(&self, context: &StepContext) -> Result<Vec<u8>, StepError> {
        let Some(request) = context.run.request else { return Ok(Vec::new()) };
        let job = self.job(context).await?;
        let nothing = Plan::default();
        let work = Work { digest: Self::digest(&job), plan: job.plan.as_deref().unwrap_or(&nothing) };
        let mut connection = context.db().acquire().await?;
        match self.requests.guard(&mut connection, request, work).await? {
            Ok(()) => Ok(Vec::new()),
            Err(words) => Err(StepError::Failed(words)),
        }
    }
}

/// `Plan: 2 to create, 1 to change.`
fn in_words(plan: &Plan) -> String {
    let count = |action: PlanAction| plan.changes.iter().filter(|change| change.action == action).count();
    let parts: Vec<String> = [
        (PlanAction::Create, "to create"),
        (PlanAction::Change, "to change"),
        (PlanAction::Replace, "to replace"),
        (PlanAction::Destroy, "to destroy"),
    ]
    .into_iter()
    .filter(|(action, _)| count(*action) > 0)
    .map(|(action, words)| format!("{} {words}", count(action)))
    .collect();
    if parts.is_empty() { "Plan: nothing to change.".to_owned() } else { format!("Plan: {}.", parts.join(", ")) }
}
