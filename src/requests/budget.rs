//! Requests and the budget of their project: what there is, what is under way and what they add must be below its
//! thresholds. Verdict and submit both come here, so they cannot differ.

use jiff::Timestamp;
use rust_decimal::Decimal;
use sqlx::PgConnection;

use super::resolve::Resolved;
use super::store::budgets;
use super::{Caller, Error, Requests};
use crate::base::id::RequestId;
use crate::base::{Charge, Op};
use crate::catalog;
use crate::cost::{self, BudgetCheck, BudgetLevel, Money, Month, PriceBook};
use crate::db;
use crate::environments::{Operation, State, costs};
use crate::policy::{
    Action, Context, Decision, Effect, Group, Outcome, Question, Requirement, Resource, ResourceKind, Role, Rule,
};

/// The rule that stands for the project's budget in a decision. No rule of a policy can have this id.
pub const BUDGET_RULE: &str = "project.budget";

/// What a request would meet.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub check: BudgetCheck,
    /// Whether the caller may see what the project costs.
    pub seen: bool,
}

impl Requests {
    /// Holds the project's budget against what is asked for, and lets the decision say so; `None`: there is no
    /// budget, or the operation adds no cost. `alone`: until the transaction ends nobody else is held against it.
    pub(super) async fn hold_against_budget(
        &self,
        connection: &mut PgConnection,
        op: &Op,
        caller: Caller<'_>,
        resolved: &Resolved,
        decision: &mut Decision,
        alone: bool,
    ) -> Result<Option<Held>, Error> {
        if decision.outcome == Outcome::Denied {
            return Ok(None);
        }
        let Some(check) = check(connection, op, resolved, alone).await? else { return Ok(None) };
        let held = Held { seen: self.may_see_costs(op, caller, resolved), check };
        judge(decision, caller, &held, &resolved.project.slug);
        Ok(Some(held))
    }

    fn may_see_costs(&self, op: &Op, caller: Caller<'_>, resolved: &Resolved) -> bool {
        let slug = resolved.project.slug.clone();
        let resource = Resource { project: Some(slug.clone()), ..Resource::new(ResourceKind::Project, slug) };
        let context = Context { channel: op.origin.channel.to_owned(), ..Default::default() };
        let principal = caller.principal(Some(resolved.project.id)).of_whole_project();
        self.policy.allows(&Question { action: Action::ReadProject, principal, resource, context })
    }
}

async fn check(
    connection: &mut PgConnection,
    op: &Op,
    resolved: &Resolved,
    alone: bool,
) -> Result<Option<BudgetCheck>, Error> {
    let adds_cost =
        matches!(resolved.operation, Operation::Create | Operation::Update | Operation::Start | Operation::Extend);
    let project = resolved.project.id;
    let Some(budget) = cost::budget(connection, project, alone && adds_cost).await?.filter(|_| adds_cost) else {
        return Ok(None);
    };
    let month = Month::of(op.now());
    let found = costs::project_total(connection, project, month).await?;
    let Some(adds) = adds(connection, resolved, &found.book, found.until, month).await? else { return Ok(None) };
    let under_way = budgets::under_way(connection, project).await?;
    let currency = found.book.currency;
    Ok(Some(BudgetCheck::new(budget.terms, (month, currency), (found.so_far, found.forecast), under_way, adds)))
}

/// What it makes the rest of the month dearer by what has a price; `None`: values are not right yet.
async fn adds(
    connection: &mut PgConnection,
    resolved: &Resolved,
    book: &PriceBook,
    now: Timestamp,
    month: Month,
) -> Result<Option<Decimal>, Error> {
    let Ok(after) = catalog::charges_of(&resolved.version, &resolved.inputs) else { return Ok(None) };
    let after = after.unwrap_or_default();
    let rest = |charges: &[Charge], running: bool, ends: Option<Timestamp>| -> Decimal {
        let until = ends.map_or(month.end(), |ends| ends.min(month.end()));
        let used = book.used(charges, running, now, until);
        let cost: Money = used.iter().filter_map(|one| one.price.as_ref()).map(|price| price.cost).sum();
        cost.exact()
    };
    let new_end = resolved.lifetime.and_then(|lifetime| now.checked_add(lifetime).ok());
    let Some(environment) = &resolved.environment else { return Ok(Some(rest(&after, true, new_end))) };
    let version = catalog::get_version(connection, environment.template.version_id).await?;
    let Ok(before) = catalog::charges_of(&version, &environment.inputs) else { return Ok(None) };
    let before = before.unwrap_or_default();
    let (running, end) = (environment.state != State::Stopped, environment.expires_at);
    let dearer = match resolved.operation {
        Operation::Update => rest(&after, running, end) - rest(&before, running, end),
        Operation::Start => rest(&before, true, end) - rest(&before, running, end),
        Operation::Extend => rest(&before, running, new_end) - rest(&before, running, end),
        Operation::Create
        | Operation::Stop
        | Operation::Hibernate
        | Operation::Restart
        | Operation::Act
        | Operation::Delete => Decimal::ZERO,
    };
    Ok(Some(dearer))
}

fn judge(decision: &mut Decision, caller: Caller<'_>, held: &Held, project: &str) {
    let words = match (held.seen, held.check.level) {
        (true, _) => held.check.sentence(),
        (false, BudgetLevel::Denied) => format!("The budget of {project} has no room for it."),
        (false, _) => format!("The budget of {project} has room for it only with an approval."),
    };
    let rule = |effect| Rule { id: BUDGET_RULE.to_owned(), effect, reason: words.clone() };
    match held.check.level {
        BudgetLevel::Within | BudgetLevel::Warned => {}
        BudgetLevel::Denied => {
            decision.outcome = Outcome::Denied;
            decision.requirements.clear();
            decision.rules = vec![rule(Effect::Forbid)];
            decision.would_be_allowed =
                vec!["The same with less, or next month, or after an admin raises the budget".to_owned()];
            decision.sentence = words;
        }
        // What Paddock does by itself, as somebody has told it to, waits for nobody.
        BudgetLevel::NeedsApproval if caller.person().is_none() => {}
        BudgetLevel::NeedsApproval => {
            decision.outcome = Outcome::NeedsApproval;
            decision.requirements.insert(
                0,
                Requirement {
                    rule_id: BUDGET_RULE.to_owned(),
                    who: format!("a lead of {project}"),
                    by: Group::Role(Role::Lead),
                    count: 1,
                    step: 1,
                    escalation: Vec::new(),
                },
            );
            decision.rules.insert(0, rule(Effect::Permit));
            decision.sentence = format!("Needs approval by a lead of {project}: {words} {}", decision.sentence);
        }
    }
}

/// By what numbers the budget was held against a request when it was submitted; none: there was no budget.
pub async fn budget_of(connection: &mut PgConnection, id: RequestId) -> db::Result<Option<BudgetCheck>> {
    budgets::of(connection, id).await
}
