//! Waiting in line for a quota that is full, and being let in when there is room.
//!
//! Who is let in goes on as if they had asked just now: policy and budget are asked once more, approvals are asked
//! for, and room is taken through the ledger, in one transaction. So it does not matter how many processes look, or
//! how often, or what woke them.

use serde_json::json;

use super::again::resolve_again;
use super::resolve::Resolved;
use super::store::{budgets, plans, requests, reviews};
use super::submit::{QUOTA_RULE, deny_for_quota};
use super::{Caller, Error, Request, RequestStatus, Requests, carry_out, cost, plan, quota, review};
use crate::audit::{self, Entry, Object};
use crate::base::id::{DecisionId, EnvironmentId, RequestId};
use crate::base::{ErrorKind, Kinded as _, Op};
use crate::cost::BudgetCheck;
use crate::db::{self, Tx};
use crate::environments::LINE;
use crate::identity;
use crate::orchestrator::Event;
use crate::policy::{self, Decision, Effect, Outcome, Question, Rule};
use crate::projects::{self, Full, QuotaChange, WhenFull};

/// How many of the line one look goes through at a time.
const BATCH: i64 = 50;
/// How often one look goes through the line: whoever is let in may make the way free for the next.
const ROUNDS: usize = 200;

/// Whether a request that finds these without room waits in line: all of them let wait, and it could fit. What
/// Paddock asks for by itself waits for nobody.
pub fn waits(caller: Caller<'_>, full: &[Full]) -> bool {
    let lets_wait = |one: &Full| one.quota.when_full == WhenFull::Wait && one.could_fit();
    !full.is_empty() && caller.person().is_some() && full.iter().all(lets_wait)
}

/// Puts a request that was just submitted at the end of the line.
pub async fn line_up(
    tx: &mut Tx,
    op: &Op,
    resolved: &Resolved,
    environment: EnvironmentId,
    (id, decision): (RequestId, DecisionId),
    full: &[Full],
) -> Result<(), Error> {
    let entry = Entry::new("request.lined_up", Object::new("request", id.0, resolved.label()))
        .project(resolved.project.id)
        .request(id)
        .decision(decision)
        .environment(environment);
    let quotas: Vec<String> =
        full.iter().map(|one| format!("{} of {}", one.quota.dimension, one.quota.place())).collect();
    audit::append(tx, op, entry.detail(json!({"quotas": quotas}))).await?;
    // Last: counters are locked until the commit.
    quota::line_up(tx, resolved, environment, id).await
}

/// A request whose turn it may be, with what policy and budget say now.
struct Turn {
    resolved: Resolved,
    question: Question,
    decision: Decision,
    budget: Option<BudgetCheck>,
}

impl Requests {
    /// Lets in those of the line for whom there is room, and ends those who can have none. Returns how many.
    pub async fn admit(&self, op: &Op) -> Result<usize, Error> {
        debug_assert!(matches!(op.actor, crate::base::Actor::System { part: LINE }));
        let mut done = 0;
        for _ in 0..ROUNDS {
            let next = projects::next_in_line(&mut *self.db.acquire().await?, BATCH).await?;
            let before = done;
            for id in next {
                match self.admit_one(op, id).await {
                    Ok(moved) => done += usize::from(moved),
                    Err(error) => tracing::warn!(request.id = %id, %error, "not let in; trying again"),
                }
            }
            if done == before {
                break;
            }
            self.signals.send(Event::Queue);
        }
        Ok(done)
    }

    /// True: it waits in line no longer.
    async fn admit_one(&self, op: &Op, id: RequestId) -> Result<bool, Error> {
        match self.try_one(op, id).await {
            // What it is about is not there any more, or not as it was: nobody waits behind it for nothing.
            Err(error) if is_final(&error) => self.give_up(op, id, &error).await,
            other => other,
        }
    }

    /// Looks first: policy is not asked before its turn has come.
    async fn try_one(&self, op: &Op, id: RequestId) -> Result<bool, Error> {
        let full = self.in_its_way(id).await?;
        if !full.is_empty() {
            return self.keep_or_deny(op, id, &full).await;
        }
        match self.let_in(op, id).await {
            // Somebody was faster.
            Err(Error::Projects(projects::Error::QuotaFull(full))) => self.keep_or_deny(op, id, &full).await,
            other => other,
        }
    }

    async fn in_its_way(&self, id: RequestId) -> Result<Vec<Full>, Error> {
        let mut connection = self.db.acquire().await?;
        let request = requests::find(&mut connection, id).await?;
        let Some(environment) = request.and_then(|request| request.environment) else { return Ok(Vec::new()) };
        let changes = projects::preview_waiting(&mut connection, environment, id).await?;
        Ok(changes.iter().filter_map(QuotaChange::full).collect())
    }

