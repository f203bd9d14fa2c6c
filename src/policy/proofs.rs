//! Standing proofs: what must hold under every set of rules, asked of it.
//!
//! Cedar's symbolic analysis needs a solver (cvc5) that Paddock does not bring, so the proofs are made by
//! exhaustion: every question over roles, actions and scopes, where the scopes are those that the rules
//! themselves name, and one that none of them names. What a rule can tell apart is so asked both ways. A
//! condition on something else (a login, a channel, the value of an input) is met with its own literals
//! for errors only; it is no part of the scopes.

use std::collections::{BTreeMap, BTreeSet};

use super::decision::{ENGINE_ERROR, Outcome};
use super::engine::{Compiled, PolicyEngine};
use super::group::Group;
use super::question::{Action, Context, Principal, Question, Resource, ResourceKind, Role};
use super::slice::Slice;
use super::{compile, names};

/// What must hold, and whether it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// What must hold, in words.
    pub claim: &'static str,
    /// How many questions were asked.
    pub asked: usize,
    /// Where it does not hold, in words.
    pub broken_by: Option<String>,
}

/// The person who asks.
const ASKER: &str = "usr_asker";
/// Somebody else.
pub(super) const OTHER: &str = "usr_other";
/// No rule names this.
pub(super) const UNNAMED: &str = "any-other";
/// So many scopes are taken from one rule; a rule that names more is asked about the first ones.
const MOST_SCOPES: usize = 64;

impl PolicyEngine {
    /// The proofs, with their results. They are made once for each set.
    pub fn proofs(&self) -> Vec<Proof> {
        let compiled = self.compiled();
        compiled
            .proofs
            .get_or_init(|| {
                vec![own_requests(self, &compiled), policies(self), audit(self, &compiled), errors(self, &compiled)]
            })
            .clone()
    }

    /// The actions that no rule permits to anybody: what a new release can do, and these rules do not know.
    pub fn without_permit(&self) -> Vec<Action> {
        let compiled = self.compiled();
        let permits = |action: &Action| {
            let policies = compiled.slices.get(action).into_iter().flat_map(Slice::policies);
            policies.into_iter().any(|policy| policy.effect() == cedar_policy::Effect::Permit)
        };
        Action::ALL.iter().filter(|action| !permits(action)).copied().collect()
    }
}

fn proof(
    claim: &'static str,
    questions: impl IntoIterator<Item = Question>,
    breaks: impl Fn(&Question) -> bool,
) -> Proof {
    let mut proof = Proof { claim, asked: 0, broken_by: None };
    for question in questions {
        proof.asked += 1;
        if breaks(&question) {
            proof.broken_by = Some(in_words(&question));
            break;
        }
    }
    proof
}

fn own_requests(engine: &PolicyEngine, compiled: &Compiled) -> Proof {
    // By whom an approval is asked for: by nobody's rule, and by everybody's.
    let questions = scopes(compiled, Action::ReviewRequest).into_iter().flat_map(|scope| {
        [false, true].into_iter().flat_map(move |is_asked| {
            let scope = scope.clone();
            roles(&subsets()).into_iter().flat_map(move |principal| {
                let mut asked = scope.question(Action::ReviewRequest, ResourceKind::Request, &principal);
                if !is_asked {
                    asked.resource.asked.clear();
                }
                [Some(principal.id), None].map(|requester| {
                    let resource = Resource { requester, ..asked.resource.clone() };
                    Question { resource, ..asked.clone() }
                })
            })
        })
    });
    proof("Nobody approves their own request", questions, |question| engine.decide(question).outcome != Outcome::Denied)
}

fn policies(engine: &PolicyEngine) -> Proof {
    let admin = |question: &Question| question.roles().contains(&Role::Admin);
    let questions = roles(&subsets()).into_iter().flat_map(|principal| {
        let version = |editor: &str| Resource {
            editors: vec![editor.to_owned()],
            ..Resource::new(ResourceKind::PolicyVersion, "pol_probe")
        };
        [
            (Action::ManagePolicies, Resource::platform()),
            (Action::PublishPolicies, version(OTHER)),
            (Action::PublishPolicies, version(&principal.id)),
        ]
        .map(|(action, resource)| Question {
            action,
            principal: principal.clone(),
            resource,
            context: context(),
        })
    });
    proof("Only admins write and publish policies, and nobody publishes their own", questions, |question| {
        let own = question.resource.editors.contains(&question.principal.id);
        (own || !admin(question)) && engine.decide(question).outcome != Outcome::Denied
    })
}

