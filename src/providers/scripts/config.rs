//! The manifest's settings of a command template.

use serde::Deserialize;

use crate::providers::{Job, ProviderError};

/// What an attempt may do after another one died in the middle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// Run it again: it finds what is there.
    #[default]
    Idempotent,
    /// Ask the probe first, and run it only when nothing is there.
    Probe,
    /// Never by itself: a person looks first.
    Once,
}

/// The manifest's `config`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Creates and updates.
    pub deploy: String,
    /// Removes.
    pub delete: String,
    /// Exit 0: it is there. Exit 1: it is not.
    #[serde(default)]
    pub probe: Option<String>,
    /// Looks whether it is still as deploy left it, and changes nothing. Exit 0: it is. Exit 2: it is not,
    /// and `PADDOCK_DIFFERENCES` says how, one difference in each line: `address: words`.
    #[serde(default)]
    pub drift: Option<String>,
    /// See [`Repeat`].
    #[serde(default)]
    pub repeat: Repeat,
    /// The file that a definition of Azure Deployment Environments starts from. With it the scripts get
    /// what its runners give: they start in that file's folder, with the helper `ade` on the path.
    #[serde(default)]
    pub template: Option<String>,
}

/// Reads the job's config and checks that its files are there.
pub fn read(job: &Job) -> Result<Config, ProviderError> {
    let config = Config::deserialize(&job.config)
        .map_err(|error| ProviderError::failed(format!("the template's config cannot be used: {error}")))?;
    let more = [config.probe.as_ref(), config.drift.as_ref(), config.template.as_ref()];
    for file in [&config.deploy, &config.delete].into_iter().chain(more.into_iter().flatten()) {
        if !job.files.iter().any(|one| one.path == *file) {
            return Err(ProviderError::failed(format!("the template has no file {file}, which its config names")));
        }
    }
    if config.repeat == Repeat::Probe && config.probe.is_none() {
        return Err(ProviderError::failed("the template's config says repeat: probe but names no probe"));
    }
    Ok(config)
}
