//! The engine: a validated policy set that answers questions.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use cedar_policy::{Authorizer, Decision as CedarDecision, Entities, PolicyId, PolicySet, Response, Schema};
use jiff::SignedDuration;

use super::decision::{
    DEFAULT_DENY, Decision, ENGINE_ERROR, Effect, MadeBy, Observed, Outcome, PolicySetText, Requirement, Rule,
};
use super::entities::Types;
use super::group::{Escalation, Group};
use super::memo::Memo;
use super::permit::{Ability, Denied, Permit};
use super::proofs::Proof;
use super::question::{Action, Question};
use super::slice::Slice;
use super::{Error, exception, load, words};
use crate::base::Digest;

/// A policy set, compiled and ready. Clones are one engine: [`PolicyEngine::take_up`] exchanges the
/// set of all of them at once. Each decision is made by one whole set; whoever asks several questions
/// that belong together asks a [`PolicyEngine::now`].
#[derive(Debug, Clone)]
pub struct PolicyEngine(Arc<RwLock<Arc<Compiled>>>);

#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) schema: Schema,
    pub(super) types: Types,
    /// The policies that can speak to each action.
    pub(super) slices: HashMap<Action, Slice>,
    /// For the actions of observed rules: the same with them.
    pub(super) tried: HashMap<Action, Slice>,
    pub(super) rules: HashMap<PolicyId, RuleText>,
    pub(super) text: Arc<PolicySetText>,
    /// Whether a rule reads when something is asked.
    pub(super) reads_time: bool,
    pub(super) memo: Memo,
    pub(super) proofs: OnceLock<Vec<Proof>>,
}

/// What the annotations of a rule say.
#[derive(Debug, Clone)]
pub(super) struct RuleText {
    pub(super) rule: Rule,
    pub(super) approval: Option<Approval>,
    /// Of a forbid: an exception from it may be asked for.
    pub(super) exception: Option<Exception>,
    /// Who answers for the rule, in words.
    pub(super) owner: Option<String>,
    /// It is watched, and decides nothing.
    pub(super) observed: bool,
}

/// Whose approval a permit asks for.
#[derive(Debug, Clone)]
pub(super) struct Approval {
    pub(super) by: Group,
    pub(super) count: u32,
    /// Those of later steps are asked when all of the earlier ones have agreed.
    pub(super) step: u32,
    pub(super) who: Option<String>,
    /// Who may agree as well when nobody has in time, the earliest first.
    pub(super) escalation: Vec<Escalation>,
}

/// Who grants an exception from a forbid, and for how long at most.
#[derive(Debug, Clone)]
pub(super) struct Exception {
    pub(super) approval: Approval,
    pub(super) longest: Option<SignedDuration>,
}

impl PolicyEngine {
    /// The default policy set, which is a part of the binary.
    pub fn embedded() -> Result<Self, Error> {
        load::embedded().map(Self::from)
    }

    /// The policy set of a folder: every `*.cedar` in it, and its `schema.cedarschema` or, where
    /// there is none, the default one.
    pub fn from_folder(folder: &Path) -> Result<Self, Error> {
        load::folder(folder).map(Self::from)
    }

    /// A policy set from texts, for example as [`super::find_policy_set`] gives them.
    pub fn from_text(schema: &str, policies: &str) -> Result<Self, Error> {
        load::text(schema, policies).map(Self::from)
    }

    /// A policy set from the text of its policies, under the schema of this version of Paddock.
    pub fn from_source(policies: &str) -> Result<Self, Error> {
        load::source(policies).map(Self::from)
    }

    /// What holds when the set that shall be in force does not fit this version of Paddock: people see
    /// what is there, admins curate the platform and its policies, and nothing is made, changed, ended,
    /// approved or revealed.
    pub fn for_repair() -> Result<Self, Error> {
        load::for_repair().map(Self::from)
    }

    /// The set of this moment, which stays the same.
    #[must_use]
    pub fn now(&self) -> Self {
        Self(Arc::new(RwLock::new(self.compiled())))
    }

    /// From now on, this engine and its clones decide by the set of `other`.
    pub fn take_up(&self, other: &Self) {
        let compiled = other.compiled();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = compiled;
    }

    pub(super) fn compiled(&self) -> Arc<Compiled> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The digest that a set of these texts has, valid or not.
    pub fn digest_of(schema: &str, policies: &str) -> Digest {
        super::compile::digest(schema, policies)
    }

    /// The digest of schema and policies: two engines with the same digest decide the same.
    pub fn digest(&self) -> Digest {
        self.compiled().text.digest
    }

    /// The text of all policies, as it is stored with decisions.
    pub fn source(&self) -> String {
        self.compiled().text.source.clone()
    }

    /// The text of the schema.
    pub fn schema(&self) -> String {
        self.compiled().text.schema.clone()
    }

    /// Decides. What no rule permits is denied, and so is everything when the engine fails.
    pub fn decide(&self, question: &Question) -> Decision {
        let compiled = self.compiled();
        let (outcome, rules, requirements) = compiled.answer(question);
        let sentence = words::sentence(question, outcome, &rules, &requirements);
        let (policy_digest, made_by) = (compiled.text.digest, MadeBy::new(&compiled.text));
        let observed = compiled.observe(question);
        let would_be_allowed = Vec::new();
        Decision { outcome, rules, requirements, policy_digest, sentence, would_be_allowed, observed, made_by }
    }

