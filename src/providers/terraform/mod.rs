//! `terraform`: a stack described in Terraform or OpenTofu, by the command line `tofu` or
//! `terraform` with `-json`. Tried with Terraform 1.11 and 1.15, and with OpenTofu 1.6.
//!
//! Every input becomes the variable of its name. A target is optional: it may bring environment
//! variables (see [`super::environment`]). Outputs are Terraform's, resources what its state holds.
//!
//! Repeat safety. The state lives in Paddock, which is Terraform's HTTP backend while an attempt
//! works ([`backend`]): locked, every version kept, fenced by the attempt. A Terraform that cannot
//! hand its state over leaves it on the machine, and the next attempt there brings it in before
//! anything else; the guard sees to it that two never run on one environment of a machine. What was
//! left half made is tainted in the state and replaced. What an attempt has told to have made, or was
//! cut off while it made, and no state knows, is not made again, but asked about ([`traces`]). A template's own backend is overridden.

mod backend;
mod cli;
mod diff;
mod drift;
mod look;
mod messages;
mod saved;
mod state;
mod table;
mod target;
mod traces;

use std::path::PathBuf;

use async_trait::async_trait;

use self::cli::Cli;
use self::saved::{Fit, SavedPlan};
use self::state::State;
use super::process::{Settings, is_executable};
use super::workspace::write_private;
use super::{
    Difference, Drift, Finding, Host, Job, Output, Plan, Provider, ProviderError, Resource, Stream, Target, TargetForm,
};
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

    /// The program for a job; `wanted` is the word of the template or the target.
    fn executable(&self, wanted: Option<&str>) -> Result<PathBuf, String> {
        let is_wanted = |path: &PathBuf| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            wanted.is_none_or(|wanted| name.starts_with(wanted))
        };
        match (self.settings.terraform.as_ref().filter(|path| is_wanted(path)), wanted) {
            (Some(path), _) if is_executable(path) => Ok(path.clone()),
            (Some(path), _) => Err(format!("{} cannot be executed", path.display())),
            (None, Some(wanted)) => {
                self.settings.find_program(&[wanted]).ok_or_else(|| format!("{wanted} is not installed on this worker"))
            }
            (None, None) => self
                .settings
                .find_program(&["tofu", "terraform"])
                .ok_or_else(|| "neither tofu nor terraform is installed on this worker".to_owned()),
        }
    }

    async fn open<'a>(&'a self, job: &'a Job, host: &'a dyn Host) -> Result<Cli<'a>, ProviderError> {
        // Another worker may have it.
        let executable = self.executable(program(job)?).map_err(ProviderError::retryable)?;
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
        self.executable(None).map(drop)
    }

    fn target_form(&self) -> &'static TargetForm {
        &target::FORM
    }

    async fn check_target(&self, target: &Target) -> Vec<Finding> {
        self.look_at(target).await
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
        let mut outcome = carry_out(&mut cli, job, host).await;
        reach("terraform.applied");
        if outcome.is_ok() {
            outcome = look::after_apply(&mut cli, job, host, self.settings.read_back).await;
        }
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
        let before = cli.saved_state().map(<[u8]>::to_vec);
        let mut outcome = carry_out(&mut cli, job, host).await;
        reach("terraform.destroyed");
        if let (Ok(()), Some(before)) = (&outcome, &before) {
            outcome = look::after_destroy(&mut cli, job, host, before, self.settings.read_back).await;
        }
        end(cli, outcome)
    }

    async fn read_back(&self, job: &Job, host: &dyn Host) -> Result<Vec<Resource>, ProviderError> {
        Ok(self.known_state(job, host).await?.map(|state| state.resources()).unwrap_or_default())
    }

    async fn drift(&self, job: &Job, host: &dyn Host) -> Result<Drift, ProviderError> {
        let mut cli = self.open(job, host).await?;
        let found = look_for_drift(&mut cli, job).await;
        // The plan holds secrets, and nobody applies it.
        if matches!(found, Ok(_) | Err(ProviderError::Failed { .. })) {
            cli.close()?;
        }
        found.map(Drift::of)
    }
}

/// Which of the two a job is for: the target says (`program` of its settings), else the template (of its
/// `config`), else it is all the same.
fn program(job: &Job) -> Result<Option<&str>, ProviderError> {
    let target = job.target.as_ref().and_then(|target| target.settings.get("program"));
    match target.or_else(|| job.config.get("program")).map(|word| word.as_str().unwrap_or_default()) {
        None => Ok(None),
        Some(word @ ("tofu" | "terraform")) => Ok(Some(word)),
        Some(_) => {
            Err(ProviderError::failed("the template or the target sets program, which is “tofu” or “terraform”"))
        }
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
    cli.json(&args).await.map_err(ProviderError::without_effect)?;
    reach("terraform.planned");
    let shown = cli.show_plan().await?;
    table::read(&shown).ok_or_else(|| ProviderError::failed("Terraform's plan cannot be read"))
}

/// Refreshes, plans and reads; nothing is written, and no lock is needed for that.
async fn look_for_drift(cli: &mut Cli<'_>, job: &Job) -> Result<Vec<Difference>, ProviderError> {
    cli.init(None).await?;
    let out = format!("-out={}", cli.plan_file().display());
    let args = ["plan", "-json", "-input=false", "-lock=false", &out];
    cli.json(&args).await.map_err(ProviderError::without_effect)?;
    let shown = cli.show_plan().await?;
    drift::read(&shown, job).ok_or_else(|| ProviderError::failed("Terraform's plan cannot be read"))
}

/// Stops once, and tells people, when something may exist that the state does not know: making it
/// again would make it twice.
async fn nothing_is_lost(cli: &Cli<'_>, host: &dyn Host) -> Result<(), ProviderError> {
    let Some(words) = traces::lost(host, cli.state()?.as_ref()).await? else { return Ok(()) };
    host.account().await?;
    Err(ProviderError::failed(words))
}

/// Does what the run's plan says and nothing else, or all that the template says when no plan was
/// made for the run.
async fn carry_out(cli: &mut Cli<'_>, job: &Job, host: &dyn Host) -> Result<(), ProviderError> {
    nothing_is_lost(cli, host).await?;
    let Some((plan, artifact)) = job.plan.as_deref().and_then(|plan| Some((plan, plan.artifact.as_deref()?))) else {
        cli.init(None).await?;
        let verb = if job.operation == "delete" { "destroy" } else { "apply" };
        return cli.change(&[verb, "-json", "-input=false", "-auto-approve"]).await;
    };
    let saved = SavedPlan::from_bytes(artifact)?;
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
    cli.change(&["apply", "-json", "-input=false", "-auto-approve", &plan_file.to_string_lossy()]).await
}
