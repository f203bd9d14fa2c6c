//! The desk: attempts that write at the same time write together, each under its own token, and none
//! waits for another one's lock.

use std::time::Duration;

use paddock::db::Db;
use paddock::orchestrator::{RunState, Settings};
use sqlx::Connection as _;

use super::yard::{AtWork, Yard, settings};

const RUNS: usize = 12;
const SUCCEEDED: &str = "SELECT count(*) FROM run WHERE state = 'succeeded'";

/// As many runs as the worker has slots, all of which wait in their second step.
async fn crowd(yard: &Yard) -> AtWork {
    for number in 0..RUNS {
        yard.queue(&format!("hold {number}"), number as u128).await;
    }
    let db = Db::with_options(yard.database.options(), 16);
    // No heartbeat meets a lock of the test.
    let worker = yard.work_on(db, Settings { lease: Duration::from_mins(2), ..settings("one", RUNS) });
    yard.until_calls(2 * RUNS).await;
    worker
}

/// In how many transactions runs ended.
const ENDS: &str = "SELECT count(DISTINCT xid) FROM audit_record WHERE action = 'environment.ready'";

#[tokio::test]
async fn attempts_that_write_at_the_same_time_write_together() {
    let yard = Yard::open().await;
    let _worker = crowd(&yard).await;
    yard.script.gate.send_replace(true);
    yard.until_count(SUCCEEDED, 12).await;
    let transactions = yard.count(ENDS).await;
    assert!(transactions < 12, "{transactions} transactions for 12 ends");
    assert_eq!(yard.count("SELECT count(*) FROM run_step WHERE status = 'succeeded' AND attempt = 1").await, 36);
    // The lines of each run have its own numbers, and stand at its own steps.
    let lines = "SELECT count(*) FROM run WHERE log_seq = 3 AND (
         SELECT string_agg(step || ' ' || text, ',' ORDER BY seq) FROM log_line WHERE run_id = run.id)
         = 'prepare prepare,apply apply,collect collect'";
    assert_eq!(yard.count(lines).await, 12);
    yard.lanes_are_whole().await;
}

#[tokio::test]
async fn a_run_that_another_attempt_holds_is_left_out() {
    let yard = Yard::open().await;
    let _worker = crowd(&yard).await;
    let steal = "UPDATE run SET attempt = 2, worker = 'heir', lease_until = now() + interval '1 hour'
                 WHERE label = 'hold 5'";
    assert_eq!(yard.execute(steal).await, 1);
    yard.script.gate.send_replace(true);
    yard.until_count(SUCCEEDED, 11).await;
    yard.until_count("SELECT count(*) FROM audit_record WHERE action = 'run.write_refused'", 1).await;
    let untouched = "SELECT count(*) FROM run JOIN run_step AS s ON s.run_id = run.id AND s.name = 'apply'
         WHERE label = 'hold 5' AND run.attempt = 2 AND worker = 'heir' AND state = 'running'
           AND s.status = 'running' AND s.attempt = 1
           AND NOT EXISTS (SELECT FROM log_line WHERE run_id = run.id AND step = 'collect')";
    assert_eq!(yard.count(untouched).await, 1);
}

#[tokio::test]
async fn nobody_waits_for_a_neighbour_whose_run_is_locked() {
    let yard = Yard::open().await;
    let _worker = crowd(&yard).await;
    let mut locker = sqlx::PgConnection::connect_with(&yard.database.options()).await.unwrap();
    let mut tx = locker.begin().await.unwrap();
    sqlx::query("SELECT FROM run WHERE label = 'hold 5' FOR UPDATE").execute(&mut *tx).await.unwrap();
    yard.script.gate.send_replace(true);
    yard.until_count(SUCCEEDED, 11).await;
    tx.rollback().await.unwrap();
    yard.until_count(SUCCEEDED, 12).await;
    assert_eq!(yard.count("SELECT count(*) FROM run WHERE attempt <> 1").await, 0);
}

/// The end of a run takes the lock of its lane, as does whoever queues one there.
#[tokio::test]
async fn nobody_waits_for_a_neighbour_whose_lane_is_locked() {
    let yard = Yard::open().await;
    let _worker = crowd(&yard).await;
    let mut locker = sqlx::PgConnection::connect_with(&yard.database.options()).await.unwrap();
    let mut tx = locker.begin().await.unwrap();
    sqlx::query("SELECT lock_lane(subject_id) FROM run WHERE label = 'hold 5'").execute(&mut *tx).await.unwrap();
    yard.script.gate.send_replace(true);
    yard.until_count(SUCCEEDED, 11).await;
    assert_eq!(yard.count("SELECT count(*) FROM run WHERE state = 'running' AND label = 'hold 5'").await, 1);
    tx.rollback().await.unwrap();
    yard.until_count(SUCCEEDED, 12).await;
}

#[tokio::test]
async fn each_run_of_a_crowd_ends_as_it_should() {
    let yard = Yard::open().await;
    let labels = ["ok", "wrong", "again", "unknown"];
    let mut ids = Vec::new();
    for number in 0..RUNS {
        ids.push(yard.queue(&format!("{} {number}", labels[number % 4]), number as u128).await);
    }
    let _worker = yard.work(settings("one", RUNS));
    for (number, id) in ids.into_iter().enumerate() {
        match number % 4 {
            0 => yard.until_state(id, RunState::Succeeded).await,
            1 => yard.until_state(id, RunState::Failed).await,
            _ => yard.until_state(id, RunState::Queued).await,
        };
    }
    let told = "SELECT count(*) FROM run WHERE state = 'queued' AND attempt = 1 AND error_step = 'apply'";
    yard.until_count(told, 6).await;
    assert_eq!(yard.count("SELECT count(*) FROM audit_record WHERE action = 'run.requeued'").await, 6);
}
