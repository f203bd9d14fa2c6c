//! Real processes on machines whose clocks are wrong: ten minutes ahead, ten minutes behind, now this
//! and now that. What is decided about time is the database's to decide (I18).

use super::door::{Door, address};
use crate::matrix::oracle::{assert_none, complaints};
use crate::matrix::subject::{Environments, SIMULATED};
use crate::matrix::world::World;

const RUNS: usize = 9;

#[tokio::test]
async fn processes_ten_minutes_ahead_and_behind_and_jumping() {
    let world = World::new(&SIMULATED).await;
    let settings = ["--worker-runs", "2", "--lease", "60s"];
    let mut processes = Vec::new();
    for clock in ["10m", "-10m", "10m/-10m"] {
        let wrong = [("PADDOCK_CLOCK", clock)];
        processes.push((world.worker_in(&wrong, &settings), world.server_in(&wrong, world.test.database.url())));
    }
    let addresses: Vec<String> = processes.iter_mut().map(|(_, server)| address(server)).collect();
    let door = Door::open(&world).await;
    let mut environments = Environments::new();
    for index in 0..RUNS {
        let name = format!("lab-skew-{index}");
        let id = door.ask(&addresses[index % 3], &name).await.unwrap();
        environments.insert(id, (name, vec!["create"]));
    }
    world.rest().await;
    for id in environments.keys() {
        world.delete(*id).await;
    }
    world.rest().await;
    for (_, history) in environments.values_mut() {
        history.push("delete");
    }
    assert_none(&complaints(&world, &environments).await, &world);
    assert_eq!(world.number("SELECT max(attempt) FROM run").await, 1, "nobody took a run from another");
    let workers = "SELECT count(DISTINCT detail ->> 'worker') FROM audit_record WHERE action = 'run.started'";
    assert!(world.number(workers).await >= 2, "more than one of them was at work");
    // The ids tell that the clocks were wrong: their first 48 bits are milliseconds.
    let wrong = "SELECT max(at) - min(at) FROM (
        SELECT ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint AS at FROM request) AS ids";
    assert!(world.number(wrong).await > 15 * 60_000, "no clock was wrong");
    let waits = "SELECT count(*) FROM run
                 WHERE started_at - created_at NOT BETWEEN interval '0' AND interval '5 minutes'";
    assert_eq!(world.number(waits).await, 0, "a run waited for a clock");
    let off = "SELECT count(*) FROM audit_record WHERE abs(extract(epoch FROM at - now())) > 400";
    assert_eq!(world.number(off).await, 0, "records have the database's time");
    for (worker, server) in &mut processes {
        assert!(worker.lives() && server.lives(), "{}\n{}", worker.said(), server.said());
    }
}
