//! Plans before approval: asked for, made by a run that writes nothing, bound to by reviews.

use serde_json::json;

use super::store::{plans, requests, reviews};
use super::{BUDGET_RULE, Error, PlanProgress, ProgressedRequirement, Request, RequestStatus, Sink, carry_out};
use crate::audit::{self, Outcome};
use crate::base::id::{EnvironmentId, RequestId, RunId};
use crate::base::{Digest, Op};
use crate::catalog::{self, TemplateVersion};
use crate::db::{Connection, Tx};
use crate::environments::{self, Operation, Planned, Wish, Work};
use crate::policy::{self, Escalation};
use crate::providers::{Plan, PlanAction};

/// Whether approvers must see what would be done. A new end of life changes nothing at the target, and
/// a power operation or an action says by its name what it does.
fn is_planned(operation: Operation) -> bool {
    match operation {
        Operation::Create | Operation::Update | Operation::Delete => true,
        Operation::Extend
        | Operation::Start
        | Operation::Stop
        | Operation::Hibernate
        | Operation::Restart
        | Operation::Act => false,
    }
}

/// Queues the run that plans a request.
pub async fn ask(
    tx: &mut Tx,
    op: &Op,
    id: RequestId,
    operation: Operation,
    environment: EnvironmentId,
    version: &TemplateVersion,
) -> Result<(), Error> {
    if is_planned(operation) {
        let run = environments::plan(tx, op, environment, operation, version, id).await?;
        plans::set_run(tx, id, run).await?;
    }
    Ok(())
}

/// Plans a request again whose plan could not be made.
pub async fn again(tx: &mut Tx, op: &Op, request: &Request) -> Result<RunId, Error> {
    let plan = plans::of(tx, &[request.id]).await?.remove(&request.id);
    match plan.map(|plan| plan.progress) {
        Some(PlanProgress::Failed { .. }) => {}
        Some(PlanProgress::Queued | PlanProgress::Planning) => {
            return Err(Error::WrongStatus("its plan is being made already"));
        }
        Some(PlanProgress::Made { .. }) | None => {
            return Err(Error::WrongStatus("it waits for approval; there is nothing to retry"));
        }
    }
    let run = renew(tx, op, request).await?;
    audit::append(tx, op, carry_out::about(request, "request.retried").run(run)).await?;
    Ok(run)
}

async fn renew(tx: &mut Tx, op: &Op, request: &Request) -> Result<RunId, Error> {
    let environment = request.environment.ok_or(Error::NotFound)?;
    let version = catalog::get_version(tx, request.version_id).await?;
    let run = environments::plan(tx, op, environment, request.operation, &version, request.id).await?;
    plans::set_run(tx, request.id, run).await?;
    // What was approved was another plan: everybody is asked from the first step on.
    let requirements = reviews::requirements(tx, request.id).await?;
    reviews::keep_awaited(tx, request.id, &requirements).await?;
    Ok(run)
}

/// What a review binds to. The run is a part of it, so that whoever is asked again answers again.
pub fn binding(asked: Digest, run: RunId, parts: &Parts, requirements: &[ProgressedRequirement]) -> Digest {
    let approver = |one: &ProgressedRequirement| {
        let ladder: Vec<&Escalation> = one.escalation.iter().map(|rung| &rung.rule).collect();
        let by = one.by.to_string();
        match (one.step, ladder.as_slice()) {
            // As it was before there were steps and ladders: what was approved then stays so.
            (1, []) => json!([one.rule_id, by, one.count]),
            (step, []) => json!([one.rule_id, by, one.count, step]),
            (step, ladder) => json!([one.rule_id, by, one.count, step, ladder]),
        }
    };
    let approvers: Vec<_> = requirements.iter().map(approver).collect();
    Digest::of_json(&json!({
        "asked": asked,
        "run": run,
        "plan": parts.plan,
        "work": parts.work,
        "policy": parts.policy,
        "approvers": approvers,
    }))
}

/// What of a binding is found out when it is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// The plan, with the provider's own bytes.
    pub plan: Digest,
    /// Template, inputs and place.
    pub work: Digest,
    /// The policy set.
    pub policy: Digest,
}

impl Sink {
    pub(super) async fn wished(&self, connection: &mut Connection, id: RequestId) -> Result<Option<Wish>, Error> {
        let found = requests::find(connection, id).await?;
        let Some(request) = found.filter(|one| one.status == RequestStatus::AwaitingApproval) else {
            return Ok(None);
        };
        let change = match request.operation {
            Operation::Create => Some(carry_out::change_of(connection, &self.sealer, &request).await?),
            Operation::Update => {
                let mut change = carry_out::change_of(connection, &self.sealer, &request).await?;
                // As it will be once the change is written.
                change.generation += 1;
                Some(change)
            }
            Operation::Delete => None,
            Operation::Extend
            | Operation::Start
            | Operation::Stop
            | Operation::Hibernate
            | Operation::Restart
            | Operation::Act => return Ok(None),
        };
        Ok(Some(Wish { operation: request.operation, change }))
    }

