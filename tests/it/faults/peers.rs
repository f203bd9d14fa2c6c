//! Two servers and three workers on one Postgres: one worker is killed, one is drained, and the third
//! one does the rest.

use std::collections::BTreeSet;

use rustix::process::Signal;

use super::door::{Door, address};
use crate::matrix::oracle::{assert_none, complaints};
use crate::matrix::subject::{Environments, SIMULATED};
use crate::matrix::world::World;
use crate::support::program::Program;

#[tokio::test]
async fn two_servers_and_three_workers() {
    let world = World::new(&SIMULATED).await;
    let door = Door::open(&world).await;
    let mut servers = [world.server(), world.server()];
    let addresses = servers.each_mut().map(address);
    let mut workers: Vec<Program> = (0..3).map(|_| world.worker_of(4, &[], None)).collect();
    let mut environments = Environments::new();
    for index in 0..30 {
        let name = format!("lab-peer-{index}");
        let id = door.ask(&addresses[index % 2], &name).await.unwrap();
        // The same again at the other server: it is the same request.
        assert_eq!(door.ask(&addresses[(index + 1) % 2], &name).await.unwrap(), id);
        environments.insert(id, (name, vec!["create"]));
    }
    world.until_number("SELECT count(*) FROM run WHERE state = 'succeeded'", 3).await;
    workers[0].signal(Signal::KILL);
    workers[1].signal(Signal::TERM);
    let drained = workers[1].wait();
    assert!(drained.success(), "{drained}: {}", workers[1].said());
    world.rest().await;

    assert_none(&complaints(&world, &environments).await, &world);
    let query = "SELECT DISTINCT detail ->> 'worker', '' FROM audit_record WHERE action = 'run.started'";
    let who: BTreeSet<String> = world.rows(query).await.into_iter().map(|(worker, _)| worker).collect();
    assert_eq!(who.len(), 3, "every worker had some: {who:?}");
    assert_eq!(world.number("SELECT count(*) FROM request").await, 30, "none lost, none twice");
}
