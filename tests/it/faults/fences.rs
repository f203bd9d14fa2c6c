//! Each write of an attempt alone, after another attempt has taken its run: refused, and recorded (I3).
//!
//! A worker holds a run whose step waits; the run is then taken, as a reaper and a claim would; the
//! step goes on. The lease is so long that no heartbeat tells the worker first, where that is not
//! what is tested.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use paddock::audit::Entry;
use paddock::base::{Op, OsEntropy, SystemClock};
use paddock::db::Tx;
use paddock::orchestrator::{Ending, Run, Settings, Signals, StepContext, StepError, Worker, Workflow};
use paddock::providers::Stream;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::runs::yard::Yard;
use crate::support::wait::until_true;

/// What the run's label says, its steps do once the gate is open.
struct Stuck {
    gate: watch::Sender<bool>,
    waiting: AtomicUsize,
}

#[async_trait]
impl Workflow for Stuck {
    fn steps(&self) -> &'static [&'static str] {
        &["first", "last"]
    }

    async fn started(&self, _: &mut Tx, _: &Op, _: &Run) -> paddock::db::Result<()> {
        Ok(())
    }

    async fn step(&self, context: &StepContext, name: &str) -> Result<Vec<u8>, StepError> {
        let label = context.run.label.as_str();
        if label == "end" && name == "first" {
            return Ok(Vec::new());
        }
        self.waiting.fetch_add(1, Ordering::SeqCst);
        if label == "hear" || label == "drain" {
            context.cancel.cancelled().await;
            return if label == "drain" { Ok(Vec::new()) } else { Err(StepError::Interrupted) };
        }
        self.gate.subscribe().wait_for(|open| *open).await.unwrap();
        match label {
            // Until it is refused.
            "log" => loop {
                context.log(Stream::Paddock, "too late").await?;
                tokio::task::yield_now().await;
            },
            "fence" => {
                let mut tx = context.db().begin().await?;
                context.fence(&mut tx).await?;
                Ok(Vec::new())
            }
            "release" => Err(StepError::Retryable("not now".to_owned())),
            _ => Ok(Vec::new()),
        }
    }

    async fn settle(
        &self,
        _: &mut Tx,
        _: &Op,
        run: &Run,
        _: &Ending,
        _: &BTreeMap<String, Vec<u8>>,
    ) -> paddock::db::Result<Vec<Entry>> {
        panic!("{} was settled by an attempt that does not hold it", run.label);
    }
}

const REFUSED: &str = "SELECT count(*) FROM audit_record WHERE action = 'run.write_refused' AND outcome = 'denied'";

/// Starts a worker; `stop` drains it at once.
fn zombie(yard: &Yard, lease: Duration, stop: &CancellationToken) -> (Arc<Stuck>, JoinHandle<()>) {
    let (signals, _) = Signals::new(yard.db().clone(), stop.clone());
    let stuck = Arc::new(Stuck { gate: watch::Sender::new(false), waiting: AtomicUsize::new(0) });
    let workflow: Arc<dyn Workflow> = Arc::clone(&stuck) as _;
    let worker = Worker {
        settings: Settings { lease, grace: Duration::ZERO, ..crate::runs::yard::settings("zombie", 1) },
        db: yard.db().clone(),
        signals,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
        workflows: [("create.noop".to_owned(), workflow)].into(),
    };
    (stuck, tokio::spawn(worker.work(stop.clone())))
}

async fn stolen(label: &str, lease: Duration) {
    let yard = Yard::open().await;
    let stop = CancellationToken::new();
    let (stuck, _worker) = zombie(&yard, lease, &stop);
    yard.queue(label, 1).await;
    until_true("the step waits", async || stuck.waiting.load(Ordering::SeqCst) == 1).await;
    yard.execute("UPDATE run SET attempt = 2, worker = 'heir', lease_until = now() + interval '1 hour'").await;
    let taken = Instant::now();
    stuck.gate.send_replace(true);
    yard.until_count(REFUSED, 1).await;
    // The first heartbeat after that tells, at a third of the lease, not only the lease's end.
    assert!(label != "hear" || taken.elapsed() < lease * 2 / 3, "{:?}", taken.elapsed());

    let whose = "SELECT count(*) FROM run WHERE state = 'running' AND attempt = 2 AND worker = 'heir'
                 AND lease_until > now() + interval '50 minutes' AND error IS NULL AND run_at <= now()";
    assert_eq!(yard.count(whose).await, 1, "{label}: the heir's run was changed");
    let open = "SELECT count(*) FROM run_step WHERE name = 'first' AND status = 'running' AND attempt = 1";
    let closed = "SELECT count(*) FROM run_step WHERE name = 'last' AND status = 'running' AND attempt = 1";
    let step = if label == "end" { closed } else { open };
    assert_eq!(yard.count(step).await, 1, "{label}: the step was finished");
    assert_eq!(yard.count("SELECT count(*) FROM log_line WHERE text = 'too late'").await, 0, "{label}");
    assert_eq!(yard.count(REFUSED).await, 1, "{label}");
    stop.cancel();
}

