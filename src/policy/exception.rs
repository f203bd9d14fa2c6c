//! Exceptions: a forbid says who may let a single request pass it (`@exception`).
//!
//! An exception belongs to the request that asks for it. It waits for the approval that the rule names, beside
//! those that it needs anyway, and it binds, lapses, is made again and audited like any request. What it allows
//! ends with the environment, which lives no longer than the rule says (`@exception_lifetime`).

use cedar_policy::{Authorizer, PolicyId};
use jiff::SignedDuration;

use super::decision::{Effect, Outcome, Requirement, Rule};
use super::engine::{Answer, Asked, Compiled, Exception, RuleText, failed, requirement};
use super::question::Question;
use super::{PolicyEngine, words};

/// What an exception would take: for a question that is denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Whose approval it would need, with what is needed anyway.
    pub requirements: Vec<Requirement>,
    /// How long what is made lives at most; none: as long as it may anyway.
    pub longest: Option<SignedDuration>,
}

/// The forbids with their exceptions, when one is asked for and each of them allows it.
pub(super) fn all<'a>(question: &Question, forbids: &[&'a RuleText]) -> Option<Vec<(&'a Rule, &'a Exception)>> {
    if !question.context.exception {
        return None;
    }
    forbids.iter().map(|text| Some((&text.rule, text.exception.as_ref()?))).collect()
}

impl Compiled {
    /// The answer without the forbids that an exception is asked from.
    pub(super) fn except(&self, asked: &Asked<'_>, exceptions: &[(&Rule, &Exception)]) -> Answer {
        let question = asked.question;
        let seconds = question.context.lifetime_seconds;
        let too_long: Vec<Rule> =
            exceptions.iter().filter_map(|(rule, exception)| too_long(rule, exception, seconds)).collect();
        if !too_long.is_empty() {
            return (Outcome::Denied, too_long, Vec::new());
        }
        let mut rest = (*asked.set).clone();
        for (rule, _) in exceptions {
            if let Err(error) = rest.remove_static(PolicyId::new(&rule.id)) {
                tracing::error!(policy.rule = rule.id, %error, "a rule cannot be left out");
                return failed();
            }
        }
        let response = Authorizer::new().is_authorized(&asked.request, &rest, &asked.entities);
        let (outcome, mut rules, mut requirements) = self.read(asked, &response);
        if outcome == Outcome::Denied {
            return (outcome, rules, Vec::new());
        }
        for (rule, exception) in exceptions.iter().rev() {
            rules.insert(0, Rule { effect: Effect::Excepted, ..(*rule).clone() });
            requirements.insert(0, requirement(question, rule, &exception.approval));
        }
        requirements.sort_by_key(|requirement| requirement.step);
        (Outcome::NeedsApproval, rules, requirements)
    }
}

/// The rule that is left when what would be made lives longer than exceptions from it last.
fn too_long(rule: &Rule, exception: &Exception, lifetime_seconds: Option<i64>) -> Option<Rule> {
    let longest = exception.longest?.as_secs();
    let reason = format!("{} An exception from it lasts at most {}.", rule.reason, words::duration(longest));
    (lifetime_seconds? > longest).then(|| Rule { reason, ..rule.clone() })
}

impl PolicyEngine {
    /// What an exception would take, when `question` is denied by rules that allow one.
    pub fn offer(&self, question: &Question) -> Option<Offer> {
        let this = self.now();
        let compiled = this.compiled();
        let denied = this.decide(question);
        if denied.outcome != Outcome::Denied || question.context.exception {
            return None;
        }
        let longest = |rule: &Rule| compiled.rules.get(&PolicyId::new(&rule.id))?.exception.as_ref()?.longest;
        let longest = denied.rules.iter().filter_map(longest).min();
        let mut asked = question.clone();
        asked.context.exception = true;
        if let (Some(seconds), Some(longest)) = (asked.context.lifetime_seconds.as_mut(), longest) {
            *seconds = longest.as_secs().min(*seconds);
        }
        let decision = this.decide(&asked);
        (decision.outcome == Outcome::NeedsApproval).then_some(Offer { requirements: decision.requirements, longest })
    }
}