fn audit(engine: &PolicyEngine, compiled: &Compiled) -> Proof {
    let actions = Action::ALL.iter().filter(|action| **action != Action::ReadAudit);
    let questions = actions.flat_map(|action| {
        [None, Some(UNNAMED)].map(|project| Question {
            action: *action,
            principal: principal(&Role::ALL.into(), &Role::ALL.into()),
            resource: Resource::audit_log(project),
            context: context(),
        })
    });
    // Most of these have no meaning: the schema knows no such question, and then nobody can ask it.
    let can_be_asked = |question: &Question| compiled.types.ask(&compiled.schema, question).is_ok();
    proof("Nobody changes the audit log", questions, |question| {
        can_be_asked(question) && engine.decide(question).outcome != Outcome::Denied
    })
}

fn errors(engine: &PolicyEngine, compiled: &Compiled) -> Proof {
    let few: Vec<BTreeSet<Role>> = subsets().into_iter().filter(|roles| roles.len() < 2 || roles.len() == 4).collect();
    let mut principals: Vec<Principal> = few.iter().map(|roles| principal(&BTreeSet::new(), roles)).collect();
    principals.extend([principal(&Role::ALL.into(), &BTreeSet::new()), Principal::system("probe")]);
    let questions = Action::ALL.iter().flat_map(|action| {
        let contexts = contexts(compiled, *action);
        let principals = &principals;
        scopes(compiled, *action).into_iter().flat_map(move |scope| {
            let contexts = contexts.clone();
            compile::kinds_of(*action).iter().flat_map(move |kind| {
                let (scope, contexts) = (scope.clone(), contexts.clone());
                principals.iter().flat_map(move |principal| {
                    let asked = scope.question(*action, *kind, principal);
                    contexts.clone().into_iter().map(move |context| Question { context, ..asked.clone() })
                })
            })
        })
    });
    proof("No rule fails", questions, |question| {
        engine.decide(question).rules.iter().any(|rule| rule.id == ENGINE_ERROR)
    })
}

/// Where a question is about, as rules name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scope {
    project: String,
    kind: String,
    template: String,
    team: String,
}

impl Scope {
    /// Whether such things belong to no project.
    pub(super) fn is_of_platform(kind: ResourceKind) -> bool {
        matches!(
            kind,
            ResourceKind::Platform | ResourceKind::Template | ResourceKind::CatalogSource | ResourceKind::PolicyVersion
        )
    }

    pub(super) fn question(&self, action: Action, kind: ResourceKind, principal: &Principal) -> Question {
        let of_platform = Self::is_of_platform(kind);
        let resource = Resource {
            project: (!of_platform).then(|| self.project.clone()),
            environment_type: Some(self.kind.clone()),
            template: Some(self.template.clone()),
            provider: Some(UNNAMED.to_owned()),
            owner: Some(principal.id.clone()),
            requester: Some(OTHER.to_owned()),
            asked: Role::ALL.map(Group::Role).into_iter().chain([Group::Team(self.team.clone())]).collect(),
            editors: vec![OTHER.to_owned()],
            ..Resource::new(kind, "probe")
        };
        let principal = Principal { teams: vec![self.team.clone()], ..principal.clone() };
        Question { action, principal, resource, context: context() }
    }
}

