//! Whose approval counts: as rules name them, and as decisions keep them.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::question::Role;
use crate::base::text::slugify;

/// People whose approval counts for a requirement. In a rule: `lead`, `team:sre`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Those who hold the role in the project or on the platform.
    Role(Role),
    /// The members of the team with this slug, whatever their roles.
    Team(String),
}

impl Group {
    /// “a lead of payments”, “2 leads of payments”, “somebody of the team sre”.
    pub fn in_words(&self, count: u32, place: &str) -> String {
        match (self, count) {
            (Self::Role(role @ (Role::Developer | Role::Lead)), 1) => format!("a {role} of {place}"),
            (Self::Role(role @ (Role::Admin | Role::Auditor)), 1) => format!("an {role} of {place}"),
            (Self::Role(role), count) => format!("{count} {role}s of {place}"),
            (Self::Team(team), 1) => format!("somebody of the team {team}"),
            (Self::Team(team), count) => format!("{count} people of the team {team}"),
        }
    }

    /// The role, where it is one.
    pub fn role(&self) -> Option<Role> {
        match self {
            Self::Role(role) => Some(*role),
            Self::Team(_) => None,
        }
    }

    /// The slug of the team, where it is one.
    pub fn team(&self) -> Option<&str> {
        match self {
            Self::Role(_) => None,
            Self::Team(team) => Some(team),
        }
    }

    /// The group of a row with these columns, of which one is set.
    pub fn of(role: Option<Role>, team: Option<String>) -> Option<Self> {
        match (role, team) {
            (Some(role), None) => Some(Self::Role(role)),
            (None, Some(team)) => Some(Self::Team(team)),
            (None, None) | (Some(_), Some(_)) => None,
        }
    }
}

/// As a rule names it.
impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(role) => role.fmt(f),
            Self::Team(team) => write!(f, "team:{team}"),
        }
    }
}

/// The text names no group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAGroup;

impl FromStr for Group {
    type Err = NotAGroup;

    fn from_str(text: &str) -> Result<Self, NotAGroup> {
        if let Some(team) = text.strip_prefix("team:") {
            let slug = !team.is_empty() && slugify(team) == team;
            return if slug { Ok(Self::Team(team.to_owned())) } else { Err(NotAGroup) };
        }
        Role::parse(text).map(Self::Role).ok_or(NotAGroup)
    }
}

/// A rung of an escalation ladder: who may agree as well when nobody has in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// How many seconds the requirement has waited by then.
    pub after_seconds: i64,
    /// Who may agree from then on.
    #[serde(flatten)]
    pub to: Group,
}

impl Escalation {
    /// How long the requirement has waited by then.
    pub fn after(&self) -> SignedDuration {
        SignedDuration::from_secs(self.after_seconds)
    }
}
