//! Scripts of a template: what the providers that run them have in common.
//!
//! The contract is that of Azure Deployment Environments' runners, with names of our own beside it.
//! Config: `deploy`, `delete`, `probe`, `drift` (files of the template, or whole paths in its image), `repeat`
//! and `image`. A script runs in a copy
//! of the template's folder with an environment made for it: `PADDOCK_INPUT_<NAME>` per input,
//! `PADDOCK_INPUTS` the file of all, `PADDOCK_TARGET_<NAME>` per setting of the target,
//! `PADDOCK_STORAGE` a folder kept between operations,
//! `PADDOCK_OUTPUTS` where it writes `{"outputs": {"name": {"type", "value", "sensitive"}},
//! "resources": [{"address", "type", "id"}]}`, and `PADDOCK_ERROR_LOG`; the `ADE_*` names mean the
//! same. A definition of theirs gets their helper `ade` as well (`ade.sh`). An exit code other than 0
//! is a failure, told by the first error that it printed.
//!
//! Actions and power operations run a script as well, with `PADDOCK_ACTION`, `PADDOCK_ACTION_INPUT_<NAME>`
//! and `PADDOCK_ACTION_INPUTS`; the outputs that it writes replace those of the same name.
//!
//! Everything is laid out in the environment's workspace on the worker. A [`Machine`] runs it there, or
//! takes it to where it runs and brings back what came of it.

mod ade;
mod config;
mod drift;
mod provider;
mod record;
mod script;
mod variables;

use std::fmt::Debug;
use std::path::PathBuf;

use async_trait::async_trait;

pub use self::provider::ScriptProvider;
pub use self::variables::Variables;
use super::process::{Settings, Watcher};
use super::workspace::Workspace;
use super::{Finding, Host, Inventory, Job, Marked, ProviderError, Target, TargetForm};

/// The file where a script writes its outputs.
pub const OUTPUTS: &str = "output.json";
/// Where a script says what went wrong.
pub const ERRORS: &str = "error.log";
/// Where the helper `ade` notes the code of a failure, beside the text of it.
pub const RESULT_CODE: &str = "error.log.code";
/// Where a script says what differs.
pub const DIFFERENCES: &str = "differences.txt";
/// The folder that is kept between operations.
pub const STORAGE: &str = "storage";

/// One script, ready to run: everything that it reads lies in the workspace.
#[derive(Debug)]
pub struct Task<'a> {
    /// What it is part of.
    pub job: &'a Job,
    /// The script, a path in the workspace; a whole path where it is the image's own.
    pub script: PathBuf,
    /// The image to run it in.
    pub image: Option<&'a str>,
    /// What it is to do: `deploy`, `delete`, `probe`, `drift`, an action.
    pub operation: &'a str,
    /// Whether the template is a definition of Azure Deployment Environments.
    pub of_ade: bool,
    /// Where it starts, a path in the workspace.
    pub folder: PathBuf,
    /// Whether it only looks: a probe, or a look for drift.
    pub looks: bool,
    /// What it gets.
    pub variables: Variables,
}

impl Task<'_> {
    /// Whether the image's own script for the operation comes first, as in their runners.
    pub fn looks_up(&self) -> bool {
        self.of_ade && matches!(self.operation, "deploy" | "delete")
    }
}

/// Where scripts run.
#[async_trait]
pub trait Machine: Debug + Send + Sync {
    /// The provider's word in manifests.
    fn name(&self) -> &'static str;

    /// Where workspaces are on this machine, and how programs run here.
    fn settings(&self) -> &Settings;

    /// See [`super::Provider::check`].
    async fn check(&self) -> Result<(), String>;

    /// See [`super::Provider::target_form`].
    fn target_form(&self) -> &'static TargetForm;

    /// See [`super::Provider::check_target`].
    async fn check_target(&self, target: &Target) -> Vec<Finding>;

    /// Whether the target's credential is for the scripts (`PADDOCK_TARGET_SECRET_FILE`).
    fn hands_over_credential(&self) -> bool;

    /// Whether scripts can run in images: why not, in words.
    fn images(&self) -> Result<(), &'static str> {
        Err("scripts run on the machine of the target, not in images")
    }

    /// Ends what an earlier attempt left running in an image, before this one does anything.
    async fn make_way(&self, job: &Job) -> Result<(), ProviderError> {
        let _ = job;
        Ok(())
    }

    /// Runs the script to its end and returns its exit code. What it wrote is in the workspace then.
    async fn run(
        &self,
        task: Task<'_>,
        workspace: &mut Workspace,
        watcher: &mut dyn Watcher,
    ) -> Result<i32, ProviderError>;

    /// The exit code of the last script of the job's own work, where the machine noted the end that an earlier
    /// attempt did not see. One that still runs there is ended first. What it wrote is in the workspace then.
    async fn recall(
        &self,
        job: &Job,
        workspace: &mut Workspace,
        watcher: &mut dyn Watcher,
    ) -> Result<Option<i32>, ProviderError> {
        let _ = (job, workspace, watcher);
        Ok(None)
    }

    /// Removes what the machine itself keeps of an environment that was deleted. Gone already is success.
    async fn forget(
        &self,
        job: &Job,
        workspace: &mut Workspace,
        watcher: &mut dyn Watcher,
    ) -> Result<(), ProviderError> {
        let _ = (job, workspace, watcher);
        Ok(())
    }

    /// See [`super::Provider::inventory`].
    async fn inventory(&self, target: &Target) -> Result<Inventory, ProviderError> {
        Ok(Inventory::CannotTell(format!("Paddock cannot list what {} made on {}.", self.name(), target.slug)))
    }

    /// See [`super::Provider::remove_marked`].
    async fn remove_marked(&self, target: &Target, marked: &Marked, host: &dyn Host) -> Result<(), ProviderError> {
        let _ = (marked, host);
        Err(ProviderError::failed(format!("Paddock cannot remove single things on {}", target.slug)))
    }
}
