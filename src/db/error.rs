//! What can go wrong between us and Postgres, sorted by what the caller can do about it.

use crate::base::{ErrorKind, Kinded};

/// The name of a constraint that an insert or update met, for example `environment_name`.
pub type Constraint = String;

/// A store error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A unique, foreign key, check or exclusion constraint refused the write.
    #[error("it contradicts something that is stored already; look at it again, then try anew")]
    Refused {
        /// Which constraint.
        constraint: Constraint,
        /// What Postgres said.
        #[source]
        source: sqlx::Error,
    },
    /// A text has the character NUL, the only one that Postgres stores in no text (22021) and in no
    /// JSON (22P05). Whoever knows the field says so before; this is for all the others.
    #[error("a text has the character U+0000 (NUL), which cannot be stored; leave it out")]
    Unstorable(#[source] sqlx::Error),
    /// The row is not there.
    #[error("the row is not there")]
    RowNotFound,
    /// Postgres does not answer, is starting, or has become read-only after a fail-over.
    #[error("the database does not answer at the moment")]
    Unavailable(#[source] sqlx::Error),
    /// A stored value does not fit the type it should have.
    #[error("a stored {0} is not valid")]
    Corrupt(&'static str),
    /// Anything else: a defect of ours.
    #[error("a database error")]
    Other(#[source] sqlx::Error),
}

impl Error {
    /// True when the constraint of this name refused the write.
    pub fn is_constraint(&self, name: &str) -> bool {
        matches!(self, Self::Refused { constraint, .. } if constraint == name)
    }
}

impl Kinded for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused { .. } => ErrorKind::Conflict,
            Self::Unstorable(_) => ErrorKind::Invalid,
            Self::RowNotFound => ErrorKind::NotFound,
            Self::Unavailable(_) => ErrorKind::Unavailable,
            Self::Corrupt(_) | Self::Other(_) => ErrorKind::Internal,
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(source: sqlx::Error) -> Self {
        match &source {
            sqlx::Error::RowNotFound => Self::RowNotFound,
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Tls(_)
            | sqlx::Error::WorkerCrashed => Self::Unavailable(source),
            sqlx::Error::Database(database) => {
                if let Some(constraint) = database.constraint() {
                    let constraint = constraint.to_owned();
                    return Self::Refused { constraint, source };
                }
                // 57P0x: shutting down or starting; 25006: read-only after a fail-over; 53300: too
                // many connections; 08xxx: connection exception; 57014: statement time-out.
                match database.code().as_deref() {
                    Some("57P01" | "57P02" | "57P03" | "25006" | "53300" | "57014") => Self::Unavailable(source),
                    Some("22021" | "22P05") => Self::Unstorable(source),
                    Some(code) if code.starts_with("08") => Self::Unavailable(source),
                    _ => Self::Other(source),
                }
            }
            _ => Self::Other(source),
        }
    }
}