const LONG: Duration = Duration::from_mins(10);

#[tokio::test]
async fn a_step_that_ends() {
    stolen("advance", LONG).await;
}

#[tokio::test]
async fn a_run_that_ends() {
    stolen("end", LONG).await;
}

#[tokio::test]
async fn a_run_that_is_to_be_tried_again() {
    stolen("release", LONG).await;
}

#[tokio::test]
async fn a_log_line() {
    stolen("log", LONG).await;
}

#[tokio::test]
async fn a_write_of_the_state() {
    stolen("fence", LONG).await;
}

/// The heartbeat tells the worker, which stops the step; the heir's lease stays as it is.
#[tokio::test]
async fn a_heartbeat() {
    stolen("hear", Duration::from_secs(6)).await;
}

/// The heir takes the run as part of what the zombie itself writes: between that and its next word.
async fn taken_with(yard: &Yard, write: &str) {
    let mut owner = PgConnection::connect_with(&yard.database.options()).await.unwrap();
    let heir = format!(
        "CREATE FUNCTION heir() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             UPDATE run SET attempt = attempt + 1, worker = 'heir', lease_until = now() + interval '1 hour';
             RETURN NULL;
         END $$;
         CREATE TRIGGER heir AFTER UPDATE ON {write} EXECUTE FUNCTION heir()"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(heir)).execute(&mut owner).await.unwrap();
}

const HEIRS: &str = "SELECT count(*) FROM run WHERE state = 'running' AND worker = 'heir' AND error IS NULL
                     AND lease_until > now() + interval '50 minutes'";

#[tokio::test]
async fn a_step_that_a_later_attempt_begins() {
    let yard = Yard::open().await;
    yard.queue("begin", 1).await;
    yard.execute("UPDATE run SET attempt = 1").await;
    taken_with(&yard, "run FOR EACH ROW WHEN (OLD.state = 'queued' AND NEW.state = 'running')").await;
    let stop = CancellationToken::new();
    let (stuck, worker) = zombie(&yard, LONG, &stop);
    yard.until_count("SELECT count(*) FROM run WHERE attempt = 3", 1).await;
    until_true("it called the step, or was refused", async || {
        stuck.waiting.load(Ordering::SeqCst) == 1 || yard.count(REFUSED).await == 1
    })
    .await;
    assert_eq!(stuck.waiting.load(Ordering::SeqCst), 0, "it called a step of a run that it does not hold");
    assert_eq!(yard.count("SELECT count(*) FROM run_step WHERE status = 'running'").await, 0);
    assert_eq!(yard.count(HEIRS).await, 1, "the heir's run was changed");
    stop.cancel();
    worker.await.unwrap();
}

/// Between the end of a step and the handing over, so that nothing but the handing over can tell.
#[tokio::test]
async fn a_run_that_is_handed_over() {
    let yard = Yard::open().await;
    yard.queue("drain", 1).await;
    taken_with(&yard, "run_step FOR EACH ROW WHEN (NEW.status = 'succeeded')").await;
    let stop = CancellationToken::new();
    let (stuck, worker) = zombie(&yard, LONG, &stop);
    until_true("the step waits", async || stuck.waiting.load(Ordering::SeqCst) == 1).await;
    stop.cancel();
    worker.await.unwrap();
    assert_eq!(yard.count(HEIRS).await, 1, "the heir's run was changed");
    assert_eq!(yard.count(REFUSED).await, 1);
}
