//! A yard: a database, workers, and runs that do what their label says. No provider, no request.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use paddock::audit::{Entry, Object};
use paddock::base::id::{ProjectId, RunId};
use paddock::base::{Actor, Clock, Entropy, Op, Origin, OsEntropy, SystemClock};
use paddock::db::{Db, Tx};
use paddock::orchestrator::{
    self, Ending, NewRun, Run, RunPlace, RunState, Settings, Signals, StepContext, StepError, Worker, Workflow,
};
use paddock::providers::Stream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::TestDatabase;
use crate::support::wait::PATIENCE;

/// What the runs of a yard do and have done.
pub struct Script {
    /// `label step attempt`, in the order of the calls.
    pub calls: Mutex<Vec<String>>,
    /// Runs whose label begins with `hold`, `deaf` or `late` wait until this is true.
    pub gate: watch::Sender<bool>,
    /// Runs may end without the checkpoints of all steps: other versions began them.
    pub partial: AtomicBool,
    at_work: AtomicUsize,
    /// The most that were at work at the same time.
    pub most: AtomicUsize,
}

/// The lock that the subject of `hold held` is settled under.
pub const HELD_KEY: i64 = 7_399;

struct Scripted(Arc<Script>);

#[async_trait]
impl Workflow for Scripted {
    fn steps(&self) -> &'static [&'static str] {
        &["prepare", "apply", "collect"]
    }

    async fn started(&self, _: &mut Tx, _: &Op, _: &Run) -> paddock::db::Result<()> {
        Ok(())
    }

    async fn step(&self, context: &StepContext, name: &str) -> Result<Vec<u8>, StepError> {
        let unsure = if context.unsure { " unsure" } else { "" };
        let call = format!("{} {name} {}{unsure}", context.run.label, context.run.attempt);
        self.0.calls.lock().unwrap().push(call);
        context.log(Stream::Paddock, name).await?;
        if name != "apply" {
            return Ok(name.as_bytes().to_vec());
        }
        let now = self.0.at_work.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(now, Ordering::SeqCst);
        let result = self.apply(context).await;
        self.0.at_work.fetch_sub(1, Ordering::SeqCst);
        result
    }

    async fn settle(
        &self,
        tx: &mut Tx,
        _: &Op,
        run: &Run,
        ending: &Ending,
        checkpoints: &BTreeMap<String, Vec<u8>>,
    ) -> paddock::db::Result<Vec<Entry>> {
        if *ending == Ending::Succeeded && !self.0.partial.load(Ordering::SeqCst) {
            assert_eq!(checkpoints.len(), 3, "every checkpoint is handed on");
        }
        match run.label.as_str() {
            "hold panic" => panic!("on purpose"),
            "hold bad" => return Err(paddock::db::Error::Corrupt("subject")),
            "hold held" => {
                sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(HELD_KEY).execute(&mut **tx).await?;
            }
            _ => {}
        }
        let entry = Entry::new("environment.ready", Object::new("run", run.id.0, run.label.clone())).run(run.id);
        Ok(vec![entry.detail(serde_json::json!({"state": ending.state()}))])
    }
}

impl Scripted {
    async fn apply(&self, context: &StepContext) -> Result<Vec<u8>, StepError> {
        let mut gate = self.0.gate.subscribe();
        match context.run.label.split(' ').next().unwrap_or_default() {
            "hold" => tokio::select! {
                _ = gate.wait_for(|open| *open) => Ok(Vec::new()),
                () = context.cancel.cancelled() => Err(StepError::Interrupted),
            },
            "deaf" => {
                gate.wait_for(|open| *open).await.ok();
                Ok(Vec::new())
            }
            "wrong" => Err(StepError::Failed("it is wrong".to_owned())),
            "again" => Err(StepError::Retryable("it does not work yet".to_owned())),
            "late" => {
                gate.wait_for(|open| *open).await.ok();
                Err(StepError::Retryable("it does not work any more".to_owned()))
            }
            "unknown" if !context.unsure => Err(StepError::Unknown("no answer in time.".to_owned())),
            _ => Ok(Vec::new()),
        }
    }
}

pub struct Yard {
    pub database: TestDatabase,
    pub script: Arc<Script>,
    signals: Signals,
    stop: CancellationToken,
}

/// A worker at work; its token drains it.
pub struct AtWork {
    pub drain: CancellationToken,
    pub done: JoinHandle<()>,
}

