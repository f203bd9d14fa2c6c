//! From texts to a compiled policy set. Everything that is wrong is listed, with its place.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use cedar_policy::ffi::DetailedError;
use cedar_policy::{
    ActionConstraint, Entities, Policy, PolicyId, PolicySet, Schema, ValidationMode, ValidationResult,
    ValidationWarning, Validator,
};

use super::annotations;
use super::decision::PolicySetText;
use super::engine::{Compiled, RuleText};
use super::entities::Types;
use super::group::Group;
use super::memo::Memo;
use super::question::{Action, Context, Principal, Question, Resource, ResourceKind, Role};
use super::slice::Slice;
use super::{Error, Problem, names};
use crate::base::Digest;

/// A named text.
pub(super) struct File {
    pub(super) name: String,
    pub(super) text: String,
}

pub(super) fn compile(schema_file: &File, mut files: Vec<File>) -> Result<Compiled, Error> {
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let (schema, warnings) = Schema::from_cedarschema_str(&schema_file.text)
        .map_err(|error| Error::Invalid(schema_file.problems(None, &DetailedError::from(&error))))?;
    for warning in warnings {
        tracing::warn!(policy.file = schema_file.name, %warning, "policy schema");
    }
    let types = Types::new().map_err(|error| Error::SchemaMismatch(error.to_string()))?;
    let actions = schema.action_entities().map_err(|error| Error::SchemaMismatch(error.to_string()))?;
    let mut set = Set {
        types: &types,
        actions,
        attributes: names::declared(&schema_file.text),
        validator: Validator::new(schema.clone()),
        rules: HashMap::new(),
        slices: Action::ALL.iter().map(|action| (*action, Slice::default())).collect(),
        observed: Vec::new(),
        problems: Vec::new(),
    };
    for file in &files {
        set.add_file(file);
    }
    let Set { rules, slices, observed, problems, .. } = set;
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    if rules.is_empty() {
        return Err(Error::Empty("the policy set".to_owned()));
    }
    let source = joined(&files);
    let digest = digest(&schema_file.text, &source);
    let text = Arc::new(PolicySetText { digest, schema: schema_file.text.clone(), source });
    let tried = with_observed(&slices, observed);
    let reads_time = slices.values().chain(tried.values()).flat_map(Slice::policies).any(names::reads_time);
    let (memo, proofs) = (Memo::default(), OnceLock::new());
    let compiled = Compiled { schema, types, slices, tried, rules, text, reads_time, memo, proofs };
    probe(&compiled)?;
    Ok(compiled)
}

/// A policy set while it is put together.
struct Set<'a> {
    types: &'a Types,
    actions: Entities,
    attributes: BTreeSet<String>,
    validator: Validator,
    rules: HashMap<PolicyId, RuleText>,
    slices: HashMap<Action, Slice>,
    observed: Vec<(Action, Policy)>,
    problems: Vec<Problem>,
}

/// For each action that an observed rule speaks to: all its rules, the observed ones among them.
fn with_observed(slices: &HashMap<Action, Slice>, observed: Vec<(Action, Policy)>) -> HashMap<Action, Slice> {
    let mut tried: HashMap<Action, Slice> = HashMap::new();
    for (action, policy) in observed {
        let whole = tried.entry(action).or_insert_with(|| slices.get(&action).cloned().unwrap_or_default());
        whole.add(policy);
    }
    tried
}

