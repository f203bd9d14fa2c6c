//! The way to Postgres, from workers and from servers: cut, half-open, slow, cut in the middle of what
//! is said, connections killed.

use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use super::door::{Door, address};
use crate::matrix::oracle::{assert_none, complaints};
use crate::matrix::subject::{Environments, SIMULATED};
use crate::matrix::world::World;
use crate::support::busy::Busy;
use crate::support::proxy::{Network, Proxy, Towards};
use crate::support::wait::{lines, until};

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
    let taken_over = world.number("SELECT max(attempt) FROM run").await >= 2;
    // Through a narrow line a heartbeat comes in time, or does not.
    assert!(taken_over || matches!(network, Network::Narrow(_)), "it was not taken over");

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

/// So slow that no heartbeat gets through in time.
#[tokio::test]
async fn too_slow() {
    parted(Network::Slow(Duration::from_secs(5))).await;
}

/// So narrow that everything takes seconds: 1 KB in each.
#[tokio::test]
async fn narrow() {
    parted(Network::Narrow(1024)).await;
}

/// A server that gets 1 KB a second from Postgres answers in time that it cannot, and nothing is lost or
/// there twice when it can.
#[tokio::test]
async fn a_server_with_a_narrow_database_answers() {
    let world = World::new(&SIMULATED).await;
    let proxy = Proxy::start(&world.test.database.options());
    let mut server = world.server_by(proxy.url(&world.test.database.url()));
    let (door, address) = (Door::open(&world).await, address(&mut server));
    proxy.set(Network::Narrow(1024));
    let (asked, busy) = (Instant::now(), Busy::from_now());
    let answers = futures_util::future::join_all(["lab-narrow-0", "lab-narrow-1"].map(|name| door.ask(&address, name)));
    for answer in answers.await {
        if let Err((status, why)) = answer {
            assert_eq!(status.map(|status| status.as_u16()), Some(503), "{why}");
        }
    }
    let took = asked.elapsed().as_secs_f64();
    assert!(took < 40.0 + busy.seconds(), "{took} s");
    proxy.mend();
    for name in ["lab-narrow-0", "lab-narrow-1"] {
        door.insist(&address, name).await;
    }
    assert_eq!(world.number("SELECT count(*) FROM request").await, 2);
    assert_eq!(world.number("SELECT count(*) FROM run").await, 2);
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
    for round in 1..=8 {
        // Each time they have done a little more.
        let left = "SELECT (count(*) = 0)::int FROM run WHERE ended_at IS NULL";
        while lines(&world.log).len() < 60 * round && world.number(left).await == 0 {
            tokio::task::yield_now().await;
        }
        killed += sqlx::query_scalar::<_, i64>(kill).fetch_one(&mut killer).await.unwrap();
    }
    world.rest_soon().await;
    assert!(killed > 10, "{killed} connections were ended");
    drop(workers);
    assert_none(&complaints(&world, &environments).await, &world);
}

/// A request whose connection to Postgres is cut at each piece of what is said, either way: it is
/// acknowledged or refused, and asked again with its key it is there once.
#[tokio::test]
async fn cut_at_every_word_of_a_submit() {
    let world = World::new(&SIMULATED).await;
    let proxy = Proxy::start(&world.test.database.options());
    let mut server = world.server_by(proxy.url(&world.test.database.url()));
    let (door, address) = (Door::open(&world).await, address(&mut server));
    let mut asked = 0;
    for towards in [Towards::Server, Towards::Client] {
        // Whole submits, so that what else the server says there does not end it early.
        let mut whole = 0;
        for pieces in 0.. {
            let name = format!("lab-word-{}-{pieces}", if towards == Towards::Server { "there" } else { "back" });
            proxy.cut_after(towards, pieces);
            let first = door.ask(&address, &name).await;
            let burnt = proxy.mend();
            let id = door.insist(&address, &name).await;
            asked += 1;
            match first {
                Ok(first) => assert_eq!(first, id),
                Err((status, why)) => assert!(status.is_some_and(|status| status.is_server_error()), "{why}"),
            }
            whole = if burnt { 0 } else { whole + 1 };
            if whole == 3 {
                break;
            }
        }
    }
    assert!(asked > 30, "only {asked}");
    for count in [
        "SELECT count(*) FROM request",
        "SELECT count(DISTINCT environment_name) FROM request",
        "SELECT count(*) FROM environment",
        "SELECT count(*) FROM run",
        "SELECT count(*) FROM audit_record WHERE action = 'request.submitted'",
        "SELECT sum(reserved) FROM quota_counter",
    ] {
        assert_eq!(world.number(count).await, asked, "{count}");
    }
}

/// A server whose connections to Postgres swallow everything says so in time, to everybody who asks,
/// and works again when the network does.
#[tokio::test]
async fn a_server_with_a_half_open_database_answers() {
    let world = World::new(&SIMULATED).await;
    let proxy = Proxy::start(&world.test.database.options());
    let mut server = world.server_by(proxy.url(&world.test.database.url()));
    let (door, address) = (Door::open(&world).await, address(&mut server));
    // More at a time than it has connections: every one of them is open when it is swallowed.
    let ask_all = async |what: &str| {
        let names: Vec<String> = (0..12).map(|index| format!("lab-{what}-{index}")).collect();
        futures_util::future::join_all(names.iter().map(|name| door.ask(&address, name))).await
    };
    assert!(ask_all("before").await.iter().all(Result::is_ok));
    proxy.set(Network::HalfOpen);
    let (asked, busy) = (Instant::now(), Busy::from_now());
    for answer in ask_all("swallowed").await {
        let (status, why) = answer.unwrap_err();
        assert_eq!(status.map(|status| status.as_u16()), Some(503), "{why}");
        assert!(why.contains("urn:paddock:problem:unavailable"), "{why}");
    }
    let took = asked.elapsed().as_secs_f64();
    assert!(took < 40.0 + busy.seconds(), "{took} s");
    proxy.mend();
    door.insist(&address, "lab-swallowed-0").await;
    assert!(ask_all("swallowed").await.iter().all(Result::is_ok));
    assert_eq!(world.number("SELECT count(*) FROM request").await, 24);
}
