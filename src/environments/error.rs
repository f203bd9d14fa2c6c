//! Errors of environments.

use super::State;
use crate::base::{ErrorKind, Kinded, SealError};
use crate::{db, identity, projects};

/// What can go wrong with an environment.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such environment.
    #[error("there is no such environment")]
    NotFound,
    /// An environment of this name lives in the project.
    #[error("the name “{0}” is taken in this project")]
    NameTaken(String),
    /// The state does not allow it.
    #[error("the environment is {}: {}", .0.words(), .1)]
    WrongState(State, &'static str),
    /// Somebody changed it in the meantime.
    #[error("the environment has changed in the meantime; look at it again")]
    Stale,
    /// The next stop cannot be changed like that.
    #[error("{0}")]
    NoStop(&'static str),
    /// Whoever accepts something says why.
    #[error("say why, in at most 2000 characters")]
    NoReason,
    /// That person cannot have it.
    #[error("{0}")]
    NoHandOver(&'static str),
    /// There is no such orphan.
    #[error("there is no such orphan")]
    NoOrphan,
    /// That cannot become of the orphan.
    #[error("{0}")]
    OrphanState(&'static str),
    /// There is nothing to accept.
    #[error("nothing is known to differ from what the last run left")]
    NotDrifted,
    /// It has no such output.
    #[error("the environment has no output “{0}”")]
    NoOutput(String),
    /// A stored secret does not open.
    #[error("a stored secret does not open")]
    Seal(#[from] SealError),
    /// People and roles.
    #[error(transparent)]
    Identity(#[from] identity::IdentityError),
    /// Projects and quotas.
    #[error(transparent)]
    Projects(#[from] projects::Error),
    /// The store.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl Kinded for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound | Self::NoOutput(_) | Self::NoOrphan => ErrorKind::NotFound,
            Self::NameTaken(_) | Self::WrongState(..) | Self::NoStop(_) | Self::NotDrifted | Self::OrphanState(_) => {
                ErrorKind::Conflict
            }
            Self::NoReason | Self::NoHandOver(_) => ErrorKind::Invalid,
            Self::Stale => ErrorKind::Stale,
            Self::Seal(_) => ErrorKind::Internal,
            Self::Identity(error) => error.kind(),
            Self::Projects(error) => error.kind(),
            Self::Db(error) => error.kind(),
        }
    }
}
