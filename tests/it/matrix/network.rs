//! The way between workers and Postgres: cut, half-open, slow, connections killed, no notifications.

use std::time::Duration;

use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use super::oracle::{assert_none, complaints};
use super::subject::{Environments, SIMULATED};
use super::world::World;
use crate::support::proxy::{Network, Proxy};
use crate::support::wait::until;

fn one(environment: paddock::base::id::EnvironmentId, name: &str, operation: &'static str) -> Environments {
    Environments::from([(environment, (name.to_owned(), vec![operation]))])
}

/// A worker that does not reach Postgres any more stops its effects before its lease ends: the cloud,
/// which would refuse them, hears of none. Another worker finishes, and the first comes back.
async fn parted(network: Network) {
    let world = World::new(&SIMULATED).await;
    let proxy = Proxy::start(&world.test.database.options());
    let name = "lab-parted";
    let slow = json!({"size": "small", "faults": [{"kind": "throttle", "object": "disk", "times": 9}]});
    let environment = world.create_with(name, slow).await;
    let mut parted = world.worker(&[], Some(proxy.url(&world.test.database.url())));
    until("it is in the middle", || (world.book(environment).faults.get("throttle") >= Some(&4)).then_some(()));
    proxy.set(network);
    let heir = world.worker(&[], None);
    world.rest().await;

    let book = world.book(environment);
    assert_eq!((book.there.len(), book.stale), (3, 0), "no call after the lease: {book:?}");
    assert_none(&complaints(&world, &one(environment, name, "create")).await, &world);
    assert!(world.number("SELECT max(attempt) FROM run").await >= 2, "it was taken over");

    // Back again, it works as before.
    drop(heir);
    proxy.set(Network::Good);
    world.delete(environment).await;
    world.rest().await;
    assert!(world.book(environment).there.is_empty());
    parted.signal(rustix::process::Signal::TERM);
    assert!(parted.wait().success());
}

#[tokio::test]
async fn cut() {
    parted(Network::Cut).await;
}

#[tokio::test]
async fn half_open() {
    parted(Network::HalfOpen).await;
}

/// Slow, but not so slow that a heartbeat could not get through: nothing is taken over.
#[tokio::test]
async fn slow() {
    let world = World::new(&SIMULATED).await;
    let proxy = Proxy::start(&world.test.database.options());
    proxy.set(Network::Slow(Duration::from_millis(40)));
    let worker = world.worker_with(1, "15s", &[], Some(proxy.url(&world.test.database.url())));
    let environment = world.create("lab-slow").await;
    world.rest().await;
    drop(worker);
    assert_none(&complaints(&world, &one(environment, "lab-slow", "create")).await, &world);
    assert_eq!(world.number("SELECT max(attempt) FROM run").await, 1);
}

/// Every few moments each connection of every worker is ended by the server, as by a restart.
#[tokio::test]
async fn connections_are_killed_under_load() {
    let world = World::new(&SIMULATED).await;
    let mut environments = Environments::new();
    for index in 0..12 {
        let name = format!("lab-kill-{index}");
        let inputs = json!({"size": "small", "faults": [{"kind": "throttle", "times": 5}]});
        environments.insert(world.create_with(&name, inputs).await, (name, vec!["create"]));
    }
    world.execute("UPDATE run SET max_attempts = 30").await;
    let workers = [world.worker(&[], None), world.worker(&[], None)];
    let mut killer = PgConnection::connect_with(&world.test.database.options()).await.unwrap();
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'paddock'";
    let mut killed = 0;
    let mut rounds = 0;
    while rounds < 12 && world.number("SELECT count(*) FROM run WHERE ended_at IS NULL").await > 0 {
        killed += sqlx::query_scalar::<_, i64>(kill).fetch_one(&mut killer).await.unwrap();
        rounds += 1;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    world.rest().await;
    assert!(killed > 10, "{killed} connections were ended");
    drop(workers);
    assert_none(&complaints(&world, &environments).await, &world);
}

/// No hint ever arrives: polling finds the work.
#[tokio::test]
async fn without_any_notification() {
    let world = World::new(&SIMULATED).await;
    let name: String =
        sqlx::query_scalar("SELECT current_database()").fetch_one(world.test.app.db.pool()).await.unwrap();
    world
        .execute(&format!(
            "CREATE SCHEMA deaf; GRANT USAGE ON SCHEMA deaf TO PUBLIC;
             CREATE FUNCTION deaf.pg_notify(text, text) RETURNS void LANGUAGE sql AS 'SELECT';
             ALTER DATABASE {name} SET search_path = deaf, public, pg_catalog"
        ))
        .await;
    let worker = world.worker(&[], None);
    let mut environments = Environments::new();
    for index in 0..4 {
        let name = format!("lab-deaf-{index}");
        environments.insert(world.create(&name).await, (name, vec!["create"]));
    }
    world.rest().await;
    drop(worker);
    assert_none(&complaints(&world, &environments).await, &world);
}
