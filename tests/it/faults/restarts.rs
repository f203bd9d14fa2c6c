//! A Postgres that is restarted again and again while requests come in and runs are executed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use sqlx::{Connection as _, PgConnection};

use super::door::{Door, address};
use crate::matrix::oracle::{assert_none, complaints};
use crate::matrix::subject::{Environments, SIMULATED};
use crate::matrix::world::World;
use crate::support::TestDatabase;
use crate::support::app::TestApp;
use crate::support::busy::Busy;
use crate::support::cluster::Cluster;
use crate::support::program::Program;

/// Restarts, each after so many more runs have succeeded.
const RESTARTS: i64 = 5;
const BETWEEN: i64 = 10;
/// Requests that are under way at a time.
const OPEN: i64 = 16;
/// How soon something must be finished again after Postgres takes connections.
/// And every worker must have begun something, in seconds.
const RECOVERY: f64 = 10.0;
const WORKERS: i64 = 3;

/// How many runs have succeeded; nothing while Postgres is away.
async fn succeeded(world: &World) -> Option<i64> {
    let mut connection = PgConnection::connect_with(&world.test.database.options()).await.ok()?;
    let query = "SELECT count(*) FROM run WHERE state = 'succeeded'";
    sqlx::query_scalar(query).fetch_one(&mut connection).await.ok()
}

/// Now, by the database, as text for it.
async fn moment(world: &World) -> String {
    let mut connection = PgConnection::connect_with(&world.test.database.options()).await.unwrap();
    sqlx::query_scalar("SELECT clock_timestamp()::text").fetch_one(&mut connection).await.unwrap()
}

/// How many workers have begun a run since then.
async fn workers_since(world: &World, moment: &str) -> i64 {
    let mut connection = PgConnection::connect_with(&world.test.database.options()).await.unwrap();
    let query = "SELECT count(DISTINCT detail ->> 'worker') FROM audit_record
                 WHERE action = 'run.started' AND at > $1::timestamptz";
    sqlx::query_scalar(query).bind(moment).fetch_one(&mut connection).await.unwrap()
}

async fn until_succeeded(world: &World, wanted: i64) -> i64 {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let now = succeeded(world).await.unwrap_or(0);
        if now >= wanted {
            return now;
        }
        assert!(Instant::now() < deadline, "{now} runs succeeded, not {wanted}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Nothing that was acknowledged is lost, nothing happens twice, no process ends, and work goes on
/// within seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_restarted_under_load() {
    let cluster = Cluster::start().await;
    sqlx::raw_sql("CREATE DATABASE paddock")
        .execute(&mut PgConnection::connect(&cluster.url("postgres")).await.unwrap())
        .await
        .unwrap();
    let test = TestApp::start_on(TestDatabase::at(&cluster.url("paddock")).await).await;
    let world = World::of(test, &SIMULATED).await;
    let door = Door::open(&world).await;
    let mut servers = [world.server(), world.server()];
    let addresses = servers.each_mut().map(address);
    let mut workers: Vec<Program> = (0..WORKERS).map(|_| world.worker_with(4, "5s", &[], None)).collect();

    let enough = AtomicBool::new(false);
    let load = async {
        let mut environments = Environments::new();
        for (index, server) in (0..).zip(addresses.iter().cycle()) {
            if enough.load(Ordering::SeqCst) {
                break;
            }
            until_succeeded(&world, index - OPEN).await;
            let name = format!("lab-restart-{index}");
            let id = door.insist(server, &name).await;
            environments.insert(id, (name, vec!["create"]));
        }
        environments
    };
    let restarts = async {
        let mut pace = Vec::new();
        let mut began = Instant::now();
        let mut done = 0;
        for _ in 0..RESTARTS {
            until_succeeded(&world, done + BETWEEN).await;
            pace.push(began.elapsed());
            tokio::task::block_in_place(|| cluster.restart());
            began = Instant::now();
            done = until_succeeded(&world, 0).await;
            let (ready, busy) = (moment(&world).await, Busy::from_now());
            until_succeeded(&world, done + 1).await;
            // All of them are at work again, as many as there were before: that is the whole throughput.
            while workers_since(&world, &ready).await < WORKERS {
                let (took, busy) = (began.elapsed().as_secs_f64(), busy.seconds());
                assert!(took <= RECOVERY + busy, "not every worker is at work after {took} s, {busy} of them busy");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        enough.store(true, Ordering::SeqCst);
        eprintln!("{BETWEEN} runs took {pace:.1?} before the restarts");
    };
    let (environments, ()) = tokio::join!(load, restarts);
    // What was queued is done, all of it.
    let total = i64::try_from(environments.len()).unwrap();
    until_succeeded(&world, total).await;

    for program in servers.iter_mut().chain(&mut workers) {
        assert!(program.lives(), "a process ended:\n{}", program.said());
        program.signal(Signal::TERM);
        let ended = program.wait();
        assert!(ended.success(), "{ended}:\n{}", program.said());
    }
    // What this process kept open has gone with the restarts.
    while world.test.app.db.ping().await.is_err() {}
    assert_none(&complaints(&world, &environments).await, &world);
    assert_eq!(world.number("SELECT count(*) FROM request").await, total, "none lost, none twice");
}
