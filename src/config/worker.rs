//! How much one worker process does at a time, how long a drain may take, and which programs it runs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use jiff::SignedDuration;

use super::{ConfigError, Result};
use crate::base::text::{LABEL_RULE, is_label};

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Worker")]
pub(super) struct WorkerArgs {
    /// Runs that this process executes at the same time
    #[arg(long, env = "PADDOCK_WORKER_RUNS", value_name = "N", default_value_t = 4)]
    worker_runs: usize,
    /// How long a run is held by a worker that does not answer any more, before another one takes it over
    #[arg(long, env = "PADDOCK_LEASE", value_name = "DURATION", default_value = "15s")]
    lease: SignedDuration,
    /// How long a stop waits for running runs; what is left then goes on elsewhere, or at the next start
    #[arg(long, env = "PADDOCK_DRAIN", value_name = "DURATION", default_value = "30s")]
    drain: SignedDuration,
    /// What this worker has, for templates and targets that ask for it: `gpu,eu-west`
    #[arg(long, env = "PADDOCK_WORKER_LABELS", value_name = "LABELS", value_delimiter = ',')]
    worker_labels: Vec<String>,
    /// Most runs of a provider at the same time on the whole platform: `terraform=2,command=8`
    #[arg(long, env = "PADDOCK_PROVIDER_LIMITS", value_name = "PROVIDER=N", value_delimiter = ',')]
    provider_limits: Vec<String>,
    /// Most memory of a template's program with all that it starts, in MiB
    #[arg(long, env = "PADDOCK_PROGRAM_MEMORY", value_name = "MIB", default_value_t = 4096)]
    program_memory: u64,
    /// Most processes of a template's program at a time
    #[arg(long, env = "PADDOCK_PROGRAM_PROCESSES", value_name = "N", default_value_t = 1024)]
    program_processes: u64,
    /// How long a template's program may run; one that is stopped for it may have done a part of its work
    #[arg(long, env = "PADDOCK_PROGRAM_TIME", value_name = "DURATION", default_value = "1h")]
    program_time: SignedDuration,
    /// Folders of this machine that every template's program may write to, beside its own
    #[arg(long, env = "PADDOCK_PROGRAM_FOLDERS", value_name = "FOLDERS", value_delimiter = ',')]
    program_folders: Vec<PathBuf>,
    /// What runs templates that name an image: podman, docker, or a script that calls one of them
    #[arg(long, env = "PADDOCK_CONTAINER_ENGINE", value_name = "PROGRAM")]
    container_engine: Option<PathBuf>,
    /// When the container engine fetches images
    #[arg(long, env = "PADDOCK_CONTAINER_PULL", value_name = "WHEN", default_value = "missing",
          value_parser = ["always", "missing", "never"])]
    container_pull: String,
    /// The network of containers, in the engine's words: `none`, `host`, a name [default: the engine's own]
    #[arg(long, env = "PADDOCK_CONTAINER_NETWORK", value_name = "NETWORK")]
    container_network: Option<String>,
    /// How often each environment is checked for drift; 0s: only when somebody asks
    #[arg(long, env = "PADDOCK_DRIFT_EVERY", value_name = "DURATION", default_value = "24h")]
    drift_every: SignedDuration,
    /// How often each target is looked over for what nobody owns; 0s: never
    #[arg(long, env = "PADDOCK_ORPHANS_EVERY", value_name = "DURATION", default_value = "1h")]
    orphans_every: SignedDuration,
    /// The Terraform or OpenTofu program [default: `tofu`, else `terraform`, on the PATH]
    #[arg(long, env = "PADDOCK_TERRAFORM", value_name = "FILE")]
    terraform: Option<PathBuf>,
    /// A file with more lines for Terraform's CLI configuration, for example a provider mirror
    #[arg(long, env = "PADDOCK_TERRAFORM_CONFIG_FILE", value_name = "FILE")]
    terraform_config_file: Option<PathBuf>,
}

/// How this process executes runs.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// Runs at the same time.
    pub runs: usize,
    /// How long a claim holds without a heartbeat; the heart beats every third of it.
    pub lease: SignedDuration,
    /// How long a stop waits for running runs.
    pub drain: SignedDuration,
    /// What this worker has.
    pub labels: Vec<String>,
    /// Most runs of a provider at the same time on the whole platform.
    pub provider_limits: BTreeMap<String, u32>,
    /// Most memory of a program with all that it starts, in bytes.
    pub program_memory: u64,
    /// Most processes of a program at a time.
    pub program_processes: u64,
    /// How long a program may run.
    pub program_time: SignedDuration,
    /// Folders that every program may write to.
    pub program_folders: Vec<PathBuf>,
    /// What runs images, if anything does.
    pub container: Option<ContainerConfig>,
    /// How often each environment is checked for drift; zero is never.
    pub drift_every: SignedDuration,
    /// How often each target is looked over for what nobody owns; zero is never.
    pub orphans_every: SignedDuration,
    /// The `PATH` that the programs of templates see.
    pub path: OsString,
    /// The Terraform or OpenTofu program, if one is named.
    pub terraform: Option<PathBuf>,
    /// More lines for Terraform's CLI configuration.
    pub terraform_config: Option<String>,
}

