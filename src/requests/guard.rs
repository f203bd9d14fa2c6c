//! The guard: what a run is about to do must be what was approved, by policy as it is now (I6).

use super::plan::{Parts, binding};
use super::store::{plans, requests, reviews};
use super::{BUDGET_RULE, Error, ProgressedRequirement, Request, Sink};
use crate::base::Digest;
use crate::base::id::{RequestId, RunId};
use crate::db::{self, Connection};
use crate::environments::Work;
use crate::policy::{self, Outcome};

impl Sink {
    /// Why the run must not go on, in words; nothing when it may.
    pub(super) async fn refusal(
        &self,
        connection: &mut Connection,
        id: RequestId,
        work: Work<'_>,
    ) -> Result<Option<String>, Error> {
        let request = requests::find(connection, id).await?.ok_or(Error::NotFound)?;
        let stored = policy::find_decision(connection, request.decision_id).await?;
        // One set says both what is allowed and what its digest is.
        let policy = self.policy.now();
        let mut question = stored.ok_or(db::Error::Corrupt("decision"))?.question;
        // It begins now, whenever it was asked for.
        question.context.at = Some(requests::now(connection).await?);
        let now = policy.decide(&question);
        let requirements = reviews::requirements(connection, id).await?;
        if now.outcome == Outcome::Denied {
            return Ok(Some(format!("Policy does not allow it any more. {}", now.sentence)));
        }
        if let Some(run) = request.plan_run {
            return self.compare(connection, &request, (run, policy.digest()), work, &requirements).await;
        }
        if !requirements.iter().all(ProgressedRequirement::is_satisfied) {
            return Ok(Some("Nothing was done: an approval does not count any more. Ask again.".to_owned()));
        }
        // A system's request and one that was allowed at once need nobody.
        let by_budget = |one: &ProgressedRequirement| one.rule_id == BUDGET_RULE;
        let unasked = now.outcome == Outcome::NeedsApproval && requirements.iter().all(by_budget);
        Ok(unasked.then(|| format!("Policy has changed since it was asked for. {} Ask again.", now.sentence)))
    }

    async fn compare(
        &self,
        connection: &mut Connection,
        request: &Request,
        (run, policy): (RunId, Digest),
        work: Work<'_>,
        requirements: &[ProgressedRequirement],
    ) -> Result<Option<String>, Error> {
        let Some(approved) = plans::find(connection, run).await? else {
            return Ok(Some(refused("there is no plan that was approved")));
        };
        let parts = Parts { plan: work.plan.digest(), work: work.digest, policy };
        let why = if parts.work != approved.work {
            "the inputs, the template or the target are not those that were approved"
        } else if parts.plan != approved.plan {
            "the plan is not the one that was approved"
        } else if parts.policy != approved.policy {
            "the policy has changed since it was approved"
        } else if request.approval_digest != Some(binding(request.digest, run, &parts, requirements)) {
            "what was asked for, or who must agree, is not what it was when it was approved"
        } else if requirements.is_empty() || !requirements.iter().all(ProgressedRequirement::is_satisfied) {
            "an approval does not count any more: not everybody who gave one may still do so"
        } else {
            return Ok(None);
        };
        Ok(Some(refused(why)))
    }
}

fn refused(why: &str) -> String {
    format!("Nothing was done: {why}. It is planned anew, and needs a new approval.")
}
