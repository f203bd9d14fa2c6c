//! Errors of projects and quotas.

use super::QuotaUse;
use crate::base::{ErrorKind, Kinded, SealError};
use crate::db;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such project, or it is not for this person.
    #[error("there is no project “{0}” that you can see")]
    NoProject(String),
    /// The project does not have this environment type, or it is switched off.
    #[error("project {project} has no environment type “{slug}”")]
    NoEnvironmentType {
        /// The project's slug.
        project: String,
        /// What was asked for.
        slug: String,
    },
    /// No room is left.
    #[error("the quota of {} {} is used up", .0.maximum, .0.dimension)]
    QuotaFull(QuotaUse),
    /// A stored credential does not open.
    #[error("a stored credential does not open")]
    Seal(#[from] SealError),
    /// The store.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl Kinded for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoProject(_) | Self::NoEnvironmentType { .. } => ErrorKind::NotFound,
            Self::QuotaFull(_) => ErrorKind::Limited,
            Self::Seal(_) => ErrorKind::Internal,
            Self::Db(error) => error.kind(),
        }
    }
}
