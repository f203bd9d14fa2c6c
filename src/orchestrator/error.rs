//! Errors of the orchestrator's use-cases.

use crate::base::{ErrorKind, FieldError, Kinded};
use crate::db;

/// What can go wrong with a run, seen from outside of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such run.
    #[error("there is no such run")]
    NotFound,
    /// The run has ended already.
    #[error("the run has ended already")]
    Ended,
    /// No workflow of this process knows the run's kind.
    #[error("this process does not know runs of the kind {0}")]
    UnknownKind(String),
    /// The fencing token is not the current one any more: another attempt holds the run.
    #[error("another worker holds this run now")]
    LeaseLost,
    /// What was given does not fit.
    #[error("some values do not fit")]
    Invalid(Vec<FieldError>),
    /// There is no such freeze, or it is lifted or over.
    #[error("there is no such freeze any more")]
    NoFreeze,
    /// There is no such circuit, or it has closed.
    #[error("there is no such circuit any more: runs go on there")]
    NoCircuit,
    /// There is no such worker.
    #[error("there is no such worker")]
    NoWorker,
    /// The store.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl Kinded for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound => ErrorKind::NotFound,
            Self::Ended => ErrorKind::Conflict,
            Self::UnknownKind(_) => ErrorKind::Unavailable,
            Self::LeaseLost => ErrorKind::Stale,
            Self::Invalid(_) => ErrorKind::Invalid,
            Self::NoFreeze | Self::NoCircuit | Self::NoWorker => ErrorKind::NotFound,
            Self::Db(error) => error.kind(),
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}
