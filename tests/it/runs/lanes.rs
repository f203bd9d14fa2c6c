//! The queue: one run at a time for each subject, in order, and a next one after every way to end.

use std::time::Duration;

use paddock::base::id::RunId;
use paddock::db::Db;
use paddock::orchestrator::{self, RunState, Settings};
use sqlx::PgConnection;

use super::yard::{Yard, run, settings};

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_take_each_lane_in_order() {
    let yard = Yard::open().await;
    for number in 0..6 {
        for lane in 0..4_u128 {
            yard.queue(&format!("ok {lane}/{number}"), lane).await;
        }
    }
    yard.lanes_are_whole().await;
    let (_one, _two) = (yard.work(settings("one", 3)), yard.work(settings("two", 3)));
    yard.until_count("SELECT count(*) FROM run WHERE state = 'succeeded'", 24).await;
    for lane in 0..4 {
        let order = yard.order("prepare").into_iter().filter(|label| label.starts_with(&format!("ok {lane}/")));
        let wanted: Vec<String> = (0..6).map(|number| format!("ok {lane}/{number}")).collect();
        assert_eq!(order.collect::<Vec<_>>(), wanted);
    }
    assert!(yard.script.calls.lock().unwrap().len() == 24 * 3, "every step once");
    yard.lanes_are_whole().await;
    // What the calls printed and what the audit log says of them.
    assert_eq!(yard.count("SELECT count(*) FROM log_line").await, 24 * 3);
    assert_eq!(yard.count("SELECT count(*) FROM audit_record WHERE action = 'run.started'").await, 24);
    assert_eq!(yard.count("SELECT count(*) FROM run_step WHERE status = 'succeeded'").await, 24 * 3);
}

/// Each way a head can end, and what must then be the head.
#[tokio::test]
async fn every_way_to_end_promotes_the_next() {
    let yard = Yard::open().await;
    let ways: [(&str, &[&str]); 6] = [
        ("canceled while queued", &[]),
        (
            "succeeded",
            &[
                "UPDATE run SET state = 'running', lease_until = now() WHERE head",
                "UPDATE run SET state = 'succeeded', lease_until = NULL, ended_at = now() WHERE state = 'running'",
            ],
        ),
        (
            "failed",
            &[
                "UPDATE run SET state = 'running', lease_until = now() WHERE head",
                "UPDATE run SET state = 'failed', lease_until = NULL, ended_at = now() WHERE state = 'running'",
            ],
        ),
        (
            "faulted while queued",
            &["UPDATE run SET state = 'faulted', ended_at = now() WHERE head AND state = 'queued'"],
        ),
        (
            "canceled while running",
            &[
                "UPDATE run SET state = 'running', lease_until = now() WHERE head",
                "UPDATE run SET state = 'canceled', lease_until = NULL, ended_at = now() WHERE state = 'running'",
            ],
        ),
        (
            "faulted",
            &[
                "UPDATE run SET state = 'running', lease_until = now() WHERE head",
                "UPDATE run SET state = 'faulted', lease_until = NULL, ended_at = now() WHERE state = 'running'",
            ],
        ),
    ];
    let mut ids = Vec::new();
    for number in 0..=ways.len() {
        ids.push(yard.queue(&format!("ok {number}"), 1).await);
    }
    let mut connection = yard.db().acquire().await.unwrap();
    for (number, (way, statements)) in ways.iter().enumerate() {
        assert_eq!(head(&mut connection).await, ids[number], "before: {way}");
        for statement in *statements {
            assert_eq!(yard.execute(statement).await, 1, "{way}");
        }
        if statements.is_empty() {
            let mut tx = yard.db().begin().await.unwrap();
            orchestrator::cancel(&mut tx, &Yard::op(), ids[number], &yard.workflow()).await.unwrap();
            tx.commit().await.unwrap();
        }
        assert_eq!(head(&mut connection).await, ids[number + 1], "after: {way}");
        yard.lanes_are_whole().await;
    }
    // One that goes back to the queue keeps its place.
    yard.execute("UPDATE run SET state = 'running', lease_until = now() WHERE head").await;
    yard.queue("ok later", 1).await;
    yard.execute("UPDATE run SET state = 'queued', lease_until = NULL WHERE head").await;
    assert_eq!(head(&mut connection).await, ids[ways.len()]);
}

