//! What differs between two texts of policies, rule by rule, in words.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Policy, PolicySet};
use serde_json::Value;

use crate::policy::decision::Effect;

/// What became of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleDifference {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It says something else: what, in words.
    Changed(Vec<String>),
}

/// A rule that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleChange {
    /// Its `@id`.
    pub id: String,
    /// What it does, now or until now.
    pub effect: Effect,
    /// Its `@reason`, now or until now.
    pub reason: String,
    /// What became of it.
    pub difference: RuleDifference,
}

/// The rules that differ, by id. A text that cannot be read has no rules.
pub fn compare(before: &str, after: &str) -> Vec<RuleChange> {
    let (before, after) = (rules(before), rules(after));
    let ids: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    ids.into_iter()
        .filter_map(|id| {
            let (old, new) = (before.get(id), after.get(id));
            let difference = match (old, new) {
                (None, _) => RuleDifference::Added,
                (_, None) => RuleDifference::Removed,
                (Some(old), Some(new)) => RuleDifference::Changed(differences(old, new)),
            };
            if difference == RuleDifference::Changed(Vec::new()) {
                return None;
            }
            let shown = new.or(old)?;
            let reason = shown.annotations.get("reason").cloned().unwrap_or_default();
            Some(RuleChange { id: id.clone(), effect: shown.effect, reason, difference })
        })
        .collect()
}

struct Parts {
    effect: Effect,
    annotations: BTreeMap<String, String>,
    /// Cedar's own tree of the rule.
    tree: Value,
}

fn rules(source: &str) -> BTreeMap<String, Parts> {
    let Ok(set) = source.parse::<PolicySet>() else { return BTreeMap::new() };
    set.policies().map(|policy| (policy.annotation("id").unwrap_or_default().to_owned(), parts(policy))).collect()
}

fn parts(policy: &Policy) -> Parts {
    let effect = match policy.effect() {
        cedar_policy::Effect::Permit => Effect::Permit,
        cedar_policy::Effect::Forbid => Effect::Forbid,
    };
    let annotations = policy.annotations().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Parts { effect, annotations, tree: policy.to_json().unwrap_or_default() }
}

fn differences(old: &Parts, new: &Parts) -> Vec<String> {
    let mut words = Vec::new();
    if old.effect != new.effect {
        let now = if new.effect == Effect::Forbid { "forbids what it permitted" } else { "permits what it forbade" };
        words.push(format!("it {now}"));
    }
    for (part, what) in [
        ("principal", "who it is about"),
        ("action", "which actions it is about"),
        ("resource", "on what it is"),
        ("conditions", "its conditions"),
    ] {
        if old.tree.get(part) != new.tree.get(part) {
            words.push(format!("{what} changed"));
        }
    }
    let names: BTreeSet<&String> = old.annotations.keys().chain(new.annotations.keys()).collect();
    for name in names {
        match (old.annotations.get(name), new.annotations.get(name)) {
            (old, new) if old == new => {}
            (None, Some(new)) => words.push(format!("@{name} is “{new}”, and was not there")),
            (Some(old), None) => words.push(format!("@{name} is gone; it was “{old}”")),
            (Some(old), Some(new)) => words.push(format!("@{name} is “{new}”, and was “{old}”")),
            (None, None) => {}
        }
    }
    words
}
