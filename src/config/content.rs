//! Policies and catalog on disk, where they replace what is built in.

use std::path::PathBuf;

use clap::Args;
use secrecy::SecretString;

use super::secrets::read_secret_file;
use super::{ConfigError, Result};

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Content")]
pub(super) struct ContentArgs {
    /// A folder with Cedar policies, instead of the built-in set
    #[arg(long, env = "PADDOCK_POLICIES", value_name = "FOLDER")]
    policies: Option<PathBuf>,
    /// A folder with templates, synced at the start as the catalog source `local`
    #[arg(long, env = "PADDOCK_CATALOG", value_name = "FOLDER")]
    catalog: Option<PathBuf>,
    #[command(flatten)]
    git: GitArgs,
}

/// Credentials of private Git servers.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Content")]
pub struct GitArgs {
    /// Lines of a private Git server's address, a user and a token: `https://git.example.com reader TOKEN`
    // An environment variable only: a flag's value would stand in the list of processes.
    #[arg(long, env = "PADDOCK_GIT_CREDENTIALS", hide_env_values = true, hide = true)]
    git_credentials: Option<String>,
    /// A file with credentials of private Git servers, one a line: `https://git.example.com reader TOKEN`
    #[arg(long, env = "PADDOCK_GIT_CREDENTIALS_FILE", value_name = "FILE")]
    git_credentials_file: Option<PathBuf>,
}

impl GitArgs {
    /// The lines, if there are any.
    pub fn check(self) -> Result<Option<SecretString>> {
        if let Some(lines) = self.git_credentials.filter(|lines| !lines.trim().is_empty()) {
            return Ok(Some(lines.into()));
        }
        let read = |file: PathBuf| read_secret_file("--git-credentials-file (PADDOCK_GIT_CREDENTIALS_FILE)", &file);
        self.git_credentials_file.map(read).transpose()
    }
}

/// Policies and catalog on disk.
#[derive(Debug, Clone)]
pub struct ContentConfig {
    /// A folder with Cedar policies, instead of the built-in set.
    pub policies: Option<PathBuf>,
    /// A folder with templates.
    pub catalog: Option<PathBuf>,
    /// Credentials of private Git servers, as they were given.
    pub git_credentials: Option<SecretString>,
}

impl ContentArgs {
    pub(super) fn check(self) -> Result<ContentConfig> {
        for (flag, folder) in [("--policies", &self.policies), ("--catalog", &self.catalog)] {
            if let Some(folder) = folder
                && !folder.is_dir()
            {
                return Err(ConfigError::invalid(flag, format!("{} is not a folder", folder.display())));
            }
        }
        Ok(ContentConfig { policies: self.policies, catalog: self.catalog, git_credentials: self.git.check()? })
    }
}
