//! `terraform`: a stack described in Terraform or OpenTofu, by the command line `tofu` or
//! `terraform` with `-json`. Tried with Terraform 1.11; OpenTofu speaks the same and is untried.
//!
//! Every input becomes the variable of its name. A target is optional: it may bring environment
//! variables (see [`super::environment`]). Outputs are Terraform's, resources what its state holds.
//!
//! Repeat safety. The state lives in Paddock, which is Terraform's HTTP backend while an attempt
//! works ([`backend`]): locked, every version kept, fenced by the attempt. A Terraform that cannot
//! hand its state over leaves it on the machine, and the next attempt there brings it in before
//! anything else; the guard sees to it that two never run on one environment of a machine. What was
//! left half made is tainted in the state and replaced. What an attempt has told to have made and no
//! state knows is never made again, but asked about. A template's own backend is overridden.

mod backend;
mod cli;
mod diff;
mod messages;
mod saved;
mod state;
mod table;

use std::path::PathBuf;

use async_trait::async_trait;

use self::cli::Cli;
use self::saved::{Fit, SavedPlan};
use self::state::State;
use super::process::{Settings, is_executable};
use super::workspace::write_private;
use super::{Host, Job, Output, Plan, Provider, ProviderError, Resource, Stream};
use crate::base::failpoint::reach;

pub use self::diff::changes as state_changes;

/// The provider of Terraform stacks.
#[derive(Debug, Clone)]
pub struct TerraformProvider {
    settings: Settings,
}

impl TerraformProvider {
    /// A provider that works on this machine as `settings` say.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    fn executable(&self) -> Result<PathBuf, String> {
        match &self.settings.terraform {
            Some(path) if is_executable(path) => Ok(path.clone()),
            Some(path) => Err(format!("{} cannot be executed", path.display())),
            None => self
                .settings
                .find_program(&["tofu", "terraform"])
                .ok_or_else(|| "neither tofu nor terraform is installed on this worker".to_owned()),
        }
    }

    async fn open<'a>(&'a self, job: &'a Job, host: &'a dyn Host) -> Result<Cli<'a>, ProviderError> {
        // Another worker may have it.
        let executable = self.executable().map_err(ProviderError::retryable)?;
        Cli::open(&self.settings, executable, job, host).await
    }

    async fn known_state(&self, job: &Job, host: &dyn Host) -> Result<Option<State>, ProviderError> {
        if cli::has_leftover(&self.settings.work_root, job) {
            return self.open(job, host).await?.state();
        }
        match host.load_state().await? {
            None => Ok(None),
            Some(bytes) => State::parse(&bytes)
                .map(Some)
                .ok_or_else(|| ProviderError::failed("the saved Terraform state cannot be read")),
        }
    }
}

#[async_trait]
impl Provider for TerraformProvider {
    fn name(&self) -> &'static str {
        "terraform"
    }

    async fn check(&self) -> Result<(), String> {
        // Whoever may write into a shared cache runs in all environments that use it.
        let config = self.settings.terraform_config.as_deref().unwrap_or_default();
        if config.lines().any(|line| line.trim_start().starts_with("plugin_cache_dir")) {
            return Err("its CLI configuration sets “plugin_cache_dir”, which all projects would share".to_owned());
        }
        self.executable().map(drop)
    }

    async fn plan(&self, job: &Job, host: &dyn Host) -> Result<Plan, ProviderError> {
        let mut cli = self.open(job, host).await?;
        cli.init(None).await?;
        let changes = make_plan(&mut cli, job).await?.changes;
        let saved = SavedPlan::new(job, cli.saved_state(), cli.lock_file()?, cli.plan_bytes()?);
        reach("terraform.stamped");
        Ok(Plan { changes, artifact: Some(saved.to_bytes()?) })
    }

    async fn apply(&self, job: &Job, host: &dyn Host) -> Result<(), ProviderError> {
        let mut cli = self.open(job, host).await?;
        reach("terraform.applying");
        let outcome = carry_out(&mut cli, job, host).await;
        reach("terraform.applied");
        end(cli, outcome)
    }

    async fn collect(&self, job: &Job, host: &dyn Host) -> Result<(Vec<Output>, Vec<Resource>), ProviderError> {
        let state = self.known_state(job, host).await?;
        let state = state.ok_or_else(|| ProviderError::failed("Terraform left no state"))?;
        Ok((state.outputs(), state.resources()))
    }

    async fn destroy(&self, job: &Job, host: &dyn Host) -> Result<(), ProviderError> {
        if self.read_back(job, host).await?.is_empty() {
            cli::forget(&self.settings.work_root, job).await?;
            return host.log(Stream::Paddock, "Nothing to remove: the state is empty").await;
        }
        let mut cli = self.open(job, host).await?;
        reach("terraform.destroying");
        let outcome = carry_out(&mut cli, job, host).await;
        reach("terraform.destroyed");
        end(cli, outcome)
    }

    async fn read_back(&self, job: &Job, host: &dyn Host) -> Result<Vec<Resource>, ProviderError> {
        Ok(self.known_state(job, host).await?.map(|state| state.resources()).unwrap_or_default())
    }
}

