//! Submit: from a draft to a request, in one transaction.

use serde_json::{Value, json};

use super::resolve::{Resolved, resolve};
use super::store::{budgets, estimates, requests, reviews};
use super::{Caller, Draft, Error, RequestStatus, Requests, Shortage, Submitted, carry_out, cost, line, plan, quota};
use crate::audit::{self, Entry, Object, Outcome as Ended};
use crate::base::id::{DecisionId, EnvironmentId, RequestId};
use crate::base::{Digest, FieldError, Op};
use crate::cost::{BudgetCheck, Estimate};
use crate::db::Tx;
use crate::environments::{self, NewEnvironment};
use crate::orchestrator::Event;
use crate::policy::{self, Decision, Effect, Outcome, Rule};
use crate::projects::{self, Full};

/// The rule that stands for a full quota in a decision.
pub const QUOTA_RULE: &str = "quota";

impl Requests {
    /// Submits `draft`. With a `key`, a repetition of the same draft gives the first request again.
    ///
    /// A refusal by policy, by a budget or by a full quota is a request too: it is recorded with status `denied`.
    /// Where the quotas that are full let wait, it waits in line.
    pub async fn submit(
        &self,
        op: &Op,
        caller: Caller<'_>,
        draft: &Draft,
        key: Option<&str>,
    ) -> Result<Submitted, Error> {
        let key = key.map(str::trim).filter(|key| !key.is_empty());
        if key.is_some_and(|key| key.len() > 255) {
            return Err(Error::Invalid(vec![FieldError::new(
                "/idempotency_key",
                "must be at most 255 characters long",
            )]));
        }
        let body = draft_digest(draft);
        let keyed = Keyed { key, body };
        match self.attempt(op, caller, draft, keyed, None).await {
            // The reservation found no room: everything is rolled back, and it is refused or waits in line.
            Err(Error::Projects(projects::Error::QuotaFull(full))) => {
                self.attempt(op, caller, draft, keyed, Some(full)).await
            }
            other => other,
        }
    }

    async fn attempt(
        &self,
        op: &Op,
        caller: Caller<'_>,
        draft: &Draft,
        keyed: Keyed<'_>,
        full: Option<Vec<Full>>,
    ) -> Result<Submitted, Error> {
        let mut tx = self.db.begin().await?;
        if let (Some(key), Some(person)) = (keyed.key, caller.person())
            && let Some((id, before)) = requests::with_key(&mut tx, person, key).await?
        {
            return if before == keyed.body {
                Ok(Submitted { id, decision: None, estimate: None })
            } else {
                Err(Error::KeyReused)
            };
        }
        let submitted = self.submit_in(&mut tx, op, caller, draft, keyed, full).await?;
        tx.commit().await?;
        self.signals.send(Event::Queue);
        Ok(submitted)
    }

    /// The same in a transaction that does more. A full quota is an error.
    pub(super) async fn submit_in(
        &self,
        tx: &mut Tx,
        op: &Op,
        caller: Caller<'_>,
        draft: &Draft,
        keyed: Keyed<'_>,
        full: Option<Vec<Full>>,
    ) -> Result<Submitted, Error> {
        let resolved = resolve(tx, &self.sealer, draft).await?;
        if !resolved.errors.is_empty() {
            return Err(Error::Invalid(resolved.errors));
        }
        let cost = cost::of(tx, op, &resolved).await?;
        let mut decision = self.decide(op, caller, &resolved, &cost);
        let full = full.unwrap_or_default();
        let waits = line::waits(caller, &full);
        if !full.is_empty() && !waits {
            let shortages = self.shortages(tx, op, caller, &full).await?;
            deny_for_quota(&mut decision, shortages);
        }
        let held = self.hold_against_budget(tx, op, caller, &resolved, &mut decision, true).await?;
        let question = resolved.question(op, caller, &cost);
        let decision_id = policy::record(tx, op, &question, &decision).await?;
        let id = RequestId::new(op.clock(), op.entropy());
        let estimate = cost.estimate().cloned();
        let budget = held.as_ref().map(|held| &held.check);
        let status = match decision.outcome {
            Outcome::Denied => RequestStatus::Denied,
            Outcome::NeedsApproval | Outcome::Allowed if waits => RequestStatus::AwaitingQuota,
            Outcome::NeedsApproval => RequestStatus::AwaitingApproval,
            Outcome::Allowed => RequestStatus::Approved,
        };
        let stored = Stored { id, status, decision_id, keyed, estimate: estimate.as_ref(), budget, full: &full };
        self.store(tx, op, caller, &resolved, &decision, &stored).await?;
        Ok(Submitted { id, decision: Some(decision), estimate })
    }

