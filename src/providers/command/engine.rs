//! A container engine: `podman`, `docker`, or a script that calls one with more arguments.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::base::id::EnvironmentId;
use crate::providers::ProviderError;
use crate::providers::process::plain;

/// How long the engine may take to look at containers, or to end one.
const PATIENCE: Duration = Duration::from_mins(1);

/// The engine of this worker; from the configuration.
#[derive(Debug, Clone)]
pub struct Engine {
    /// Its program; a name is looked for on the `PATH` of `environment`.
    pub program: PathBuf,
    /// When it fetches images: `always`, `missing` or `never`.
    pub pull: String,
    /// The network of containers; the engine's own default without it.
    pub network: Option<String>,
    /// The engine's own variables. Nothing of them gets into a container.
    pub environment: Vec<(OsString, OsString)>,
}

/// The container of an environment. There is one at a time, so that whoever comes next can find it.
pub fn container_name(environment: EnvironmentId) -> String {
    format!("paddock-{environment}")
}

impl Engine {
    /// Whether it answers.
    pub async fn check(&self) -> Result<(), String> {
        self.call(["version"]).await.map(drop).map_err(|error| error.to_string())
    }

    /// Ends the environment's container, if there is one. Nothing of it runs afterwards, or it is an error.
    pub async fn remove(&self, environment: EnvironmentId) -> Result<(), ProviderError> {
        let name = container_name(environment);
        let filter = format!("name=^{name}$");
        let there = ["ps", "--all", "--quiet", "--filter", filter.as_str()];
        if self.call(there).await?.is_empty() {
            return Ok(());
        }
        // A container that was made and never ran cannot be killed, and one that ends meanwhile cannot be
        // removed: what counts is what is there afterwards.
        let killed = self.call(["kill", name.as_str()]).await;
        let removed = self.call(["rm", "--force", name.as_str()]).await;
        if self.call(there).await?.is_empty() {
            return Ok(());
        }
        let why = [killed.err(), removed.err()].into_iter().flatten().last().map(|error| format!(": {error}"));
        Err(ProviderError::retryable(format!(
            "the container {name} of an earlier attempt does not end{}",
            why.unwrap_or_default()
        )))
    }

    /// What the engine prints.
    async fn call<const N: usize>(&self, args: [&str; N]) -> Result<String, ProviderError> {
        let verb = args.first().copied().unwrap_or_default();
        let program = self.program.display();
        let mut command = Command::new(&self.program);
        command.args(args).env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output: Output = match timeout(PATIENCE, command.output()).await {
            Ok(output) => output.map_err(|error| {
                ProviderError::failed(format!("the container engine {program} cannot be started: {error}"))
            })?,
            Err(_) => {
                return Err(ProviderError::retryable(format!("the container engine {program} does not answer")));
            }
        };
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = plain(said.lines().last().unwrap_or_default());
            return Err(ProviderError::retryable(format!("{program} {verb} failed: {said}")));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Its program, for a command line.
    pub fn word(&self) -> &OsStr {
        self.program.as_os_str()
    }
}
