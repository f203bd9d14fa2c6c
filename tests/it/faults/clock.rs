//! Machines whose clocks are wrong: what is decided about time is decided by the database's (I18).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use paddock::app::{App, start_worker};
use paddock::base::id::EnvironmentId;
use paddock::base::{Actor, Clock, Origin, SystemClock};
use paddock::environments::State;
use paddock::orchestrator::{self, NewFreeze};
use paddock::requests::{Caller, Draft, Intent};
use serde_json::json;

use crate::support::app::{TestApp, inputs, worker_settings};

const MINUTES: i64 = 10;

/// A clock that goes so many minutes before or after, or jumps between the two each time it is read.
#[derive(Debug)]
enum Wrong {
    By(i64),
    Jumping(AtomicBool),
}

impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        let minutes = match self {
            Self::By(minutes) => *minutes,
            Self::Jumping(ahead) if ahead.fetch_xor(true, Ordering::Relaxed) => MINUTES,
            Self::Jumping(_) => -MINUTES,
        };
        SystemClock.now().checked_add(SignedDuration::from_mins(minutes)).unwrap()
    }
}

/// What there was of a life on a machine with this clock: states, records, times by the database.
async fn life(clock: Wrong) -> Vec<String> {
    let test = TestApp::start().await;
    let app = test.with_clock(Arc::new(clock));
    let developer = test.person("developer").await;
    let op = || app.op(Actor::Person { id: developer.person.id, login: "developer".into(), token: None }, origin());
    let submit = async |intent: Intent| -> EnvironmentId {
        let draft = Draft { intent, reason: String::new(), exception: false };
        let id = app.requests.submit(&op(), Caller::Person(&developer), &draft, None).await.unwrap().id;
        let mut connection = app.db.acquire().await.unwrap();
        app.requests.find(&mut connection, id).await.unwrap().unwrap().environment.unwrap()
    };
    // A worker that dies at once: its lease ends when the database says so.
    let environment = submit(Intent::Create {
        project: "payments".to_owned(),
        environment_type: "dev".to_owned(),
        template: "practice-cloud".to_owned(),
        version: None,
        name: "skewed".to_owned(),
        inputs: inputs(json!({"size": "small", "scenario": "calm"})),
        lifetime: Some(SignedDuration::from_hours(24)),
    })
    .await;
    let held = "UPDATE run SET state = 'running', attempt = 1, worker = 'dead', lease_until = now() + interval '1 s'";
    sqlx::query(held).execute(app.db.pool()).await.unwrap();
    start_worker(&app, patient("skewed"));
    test.until_state(environment, State::Ready).await;
    submit(Intent::Update {
        environment,
        generation: None,
        version: None,
        inputs: inputs(json!({"size": "large", "scenario": "calm"})),
    })
    .await;
    until_updated(&test, environment).await;
    freeze_and_lift(&app).await;
    submit(Intent::Delete { environment }).await;
    test.until_state(environment, State::Deleted).await;

    let mut trace: Vec<String> = sqlx::query_scalar(
        "SELECT kind || ' ' || state || ' ' || attempt || ' ' || (started_at - created_at < interval '5 minutes') FROM run
         ORDER BY created_at",
    )
    .fetch_all(app.db.pool())
    .await
    .unwrap();
    // In the order of the transactions: an id's time is the machine's.
    let records: Vec<String> = sqlx::query_scalar(
        "SELECT action || ' ' || outcome FROM audit_record WHERE environment_id = $1 ORDER BY at, xid, action",
    )
    .bind(environment.0)
    .fetch_all(app.db.pool())
    .await
    .unwrap();
    trace.extend(records);
    let times: String = sqlx::query_scalar(
        "SELECT concat_ws(' ', ready_at - created_at < interval '5 minutes', expires_at - ready_at, deleted_at > ready_at)
         FROM environment",
    )
    .fetch_one(app.db.pool())
    .await
    .unwrap();
    trace.push(times);
    trace
}

/// With a lease that a busy machine keeps, and which is far shorter than the clocks are wrong.
fn patient(name: &str) -> orchestrator::Settings {
    orchestrator::Settings { lease: Duration::from_mins(2), ..worker_settings(name) }
}

fn origin() -> Origin {
    Origin::internal("api")
}

async fn until_updated(test: &TestApp, environment: EnvironmentId) {
    crate::support::wait::until_true("it is updated", async || {
        let now = test.environment(environment).await;
        now.state == State::Ready && now.inputs["size"] == "large"
    })
    .await;
}

/// A freeze from now on is in force now, also where the clock is wrong.
async fn freeze_and_lift(app: &App) {
    let op = app.op(Actor::Operator, origin());
    let mut tx = app.db.begin().await.unwrap();
    let new = NewFreeze { reason: "The books are being closed.".to_owned(), ..NewFreeze::default() };
    let id = orchestrator::freeze(&mut tx, &op, &new).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = app.db.begin().await.unwrap();
    let freezes = orchestrator::freezes(&mut tx).await.unwrap();
    assert!(freezes.len() == 1 && freezes[0].in_force, "a freeze from now on is not in force: {freezes:?}");
    orchestrator::lift_freeze(&mut tx, &op, id).await.unwrap();
    tx.commit().await.unwrap();
}

/// Ten minutes ahead, ten behind, and jumping back and forth: the same life.
#[tokio::test]
async fn a_wrong_clock_changes_nothing() {
    let right = life(Wrong::By(0)).await;
    let ahead = life(Wrong::By(MINUTES)).await;
    let behind = life(Wrong::By(-MINUTES)).await;
    let jumping = life(Wrong::Jumping(AtomicBool::new(false))).await;
    assert!(right.iter().any(|line| line == "create.simulated succeeded 2 true"), "{right:#?}");
    assert_eq!(ahead, right, "ahead");
    assert_eq!(behind, right, "behind");
    assert_eq!(jumping, right, "jumping");
}

/// Workers ten minutes before and after one another take no run from each other while it is at work.
#[tokio::test]
async fn a_worker_ahead_takes_no_run_that_is_held() {
    let test = TestApp::start().await;
    let developer = test.person("developer").await;
    let op = test.op_as(&developer);
    for number in 0..6 {
        let draft = Draft {
            exception: false,
            intent: Intent::Create {
                project: "payments".to_owned(),
                environment_type: "dev".to_owned(),
                template: "practice-cloud".to_owned(),
                version: None,
                name: format!("held-{number}"),
                inputs: inputs(json!({"size": "small", "scenario": "silent"})),
                lifetime: None,
            },
            reason: String::new(),
        };
        test.app.requests.submit(&op, Caller::Person(&developer), &draft, None).await.unwrap();
    }
    let apps = [Wrong::By(MINUTES), Wrong::By(-MINUTES)].map(|clock| test.with_clock(Arc::new(clock)));
    for (number, app) in apps.iter().enumerate() {
        start_worker(app, orchestrator::Settings { slots: 3, ..patient(&format!("worker-{number}")) });
    }
    let ended = "SELECT count(*) FROM run WHERE state = 'succeeded'";
    crate::support::wait::until_true("all runs end", async || {
        sqlx::query_scalar::<_, i64>(ended).fetch_one(test.app.db.pool()).await.unwrap() == 6
    })
    .await;
    let runs: Vec<(i32, String)> =
        sqlx::query_as("SELECT attempt, state FROM run").fetch_all(test.app.db.pool()).await.unwrap();
    assert!(runs.iter().all(|(attempt, _)| *attempt == 1), "one was taken over: {runs:?}");
}
