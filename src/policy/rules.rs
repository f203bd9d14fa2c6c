//! The rules of a set as people read them.

use super::decision::Effect;
use super::engine::PolicyEngine;

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
                approval: text.approval.as_ref().map(|approval| match approval.count {
                    1 => approval.role.to_string(),
                    count => format!("{count} × {}", approval.role),
                }),
            })
            .collect();
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        rules
    }
}