/// What the rules about an action name, rule by rule, and one scope that none of them names.
pub(super) fn scopes(compiled: &Compiled, action: Action) -> BTreeSet<Scope> {
    let unnamed = || UNNAMED.to_owned();
    let mut scopes =
        BTreeSet::from([Scope { project: unnamed(), kind: unnamed(), template: unnamed(), team: unnamed() }]);
    for policy in compiled.slices.get(&action).into_iter().flat_map(Slice::policies) {
        let named = policy.entity_literals();
        let of = |kind: &str| -> Vec<String> {
            let named = named.iter().filter(|uid| uid.type_name().basename() == kind);
            named.map(|uid| uid.id().unescaped().to_owned()).chain([unnamed()]).collect()
        };
        let (projects, templates, teams) = (of("Project"), of("Template"), of("Team"));
        let kinds: Vec<String> = texts(policy).into_iter().chain([unnamed()]).collect();
        let all = projects.iter().flat_map(|project| {
            let (kinds, teams) = (&kinds, &teams);
            templates.iter().flat_map(move |template| {
                kinds.iter().flat_map(move |kind| {
                    teams.iter().map(move |team| Scope {
                        project: project.clone(),
                        kind: kind.clone(),
                        template: template.clone(),
                        team: team.clone(),
                    })
                })
            })
        });
        scopes.extend(all.take(MOST_SCOPES));
    }
    scopes
}

/// The texts that a rule compares something with.
pub(super) fn texts(policy: &cedar_policy::Policy) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if let Ok(tree) = policy.to_json() {
        names::collect(&tree, "Value", &mut |value| found.extend(value.as_str().map(str::to_owned)));
    }
    found
}

/// Circumstances in which a rule could fail: without inputs, and with the largest and smallest numbers
/// under every name that a rule about the action has, the earliest and the latest times and costs.
fn contexts(compiled: &Compiled, action: Action) -> Vec<Context> {
    let slice = compiled.slices.get(&action);
    let names: BTreeSet<String> = slice.into_iter().flat_map(Slice::policies).flat_map(texts).collect();
    let numbers = |number: i64, at: &str, cost: &str| Context {
        at: at.parse().ok(),
        cost_per_month: Some(cost.to_owned()),
        inputs: names.iter().map(|name| (name.clone(), number.into())).collect(),
        lifetime_seconds: Some(number),
        maximum_lifetime_seconds: Some(number),
        operation: Some("stop".to_owned()),
        ..context()
    };
    let (latest, most) = ("9999-12-30T00:00:00Z", "922337203685477.5807");
    let (earliest, least) = ("0001-01-01T00:00:00Z", "-922337203685477.5808");
    vec![context(), numbers(i64::MAX, latest, most), numbers(i64::MIN, earliest, least)]
}

fn context() -> Context {
    Context { channel: "web".to_owned(), ..Context::default() }
}

/// Every set of roles.
fn subsets() -> Vec<BTreeSet<Role>> {
    let count = 1_usize << Role::ALL.len();
    let set = |bits: usize| Role::ALL.into_iter().enumerate().filter(move |(at, _)| bits >> at & 1 == 1);
    (0..count).map(|bits| set(bits).map(|(_, role)| role).collect()).collect()
}

/// Every set of roles in the project with every set of roles on the platform, and Paddock itself.
fn roles(sets: &[BTreeSet<Role>]) -> Vec<Principal> {
    let people = sets.iter().flat_map(|platform| sets.iter().map(|project| principal(platform, project)));
    people.chain([Principal::system("probe")]).collect()
}

pub(super) fn principal(platform: &BTreeSet<Role>, project: &BTreeSet<Role>) -> Principal {
    Principal {
        id: ASKER.to_owned(),
        login: "somebody".to_owned(),
        teams: Vec::new(),
        platform_roles: platform.clone(),
        project_roles: project.clone(),
        place_roles: BTreeMap::new(),
    }
}

/// “somebody with the roles lead and admin: approve or reject a request in project payments”.
pub(super) fn in_words(question: &Question) -> String {
    let roles: Vec<&str> = question.roles().into_iter().map(Role::as_str).collect();
    let who = match roles.as_slice() {
        _ if question.principal.is_system() => "Paddock itself".to_owned(),
        [] => "somebody without a role".to_owned(),
        [one] => format!("somebody with the role {one}"),
        several => format!("somebody with the roles {}", super::words::joined(several, "and")),
    };
    format!("{who}: {}", question.asked())
}
