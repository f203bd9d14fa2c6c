//! Whose turn it is: teams, people, automation; limits, freezes, labels.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use paddock::base::id::ProjectId;
use paddock::orchestrator::{self, NewFreeze, NewRun, RunPlace, RunState, Settings};
use uuid::Uuid;

use super::yard::{Yard, run, settings};
use crate::support::wait::until_true;

fn of_project(label: &str, subject: u128, project: u128) -> NewRun {
    NewRun { project: ProjectId(Uuid::from_u128(project)), ..run(label, subject) }
}

fn place(label: &str, subject: u128, place: RunPlace) -> NewRun {
    NewRun { place, ..run(label, subject) }
}

#[tokio::test]
async fn a_flood_of_one_team_does_not_hold_up_another() {
    let yard = Yard::open().await;
    for number in 0..20 {
        yard.queue_run(of_project(&format!("ok flood {number}"), number, 1)).await;
    }
    yard.queue_run(of_project("ok other", 100, 2)).await;
    let _worker = yard.work(settings("one", 2));
    yard.until_count("SELECT count(*) FROM run WHERE state = 'succeeded'", 21).await;
    let order = yard.order("prepare");
    let other = order.iter().position(|label| label == "ok other").unwrap();
    assert!(other <= 1, "the other team's run was number {other} in {order:?}");
}

#[tokio::test]
async fn people_go_first_and_automation_ages() {
    let yard = Yard::open().await;
    let old = NewRun { priority: 200, ..run("ok old robot", 1) };
    let robot = NewRun { priority: 200, ..run("ok robot", 2) };
    yard.queue_run(old).await;
    yard.queue_run(robot).await;
    for number in 0..4 {
        yard.queue(&format!("ok person {number}"), 10 + number).await;
    }
    yard.execute("UPDATE run SET run_at = now() - interval '10 minutes' WHERE label = 'ok old robot'").await;
    let _worker = yard.work(settings("one", 1));
    yard.until_count("SELECT count(*) FROM run WHERE state = 'succeeded'", 6).await;
    let order = yard.order("prepare");
    assert_eq!((order[0].as_str(), order[5].as_str()), ("ok old robot", "ok robot"), "{order:?}");
}

#[tokio::test]
async fn people_go_before_automation_of_another_team() {
    let yard = Yard::open().await;
    yard.queue_run(NewRun { priority: 200, ..of_project("ok robot", 1, 2) }).await;
    for number in 0..3 {
        yard.queue(&format!("ok person {number}"), 10 + number).await;
    }
    let _worker = yard.work(settings("one", 1));
    yard.until_count("SELECT count(*) FROM run WHERE state = 'succeeded'", 4).await;
    assert_eq!(yard.order("prepare")[3], "ok robot");
}

#[tokio::test]
async fn a_team_with_runs_at_work_waits_for_one_without() {
    let yard = Yard::open().await;
    for number in 0..2 {
        yard.queue(&format!("hold {number}"), number).await;
    }
    let _full = yard.work(settings("full", 2));
    yard.until_calls(4).await;
    yard.queue("ok older", 10).await;
    let other = yard.queue_run(of_project("ok other", 11, 2)).await;
    let _free = yard.work(settings("free", 1));
    yard.until_state(other, RunState::Succeeded).await;
    yard.until_count("SELECT count(*) FROM run WHERE state = 'succeeded'", 2).await;
    assert_eq!(yard.order("prepare")[2..], ["ok other", "ok older"]);
}