impl Set<'_> {
    fn add_file(&mut self, file: &File) {
        let parsed: PolicySet = match file.text.parse() {
            Ok(parsed) => parsed,
            Err(error) => {
                let error: cedar_policy::ParseErrors = error;
                self.problems.extend(file.problems(None, &DetailedError::from(&error)));
                return;
            }
        };
        for template in parsed.templates() {
            let message = "a policy with ?principal or ?resource is a template: only whole policies are read";
            self.problems.push(file.problem_at(&template.to_cedar(), template.annotation("id"), message, None));
        }
        for policy in parsed.policies() {
            self.add_policy(file, policy);
        }
        let result = self.validator.validate(&parsed, ValidationMode::Strict);
        self.read_validation(file, &parsed, &result);
    }

    fn read_validation(&mut self, file: &File, parsed: &PolicySet, result: &ValidationResult) {
        for error in result.validation_errors() {
            let id = parsed.annotation(error.policy_id(), "id");
            for problem in file.problems(id, &DetailedError::from(error)) {
                // Cedar reports a mistake once for every action that the rule is about.
                if !self.problems.iter().any(|other| other.file == problem.file && other.place == problem.place) {
                    self.problems.push(problem);
                }
            }
        }
        for warning in result.validation_warnings() {
            if let ValidationWarning::ImpossiblePolicy(impossible) = warning {
                self.note_impossible(file, parsed.policy(impossible.policy_id()));
            } else {
                tracing::warn!(policy.file = file.name, %warning, "policy");
            }
        }
    }

    /// A rule that can never apply is a mistake, and as a forbid a dangerous one. Often it follows
    /// from one that is already listed.
    fn note_impossible(&mut self, file: &File, policy: Option<&Policy>) {
        let id = policy.and_then(|policy| policy.annotation("id"));
        if self.problems.iter().any(|other| other.file == file.name && other.rule.as_deref() == id) {
            return;
        }
        let source = policy.and_then(Policy::to_cedar).unwrap_or_default();
        let hint = "it may read a thing, an action or an attribute that does not exist".to_owned();
        self.problems.push(file.problem_at(&source, id, "the rule can never apply", Some(hint)));
    }

    fn add_policy(&mut self, file: &File, policy: &Policy) {
        let source = policy.to_cedar().unwrap_or_default();
        let actions = self.actions_of(policy);
        for name in names::unknown(policy, &self.attributes) {
            let at =
                source.find(&format!("has {name}")).map_or(source.as_str(), |at| source.get(at..).unwrap_or_default());
            let message = format!("attribute `{name}` is not declared by any type");
            let known: Vec<&str> = self.attributes.iter().map(String::as_str).collect();
            let hint = format!("declared are {}", known.join(", "));
            self.problems.push(file.problem_at(at, policy.annotation("id"), &message, Some(hint)));
        }
        let text = match annotations::read(policy, &actions) {
            Ok(text) => text,
            Err(wrongs) => {
                for wrong in wrongs {
                    let id = policy.annotation("id");
                    self.problems.push(file.problem_at(&source, id, &wrong.message, wrong.hint));
                }
                return;
            }
        };
        let id = PolicyId::new(&text.rule.id);
        if self.rules.contains_key(&id) {
            let message = "there is another rule with this @id";
            self.problems.push(file.problem_at(&source, Some(&text.rule.id), message, None));
            return;
        }
        let observed = text.observed;
        self.rules.insert(id.clone(), text);
        if observed {
            self.observed.extend(actions.into_iter().map(|action| (action, policy.new_id(id.clone()))));
            return;
        }
        for action in actions {
            self.slices.entry(action).or_default().add(policy.new_id(id.clone()));
        }
    }

    /// The actions that the policy's scope can match.
    fn actions_of(&self, policy: &Policy) -> Vec<Action> {
        let constraint = policy.action_constraint();
        let matches = |action: &&Action| {
            let uid = self.types.action(**action);
            match &constraint {
                ActionConstraint::Any => true,
                ActionConstraint::Eq(one) => *one == uid,
                ActionConstraint::In(groups) => {
                    groups.iter().any(|group| *group == uid || self.actions.is_ancestor_of(group, &uid))
                }
            }
        };
        Action::ALL.iter().filter(matches).copied().collect()
    }
}

impl File {
    /// What Cedar found, flattened: an error that only holds others is left out.
    fn problems(&self, rule: Option<&str>, error: &DetailedError) -> Vec<Problem> {
        let label = error.source_locations.first();
        let mut message = error.message.clone();
        if let Some(text) = label.and_then(|label| label.label.as_deref()) {
            message = format!("{message}: {text}");
        }
        let own = Problem {
            file: self.name.clone(),
            place: label.map(|label| place(&self.text, label.loc.start)),
            rule: rule.filter(|id| !id.is_empty()).map(str::to_owned),
            message: without_policy_number(&message),
            hint: error.help.clone(),
        };
        let related = error.related.iter().flat_map(|error| self.problems(rule, error));
        std::iter::once(own).chain(related).collect()
    }

    /// A problem at the start of the policy with this source text.
    fn problem_at(&self, source: &str, rule: Option<&str>, message: &str, hint: Option<String>) -> Problem {
        let at = self.text.find(source.trim()).filter(|_| !source.trim().is_empty());
        Problem {
            file: self.name.clone(),
            place: at.map(|at| place(&self.text, at)),
            rule: rule.filter(|id| !id.is_empty()).map(str::to_owned),
            message: message.to_owned(),
            hint,
        }
    }
}

