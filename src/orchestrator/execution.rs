//! One attempt of one run: its steps in order, then its end in one transaction.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::lease::{Stop, beat};
use super::log_writer::LogWriter;
use super::recorder::{Recorder, Settlement};
use super::store::claim::{self, End};
use super::store::log::NewLine;
use super::store::steps::{self, Advance, Finish};
use super::store::{circuits, log};
use super::{Ending, Error, Event, Interrupt, Run, Signals, StepContext, StepError, StepStatus, Workflow};
use crate::audit::{self, Entry, Object, Outcome};
use crate::base::failpoint::{self, Injected, reach};
use crate::base::id::CircuitId;
use crate::base::{Actor, Clock, Entropy, Op, Origin};
use crate::db::{ANSWER, Db, Tx, in_time};
use crate::providers::Stream;

/// What an attempt needs.
pub struct Execution {
    pub db: Db,
    pub recorder: Recorder,
    pub signals: Signals,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub workflow: Arc<dyn Workflow>,
    pub lease: Duration,
    pub firm: Duration,
    pub run: Run,
    pub stop: Stop,
}

/// How the steps ended. The end of the last step is recorded together with what follows from it.
struct Steps {
    verdict: Verdict,
    last: Option<Finish>,
}

enum Verdict {
    Done,
    Failed {
        step: String,
        error: String,
    },
    /// `outside`: what was called was the reason, not Paddock.
    Again {
        step: String,
        error: String,
        outside: bool,
    },
    Stopped,
}

