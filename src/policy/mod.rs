//! Policy: may this be done, by whom must it be approved, and why.
//!
//! Cedar decides; nothing of Cedar is visible outside of this room. A [`Question`] holds all that a
//! decision is made from, a [`Decision`] says which rules made it, and both are stored with the
//! digest of the policy set, so that any decision can be made again from its record.
//!
//! Invariants: what no rule permits is denied; a forbid wins over every permit; an error of the
//! engine denies, also where it only hit one rule (Cedar alone would skip that rule, and a skipped
//! forbid would allow); the approvals of all permits that apply add up; a [`Permit`] cannot be made
//! but by a decision that allows. A policy set is validated strictly when it is loaded, or refused.
//!
//! It knows ids and slugs, not domains: it reads no table but its own, and never looks up who
//! holds a role.

mod annotations;
mod compile;
mod decision;
mod engine;
mod entities;
mod error;
mod exception;
mod explain;
pub mod forms;
mod grants;
mod group;
mod inputs;
mod load;
mod memo;
mod names;
mod permit;
mod proofs;
mod question;
pub mod replay;
pub mod replay_sums;
mod rules;
mod service;
mod slice;
mod store;
pub mod versions;
mod words;

pub use decision::{
    DEFAULT_DENY, Decision, ENGINE_ERROR, Effect, Observed, Outcome, PolicySetText, Requirement, Rule, StoredDecision,
};
pub use engine::PolicyEngine;
pub use error::{Error, Problem};
pub use exception::Offer;
pub use grants::{Grant, Grants};
pub use group::{Escalation, Group};
pub use permit::{Ability, Denied, Permit, ability};
pub use proofs::Proof;
pub use question::{Action, Borrowed, Context, Principal, Question, Resource, ResourceKind, Role};
pub use rules::RuleInSet;
pub use service::{find_decision, find_decisions, find_policy_set, record};

#[cfg(test)]
mod tests;
