//! A Postgres that is restarted again and again while requests come in and runs are executed.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use sqlx::{Connection as _, PgConnection};

use super::door::{Door, address};
use crate::matrix::oracle::{assert_none, complaints};
use crate::matrix::subject::{Environments, SIMULATED};
use crate::matrix::world::World;
use crate::support::TestDatabase;
use crate::support::app::TestApp;
use crate::support::cluster::Cluster;
use crate::support::program::Program;

/// Restarts, each after so many more runs have succeeded.
const RESTARTS: i64 = 5;
const BETWEEN: i64 = 10;
/// Requests that are under way at a time.
const OPEN: i64 = 16;
/// How soon something must be finished again after Postgres takes connections.
const RECOVERY: Duration = Duration::from_secs(10);

/// How many runs have succeeded; nothing while Postgres is away.
async fn succeeded(world: &World) -> Option<i64> {
    let mut connection = PgConnection::connect_with(&world.test.database.options()).await.ok()?;
    let query = "SELECT count(*) FROM run WHERE state = 'succeeded'";
    sqlx::query_scalar(query).fetch_one(&mut connection).await.ok()
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
    let mut workers: Vec<Program> = (0..3).map(|_| world.worker_with(4, "5s", &[], None)).collect();

    let total = (RESTARTS + 1) * BETWEEN;
    let load = async {
        let mut environments = Environments::new();
        for (index, server) in (0..total).zip(addresses.iter().cycle()) {
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
            until_succeeded(&world, done + 1).await;
            assert!(began.elapsed() <= RECOVERY, "nothing was finished for {:?}", began.elapsed());
        }
        until_succeeded(&world, total).await;
        eprintln!("{BETWEEN} runs took {pace:.1?} before the restarts");
    };
    let (environments, ()) = tokio::join!(load, restarts);

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
