//! What a look at the target tells of an environment: whether it is still as the last run left it.
//!
//! A look writes nothing, neither to the target nor to the environment's state. It tells what
//! somebody else did there. What a provider cannot see it does not guess.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::Job;

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "drift", rename_all = "snake_case")]
pub enum Drift {
    /// Nobody can look: why, in words. The provider has no way to, or the template declares none.
    CannotTell {
        /// The reason, a sentence.
        reason: String,
    },
    /// Everything was looked at.
    Looked {
        /// What is not as the last run left it; nothing differs when there is none.
        differences: Vec<Difference>,
    },
}

impl Drift {
    /// Nobody can look.
    pub fn cannot_tell(reason: impl Into<String>) -> Self {
        Self::CannotTell { reason: reason.into() }
    }

    /// What differs, if anything does.
    pub fn of(differences: Vec<Difference>) -> Self {
        Self::Looked { differences }
    }
}

/// How something differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DifferenceKind)]
pub enum DifferenceKind {
    /// It was there, and is not.
    Missing,
    /// It is there, and is not like it was.
    Changed,
    /// It was not there, and is.
    Added,
}

impl DifferenceKind {
    /// The word in the API and for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Changed => "changed",
            Self::Added => "added",
        }
    }
}

/// One thing that is not as the last run left it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Difference {
    /// The resource, as the provider names it: `database`, `aws_s3_bucket.logs`.
    pub address: String,
    /// How it differs.
    pub kind: DifferenceKind,
    /// In words, from what it was to what it is; never a secret value.
    pub summary: String,
    /// What tells this difference from another one with the same words, where words hide or shorten
    /// values: see [`Difference::told_by`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub print: Option<String>,
}

impl Difference {
    /// A difference that its words tell completely.
    pub fn new(address: impl Into<String>, kind: DifferenceKind, summary: impl Into<String>) -> Self {
        Self { address: address.into(), kind, summary: summary.into(), print: None }
    }

    /// The same, told by `found` as well, which may be secret: only a keyed digest of it is kept, and the
    /// key follows from the environment's seed.
    #[must_use]
    pub fn told_by(mut self, job: &Job, found: &[u8]) -> Self {
        // HMAC takes keys of every length, so there is always one.
        self.print = Hmac::<Sha256>::new_from_slice(&job.seed).ok().map(|mut mac| {
            mac.update(b"paddock/difference/1");
            mac.update(found);
            hex::encode(mac.finalize().into_bytes())
        });
        self
    }
}
