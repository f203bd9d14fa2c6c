//! Holding a run: retries, quarantine, cancel, drain, the end of a worker.

use std::time::Duration;

use paddock::orchestrator::{self, RunState, Settings};

use super::yard::{Yard, settings};

/// A worker that died: it holds a run, and does not answer any more.
async fn die(yard: &Yard) {
    let statement = "UPDATE run SET state = 'running', attempt = attempt + 1, worker = 'dead',
         lease_until = now() - interval '1 second' WHERE head AND state = 'queued'";
    assert_eq!(yard.execute(statement).await, 1);
}

#[tokio::test]
async fn what_is_wrong_for_good_fails_at_once() {
    let yard = Yard::open().await;
    let _worker = yard.work(settings("one", 1));
    let id = yard.queue("wrong", 1).await;
    let run = yard.until_state(id, RunState::Failed).await;
    assert_eq!((run.attempt, run.error.as_deref(), run.error_step.as_deref()), (1, Some("it is wrong"), Some("apply")));
}

#[tokio::test]
async fn what_may_pass_is_tried_again_later_and_then_quarantined() {
    let yard = Yard::open().await;
    let _worker = yard.work(settings("one", 1));
    let id = yard.queue("again", 1).await;
    for attempt in 1..=4 {
        let waits = "SELECT count(*) FROM run WHERE state = 'queued' AND run_at > now() AND error IS NOT NULL";
        yard.until_count(waits, 1).await;
        let run = yard.run(id).await;
        assert_eq!((run.attempt, run.error_step.as_deref()), (attempt, Some("apply")));
        yard.execute("UPDATE run SET run_at = now() WHERE state = 'queued'").await;
    }
    let run = yard.until_state(id, RunState::Faulted).await;
    assert_eq!(run.attempt, run.max_attempts);
    assert!(run.error.as_ref().unwrap().contains("gave up after 5 attempts"), "{:?}", run.error);
    assert_eq!(run.error_step.as_deref(), Some("apply"));
    // What succeeded once was not done again.
    assert_eq!((yard.order("prepare").len(), yard.order("apply").len()), (1, 5));
    assert_eq!(yard.count("SELECT count(*) FROM audit_record WHERE action = 'run.requeued'").await, 4);
    let told = "SELECT count(*) FROM log_line WHERE step = 'apply' AND stream = 'paddock'
        AND text LIKE 'it does not work yet (attempt _ of 5; the next one in % s)'";
    assert_eq!(yard.count(told).await, 4, "the log keeps what each attempt met");
}

#[tokio::test]
async fn a_run_that_kills_its_workers_is_quarantined() {
    let yard = Yard::open().await;
    let id = yard.queue("ok poison", 1).await;
    yard.execute("UPDATE run SET max_attempts = 2").await;
    die(&yard).await;
    // A worker that takes no runs, only looks after those of others.
    let reaper = yard.work(Settings { slots: 0, ..settings("reaper", 0) });
    yard.until_state(id, RunState::Queued).await;
    die(&yard).await;
    let run = yard.until_state(id, RunState::Faulted).await;
    assert_eq!(run.attempt, 2, "crashes count");
    assert!(run.error.unwrap().contains("stopped answering 2 times"));
    yard.lanes_are_whole().await;
    reaper.drain.cancel();
    reaper.done.await.unwrap();
}

#[tokio::test]
async fn no_answer_leads_to_a_look_and_not_to_a_second_try() {
    let yard = Yard::open().await;
    let _worker = yard.work(settings("one", 1));
    let id = yard.queue("unknown", 1).await;
    yard.until_count("SELECT count(*) FROM run WHERE state = 'queued' AND run_at > now()", 1).await;
    assert!(yard.run(id).await.error.unwrap().contains("not known"));
    yard.execute("UPDATE run SET run_at = now()").await;
    yard.until_state(id, RunState::Succeeded).await;
    let calls = yard.script.calls.lock().unwrap().clone();
    assert!(calls.contains(&"unknown apply 2 unsure".to_owned()), "{calls:?}");
    assert!(calls.contains(&"unknown apply 1".to_owned()), "{calls:?}");
}

#[tokio::test]
async fn a_cancel_is_heard() {
    let yard = Yard::open().await;
    let _worker = yard.work(Settings { lease: Duration::from_millis(600), ..settings("one", 1) });
    let id = yard.queue("hold", 1).await;
    yard.until_calls(2).await;
    cancel(&yard, id).await;
    let run = yard.until_state(id, RunState::Canceled).await;
    assert_eq!(run.attempt, 1);
    assert_eq!(yard.count("SELECT count(*) FROM run_step WHERE status = 'canceled'").await, 1);
    assert_eq!(yard.count("SELECT count(*) FROM run_step WHERE status = 'running'").await, 0);
}

