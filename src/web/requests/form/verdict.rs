//! The verdict in words.

use super::exception;
use super::subject::{Subject, Update};
use super::typed::Typed;
use crate::base::FieldError;
use crate::catalog::form;
use crate::cost::{BudgetCheck, BudgetLevel};
use crate::policy;
use crate::requests::{self, Cost, QuotaChange, Shortage};
use crate::web::cost;
use crate::web::requests::values;
use crate::web::ui::{Change, Outcome, Person, QuotaBar, Rule, Verdict};
use crate::web::visitor::Visitor;
use crate::web::words::{count, length, listed};

/// The panel for what a submit would meet.
pub(super) fn of(
    visitor: &Visitor,
    subject: &Subject,
    typed: &Typed,
    judged: &requests::Verdict,
    errors: &[FieldError],
) -> Verdict {
    let decision = &judged.decision;
    let outcome = match decision.outcome {
        policy::Outcome::Denied => Outcome::Denied,
        policy::Outcome::Allowed | policy::Outcome::NeedsApproval if judged.position.is_some() => Outcome::Waits,
        policy::Outcome::Allowed | policy::Outcome::NeedsApproval if !judged.shortages.is_empty() => Outcome::Denied,
        policy::Outcome::Allowed => Outcome::Allowed,
        policy::Outcome::NeedsApproval => Outcome::NeedsApproval,
    };
    let mut rules: Vec<Rule> = decision.rules.iter().map(Rule::from).collect();
    if !judged.shortages.is_empty() && decision.outcome != policy::Outcome::Denied {
        let rule = |one: &Shortage| Rule { text: one.sentence.clone(), id: "quota".to_owned(), excepted: false };
        rules = judged.shortages.iter().map(rule).collect();
    }
    Verdict {
        outcome,
        headline: headline(outcome, judged),
        rules,
        advice: advice(outcome, judged, errors),
        approvers: people(&judged.approvers),
        approvers_note: approvers_note(outcome, judged),
        quotas: judged.quotas.iter().map(bar).chain(judged.budget.as_ref().map(cost::budget_bar)).collect(),
        cost: cost::of_verdict(&judged.cost),
        ends: judged.ends_at.map(|at| visitor.times().at(at)),
        ends_note: match judged.ends_at {
            Some(_) => format!(
                "It is deleted then, and you are warned before. At most {} here.",
                length(judged.maximum_lifetime)
            ),
            None => "Known once it is ready.".to_owned(),
        },
        exception: exception::of(typed, judged),
        changes: match subject {
            Subject::Update(update) => changes(update, typed),
            Subject::Create(_) | Subject::Extend(_) | Subject::Act(_) => Vec::new(),
        },
        button: button(subject, outcome),
        share: None,
        saved: None,
    }
}

/// The panel when nothing can be decided yet.
pub(super) fn incomplete(errors: &[FieldError]) -> Verdict {
    let what: Vec<&str> = errors.iter().map(|error| error.detail.as_str()).collect();
    Verdict {
        outcome: Outcome::Incomplete,
        headline: "Not decided yet".to_owned(),
        rules: Vec::new(),
        advice: Some(crate::web::error::sentence(&what.join("; "))),
        approvers: Vec::new(),
        approvers_note: "Known when project and environment type are chosen.".to_owned(),
        quotas: Vec::new(),
        cost: cost::of_verdict(&Cost::NotYet),
        ends: None,
        ends_note: "Known when project and environment type are chosen.".to_owned(),
        exception: None,
        changes: Vec::new(),
        button: "Create".to_owned(),
        share: None,
        saved: None,
    }
}

fn headline(outcome: Outcome, judged: &requests::Verdict) -> String {
    let decision = &judged.decision;
    match outcome {
        Outcome::Waits => match judged.position {
            Some(1) => "Waits in line, as the next".to_owned(),
            position => format!("Waits in line, as number {}", position.unwrap_or_default()),
        },
        Outcome::NeedsApproval if decision.excepted().next().is_some() => "Needs an exception".to_owned(),
        Outcome::Allowed => "Allowed".to_owned(),
        Outcome::Denied => "Not allowed".to_owned(),
        Outcome::Incomplete => "Not decided yet".to_owned(),
        Outcome::NeedsApproval => match decision.requirements.iter().map(|one| one.count).sum::<u32>() {
            1 => "Needs one approval".to_owned(),
            n => format!("Needs {n} approvals"),
        },
    }
}

