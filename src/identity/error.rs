//! What can go wrong in identity, in words for the person at the other end.

use super::OidcError;
use crate::base::{ErrorKind, FieldError, Kinded};
use crate::db;
use crate::policy::Denied;

/// The result of an identity use-case.
pub type Result<T, E = IdentityError> = std::result::Result<T, E>;

/// An identity error. No text tells whether a login exists.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// There is no such session, it ended, or its person was disabled.
    #[error("you are not signed in, or your session has ended")]
    NotSignedIn,
    /// The bearer token is not one of ours, expired, was revoked, or its person was disabled.
    #[error("the API token is not valid: it is unknown, has expired or was revoked")]
    TokenInvalid,
    /// Wrong login, wrong password or wrong set-up code.
    #[error("{0}")]
    Wrong(&'static str),
    /// Too many attempts from this address or for this login.
    #[error("too many attempts: try again in {wait_seconds} seconds")]
    TooManyAttempts {
        /// How long until the next attempt is taken.
        wait_seconds: i64,
    },
    /// The person proved who they are, but the account is disabled.
    #[error("this account is disabled; ask a platform admin to enable it")]
    Disabled,
    /// Not possible for this actor, with the reason.
    #[error("{0}")]
    Denied(&'static str),
    /// Policy does not allow it.
    #[error("{0}")]
    Forbidden(Box<Denied>),
    /// Not possible as things are, with the reason.
    #[error("{0}")]
    Refused(&'static str),
    /// The role is given already.
    #[error("they hold this role there already: change when it ends instead")]
    HeldAlready,
    /// Somebody else was faster.
    #[error("somebody changed the role in the meantime; look at it again")]
    Changed,
    /// The input is wrong; each entry says where and why.
    #[error("some of the values are not valid")]
    Invalid(Vec<FieldError>),
    /// The thing is not there.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The login is somebody's already.
    #[error("the login “{0}” is taken")]
    LoginTaken(String),
    /// The set-up is done: an admin exists.
    #[error("the set-up is done already: sign in instead")]
    SetupDone,
    /// Sign-in by the OpenID provider did not work.
    #[error("{0}")]
    Oidc(OidcError),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] db::Error),
    /// A defect of ours.
    #[error("identity failed inside: {0}")]
    Internal(&'static str),
}

impl IdentityError {
    /// One wrong value.
    pub fn invalid(pointer: &str, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(pointer, detail)])
    }
}

impl From<OidcError> for IdentityError {
    fn from(error: OidcError) -> Self {
        Self::Oidc(error)
    }
}

impl Kinded for IdentityError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotSignedIn | Self::TokenInvalid | Self::Wrong(_) => ErrorKind::Unauthenticated,
            Self::TooManyAttempts { .. } => ErrorKind::Limited,
            Self::Disabled | Self::Denied(_) | Self::Forbidden(_) => ErrorKind::Denied,
            Self::Invalid(_) => ErrorKind::Invalid,
            Self::NotFound(_) => ErrorKind::NotFound,
            Self::LoginTaken(_) | Self::SetupDone | Self::Refused(_) | Self::HeldAlready => ErrorKind::Conflict,
            Self::Changed => ErrorKind::Stale,
            Self::Oidc(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Internal(_) => ErrorKind::Internal,
        }
    }
}
