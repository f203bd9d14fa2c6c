//! What one set of rules lets people do that another does not, each with an example.
//!
//! As the standing proofs, it is found by asking: every action whose rules differ, by everybody with one role,
//! with none or with all, in every scope that rules of either set name, and with every number, text, time and
//! amount that they name, and the next ones beside it. What neither set names is not told apart by either.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;

use super::decision::{Outcome, Requirement};
use super::engine::{Compiled, PolicyEngine};
use super::proofs::{self, OTHER, Scope};
use super::question::{Action, Context, Principal, Question, ResourceKind, Role};
use super::slice::Slice;
use super::{compile, names};

/// So many questions are asked about one action at most.
const MOST_ASKED: usize = 60_000;
/// So many examples are told.
const MOST_TOLD: usize = 20;
/// An hour: what is asked for when no rule names a time.
const USUAL: i64 = 3600;

/// What is granted that was not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// How many questions were asked.
    pub asked: usize,
    /// What is granted, an example each.
    pub new: Vec<Grant>,
    /// How many more there are.
    pub more: usize,
    /// Whether there were more questions than are asked.
    pub cut: bool,
}

/// Something that is granted and was not, or not without an approval, or not without as many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// “somebody with the role developer: create an environment of the type prod in project payments”
    pub example: String,
    /// What was said to it.
    pub before: Outcome,
    /// What is said.
    pub after: Outcome,
}

impl PolicyEngine {
    /// What this set grants that the other does not.
    pub fn grants_beyond(&self, other: &Self) -> Grants {
        let (before, after) = (other.compiled(), self.compiled());
        let mut grants = Grants::default();
        for action in Action::ALL.iter().filter(|action| rules(&before, **action) != rules(&after, **action)) {
            let found = of_action(&before, &after, *action, &mut grants);
            grants.new.extend(found.into_values());
        }
        grants.more = grants.new.len().saturating_sub(MOST_TOLD);
        grants.new.truncate(MOST_TOLD);
        grants
    }
}

/// The rules that speak to an action, as texts.
fn rules(compiled: &Compiled, action: Action) -> BTreeSet<String> {
    let policies = compiled.slices.get(&action).into_iter().flat_map(Slice::policies);
    policies.filter_map(cedar_policy::Policy::to_cedar).collect()
}

/// The first example for each scope and role.
fn of_action(
    before: &Compiled,
    after: &Compiled,
    action: Action,
    grants: &mut Grants,
) -> BTreeMap<(Scope, bool, usize), Grant> {
    let mut scopes = proofs::scopes(before, action);
    scopes.extend(proofs::scopes(after, action));
    let contexts = contexts(before, after, action);
    let mut found = BTreeMap::new();
    let start = grants.asked;
    for scope in scopes {
        for kind in compile::kinds_of(action) {
            for own in [true, false] {
                if !own && !matches!(kind, ResourceKind::Environment) {
                    continue;
                }
                for (order, principal) in principals(*kind).into_iter().enumerate() {
                    // Whoever has more is told of only where nobody with less has it.
                    let told = found.keys().any(|(of, mine, less): &(Scope, bool, usize)| {
                        *of == scope && *mine == own && (*less == 0 || order > Role::ALL.len())
                    });
                    if told || grants.asked - start > MOST_ASKED {
                        grants.cut |= !told;
                        continue;
                    }
                    let example = contexts.iter().find_map(|context| {
                        grants.asked += 1;
                        let mut question = scope.question(action, *kind, &principal);
                        question.context = context.clone();
                        if !own {
                            question.resource.owner = Some(OTHER.to_owned());
                        }
                        grant(before, after, &question, own)
                    });
                    if let Some(grant) = example {
                        found.insert((scope.clone(), own, order), grant);
                    }
                }
            }
        }
    }
    found
}

fn grant(before: &Compiled, after: &Compiled, question: &Question, own: bool) -> Option<Grant> {
    let (now, _, asks) = after.answer(question);
    if now == Outcome::Denied {
        return None;
    }
    let (was, _, asked) = before.answer(question);
    let fewer = now == was && people(&asks) < people(&asked);
    (rank(now) > rank(was) || fewer).then(|| Grant { example: in_words(question, own), before: was, after: now })
}

fn rank(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Denied => 0,
        Outcome::NeedsApproval => 1,
        Outcome::Allowed => 2,
    }
}

fn people(requirements: &[Requirement]) -> u32 {
    requirements.iter().map(|one| one.count).sum()
}

