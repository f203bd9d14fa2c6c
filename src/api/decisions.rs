//! What policy said, as the API shows it.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::policy::{Decision, Effect, Escalation, Outcome, Requirement, Role, Rule};
use crate::requests::{Approver, ProgressedRequirement};

/// What policy said, and why.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Decision)]
pub struct DecisionView {
    outcome: Outcome,
    /// The rules that decided.
    rules: Vec<RuleView>,
    /// Who must agree.
    requirements: Vec<RequirementView>,
    /// The policy set that decided, by its SHA-256.
    policy_digest: String,
    /// The decision in one sentence.
    sentence: String,
    /// When it is denied: what would be allowed instead, in words.
    would_be_allowed: Vec<String>,
    /// What rules that are only watched would have made of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    observed: Option<ObservedView>,
}

/// What rules with `@mode("observe")` would have made of it. It changed nothing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Observed)]
pub struct ObservedView {
    outcome: Outcome,
    rules: Vec<RuleView>,
    /// Whose approval it would have needed, in words.
    approval_by: Vec<String>,
}

impl From<&Rule> for RuleView {
    fn from(rule: &Rule) -> Self {
        Self { id: rule.id.clone(), effect: rule.effect, reason: rule.reason.clone() }
    }
}

/// A rule that took part.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rule)]
pub struct RuleView {
    id: String,
    effect: Effect,
    /// The rule in words.
    reason: String,
}

/// Who must agree, and how far that is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Requirement)]
pub struct RequirementView {
    /// Who, in words: “a lead of payments”.
    who: String,
    /// The role that counts; null where a team is asked.
    role: Option<Role>,
    /// The slug of the team whose members count; null where a role is asked.
    team: Option<String>,
    /// Who may agree as well when nobody has in time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    escalation: Vec<EscalationView>,
    /// How many different people.
    count: i64,
    /// When they are asked: those of step 2 when everybody of step 1 has agreed, and so on.
    step: i64,
    /// How many have agreed. Whoever has counts for one requirement.
    approvals: i64,
    /// Whether that is enough.
    satisfied: bool,
    /// The rule that asks for it.
    rule_id: String,
    /// In a verdict: the people who can agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    approvers: Option<Vec<PersonView>>,
}

/// Who may agree as well when nobody has in time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Escalation)]
pub struct EscalationView {
    /// How long the requirement has waited by then.
    after_seconds: i64,
    /// The role that counts then; null where a team is asked.
    role: Option<Role>,
    /// The slug of the team whose members count then.
    team: Option<String>,
    /// Since when they count; null while they do not.
    #[schema(format = DateTime, value_type = Option<String>)]
    since: Option<Timestamp>,
}

impl EscalationView {
    fn new(rule: &Escalation, since: Option<Timestamp>) -> Self {
        let Escalation { after_seconds, to } = rule;
        Self { after_seconds: *after_seconds, role: to.role(), team: to.team().map(str::to_owned), since }
    }
}

/// A person, for showing.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = PersonRef)]
pub struct PersonView {
    id: String,
    name: String,
}

impl PersonView {
    /// Somebody by id and name.
    pub fn new(id: impl std::fmt::Display, name: &str) -> Self {
        Self { id: id.to_string(), name: name.to_owned() }
    }
}

impl DecisionView {
    fn new(decision: &Decision, requirements: Vec<RequirementView>) -> Self {
        Self {
            outcome: decision.outcome,
            rules: decision.rules.iter().map(Into::into).collect(),
            requirements,
            policy_digest: decision.policy_digest.to_string(),
            sentence: decision.sentence.clone(),
            would_be_allowed: decision.would_be_allowed.clone(),
            observed: decision.observed.as_ref().map(|observed| ObservedView {
                outcome: observed.outcome,
                rules: observed.rules.iter().map(Into::into).collect(),
                approval_by: observed.approval_by.clone(),
            }),
        }
    }

    /// A stored decision with the progress of its requirements.
    pub fn stored(decision: &Decision, progress: &[ProgressedRequirement]) -> Self {
        let requirements = progress.iter().map(|requirement| RequirementView {
            who: requirement.who.clone(),
            role: requirement.by.role(),
            team: requirement.by.team().map(str::to_owned),
            escalation: requirement.escalation.iter().map(|rung| EscalationView::new(&rung.rule, rung.since)).collect(),
            count: requirement.count.into(),
            step: requirement.step.into(),
            approvals: requirement.approvals,
            satisfied: requirement.is_satisfied(),
            rule_id: requirement.rule_id.clone(),
            approvers: None,
        });
        Self::new(decision, requirements.collect())
    }

    /// A decision that was not stored, with the people who could agree.
    pub fn preview(decision: &Decision, approvers: &[Vec<Approver>]) -> Self {
        Self::new(decision, preview(&decision.requirements, approvers))
    }
}

/// Requirements that nobody has met yet, with the people who could.
pub fn preview(requirements: &[Requirement], approvers: &[Vec<Approver>]) -> Vec<RequirementView> {
    let view = |(requirement, people): (&Requirement, &Vec<Approver>)| RequirementView {
        who: requirement.who.clone(),
        role: requirement.by.role(),
        team: requirement.by.team().map(str::to_owned),
        escalation: requirement.escalation.iter().map(|rule| EscalationView::new(rule, None)).collect(),
        count: requirement.count.into(),
        step: requirement.step.into(),
        approvals: 0,
        satisfied: false,
        rule_id: requirement.rule_id.clone(),
        approvers: Some(people.iter().map(|person| PersonView::new(person.id, &person.label())).collect()),
    };
    requirements.iter().zip(approvers).map(view).collect()
}
