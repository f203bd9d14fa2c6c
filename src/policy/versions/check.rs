//! Whether a text may become a version: valid against the schema, and nobody is locked out by it.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy_formatter::{Config, policies_str_to_pretty};

use super::VersionText;
use crate::policy::question::{Action, Context, Principal, Question, Resource, ResourceKind, Role};
use crate::policy::{Error, PolicyEngine, Problem, Proof};

/// The longest text, in bytes; the table has the same.
pub const LONGEST_SOURCE: usize = 256 * 1024;

/// Width and indent of the rules of the default set.
const LAYOUT: Config = Config { line_width: 110, indent_width: 4 };

impl VersionText {
    /// The set of this text, under its schema or that of this version of Paddock.
    pub fn engine(&self) -> Result<PolicyEngine, Error> {
        match &self.schema {
            Some(schema) => PolicyEngine::from_text(schema, &self.source),
            None => PolicyEngine::from_source(&self.source),
        }
    }
}

/// Reads a text under its schema, or that of this version of Paddock. Every problem is listed.
pub fn check(text: &VersionText) -> Result<PolicyEngine, Vec<Problem>> {
    if text.source.len() > LONGEST_SOURCE {
        return Err(vec![alone(format!("the text is longer than {} KiB", LONGEST_SOURCE / 1024), None)]);
    }
    if text.source.contains('\0') {
        return Err(vec![alone(format!("the text {}", crate::base::text::NUL_REFUSED), None)]);
    }
    let engine = text.engine().map_err(problems_of)?;
    locked_out(&engine).map_or(Ok(engine), |problem| Err(vec![problem]))
}

/// What may be proposed and published: valid, and every standing proof holds.
pub fn proved(text: &VersionText) -> Result<PolicyEngine, Vec<Problem>> {
    let engine = check(text)?;
    let broken = unproved(&engine);
    if broken.is_empty() { Ok(engine) } else { Err(broken) }
}

/// The standing proofs that do not hold, each with an example.
pub fn unproved(engine: &PolicyEngine) -> Vec<Problem> {
    let broken = |proof: Proof| {
        let example = proof.broken_by?;
        Some(alone(format!("it does not hold that: {}", lower(proof.claim)), Some(&format!("for example {example}"))))
    };
    engine.proofs().into_iter().filter_map(broken).collect()
}

fn lower(claim: &str) -> String {
    claim.chars().enumerate().map(|(at, letter)| if at == 0 { letter.to_ascii_lowercase() } else { letter }).collect()
}

/// The problems that an error tells of.
pub fn problems_of(error: Error) -> Vec<Problem> {
    match error {
        Error::Invalid(problems) => problems,
        Error::Empty(_) => vec![alone("there is no rule: everything would be denied", None)],
        other => vec![alone(other.to_string(), None)],
    }
}

fn alone(message: impl Into<String>, hint: Option<&str>) -> Problem {
    Problem {
        file: "policies".to_owned(),
        place: None,
        rule: None,
        message: message.into(),
        hint: hint.map(str::to_owned),
    }
}

/// Under every version, an admin writes policies and another one publishes them: there is a way back.
pub fn locked_out(engine: &PolicyEngine) -> Option<Problem> {
    let admin = Principal {
        id: "usr_second".to_owned(),
        login: "second".to_owned(),
        teams: Vec::new(),
        platform_roles: [Role::Admin].into(),
        project_roles: BTreeSet::default(),
        place_roles: BTreeMap::default(),
    };
    let question = |action, resource| Question {
        action,
        principal: admin.clone(),
        resource,
        context: Context { channel: "web".to_owned(), ..Context::default() },
    };
    let version = |editor: &str| Resource {
        editors: vec![editor.to_owned()],
        ..Resource::new(ResourceKind::PolicyVersion, "pol_probe")
    };
    let allows = |action, resource| engine.decide(&question(action, resource)).is_allowed();
    if !allows(Action::ManagePolicies, Resource::platform()) || !allows(Action::ReadAdmin, Resource::platform()) {
        let hint = "keep a rule that permits Action::\"ManagePolicies\" and Action::\"ReadAdmin\" to Role::\"admin\"";
        return Some(alone("no admin could see and write policies any more", Some(hint)));
    }
    if !allows(Action::PublishPolicies, version("usr_first")) {
        let hint = "keep a rule that permits Action::\"PublishPolicies\" to Role::\"admin\"";
        return Some(alone("no admin could publish policies any more", Some(hint)));
    }
    if allows(Action::PublishPolicies, version("usr_second")) {
        let hint = "keep the rule “nobody-publishes-their-own-policies”";
        return Some(alone("admins could publish what they wrote themselves", Some(hint)));
    }
    None
}

/// The text as Cedar's own formatter lays it out; comments stay.
pub fn formatted(source: &str) -> Result<String, Vec<Problem>> {
    match policies_str_to_pretty(source, &LAYOUT) {
        Ok(text) => Ok(text),
        // What does not parse is told by the check, with its place.
        Err(error) => {
            let text = VersionText { source: source.to_owned(), schema: None };
            let problems = check(&text).err().filter(|problems| !problems.is_empty());
            Err(problems.unwrap_or_else(|| vec![alone(format!("it cannot be formatted: {error}"), None)]))
        }
    }
}