impl Yard {
    pub async fn open() -> Self {
        let database = TestDatabase::new().await;
        let stop = CancellationToken::new();
        let (signals, exchange) = Signals::new(database.db.clone(), stop.clone());
        tokio::spawn(exchange);
        let script = Script {
            calls: Mutex::default(),
            gate: watch::Sender::new(false),
            partial: AtomicBool::new(false),
            at_work: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        };
        Self { database, script: Arc::new(script), signals, stop }
    }

    pub fn db(&self) -> &Db {
        &self.database.db
    }

    pub fn op() -> Op {
        let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock), Arc::new(OsEntropy));
        Op::new(Actor::Operator, Origin::internal("cli"), clock, entropy)
    }

    pub fn workflow(&self) -> Arc<dyn Workflow> {
        Arc::new(Scripted(Arc::clone(&self.script)))
    }

    /// Starts a worker.
    pub fn work(&self, settings: Settings) -> AtWork {
        self.work_on(self.db().clone(), settings)
    }

    pub fn work_on(&self, db: Db, settings: Settings) -> AtWork {
        let workflows = [("create.noop".to_owned(), self.workflow()), ("delete.noop".to_owned(), self.workflow())];
        let worker = Worker {
            settings,
            db,
            signals: self.signals.clone(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
            workflows: workflows.into(),
        };
        let drain = CancellationToken::new();
        AtWork { done: tokio::spawn(worker.work(drain.clone())), drain }
    }

    /// Queues a run of the first project.
    pub async fn queue(&self, label: &str, subject: u128) -> RunId {
        self.queue_run(run(label, subject)).await
    }

    pub async fn queue_run(&self, run: NewRun) -> RunId {
        let mut tx = self.db().begin().await.unwrap();
        orchestrator::enqueue(&mut tx, &run).await.unwrap();
        tx.commit().await.unwrap();
        self.signals.send(orchestrator::Event::Queue);
        run.id
    }

    pub async fn run(&self, id: RunId) -> Run {
        orchestrator::find(&mut self.db().acquire().await.unwrap(), id).await.unwrap().unwrap()
    }

    pub async fn until_state(&self, id: RunId, state: RunState) -> Run {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let run = self.run(id).await;
            if run.state == state {
                return run;
            }
            assert!(tokio::time::Instant::now() < deadline, "{} is {:?}, not {state:?}", run.label, run.state);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until so many steps were called.
    pub async fn until_calls(&self, wanted: usize) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.script.calls.lock().unwrap().len() < wanted {
            assert!(tokio::time::Instant::now() < deadline, "{:?}", self.script.calls.lock().unwrap());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until `query` counts `wanted`.
    pub async fn until_count(&self, query: &'static str, wanted: i64) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let count = self.count(query).await;
            if count == wanted {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{query}: {count}, not {wanted}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(self.db().pool()).await.unwrap()
    }

    pub async fn execute(&self, statement: &'static str) -> u64 {
        sqlx::query(statement).execute(self.db().pool()).await.unwrap().rows_affected()
    }

    /// What was called, in order: labels and steps of a first word.
    pub fn order(&self, step: &str) -> Vec<String> {
        let calls = self.script.calls.lock().unwrap();
        let mine = calls.iter().filter_map(|call| call.split_once(&format!(" {step} ")));
        mine.map(|(label, _)| label.to_owned()).collect()
    }

    pub async fn lanes_are_whole(&self) {
        let mut connection = self.db().acquire().await.unwrap();
        assert_eq!(orchestrator::lanes_without_head(&mut connection).await.unwrap(), 0, "a lane without its head");
    }
}

impl Drop for Yard {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A run of people of the first project.
pub fn run(label: &str, subject: u128) -> NewRun {
    NewRun {
        id: RunId::new(&SystemClock, &OsEntropy),
        kind: "create.noop".to_owned(),
        subject: Uuid::from_u128(subject),
        request: None,
        project: ProjectId(Uuid::from_u128(1)),
        label: label.to_owned(),
        priority: 100,
        place: RunPlace::default(),
    }
}

/// Short times, so that tests need not wait.
pub fn settings(name: &str, slots: usize) -> Settings {
    Settings {
        name: name.to_owned(),
        slots,
        lease: Duration::from_secs(6),
        poll: Duration::from_millis(50),
        grace: Duration::from_secs(30),
        ..Settings::default()
    }
}
