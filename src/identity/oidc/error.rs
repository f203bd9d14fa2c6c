//! Why a sign-in at the provider did not work: clear for the user, precise for the log.

use crate::base::{ErrorKind, Kinded};

/// An error of sign-in by OpenID Connect. The text says what to do; the details in the variants are
/// for the log and the audit record, and hold no secret.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// The sign-in was not begun by this browser, took too long, or was finished before.
    #[error(
        "this sign-in was begun in another browser, more than ten minutes ago, or is finished already; start again"
    )]
    FlowUnknown,
    /// The provider said no, with its error code.
    #[error("the identity provider refused the sign-in; start again, or ask who runs it")]
    Refused(&'static str),
    /// The answer is not what it must be: perhaps an attack, perhaps a wrong configuration.
    #[error("the identity provider's answer cannot be trusted, so nobody was signed in; start again")]
    Untrusted(String),
    /// The provider does not answer, or not in time.
    #[error("the identity provider does not answer at the moment; try again in a minute")]
    Unreachable(String),
    /// The provider and our configuration do not fit together.
    #[error("sign-in by the identity provider is not set up correctly; tell a platform admin")]
    Misconfigured(String),
}

impl OidcError {
    /// The details for the log and the audit record.
    pub fn reason(&self) -> &str {
        match self {
            Self::FlowUnknown => "unknown, foreign, late or repeated state",
            Self::Refused(code) => code,
            Self::Untrusted(reason) | Self::Unreachable(reason) | Self::Misconfigured(reason) => reason,
        }
    }
}

impl Kinded for OidcError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::FlowUnknown | Self::Untrusted(_) => ErrorKind::Unauthenticated,
            Self::Refused(_) => ErrorKind::Denied,
            Self::Unreachable(_) | Self::Misconfigured(_) => ErrorKind::Unavailable,
        }
    }
}
