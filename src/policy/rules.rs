//! The rules of a set as people read them.

use super::decision::Effect;
use super::engine::{Approval, PolicyEngine};
use super::words;

/// A rule of a policy set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleInSet {
    /// Its `@id`.
    pub id: String,
    /// What it does.
    pub effect: Effect,
    /// Its `@reason`.
    pub reason: String,
    /// Its `@owner`.
    pub owner: Option<String>,
    /// It is watched, and decides nothing.
    pub observed: bool,
    /// Whose approval it asks for: “2 × lead”.
    pub approval: Option<String>,
    /// Who grants an exception from it: “lead, for 7 days at most”.
    pub exception: Option<String>,
}

impl PolicyEngine {
    /// Every rule, by id.
    pub fn rules(&self) -> Vec<RuleInSet> {
        let compiled = self.compiled();
        let mut rules: Vec<RuleInSet> = compiled
            .rules
            .values()
            .map(|text| RuleInSet {
                id: text.rule.id.clone(),
                effect: text.rule.effect,
                reason: text.rule.reason.clone(),
                owner: text.owner.clone(),
                observed: text.observed,
                approval: text.approval.as_ref().map(whose),
                exception: text.exception.as_ref().map(|exception| match exception.longest {
                    Some(longest) => {
                        format!("{}, for {} at most", whose(&exception.approval), words::duration(longest.as_secs()))
                    }
                    None => whose(&exception.approval),
                }),
            })
            .collect();
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        rules
    }
}

fn whose(approval: &Approval) -> String {
    let who = match approval.count {
        1 => approval.by.to_string(),
        count => format!("{count} × {}", approval.by),
    };
    let step = (approval.step > 1).then(|| format!("in step {}", approval.step));
    let rungs = approval.escalation.iter();
    let rungs = rungs.map(|rung| format!("after {} also {}", words::duration(rung.after_seconds), rung.to));
    [who].into_iter().chain(step).chain(rungs).collect::<Vec<_>>().join(", ")
}
