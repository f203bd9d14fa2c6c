//! Runs that do nothing, through the whole orchestrator (claim, three steps, log lines, audit, end),
//! against pgbench doing the bare claim; with deep lanes; and the claim alone, also while another
//! transaction holds back the vacuum. The worker has as many connections as pgbench has clients.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use paddock::audit::{Entry, Object};
use paddock::base::{Op, OsEntropy, SystemClock};
use paddock::db::{Db, Tx};
use paddock::orchestrator::{Ending, Run, Settings, StepContext, StepError, Worker, Workflow};
use paddock::providers::Stream;
use sqlx::{Connection as _, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::world::World;
use crate::{CLIENTS, SPAN, pgbench, result};

/// How many runs wait when a measurement begins.
const QUEUED: usize = 20_000;
/// How many are at work at most while claims are measured.
const AT_WORK: usize = 500;
/// How many a worker executes at once, over its few connections.
const SLOTS: usize = 32;

const PREPARE: &str = "
DROP TABLE IF EXISTS bench_job;
CREATE TABLE bench_job (id bigint PRIMARY KEY, state text NOT NULL, attempt integer NOT NULL DEFAULT 0,
    worker text, lease_until timestamptz) WITH (fillfactor = 70);
INSERT INTO bench_job (id, state) SELECT g, 'queued' FROM generate_series(1, 400000) AS g;
CREATE INDEX ON bench_job (id) WHERE state = 'queued';
ANALYZE bench_job;";

const BARE_CLAIM: &str = "
UPDATE bench_job SET state = 'running', attempt = attempt + 1, worker = 'bench', lease_until = now() + interval '15 s'
WHERE id = (SELECT id FROM bench_job WHERE state = 'queued' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED);";

const BY_KEY: &str = "
\\set key random(1, 400000)
UPDATE bench_job SET attempt = attempt + 1, lease_until = now() + interval '15 s' WHERE id = :key;";

struct NoOp;

#[async_trait]
impl Workflow for NoOp {
    fn steps(&self) -> &'static [&'static str] {
        &["prepare", "apply", "collect"]
    }

    async fn started(&self, _: &mut Tx, _: &Op, _: &Run) -> paddock::db::Result<()> {
        Ok(())
    }

    async fn step(&self, context: &StepContext, name: &str) -> Result<Vec<u8>, StepError> {
        context.log(Stream::Paddock, name).await?;
        Ok(Vec::new())
    }

    async fn settle(
        &self,
        _: &mut Tx,
        _: &Op,
        run: &Run,
        _: &Ending,
        _: &BTreeMap<String, Vec<u8>>,
    ) -> paddock::db::Result<Vec<Entry>> {
        Ok(vec![Entry::new("environment.ready", Object::new("run", run.id.0, run.label.clone())).run(run.id)])
    }
}

pub async fn run(world: &World) {
    let mut owner = PgConnection::connect(&world.url).await.unwrap();
    sqlx::raw_sql(PREPARE).execute(&mut owner).await.unwrap();
    let before = pgbench::rate(&world.url, BARE_CLAIM);
    fill(&mut owner, QUEUED).await;
    let wide = drain_rate(world, &mut owner).await;
    fill(&mut owner, 50).await;
    let deep = drain_rate(world, &mut owner).await;
    sqlx::raw_sql(PREPARE).execute(&mut owner).await.unwrap();
    let after = pgbench::rate(&world.url, BARE_CLAIM);
    let probe = f64::midpoint(before, after);
    result("no-op runs / pgbench, bare claim", wide / probe, 0.15, &format!("{wide:.0}/s of {probe:.0}/s"));
    result("no-op runs, of 500 a second", wide / 500.0, 1.0, &format!("{wide:.0}/s"));
    result("20,000 runs on 50 / on 20,000 environments", deep / wide, 0.9, &format!("{deep:.0}/s of {wide:.0}/s"));

    let before = pgbench::rate(&world.url, BY_KEY);
    fill(&mut owner, QUEUED).await;
    let free = claim_rate(world, &mut owner).await;
    fill(&mut owner, QUEUED).await;
    let mut holder = PgConnection::connect(&world.url).await.unwrap();
    sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM person")
        .execute(&mut holder)
        .await
        .unwrap();
    let held = claim_rate(world, &mut owner).await;
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    let after = pgbench::rate(&world.url, BY_KEY);
    let probe = f64::midpoint(before, after);
    result("claim with fencing / pgbench, UPDATE by key", free / probe, 0.3, &format!("{free:.0}/s of {probe:.0}/s"));
    result("claim while a transaction holds the horizon", held / free, 0.33, &format!("{held:.0}/s of {free:.0}/s"));
    sqlx::raw_sql("TRUNCATE run, run_step, log_line CASCADE; DROP TABLE bench_job").execute(&mut owner).await.unwrap();
}