    /// Whether it is allowed at once, for lists, which ask the same again and again.
    pub fn allows(&self, question: &Question) -> bool {
        let compiled = self.compiled();
        compiled.memo.answer(question, || compiled.answer(question).0 == Outcome::Allowed)
    }

    #[cfg(test)]
    pub(super) fn ask(&self, question: &Question) -> Option<(cedar_policy::Request, cedar_policy::Entities)> {
        let compiled = self.compiled();
        compiled.types.ask(&compiled.schema, question).ok()
    }

    /// Decides, and hands out the proof for functions that need it. What needs an approval is not
    /// permitted yet.
    pub fn permit<A: Ability>(&self, question: &Question) -> Result<Permit<A>, Denied> {
        Permit::decide(&self.now(), question)
    }
}

impl From<Compiled> for PolicyEngine {
    fn from(compiled: Compiled) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(compiled))))
    }
}

/// A question as Cedar takes it, with the policies that can speak to it.
pub(super) struct Asked<'a> {
    pub(super) question: &'a Question,
    pub(super) request: cedar_policy::Request,
    pub(super) entities: Entities,
    pub(super) set: Arc<PolicySet>,
}

pub(super) type Answer = (Outcome, Vec<Rule>, Vec<Requirement>);

impl Compiled {
    pub(super) fn answer(&self, question: &Question) -> Answer {
        match self.respond(question) {
            Ok(answer) => answer,
            Err(error) => {
                tracing::error!(policy.action = %question.action, policy.digest = %self.text.digest, error, "policy failed");
                failed()
            }
        }
    }

    /// What observed rules would have made of it. Their errors are their own affair.
    fn observe(&self, question: &Question) -> Option<Observed> {
        let slice = self.tried.get(&question.action)?;
        let (request, entities) = self.types.ask(&self.schema, question).ok()?;
        let set = slice.about(&request, &entities).ok()?;
        let response = Authorizer::new().is_authorized(&request, &set, &entities);
        let (outcome, rules, requirements) = self.read(&Asked { question, request, entities, set }, &response);
        let observed = |rule: &Rule| self.rules.get(&PolicyId::new(&rule.id)).is_some_and(|text| text.observed);
        let rules: Vec<Rule> = rules.into_iter().filter(observed).collect();
        let requirements = requirements.into_iter().map(|requirement| requirement.who).collect();
        (!rules.is_empty()).then_some(Observed { outcome, rules, approval_by: requirements })
    }

    fn respond(&self, question: &Question) -> Result<Answer, String> {
        let slice = self.slices.get(&question.action).ok_or("no policies for this action")?;
        let (request, entities) = self.types.ask(&self.schema, question).map_err(|error| error.to_string())?;
        let set = slice.about(&request, &entities)?;
        let response = Authorizer::new().is_authorized(&request, &set, &entities);
        // Cedar skips a policy that fails. A forbid must not be skipped, so none may fail.
        let error = response.diagnostics().errors().next().map(ToString::to_string);
        let asked = Asked { question, request, entities, set };
        error.map_or_else(|| Ok(self.read(&asked, &response)), Err)
    }

    pub(super) fn read(&self, asked: &Asked<'_>, response: &Response) -> Answer {
        let question = asked.question;
        let mut texts: Vec<&RuleText> = Vec::new();
        for id in response.diagnostics().reason() {
            let Some(text) = self.rules.get(id) else { return failed() };
            texts.push(text);
        }
        texts.sort_by(|a, b| a.rule.id.cmp(&b.rule.id));
        let rules: Vec<Rule> = texts.iter().map(|text| text.rule.clone()).collect();
        if response.decision() == CedarDecision::Deny {
            if rules.is_empty() {
                return (Outcome::Denied, vec![default_deny(question)], Vec::new());
            }
            return match exception::all(question, &texts) {
                Some(exceptions) => self.except(asked, &exceptions),
                None => (Outcome::Denied, rules, Vec::new()),
            };
        }
        // A person cannot escape an approval by matching another permit: they add up.
        let mut requirements: Vec<Requirement> =
            texts.iter().filter_map(|text| Some(requirement(question, &text.rule, text.approval.as_ref()?))).collect();
        requirements.sort_by_key(|requirement| requirement.step);
        let outcome = if requirements.is_empty() { Outcome::Allowed } else { Outcome::NeedsApproval };
        (outcome, rules, requirements)
    }
}

pub(super) fn requirement(question: &Question, rule: &Rule, approval: &Approval) -> Requirement {
    Requirement {
        rule_id: rule.id.clone(),
        who: words::approver(approval, question),
        by: approval.by.clone(),
        count: approval.count,
        step: approval.step,
        escalation: approval.escalation.clone(),
    }
}

fn default_deny(question: &Question) -> Rule {
    Rule { id: DEFAULT_DENY.to_owned(), effect: Effect::Default, reason: words::nothing_permits(question) }
}

pub(super) fn failed() -> Answer {
    let reason = "The rules could not be applied to this, so it is denied. The server's log says why.".to_owned();
    (Outcome::Denied, vec![Rule { id: ENGINE_ERROR.to_owned(), effect: Effect::Default, reason }], Vec::new())
}
