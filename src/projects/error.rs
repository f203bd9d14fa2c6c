//! Errors of projects and quotas.

use super::Full;
use crate::base::{ErrorKind, FieldError, Kinded, SealError};
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
    #[error("{}", full(.0))]
    QuotaFull(Vec<Full>),
    /// There is no such quota.
    #[error("there is no such quota")]
    NoQuota,
    /// There is a quota for the same.
    #[error("there is a quota for this already: change that one")]
    QuotaExists,
    /// Somebody changed the quota in the meantime.
    #[error("somebody changed the quota in the meantime: look at it again")]
    StaleQuota,
    /// Some values are wrong.
    #[error("some values are not right: {}", first(.0))]
    Invalid(Vec<FieldError>),
    /// There is no such target.
    #[error("there is no such target")]
    NoTarget,
    /// The slug is taken.
    #[error("there is a target “{0}” already")]
    TargetExists(String),
    /// Somebody changed the target in the meantime.
    #[error("somebody changed the target in the meantime: look at it again")]
    StaleTarget,
    /// Environments live on the target.
    #[error("it cannot be disconnected: {0} on it. Delete them first, then disconnect it")]
    LivedOn(String),
    /// Nobody knows whether the target takes the new credential.
    #[error("it is not sure whether the target takes the new credential ({0}); runs try both. Rotate it once more")]
    Unsure(String),
    /// The idempotency key was used for something else.
    #[error("this idempotency key was used for another target; use a new key")]
    KeyReused,
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
            Self::NoTarget | Self::NoQuota => ErrorKind::NotFound,
            Self::Invalid(_) | Self::KeyReused => ErrorKind::Invalid,
            Self::TargetExists(_) | Self::LivedOn(_) | Self::QuotaExists => ErrorKind::Conflict,
            Self::StaleTarget | Self::StaleQuota => ErrorKind::Stale,
            Self::Unsure(_) => ErrorKind::Unavailable,
            Self::QuotaFull(_) => ErrorKind::Limited,
            Self::Seal(_) => ErrorKind::Internal,
            Self::Db(error) => error.kind(),
        }
    }
}

fn first(errors: &[FieldError]) -> String {
    errors.first().map_or_else(String::new, |error| format!("{} {}", error.pointer, error.detail))
}

fn full(quotas: &[Full]) -> String {
    let one = |full: &Full| {
        let quota = &full.quota;
        if quota.fits(full.wanted) {
            return format!("others wait in line for the quota of {} {}", quota.maximum, quota.dimension);
        }
        format!("the quota of {} {} of {} is used up", quota.maximum, quota.dimension, quota.place())
    };
    quotas.first().map_or_else(String::new, one)
}
