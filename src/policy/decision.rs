//! The answers of policy: what was decided, by which rules, and whose approval it needs.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::group::{Escalation, Group};
use super::question::Question;
use crate::base::Digest;
use crate::base::id::DecisionId;

/// What policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = DecisionOutcome)]
pub enum Outcome {
    /// Yes.
    Allowed,
    /// No.
    Denied,
    /// Yes, once the requirements are met.
    NeedsApproval,
}

impl Outcome {
    /// The outcome as SQL and the API spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::NeedsApproval => "needs_approval",
        }
    }
}

/// What a rule does when it applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RuleEffect)]
pub enum Effect {
    /// It permits.
    Permit,
    /// It forbids, whatever others permit.
    Forbid,
    /// It forbids, and an exception from it was asked for.
    Excepted,
    /// It is not a rule of the set: nothing permits, or the engine failed.
    Default,
}

/// A rule that took part in a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The rule's `@id`, or [`DEFAULT_DENY`] or [`ENGINE_ERROR`].
    pub id: String,
    /// What it does.
    pub effect: Effect,
    /// The rule's `@reason`, for people.
    pub reason: String,
}

/// The id that stands for “no rule permits it”.
pub const DEFAULT_DENY: &str = "default-deny";
/// The id that stands for “the question could not be decided”.
pub const ENGINE_ERROR: &str = "engine-error";

/// Whose approval a rule asks for. Requirements of several rules are each to be met, by different people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// The rule that asks.
    pub rule_id: String,
    /// Who, in words: “a lead of payments”.
    pub who: String,
    /// Whose approval counts.
    #[serde(flatten)]
    pub by: Group,
    /// How many different people.
    pub count: u32,
    /// When they are asked: those of step 2 when everybody of step 1 has agreed, and so on.
    #[serde(default = "first_step", skip_serializing_if = "is_first_step")]
    pub step: u32,
    /// Who may agree as well when nobody has in time, the earliest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escalation: Vec<Escalation>,
}

fn first_step() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_first_step(step: &u32) -> bool {
    *step == 1
}

/// What policy said, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Yes, no or not yet.
    pub outcome: Outcome,
    /// The rules that decided, by id.
    pub rules: Vec<Rule>,
    /// Whose approval is needed; empty unless the outcome is [`Outcome::NeedsApproval`].
    pub requirements: Vec<Requirement>,
    /// The policy set that decided.
    pub policy_digest: Digest,
    /// The decision in one sentence of plain words.
    pub sentence: String,
    /// For denials that were explained: what would be allowed instead, in words.
    pub would_be_allowed: Vec<String>,
    /// What rules that are only watched would have made of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<Observed>,
    #[serde(skip)]
    pub(super) made_by: MadeBy,
}

/// What the observed rules that apply would have made of a question. It changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// What the outcome would have been.
    pub outcome: Outcome,
    /// The observed rules, by id.
    pub rules: Vec<Rule>,
    /// Whose approval it would have needed, in words.
    pub approval_by: Vec<String>,
}

/// The texts of a policy set: what [`super::PolicyEngine::from_text`] reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySetText {
    /// Its digest.
    pub digest: Digest,
    /// The schema.
    pub schema: String,
    /// All policies.
    pub source: String,
}

/// The policy set that made a decision, at hand to be stored with it. Private to this room, so that
/// nobody else makes decisions. All are equal: the digest already tells the sets apart.
#[derive(Clone, Default)]
pub(super) struct MadeBy(Option<Arc<PolicySetText>>);

impl MadeBy {
    pub(super) fn new(set: &Arc<PolicySetText>) -> Self {
        Self(Some(Arc::clone(set)))
    }

    pub(super) fn set(&self) -> Option<&PolicySetText> {
        self.0.as_deref()
    }
}

impl PartialEq for MadeBy {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for MadeBy {}

impl fmt::Debug for MadeBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MadeBy")
    }
}

impl Decision {
    /// True when it is allowed at once.
    pub fn is_allowed(&self) -> bool {
        self.outcome == Outcome::Allowed
    }

    /// The rules that an exception was asked from.
    pub fn excepted(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.effect == Effect::Excepted)
    }
}

/// A decision as it was stored: with its question, enough to decide again.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredDecision {
    /// Its id.
    pub id: DecisionId,
    /// What was asked.
    pub question: Question,
    /// What was said.
    pub decision: Decision,
    /// When, by the database's clock.
    pub at: Timestamp,
}
