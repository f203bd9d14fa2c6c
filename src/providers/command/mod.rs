//! `command`: scripts of the template, run on the worker's own machine, behind walls and under the guard.
//!
//! What they get and what they may say: see [`super::scripts`]. Beside that, `PADDOCK_TARGET_SECRET_FILE` is
//! the file of the target's credential. Everything that a script started ends with it.

mod target;

use async_trait::async_trait;

use super::environment::doors;
use super::guard::Stop;
use super::process::{self, Program, Settings, Watcher};
use super::scripts::{Machine, ScriptProvider, Task};
use super::workspace::Workspace;
use super::{Finding, ProviderError, Target, TargetForm};

/// The provider of scripts.
pub type CommandProvider = ScriptProvider<ThisMachine>;

/// The worker's own machine.
#[derive(Debug, Clone)]
pub struct ThisMachine {
    settings: Settings,
}

impl CommandProvider {
    /// A provider that works on this machine as `settings` say.
    pub fn new(settings: Settings) -> Self {
        Self { machine: ThisMachine { settings } }
    }
}

#[async_trait]
impl Machine for ThisMachine {
    fn name(&self) -> &'static str {
        "command"
    }

    fn settings(&self) -> &Settings {
        &self.settings
    }

    async fn check(&self) -> Result<(), String> {
        Ok(())
    }

    fn target_form(&self) -> &'static TargetForm {
        &target::FORM
    }

    async fn check_target(&self, target: &Target) -> Vec<Finding> {
        self.look_at(target)
    }

    fn hands_over_credential(&self) -> bool {
        true
    }

    async fn run(
        &self,
        task: Task<'_>,
        workspace: &mut Workspace,
        watcher: &mut dyn Watcher,
    ) -> Result<i32, ProviderError> {
        let root = workspace.path("");
        let program = Program {
            path: root.join(&task.script),
            args: Vec::new(),
            folder: root.join(&task.folder),
            environment: task.variables.at(&root, &self.settings.path).into_vec(),
            lock: workspace.release(),
            mark: format!("{}.{}", task.job.run, task.job.attempt),
            stop: Stop::Terminate,
            kept: root,
            doors: doors(task.job)?,
        };
        let code = process::run(&self.settings, &program, &task.job.cancel, watcher).await?;
        workspace.hold().await?;
        Ok(code)
    }
}