/// Leaves no secrets on this machine once the next attempt does not need them.
fn end(cli: Cli<'_>, outcome: Result<(), ProviderError>) -> Result<(), ProviderError> {
    if matches!(outcome, Ok(()) | Err(ProviderError::Failed { .. })) {
        cli.close()?;
        reach("terraform.closed");
    }
    outcome
}

/// Makes and reads a plan file.
async fn make_plan(cli: &mut Cli<'_>, job: &Job) -> Result<Plan, ProviderError> {
    let out = format!("-out={}", cli.plan_file().display());
    let mut args = vec!["plan", "-json", "-input=false", out.as_str()];
    if job.operation == "delete" {
        args.push("-destroy");
    }
    cli.json(&args).await?;
    reach("terraform.planned");
    let shown = cli.show_plan().await?;
    table::read(&shown).ok_or_else(|| ProviderError::failed("Terraform's plan cannot be read"))
}

/// What an earlier attempt has told to have made must be in the state. It is not when that attempt's
/// machine is gone with a state that was never handed over: making it again would make it twice.
async fn nothing_is_lost(cli: &Cli<'_>, job: &Job, host: &dyn Host) -> Result<(), ProviderError> {
    if job.attempt < 2 {
        return Ok(());
    }
    let known = cli.state()?.map(|state| state.resources()).unwrap_or_default();
    let is_known = |made: &Resource| {
        let same = |resource: &Resource| match (&resource.provider_id, &made.provider_id) {
            (Some(there), Some(told)) => there == told,
            // Not every resource has an id of that name.
            (None, _) | (_, None) => resource.address == made.address,
        };
        known.iter().any(same)
    };
    let lost: Vec<String> = host.made().await?.iter().filter(|made| !is_known(made)).map(ToString::to_string).collect();
    if lost.is_empty() {
        return Ok(());
    }
    Err(ProviderError::failed(format!(
        "An earlier attempt made {}, and the state that knows of it is not here: it may be on the disk of that \
         attempt's worker. Bring that worker back and retry, or remove or import these by hand.",
        lost.join(", ")
    )))
}

/// Does what the run's plan says and nothing else, or all that the template says when no plan was
/// made for the run.
async fn carry_out(cli: &mut Cli<'_>, job: &Job, host: &dyn Host) -> Result<(), ProviderError> {
    let Some((plan, artifact)) = job.plan.as_deref().and_then(|plan| Some((plan, plan.artifact.as_deref()?))) else {
        cli.init(None).await?;
        let verb = if job.operation == "delete" { "destroy" } else { "apply" };
        return cli.json(&[verb, "-json", "-input=false", "-auto-approve"]).await;
    };
    let saved = SavedPlan::from_bytes(artifact)?;
    nothing_is_lost(cli, job, host).await?;
    let name = plan.digest().short();
    match saved.fit(job, cli.saved_state()) {
        Fit::Stale(why) => return Err(saved::stale(why)),
        Fit::Exact => {
            host.log(Stream::Paddock, &format!("Applying the saved plan {name}")).await?;
            cli.init(saved.lock.as_deref()).await?;
            write_private(&cli.plan_file(), &saved.plan)?;
        }
        Fit::Begun => {
            let line = format!("An earlier attempt has begun the plan {name}: planning what is left of it");
            host.log(Stream::Paddock, &line).await?;
            cli.init(saved.lock.as_deref()).await?;
            let rest = make_plan(cli, job).await?;
            if let Some(change) = saved::beyond(&rest, plan) {
                return Err(saved::stale(&format!("what is left would also touch {}", change.address)));
            }
        }
    }
    let plan_file = cli.plan_file();
    cli.json(&["apply", "-json", "-input=false", "-auto-approve", &plan_file.to_string_lossy()]).await
}