/// An earlier version knew two steps and laid them out; its worker died in the second one.
#[tokio::test]
async fn a_run_laid_out_by_an_earlier_version_gets_the_new_steps() {
    let (yard, id) = laid_out_before("('prepare', 'succeeded'), ('collect', 'running')").await;
    let _worker = yard.work(settings("one", 1));
    yard.until_state(id, RunState::Succeeded).await;
    assert_eq!(*yard.script.calls.lock().unwrap(), ["ok older apply 2", "ok older collect 2 unsure"]);
    let steps = orchestrator::steps(&mut yard.db().acquire().await.unwrap(), id).await.unwrap();
    let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["prepare", "apply", "collect"]);
    assert!(steps.iter().all(|step| step.status == orchestrator::StepStatus::Succeeded), "{steps:?}");
}

/// A step that a later version put before one that succeeded is not gone back to.
#[tokio::test]
async fn a_run_never_goes_back_behind_what_succeeded() {
    let (yard, id) = laid_out_before("('apply', 'succeeded'), ('collect', 'pending')").await;
    yard.script.partial.store(true, std::sync::atomic::Ordering::SeqCst);
    let _worker = yard.work(settings("one", 1));
    yard.until_state(id, RunState::Succeeded).await;
    assert_eq!(*yard.script.calls.lock().unwrap(), ["ok older collect 2"]);
}

#[tokio::test]
async fn only_a_head_can_run() {
    let yard = Yard::open().await;
    let first = yard.queue("ok first", 1).await;
    yard.queue("ok second", 1).await;
    // Also not by a worker of the last version, which does not know of heads.
    let taken = yard.execute("UPDATE run SET state = 'running', lease_until = now() WHERE state = 'queued'").await;
    assert_eq!(taken, 1);
    assert_eq!(yard.run(first).await.state, RunState::Running);
    yard.lanes_are_whole().await;
}

