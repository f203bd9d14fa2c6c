//! Where several environments in a row met an error that may pass, runs wait, and one tries.

use std::time::Duration;

use paddock::base::id::RunId;
use paddock::orchestrator::{self, Circuit, NewRun, RunPlace, RunState, Waiting, Why};
use uuid::Uuid;

use super::yard::{AtWork, Yard, run, settings};

const TARGET: Uuid = Uuid::from_u128(77);
const CONNECT: &str = "INSERT INTO target (id, slug, name, provider)
    VALUES ('00000000-0000-0000-0000-00000000004d', 'eu-small', 'Small', 'noop')";
const OPEN: &str = "SELECT count(*) FROM circuit WHERE opened = 1 AND NOT trying";
/// Those that failed come back in an hour.
const PARK: &str = "UPDATE run SET run_at = now() + interval '1 hour' WHERE label LIKE 'again%' AND state = 'queued'";
const MAY_TRY: &str = "UPDATE circuit SET open_until = now()";

async fn there(yard: &Yard, label: &str, subject: u128) -> RunId {
    let place = RunPlace { target: Some(TARGET), ..RunPlace::default() };
    yard.queue_run(NewRun { place, ..run(label, subject) }).await
}

/// Three environments of the target met an error; theirs do not come back soon.
async fn opened() -> Yard {
    let yard = Yard::open().await;
    yard.execute(CONNECT).await;
    let first = yard.work(settings("first", 3));
    for number in 1..=3 {
        there(&yard, &format!("again {number}"), number).await;
    }
    ends(&yard, first, OPEN, 3).await;
    yard
}

/// The worker ends once `query` counts one and all that failed is back in the queue, not soon to be tried.
async fn ends(yard: &Yard, worker: AtWork, query: &'static str, failed: i64) {
    yard.until_count(query, 1).await;
    yard.until_count("SELECT count(*) FROM run WHERE state = 'queued'", failed).await;
    worker.drain.cancel();
    worker.done.await.unwrap();
    yard.execute(PARK).await;
}

async fn circuits(yard: &Yard) -> Vec<Circuit> {
    orchestrator::circuits(&mut yard.db().acquire().await.unwrap()).await.unwrap()
}

async fn waits(yard: &Yard, id: RunId) -> Waiting {
    let line = orchestrator::place_in_line(&mut yard.db().acquire().await.unwrap(), id).await.unwrap();
    line.expect("it waits")
}

