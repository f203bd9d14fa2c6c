//! What can go wrong with the embedded server, each with what to do.

use std::fmt::Display;
use std::path::PathBuf;

use crate::base::{ErrorKind, Kinded};

/// The result of a call to the embedded server.
pub type Result<T, E = EmbeddedError> = std::result::Result<T, E>;

/// Why the embedded server is not there.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// Another Paddock runs on the data directory.
    #[error(
        "another Paddock{} runs on the data directory {}. Stop it first, or give this one a directory of its own \
         with --data-dir",
        holder.map(|pid| format!(" (process {pid})")).unwrap_or_default(), data_dir.display()
    )]
    Taken {
        /// The data directory.
        data_dir: PathBuf,
        /// The process that holds it, as far as known.
        holder: Option<u32>,
    },
    /// Another Paddock holds the data directory, but its server does not answer.
    #[error("another Paddock runs on {}, but its Postgres does not answer", data_dir.display())]
    NotAnswering {
        /// The data directory.
        data_dir: PathBuf,
    },
    /// There is no Postgres, and none could be fetched.
    #[error(
        "no PostgreSQL 15 or newer{} was found, and none could be downloaded{why}. Install one \
         (Debian, Ubuntu: apt-get install postgresql; macOS: brew install postgresql@18), or set DATABASE_URL",
        wanted.map(|major| format!(" of major version {major}, which made the existing cluster,")).unwrap_or_default()
    )]
    NoPostgres {
        /// The major version that the existing cluster needs.
        wanted: Option<u32>,
        /// What was tried.
        why: String,
    },
    /// The cluster's owner cannot enter a folder above the data directory.
    #[error(
        "Postgres does not run as root, and the user {user} that it runs as cannot enter {}. \
         Choose another place with --data-dir, for example /var/lib/paddock",
        folder.display()
    )]
    Closed {
        /// The user that Postgres would run as.
        user: String,
        /// The folder in the way.
        folder: PathBuf,
    },
    /// Neither `postgres` nor `nobody` exists.
    #[error("Postgres does not run as root, and there is neither a user postgres nor a user nobody")]
    NoOwner,
    /// The keeper gave up.
    #[error("Postgres: {message}")]
    Keeper {
        /// What it said.
        message: String,
    },
    /// A file or process could not be handled.
    #[error("cannot {verb} {what}")]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On what.
        what: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The server answers, but not as it should.
    #[error("the embedded Postgres refuses")]
    Sql(#[from] sqlx::Error),
}

impl EmbeddedError {
    /// An error of the operating system.
    pub(super) fn io(verb: &'static str, what: impl Display, source: std::io::Error) -> Self {
        Self::Io { verb, what: what.to_string(), source }
    }
}

impl Kinded for EmbeddedError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Taken { .. } => ErrorKind::Conflict,
            Self::NotAnswering { .. } | Self::NoPostgres { .. } | Self::Keeper { .. } | Self::Sql(_) => {
                ErrorKind::Unavailable
            }
            Self::Closed { .. } | Self::NoOwner => ErrorKind::Invalid,
            Self::Io { .. } => ErrorKind::Internal,
        }
    }
}
