//! A stored decision in words, with who must agree and who did.

use super::rows::Approvers;
use crate::db::Connection;
use crate::policy::{Decision, Observed, Outcome};
use crate::requests::{ProgressedRequirement, RequestDetail, RequestStatus, ReviewVerdict, Rung};
use crate::web::error::PageError;
use crate::web::ui::{DecisionView, Person, Pill, Requirement, Review, Rule};
use crate::web::visitor::Visitor;
use crate::web::words::length;

/// The decision of a request.
pub async fn view(
    visitor: &Visitor,
    connection: &mut Connection,
    approvers: &mut Approvers,
    detail: &RequestDetail,
) -> Result<DecisionView, PageError> {
    let (decision, times) = (&detail.decision.decision, visitor.times());
    let waits = detail.request.status == RequestStatus::AwaitingApproval;
    let open = ProgressedRequirement::open_step(&detail.requirements);
    let mut requirements = Vec::new();
    for requirement in &detail.requirements {
        let mut people = Vec::new();
        if waits && !requirement.is_satisfied() {
            let found = approvers.left(connection, detail, requirement).await?;
            people.extend(found.iter().map(|name| Person::named(name)));
        }
        requirements.push(Requirement {
            who: crate::web::error::sentence(&requirement.who).trim_end_matches('.').to_owned(),
            progress: match requirement.approvals {
                _ if waits && open.is_some_and(|open| requirement.step > open) => "asked after the others".to_owned(),
                0 => "nobody yet".to_owned(),
                n => format!("{n} of {} agreed", requirement.count),
            },
            satisfied: requirement.is_satisfied(),
            people,
            also: if waits { also(detail, requirement) } else { Vec::new() },
        });
    }
    let reviews = detail.reviews.iter().map(|review| Review {
        person: Person::named(&review.who()),
        pill: Pill::of(match review.verdict {
            ReviewVerdict::Approved => "approved",
            ReviewVerdict::Rejected => "rejected",
        }),
        reason: Some(review.reason.clone()).filter(|reason| !reason.is_empty()),
        when: times.near(review.at),
    });
    let instead = &decision.would_be_allowed;
    Ok(DecisionView {
        pill: Pill::of(decision.outcome.as_str()),
        rules: decision.rules.iter().map(Rule::from).collect(),
        advice: (!instead.is_empty())
            .then(|| format!("Allowed instead: {}.", instead.join("; ").trim_end_matches('.'))),
        requirements,
        observed: decision.observed.as_ref().map(would_have),
        observed_rules: observed_rules(decision),
        reviews: reviews.collect(),
        policy_digest: decision.policy_digest.short(),
        when: times.near(detail.decision.at),
    })
}

/// Who else is asked, or will be.
fn also(detail: &RequestDetail, requirement: &ProgressedRequirement) -> Vec<String> {
    let words = |rung: &Rung| {
        let who = rung.rule.to.in_words(1, &detail.request.project_slug);
        let after = length(rung.rule.after());
        match rung.since {
            Some(_) => format!("Nobody had agreed within {after}: {who} can as well."),
            None => format!("If it waits for {after}: {who} can as well."),
        }
    };
    let open = |_: &&Rung| !requirement.is_satisfied();
    requirement.escalation.iter().filter(open).map(words).collect()
}

/// The rules that were only watched.
pub fn observed_rules(decision: &Decision) -> Vec<Rule> {
    let rules = decision.observed.iter().flat_map(|observed| &observed.rules);
    rules.map(Rule::from).collect()
}

/// What would have become of it, in words.
pub fn would_have(observed: &Observed) -> String {
    match observed.outcome {
        Outcome::Allowed => "would have been allowed".to_owned(),
        Outcome::Denied => "would have been denied".to_owned(),
        Outcome::NeedsApproval => {
            format!("would have needed approval by {}", crate::web::words::listed(&observed.approval_by, "and"))
        }
    }
}
