//! A busy worker writes what several attempts record in one transaction: nobody pays for another.

use std::time::Duration;

use paddock::base::id::RunId;
use paddock::orchestrator::RunState;
use sqlx::Connection as _;

use super::yard::{HELD_KEY, Yard, settings};

const MANY: usize = 8;
const ALL: i64 = 8;

/// Runs that wait together at the gate, the first with this label.
async fn at_the_gate(yard: &Yard, first: &str) -> Vec<RunId> {
    let mut ids = vec![yard.queue(first, 1).await];
    for number in 2..=MANY {
        ids.push(yard.queue(&format!("hold {number}"), number as u128).await);
    }
    yard.until_count("SELECT count(*) FROM run_step WHERE name = 'apply' AND status = 'running'", ALL).await;
    ids
}

#[tokio::test]
async fn those_that_are_ready_together_are_recorded_together() {
    let yard = Yard::open().await;
    let _worker = yard.work(settings("busy", MANY));
    let ids = at_the_gate(&yard, "hold 1").await;
    yard.script.gate.send_replace(true);
    for id in ids {
        assert_eq!(yard.until_state(id, RunState::Succeeded).await.attempt, 1);
    }
    let ends = "SELECT count(DISTINCT xid) FROM audit_record WHERE action = 'environment.ready'";
    assert!(yard.count(ends).await < ALL / 2, "{} transactions", yard.count(ends).await);
    let lines = "SELECT count(*) FROM run r WHERE log_seq = 3 AND
        ARRAY(SELECT text FROM log_line l WHERE l.run_id = r.id ORDER BY seq) = ARRAY['prepare', 'apply', 'collect']";
    assert_eq!(yard.count(lines).await, ALL, "each has its own lines, in order");
}

#[tokio::test]
async fn one_that_cannot_be_settled_does_not_keep_the_others() {
    let yard = Yard::open().await;
    let _worker = yard.work(settings("busy", MANY));
    let ids = at_the_gate(&yard, "hold bad").await;
    yard.script.gate.send_replace(true);
    for id in &ids[1..] {
        assert_eq!(yard.until_state(*id, RunState::Succeeded).await.attempt, 1, "ended by its first attempt");
    }
    assert_eq!(yard.count("SELECT count(*) FROM audit_record WHERE action = 'environment.ready'").await, 7);
    assert_eq!(yard.run(ids[0]).await.state, RunState::Running, "nobody ended it halfway");
}

#[tokio::test]
async fn a_defect_in_settling_one_does_not_end_the_others() {
    let yard = Yard::open().await;
    let _worker = yard.work(settings("busy", MANY));
    let ids = at_the_gate(&yard, "hold panic").await;
    yard.script.gate.send_replace(true);
    for id in &ids[1..] {
        assert_eq!(yard.until_state(*id, RunState::Succeeded).await.attempt, 1, "ended by its first attempt");
    }
    let later = yard.queue("afterwards", 99).await;
    yard.until_state(later, RunState::Succeeded).await;
    assert_eq!(yard.run(ids[0]).await.state, RunState::Running, "nobody ended it halfway");
}

/// Longer than a batch waits for a lock, shorter than a statement may take.
const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn one_whose_subject_is_held_does_not_keep_the_others() {
    let yard = Yard::open().await;
    let _worker = yard.work(settings("busy", MANY));
    let ids = at_the_gate(&yard, "hold held").await;
    let mut holder = sqlx::PgConnection::connect_with(&yard.database.options()).await.unwrap();
    sqlx::query("SELECT pg_advisory_lock($1)").bind(HELD_KEY).execute(&mut holder).await.unwrap();
    yard.script.gate.send_replace(true);
    for id in &ids[1..] {
        let ended = tokio::time::timeout(SOON, yard.until_state(*id, RunState::Succeeded));
        assert_eq!(ended.await.expect("while the other one is held").attempt, 1);
    }
    assert_eq!(yard.run(ids[0]).await.state, RunState::Running);
    sqlx::query("SELECT pg_advisory_unlock($1)").bind(HELD_KEY).execute(&mut holder).await.unwrap();
    assert_eq!(yard.until_state(ids[0], RunState::Succeeded).await.attempt, 1, "it ended once it could");
}

#[tokio::test]
async fn one_that_lost_its_run_is_refused_alone() {
    let yard = Yard::open().await;
    let _worker = yard.work(settings("busy", MANY));
    let ids = at_the_gate(&yard, "hold lost").await;
    yard.execute("UPDATE run SET attempt = 2, worker = 'another' WHERE label = 'hold lost'").await;
    yard.script.gate.send_replace(true);
    for id in &ids[1..] {
        assert_eq!(yard.until_state(*id, RunState::Succeeded).await.attempt, 1);
    }
    yard.until_count("SELECT count(*) FROM audit_record WHERE action = 'run.write_refused'", 1).await;
    let open = "SELECT count(*) FROM run r JOIN run_step s ON s.run_id = r.id
        WHERE r.label = 'hold lost' AND s.name = 'apply' AND s.status = 'running' AND r.state = 'running'";
    assert_eq!(yard.count(open).await, 1, "nothing of it was recorded");
}