type Checkpoints = BTreeMap<String, Vec<u8>>;

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
                    if matches!(error, Error::LeaseLost) {
                        self.tell_refused().await;
                    }
                    }
                }
                () = async { tokio::join!(log.pump(), beat(&self.db, self.run.id, self.run.attempt, self.lease, &self.stop)); std::future::pending::<()>().await } => {}
                // It may wait for an answer on a connection that is dead and does not know it.
                () = async { self.stop.lost.cancelled().await; tokio::time::sleep(ANSWER).await; } => {
                    tracing::warn!(run.id = %self.run.id, "an attempt without a lease did not end by itself: dropped");
                }
            }
        };
        Box::pin(failpoint::within(self.run.label.clone(), turn)).await;
        self.signals.send(Event::Run(self.run.id));
    }

    async fn attempt(&self, log: &Arc<LogWriter>) -> Result<(), Error> {
        if self.run.cancel_requested {
            self.stop.because(Interrupt::Canceled);
        }
        let mut checkpoints = Checkpoints::new();
        if self.run.attempt > 1 {
            checkpoints = steps::checkpoints(&mut *self.db.acquire().await?, self.run.id).await?;
            let from = left(self.workflow.steps(), &checkpoints).first().copied().unwrap_or("register");
            let line = format!("Attempt {}: goes on at step “{from}”", self.run.attempt);
            let _ = log.write(from, Stream::Paddock, &line).await;
        }
        let Steps { verdict, last } = self.steps(log, &mut checkpoints).await?;
        let attempts = self.run.attempt;
        if let Verdict::Again { error, outside: true, .. } = &verdict {
            self.tell_circuit(error).await;
        }
        match verdict {
            Verdict::Done => self.end(log, last, Ending::Succeeded, None, checkpoints).await,
            Verdict::Failed { step, error } => {
                self.end(log, last, Ending::Failed { step, error }, None, checkpoints).await
            }
            Verdict::Again { step, error, .. } if attempts >= self.run.max_attempts => {
                let error = format!("{error} (gave up after {attempts} attempts; it is not tried again by itself)");
                self.end(log, last, Ending::Faulted { error }, Some(&step), checkpoints).await
            }
            Verdict::Again { step, error, .. } => {
                let delay = backoff(attempts, &*self.entropy);
                let most = self.run.max_attempts;
                let line = format!("{error} (attempt {attempts} of {most}; the next one in {} s)", delay.as_secs());
                let _ = log.write(&step, Stream::Paddock, &line).await;
                self.release(log, last, delay, Some((&error, &step))).await
            }
            Verdict::Stopped => match self.stop.reason() {
                Some(Interrupt::Canceled) => self.end(log, last, Ending::Canceled, None, checkpoints).await,
                Some(Interrupt::Draining) => self.release(log, last, Duration::ZERO, None).await,
                Some(Interrupt::LeaseLost) | None => Err(Error::LeaseLost),
            },
        }
    }

    async fn steps(&self, log: &Arc<LogWriter>, checkpoints: &mut Checkpoints) -> Result<Steps, Error> {
        let todo = left(self.workflow.steps(), checkpoints);
        let mut unsure = false;
        // The claim began the first step of a first attempt; the end of each step begins the next.
        let mut begun = self.run.attempt == 1;
        for (index, &name) in todo.iter().enumerate() {
            if self.stop.token.is_cancelled() {
                return Ok(Steps { verdict: Verdict::Stopped, last: None });
            }
            if !begun {
                reach("step.intent");
                let before = steps::begin(&mut *self.db.acquire().await?, self.run.id, self.run.attempt, name).await?;
                unsure = before.ok_or(Error::LeaseLost)?;
                self.signals.send(Event::Run(self.run.id));
            }
            reach("step.begun");
            let context = StepContext {
                run: self.run.clone(),
                op: self.op(),
                cancel: self.stop.token.clone(),
                db: self.db.clone(),
                step: name.to_owned(),
                unsure: std::mem::take(&mut unsure),
                log: Arc::clone(log),
                checkpoints: checkpoints.clone(),
            };
            let result = self.call(&context, name).await;
            reach("step.answered");
            let (finish, verdict) = self.judge(name, result)?;
            let next = todo.get(index + 1).copied();
            if verdict.is_some() || next.is_none() {
                checkpoints.extend(finish.checkpoint.clone().map(|checkpoint| (name.to_owned(), checkpoint)));
                return Ok(Steps { verdict: verdict.unwrap_or(Verdict::Done), last: Some(finish) });
            }
            let next = next.filter(|_| !self.stop.token.is_cancelled());
            begun = next.is_some();
            if begun {
                reach("step.intent");
            }
            // First the lines, then a connection, everywhere: else the two could wait for each other.
            let mut lines = log.waiting().await;
            let advance = self.advance(finish.clone(), next, &lines);
            let before = self.recorder.advance(advance).await?;
            unsure = before.ok_or(Error::LeaseLost)?;
            reach("step.recorded");
            if !lines.is_empty() {
                reach("log.written");
            }
            lines.clear();
            self.signals.send(Event::Run(self.run.id));
            checkpoints.insert(name.to_owned(), finish.checkpoint.unwrap_or_default());
        }
        Ok(Steps { verdict: Verdict::Done, last: None })
    }

    /// Calls a step. One that was told to stop may do so by itself for a while; then it is dropped,
    /// and with it what it started: programs run under a guard that kills them (`providers::guard`).
    async fn call(&self, context: &StepContext, name: &str) -> Result<Vec<u8>, StepError> {
        let firm = async {
            self.stop.token.cancelled().await;
            tokio::select! {
                () = tokio::time::sleep(self.firm) => {}
                // Two margins before the lease ends the loss is known: nothing may go on after it.
                () = async { self.stop.lost.cancelled().await; tokio::time::sleep(self.lease / 12).await; } => {}
            }
        };
        tokio::select! {
            result = self.step(context, name) => result,
            () = firm => {
                let line = "It did not stop when it was asked to, and was ended. What it did until then may be there.";
                let _ = context.log(Stream::Paddock, line).await;
                Err(StepError::Interrupted)
            }
        }
    }

    /// Executes a step; a test may have it fail, or done twice.
    async fn step(&self, context: &StepContext, name: &str) -> Result<Vec<u8>, StepError> {
        match failpoint::injected("step.call") {
            Injected::Nothing => {}
            Injected::Fail => return Err(StepError::Retryable("failed on purpose by a failpoint".to_owned())),
            Injected::Twice => drop(self.workflow.step(context, name).await?),
        }
        match self.workflow.step(context, name).await {
            // Often the last line of a program, which may tell a secret.
            Err(StepError::Failed(text)) => Err(StepError::Failed(context.log.clean(&text).await)),
            Err(StepError::Retryable(text)) => Err(StepError::Retryable(context.log.clean(&text).await)),
            Err(StepError::Unknown(text)) => Err(StepError::Unknown(context.log.clean(&text).await)),
            result => result,
        }
    }

    /// What a step's result means for the step and, when it was not a success, for the run.
    fn judge(&self, name: &str, result: Result<Vec<u8>, StepError>) -> Result<(Finish, Option<Verdict>), Error> {
        let step = name.to_owned();
        let (status, checkpoint, verdict) = match result {
            Ok(checkpoint) => (StepStatus::Succeeded, Some(checkpoint), None),
            Err(_) if self.stop.reason() == Some(Interrupt::LeaseLost) => return Err(Error::LeaseLost),
            Err(_) if self.stop.token.is_cancelled() => (StepStatus::Canceled, None, Some(Verdict::Stopped)),
            Err(StepError::Interrupted) => return Err(Error::LeaseLost),
            Err(StepError::Failed(error)) => (StepStatus::Failed, None, Some(Verdict::Failed { step, error })),
            Err(StepError::Retryable(error)) => {
                (StepStatus::Failed, None, Some(Verdict::Again { step, error, outside: true }))
            }
            Err(StepError::Unknown(error)) => {
                let error = format!("{error} Whether it had an effect is not known; the next attempt looks first.");
                (StepStatus::Failed, None, Some(Verdict::Again { step, error, outside: true }))
            }
            Err(StepError::Internal(source)) => {
                tracing::error!(run.id = %self.run.id, step = name, error = %chain(&*source), "a step failed inside");
                let error = format!("Paddock itself had a problem in step “{name}”; it is in the server's log");
                (StepStatus::Failed, None, Some(Verdict::Again { step, error, outside: false }))
            }
        };
        let error = match &verdict {
            Some(Verdict::Failed { error, .. } | Verdict::Again { error, .. }) => Some(error.clone()),
            Some(Verdict::Done | Verdict::Stopped) | None => None,
        };
        Ok((Finish { name: name.to_owned(), status, checkpoint, error }, verdict))
    }

    /// Ends the run and settles its subject in one transaction, fenced by the attempt.
    async fn end(
        &self,
        log: &LogWriter,
        last: Option<Finish>,
        ending: Ending,
        step: Option<&str>,
        checkpoints: Checkpoints,
    ) -> Result<(), Error> {
        reach("end.open");
        let mut lines = log.waiting().await;
        let step = step.map(str::to_owned);
        let end = End { last, lines: lines.clone(), ..End::of(&self.run, ending, step) };
        let (run, workflow, op) = (self.run.clone(), Arc::clone(&self.workflow), self.op());
        if !self.recorder.settle(Settlement { run, end, workflow, op, checkpoints }).await? {
            return Err(Error::LeaseLost);
        }
        lines.clear();
        self.signals.send(Event::Queue);
        Ok(())
    }

    async fn release(
        &self,
        log: &LogWriter,
        last: Option<Finish>,
        delay: Duration,
        error: Option<(&str, &str)>,
    ) -> Result<(), Error> {
        let mut lines = log.waiting().await;
        let mut tx = self.db.begin().await?;
        self.finish(&mut tx, last, &lines).await?;
        let (message, step) = error.unzip();
        let (id, attempt, seconds) = (self.run.id, self.run.attempt, delay.as_secs_f64());
        if !claim::release(&mut tx, id, attempt, seconds, message, step, error.is_some()).await? {
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
        lines.clear();
        self.signals.send(Event::Queue);
        Ok(())
    }

    /// Records the end of the last step and the lines that wait, as part of the run's own end.
    async fn finish(&self, tx: &mut Tx, last: Option<Finish>, lines: &[NewLine]) -> Result<(), Error> {
        let held = match last {
            Some(finish) => steps::advance(tx, &[self.advance(finish, None, lines)]).await? != [None],
            None if lines.is_empty() => true,
            None => log::append(tx, self.run.id, self.run.attempt, lines).await?,
        };
        reach("step.recorded");
        if held { Ok(()) } else { Err(Error::LeaseLost) }
    }

    /// Where several environments in a row meet such an error, others wait until it has passed.
    async fn tell_circuit(&self, error: &str) {
        let told = async {
            let mut tx = self.db.begin().await?;
            let id = CircuitId::new(&*self.clock, &*self.entropy);
            let opened = circuits::failed(&mut tx, id, self.run.id, error).await?;
            tx.commit().await?;
            Ok(opened)
        };
        match in_time(told).await {
            Ok(true) => {
                tracing::warn!(run.id = %self.run.id, error, "a circuit opened: runs of this target wait");
                self.signals.send(Event::Queue);
            }
            Ok(false) => {}
            Err(error) => tracing::warn!(run.id = %self.run.id, %error, "an error was not counted for its circuit"),
        }
    }

    /// A record of an attempt that another one had replaced when it wanted to write.
    async fn tell_refused(&self) {
        let told = async {
            let mut tx = self.db.begin().await?;
            if claim::holds(&mut tx, self.run.id, self.run.attempt).await? {
                return Ok(());
            }
            let detail = json!({"attempt": self.run.attempt, "worker": self.run.worker});
            let entry = run_entry("run.write_refused", &self.run).outcome(Outcome::Denied).detail(detail);
            audit::append(&mut tx, &self.op(), entry).await?;
            tx.commit().await
        };
        if let Err(error) = in_time(told).await {
            tracing::warn!(run.id = %self.run.id, %error, "a refused write was not recorded");
        }
    }

    fn advance(&self, finish: Finish, next: Option<&'static str>, lines: &[NewLine]) -> Advance {
        Advance { run: self.run.id, attempt: self.run.attempt, finish, next, lines: lines.to_vec() }
    }

    fn op(&self) -> Op {
        worker_op(&self.clock, &self.entropy)
    }
}