    pub(super) async fn take_plan(
        &self,
        tx: &mut Tx,
        op: &Op,
        id: RequestId,
        run: RunId,
        planned: Planned<'_>,
    ) -> Result<(), Error> {
        let request = requests::lock(tx, id).await?.ok_or(Error::NotFound)?;
        let waits = request.status == RequestStatus::AwaitingApproval && request.plan_run == Some(run);
        let entry = carry_out::about(&request, "request.planned").run(run);
        let entry = match planned {
            Planned::Made(work) if waits => {
                let detail = self.keep(tx, op, &request, run, work).await?;
                entry.detail(detail)
            }
            Planned::Made(_) => entry.outcome(Outcome::Failed).detail(json!({"error": "it does not wait any more"})),
            Planned::Not(error) => entry.outcome(Outcome::Failed).detail(json!({"error": error})),
        };
        audit::append(tx, op, entry).await?;
        Ok(())
    }

    async fn keep(
        &self,
        tx: &mut Tx,
        op: &Op,
        request: &Request,
        run: RunId,
        work: Work<'_>,
    ) -> Result<serde_json::Value, Error> {
        let parts = Parts { plan: work.plan.digest(), work: work.digest, policy: self.policy.digest() };
        let corrupt = |_| crate::db::Error::Corrupt("plan");
        let plain = serde_json::to_vec(work.plan).map_err(corrupt)?;
        let sealed = self.sealer.seal(op.entropy(), &place(run), &plain).map_err(environments::Error::from)?;
        let new = plans::NewPlan {
            run,
            request: request.id,
            changes: serde_json::to_value(&work.plan.changes).map_err(corrupt)?,
            sealed: &sealed,
            plan: parts.plan,
            work: parts.work,
            policy: parts.policy,
        };
        plans::insert(tx, &new).await?;
        let requirements = reviews::requirements(tx, request.id).await?;
        plans::bind(tx, request.id, binding(request.digest, run, &parts, &requirements)).await?;
        let count = |action| work.plan.changes.iter().filter(|change| change.action == action).count();
        Ok(json!({
            "plan_digest": parts.plan,
            "policy_digest": parts.policy,
            "create": count(PlanAction::Create),
            "change": count(PlanAction::Change),
            "replace": count(PlanAction::Replace),
            "destroy": count(PlanAction::Destroy),
        }))
    }

    pub(super) async fn open_plan(&self, connection: &mut Connection, run: RunId) -> Result<Option<Plan>, Error> {
        let Some(stored) = plans::find(connection, run).await? else { return Ok(None) };
        let plain = self.sealer.open(&place(run), &stored.sealed).map_err(environments::Error::from)?;
        let plan = serde_json::from_slice(&plain).map_err(|_| crate::db::Error::Corrupt("plan"))?;
        Ok(Some(plan))
    }

    /// What it was about to do is not what was approved: it is planned anew, and asks anew, by the
    /// policy of now. False when policy does not want it any more.
    pub(super) async fn ask_again(&self, tx: &mut Tx, op: &Op, request: &Request, why: &str) -> Result<bool, Error> {
        let stored = policy::find_decision(tx, request.decision_id).await?;
        let mut question = stored.ok_or(crate::db::Error::Corrupt("decision"))?.question;
        question.context.at = Some(op.now());
        let now = self.policy.decide(&question);
        match now.outcome {
            policy::Outcome::Denied => return Ok(false),
            // It has asked for an approval once, and keeps to that.
            policy::Outcome::Allowed => {}
            policy::Outcome::NeedsApproval => {
                let decision = policy::record(tx, op, &question, &now).await?;
                requests::set_decision(tx, request.id, decision).await?;
                reviews::forget_requirements(tx, request.id, BUDGET_RULE).await?;
                reviews::insert_requirements(tx, op, request.id, &now.requirements).await?;
            }
        }
        carry_out::finish(tx, op, request, request.status, RequestStatus::AwaitingApproval, Some(why)).await?;
        plans::restart_time(tx, request.id, self.approval_time).await?;
        renew(tx, op, request).await?;
        Ok(true)
    }
}

fn place(run: RunId) -> String {
    format!("request_plan/{run}")
}
