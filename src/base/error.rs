//! The kinds of error that every domain's error enum maps to.

use serde::Serialize;

/// What an error means for the caller; `web` and `api` map it to a status once each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The input is wrong; the caller can correct it.
    Invalid,
    /// Nobody is signed in, or the credential is not valid.
    Unauthenticated,
    /// The person is known but may not do this.
    Denied,
    /// The thing is not there, or its existence is not for this person.
    NotFound,
    /// The state of things does not allow it, for example a name that is taken.
    Conflict,
    /// Somebody else changed the thing in the meantime: read it again.
    Stale,
    /// Too many or too much: a quota, a rate, a size.
    Limited,
    /// Something that is needed does not answer at the moment; trying again may help.
    Unavailable,
    /// A defect of ours. The text shown is fixed; the cause is in the log under the operation id.
    Internal,
}

impl ErrorKind {
    /// The HTTP status of this kind (RFC 9110).
    pub fn status(self) -> u16 {
        match self {
            Self::Invalid => 422,
            Self::Unauthenticated => 401,
            Self::Denied => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Stale => 412,
            Self::Limited => 429,
            Self::Unavailable => 503,
            Self::Internal => 500,
        }
    }

    /// The kind as the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Unauthenticated => "unauthenticated",
            Self::Denied => "denied",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Stale => "stale",
            Self::Limited => "limited",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

/// An error that knows its kind.
pub trait Kinded: std::error::Error {
    /// What the error means for the caller.
    fn kind(&self) -> ErrorKind;
}

/// One thing that is wrong with one value of the input, as the API's `errors` list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) of the value, for example `/inputs/size`.
    pub pointer: String,
    /// What is wrong and what would be right, in words.
    pub detail: String,
}

impl FieldError {
    /// An error at `pointer`.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}
