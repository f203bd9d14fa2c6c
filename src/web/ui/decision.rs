//! A stored decision: outcome, rules in words, who must agree and who did.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use super::{Person, Pill, Rule, When};

/// Who must agree.
#[derive(Debug, Clone)]
pub struct Requirement {
    /// "A lead of payments"
    pub who: String,
    /// "1 of 1 agreed", "nobody yet"
    pub progress: String,
    pub satisfied: bool,
    /// People who can do it.
    pub people: Vec<Person>,
    /// "If it waits for 1 day: an admin of payments can as well."
    pub also: Vec<String>,
}

/// One person's verdict with a reason.
#[derive(Debug, Clone)]
pub struct Review {
    pub person: Person,
    /// `approved` or `rejected`.
    pub pill: Pill,
    pub reason: Option<String>,
    pub when: When,
}

/// What policy said, and why.
#[derive(Debug, Clone)]
pub struct DecisionView {
    pub pill: Pill,
    pub rules: Vec<Rule>,
    /// For a denial: what would be allowed.
    pub advice: Option<String>,
    pub requirements: Vec<Requirement>,
    pub reviews: Vec<Review>,
    /// What rules that are only watched would have done: "would have been denied".
    pub observed: Option<String>,
    /// Those rules.
    pub observed_rules: Vec<Rule>,
    /// Short digest of the policy set.
    pub policy_digest: String,
    pub when: When,
}
