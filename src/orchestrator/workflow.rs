//! What a run does: a sequence of named steps and a last transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::log_writer::LogWriter;
use super::{Ending, Run};
use crate::audit::Entry;
use crate::base::Op;
use crate::db::{Db, Tx};
use crate::providers::Stream;

/// Why a run is stopped from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// A person asked for it.
    Canceled,
    /// Another attempt holds the run, or the lease could not be renewed in time.
    LeaseLost,
    /// This worker is shutting down: the run goes back to the queue.
    Draining,
}

/// How a step can end when it does not succeed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// For good: trying again does not help. The text is for people.
    #[error("{0}")]
    Failed(String),
    /// May pass: the run goes back to the queue with a growing delay.
    #[error("{0}")]
    Retryable(String),
    /// No answer, or an answer that does not say: it may have had its effect. Tried again, like
    /// [`StepError::Retryable`]; the next attempt sees [`StepContext::unsure`] and looks first (I9).
    #[error("{0}")]
    Unknown(String),
    /// The step saw [`StepContext::cancel`] and stopped.
    #[error("stopped")]
    Interrupted,
    /// A defect or an outage of ours: treated as retryable, the cause only logged.
    #[error("an internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StepError {
    /// A defect or outage of ours.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(source.into())
    }
}

impl From<crate::db::Error> for StepError {
    fn from(error: crate::db::Error) -> Self {
        Self::internal(error)
    }
}

/// What a kind of run does. Steps run in order; a step that succeeded is not run again by a later
/// attempt, its checkpoint is handed on instead.
#[async_trait]
pub trait Workflow: Send + Sync {
    /// The steps, in order, by the names that people see.
    fn steps(&self) -> &'static [&'static str];

    /// Called in the transaction of each claim, with the attempt's number set.
    async fn started(&self, tx: &mut Tx, op: &Op, run: &Run) -> crate::db::Result<()>;

    /// Executes one step and returns its checkpoint. May be repeated after a crash at any point.
    /// Gets no transaction: calls to providers happen here and nowhere else.
    async fn step(&self, context: &StepContext, name: &str) -> Result<Vec<u8>, StepError>;

    /// Called in the transaction that ends the run, whatever the end. `checkpoints` are those of
    /// the steps that succeeded. Returns what the audit log is told in the same transaction.
    async fn settle(
        &self,
        tx: &mut Tx,
        op: &Op,
        run: &Run,
        ending: &Ending,
        checkpoints: &BTreeMap<String, Vec<u8>>,
    ) -> crate::db::Result<Vec<Entry>>;
}

/// What a step works with.
pub struct StepContext {
    /// The run, as claimed by this attempt.
    pub run: Run,
    /// The step's operation: actor is the worker.
    pub op: Op,
    /// Canceled when the run must stop.
    pub cancel: CancellationToken,
    /// An earlier attempt began this step and nobody knows how far it came: read back before doing.
    pub unsure: bool,
    pub(super) db: Db,
    pub(super) step: String,
    pub(super) log: Arc<LogWriter>,
    pub(super) checkpoints: BTreeMap<String, Vec<u8>>,
}

impl StepContext {
    /// Writes a log line of this step. Returns [`StepError::Interrupted`] once the lease is lost.
    pub async fn log(&self, stream: Stream, text: &str) -> Result<(), StepError> {
        self.log.write(&self.step, stream, text).await.map_err(|_| StepError::Interrupted)
    }

    /// The checkpoint of an earlier step.
    pub fn checkpoint(&self, step: &str) -> Option<&[u8]> {
        self.checkpoints.get(step).map(Vec::as_slice)
    }

    /// Values that are masked in every later log line of this attempt.
    pub async fn mask(&self, secrets: impl IntoIterator<Item = SecretString>) {
        self.log.mask(secrets).await;
    }

    /// The text as a log line would tell it: without what is masked, and without control characters.
    pub async fn clean(&self, text: &str) -> String {
        self.log.clean(text).await
    }

    /// Makes sure, inside a transaction, that this attempt still holds the run: until the commit
    /// nobody else can take it. [`StepError::Interrupted`] when it does not (I3).
    pub async fn fence(&self, tx: &mut Tx) -> Result<(), StepError> {
        match super::store::claim::holds(tx, self.run.id, self.run.attempt).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(StepError::Interrupted),
            Err(error) => Err(error.into()),
        }
    }

    /// The database, for short reads and fenced writes between calls to a provider.
    pub fn db(&self) -> &Db {
        &self.db
    }
}