/// Waits until this worker has looked at the queue a few times more.
async fn looks(yard: &Yard) {
    for _ in 0..2 {
        let seen = "SELECT coalesce(extract(epoch FROM max(seen_at)) * 1000, 0)::bigint FROM worker";
        let before = yard.count(seen).await;
        while yard.count(seen).await == before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn runs_wait_where_three_environments_in_a_row_met_an_error() {
    let yard = opened().await;
    let circuit = circuits(&yard).await.pop().unwrap();
    assert_eq!((circuit.of.as_str(), circuit.environments), ("the target eu-small", 3));
    assert_eq!(circuit.error, "it does not work yet");
    let held = there(&yard, "ok held", 4).await;
    let elsewhere = yard.queue("ok elsewhere", 5).await;
    let _worker = yard.work(settings("second", 3));
    yard.until_state(elsewhere, RunState::Succeeded).await;
    looks(&yard).await;
    assert_eq!((yard.run(held).await.state, yard.run(held).await.attempt), (RunState::Queued, 0));
    let seen = waits(&yard, held).await;
    assert_eq!(seen.why.sentence(), "Held: 3 environments in a row met an error at the target eu-small.");
    assert_eq!((seen.why.until(), seen.position), (Some(circuit.until), None));
}

#[tokio::test]
async fn one_tries_and_when_it_succeeds_the_others_go_on() {
    let yard = opened().await;
    let (one, other) = (there(&yard, "hold one", 4).await, there(&yard, "hold other", 5).await);
    let _worker = yard.work(settings("second", 3));
    yard.execute(MAY_TRY).await;
    yard.until_calls(3 * 2 + 2).await;
    looks(&yard).await;
    let states = [yard.run(one).await.state, yard.run(other).await.state];
    assert_eq!(states, [RunState::Running, RunState::Queued], "one tries");
    assert!(matches!(waits(&yard, other).await.why, Why::Circuit { .. }));
    yard.script.gate.send_replace(true);
    yard.until_state(one, RunState::Succeeded).await;
    yard.until_state(other, RunState::Succeeded).await;
    assert_eq!(yard.count("SELECT count(*) FROM circuit").await, 0);
}

/// Without a target it is the provider's.
#[tokio::test]
async fn also_of_what_needs_no_target_one_tries() {
    let yard = Yard::open().await;
    let first = yard.work(settings("first", 3));
    for number in 1..=3 {
        yard.queue(&format!("again {number}"), number).await;
    }
    ends(&yard, first, OPEN, 3).await;
    let ids = [yard.queue("hold one", 4).await, yard.queue("hold other", 5).await];
    let _worker = yard.work(settings("second", 3));
    looks(&yard).await;
    assert!(matches!(waits(&yard, ids[0]).await.why, Why::Circuit { .. }));
    yard.execute(MAY_TRY).await;
    yard.until_calls(3 * 2 + 2).await;
    looks(&yard).await;
    assert_eq!(yard.count("SELECT count(*) FROM run WHERE state = 'running'").await, 1, "one tries");
    yard.script.gate.send_replace(true);
    for id in ids {
        yard.until_state(id, RunState::Succeeded).await;
    }
    assert_eq!(yard.count("SELECT count(*) FROM circuit").await, 0);
}

/// Errors of long ago are not in a row with those of now.
#[tokio::test]
async fn errors_of_long_ago_are_not_counted() {
    let yard = Yard::open().await;
    yard.execute(CONNECT).await;
    let first = yard.work(settings("first", 3));
    for number in 1..=2 {
        there(&yard, &format!("again {number}"), number).await;
    }
    ends(&yard, first, "SELECT count(*) FROM circuit WHERE cardinality(subjects) = 2", 2).await;
    yard.execute("UPDATE circuit SET failed_at = now() - interval '11 minutes'").await;
    there(&yard, "again now", 3).await;
    let _worker = yard.work(settings("second", 3));
    yard.until_count("SELECT count(*) FROM circuit WHERE failed_at > now() - interval '10 minutes'", 1).await;
    assert!(circuits(&yard).await.is_empty());
    assert_eq!(yard.count("SELECT cardinality(subjects)::bigint FROM circuit").await, 1);
}

/// What was under way when it opened is not the one that tries.
#[tokio::test]
async fn only_a_try_opens_it_for_longer() {
    let yard = Yard::open().await;
    yard.execute(CONNECT).await;
    let _worker = yard.work(settings("first", 4));
    there(&yard, "late 4", 4).await;
    yard.until_calls(2).await;
    for number in 1..=3 {
        there(&yard, &format!("again {number}"), number).await;
    }
    yard.until_count(OPEN, 1).await;
    yard.script.gate.send_replace(true);
    yard.until_count("SELECT count(*) FROM circuit WHERE cardinality(subjects) = 4", 1).await;
    assert_eq!(yard.count(OPEN).await, 1);
}

#[tokio::test]
async fn a_try_that_fails_opens_it_for_longer() {
    let yard = opened().await;
    there(&yard, "again 9", 9).await;
    let _worker = yard.work(settings("second", 3));
    yard.execute(MAY_TRY).await;
    yard.until_count("SELECT count(*) FROM circuit WHERE opened = 2 AND NOT trying", 1).await;
    let longer = "SELECT extract(epoch FROM open_until - failed_at)::bigint FROM circuit";
    assert_eq!(yard.count(longer).await, 60, "twice the first time");
}

#[tokio::test]
async fn one_environment_that_fails_again_and_again_holds_only_itself() {
    let yard = Yard::open().await;
    yard.execute(CONNECT).await;
    let _worker = yard.work(settings("first", 3));
    let sick = there(&yard, "again alone", 1).await;
    for attempt in 1..=3 {
        yard.until_state(sick, RunState::Queued).await;
        while yard.run(sick).await.attempt < attempt {
            yard.execute("UPDATE run SET run_at = now() WHERE state = 'queued'").await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    yard.until_state(sick, RunState::Queued).await;
    assert!(circuits(&yard).await.is_empty());
    let other = there(&yard, "ok other", 2).await;
    yard.until_state(other, RunState::Succeeded).await;
    assert_eq!(yard.count("SELECT count(*) FROM circuit").await, 0, "a success forgets what was counted");
}

#[tokio::test]
async fn a_person_may_let_all_go_on() {
    let yard = opened().await;
    let held = there(&yard, "ok held", 4).await;
    let _worker = yard.work(settings("second", 3));
    let id = circuits(&yard).await[0].id;
    let mut tx = yard.db().begin().await.unwrap();
    orchestrator::close_circuit(&mut tx, &Yard::op(), id).await.unwrap();
    assert!(orchestrator::close_circuit(&mut tx, &Yard::op(), id).await.is_err(), "once");
    tx.commit().await.unwrap();
    yard.until_state(held, RunState::Succeeded).await;
    assert_eq!(yard.count("SELECT count(*) FROM audit_record WHERE action = 'circuit.closed'").await, 1);
}
