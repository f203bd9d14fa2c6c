//! `command`: scripts of the template, run on the worker's own machine, behind walls and under the guard;
//! in a container where the template names an image (see [`container`]).
//!
//! What they get and what they may say: see [`super::scripts`]. Beside that, `PADDOCK_TARGET_SECRET_FILE` is
//! the file of the target's credential. Everything that a script started ends with it.

mod container;
mod engine;
mod target;

use async_trait::async_trait;

pub use self::engine::Engine;
use super::environment::doors;
use super::guard::Stop;
use super::process::{self, Program, Settings, Watcher};
use super::scripts::{Machine, ScriptProvider, Task};
use super::workspace::Workspace;
use super::{Finding, Job, ProviderError, Target, TargetForm};

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
        self.look_at(target).await
    }

    fn images(&self) -> Result<(), &'static str> {
        self.settings.engine.as_ref().map(drop).ok_or("this worker has no container engine (--container-engine)")
    }

    async fn make_way(&self, job: &Job) -> Result<(), ProviderError> {
        match &self.settings.engine {
            Some(engine) => engine.remove(job.environment).await,
            None => Ok(()),
        }
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
        if let Some(image) = task.image {
            let engine = self.settings.engine.as_ref();
            let engine = engine.ok_or_else(|| ProviderError::failed("this worker has no container engine"))?;
            return container::run(&self.settings, engine, image, task, workspace, watcher).await;
        }
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
