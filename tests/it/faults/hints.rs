//! Without any notification: polling is the truth, and it bounds the wait (I14).

use std::io::Write as _;

use sqlx::postgres::PgListener;

use crate::matrix::oracle::{assert_none, complaints};
use crate::matrix::subject::{Environments, SIMULATED};
use crate::matrix::world::World;
use crate::support::busy::Busy;

/// What a start may take, in seconds: the longest poll that may be set, and what a look takes.
const BOUND: f64 = 2.0 + 0.2;
const RUNS: usize = 12;

/// Postgres sends no notification any more, to nobody. A worker that has nothing to do finds each run
/// at its next look, and no run waits longer than between two looks.
#[tokio::test]
async fn no_run_waits_longer_than_a_poll() {
    let world = World::new(&SIMULATED).await;
    let mut listener = PgListener::connect_with(world.test.app.db.pool()).await.unwrap();
    listener.listen("paddock").await.unwrap();
    world.execute("REVOKE EXECUTE ON FUNCTION pg_notify(text, text) FROM PUBLIC").await;
    let _worker = world.worker(&[], None);
    let mut environments = Environments::new();
    let mut busy = Vec::new();
    for index in 0..RUNS {
        let name = format!("lab-deaf-{index}");
        let meanwhile = Busy::from_now();
        let environment = world.create(&name).await;
        // The worker's own account of what it did, and in it our word that there is work.
        let mut log = std::fs::OpenOptions::new().append(true).open(&world.log).unwrap();
        writeln!(log, "queued\t{name}").unwrap();
        environments.insert(environment, (name, vec!["create"]));
        world.rest().await;
        busy.push(meanwhile.seconds());
    }
    assert_none(&complaints(&world, &environments).await, &world);
    let heard = tokio::time::timeout(std::time::Duration::ZERO, listener.recv()).await;
    assert!(heard.is_err(), "a notification came: {heard:?}");

    for (name, _) in environments.values() {
        let looks = looks_until_taken(&world, name);
        // One may have begun before the run was there.
        assert!(looks <= 2, "{name}: taken at look {looks}");
    }
    let waits = "SELECT label, extract(epoch FROM started_at - created_at)::text FROM run ORDER BY created_at";
    for ((label, seconds), busy) in world.rows(waits).await.into_iter().zip(busy) {
        let seconds: f64 = seconds.parse().unwrap();
        assert!(seconds <= BOUND + busy, "{label} waited {seconds} s, {busy} of them busy");
    }
}

/// How often the worker looked at the queue after the run was there and until it took it.
fn looks_until_taken(world: &World, name: &str) -> usize {
    let log = std::fs::read_to_string(&world.log).unwrap();
    let (queued, taken) = (format!("queued\t{name}"), format!("reached\tclaim.taken\tCreate {name}"));
    // It may have taken the run before our word was written.
    let taken = log.lines().position(|line| line == taken).unwrap();
    let before = log.lines().take(taken).skip_while(|line| *line != queued);
    before.filter(|line| line.starts_with("reached\tclaim.look\t")).count()
}
