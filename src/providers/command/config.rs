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
    /// See [`Repeat`].
    #[serde(default)]
    pub repeat: Repeat,
}

/// Reads the job's config and checks that its files are there.
pub fn read(job: &Job) -> Result<Config, ProviderError> {
    let config = Config::deserialize(&job.config)
        .map_err(|error| ProviderError::failed(format!("the template's config cannot be used: {error}")))?;
    for script in [Some(&config.deploy), Some(&config.delete), config.probe.as_ref()].into_iter().flatten() {
        if !job.files.iter().any(|file| file.path == *script) {
            return Err(ProviderError::failed(format!("the template has no file {script}, which its config names")));
        }
    }
    if config.repeat == Repeat::Probe && config.probe.is_none() {
        return Err(ProviderError::failed("the template's config says repeat: probe but names no probe"));
    }
    Ok(config)
}
