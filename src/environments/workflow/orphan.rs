//! Removes an orphan, on a person's word: prepare → destroy → verify that it is gone.

use std::collections::BTreeMap;

use async_trait::async_trait;
use uuid::Uuid;

use super::Shared;
use super::job::step_error;
use crate::audit::Entry;
use crate::base::Op;
use crate::base::failpoint::reach;
use crate::base::id::{EnvironmentId, OrphanId};
use crate::db::{Error, Tx};
use crate::environments::host::StepHost;
use crate::environments::orphans::{self, Orphan, OrphanState};
use crate::environments::store::orphans as store;
use crate::orchestrator::{Ending, Run, StepContext, StepError, Workflow};
use crate::projects;
use crate::providers::{Inventory, Stream, Target};

/// The workflow of destroying an orphan.
pub struct DestroyOrphan(pub Shared);

#[async_trait]
impl Workflow for DestroyOrphan {
    fn steps(&self) -> &'static [&'static str] {
        &["prepare", "destroy", "verify gone"]
    }

    async fn started(&self, _: &mut Tx, _: &Op, _: &Run) -> crate::db::Result<()> {
        Ok(())
    }

    async fn step(&self, context: &StepContext, name: &str) -> Result<Vec<u8>, StepError> {
        let (orphan, target) = self.open(context).await?;
        let host = StepHost {
            environment: orphan.thing.environment.unwrap_or(EnvironmentId(Uuid::nil())),
            ..self.0.read_only_host(context)
        };
        match name {
            "prepare" => {
                let line = format!("Destroying {} on {}: nobody owns it", orphan.label(), target.slug);
                context.log(Stream::Paddock, &line).await?;
            }
            "destroy" => {
                // It may have become somebody's while the run waited.
                let began = context.run.created_at;
                let mut connection = context.db().acquire().await?;
                let owned = store::owned(&mut connection, std::slice::from_ref(&orphan.thing), began).await?;
                drop(connection);
                if owned == [true] {
                    return Err(StepError::Failed("An environment owns it by now.".to_owned()));
                }
                reach("provider.call");
                self.0.provider.remove_marked(&target, &orphan.thing, &host).await.map_err(step_error)?;
                reach("provider.answered");
            }
            _ => {
                let found = self.0.provider.inventory(&target).await.map_err(step_error)?;
                let is_it =
                    |one: &crate::providers::Marked| one.r#type == orphan.thing.r#type && one.id == orphan.thing.id;
                if matches!(&found, Inventory::Listed(things) if things.iter().any(is_it)) {
                    return Err(StepError::Retryable(format!("{} is still there", orphan.label())));
                }
                context.log(Stream::Paddock, "It is gone.").await?;
            }
        }
        Ok(Vec::new())
    }

    async fn settle(
        &self,
        tx: &mut Tx,
        _: &Op,
        run: &Run,
        ending: &Ending,
        _: &BTreeMap<String, Vec<u8>>,
    ) -> crate::db::Result<Vec<Entry>> {
        let orphan = store::lock(tx, OrphanId(run.subject)).await?.ok_or(Error::Corrupt("orphan"))?;
        let error = match ending {
            Ending::Succeeded => None,
            Ending::Failed { error, .. } | Ending::Faulted { error } => Some(error.as_str()),
            Ending::Canceled => Some("Canceled. It may be gone or not: the next look at the target tells."),
        };
        orphans::destroyed(tx, &orphan, run.id, error).await
    }
}

impl DestroyOrphan {
    async fn open(&self, context: &StepContext) -> Result<(Orphan, Target), StepError> {
        let mut connection = context.db().acquire().await?;
        let orphan = store::find(&mut connection, OrphanId(context.run.subject)).await?;
        let orphan = orphan.ok_or_else(|| StepError::internal("an orphan that is not there"))?;
        if orphan.state != OrphanState::Destroying {
            return Err(StepError::Failed("Something else became of it.".to_owned()));
        }
        let target = projects::open_target(&mut connection, &self.0.sealer, orphan.target).await;
        let target = target.map_err(StepError::internal)?;
        let target = target.ok_or_else(|| StepError::Failed("Its target is disconnected.".to_owned()))?;
        context.mask(target.secret_texts()).await;
        Ok((orphan, target))
    }
}