    async fn store(
        &self,
        tx: &mut Tx,
        op: &Op,
        caller: Caller<'_>,
        resolved: &Resolved,
        decision: &Decision,
        stored: &Stored<'_>,
    ) -> Result<(), Error> {
        let status = stored.status;
        let environment = match (&resolved.environment, status) {
            (Some(environment), _) => Some(environment.id),
            (None, RequestStatus::Denied) => None,
            (None, _) => Some(self.create_environment(tx, op, caller, resolved).await?),
        };
        let place = carry_out::secrets_place(stored.id);
        let secrets = match status {
            RequestStatus::Denied => None,
            _ => environments::seal_secret_inputs(op, &self.sealer, &place, &resolved.secret_inputs)?,
        };
        let new = requests::NewRequest {
            id: stored.id,
            caller,
            resolved,
            status,
            environment,
            decision: stored.decision_id,
            secrets: secrets.as_deref(),
            key: stored.keyed.key,
            body: stored.keyed.body,
            lapses_in: matches!(status, RequestStatus::AwaitingQuota | RequestStatus::AwaitingApproval)
                .then_some(self.settings.approval_time),
        };
        requests::insert(tx, &new)
            .await
            .map_err(|error| if error.is_constraint("request_open") { Error::Busy(None) } else { error.into() })?;
        if let Some(estimate) = stored.estimate {
            estimates::insert(tx, stored.id, estimate).await?;
        }
        audit::append(tx, op, submitted_entry(resolved, decision, stored, environment)).await?;
        if let (RequestStatus::AwaitingQuota, Some(environment)) = (status, environment) {
            return line::line_up(tx, op, resolved, environment, (stored.id, stored.decision_id), stored.full).await;
        }
        if let Some(check) = stored.budget {
            budgets::insert(tx, stored.id, check).await?;
        }
        reviews::insert_requirements(tx, op, stored.id, &decision.requirements).await?;
        if let (RequestStatus::AwaitingApproval, Some(environment)) = (status, environment) {
            plan::ask(tx, op, stored.id, resolved.operation, environment, &resolved.version).await?;
        }
        let created = environment.filter(|_| resolved.environment.is_none());
        match (status, created) {
            // Nothing to restore and nothing to read again: it is as it was asked for.
            (RequestStatus::Approved, Some(created)) => {
                environments::begin_create(tx, op, created, stored.id).await?;
            }
            (RequestStatus::Approved, None) => carry_out::carry_out(tx, op, &self.sealer, stored.id).await?,
            _ => {}
        }
        if let (Some(environment), false) = (environment, status == RequestStatus::Denied) {
            // Last: counters are locked until the commit, and every submit here wants them.
            quota::take(tx, resolved, environment, stored.id).await?;
        }
        Ok(())
    }

    async fn create_environment(
        &self,
        tx: &mut Tx,
        op: &Op,
        caller: Caller<'_>,
        resolved: &Resolved,
    ) -> Result<EnvironmentId, Error> {
        let target = projects::target(tx, resolved.place.id, &resolved.version.provider).await?;
        let new = NewEnvironment {
            id: EnvironmentId::new(op.clock(), op.entropy()),
            name: resolved.name.clone(),
            project: resolved.project.id,
            place: resolved.place.id,
            template: resolved.template.id,
            version: resolved.version.id,
            kind: resolved.template.kind,
            target: target.map(|target| target.id),
            owner: caller.person().ok_or(Error::WrongStatus("only a person can ask for a new environment"))?,
            inputs: resolved.inputs.clone(),
            secret_inputs: resolved.secret_inputs.clone(),
            lifetime: resolved.lifetime.unwrap_or(resolved.place.default_lifetime),
        };
        environments::create(tx, op, &self.sealer, &new).await?;
        Ok(new.id)
    }
}

/// By what a repetition is known.
#[derive(Clone, Copy)]
pub(super) struct Keyed<'a> {
    key: Option<&'a str>,
    body: Digest,
}

impl Keyed<'_> {
    /// Nobody repeats it.
    pub(super) fn once(draft: &Draft) -> Self {
        Self { key: None, body: draft_digest(draft) }
    }
}

/// What belongs to one submit.
struct Stored<'a> {
    id: RequestId,
    status: RequestStatus,
    decision_id: DecisionId,
    keyed: Keyed<'a>,
    estimate: Option<&'a Estimate>,
    budget: Option<&'a BudgetCheck>,
    /// What had no room for it.
    full: &'a [Full],
}

fn draft_digest(draft: &Draft) -> Digest {
    Digest::of_json(&serde_json::to_value(draft).unwrap_or(Value::Null))
}

/// Makes a decision a refusal for want of room.
pub(super) fn deny_for_quota(decision: &mut Decision, shortages: Vec<Shortage>) {
    decision.outcome = Outcome::Denied;
    decision.requirements.clear();
    decision.sentence = shortages.iter().map(|one| one.sentence.as_str()).collect::<Vec<_>>().join(" ");
    decision.rules = shortages
        .iter()
        .map(|one| Rule { id: QUOTA_RULE.to_owned(), effect: Effect::Forbid, reason: one.sentence.clone() })
        .collect();
    decision.would_be_allowed = shortages.into_iter().map(|one| one.advice).collect();
}

fn submitted_entry(
    resolved: &Resolved,
    decision: &Decision,
    stored: &Stored<'_>,
    environment: Option<EnvironmentId>,
) -> Entry {
    let rules: Vec<&str> = decision.rules.iter().map(|rule| rule.id.as_str()).collect();
    let excepted: Vec<&str> = decision.excepted().map(|rule| rule.id.as_str()).collect();
    let mut entry = Entry::new("request.submitted", Object::new("request", stored.id.0, resolved.label()))
        .project(resolved.project.id)
        .request(stored.id)
        .decision(stored.decision_id)
        .outcome(if decision.outcome == Outcome::Denied { Ended::Denied } else { Ended::Succeeded })
        .detail(json!({
            "operation": resolved.operation,
            "decision": decision.outcome,
            "rules": rules,
            "exception_from": excepted,
            "template": resolved.template.slug,
            "version": resolved.version.version,
            "environment_type": resolved.place.slug,
        }));
    entry.environment = environment;
    entry
}
