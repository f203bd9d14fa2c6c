//! Errors of requests.

use crate::base::id::RequestId;
use crate::base::{ErrorKind, FieldError, Kinded};
use crate::policy::Denied;
use crate::{catalog, db, environments, identity, projects};

/// What can go wrong with a request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Values are wrong; each is named.
    #[error("some values are not right")]
    Invalid(Vec<FieldError>),
    /// Policy refuses the action itself, for example a review by somebody who is not a lead.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// There is no such request.
    #[error("there is no such request")]
    NotFound,
    /// Nobody suggested this for the request.
    #[error("there is no such suggestion")]
    NoSuggestion,
    /// The caller gave no such delegation.
    #[error("there is no such delegation of yours")]
    NoDelegation,
    /// The key was used before for something else.
    #[error("this idempotency key was used for another request; use a new key")]
    KeyReused,
    /// Another request for this environment is open.
    #[error("another request for this environment is open; wait until it has ended, or withdraw it")]
    Busy(Option<RequestId>),
    /// The request is not in a state for this.
    #[error("{0}")]
    WrongStatus(&'static str),
    /// An approval that would count for nothing.
    #[error("{0}")]
    NotAwaited(String),
    /// Changes that policy would not let the requester ask for.
    #[error("with these changes it would be denied: {0}")]
    WouldBeDenied(String),
    /// What was approved is not what would be done.
    #[error("the request is not what you looked at any more; look at it again")]
    NotAsReviewed,
    /// Environments.
    #[error(transparent)]
    Environments(#[from] environments::Error),
    /// Projects.
    #[error(transparent)]
    Projects(#[from] projects::Error),
    /// Catalog.
    #[error(transparent)]
    Catalog(#[from] catalog::CatalogError),
    /// People and roles.
    #[error(transparent)]
    Identity(#[from] identity::IdentityError),
    /// The store.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl Kinded for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid(_) | Self::KeyReused => ErrorKind::Invalid,
            Self::Denied(error) => error.kind(),
            Self::NotFound | Self::NoSuggestion | Self::NoDelegation => ErrorKind::NotFound,
            Self::Busy(_)
            | Self::WrongStatus(_)
            | Self::NotAwaited(_)
            | Self::NotAsReviewed
            | Self::WouldBeDenied(_) => ErrorKind::Conflict,
            Self::Environments(error) => error.kind(),
            Self::Projects(error) => error.kind(),
            Self::Catalog(error) => error.kind(),
            Self::Identity(error) => error.kind(),
            Self::Db(error) => error.kind(),
        }
    }
}

impl Error {
    /// The values that are wrong, if that is what it is.
    pub fn field_errors(&self) -> &[FieldError] {
        match self {
            Self::Invalid(errors) => errors,
            _ => &[],
        }
    }
}
