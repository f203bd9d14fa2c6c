//! What a provider may ask of us while it works on an environment.

use async_trait::async_trait;
use serde_json::json;

use super::service::state_place;
use super::states;
use super::store::{contents, states as rows, timings};
use crate::audit::{self, Entry, Object, Outcome};
use crate::base::Sealer;
use crate::base::failpoint::reach;
use crate::base::id::EnvironmentId;
use crate::db::Tx;
use crate::orchestrator::{StepContext, StepError};
use crate::providers::{Host, Kept, NewState, Progress, ProviderError, StateLock, StateOrigin, Stream, Trace};

/// Why a plan run fails that writes.
const WRITES: &str = "The plan wants to write state, which a plan must not do.";

/// The host of one step.
pub struct StepHost<'a> {
    pub context: &'a StepContext,
    pub sealer: &'a Sealer,
    pub environment: EnvironmentId,
    /// While a plan is made for an approval: no state is written.
    pub read_only: bool,
}

impl StepHost<'_> {
    /// A transaction in which this attempt holds the run (I3). A zombie is refused, which is
    /// recorded with what it was about to do.
    async fn fenced(&self, what: &str) -> Result<Tx, ProviderError> {
        let mut tx = self.context.db().begin().await.map_err(ProviderError::internal)?;
        match self.context.fence(&mut tx).await {
            Ok(()) => Ok(tx),
            Err(StepError::Interrupted) => {
                drop(tx);
                self.record("state.write_refused", &format!("{what}: another attempt holds the run")).await?;
                Err(ProviderError::LeaseLost)
            }
            Err(other) => Err(ProviderError::internal(other)),
        }
    }

    async fn record(&self, action: &'static str, reason: &str) -> Result<(), ProviderError> {
        let run = &self.context.run;
        let object = Object::new("environment", self.environment.0, run.label.clone());
        let mut entry = Entry::new(action, object)
            .project(run.project)
            .environment(self.environment)
            .run(run.id)
            .outcome(Outcome::Failed)
            .detail(json!({"attempt": run.attempt, "reason": reason}));
        entry.request = run.request;
        let mut tx = self.context.db().begin().await.map_err(ProviderError::internal)?;
        audit::append(&mut tx, &self.context.op, entry).await.map_err(ProviderError::internal)?;
        tx.commit().await.map_err(ProviderError::internal)
    }
}

#[async_trait]
impl Host for StepHost<'_> {
    async fn log(&self, stream: Stream, line: &str) -> Result<(), ProviderError> {
        self.context.log(stream, line).await.map_err(|_| ProviderError::LeaseLost)
    }

    async fn progress(&self, progress: &Progress) -> Result<(), ProviderError> {
        let mut connection = self.context.db().acquire().await.map_err(ProviderError::internal)?;
        let run = &self.context.run;
        match timings::record(&mut connection, run.id, run.attempt, progress).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(ProviderError::LeaseLost),
            Err(error) => Err(ProviderError::internal(error)),
        }
    }

    async fn traces(&self) -> Result<Vec<Trace>, ProviderError> {
        let mut connection = self.context.db().acquire().await.map_err(ProviderError::internal)?;
        timings::traces(&mut connection, self.environment).await.map_err(ProviderError::internal)
    }

    async fn account(&self) -> Result<(), ProviderError> {
        let mut tx = self.fenced("account for resources").await?;
        timings::account(&mut tx, self.environment).await.map_err(ProviderError::internal)?;
        tx.commit().await.map_err(ProviderError::internal)
    }

    async fn load_state(&self) -> Result<Option<Vec<u8>>, ProviderError> {
        let mut connection = self.context.db().acquire().await.map_err(ProviderError::internal)?;
        states::newest(&mut connection, self.sealer, self.environment).await.map_err(ProviderError::internal)
    }

    async fn save_state(&self, state: &[u8]) -> Result<(), ProviderError> {
        if self.read_only {
            return Err(ProviderError::failed(WRITES));
        }
        let blob = self
            .sealer
            .seal(self.context.op.entropy(), &state_place(self.environment), state)
            .map_err(ProviderError::internal)?;
        reach("state.sealed");
        let mut tx = self.fenced("write the state").await?;
        contents::set_provider_state(&mut tx, self.environment, Some(&blob)).await.map_err(ProviderError::internal)?;
        reach("state.written");
        tx.commit().await.map_err(ProviderError::internal)?;
        reach("state.saved");
        Ok(())
    }

    async fn keep_state(&self, state: NewState<'_>) -> Result<Kept, ProviderError> {
        // What an earlier attempt left behind is rescued at any time.
        if self.read_only && state.origin == StateOrigin::Written {
            return Err(ProviderError::failed(WRITES));
        }
        let mut tx = self.fenced("write the state").await?;
        let run = &self.context.run;
        let by = (run.id, run.attempt);
        let kept = states::keep(&mut tx, &self.context.op, self.sealer, self.environment, by, &state)
            .await
            .map_err(ProviderError::internal)?;
        reach("state.written");
        tx.commit().await.map_err(ProviderError::internal)?;
        reach("state.saved");
        Ok(kept)
    }

    async fn lock_state(&self, lock: &StateLock) -> Result<Option<StateLock>, ProviderError> {
        let mut tx = self.fenced("lock the state").await?;
        let run = &self.context.run;
        if let Some(held) = rows::held(&mut tx, self.environment).await.map_err(ProviderError::internal)? {
            if (held.run, held.attempt) == (run.id, run.attempt) {
                return Ok(Some(held.lock));
            }
            rows::free(&mut tx, self.environment).await.map_err(ProviderError::internal)?;
        }
        reach("lock.take");
        let taken = rows::take(&mut tx, self.environment, lock, run.id, run.attempt).await;
        if !taken.map_err(ProviderError::internal)? {
            return Err(ProviderError::retryable("the state's lock was taken at the same moment"));
        }
        tx.commit().await.map_err(ProviderError::internal)?;
        reach("lock.taken");
        Ok(None)
    }

    async fn unlock_state(&self, id: &str) -> Result<Option<StateLock>, ProviderError> {
        let mut tx = self.fenced("unlock the state").await?;
        match rows::held(&mut tx, self.environment).await.map_err(ProviderError::internal)? {
            Some(held) if held.lock.id != id => return Ok(Some(held.lock)),
            Some(_) => rows::free(&mut tx, self.environment).await.map_err(ProviderError::internal)?,
            None => {}
        }
        reach("lock.release");
        tx.commit().await.map_err(ProviderError::internal)?;
        reach("lock.released");
        Ok(None)
    }

    async fn free_state(&self) -> Result<Option<StateLock>, ProviderError> {
        let mut tx = self.fenced("release the state's lock").await?;
        let held = rows::held(&mut tx, self.environment).await.map_err(ProviderError::internal)?;
        if held.is_some() {
            rows::free(&mut tx, self.environment).await.map_err(ProviderError::internal)?;
            tx.commit().await.map_err(ProviderError::internal)?;
        }
        Ok(held.map(|held| held.lock))
    }

    async fn refused_state(&self, who: &str) -> Result<(), ProviderError> {
        self.record("state.access_refused", &format!("wrong credential of “{who}”")).await
    }
}
