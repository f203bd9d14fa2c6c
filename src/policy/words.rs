//! Decisions in plain words. Pure functions of the question and of what decided.

use super::decision::{Effect, Outcome, Requirement, Rule};
use super::engine::Approval;
use super::question::{Action, Question};

/// “a lead of payments”, “2 leads of payments”, “somebody of the team sre”, or what the rule calls them.
pub(super) fn approver(approval: &Approval, question: &Question) -> String {
    let place = question.resource.project.as_deref().unwrap_or("the platform");
    match &approval.who {
        Some(template) => template.replace("{project}", place),
        None => approval.by.in_words(approval.count, place),
    }
}

/// The decision in one sentence.
pub(super) fn sentence(question: &Question, outcome: Outcome, rules: &[Rule], requirements: &[Requirement]) -> String {
    let reasons: Vec<&str> = rules.iter().map(|rule| rule.reason.as_str()).collect();
    let reasons = reasons.join(" ");
    match outcome {
        Outcome::Allowed => format!("Allowed: {reasons}"),
        Outcome::NeedsApproval => {
            format!("Needs approval by {}: {reasons}", approval_by(requirements))
        }
        Outcome::Denied => match rules.first() {
            Some(rule) if rule.effect == Effect::Default => format!("Denied: {}", rule.reason),
            Some(_) => {
                let ids: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
                format!("Denied by the rule {}: {reasons}", joined(&ids, "and"))
            }
            None => format!("Denied: {}", nothing_permits(question)),
        },
    }
}

/// “a lead of payments and by an auditor of payments, then by an admin of payments”.
fn approval_by(requirements: &[Requirement]) -> String {
    let steps = requirements.chunk_by(|a, b| a.step == b.step).map(|step| {
        let who: Vec<&str> = step.iter().map(|requirement| requirement.who.as_str()).collect();
        joined(&who, "and by")
    });
    steps.collect::<Vec<_>>().join(", then by ")
}

/// “No rule lets ada create an environment of the type prod in project payments.”
pub(super) fn nothing_permits(question: &Question) -> String {
    let login = &question.principal.login;
    format!("No rule lets {login} {}.", asked(question))
}

/// What was asked: “create an environment of the type prod in project payments”.
pub(super) fn asked(question: &Question) -> String {
    let words = question.action.words();
    let kind = match (&question.resource.environment_type, question.action) {
        (
            Some(kind),
            Action::CreateEnvironment
            | Action::UpdateEnvironment
            | Action::ExtendEnvironment
            | Action::PowerEnvironment
            | Action::ActOnEnvironment
            | Action::DeleteEnvironment
            | Action::ReadEnvironment,
        ) => format!(" of the type {kind}"),
        _ => String::new(),
    };
    let scope = match &question.resource.project {
        Some(_) if question.action == Action::ReadProject => format!(" {}", question.resource.id),
        Some(slug) => format!(" in project {slug}"),
        None => String::new(),
    };
    format!("{words}{kind}{scope}")
}

/// “a, b and c”.
pub(super) fn joined(parts: &[&str], last: &str) -> String {
    match parts {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [head @ .., tail] => format!("{} {last} {tail}", head.join(", ")),
    }
}

/// “7 days”, “36 hours”, “90 seconds”: the largest unit that keeps the number whole.
pub(super) fn duration(seconds: i64) -> String {
    let (count, unit) = match seconds {
        _ if seconds % 86_400 == 0 => (seconds / 86_400, "day"),
        _ if seconds % 3_600 == 0 => (seconds / 3_600, "hour"),
        _ if seconds % 60 == 0 => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_use_the_largest_whole_unit() {
        let words = [604_800, 86_400, 129_600, 5_400, 61].map(duration);
        assert_eq!(words, ["7 days", "1 day", "36 hours", "90 minutes", "61 seconds"]);
    }

    #[test]
    fn lists_are_joined() {
        assert_eq!(joined(&["a"], "or"), "a");
        assert_eq!(joined(&["a", "b", "c"], "or"), "a, b or c");
    }
}
