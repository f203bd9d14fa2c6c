//! The manifest's settings of a template that a receiver makes.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::base::Lifetime;
use crate::providers::{Job, ProviderError};

/// How long the receiver has, where the template says nothing.
const TIMEOUT: Duration = Duration::from_secs(3600);
/// The shortest and the longest time that a template may give it, in seconds.
pub const BOUNDS: std::ops::RangeInclusive<i64> = 1..=7 * 24 * 3600;

/// What may be done after an attempt that did not see the receiver's answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// The same request with the same id again: the receiver knows it by that.
    #[default]
    Idempotent,
    /// Never by itself: a person looks first.
    Once,
}

/// The manifest's `config`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long the receiver has until its work counts as unknown.
    timeout: Option<Lifetime>,
    /// The path on the target's own server where it says how an environment is.
    pub status: Option<String>,
    /// See [`Repeat`].
    pub repeat: Repeat,
    /// Sent with every request as it is: which pipeline to start, for example.
    pub parameters: Map<String, Value>,
}

impl Config {
    /// How long the receiver has.
    pub fn timeout(&self) -> Duration {
        self.timeout.map_or(TIMEOUT, |timeout| timeout.0.unsigned_abs())
    }
}

/// Reads the job's config.
pub fn read(job: &Job) -> Result<Config, ProviderError> {
    let wrong = |why: &str| ProviderError::failed(format!("the template's config cannot be used: {why}"));
    if job.config.is_null() {
        return Ok(Config::default());
    }
    let config = Config::deserialize(&job.config).map_err(|error| wrong(&error.to_string()))?;
    if config.timeout.is_some_and(|timeout| !BOUNDS.contains(&timeout.0.as_secs())) {
        return Err(wrong("“timeout” must be from one second to seven days"));
    }
    if config.status.as_ref().is_some_and(|path| !is_path(path)) {
        return Err(wrong("“status” must be a path that begins with one “/”"));
    }
    Ok(config)
}

/// Whether it is a path on the same server, and nothing that leads away from it.
pub fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.starts_with("//") && !text.contains(['\\', '#'])
}