/// The steps after the last one that succeeded. One that a later version put before it is not gone
/// back to: what it is there for has happened.
fn left(steps: &'static [&'static str], done: &Checkpoints) -> &'static [&'static str] {
    let from = steps.iter().rposition(|name| done.contains_key(*name)).map_or(0, |last| last + 1);
    steps.get(from..).unwrap_or_default()
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

/// 2, 4, 8, … seconds, at most a minute, each a quarter more or less by chance, so that runs which
/// failed together do not come back together.
pub fn backoff(attempt: i32, entropy: &dyn Entropy) -> Duration {
    let exponent = u32::try_from(attempt.clamp(1, 6)).unwrap_or(1);
    let base = Duration::from_secs(2_u64.saturating_pow(exponent).min(60));
    let mut random = [0; 2];
    entropy.fill(&mut random);
    base.mul_f64(0.75 + f64::from(u16::from_le_bytes(random)) / f64::from(u16::MAX) / 2.0)
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SeededEntropy;

    #[test]
    fn delays_grow_to_a_minute_and_differ() {
        let entropy = SeededEntropy::new(7);
        for (attempt, seconds) in [(1, 2.0), (2, 4.0), (3, 8.0), (4, 16.0), (5, 32.0), (6, 60.0), (40, 60.0)] {
            let delays: Vec<f64> = (0..100).map(|_| backoff(attempt, &entropy).as_secs_f64()).collect();
            assert!(
                delays.iter().all(|delay| (0.75 * seconds..=1.25 * seconds).contains(delay)),
                "{attempt}: {delays:?}"
            );
            assert!(delays.iter().any(|delay| *delay < 0.9 * seconds), "{attempt}: none early");
            assert!(delays.iter().any(|delay| *delay > 1.1 * seconds), "{attempt}: none late");
        }
    }
}
