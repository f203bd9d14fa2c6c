//! What can be wrong with the settings, each with what would be right.

use std::{net::SocketAddr, path::PathBuf};

use crate::base::SealError;

/// The result of checking settings.
pub type Result<T, E = ConfigError> = std::result::Result<T, E>;

/// A wrong or missing setting.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A value does not fit.
    #[error("{flag}: {problem}")]
    Invalid {
        /// The flag and its environment variable.
        flag: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A file that a setting names cannot be read.
    #[error("{flag}: cannot read {}", path.display())]
    Unreadable {
        /// The flag and its environment variable.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A file in the data directory cannot be written.
    #[error("cannot write {}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// Demo sign-in must never be reachable from elsewhere.
    #[error(
        "--demo signs anybody in by one click, so it listens on a loopback address only; \
         {listen} is reachable from elsewhere. Leave --listen out, or leave --demo out"
    )]
    DemoNeedsLoopback {
        /// The address asked for.
        listen: SocketAddr,
    },
    /// `serve` and `worker` need an existing Postgres.
    #[error(
        "DATABASE_URL is not set. `paddock serve` and `paddock worker` share one existing Postgres; \
         `paddock up` brings a private one along"
    )]
    NoDatabase,
    /// Several processes must share one key, so it is never made up silently.
    #[error(
        "no encryption key: set PADDOCK_KEY_FILE. Secrets are encrypted with a key that stays outside Postgres, the \
         same one in every `serve` and `worker`. To make one: (umask 077; openssl rand -hex 32 > paddock.key)"
    )]
    NoKey,
    /// A key is not one.
    #[error("{from} holds no encryption key")]
    BadKey {
        /// Where the key came from.
        from: String,
        /// What is wrong.
        source: SealError,
    },
}

impl ConfigError {
    /// A value that does not fit.
    pub fn invalid(flag: &'static str, problem: impl Into<String>) -> Self {
        Self::Invalid { flag, problem: problem.into() }
    }
}
