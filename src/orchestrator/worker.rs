//! The worker: claims runs while it has free slots, executes each, drains on request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::execution::{Execution, run_entry, worker_op};
use super::lease::Stop;
use super::recorder::Recorder;
use super::store::{circuits, claim, lanes, steps, workers};
use super::{Event, Interrupt, Run, Signals, Workflow, reaper};
use crate::audit;
use crate::base::failpoint::{reach, reach_for};
use crate::base::{Clock, Entropy};
use crate::db::{ANSWER, Db, Result, in_time};

/// After this time in the queue, automation counts as people.
pub const AGEING: Duration = Duration::from_mins(5);
/// While more runs wait than it can take, a worker that got a slot free waits this long for half of
/// them: a look at the queue costs much the same for one run as for many.
const GATHER: Duration = Duration::from_millis(20);
/// When another worker is just counting a limit that applies to us, too.
const CONTENDED: Duration = Duration::from_millis(20);

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
    /// How long a step may take to stop by itself when its run is canceled or handed over.
    pub firm: Duration,
    /// What it has: runs that ask for more are left to others.
    pub labels: Vec<String>,
    /// How many runs of a provider may be at work at a time on the whole platform.
    pub provider_limits: BTreeMap<String, u32>,
    /// The version of this program, for people.
    pub version: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "worker".to_owned(),
            slots: 4,
            lease: Duration::from_secs(15),
            poll: Duration::from_millis(500),
            grace: Duration::from_secs(30),
            firm: Duration::from_secs(30),
            labels: Vec::new(),
            provider_limits: BTreeMap::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
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

/// What one look at the queue brought.
struct Claimed {
    runs: Vec<Run>,
    contended: bool,
}

impl Worker {
    /// Works until `drain` fires, then finishes or hands over what runs.
    pub async fn work(self, drain: CancellationToken) {
        let kinds: Vec<String> = self.workflows.keys().cloned().collect();
        let mut hints = self.signals.subscribe();
        let mut running: JoinSet<()> = JoinSet::new();
        let mut stops: Vec<Stop> = Vec::new();
        let mut housekeeping = tokio::time::interval(self.settings.lease / 5);
        let mut behind = false;
        let mut writers = JoinSet::new();
        let recorder = Recorder::start(&self.db, &mut writers);
        while !drain.is_cancelled() {
            stops.retain(Stop::in_use);
            while running.try_join_next().is_some() {}
            let mut pause = self.settings.poll;
            if behind {
                self.gather(&mut running).await;
            }
            let free = self.settings.slots.saturating_sub(running.len());
            if free > 0 {
                match in_time(self.claim(&kinds, free)).await {
                    Ok(claimed) => {
                        behind = claimed.runs.len() == free;
                        for run in claimed.runs {
                            if let Some((execution, stop)) = self.execution(run, &recorder) {
                                stops.push(stop);
                                running.spawn(execution.execute());
                            }
                        }
                        if claimed.contended {
                            pause = CONTENDED;
                        }
                    }
                    Err(error) => tracing::warn!(%error, "no work can be claimed at the moment"),
                }
            }
            tokio::select! {
                () = drain.cancelled() => {}
                _ = housekeeping.tick() => {
                    let _ = tokio::time::timeout(ANSWER, self.keep_house(&kinds)).await;
                }
                () = next_hint(&mut hints, pause) => {}
                Some(_) = running.join_next() => {}
            }
        }
        self.drain(running, &stops, &kinds).await;
    }

    /// Waits for more free slots, if there is one.
    async fn gather(&self, running: &mut JoinSet<()>) {
        let wanted = self.settings.slots.div_ceil(2);
        if running.len() >= self.settings.slots || running.len() <= wanted {
            return;
        }
        let _ = tokio::time::timeout(GATHER, async {
            while running.len() > wanted {
                running.join_next().await;
            }
        })
        .await;
    }

