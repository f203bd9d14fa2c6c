//! One attempt of one run: its steps in order, then its end in one transaction.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::lease::{Stop, beat};
use super::log_writer::LogWriter;
use super::store::{claim, steps};
use super::{Ending, Error, Event, Interrupt, Run, Signals, StepContext, StepError, StepStatus, Workflow};
use crate::audit::{self, Entry, Object, Outcome};
use crate::base::failpoint::{self, Injected, reach};
use crate::base::{Actor, Clock, Entropy, Op, Origin};
use crate::db::Db;
use crate::providers::Stream;

/// What an attempt needs.
pub struct Execution {
    pub db: Db,
    pub signals: Signals,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub workflow: Arc<dyn Workflow>,
    pub lease: Duration,
    pub run: Run,
    pub stop: Stop,
}

/// How the steps ended.
enum Steps {
    Done,
    Failed { step: String, error: String },
    Again { step: String, error: String },
    Stopped,
}

impl Execution {
    /// Runs the attempt to its end. Nothing is returned: all that matters is in the database.
    pub async fn execute(self) {
        let log = Arc::new(LogWriter::new(self.db.clone(), self.signals.clone(), self.run.id, self.run.attempt));
        let work = self.attempt(&log);
        let turn = async {
            tokio::select! {
                result = work => {
                    if let Err(error) = result {
                        tracing::warn!(run.id = %self.run.id, run.attempt = self.run.attempt, %error, "attempt ended without a result");
                    }
                }
                () = async { tokio::join!(log.pump(), beat(&self.db, self.run.id, self.run.attempt, self.lease, &self.stop)); std::future::pending::<()>().await } => {}
            }
        };
        failpoint::within(self.run.label.clone(), turn).await;
        self.signals.send(Event::Run(self.run.id));
    }

    async fn attempt(&self, log: &Arc<LogWriter>) -> Result<(), Error> {
        if self.run.cancel_requested {
            self.stop.because(Interrupt::Canceled);
        }
        let mut checkpoints = steps::checkpoints(&mut *self.db.acquire().await?, self.run.id).await?;
        if self.run.attempt > 1 {
            let from = self.workflow.steps().iter().find(|name| !checkpoints.contains_key(**name));
            let line = format!("Attempt {}: goes on at step “{}”", self.run.attempt, from.unwrap_or(&"register"));
            let _ = log.write(from.unwrap_or(&"register"), Stream::Paddock, &line).await;
        }
        let ended = self.steps(log, &mut checkpoints).await?;
        let _ = log.flush().await;
        match ended {
            Steps::Done => self.end(&Ending::Succeeded, &checkpoints).await,
            Steps::Failed { step, error } => self.end(&Ending::Failed { step, error }, &checkpoints).await,
            Steps::Again { step, error } if self.run.attempt >= self.run.max_attempts => {
                let error = format!("{error} (gave up after {} attempts)", self.run.attempt);
                self.end(&Ending::Failed { step, error }, &checkpoints).await
            }
            Steps::Again { step, error } => self.release(backoff(self.run.attempt), Some((&error, &step))).await,
            Steps::Stopped => match self.stop.reason() {
                Some(Interrupt::Canceled) => self.end(&Ending::Canceled, &checkpoints).await,
                Some(Interrupt::Draining) => self.release(Duration::ZERO, None).await,
                Some(Interrupt::LeaseLost) | None => Err(Error::LeaseLost),
            },
        }
    }

    async fn steps(&self, log: &Arc<LogWriter>, checkpoints: &mut BTreeMap<String, Vec<u8>>) -> Result<Steps, Error> {
        for &name in self.workflow.steps() {
            if checkpoints.contains_key(name) {
                continue;
            }
            if self.stop.token.is_cancelled() {
                return Ok(Steps::Stopped);
            }
            reach("step.intent");
            if !steps::begin(&mut *self.db.acquire().await?, self.run.id, self.run.attempt, name).await? {
                return Err(Error::LeaseLost);
            }
            reach("step.begun");
            self.signals.send(Event::Run(self.run.id));
            let context = StepContext {
                run: self.run.clone(),
                op: self.op(),
                cancel: self.stop.token.clone(),
                db: self.db.clone(),
                step: name.to_owned(),
                log: Arc::clone(log),
                checkpoints: checkpoints.clone(),
            };
            let result = self.call(&context, name).await;
            let _ = log.flush().await;
            reach("step.answered");
            match self.record(name, result).await? {
                Ok(checkpoint) => drop(checkpoints.insert(name.to_owned(), checkpoint)),
                Err(ended) => return Ok(ended),
            }
        }
        Ok(Steps::Done)
    }

