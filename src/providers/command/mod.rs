//! `command`: scripts of the template, by the contract of Azure Deployment Environments' runners
//! with names of our own beside it.
//!
//! Config: `deploy`, `delete`, `probe`, `drift` (files of the template) and `repeat`. A script runs in a copy
//! of the template's folder with an environment made for it: `PADDOCK_INPUT_<NAME>` per input,
//! `PADDOCK_INPUTS` the file of all, `PADDOCK_TARGET_<NAME>` per setting of the target,
//! `PADDOCK_TARGET_SECRET_FILE`, `PADDOCK_STORAGE` a folder kept between operations,
//! `PADDOCK_OUTPUTS` where it writes `{"outputs": {"name": {"type", "value", "sensitive"}},
//! "resources": [{"address", "type", "id"}]}`, and `PADDOCK_ERROR_LOG`; the `ADE_*` names mean the
//! same. A definition of theirs gets their helper `ade` as well (`ade.sh`). An exit code other than 0
//! is a failure, told by the first error that it printed.
//!
//! Actions and power operations run a script as well, with `PADDOCK_ACTION`, `PADDOCK_ACTION_INPUT_<NAME>`
//! and `PADDOCK_ACTION_INPUTS`; the outputs that it writes replace those of the same name.
//!
//! Repeat safety is the template's promise (`repeat`): what is begun is recorded before the script
//! starts, and what ended well is not run again for the same run.

mod ade;
mod config;
mod drift;
mod record;
mod script;
mod target;

use async_trait::async_trait;

use self::config::{Config, Repeat};
use self::record::{Mark, Record};
use self::script::Scripts;
use super::process::Settings;
use super::{
    Drift, Finding, Host, Job, Output, Plan, PlanAction, PlanChange, Provider, ProviderError, Resource, Stream, Target,
    TargetForm,
};
use crate::base::failpoint::reach;

/// The provider of scripts.
#[derive(Debug, Clone)]
pub struct CommandProvider {
    settings: Settings,
}