/// Whoever cancels a run, or claims it just now, holds its row: others take what is behind it.
#[tokio::test]
async fn a_run_that_somebody_holds_keeps_nobody_waiting() {
    let yard = Yard::open().await;
    let held = yard.queue("ok held", 1).await;
    let mut holder = yard.db().begin().await.unwrap();
    sqlx::query("SELECT FROM run WHERE id = $1 FOR UPDATE").bind(held.0).execute(&mut *holder).await.unwrap();
    let beside = yard.queue("ok beside", 2).await;
    let _worker = yard.work(settings("one", 4));
    let ended = tokio::time::timeout(Duration::from_secs(10), yard.until_state(beside, RunState::Succeeded));
    ended.await.expect("while the other one is held");
    assert_eq!(yard.run(held).await.state, RunState::Queued);
    holder.rollback().await.unwrap();
    yard.until_state(held, RunState::Succeeded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_leaves_no_lane_without_head() {
    let yard = Yard::open().await;
    let db = Db::with_options(yard.database.options(), 16);
    let tasks = (0..8_u64).map(|task| {
        let (db, workflow, op) = (db.clone(), yard.workflow(), Yard::op());
        tokio::spawn(async move {
            let mut mine: Vec<RunId> = Vec::new();
            for turn in 0..60_u64 {
                let lane = (task * 31 + turn * 7) % 3;
                if turn % 3 < 2 {
                    let new = run("ok crowd", u128::from(lane));
                    let mut tx = db.begin().await.unwrap();
                    orchestrator::enqueue(&mut tx, &new).await.unwrap();
                    tx.commit().await.unwrap();
                    mine.push(new.id);
                } else if let Some(id) = mine.pop() {
                    let mut tx = db.begin().await.unwrap();
                    let _ = orchestrator::cancel(&mut tx, &op, id, &workflow).await;
                    if turn % 2 == 0 { tx.commit().await.unwrap() } else { tx.rollback().await.unwrap() }
                }
            }
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let worker = yard.work_on(db.clone(), settings("crowd", 4));
    for task in tasks {
        task.await.unwrap();
    }
    yard.until_count("SELECT count(*) FROM run WHERE state IN ('queued', 'running')", 0).await;
    yard.lanes_are_whole().await;
    worker.drain.cancel();
    worker.done.await.unwrap();
}

#[tokio::test]
async fn a_lane_that_stands_still_is_put_right() {
    let yard = Yard::open().await;
    let id = yard.queue("ok alone", 1).await;
    yard.execute("UPDATE run SET head = false").await;
    let mut connection = yard.db().acquire().await.unwrap();
    assert_eq!(orchestrator::lanes_without_head(&mut connection).await.unwrap(), 1, "the monitor sees it");
    let _worker = yard.work(settings("one", 1));
    yard.until_state(id, RunState::Succeeded).await;
}

/// What one run costs does not grow with the backlog: rows read from the table, per run, with one
/// and with forty waiting in each lane.
#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_does_not_slow_the_claim_down() {
    let mut rows = Vec::new();
    for depth in [1, 40] {
        let yard = Yard::open().await;
        // Sessions that end tell the statistics what they read.
        let db = Db::with_options(yard.database.options(), 6);
        let mut tx = db.begin().await.unwrap();
        for number in 0..depth {
            for lane in 0..20_u128 {
                orchestrator::enqueue(&mut tx, &run(&format!("ok {lane}/{number}"), lane)).await.unwrap();
            }
        }
        tx.commit().await.unwrap();
        db.close().await;
        let before = read_of_run(&yard).await;
        let db = Db::with_options(yard.database.options(), 6);
        let worker = yard.work_on(db.clone(), Settings { lease: Duration::from_secs(60), ..settings("one", 8) });
        yard.until_calls(depth * 20 * 3).await;
        worker.drain.cancel();
        worker.done.await.unwrap();
        db.close().await;
        assert_eq!(yard.count("SELECT count(*) FROM run WHERE state <> 'succeeded'").await, 0);
        rows.push((read_of_run(&yard).await - before) / i64::try_from(depth * 20).unwrap());
    }
    assert!(rows[1] < rows[0] * 2 + 60, "rows read per run: {rows:?}");
}

/// Rows of `run` read so far, by whatever way, once every session has told.
async fn read_of_run(yard: &Yard) -> i64 {
    let query =
        "SELECT (seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_user_tables WHERE relname = 'run'";
    yard.execute("SELECT pg_stat_force_next_flush()").await;
    yard.count(query).await
}

/// A run whose first attempt another version began, with the two steps that it knew: `('name', 'status')`.
async fn laid_out_before(steps: &'static str) -> (Yard, RunId) {
    let yard = Yard::open().await;
    let id = yard.queue("ok older", 1).await;
    yard.execute("UPDATE run SET attempt = 1").await;
    let insert = format!(
        "INSERT INTO run_step (run_id, position, name, status, attempt, checkpoint)
         SELECT run.id, row_number() OVER (), s.name, s.status, CASE WHEN s.status = 'pending' THEN 0 ELSE 1 END,
             CASE WHEN s.status = 'succeeded' THEN ''::bytea END
         FROM run, (VALUES {steps}) AS s (name, status)"
    );
    let done = sqlx::raw_sql(sqlx::AssertSqlSafe(insert)).execute(yard.db().pool()).await.unwrap();
    assert_eq!(done.rows_affected(), 2);
    (yard, id)
}

async fn head(connection: &mut PgConnection) -> RunId {
    RunId(sqlx::query_scalar("SELECT id FROM run WHERE head").fetch_one(connection).await.unwrap())
}