    /// One look at the queue. The first step of a first attempt is begun in the same transaction:
    /// its intent is durable before anything is called.
    async fn claim(&self, kinds: &[String], free: usize) -> Result<Claimed> {
        reach("claim.look");
        let limit = i64::try_from(free).unwrap_or(1);
        let mut tx = self.db.begin_with(claim::BEGIN).await?;
        let limited: Vec<String> = self.settings.provider_limits.keys().cloned().collect();
        let busy = claim::lock_limits(&mut tx, &limited).await?;
        let runs = claim::claim(&mut tx, &self.settings, kinds, &busy, limit).await?;
        let contended = runs.len() < free && !(busy.0.is_empty() && busy.1.is_empty());
        if runs.is_empty() {
            tx.rollback().await?;
            return Ok(Claimed { runs, contended });
        }
        let op = worker_op(&self.clock, &self.entropy);
        let known = runs.iter().filter_map(|run| Some((run, self.workflows.get(&run.kind)?)));
        let known: Vec<(&Run, &Arc<dyn Workflow>)> = known.collect();
        steps::lay_out(&mut tx, known.iter().map(|(run, workflow)| (*run, workflow.steps()))).await?;
        let told = known.iter().map(|(run, _)| {
            let detail = serde_json::json!({"attempt": run.attempt, "worker": self.settings.name});
            run_entry("run.started", run).detail(detail)
        });
        audit::append_all(&mut tx, &op, told).await?;
        for (run, workflow) in known {
            workflow.started(&mut tx, &op, run).await?;
            reach_for("claim.taken", &run.label);
        }
        tx.commit().await?;
        for run in &runs {
            reach_for("claim.committed", &run.label);
        }
        Ok(Claimed { runs, contended })
    }

    /// Takes runs without executing them: for measurements.
    pub async fn take(&self, most: usize) -> Result<Vec<Run>> {
        let kinds: Vec<String> = self.workflows.keys().cloned().collect();
        Ok(self.claim(&kinds, most).await?.runs)
    }

    fn execution(&self, run: Run, recorder: &Recorder) -> Option<(Execution, Stop)> {
        let workflow = Arc::clone(self.workflows.get(&run.kind)?);
        let stop = Stop::default();
        let execution = Execution {
            db: self.db.clone(),
            recorder: recorder.clone(),
            signals: self.signals.clone(),
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            workflow,
            lease: self.settings.lease,
            firm: self.settings.firm,
            run,
            stop: stop.clone(),
        };
        Some((execution, stop))
    }

    async fn keep_house(&self, kinds: &[String]) {
        self.say(kinds, false).await;
        match reaper::reap(&self.db, &self.workflows, &self.clock, &self.entropy).await {
            Ok(0) => {}
            Ok(count) => {
                tracing::info!(count, "runs of workers that stopped answering were taken back");
                self.signals.send(Event::Queue);
            }
            Err(error) => tracing::warn!(%error, "runs of dead workers could not be looked for"),
        }
        match async { lanes::promote_waiting(&mut *self.db.acquire().await?).await }.await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "lanes that stood still go on"),
            Err(error) => tracing::warn!(%error, "lanes that stand still could not be looked for"),
        }
        if let Err(error) = async { circuits::forget_old(&mut *self.db.acquire().await?).await }.await {
            tracing::warn!(%error, "old circuits could not be forgotten");
        }
    }

    /// Says that this worker is there, and whether it takes no more.
    async fn say(&self, kinds: &[String], draining: bool) {
        let said = async { workers::seen(&mut *self.db.acquire().await?, &self.settings, kinds, draining).await };
        if let Err(error) = said.await {
            tracing::warn!(%error, "the worker could not say that it is there");
        }
    }

    /// What runs may end within the grace; what is left is asked to stop and goes back to the queue.
    async fn drain(&self, mut running: JoinSet<()>, stops: &[Stop], kinds: &[String]) {
        self.say(kinds, true).await;
        if !running.is_empty() {
            tracing::info!(runs = running.len(), grace_s = self.settings.grace.as_secs(), "draining");
        }
        let deadline = tokio::time::Instant::now() + self.settings.grace;
        let mut told = false;
        let mut beat = tokio::time::interval(self.settings.lease / 5);
        while !running.is_empty() {
            tokio::select! {
                _ = running.join_next() => {}
                _ = beat.tick() => self.say(kinds, true).await,
                () = tokio::time::sleep_until(deadline), if !told => {
                    told = true;
                    for stop in stops {
                        stop.because(Interrupt::Draining);
                    }
                }
            }
        }
        if let Ok(mut connection) = self.db.acquire().await {
            let _ = workers::gone(&mut connection, &self.settings.name).await;
        }
    }
}

/// The next hint that there is work, or the end of `poll`. Hints that came meanwhile count as one.
async fn next_hint(hints: &mut tokio::sync::broadcast::Receiver<Event>, poll: Duration) {
    let hint = async {
        loop {
            match hints.recv().await {
                Ok(Event::Run(_) | Event::Policies) => {}
                Ok(Event::Queue) | Err(_) => return,
            }
        }
    };
    let _ = tokio::time::timeout(poll, hint).await;
    while hints.try_recv().is_ok() {}
}
