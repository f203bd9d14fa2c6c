//! What would be allowed instead: the engine is asked again with one thing changed.

use super::decision::{Decision, Outcome};
use super::question::{Question, Role};
use super::{PolicyEngine, words};

impl PolicyEngine {
    /// The roles of which one more, in the project or else on the platform, would turn a denial into something else.
    pub fn roles_that_help(&self, question: &Question) -> Vec<Role> {
        roles_that_help(&self.now(), question)
    }

    /// Decides, and says for a denial what would be allowed instead: another of the environment
    /// types in `alternatives` (slugs), a shorter lifetime, another role.
    pub fn explain(&self, question: &Question, alternatives: &[String]) -> Decision {
        let this = &self.now();
        let mut decision = this.decide(question);
        if decision.outcome == Outcome::Denied {
            decision.would_be_allowed = [
                types_that_help(this, question, alternatives),
                shorter_life(this, question),
                roles_in_words(this, question),
            ]
            .concat();
        }
        decision
    }
}

fn types_that_help(engine: &PolicyEngine, question: &Question, alternatives: &[String]) -> Vec<String> {
    let Some(asked) = &question.resource.environment_type else { return Vec::new() };
    let mut free: Vec<&str> = Vec::new();
    let mut approved = Vec::new();
    for slug in alternatives.iter().filter(|slug| *slug != asked) {
        let mut other = question.clone();
        other.resource.environment_type = Some(slug.clone());
        let decision = engine.decide(&other);
        match decision.outcome {
            Outcome::Allowed => free.push(slug),
            Outcome::NeedsApproval => {
                let who: Vec<&str> = decision.requirements.iter().map(|it| it.who.as_str()).collect();
                approved.push(format!("The same in {slug}, with approval by {}.", words::joined(&who, "and by")));
            }
            Outcome::Denied => {}
        }
    }
    let free = (!free.is_empty()).then(|| format!("The same in {}.", words::joined(&free, "or")));
    free.into_iter().chain(approved).collect()
}

fn shorter_life(engine: &PolicyEngine, question: &Question) -> Vec<String> {
    let Some(maximum) = question.context.maximum_lifetime_seconds else { return Vec::new() };
    if question.context.lifetime_seconds.is_some_and(|asked| asked <= maximum) {
        return Vec::new();
    }
    let mut shorter = question.clone();
    shorter.context.lifetime_seconds = Some(maximum);
    let life = words::duration(maximum);
    match engine.decide(&shorter).outcome {
        Outcome::Allowed => vec![format!("A lifetime of at most {life}.")],
        Outcome::NeedsApproval => vec![format!("A lifetime of at most {life}, with approval.")],
        Outcome::Denied => Vec::new(),
    }
}

fn roles_in_words(engine: &PolicyEngine, question: &Question) -> Vec<String> {
    let roles = roles_that_help(engine, question);
    if roles.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    let place = if question.resource.project.is_some() { "in" } else { "on" };
    vec![format!("The same with the role {} {place} {}.", words::joined(&names, "or"), question.scope())]
}

/// The roles of which one more would turn the denial into something else.
pub(super) fn roles_that_help(engine: &PolicyEngine, question: &Question) -> Vec<Role> {
    if question.principal.is_system() || engine.decide(question).outcome != Outcome::Denied {
        return Vec::new();
    }
    let helps = |role: &Role| {
        let mut other = question.clone();
        if other.resource.project.is_some() {
            other.principal.project_roles.insert(*role);
        } else {
            other.principal.platform_roles.insert(*role);
        }
        engine.decide(&other).outcome != Outcome::Denied
    };
    Role::ALL.into_iter().filter(helps).collect()
}
