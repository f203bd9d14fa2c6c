//! What is wrong with a form, by field.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::PolicySet;

use super::{RuleForm, Says};
use crate::base::FieldError;
use crate::base::text::{NUL_REFUSED, slugify};
use crate::policy::PolicyEngine;
use crate::policy::annotations::{self, MAX_APPROVERS};
use crate::policy::decision::Outcome;
use crate::policy::group::Group;
use crate::policy::question::{Action, Context, Principal, Question, Resource, ResourceKind, Role};

/// The longest text of a field, in characters.
const LONGEST: usize = 500;
/// More values than this are no list that somebody reads.
const MOST_VALUES: usize = 100;

impl RuleForm {
    /// What is wrong with it as a rule of the draft `source`. Empty: it can be added.
    pub fn problems(&self, source: &str) -> Vec<FieldError> {
        let mut found = Vec::new();
        let mut wrong = |field: &str, detail: &str| found.push(FieldError::new(format!("/{field}"), detail));
        if !annotations::is_id(&self.id) {
            wrong("id", "is 1 to 80 lower-case letters, digits and dashes: no-large-databases");
        } else if taken(&self.id, source) {
            wrong("id", "is taken by another rule of the draft");
        }
        if self.reason.trim().is_empty() {
            wrong("reason", "says why, in a sentence for the people who meet the rule");
        }
        for (field, text) in [("reason", &self.reason), ("owner", &self.owner)] {
            if text.chars().count() > LONGEST {
                wrong(field, "has at most 500 characters");
            }
            if text.contains('\0') {
                wrong(field, NUL_REFUSED);
            }
        }
        if self.says.actions().is_empty() {
            wrong("actions", "names at least one thing");
        }
        if self.says.grants() && self.scope.role.is_none() && self.scope.team.is_none() {
            wrong("role", "says whom it permits: choose a role or a team");
        }
        self.says.problems(&mut wrong);
        found
    }
}

impl Says {
    fn problems(&self, wrong: &mut impl FnMut(&str, &str)) {
        match self {
            Self::Permit { .. } | Says::Forbid { .. } => {}
            Self::Approval { count, .. } => {
                if !(1..=MAX_APPROVERS).contains(count) {
                    wrong("count", "is a number from 1 to 20");
                }
            }
            Self::Lifetime { seconds } => {
                if *seconds <= 0 {
                    wrong("lifetime", "is a length of time such as 7d or 12h");
                }
            }
            Self::Freeze { from, to, .. } => {
                if from >= to {
                    wrong("to", "is later than the beginning");
                }
            }
            Self::Cost { most } => {
                if !is_decimal(most) || most.starts_with('-') {
                    wrong("most", "is an amount of money such as 500 or 99.50");
                }
            }
            Self::Most { input, most } => {
                if input.is_empty() {
                    wrong("input", "names an input");
                }
                if !is_decimal(most) {
                    wrong("most", "is a number with at most four places, such as 16 or 0.5");
                }
            }
            Self::Among { input, values } => {
                if input.is_empty() {
                    wrong("input", "names an input");
                }
                if values.is_empty() || values.len() > MOST_VALUES {
                    wrong("values", "lists 1 to 100 values, one in each line");
                }
                if values.iter().any(|value| value.contains('\0')) {
                    wrong("values", NUL_REFUSED);
                }
            }
        }
    }
}

/// An id made of what somebody typed: “No large databases” becomes `no-large-databases`.
pub fn id_from(text: &str) -> String {
    let text = text.trim();
    if annotations::is_id(text) { text.to_owned() } else { slugify(text).chars().take(80).collect() }
}

/// Those of the groups whose people may approve under these rules: to wait for another one is to wait in vain.
pub fn reviewers(engine: &PolicyEngine, groups: impl IntoIterator<Item = Group>) -> Vec<Group> {
    let reviews = |group: &Group| {
        let roles: BTreeSet<Role> = group.role().into_iter().collect();
        let question = Question {
            action: Action::ReviewRequest,
            principal: Principal {
                id: "usr_reviewer".to_owned(),
                login: "reviewer".to_owned(),
                teams: group.team().map(str::to_owned).into_iter().collect(),
                platform_roles: roles.clone(),
                project_roles: roles,
                place_roles: BTreeMap::new(),
            },
            resource: Resource {
                project: Some("project".to_owned()),
                requester: Some("usr_requester".to_owned()),
                asked: vec![group.clone()],
                ..Resource::new(ResourceKind::Request, "req_probe")
            },
            context: Context { channel: "web".to_owned(), ..Context::default() },
        };
        engine.decide(&question).outcome == Outcome::Allowed
    };
    groups.into_iter().filter(reviews).collect()
}

/// Whether a rule of the text has this id. In a text that cannot be read, whether it says so anywhere.
fn taken(id: &str, source: &str) -> bool {
    match source.parse::<PolicySet>() {
        Ok(set) => set.policies().any(|policy| policy.annotation("id") == Some(id)),
        Err(_) => source.contains(&format!("@id(\"{id}\")")),
    }
}

/// As Cedar reads it: places are there, at most four, and it is far from the largest.
fn is_decimal(text: &str) -> bool {
    let Some((whole, places)) = text.strip_prefix('-').unwrap_or(text).split_once('.') else { return false };
    let digits =
        |text: &str, most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole, 14) && digits(places, 4)
}