/// Nobody, everybody with one role, and somebody with all: in the project, or on the platform where there is none.
fn principals(kind: ResourceKind) -> Vec<Principal> {
    let none = BTreeSet::new();
    let sets = std::iter::once(none.clone()).chain(Role::ALL.map(|role| BTreeSet::from([role])));
    let sets = sets.chain([BTreeSet::from(Role::ALL)]);
    sets.map(|roles| {
        if Scope::is_of_platform(kind) { proofs::principal(&roles, &none) } else { proofs::principal(&none, &roles) }
    })
    .collect()
}

/// Circumstances that rules of either set can tell apart: what they name, and what lies beside it.
fn contexts(before: &Compiled, after: &Compiled, action: Action) -> Vec<Context> {
    let of = |compiled: &'_ Compiled| compiled.slices.get(&action).cloned().unwrap_or_default();
    let (before, after) = (of(before), of(after));
    let policies: Vec<_> = before.policies().chain(after.policies()).collect();
    let texts: BTreeSet<String> = policies.iter().flat_map(|policy| proofs::texts(policy)).collect();
    let mut numbers = BTreeSet::from([USUAL]);
    for tree in policies.iter().filter_map(|policy| policy.to_json().ok()) {
        names::collect(&tree, "Value", &mut |value| {
            let near = value.as_i64().into_iter().flat_map(|n| [n.saturating_sub(1), n, n.saturating_add(1)]);
            numbers.extend(near);
        });
    }
    let with = |value: &serde_json::Value| texts.iter().map(|name| (name.clone(), value.clone())).collect();
    let usual = || Context {
        lifetime_seconds: Some(USUAL),
        maximum_lifetime_seconds: Some(i64::MAX),
        channel: "web".to_owned(),
        ..Context::default()
    };
    let roles = Role::ALL.map(Some).into_iter().filter(|_| matches!(action, Action::AskForRole | Action::BreakGlass));
    let roles: Vec<Option<Role>> = roles.chain([None]).collect();
    let mut all = vec![usual()];
    for number in &numbers {
        for role in &roles {
            let lifetime_seconds = Some(*number);
            all.push(Context { lifetime_seconds, asked_role: *role, ..usual() });
        }
        all.push(Context { inputs: with(&(*number).into()), ..usual() });
    }
    for text in &texts {
        all.push(Context { inputs: with(&text.as_str().into()), ..usual() });
        all.push(Context { operation: Some(text.clone()), ..usual() });
        if let Ok(at) = text.parse::<Timestamp>() {
            let beside = [SignedDuration::from_secs(-1), SignedDuration::ZERO, SignedDuration::from_secs(1)];
            all.extend(beside.into_iter().map(|by| Context { at: at.checked_add(by).ok(), ..usual() }));
        } else if let Ok(amount) = text.parse::<Decimal>() {
            let beside = [-Decimal::new(1, 4), Decimal::ZERO, Decimal::new(1, 4)];
            all.extend(
                beside.into_iter().map(|by| Context { cost_per_month: Some(format!("{:.4}", amount + by)), ..usual() }),
            );
        }
    }
    all
}

/// The question in words, with what of its circumstances is not as usual.
fn in_words(question: &Question, own: bool) -> String {
    let context = &question.context;
    let mut words = proofs::in_words(question);
    let scope = &question.resource;
    if let Some(template) = scope.template.as_deref().filter(|name| *name != proofs::UNNAMED) {
        words = format!("{words}, of the template {template}");
    }
    if !own {
        words.push_str(", somebody else’s");
    }
    if let Some(team) = question.principal.teams.iter().find(|team| *team != proofs::UNNAMED) {
        words = format!("{words}, in the team {team}");
    }
    if let Some(role) = context.asked_role {
        words = format!("{words}, the role {role}");
    }
    if let Some(seconds) = context.lifetime_seconds.filter(|seconds| *seconds != USUAL) {
        words = format!("{words}, for {}", super::words::duration(seconds));
    }
    if let Some((_, value)) = context.inputs.iter().next() {
        words = format!("{words}, with {value} in what it reads of the form");
    }
    if let Some(operation) = &context.operation {
        words = format!("{words}, to {operation}");
    }
    if let Some(at) = context.at {
        words = format!("{words}, at {at}");
    }
    if let Some(cost) = &context.cost_per_month {
        words = format!("{words}, at {cost} in a month");
    }
    words
}