/// Cedar begins with “for policy `policy3`, ” or “…: ”, a number that nobody wrote.
fn without_policy_number(message: &str) -> String {
    let rest = message.strip_prefix("for policy `policy").and_then(|rest| rest.split_once('`'));
    rest.map_or(message, |(_, rest)| rest.trim_start_matches([',', ':', ' '])).to_owned()
}

/// Line and column of a byte offset, both from 1, the column in characters.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
    (line, column)
}

/// The texts as they are stored: one text that parses to the same policies.
fn joined(files: &[File]) -> String {
    match files {
        [one] => one.text.clone(),
        several => {
            let named = |file: &File| ["// file: ", &file.name, "\n", &file.text, "\n"].concat();
            several.iter().map(named).collect::<Vec<_>>().concat()
        }
    }
}

/// Covers the schema, too: the same rules mean something else under another one.
pub(super) fn digest(schema: &str, source: &str) -> Digest {
    Digest::of_json(&serde_json::json!({ "schema": schema, "policies": source }))
}

/// Asks one question per action, with every attribute set: a schema from a folder may lack what
/// this version of Paddock tells, and then every question would be denied.
fn probe(compiled: &Compiled) -> Result<(), Error> {
    for action in Action::ALL {
        for kind in kinds_of(*action) {
            let question = full_question(*action, *kind);
            if let Err(error) = compiled.types.ask(&compiled.schema, &question) {
                return Err(Error::SchemaMismatch(format!("{}: {error}", action.cedar_name())));
            }
        }
    }
    Ok(())
}

/// What each action is asked about.
pub(super) fn kinds_of(action: Action) -> &'static [ResourceKind] {
    match action {
        Action::CreateEnvironment
        | Action::UpdateEnvironment
        | Action::ExtendEnvironment
        | Action::PowerEnvironment
        | Action::ActOnEnvironment
        | Action::DeleteEnvironment
        | Action::RetryRun
        | Action::CancelRun
        | Action::CheckDrift
        | Action::AcceptDrift
        | Action::HandOver
        | Action::ReadEnvironment
        | Action::RevealOutput => &[ResourceKind::Environment],
        Action::ReadRequest | Action::ReviewRequest | Action::WithdrawRequest => &[ResourceKind::Request],
        Action::ReadCatalog => &[ResourceKind::Platform, ResourceKind::Template],
        Action::ReadProject => &[ResourceKind::Project],
        Action::ReadAudit => &[ResourceKind::AuditLog],
        Action::ManageCatalog => &[ResourceKind::Platform, ResourceKind::CatalogSource, ResourceKind::Template],
        Action::ReadAdmin
        | Action::ManageQueue
        | Action::ManageTargets
        | Action::ManageQuotas
        | Action::ManagePrices
        | Action::ManageRoles
        | Action::ManageOrphans
        | Action::ManagePolicies
        | Action::ManageTokens => &[ResourceKind::Platform],
        Action::AskForRole | Action::BreakGlass => &[ResourceKind::Platform, ResourceKind::Project],
        Action::PublishPolicies => &[ResourceKind::PolicyVersion],
    }
}

fn full_question(action: Action, kind: ResourceKind) -> Question {
    let text = || Some("probe".to_owned());
    let inputs = serde_json::json!({ "text": "a", "number": 1, "fraction": 0.5, "flag": true, "list": ["a"] });
    Question {
        action,
        principal: Principal {
            id: "probe".to_owned(),
            login: "probe".to_owned(),
            teams: vec!["probe".to_owned()],
            platform_roles: Role::ALL.into(),
            project_roles: Role::ALL.into(),
            place_roles: BTreeMap::new(),
        },
        resource: Resource {
            kind,
            id: "probe".to_owned(),
            project: text(),
            environment_type: text(),
            template: text(),
            provider: text(),
            owner: text(),
            requester: text(),
            asked: vec![Group::Role(Role::Lead), Group::Team("probe".to_owned())],
            borrowed: Vec::new(),
            editors: vec!["probe".to_owned()],
        },
        context: Context {
            inputs: inputs.as_object().cloned().unwrap_or_default(),
            operation: Some("probe".to_owned()),
            at: Some(jiff::Timestamp::UNIX_EPOCH),
            cost_per_month: Some("1.0".to_owned()),
            asked_role: Some(Role::Admin),
            lifetime_seconds: Some(1),
            maximum_lifetime_seconds: Some(1),
            exception: false,
            channel: "web".to_owned(),
        },
    }
}