#[tokio::test]
async fn a_cancel_that_is_not_heard_becomes_firm() {
    let yard = Yard::open().await;
    let soon = Settings { lease: Duration::from_millis(600), firm: Duration::from_millis(50), ..settings("one", 1) };
    let _worker = yard.work(soon);
    let id = yard.queue("deaf", 1).await;
    let next = yard.queue("ok next", 1).await;
    yard.until_calls(2).await;
    cancel(&yard, id).await;
    yard.until_state(id, RunState::Canceled).await;
    let said = "SELECT count(*) FROM log_line WHERE text LIKE 'It did not stop%'";
    assert_eq!(yard.count(said).await, 1);
    yard.until_state(next, RunState::Succeeded).await;
}

async fn cancel(yard: &Yard, id: paddock::base::id::RunId) {
    let mut tx = yard.db().begin().await.unwrap();
    orchestrator::cancel(&mut tx, &Yard::op(), id, &yard.workflow()).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_drain_lets_runs_end_and_takes_no_more() {
    let yard = Yard::open().await;
    let worker = yard.work(settings("one", 2));
    let running = yard.queue("hold", 1).await;
    yard.until_calls(2).await;
    worker.drain.cancel();
    yard.until_count("SELECT count(*) FROM worker WHERE draining", 1).await;
    let left = yard.queue("ok left", 2).await;
    assert_eq!(yard.run(running).await.state, RunState::Running);
    yard.script.gate.send_replace(true);
    worker.done.await.unwrap();
    assert_eq!(yard.run(running).await.state, RunState::Succeeded);
    assert_eq!(yard.run(left).await.state, RunState::Queued, "a draining worker takes nothing");
    assert_eq!(yard.count("SELECT count(*) FROM worker").await, 0);
}

#[tokio::test]
async fn what_does_not_end_in_time_is_handed_over() {
    let yard = Yard::open().await;
    let worker = yard.work(Settings { grace: Duration::ZERO, ..settings("one", 1) });
    let id = yard.queue("hold", 1).await;
    yard.until_calls(2).await;
    worker.drain.cancel();
    worker.done.await.unwrap();
    let run = yard.run(id).await;
    // Given back, not left to its lease; and the attempt does not count.
    assert_eq!((run.state, run.attempt, run.max_attempts), (RunState::Queued, 1, 6));
    yard.script.gate.send_replace(true);
    let _next = yard.work(settings("two", 1));
    let run = yard.until_state(id, RunState::Succeeded).await;
    assert_eq!((run.attempt, run.worker.as_deref()), (2, Some("two")));
}

#[tokio::test]
async fn a_worker_that_is_told_to_drain_takes_nothing_until_it_is_resumed() {
    let yard = Yard::open().await;
    let _worker = yard.work(settings("one", 2));
    yard.until_count("SELECT count(*) FROM worker", 1).await;
    tell(&yard, true).await;
    let id = yard.queue("ok later", 1).await;
    yard.until_count("SELECT count(*) FROM worker WHERE draining", 1).await;
    assert_eq!(yard.run(id).await.attempt, 0);
    let workers = orchestrator::workers(&mut yard.db().acquire().await.unwrap()).await.unwrap();
    assert!(workers[0].draining && workers[0].drain_requested && !workers[0].silent);
    tell(&yard, false).await;
    yard.until_state(id, RunState::Succeeded).await;
    let told = "SELECT count(*) FROM audit_record WHERE action IN ('worker.drained', 'worker.resumed')";
    assert_eq!(yard.count(told).await, 2);
}

async fn tell(yard: &Yard, drain: bool) {
    let mut tx = yard.db().begin().await.unwrap();
    orchestrator::drain_worker(&mut tx, &Yard::op(), "one", drain).await.unwrap();
    assert!(orchestrator::drain_worker(&mut tx, &Yard::op(), "nobody", drain).await.is_err());
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_stops_and_writes_nothing() {
    let yard = Yard::open().await;
    let worker = yard.work(Settings { lease: Duration::from_millis(600), ..settings("one", 1) });
    let id = yard.queue("deaf", 1).await;
    yard.until_calls(2).await;
    // Somebody else holds it now, for long.
    yard.execute("UPDATE run SET attempt = attempt + 1, worker = 'two', lease_until = now() + interval '1 hour'").await;
    worker.drain.cancel();
    // The step does not listen; it is dropped nevertheless, long before its own grace of 30 s.
    tokio::time::timeout(Duration::from_secs(20), worker.done).await.expect("it let go").unwrap();
    let run = yard.run(id).await;
    assert_eq!((run.state, run.attempt, run.worker.as_deref()), (RunState::Running, 2, Some("two")));
    assert_eq!(yard.count("SELECT count(*) FROM run_step WHERE status = 'running'").await, 1);
}

/// It had no free place when it was told, so no look at the queue was under way.
#[tokio::test]
async fn a_worker_that_was_told_to_stop_takes_nothing_more() {
    let yard = Yard::open().await;
    let worker = yard.work(settings("one", 1));
    let first = yard.queue("hold first", 1).await;
    let second = yard.queue("ok second", 2).await;
    yard.until_calls(2).await;
    worker.drain.cancel();
    yard.script.gate.send_replace(true);
    worker.done.await.unwrap();
    assert_eq!(yard.run(first).await.state, RunState::Succeeded);
    let left = yard.run(second).await;
    assert_eq!((left.state, left.attempt), (RunState::Queued, 0));
}
