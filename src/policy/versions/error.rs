//! What can go wrong with versions of the policy set.

use crate::base::{ErrorKind, Kinded};
use crate::db;
use crate::policy::Problem;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    /// There is no version of this number.
    #[error("there is no version {0} of the policies")]
    NotFound(i32),
    /// Somebody changed it, or what is in force, in the meantime.
    #[error("somebody changed version {0}, or what is in force, in the meantime: look at it again")]
    Stale(i32),
    /// It stands where that does not go.
    #[error("version {number} is {state}; it cannot be {what}")]
    NotNow {
        /// Its number.
        number: i32,
        /// Where it stands.
        state: &'static str,
        /// What was wanted.
        what: &'static str,
    },
    /// Who wrote it wants to publish it.
    #[error("you wrote in version {0} or proposed it, so somebody else must publish it")]
    OwnVersion(i32),
    /// It is changed by people only.
    #[error("policies are written and published by people")]
    NoPerson,
    /// The rules come from a folder.
    #[error("the rules come from the folder {0}: change them there, in Git")]
    FromFolder(String),
    /// The text is wrong. All problems are listed.
    #[error("the policies are not valid: {}", first(.0))]
    Invalid(Vec<Problem>),
    /// The note is wrong.
    #[error("the note {0}")]
    Note(String),
    /// It was looked at, and the process stopped.
    #[error("the process is stopping; try again")]
    Stopping,
    /// The store.
    #[error(transparent)]
    Db(#[from] db::Error),
}

fn first(problems: &[Problem]) -> String {
    problems.first().map_or_else(String::new, ToString::to_string)
}

impl Kinded for VersionError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound(_) => ErrorKind::NotFound,
            Self::Stale(_) => ErrorKind::Stale,
            Self::NotNow { .. } | Self::FromFolder(_) => ErrorKind::Conflict,
            Self::OwnVersion(_) | Self::NoPerson => ErrorKind::Denied,
            Self::Invalid(_) | Self::Note(_) => ErrorKind::Invalid,
            Self::Stopping => ErrorKind::Unavailable,
            Self::Db(error) => error.kind(),
        }
    }
}
