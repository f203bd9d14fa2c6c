//! `webhook`: any system that makes environments when it is asked by a signed request. docs/WEBHOOKS.md is
//! the contract with such a receiver.
//!
//! Config: `timeout`, `status`, `repeat`, `parameters`. One request for the work of each run, signed after
//! Standard Webhooks; its id is the same for all attempts, and a receiver does the same id once. The answer
//! says how it ended, or that it goes on: then the receiver calls back at an address with a token that works
//! once, and is asked at its status address, and whichever says first how it ended is believed.
//!
//! No answer, an answer that does not say, and a time that is over are *unknown*: see [`work`] for how a
//! further attempt looks first.

mod config;
mod look;
mod message;
mod receiver;
mod record;
mod report;
mod sign;
mod target;
mod work;

use std::sync::Arc;

use async_trait::async_trait;

pub use self::config::{BOUNDS, is_path};
use self::receiver::Receiver;
use self::record::Record;
pub use self::report::{Report, ReportState, ReportedOutput, ReportedResource};
use self::work::Work;
use super::{
    Drift, Finding, Host, Job, Output, Plan, PlanAction, PlanChange, Provider, ProviderError, Resource, Stream, Target,
    TargetForm,
};
use crate::base::Clock;

/// The provider of receivers.
#[derive(Debug, Clone)]
pub struct WebhookProvider {
    clock: Arc<dyn Clock>,
}

impl WebhookProvider {
    /// A provider whose signatures have this clock's time.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock }
    }

    async fn work(&self, job: &Job, host: &dyn Host, record: Record) -> Result<(), ProviderError> {
        if record.done.as_ref() == Some(&message::id_of(job)) {
            return host.log(Stream::Paddock, "An earlier attempt got it done").await;
        }
        let config = config::read(job)?;
        let receiver = Receiver::open(job.target.as_ref(), Arc::clone(&self.clock)).await?;
        Box::pin(Work::new(job, host, &config, receiver, record).run()).await
    }
}

#[async_trait]
impl Provider for WebhookProvider {
    fn name(&self) -> &'static str {
        "webhook"
    }

    async fn check(&self) -> Result<(), String> {
        Ok(())
    }

    fn target_form(&self) -> &'static TargetForm {
        &target::FORM
    }

    async fn check_target(&self, target: &Target) -> Vec<Finding> {
        target::look_at(target, Arc::clone(&self.clock)).await
    }

    async fn plan(&self, job: &Job, host: &dyn Host) -> Result<Plan, ProviderError> {
        config::read(job)?;
        let target = job.target.as_ref().ok_or_else(|| ProviderError::failed("no target is bound"))?;
        let name = receiver::name_of(&receiver::url_of(target).map_err(ProviderError::failed)?);
        let (action, words) = match (job.operation, Record::load(host).await?.may_exist) {
            ("delete", false) => return Ok(Plan::default()),
            ("delete", true) => (PlanAction::Destroy, "remove"),
            (_, false) => (PlanAction::Create, "make"),
            (_, true) => (PlanAction::Change, "change"),
        };
        let summary = format!("asks {name} to {words} it; what that does in detail, {name} decides");
        Ok(Plan::of(vec![PlanChange { address: "webhook".to_owned(), action, summary }]))
    }

    async fn apply(&self, job: &Job, host: &dyn Host) -> Result<(), ProviderError> {
        self.work(job, host, Record::load(host).await?).await
    }

    async fn act(&self, job: &Job, host: &dyn Host) -> Result<(), ProviderError> {
        if job.action.is_none() {
            return Err(ProviderError::failed("the template declares no such action"));
        }
        let record = Record::load(host).await?;
        if !record.may_exist {
            return Err(ProviderError::failed("there is nothing of this environment yet"));
        }
        self.work(job, host, record).await
    }

    async fn collect(&self, _job: &Job, host: &dyn Host) -> Result<(Vec<Output>, Vec<Resource>), ProviderError> {
        let record = Record::load(host).await?;
        if record.done.is_none() {
            return Err(ProviderError::failed("the receiver has not said that it is done"));
        }
        Ok((record.outputs(), record.resources()))
    }

    async fn destroy(&self, job: &Job, host: &dyn Host) -> Result<(), ProviderError> {
        let record = Record::load(host).await?;
        if !record.may_exist {
            return host.log(Stream::Paddock, "Nothing to remove: nobody was ever asked to make it").await;
        }
        self.work(job, host, record).await
    }

    async fn read_back(&self, job: &Job, host: &dyn Host) -> Result<Vec<Resource>, ProviderError> {
        let (config, record) = (config::read(job)?, Record::load(host).await?);
        if config.status.is_none() {
            return Ok(record.resources());
        }
        let receiver = Receiver::open(job.target.as_ref(), Arc::clone(&self.clock)).await?;
        look::read_back(job, &config, &receiver, &record).await
    }

    async fn drift(&self, job: &Job, host: &dyn Host) -> Result<Drift, ProviderError> {
        let (config, record) = (config::read(job)?, Record::load(host).await?);
        if config.status.is_none() {
            return Ok(Drift::cannot_tell("The template names no status address, so nobody can look."));
        }
        let receiver = Receiver::open(job.target.as_ref(), Arc::clone(&self.clock)).await?;
        let found = look::differences(job, &config, &receiver, &record).await?;
        Ok(found.map_or_else(|| Drift::cannot_tell("The receiver does not say whether anything differs."), Drift::of))
    }
}
