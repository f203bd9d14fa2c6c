//! What a provider may ask of us while it works on an environment.

use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use tokio::time::Instant;
use url::Url;

use super::call_backs;
use super::service::{seed_place, state_place};
use super::states;
use super::store::{call_backs as heard, contents, states as rows, timings};
use crate::audit::{self, Entry, Object, Outcome};
use crate::base::Sealer;
use crate::base::failpoint::reach;
use crate::base::id::EnvironmentId;
use crate::db::Tx;
use crate::orchestrator::{self, Event, Signals, StepContext, StepError};
use crate::providers::{
    CallBack, Heard, Host, Kept, NewState, Progress, ProviderError, StateLock, StateOrigin, Stream, Trace,
};

/// Why a plan run fails that writes.
const WRITES: &str = "The plan wants to write state, which a plan must not do.";

/// How often it is looked whether somebody called back, where no hint comes.
const POLL: Duration = Duration::from_secs(2);

/// The host of one step.
pub struct StepHost<'a> {
    pub context: &'a StepContext,
    pub sealer: &'a Sealer,
    pub environment: EnvironmentId,
    pub signals: &'a Signals,
    /// The address at which others reach us.
    pub public_url: &'a Url,
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

impl StepHost<'_> {
    /// What came in on the call-back and is not forgotten.
    async fn came_in(&self) -> Result<Heard, ProviderError> {
        let run = self.context.run.id;
        let mut connection = self.context.db().acquire().await.map_err(ProviderError::internal)?;
        let there = heard::there(&mut connection, run, self.context.run.attempt).await;
        let there = there.map_err(ProviderError::internal)?.ok_or(ProviderError::LeaseLost)?;
        let open = |place: &str, blob: &[u8]| {
            let plain = self.sealer.open(place, blob).map_err(ProviderError::internal)?;
            serde_json::from_slice(&plain).map_err(ProviderError::internal)
        };
        let report = |(number, blob): &(i64, Vec<u8>)| {
            open(&call_backs::report_place(run, *number), blob).map(|report| (*number, report))
        };
        Ok(Heard {
            reports: there.reports.iter().map(report).collect::<Result<_, _>>()?,
            last: there.answer.map(|blob| open(&call_backs::answer_place(run), &blob)).transpose()?,
        })
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

    async fn call_back(&self, lasts: Duration) -> Result<CallBack, ProviderError> {
        if self.read_only {
            return Err(ProviderError::failed(WRITES));
        }
        let mut tx = self.fenced("open a call-back").await?;
        let sealed = contents::sealed(&mut tx, self.environment).await.map_err(ProviderError::internal)?;
        let seed = self.sealer.open(&seed_place(self.environment), &sealed.seed).map_err(ProviderError::internal)?;
        let token = call_backs::token(&seed, self.context.run.id);
        let digest = call_backs::digest(token.expose_secret());
        let expires_at = heard::open(&mut tx, self.context.run.id, digest, lasts.as_secs_f64()).await;
        let expires_at = expires_at.map_err(ProviderError::internal)?;
        tx.commit().await.map_err(ProviderError::internal)?;
        self.context.mask([token.clone()]).await;
        let url = self.public_url.join(&format!("api/v1/callbacks/{}", token.expose_secret()));
        let url = SecretString::from(String::from(url.map_err(ProviderError::internal)?));
        Ok(CallBack { url, expires_at })
    }

    async fn heard(&self, after: i64, wait: Duration) -> Result<Heard, ProviderError> {
        if after > 0 {
            let mut tx = self.fenced("forget reports of a call-back").await?;
            heard::told(&mut tx, self.context.run.id, after).await.map_err(ProviderError::internal)?;
            tx.commit().await.map_err(ProviderError::internal)?;
        }
        // First listen, then look: what comes in between is heard.
        let mut hints = self.signals.subscribe();
        let until = Instant::now() + wait;
        loop {
            let found = self.came_in().await?;
            let left = until.saturating_duration_since(Instant::now());
            if found != Heard::default() || left.is_zero() {
                return Ok(found);
            }
            let ours = async {
                loop {
                    match hints.recv().await {
                        Ok(Event::Run(id)) if id != self.context.run.id => {}
                        Ok(_) | Err(_) => return,
                    }
                }
            };
            tokio::select! {
                () = ours => {}
                () = tokio::time::sleep(left.min(POLL)) => {}
            }
        }
    }

    async fn is_canceled(&self) -> Result<bool, ProviderError> {
        let run = &self.context.run;
        let mut connection = self.context.db().acquire().await.map_err(ProviderError::internal)?;
        let found = orchestrator::find(&mut connection, run.id).await.map_err(ProviderError::internal)?;
        let found = found.filter(|found| found.attempt == run.attempt).ok_or(ProviderError::LeaseLost)?;
        Ok(found.cancel_requested)
    }
}