/// The container engine of a worker.
#[derive(Debug, Clone)]
pub struct ContainerConfig {
    /// Its program.
    pub engine: PathBuf,
    /// When it fetches images: `always`, `missing` or `never`.
    pub pull: String,
    /// The network of containers; the engine's own without it.
    pub network: Option<String>,
    /// The engine's own variables.
    pub environment: Vec<(OsString, OsString)>,
}

/// Of the worker's variables what an engine needs to find itself, its images and its registries.
const FOR_ENGINES: [&str; 15] = [
    "CONTAINERS_CONF",
    "CONTAINERS_STORAGE_CONF",
    "CONTAINER_HOST",
    "DBUS_SESSION_BUS_ADDRESS",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "PATH",
    "REGISTRY_AUTH_FILE",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
];

impl WorkerArgs {
    pub(super) fn check(self) -> Result<WorkerConfig> {
        if !(1..=64).contains(&self.worker_runs) {
            return Err(ConfigError::invalid("--worker-runs", "must be from 1 to 64"));
        }
        if self.drain.is_negative() || self.drain > SignedDuration::from_hours(6) {
            return Err(ConfigError::invalid("--drain", "must be from 0s to 6h"));
        }
        if !(1..=600).contains(&self.lease.as_secs()) {
            return Err(ConfigError::invalid("--lease", "must be from 1s to 10m"));
        }
        if !(64..=1024 * 1024).contains(&self.program_memory) {
            return Err(ConfigError::invalid("--program-memory", "must be from 64 to 1048576 MiB"));
        }
        if !(8..=1_000_000).contains(&self.program_processes) {
            return Err(ConfigError::invalid("--program-processes", "must be from 8 to 1000000"));
        }
        if self.program_time < SignedDuration::from_secs(1) || self.program_time > SignedDuration::from_hours(24) {
            return Err(ConfigError::invalid("--program-time", "must be from 1s to 24h"));
        }
        if self.program_folders.iter().any(|folder| !folder.is_absolute()) {
            return Err(ConfigError::invalid("--program-folders", "must be whole paths, with commas between"));
        }
        let period = SignedDuration::from_mins(1)..=SignedDuration::from_hours(24 * 366);
        if !self.drift_every.is_zero() && !period.contains(&self.drift_every) {
            return Err(ConfigError::invalid("--drift-every", "must be 0s, or from 1m to 366 days"));
        }
        if !self.orphans_every.is_zero() && !period.contains(&self.orphans_every) {
            return Err(ConfigError::invalid("--orphans-every", "must be 0s, or from 1m to 366 days"));
        }
        let read = |path: PathBuf| {
            let flag = "--terraform-config-file (PADDOCK_TERRAFORM_CONFIG_FILE)";
            std::fs::read_to_string(&path).map_err(|source| ConfigError::Unreadable { flag, path, source })
        };
        Ok(WorkerConfig {
            runs: self.worker_runs,
            lease: self.lease,
            drain: self.drain,
            labels: labels(self.worker_labels)?,
            provider_limits: self.provider_limits.iter().map(|text| limit(text)).collect::<Result<_>>()?,
            program_memory: self.program_memory * 1024 * 1024,
            program_processes: self.program_processes,
            program_time: self.program_time,
            program_folders: self.program_folders,
            container: self.container_engine.map(|engine| ContainerConfig {
                engine,
                pull: self.container_pull,
                network: self.container_network,
                environment: FOR_ENGINES
                    .into_iter()
                    .filter_map(|name| Some((name.into(), std::env::var_os(name)?)))
                    .collect(),
            }),
            drift_every: self.drift_every,
            orphans_every: self.orphans_every,
            path: std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()),
            terraform: self.terraform,
            terraform_config: self.terraform_config_file.map(read).transpose()?,
        })
    }
}

fn labels(given: Vec<String>) -> Result<Vec<String>> {
    if given.iter().all(|label| is_label(label)) {
        return Ok(given);
    }
    Err(ConfigError::invalid("--worker-labels", format!("each {LABEL_RULE}")))
}

fn limit(text: &str) -> Result<(String, u32)> {
    let wrong = || ConfigError::invalid("--provider-limits", "must be PROVIDER=N with N from 1, as in terraform=2");
    let (provider, number) = text.split_once('=').ok_or_else(wrong)?;
    match number.trim().parse() {
        Ok(number) if number > 0 && !provider.trim().is_empty() => Ok((provider.trim().to_owned(), number)),
        _ => Err(wrong()),
    }
}
