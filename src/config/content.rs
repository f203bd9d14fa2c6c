//! Policies and catalog on disk, where they replace what is built in.

use std::path::PathBuf;

use clap::Args;

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
}

/// Policies and catalog on disk.
#[derive(Debug, Clone)]
pub struct ContentConfig {
    /// A folder with Cedar policies, instead of the built-in set.
    pub policies: Option<PathBuf>,
    /// A folder with templates.
    pub catalog: Option<PathBuf>,
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
        Ok(ContentConfig { policies: self.policies, catalog: self.catalog })
    }
}
