//! Settings: one source of truth for flags, environment variables and `--help`.
//!
//! Each section is a file: a clap `Args` struct (what people may write) and the checked struct
//! that the rest of the program reads. Checking happens once, at the start, and every complaint
//! names the flag and what would be right. Secrets come by file or environment variable and are
//! wrapped, so that they are in no log. Nothing outside this room reads the environment.

mod content;
mod database;
mod error;
mod http;
mod log;
mod oidc;
mod paths;
mod secrets;
mod worker;

use clap::Args;

pub use content::{ContentConfig, GitArgs};
pub use database::{DatabaseConfig, DatabaseSource, StoreArgs, StoreConfig};
pub use error::{ConfigError, Result};
pub use http::{HttpConfig, SessionConfig};
pub use log::{LogArgs, LogConfig, LogFormat};
pub use oidc::{GroupRule, OidcConfig};
pub use paths::{default_cache_dir, default_data_dir};
pub use secrets::{KeySource, read_secret_file};
pub use worker::{ContainerConfig, WorkerConfig};

/// Everything that `up`, `serve` and `worker` may be told.
#[derive(Debug, Clone, Args)]
pub struct ServerArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    http: http::HttpArgs,
    #[command(flatten)]
    oidc: oidc::OidcArgs,
    #[command(flatten)]
    worker: worker::WorkerArgs,
    #[command(flatten)]
    content: content::ContentArgs,
}

/// The checked settings of `up`, `serve` and `worker`.
#[derive(Debug, Clone)]
pub struct Config {
    /// Database, data directory, encryption keys.
    pub store: StoreConfig,
    /// Address, public URL, sessions.
    pub http: HttpConfig,
    /// The OpenID provider, if one is configured.
    pub oidc: Option<OidcConfig>,
    /// How much this process works at a time.
    pub worker: WorkerConfig,
    /// Policies and catalog on disk.
    pub content: ContentConfig,
    /// Sample projects and one-click sign-in: `up --demo` only, on loopback only.
    pub demo: bool,
}

impl ServerArgs {
    /// Checks everything; the first complaint is the error.
    pub fn check(self, demo: bool) -> Result<Config> {
        let http = self.http.check()?;
        if demo && !http.listen.ip().is_loopback() {
            return Err(ConfigError::DemoNeedsLoopback { listen: http.listen });
        }
        Ok(Config {
            store: self.store.check()?,
            http,
            oidc: self.oidc.check()?,
            worker: self.worker.check()?,
            content: self.content.check()?,
            demo,
        })
    }
}