/// Queues the runs, in as many lanes, of twenty projects.
async fn fill(owner: &mut PgConnection, lanes: usize) {
    sqlx::raw_sql("TRUNCATE run, run_step, log_line CASCADE").execute(&mut *owner).await.unwrap();
    // A transaction takes a lock for each lane: not all in one.
    for start in (0..QUEUED).step_by(1000) {
        sqlx::query(
            "INSERT INTO run (id, kind, subject_id, project_id, label, state)
             SELECT gen_random_uuid(), 'create.bench', md5('lane' || g % $2)::uuid, md5('project' || g % 20)::uuid,
                 'Create bench', 'queued'
             FROM generate_series($1::bigint, $1 + 999) AS g",
        )
        .bind(i64::try_from(start).unwrap())
        .bind(i64::try_from(lanes).unwrap())
        .execute(&mut *owner)
        .await
        .unwrap();
    }
    sqlx::raw_sql("ANALYZE run").execute(owner).await.unwrap();
}

fn worker(world: &World, db: &Db) -> Worker {
    let workflow: Arc<dyn Workflow> = Arc::new(NoOp);
    Worker {
        settings: Settings { name: "bench-runs".to_owned(), slots: SLOTS, ..Settings::default() },
        db: db.clone(),
        signals: world.app.signals.clone(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
        workflows: BTreeMap::from([("create.bench".to_owned(), workflow)]),
    }
}

fn connections(world: &World) -> Db {
    Db::with_options(world.app.db.options().clone(), u32::try_from(CLIENTS).unwrap())
}

/// Runs a second, over a while in the middle of the backlog, as the tables tell: what is counted is
/// durable.
async fn drain_rate(world: &World, owner: &mut PgConnection) -> f64 {
    let (db, drain) = (connections(world), CancellationToken::new());
    let working = tokio::spawn(worker(world, &db).work(drain.clone()));
    while ended(owner).await < 200 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (first, started) = (ended(owner).await, Instant::now());
    let mut last = first;
    // Never to the end of the queue: an idle worker is not what is measured.
    while started.elapsed() < 2 * SPAN && last < QUEUED - QUEUED / 10 {
        tokio::time::sleep(SPAN / 10).await;
        last = ended(owner).await;
    }
    let rate = (last - first) as f64 / started.elapsed().as_secs_f64();
    drain.cancel();
    working.await.unwrap();
    db.close().await;
    rate
}

async fn ended(owner: &mut PgConnection) -> usize {
    let count: i64 =
        sqlx::query_scalar("SELECT count(*) FROM run WHERE state = 'succeeded'").fetch_one(owner).await.unwrap();
    usize::try_from(count).unwrap()
}

/// Runs claimed a second, by as many claims at once as pgbench has clients. Now and then the clock
/// stops and what was claimed ends: no platform has thousands of runs at work.
async fn claim_rate(world: &World, owner: &mut PgConnection) -> f64 {
    let db = connections(world);
    let worker = worker(world, &db);
    let claimed = AtomicUsize::new(0);
    let mut spent = Duration::ZERO;
    while spent < SPAN && claimed.load(Ordering::Relaxed) < QUEUED - 2 * AT_WORK {
        let (until, started) = (claimed.load(Ordering::Relaxed) + AT_WORK, Instant::now());
        let clients = (0..CLIENTS).map(|_| async {
            while claimed.load(Ordering::Relaxed) < until {
                let runs = worker.take(SLOTS).await.unwrap();
                claimed.fetch_add(runs.len(), Ordering::Relaxed);
                if runs.is_empty() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        });
        futures_util::future::join_all(clients).await;
        spent += started.elapsed();
        sqlx::raw_sql(
            "UPDATE run SET state = 'succeeded', lease_until = NULL, ended_at = now() WHERE state = 'running'",
        )
        .execute(&mut *owner)
        .await
        .unwrap();
    }
    db.close().await;
    claimed.load(Ordering::Relaxed) as f64 / spent.as_secs_f64()
}