/// Two claims that count at the same time would both find room: while one counts, the other leaves
/// that target alone, and only that.
#[tokio::test]
async fn a_limit_is_counted_by_one_at_a_time() {
    let yard = Yard::open().await;
    yard.execute("INSERT INTO target (id, slug, name, provider, run_limit) VALUES ('00000000-0000-0000-0000-00000000004d', 'small', 'Small', 'noop', 2)").await;
    let mut counting = yard.db().begin().await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended(id::text, 7302)) FROM target")
        .execute(&mut *counting)
        .await
        .unwrap();
    let target = Some(Uuid::from_u128(77));
    let limited = yard.queue_run(place("ok limited", 1, RunPlace { target, ..RunPlace::default() })).await;
    let _worker = yard.work(settings("one", 1));
    for number in 0..3 {
        let beside = yard.queue(&format!("ok {number}"), 10 + number).await;
        yard.until_state(beside, RunState::Succeeded).await;
    }
    assert_eq!(yard.run(limited).await.attempt, 0, "it was counted by two");
    counting.rollback().await.unwrap();
    yard.until_state(limited, RunState::Succeeded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_takes_as_many_as_it_may() {
    let yard = Yard::open().await;
    let target = Uuid::from_u128(77);
    yard.execute("INSERT INTO target (id, slug, name, provider, run_limit) VALUES ('00000000-0000-0000-0000-00000000004d', 'small', 'Small', 'noop', 2)").await;
    for number in 0..8 {
        yard.queue_run(place(
            &format!("hold {number}"),
            number,
            RunPlace { target: Some(target), ..RunPlace::default() },
        ))
        .await;
    }
    let _workers = [yard.work(settings("one", 4)), yard.work(settings("two", 4)), yard.work(settings("three", 4))];
    yard.until_count("SELECT count(*) FROM run WHERE state = 'running'", 2).await;
    // Others go on beside it: so the workers have looked again, and left the rest alone.
    for number in 0..6 {
        let beside = yard.queue(&format!("ok {number}"), 100 + number).await;
        yard.until_state(beside, RunState::Succeeded).await;
    }
    assert_eq!(yard.count("SELECT count(*) FROM run WHERE state = 'running'").await, 2);
    yard.script.most.store(0, Ordering::SeqCst);
    yard.script.gate.send_replace(true);
    yard.until_count("SELECT count(*) FROM run WHERE state = 'succeeded'", 14).await;
    assert!(yard.script.most.load(Ordering::SeqCst) <= 2, "never more than two");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_takes_as_many_as_it_may() {
    let yard = Yard::open().await;
    for number in 0..6 {
        yard.queue(&format!("hold {number}"), number).await;
    }
    let limited = |name| Settings { provider_limits: BTreeMap::from([("noop".to_owned(), 3)]), ..settings(name, 4) };
    let _workers = [yard.work(limited("one")), yard.work(limited("two"))];
    yard.until_count("SELECT count(*) FROM run WHERE state = 'running'", 3).await;
    // A call is noted before its run counts as at work.
    until_true("three are at work", async || yard.script.most.load(Ordering::SeqCst) >= 3).await;
    yard.script.gate.send_replace(true);
    yard.until_count("SELECT count(*) FROM run WHERE state = 'succeeded'", 6).await;
    assert_eq!(yard.script.most.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_freeze_holds_runs_until_it_is_lifted() {
    let yard = Yard::open().await;
    let op = Yard::op();
    let mut tx = yard.db().begin().await.unwrap();
    let reason = "The books are being closed.".to_owned();
    let wrong = orchestrator::freeze(&mut tx, &op, &NewFreeze { reason: " ".to_owned(), ..NewFreeze::default() }).await;
    assert!(wrong.is_err(), "a freeze without a reason");
    let id = orchestrator::freeze(&mut tx, &op, &NewFreeze { reason, ..NewFreeze::default() }).await.unwrap();
    tx.commit().await.unwrap();
    let held = yard.queue("ok held", 1).await;
    let _worker = yard.work(settings("one", 1));
    yard.until_count("SELECT count(*) FROM worker", 1).await;
    // Another place's freeze would not hold it; this one does, at every look of the worker.
    for _ in 0..3 {
        let seen = yard.run(held).await;
        assert_eq!((seen.state, seen.attempt), (RunState::Queued, 0));
        let before = looks(&yard).await;
        while looks(&yard).await == before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    let mut tx = yard.db().begin().await.unwrap();
    orchestrator::lift_freeze(&mut tx, &op, id).await.unwrap();
    assert!(orchestrator::lift_freeze(&mut tx, &op, id).await.is_err(), "it is lifted once");
    tx.commit().await.unwrap();
    yard.until_state(held, RunState::Succeeded).await;
    let told = "SELECT count(*) FROM audit_record WHERE action IN ('freeze.set', 'freeze.lifted')";
    assert_eq!(yard.count(told).await, 2);
}

/// Each housekeeping of a worker says that it is there; it looks at the queue before and after.
async fn looks(yard: &Yard) -> i64 {
    yard.count("SELECT (extract(epoch FROM max(seen_at)) * 1000)::bigint FROM worker").await
}

#[tokio::test]
async fn a_freeze_of_one_place_holds_only_its_runs() {
    let yard = Yard::open().await;
    yard.execute(
        "WITH p AS (INSERT INTO project (id, slug, name) VALUES (gen_random_uuid(), 'shop', 'Shop') RETURNING id),
              t AS (INSERT INTO environment_type (id, slug, name) VALUES (gen_random_uuid(), 'prod', 'Prod') RETURNING id)
         INSERT INTO project_environment_type (id, project_id, environment_type_id, default_lifetime_seconds, maximum_lifetime_seconds)
         SELECT '00000000-0000-0000-0000-000000000009', p.id, t.id, 60, 60 FROM p, t",
    )
    .await;
    let frozen = Some(Uuid::from_u128(9));
    let mut tx = yard.db().begin().await.unwrap();
    let new = NewFreeze { place: frozen, reason: "Closed for the sale".to_owned(), ..NewFreeze::default() };
    orchestrator::freeze(&mut tx, &Yard::op(), &new).await.unwrap();
    tx.commit().await.unwrap();
    let held = yard.queue_run(place("ok held", 1, RunPlace { place: frozen, ..RunPlace::default() })).await;
    let free = yard.queue_run(place("ok free", 2, RunPlace { place: Some(Uuid::from_u128(8)), ..RunPlace::default() }));
    let free = free.await;
    let _worker = yard.work(settings("one", 4));
    yard.until_state(free, RunState::Succeeded).await;
    assert_eq!(yard.run(held).await.state, RunState::Queued);
    // A freeze that is over holds nothing.
    yard.execute(
        "UPDATE freeze_window SET starts_at = now() - interval '2 hours', ends_at = now() - interval '1 second'",
    )
    .await;
    yard.until_state(held, RunState::Succeeded).await;
}

#[tokio::test]
async fn only_a_worker_with_the_labels_takes_it() {
    let yard = Yard::open().await;
    yard.execute("INSERT INTO target (id, slug, name, provider, labels) VALUES ('00000000-0000-0000-0000-00000000004d', 'far', 'Far', 'noop', '{eu-west}')").await;
    let labels = vec!["gpu".to_owned()];
    let new = place("ok special", 1, RunPlace { labels, target: Some(Uuid::from_u128(77)), ..RunPlace::default() });
    let special = yard.queue_run(new).await;
    let with = |name, labels: &[&str]| Settings {
        labels: labels.iter().map(|&label| label.to_owned()).collect(),
        ..settings(name, 4)
    };
    let _half = yard.work(with("half", &["gpu"]));
    for number in 0..3 {
        let other = yard.queue(&format!("ok {number}"), 10 + number).await;
        yard.until_state(other, RunState::Succeeded).await;
    }
    assert_eq!(yard.run(special).await.state, RunState::Queued, "it lacks what the target asks for");
    let _whole = yard.work(with("whole", &["ssd", "eu-west", "gpu"]));
    let done = yard.until_state(special, RunState::Succeeded).await;
    assert_eq!(done.worker.as_deref(), Some("whole"));
}