impl CommandProvider {
    /// A provider that works on this machine as `settings` say.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Runs `script` as the work that `job` asks for, and records it before and after.
    async fn work(
        &self,
        job: &Job,
        host: &dyn Host,
        script: &str,
        config: &Config,
        repeat: Repeat,
        record: &mut Record,
    ) -> Result<(), ProviderError> {
        let mark = Mark::of(job);
        let removing = job.operation == "delete";
        let mut scripts = Scripts::open(&self.settings, job, config, host).await?;
        scripts.restore(record)?;
        if let Some(begun) = record.begun.clone().filter(|begun| begun.is_same_work(&mark)) {
            match repeat {
                Repeat::Idempotent => {}
                Repeat::Probe => {
                    let there = probe(&mut scripts, config).await?;
                    if there != removing {
                        host.log(Stream::Paddock, "An earlier attempt got it done before it was cut off").await?;
                        scripts.take_over(record)?;
                        return finish(scripts, record, mark, host).await;
                    }
                }
                Repeat::Once => {
                    return Err(ProviderError::failed(format!(
                        "attempt {} ran {script} and did not see its end. The template says that it must not be \
                         repeated by itself: look at what is there, then retry or delete",
                        begun.attempt
                    )));
                }
            }
        }
        // The intent is durable before anything happens.
        record.begun = Some(mark.clone());
        record.removed = false;
        let known = job.action.as_ref().map(|_| record.outputs.clone());
        reach("command.begin");
        record.save(host).await?;
        reach("command.begun");
        host.log(Stream::Paddock, &format!("Running {script}")).await?;
        let operation = match &job.action {
            Some(action) => &action.name,
            None if removing => "delete",
            None => "deploy",
        };
        let outcome = scripts.run(script, operation).await;
        reach("command.ended");
        match outcome {
            Ok((0, _)) => {
                scripts.take_over(record)?;
                // An action tells what has changed, not all there is.
                if let Some(known) = known {
                    record.keep_outputs(known);
                }
                finish(scripts, record, mark, host).await
            }
            Ok((_, message)) => {
                // It ended, and said how: a later run may begin anew. Storage is kept.
                scripts.take_storage(record)?;
                record.begun = None;
                record.failed = Some(mark);
                record.save(host).await?;
                scripts.close()?;
                Err(ProviderError::failed(message.unwrap_or_default()))
            }
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Provider for CommandProvider {
    fn name(&self) -> &'static str {
        "command"
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

    async fn plan(&self, job: &Job, host: &dyn Host) -> Result<Plan, ProviderError> {
        let config = config::read(job)?;
        let record = Record::load(host).await?;
        let (action, script) = match (job.operation, record.may_exist()) {
            ("delete", false) => return Ok(Plan::default()),
            ("delete", true) => (PlanAction::Destroy, config.delete),
            (_, false) => (PlanAction::Create, config.deploy),
            (_, true) => (PlanAction::Change, config.deploy),
        };
        let change = PlanChange { address: "command".to_owned(), action, summary: format!("runs {script}") };
        Ok(Plan::of(vec![change]))
    }

    async fn apply(&self, job: &Job, host: &dyn Host) -> Result<(), ProviderError> {
        let config = config::read(job)?;
        let mut record = Record::load(host).await?;
        if !record.removed
            && record.begun.is_none()
            && record.done.as_ref().is_some_and(|done| done.is_same_work(&Mark::of(job)))
        {
            return host.log(Stream::Paddock, "An earlier attempt got it done").await;
        }
        self.work(job, host, &config.deploy, &config, config.repeat, &mut record).await
    }

    async fn act(&self, job: &Job, host: &dyn Host) -> Result<(), ProviderError> {
        let config = config::read(job)?;
        let action =
            job.action.as_ref().ok_or_else(|| ProviderError::failed("the template declares no such action"))?;
        if !job.files.iter().any(|file| file.path == action.run) {
            let message = format!("the template has no file {}, which its action {} names", action.run, action.name);
            return Err(ProviderError::failed(message));
        }
        let mut record = Record::load(host).await?;
        if !record.may_exist() {
            return Err(ProviderError::failed("the template's script has not run to its end"));
        }
        if record.begun.is_none() && record.done.as_ref().is_some_and(|done| done.is_same_work(&Mark::of(job))) {
            return host.log(Stream::Paddock, "An earlier attempt got it done").await;
        }
        let repeat = if action.once { Repeat::Once } else { Repeat::Idempotent };
        self.work(job, host, &action.run, &config, repeat, &mut record).await
    }

    async fn collect(&self, _job: &Job, host: &dyn Host) -> Result<(Vec<Output>, Vec<Resource>), ProviderError> {
        let record = Record::load(host).await?;
        if !record.may_exist() {
            return Err(ProviderError::failed("the template's script has not run to its end"));
        }
        Ok((record.outputs(), record.resources()))
    }

    async fn destroy(&self, job: &Job, host: &dyn Host) -> Result<(), ProviderError> {
        let config = config::read(job)?;
        let mut record = Record::load(host).await?;
        if !record.may_exist() {
            return host.log(Stream::Paddock, "Nothing to remove: no script was ever run").await;
        }
        self.work(job, host, &config.delete, &config, config.repeat, &mut record).await
    }

    async fn read_back(&self, job: &Job, host: &dyn Host) -> Result<Vec<Resource>, ProviderError> {
        let config = config::read(job)?;
        let record = Record::load(host).await?;
        if config.probe.is_none() || !record.may_exist() {
            return Ok(record.resources());
        }
        let mut scripts = Scripts::open(&self.settings, job, &config, host).await?;
        scripts.restore(&record)?;
        let there = probe(&mut scripts, &config).await?;
        Ok(if there { record.resources() } else { Vec::new() })
    }

    async fn drift(&self, job: &Job, host: &dyn Host) -> Result<Drift, ProviderError> {
        let config = config::read(job)?;
        let record = Record::load(host).await?;
        if config.drift.is_none() && config.probe.is_none() {
            return Ok(Drift::cannot_tell("The template declares neither “drift” nor “probe”, so nobody can look."));
        }
        if config.drift.is_none() && job.stopped {
            return Ok(Drift::cannot_tell("It is stopped, and the template declares no “drift” that could look then."));
        }
        let mut scripts = Scripts::open(&self.settings, job, &config, host).await?;
        scripts.restore(&record)?;
        let found = drift::look(&mut scripts, &config, &record).await;
        // What the script wrote into the storage is not taken over.
        if matches!(found, Ok(_) | Err(ProviderError::Failed { .. })) {
            scripts.close()?;
        }
        found.map(Drift::of)
    }
}

/// Whether it is there, by the template's own probe.
async fn probe(scripts: &mut Scripts<'_>, config: &Config) -> Result<bool, ProviderError> {
    let Some(script) = &config.probe else { return Ok(true) };
    match scripts.run(script, "probe").await? {
        (0, _) => Ok(true),
        (1, _) => Ok(false),
        (code, message) => {
            Err(ProviderError::failed(format!("{script} ended with code {code}: {}", message.unwrap_or_default())))
        }
    }
}

async fn finish(scripts: Scripts<'_>, record: &mut Record, mark: Mark, host: &dyn Host) -> Result<(), ProviderError> {
    if mark.operation == "delete" {
        *record = Record { version: 1, removed: true, ..Record::default() };
    }
    record.begun = None;
    record.failed = None;
    record.done = Some(mark);
    record.save(host).await?;
    reach("command.done");
    scripts.close()?;
    reach("command.closed");
    Ok(())
}