fn advice(outcome: Outcome, judged: &requests::Verdict, errors: &[FieldError]) -> Option<String> {
    if outcome == Outcome::Denied {
        if judged.decision.outcome != policy::Outcome::Denied {
            let advice: Vec<String> = judged.shortages.iter().map(|one| format!("{}.", one.advice)).collect();
            return Some(advice.join(" "));
        }
        let instead = &judged.decision.would_be_allowed;
        return (!instead.is_empty())
            .then(|| format!("Allowed instead: {}.", instead.join("; ").trim_end_matches('.')));
    }
    if outcome == Outcome::Waits {
        let after: Vec<&str> = judged.shortages.iter().map(|one| one.after.as_str()).collect();
        let own = "It holds nothing until then, and you can withdraw it.";
        return Some(format!("It goes on by itself after {}. {own}", after.join("; and after ")));
    }
    let warned = judged.budget.as_ref().filter(|budget| budget.level == BudgetLevel::Warned);
    match errors.len() {
        0 => warned.map(BudgetCheck::sentence),
        n => Some(format!("{} still to fill in or to correct.", count(n, "field is", "fields are"))),
    }
}

/// Everybody once.
pub(super) fn people(approvers: &[Vec<requests::Approver>]) -> Vec<Person> {
    let mut people: Vec<Person> = Vec::new();
    for approver in approvers.iter().flatten() {
        let person = Person::named(&approver.label());
        if !people.contains(&person) {
            people.push(person);
        }
    }
    people
}

fn approvers_note(outcome: Outcome, judged: &requests::Verdict) -> String {
    let requirements = &judged.decision.requirements;
    match outcome {
        Outcome::Allowed => "Nobody has to agree.".to_owned(),
        Outcome::Denied if judged.exception.is_some() => "Only by an exception.".to_owned(),
        Outcome::Denied => "Approval would not change it.".to_owned(),
        Outcome::Incomplete => String::new(),
        Outcome::Waits if requirements.is_empty() => "Nobody has to agree.".to_owned(),
        Outcome::Waits => {
            let who: Vec<&str> = requirements.iter().map(|one| one.who.as_str()).collect();
            format!("Asked when it is its turn. It needs {}.", listed(&who, "and"))
        }
        Outcome::NeedsApproval => {
            if let Some(requirement) = judged.nobody_for.and_then(|index| requirements.get(index)) {
                return format!("It needs {}, and nobody who could is left at the moment.", requirement.who);
            }
            match requirements.as_slice() {
                [one] if one.count == 1 => format!("It needs {}. One of them must agree.", one.who),
                _ => {
                    let steps = requirements.chunk_by(|a, b| a.step == b.step).map(|step| {
                        let who: Vec<&str> = step.iter().map(|one| one.who.as_str()).collect();
                        listed(&who, "and")
                    });
                    format!("It needs {}: different people.", steps.collect::<Vec<_>>().join(", then "))
                }
            }
        }
    }
}

fn bar(quota: &QuotaChange) -> QuotaBar {
    let number = |n: i64| u64::try_from(n).unwrap_or(0);
    let name = crate::web::error::sentence(&quota.dimension.replace('_', " "));
    let label = format!("{} in {}", name.trim_end_matches('.'), quota.place);
    QuotaBar::new(label, number(quota.before), number(quota.after), number(quota.limit))
}

fn button(subject: &Subject, outcome: Outcome) -> String {
    let now = match subject {
        Subject::Create(_) => "Create",
        Subject::Update(_) => "Update",
        Subject::Extend(_) => "Extend",
        Subject::Act(act) => &act.action.title,
    };
    match outcome {
        Outcome::NeedsApproval => "Ask for approval".to_owned(),
        Outcome::Waits => "Wait in line".to_owned(),
        Outcome::Allowed | Outcome::Denied | Outcome::Incomplete => now.to_owned(),
    }
}

/// What the update changes, by the labels of the form.
fn changes(update: &Update, typed: &Typed) -> Vec<Change> {
    let schema = &update.version.inputs_schema;
    let before = &update.environment.inputs;
    let (after, secrets) = form::split_secrets(schema, &form::complete(schema, typed.inputs.clone()));
    let mut changes = values::changes(schema, before, &after);
    let labels = values::labels(schema);
    let label = |name: &String| labels.get(name).cloned().unwrap_or_else(|| name.clone());
    changes.extend(secrets.keys().map(|name| Change {
        label: label(name),
        before: "as stored".to_owned(),
        after: "a new secret".to_owned(),
    }));
    if let Some((_, own)) = update.versions.first().filter(|(number, _)| *number != update.version.number) {
        let after = update.version.version.clone();
        changes.insert(0, Change { label: "Version".to_owned(), before: own.clone(), after });
    }
    changes
}