    /// Executes a step; a test may have it fail, or done twice.
    async fn call(&self, context: &StepContext, name: &str) -> Result<Vec<u8>, StepError> {
        match failpoint::injected("step.call") {
            Injected::Nothing => {}
            Injected::Fail => return Err(StepError::Retryable("failed on purpose by a failpoint".to_owned())),
            Injected::Twice => drop(self.workflow.step(context, name).await?),
        }
        self.workflow.step(context, name).await
    }

    /// Records a step's end; `Err` when it was not a success.
    async fn record(&self, name: &str, result: Result<Vec<u8>, StepError>) -> Result<Result<Vec<u8>, Steps>, Error> {
        let (status, checkpoint, ended) = match result {
            Ok(checkpoint) => (StepStatus::Succeeded, Some(checkpoint), None),
            Err(_) if self.stop.reason() == Some(Interrupt::LeaseLost) => return Err(Error::LeaseLost),
            Err(_) if self.stop.token.is_cancelled() => (StepStatus::Canceled, None, Some(Steps::Stopped)),
            Err(StepError::Interrupted) => return Err(Error::LeaseLost),
            Err(StepError::Failed(error)) => {
                (StepStatus::Failed, None, Some(Steps::Failed { step: name.to_owned(), error }))
            }
            Err(StepError::Retryable(error)) => {
                (StepStatus::Failed, None, Some(Steps::Again { step: name.to_owned(), error }))
            }
            Err(StepError::Internal(source)) => {
                tracing::error!(run.id = %self.run.id, step = name, error = %chain(&*source), "a step failed inside");
                let error = format!("Paddock itself had a problem in step “{name}”; it is in the server's log");
                (StepStatus::Failed, None, Some(Steps::Again { step: name.to_owned(), error }))
            }
        };
        let error = match &ended {
            Some(Steps::Failed { error, .. } | Steps::Again { error, .. }) => Some(error.as_str()),
            Some(Steps::Done | Steps::Stopped) | None => None,
        };
        let mut connection = self.db.acquire().await?;
        let (run, attempt) = (self.run.id, self.run.attempt);
        if !steps::finish(&mut connection, run, attempt, name, status, checkpoint.as_deref(), error).await? {
            return Err(Error::LeaseLost);
        }
        reach("step.recorded");
        self.signals.send(Event::Run(run));
        Ok(ended.map_or_else(|| Ok(checkpoint.unwrap_or_default()), Err))
    }

    /// Ends the run and settles its subject in one transaction, fenced by the attempt.
    async fn end(&self, ending: &Ending, checkpoints: &BTreeMap<String, Vec<u8>>) -> Result<(), Error> {
        reach("end.open");
        let mut tx = self.db.begin().await?;
        if !claim::end(&mut tx, self.run.id, self.run.attempt, ending).await? {
            return Err(Error::LeaseLost);
        }
        reach("end.ended");
        let op = self.op();
        self.workflow.settle(&mut tx, &op, &self.run, ending, checkpoints).await?;
        reach("end.settled");
        tx.commit().await?;
        reach("end.committed");
        self.signals.send(Event::Queue);
        Ok(())
    }

    async fn release(&self, delay: Duration, error: Option<(&str, &str)>) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        let (message, step) = error.unzip();
        if !claim::release(&mut tx, self.run.id, self.run.attempt, delay.as_secs_f64(), message, step).await? {
            return Err(Error::LeaseLost);
        }
        reach("release.released");
        let entry = run_entry("run.requeued", &self.run)
            .outcome(if error.is_some() { Outcome::Failed } else { Outcome::Succeeded })
            .detail(
                json!({"attempt": self.run.attempt, "error": message, "step": step, "delay_seconds": delay.as_secs()}),
            );
        audit::append(&mut tx, &self.op(), entry).await?;
        reach("release.audited");
        tx.commit().await?;
        reach("release.committed");
        self.signals.send(Event::Queue);
        Ok(())
    }

    fn op(&self) -> Op {
        worker_op(&self.clock, &self.entropy)
    }
}

/// The operation of a worker.
pub fn worker_op(clock: &Arc<dyn Clock>, entropy: &Arc<dyn Entropy>) -> Op {
    Op::new(Actor::System { part: "worker" }, Origin::internal("worker"), Arc::clone(clock), Arc::clone(entropy))
}

/// An audit record about a run.
pub fn run_entry(action: &'static str, run: &Run) -> Entry {
    let entry = Entry::new(action, Object::new("run", run.id.0, run.label.clone()))
        .project(run.project)
        .environment(crate::base::id::EnvironmentId(run.subject))
        .run(run.id);
    match run.request {
        Some(request) => entry.request(request),
        None => entry,
    }
}

/// 2, 4, 8, … seconds, at most a minute, plus up to a quarter by the run's age in attempts.
fn backoff(attempt: i32) -> Duration {
    let exponent = u32::try_from(attempt.clamp(1, 6)).unwrap_or(1);
    Duration::from_secs(2_u64.saturating_pow(exponent).min(60))
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
