//! What a version of the policy set is.

use jiff::Timestamp;
use serde::Serialize;

use super::VersionError;
use crate::base::Digest;
use crate::base::id::{PersonId, PolicyVersionId};

/// Where a version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = PolicyVersionState)]
pub enum VersionState {
    /// It is written.
    Draft,
    /// It waits for a second person.
    Proposed,
    /// It is in force.
    Published,
    /// It was in force.
    Superseded,
    /// It was given up.
    Discarded,
}

impl VersionState {
    /// The state as SQL and the API spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Proposed => "proposed",
            Self::Published => "published",
            Self::Superseded => "superseded",
            Self::Discarded => "discarded",
        }
    }
}

/// Who wrote a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = PolicyVersionOrigin)]
pub enum VersionOrigin {
    /// It is the set inside the binary; each process uses its own.
    BuiltIn,
    /// It was loaded from the folder that `--policies` names.
    Folder,
    /// A person.
    Person,
}

/// A version, but for its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersion {
    /// Its id.
    pub id: PolicyVersionId,
    /// Its number, from 1.
    pub number: i32,
    /// Where it stands.
    pub state: VersionState,
    /// Who wrote it.
    pub origin: VersionOrigin,
    /// Of schema and text, when it was last written.
    pub digest: Digest,
    /// What it is for, in the words of its author.
    pub note: String,
    /// The name of who began it.
    pub author: String,
    /// Everybody who wrote in it or proposed it, in order: nobody of them publishes it.
    pub editors: Vec<(PersonId, String)>,
    /// The number of the version that it was made from.
    pub based_on: Option<i32>,
    /// Counts its changes.
    pub generation: i64,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// When it was proposed, and by whom.
    pub proposed: Option<(Timestamp, String)>,
    /// When it was put in force, and by whom; Paddock itself has no name.
    pub published: Option<(Timestamp, Option<String>)>,
}

impl PolicyVersion {
    /// Refuses what does not go in its state: “version 3 is published; it cannot be changed”.
    pub(super) fn must_be(&self, states: &[VersionState], what: &'static str) -> Result<(), VersionError> {
        if states.contains(&self.state) {
            return Ok(());
        }
        Err(VersionError::NotNow { number: self.number, state: self.state.as_str(), what })
    }
}

/// The text of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionText {
    /// All policies.
    pub source: String,
    /// A folder's own schema; `None`: that of the binary.
    pub schema: Option<String>,
}

/// A version to be stored.
#[derive(Debug)]
pub struct NewVersion<'a> {
    /// Draft, or published for what Paddock loads itself.
    pub state: VersionState,
    /// Who wrote it.
    pub origin: VersionOrigin,
    /// Its text.
    pub text: &'a VersionText,
    /// Of schema and text.
    pub digest: Digest,
    /// What it is for.
    pub note: String,
    /// Who begins it; nobody for what Paddock loads.
    pub author: Option<PersonId>,
    /// Their name.
    pub author_label: String,
    /// The number of the version that it is made from.
    pub based_on: Option<i32>,
}
