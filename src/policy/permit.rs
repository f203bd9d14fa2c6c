//! Permits: values that only a decision can make, for functions that must not run without one.

use std::marker::PhantomData;

use super::decision::{Decision, ENGINE_ERROR, Effect, Rule};
use super::question::{Action, Question, Role};
use super::{PolicyEngine, explain, words};
use crate::base::{Digest, ErrorKind, Kinded};

/// An action as a type, so that a [`Permit`] for one action does not serve for another.
pub trait Ability: sealed::Sealed {
    /// The action.
    const ACTION: Action;
}

mod sealed {
    pub trait Sealed {}
}

/// One marker type per action.
pub mod ability {
    use super::{Ability, Action, sealed::Sealed};

    macro_rules! abilities {
        ($($name:ident),* $(,)?) => {
            $(
                #[doc = concat!("The ability for [`Action::", stringify!($name), "`].")]
                #[derive(Debug)]
                pub enum $name {}
                impl Sealed for $name {}
                impl Ability for $name {
                    const ACTION: Action = Action::$name;
                }
            )*
            #[cfg(test)]
            pub(in crate::policy) const COVERED: &[Action] = &[$(Action::$name),*];
        };
    }

    abilities! {
        CreateEnvironment, UpdateEnvironment, ExtendEnvironment, PowerEnvironment, ActOnEnvironment, DeleteEnvironment, RetryRun, CancelRun, CheckDrift, AcceptDrift, HandOver, ReadCatalog,
        ReadProject, ReadEnvironment, RevealOutput, ReadRequest, ReviewRequest, WithdrawRequest, ReadAudit,
        ManageCatalog, ReadAdmin, ManageQueue, ManageTargets, ManageQuotas, ManagePrices, ManageRoles, AskForRole, BreakGlass, ManageOrphans, ManagePolicies, PublishPolicies,
        ManageTokens,
    }
}

/// The proof that policy allows the action `A` to this principal on this resource. It cannot be
/// made but by [`PolicyEngine::permit`].
#[derive(Debug)]
pub struct Permit<A: Ability> {
    principal: String,
    resource: String,
    project: Option<String>,
    policy_digest: Digest,
    ability: PhantomData<A>,
}

impl<A: Ability> Permit<A> {
    pub(super) fn decide(engine: &PolicyEngine, question: &Question) -> Result<Self, Denied> {
        if question.action != A::ACTION {
            tracing::error!(policy.action = %question.action, policy.ability = %A::ACTION, "asked for another action");
            return Err(Denied::mistaken(A::ACTION, question));
        }
        let decision = engine.decide(question);
        if !decision.is_allowed() {
            return Err(Denied::new(engine, A::ACTION, question, decision));
        }
        Ok(Self {
            principal: question.principal.id.clone(),
            resource: question.resource.id.clone(),
            project: question.resource.project.clone(),
            policy_digest: decision.policy_digest,
            ability: PhantomData,
        })
    }

    /// To whom it was given.
    pub fn principal(&self) -> &str {
        &self.principal
    }

    /// The id of the resource that it is for.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The project of that resource.
    pub fn project(&self) -> Option<&str> {
        self.project.as_deref()
    }

    /// The policy set that gave it.
    pub fn policy_digest(&self) -> Digest {
        self.policy_digest
    }
}

/// Policy does not allow it: what is missing, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Denied {
    /// What was to be done.
    pub action: Action,
    /// The roles of which any one would be enough; empty when no role helps.
    pub needed: Vec<Role>,
    /// Where the role is missing: “project payments” or “the platform”.
    pub scope: String,
    /// The rules that decided.
    pub rules: Vec<Rule>,
    /// “Needs the role lead in project payments.”, or the decision's sentence when no role helps.
    pub message: String,
}

impl Denied {
    fn new(engine: &PolicyEngine, action: Action, question: &Question, decision: Decision) -> Self {
        let needed = explain::roles_that_help(engine, question);
        let scope = question.scope();
        let message = if needed.is_empty() { decision.sentence } else { needs(&needed, question) };
        Self { action, needed, scope, rules: decision.rules, message }
    }

    /// The slug of the project where the role is missing; `None`: on the platform.
    pub fn project(&self) -> Option<&str> {
        self.scope.strip_prefix("project ")
    }

    /// The caller asked for the permit of one action with a question about another: a defect of ours.
    fn mistaken(action: Action, question: &Question) -> Self {
        let message = format!("Denied: the question was about another action than “{}”.", action.words());
        let rule = Rule { id: ENGINE_ERROR.to_owned(), effect: Effect::Default, reason: message.clone() };
        Self { action, needed: Vec::new(), scope: question.scope(), rules: vec![rule], message }
    }
}

impl Kinded for Denied {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Denied
    }
}

/// “Needs the role developer or lead in project payments.”
pub(super) fn needs(roles: &[Role], question: &Question) -> String {
    let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    let place = if question.resource.project.is_some() { "in" } else { "on" };
    format!("Needs the role {} {place} {}.", words::joined(&names, "or"), question.scope())
}