    /// Takes what it wants and goes on as the submit would have; an error where there is no room.
    async fn let_in(&self, op: &Op, id: RequestId) -> Result<bool, Error> {
        let mut tx = self.db.begin().await?;
        let Some(request) = waiting(&mut tx, id).await? else { return Ok(false) };
        let environment = request.environment.ok_or(Error::NotFound)?;
        let Turn { resolved, question, decision, budget } = self.turn(&mut tx, op, &request).await?;
        if decision.outcome == Outcome::Denied {
            deny(&mut tx, op, &request, &question, &decision).await?;
            tx.commit().await?;
            return Ok(true);
        }
        let decided = policy::record(&mut tx, op, &question, &decision).await?;
        requests::set_decision(&mut tx, id, decided).await?;
        if let Some(check) = &budget {
            budgets::insert(&mut tx, id, check).await?;
        }
        reviews::insert_requirements(&mut tx, op, id, &decision.requirements).await?;
        let asks = decision.outcome == Outcome::NeedsApproval;
        let to = if asks { RequestStatus::AwaitingApproval } else { RequestStatus::Approved };
        let request = Request { decision_id: decided, ..request };
        carry_out::finish(&mut tx, op, &request, RequestStatus::AwaitingQuota, to, None).await?;
        if asks {
            plans::restart_time(&mut tx, id, self.settings.approval_time).await?;
            plan::ask(&mut tx, op, id, request.operation, environment, &resolved.version).await?;
        } else {
            carry_out::carry_out(&mut tx, op, &self.sealer, id).await?;
        }
        // Last: counters are locked until the commit, and every submit here wants them.
        quota::take(&mut tx, &resolved, environment, id).await?;
        projects::leave_line(&mut tx, id).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// There was no room for it. It waits on, unless it could never fit, or only what lets nobody wait is in the way.
    async fn keep_or_deny(&self, op: &Op, id: RequestId, full: &[Full]) -> Result<bool, Error> {
        let mut tx = self.db.begin().await?;
        let Some(request) = waiting(&mut tx, id).await? else { return Ok(false) };
        let environment = request.environment.ok_or(Error::NotFound)?;
        let its_turn = projects::stands_in(&mut tx, id, full).await?.is_empty();
        let is_against = |one: &&Full| !one.could_fit() || (its_turn && one.quota.when_full == WhenFull::Deny);
        let against: Vec<Full> = full.iter().filter(is_against).cloned().collect();
        if against.is_empty() {
            projects::stay_in_line(&mut tx, environment, id).await?;
            tx.commit().await?;
            return Ok(false);
        }
        let Turn { question, mut decision, .. } = self.turn(&mut tx, op, &request).await?;
        if decision.outcome != Outcome::Denied {
            let access = identity::load_access(&mut tx, request.requester.ok_or(Error::NotFound)?).await?;
            let shortages = self.shortages(&mut tx, op, Caller::Person(&access), &against).await?;
            deny_for_quota(&mut decision, shortages);
        }
        deny(&mut tx, op, &request, &question, &decision).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Ends one that cannot be carried out any more, in the words of the error.
    async fn give_up(&self, op: &Op, id: RequestId, error: &Error) -> Result<bool, Error> {
        let mut tx = self.db.begin().await?;
        let Some(request) = waiting(&mut tx, id).await? else { return Ok(false) };
        let stored = policy::find_decision(&mut tx, request.decision_id).await?;
        let stored = stored.ok_or(db::Error::Corrupt("decision"))?;
        let mut decision = stored.decision;
        let errors: Vec<&str> = error.field_errors().iter().map(|one| one.detail.as_str()).collect();
        let why = if errors.is_empty() { error.to_string() } else { errors.join("; ") };
        decision.outcome = Outcome::Denied;
        decision.requirements.clear();
        decision.sentence =
            format!("When its turn came, it could not be done any more: {}.", why.trim_end_matches('.'));
        decision.rules =
            vec![Rule { id: QUOTA_RULE.to_owned(), effect: Effect::Forbid, reason: decision.sentence.clone() }];
        deny(&mut tx, op, &request, &stored.question, &decision).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// What it asks for, as things are now, and what policy and budget say to it.
    async fn turn(&self, tx: &mut Tx, op: &Op, request: &Request) -> Result<Turn, Error> {
        let stored = policy::find_decision(tx, request.decision_id).await?;
        let asked = stored.ok_or(db::Error::Corrupt("decision"))?.question.context;
        let access = identity::load_access(tx, request.requester.ok_or(Error::NotFound)?).await?;
        if !access.person.active {
            return Err(Error::WrongStatus("whoever asked for it cannot sign in any more"));
        }
        let caller = Caller::Person(&access);
        let resolved = resolve_again(tx, request, asked.exception).await?;
        let cost = cost::of(tx, op, &resolved).await?;
        let mut question = resolved.question(op, caller, &cost);
        question.context.channel = asked.channel;
        let mut decision = self.policy.explain(&question, &resolved.alternatives);
        let held = self.hold_against_budget(tx, op, caller, &resolved, &mut decision, true).await?;
        Ok(Turn { resolved, question, decision, budget: held.map(|held| held.check) })
    }
}

/// The request, locked, if it waits in line.
async fn waiting(tx: &mut Tx, id: RequestId) -> Result<Option<Request>, Error> {
    Ok(requests::lock(tx, id).await?.filter(|one| one.status == RequestStatus::AwaitingQuota))
}

/// Nothing was taken, and nothing is left of it.
async fn deny(tx: &mut Tx, op: &Op, request: &Request, question: &Question, decision: &Decision) -> Result<(), Error> {
    let decided = policy::record(tx, op, question, decision).await?;
    requests::set_decision(tx, request.id, decided).await?;
    let request = Request { decision_id: decided, ..request.clone() };
    let (from, to) = (RequestStatus::AwaitingQuota, RequestStatus::Denied);
    carry_out::finish(tx, op, &request, from, to, Some(&decision.sentence)).await?;
    review::discard(tx, op, &request).await
}

/// Whether waiting longer would not help.
fn is_final(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::Invalid | ErrorKind::Conflict | ErrorKind::Denied => true,
        ErrorKind::Unauthenticated
        | ErrorKind::Stale
        | ErrorKind::Limited
        | ErrorKind::Unavailable
        | ErrorKind::Internal => false,
    }
}
