//! The worker: claims runs while it has free slots, executes each, drains on request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::execution::{Execution, run_entry, worker_op};
use super::lease::Stop;
use super::store::{claim, steps};
use super::{Event, Interrupt, Run, Signals, Workflow, reaper};
use crate::audit;
use crate::base::failpoint::reach_for;
use crate::base::{Clock, Entropy};
use crate::db::{Db, Result};

/// How a worker works.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name, unique among workers that live at the same time.
    pub name: String,
    /// How many runs at once.
    pub slots: usize,
    /// How long a claim holds without a heartbeat.
    pub lease: Duration,
    /// How often it looks for work without a hint.
    pub poll: Duration,
    /// How long running runs may go on after a drain was asked for.
    pub grace: Duration,
}

/// Executes runs.
pub struct Worker {
    /// How it works.
    pub settings: Settings,
    /// The database.
    pub db: Db,
    /// Hints.
    pub signals: Signals,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// What each kind of run does.
    pub workflows: BTreeMap<String, Arc<dyn Workflow>>,
}

impl Worker {
    /// Works until `drain` fires, then finishes or hands over what runs.
    pub async fn work(self, drain: CancellationToken) {
        let kinds: Vec<String> = self.workflows.keys().cloned().collect();
        let mut hints = self.signals.subscribe();
        let mut running: JoinSet<()> = JoinSet::new();
        let mut stops: Vec<Stop> = Vec::new();
        let mut housekeeping = tokio::time::interval(self.settings.lease / 5);
        while !drain.is_cancelled() {
            stops.retain(Stop::in_use);
            let free = self.settings.slots.saturating_sub(running.len());
            if free > 0 {
                match self.claim(&kinds, free).await {
                    Ok(runs) => {
                        for run in runs {
                            if let Some((execution, stop)) = self.execution(run) {
                                stops.push(stop);
                                running.spawn(execution.execute());
                            }
                        }
                    }
                    Err(error) => tracing::warn!(%error, "no work can be claimed at the moment"),
                }
            }
            tokio::select! {
                () = drain.cancelled() => {}
                _ = housekeeping.tick() => self.keep_house(&kinds).await,
                () = next_hint(&mut hints, self.settings.poll) => {}
                Some(_) = running.join_next() => {}
            }
        }
        self.drain(running, &stops).await;
    }

    async fn claim(&self, kinds: &[String], free: usize) -> Result<Vec<Run>> {
        let limit = i64::try_from(free).unwrap_or(1);
        let mut tx = self.db.begin().await?;
        let lease = self.settings.lease.as_secs_f64();
        let runs = claim::claim(&mut tx, &self.settings.name, kinds, lease, limit).await?;
        let op = worker_op(&self.clock, &self.entropy);
        for run in &runs {
            let Some(workflow) = self.workflows.get(&run.kind) else { continue };
            steps::lay_out(&mut tx, run.id, workflow.steps()).await?;
            let detail = serde_json::json!({"attempt": run.attempt, "worker": self.settings.name});
            audit::append(&mut tx, &op, run_entry("run.started", run).detail(detail)).await?;
            workflow.started(&mut tx, &op, run).await?;
            reach_for("claim.taken", &run.label);
        }
        tx.commit().await?;
        runs.iter().for_each(|run| reach_for("claim.committed", &run.label));
        Ok(runs)
    }

    fn execution(&self, run: Run) -> Option<(Execution, Stop)> {
        let workflow = Arc::clone(self.workflows.get(&run.kind)?);
        let stop = Stop::default();
        let execution = Execution {
            db: self.db.clone(),
            signals: self.signals.clone(),
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            workflow,
            lease: self.settings.lease,
            run,
            stop: stop.clone(),
        };
        Some((execution, stop))
    }

    async fn keep_house(&self, kinds: &[String]) {
        let slots = i32::try_from(self.settings.slots).unwrap_or(i32::MAX);
        let seen =
            async { claim::worker_seen(&mut *self.db.acquire().await?, &self.settings.name, kinds, slots).await };
        if let Err(error) = seen.await {
            tracing::warn!(%error, "the worker could not say that it is there");
        }
        match reaper::reap(&self.db, &self.workflows, &self.clock, &self.entropy).await {
            Ok(0) => {}
            Ok(count) => {
                tracing::info!(count, "runs of workers that stopped answering were taken back");
                self.signals.send(Event::Queue);
            }
            Err(error) => tracing::warn!(%error, "runs of dead workers could not be looked for"),
        }
    }

    async fn drain(&self, mut running: JoinSet<()>, stops: &[Stop]) {
        if !running.is_empty() {
            tracing::info!(runs = running.len(), grace_s = self.settings.grace.as_secs(), "draining");
        }
        let all_done = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(self.settings.grace, all_done).await.is_err() {
            for stop in stops {
                stop.because(Interrupt::Draining);
            }
            while running.join_next().await.is_some() {}
        }
        if let Ok(mut connection) = self.db.acquire().await {
            let _ = claim::worker_gone(&mut connection, &self.settings.name).await;
        }
    }
}

async fn next_hint(hints: &mut tokio::sync::broadcast::Receiver<Event>, poll: Duration) {
    let hint = async {
        loop {
            match hints.recv().await {
                Ok(Event::Run(_)) => {}
                Ok(Event::Queue) | Err(_) => return,
            }
        }
    };
    let _ = tokio::time::timeout(poll, hint).await;
}
