//! The provider itself: what is begun is recorded before a script starts, and what ended well is not run
//! again for the same run. Beyond that, repeat safety is the template's promise (`repeat`).

use async_trait::async_trait;

use super::Machine;
use super::config::{self, Config, Repeat};
use super::drift;
use super::record::{Mark, Record};
use super::script::{Ended, Scripts};
use crate::base::failpoint::reach;
use crate::providers::{
    Drift, Finding, Host, Inventory, Job, Marked, Output, Plan, PlanAction, PlanChange, Provider, ProviderError,
    Resource, Stream, Target, TargetForm,
};

/// The provider of scripts that run on machines of one kind.
#[derive(Debug, Clone)]
pub struct ScriptProvider<M> {
    /// Where they run.
    pub machine: M,
}

impl<M: Machine> ScriptProvider<M> {
    /// What the template says, for where its scripts run.
    fn config(&self, job: &Job) -> Result<Config, ProviderError> {
        let config = config::read(job)?;
        match self.machine.images() {
            Ok(()) => Ok(config),
            Err(why) => config.outside(why),
        }
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
        let mut scripts = Scripts::open(&self.machine, job, config, host).await?;
        scripts.restore(record)?;
        if let Some(begun) = record.begun.clone().filter(|begun| begun.is_same_work(&mark)) {
            if let Some(ended) = scripts.recall(script).await? {
                host.log(Stream::Paddock, &format!("Attempt {} ran {script} to its end", begun.attempt)).await?;
                return self.settle(scripts, job, ended, record, host).await;
            }
            match repeat {
                Repeat::Idempotent => {}
                Repeat::Probe => {
                    let there = probe(&mut scripts, config).await?;
                    if there != removing {
                        host.log(Stream::Paddock, "An earlier attempt got it done before it was cut off").await?;
                        return self.settle(scripts, job, (0, None), record, host).await;
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
        record.begun = Some(mark);
        record.removed = false;
        reach("script.begin");
        record.save(host).await?;
        reach("script.begun");
        let line = match (&config.image, &config.without_image) {
            (Some(image), _) => format!("Running {script} in {image}"),
            (None, Some(image)) => {
                format!("Running {script} on the worker itself and not in {image}: it has no container engine")
            }
            (None, None) => format!("Running {script}"),
        };
        host.log(Stream::Paddock, &line).await?;
        let operation = match &job.action {
            Some(action) => &action.name,
            None if removing => "delete",
            None => "deploy",
        };
        let outcome = scripts.run(script, operation).await;
        reach("script.ended");
        self.settle(scripts, job, outcome?, record, host).await
    }

    /// Takes over what came of the script.
    async fn settle(
        &self,
        mut scripts: Scripts<'_>,
        job: &Job,
        (code, message): Ended,
        record: &mut Record,
        host: &dyn Host,
    ) -> Result<(), ProviderError> {
        let mark = Mark::of(job);
        record.begun = None;
        if code != 0 {
            // It ended, and said how: a later run may begin anew. Storage is kept.
            scripts.take_storage(record)?;
            record.failed = Some(mark);
            record.save(host).await?;
            scripts.close()?;
            return Err(ProviderError::failed(message.unwrap_or_default()));
        }
        let known = record.outputs.clone();
        scripts.take_over(record)?;
        if job.action.is_some() {
            // An action tells what has changed, not all there is.
            record.keep_outputs(known);
        }
        let removed = job.operation == "delete";
        if removed {
            *record = Record { version: 1, removed, ..Record::default() };
        }
        record.failed = None;
        record.done = Some(mark);
        record.save(host).await?;
        reach("script.done");
        if removed {
            scripts.forget().await?;
        }
        scripts.close()?;
        reach("script.closed");
        Ok(())
    }
}

#[async_trait]
impl<M: Machine> Provider for ScriptProvider<M> {
    fn name(&self) -> &'static str {
        self.machine.name()
    }

    async fn check(&self) -> Result<(), String> {
        self.machine.check().await
    }

    fn target_form(&self) -> &'static TargetForm {
        self.machine.target_form()
    }

    async fn check_target(&self, target: &Target) -> Vec<Finding> {
        self.machine.check_target(target).await
    }

    async fn plan(&self, job: &Job, host: &dyn Host) -> Result<Plan, ProviderError> {
        let config = self.config(job)?;
        let record = Record::load(host).await?;
        let (action, script) = match (job.operation, record.may_exist()) {
            ("delete", false) => return Ok(Plan::default()),
            ("delete", true) => (PlanAction::Destroy, config.delete),
            (_, false) => (PlanAction::Create, config.deploy),
            (_, true) => (PlanAction::Change, config.deploy),
        };
        let place = config.image.map(|image| format!(" in {image}")).unwrap_or_default();
        let summary = format!("runs {script}{place}");
        let change = PlanChange { address: self.name().to_owned(), action, summary };
        Ok(Plan::of(vec![change]))
    }

    async fn apply(&self, job: &Job, host: &dyn Host) -> Result<(), ProviderError> {
        let config = self.config(job)?;
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
        let config = self.config(job)?;
        let action =
            job.action.as_ref().ok_or_else(|| ProviderError::failed("the template declares no such action"))?;
        let of_image = config.image.is_some() && config::is_of_image(&action.run);
        if !of_image && !job.files.iter().any(|file| file.path == action.run) {
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
        Ok((record.outputs(), record.resources(self.name())))
    }

    async fn destroy(&self, job: &Job, host: &dyn Host) -> Result<(), ProviderError> {
        let config = self.config(job)?;
        let mut record = Record::load(host).await?;
        if !record.may_exist() {
            if record.removed {
                // The attempt that removed it may have died before its machine forgot it.
                let mut scripts = Scripts::open(&self.machine, job, &config, host).await?;
                scripts.forget().await?;
                return scripts.close();
            }
            return host.log(Stream::Paddock, "Nothing to remove: no script was ever run").await;
        }
        self.work(job, host, &config.delete, &config, config.repeat, &mut record).await
    }

    async fn read_back(&self, job: &Job, host: &dyn Host) -> Result<Vec<Resource>, ProviderError> {
        let config = self.config(job)?;
        let record = Record::load(host).await?;
        let ours = record.begun.as_ref().is_some_and(|begun| begun.is_same_work(&Mark::of(job)));
        if !record.may_exist() || (config.probe.is_none() && !ours) {
            return Ok(record.resources(self.name()));
        }
        let mut scripts = Scripts::open(&self.machine, job, &config, host).await?;
        scripts.restore(&record)?;
        if ours && let Some((0, _)) = scripts.recall(&config.deploy).await? {
            let gone = job.operation == "delete";
            return Ok(if gone { Vec::new() } else { record.resources(self.name()) });
        }
        if config.probe.is_none() {
            return Ok(record.resources(self.name()));
        }
        let there = probe(&mut scripts, &config).await?;
        Ok(if there { record.resources(self.name()) } else { Vec::new() })
    }

    async fn drift(&self, job: &Job, host: &dyn Host) -> Result<Drift, ProviderError> {
        let config = self.config(job)?;
        let record = Record::load(host).await?;
        if config.drift.is_none() && config.probe.is_none() {
            return Ok(Drift::cannot_tell("The template declares neither “drift” nor “probe”, so nobody can look."));
        }
        if config.drift.is_none() && job.stopped {
            return Ok(Drift::cannot_tell("It is stopped, and the template declares no “drift” that could look then."));
        }
        let mut scripts = Scripts::open(&self.machine, job, &config, host).await?;
        scripts.restore(&record)?;
        let found = drift::look(&mut scripts, &config, &record.resources(self.name())).await;
        // What the script wrote into the storage is not taken over.
        if matches!(found, Ok(_) | Err(ProviderError::Failed { .. })) {
            scripts.close()?;
        }
        found.map(Drift::of)
    }

    async fn inventory(&self, target: &Target) -> Result<Inventory, ProviderError> {
        self.machine.inventory(target).await
    }

    async fn remove_marked(&self, target: &Target, marked: &Marked, host: &dyn Host) -> Result<(), ProviderError> {
        self.machine.remove_marked(target, marked, host).await
    }
}

/// Whether it is there, by the template's own probe.
pub async fn probe(scripts: &mut Scripts<'_>, config: &Config) -> Result<bool, ProviderError> {
    let Some(script) = &config.probe else { return Ok(true) };
    match scripts.run(script, "probe").await? {
        (0, _) => Ok(true),
        (1, _) => Ok(false),
        (code, message) => {
            Err(ProviderError::failed(format!("{script} ended with code {code}: {}", message.unwrap_or_default())))
        }
    }
}
