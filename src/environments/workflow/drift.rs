//! A check for drift: prepare → compare. Nothing is written to the target, to the environment or to its
//! provider state, and the environment stays in its state.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use super::Shared;
use super::job::step_error;
use crate::audit::Entry;
use crate::base::Op;
use crate::base::failpoint::reach;
use crate::base::id::EnvironmentId;
use crate::db::{Error, Tx};
use crate::environments::State;
use crate::environments::drift::{self, is_at_rest};
use crate::environments::store::drift as store;
use crate::orchestrator::{self, Ending, Run, StepContext, StepError, Workflow};
use crate::providers::{Difference, Drift, Job, ProviderError, Stream};

/// How often a check looks whether an operation waits behind it.
const LOOK: Duration = Duration::from_secs(1);
/// The step whose checkpoint is what was found.
const COMPARE: &str = "compare";

/// The workflow of a check.
pub struct CheckDrift(pub Shared);

#[async_trait]
impl Workflow for CheckDrift {
    fn steps(&self) -> &'static [&'static str] {
        &["prepare", COMPARE]
    }

    async fn started(&self, _: &mut Tx, _: &Op, _: &Run) -> crate::db::Result<()> {
        Ok(())
    }

    async fn step(&self, context: &StepContext, name: &str) -> Result<Vec<u8>, StepError> {
        if name == "prepare" {
            return self.prepare(context).await;
        }
        let mut job = self.0.job(context).await?;
        if context.checkpoint("prepare") != Some(&job.generation.to_be_bytes()) {
            return Err(StepError::Failed("The environment changed before it could be looked at.".to_owned()));
        }
        job.operation = "drift";
        reach("provider.call");
        let found = self.look(context, &job).await.map_err(step_error)?;
        reach("provider.answered");
        let found = clean(context, found).await;
        tell(context, &found).await?;
        serde_json::to_vec(&found).map_err(StepError::internal)
    }

    async fn settle(
        &self,
        tx: &mut Tx,
        _: &Op,
        run: &Run,
        ending: &Ending,
        checkpoints: &BTreeMap<String, Vec<u8>>,
    ) -> crate::db::Result<Vec<Entry>> {
        let environment = self.0.environment(tx, run).await?;
        let seen = checkpoints.get("prepare").map(Vec::as_slice);
        let same = seen.is_none_or(|seen| seen == environment.generation.to_be_bytes());
        // What was looked at is not there any more, or not like that.
        if !same || !is_at_rest(environment.state) {
            return Ok(Vec::new());
        }
        let found = match ending {
            Ending::Succeeded => {
                let blob = checkpoints.get(COMPARE).ok_or(Error::Corrupt("drift checkpoint"))?;
                Ok(serde_json::from_slice(blob).map_err(|_| Error::Corrupt("drift checkpoint"))?)
            }
            Ending::Failed { error, .. } | Ending::Faulted { error } => Err(error.clone()),
            Ending::Canceled => return Ok(Vec::new()),
        };
        drift::settle(tx, &environment, run.id, found).await
    }
}

impl CheckDrift {
    async fn prepare(&self, context: &StepContext) -> Result<Vec<u8>, StepError> {
        let job = self.0.job(context).await?;
        if self.state(context).await?.is_none_or(|state| !is_at_rest(state)) {
            return Err(StepError::Failed("The environment is not ready any more.".to_owned()));
        }
        let name = self.0.provider.name();
        if let Err(reason) = self.0.provider.check().await {
            return Err(StepError::Failed(format!("This worker cannot run {name}: {reason}")));
        }
        let line = format!(
            "Comparing {} in {} ({}) with what its last run left, with {name}. Nothing is changed.",
            job.environment_name, job.project, job.environment_type
        );
        context.log(Stream::Paddock, &line).await?;
        Ok(job.generation.to_be_bytes().to_vec())
    }

    /// Looks, and stops when an operation on the environment has begun meanwhile: it waits for us.
    async fn look(&self, context: &StepContext, job: &Job) -> Result<Drift, ProviderError> {
        let host = self.0.read_only_host(context);
        let mut look = std::pin::pin!(self.0.provider.drift(job, &host));
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                found = &mut look => return found,
                _ = ticks.tick() => {
                    let state = self.state(context).await;
                    if matches!(state, Ok(Some(state)) if !is_at_rest(state))
                        && let Ok(mut connection) = context.db().acquire().await
                        && let Err(error) = orchestrator::ask_to_stop(&mut connection, context.run.id).await
                    {
                        tracing::warn!(run.id = %context.run.id, %error, "could not give way; trying again");
                    }
                }
            }
        }
    }

    async fn state(&self, context: &StepContext) -> Result<Option<State>, StepError> {
        let mut connection = context.db().acquire().await?;
        let place = store::place(&mut connection, EnvironmentId(context.run.subject)).await?;
        Ok(place.map(|(state, _)| state))
    }
}

/// Without secrets and without what cannot be stored (I20).
async fn clean(context: &StepContext, found: Drift) -> Drift {
    match found {
        Drift::CannotTell { reason } => Drift::cannot_tell(context.clean(&reason).await),
        Drift::Looked { differences } => {
            let mut cleaned = Vec::with_capacity(differences.len());
            for one in differences {
                let (address, summary) = (context.clean(&one.address).await, context.clean(&one.summary).await);
                cleaned.push(Difference { address, summary, ..one });
            }
            cleaned.sort_by(|one, other| (&one.address, one.kind).cmp(&(&other.address, other.kind)));
            Drift::of(cleaned)
        }
    }
}

async fn tell(context: &StepContext, found: &Drift) -> Result<(), StepError> {
    match found {
        Drift::CannotTell { reason } => context.log(Stream::Paddock, reason).await,
        Drift::Looked { differences } if differences.is_empty() => {
            context.log(Stream::Paddock, "It is as its last run left it.").await
        }
        Drift::Looked { differences } => {
            for one in differences {
                let line = format!("{} {}: {}", one.address, one.kind.as_str(), one.summary);
                context.log(Stream::Paddock, &line).await?;
            }
            Ok(())
        }
    }
}
