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
    /// Creates and updates. With an image its `/scripts/deploy.sh`, where nothing else is said.
    #[serde(default)]
    pub deploy: String,
    /// Removes. With an image its `/scripts/delete.sh`.
    #[serde(default)]
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
    /// The image that scripts run in; those with a whole path are its own.
    #[serde(default)]
    pub image: Option<String>,
    /// Whether scripts of the template may run without it, where there is nothing to run images.
    #[serde(default)]
    pub image_is_optional: bool,
    /// The image that is done without.
    #[serde(skip)]
    pub without_image: Option<String>,
}

impl Config {
    /// Every script that it names.
    fn scripts(&self) -> impl Iterator<Item = &String> {
        [&self.deploy, &self.delete].into_iter().chain(&self.probe).chain(&self.drift)
    }

    /// The same where images cannot run, for the reason `why`.
    pub fn outside(mut self, why: &str) -> Result<Self, ProviderError> {
        let Some(image) = self.image.take() else { return Ok(self) };
        if !self.image_is_optional || self.scripts().any(|script| is_of_image(script)) {
            return Err(ProviderError::failed(format!("the template's scripts run in the image {image}, and {why}")));
        }
        self.without_image = Some(image);
        Ok(self)
    }
}

/// Whether a script is the image's own.
pub fn is_of_image(script: &str) -> bool {
    script.starts_with('/')
}

/// Reads the job's config and checks that its files are there.
pub fn read(job: &Job) -> Result<Config, ProviderError> {
    let mut config = Config::deserialize(&job.config)
        .map_err(|error| ProviderError::failed(format!("the template's config cannot be used: {error}")))?;
    if config.image.as_ref().is_some_and(|image| image.is_empty() || image.starts_with('-')) {
        return Err(ProviderError::failed("the template's config names no image that there can be"));
    }
    for (script, operation) in [(&mut config.deploy, "deploy"), (&mut config.delete, "delete")] {
        if !script.is_empty() {
            continue;
        }
        if config.image.is_none() {
            return Err(ProviderError::failed(format!(
                "the template's config cannot be used: missing field `{operation}`"
            )));
        }
        *script = format!("/scripts/{operation}.sh");
    }
    for file in config.scripts().chain(&config.template) {
        if config.image.is_some() && is_of_image(file) {
            continue;
        }
        if !job.files.iter().any(|one| one.path == *file) {
            return Err(ProviderError::failed(format!("the template has no file {file}, which its config names")));
        }
    }
    if config.repeat == Repeat::Probe && config.probe.is_none() {
        return Err(ProviderError::failed("the template's config says repeat: probe but names no probe"));
    }
    Ok(config)
}
