//! The policies of one action, by what their scope names.
//!
//! Evaluation is linear in the number of policies that reach the engine. A policy whose scope names one
//! project, team, person or thing that a question is not about can neither apply nor fail: Cedar looks at
//! the scope first. So a question is answered by the policies without such a scope, and by those whose
//! scope names something that it is about; which of them apply is for Cedar to say.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cedar_policy::{Entities, EntityUid, Policy, PolicySet, PrincipalConstraint, Request, ResourceConstraint};

/// So many sets are kept ready; then all are forgotten. A set is a list of references.
const MOST: usize = 1_000;

/// The policies of one action.
#[derive(Debug, Default)]
pub(super) struct Slice {
    /// Those whose scope names no one thing.
    general: Vec<Policy>,
    /// The others, by what their scope names, each group with its number.
    scoped: HashMap<EntityUid, Group>,
    /// Sets that were put together before, by the numbers of their groups.
    ready: Mutex<HashMap<Vec<usize>, Arc<PolicySet>>>,
}

#[derive(Debug, Clone)]
struct Group {
    number: usize,
    policies: Vec<Policy>,
}

impl Clone for Slice {
    fn clone(&self) -> Self {
        Self { general: self.general.clone(), scoped: self.scoped.clone(), ready: Mutex::default() }
    }
}

impl Slice {
    /// Adds a policy, whose id no other one has.
    pub(super) fn add(&mut self, policy: Policy) {
        self.ready = Mutex::default();
        let Some(named) = named(&policy) else {
            self.general.push(policy);
            return;
        };
        let number = self.scoped.len();
        let group = self.scoped.entry(named).or_insert_with(|| Group { number, policies: Vec::new() });
        group.policies.push(policy);
    }

    /// All of them.
    pub(super) fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.general.iter().chain(self.scoped.values().flat_map(|group| &group.policies))
    }

    /// The policies that can speak to a request.
    pub(super) fn about(&self, request: &Request, entities: &Entities) -> Result<Arc<PolicySet>, String> {
        let mut groups: Vec<&Group> = Vec::new();
        if !self.scoped.is_empty() {
            for uid in [request.principal(), request.resource()].into_iter().flatten() {
                let ancestors = entities.ancestors(uid).into_iter().flatten();
                groups.extend(std::iter::once(uid).chain(ancestors).filter_map(|uid| self.scoped.get(uid)));
            }
            groups.sort_by_key(|group| group.number);
            groups.dedup_by_key(|group| group.number);
        }
        let key: Vec<usize> = groups.iter().map(|group| group.number).collect();
        if let Some(ready) = self.ready().get(&key) {
            return Ok(Arc::clone(ready));
        }
        let policies = self.general.iter().chain(groups.iter().flat_map(|group| &group.policies)).cloned();
        let set = Arc::new(PolicySet::from_policies(policies).map_err(|error| error.to_string())?);
        let mut ready = self.ready();
        if ready.len() >= MOST {
            ready.clear();
        }
        ready.insert(key, Arc::clone(&set));
        Ok(set)
    }

    fn ready(&self) -> std::sync::MutexGuard<'_, HashMap<Vec<usize>, Arc<PolicySet>>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one thing that the scope of a policy names, if it names one. Where it names two, the policy
/// applies to neither without the other: the resource tells more questions apart.
fn named(policy: &Policy) -> Option<EntityUid> {
    let resource = match policy.resource_constraint() {
        ResourceConstraint::In(uid) | ResourceConstraint::Eq(uid) | ResourceConstraint::IsIn(_, uid) => Some(uid),
        ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
    };
    resource.or_else(|| match policy.principal_constraint() {
        PrincipalConstraint::In(uid) | PrincipalConstraint::Eq(uid) | PrincipalConstraint::IsIn(_, uid) => Some(uid),
        PrincipalConstraint::Any | PrincipalConstraint::Is(_) => None,
    })
}
