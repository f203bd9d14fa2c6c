//! From the commit of a run to the start of its first step, on an idle worker.

use std::time::{Duration, Instant};

use paddock::app::start_worker;
use paddock::base::{Actor, Origin};
use paddock::environments::State;
use paddock::orchestrator::Settings;
use paddock::requests::{Caller, Draft, Intent};

use crate::world::{LOGIN, World};

const RUNS: usize = 100;

pub async fn run(world: &World) {
    // Each lane that ends takes a lock until the commit: not all at once.
    let some = "UPDATE run SET state = 'canceled', ended_at = now()
         WHERE id IN (SELECT id FROM run WHERE state = 'queued' LIMIT 1000)";
    while sqlx::query(some).execute(world.app.db.pool()).await.unwrap().rows_affected() > 0 {}
    start_worker(
        &world.app,
        Settings {
            name: "bench".to_owned(),
            slots: 4,
            lease: Duration::from_secs(15),
            poll: Duration::from_millis(500),
            grace: Duration::from_secs(5),
            ..Settings::default()
        },
    );
    let mut times = Vec::with_capacity(RUNS);
    for number in 0..RUNS {
        times.push(one(world, number).await);
    }
    times.sort_unstable();
    let (p50, p99) = (times[RUNS / 2], times[RUNS * 99 / 100]);
    let ok = if p99 <= Duration::from_millis(50) { "ok" } else { "ABOVE" };
    println!("commit to step started, idle                   p50 {p50:.1?}, p99 {p99:.1?} (gate 50 ms)  {ok}");
}

async fn one(world: &World, number: usize) -> Duration {
    let app = &world.app;
    let mut connection = app.db.acquire().await.unwrap();
    let person = paddock::identity::find_person(&mut connection, LOGIN).await.unwrap().unwrap();
    let access = paddock::identity::load_access(&mut connection, person.id).await.unwrap();
    let actor = Actor::Person { id: person.id, login: person.login.clone(), token: None };
    let op = app.op(actor, Origin::internal("api"));
    let draft = Draft {
        intent: Intent::Create {
            project: "payments".to_owned(),
            environment_type: "dev".to_owned(),
            template: "postgres-database".to_owned(),
            version: None,
            name: format!("start-{number}"),
            inputs: serde_json::Map::from_iter([("size".to_owned(), "small".into())]),
            lifetime: None,
        },
        reason: String::new(),
    };
    let id = app.requests.submit(&op, Caller::Person(&access), &draft, None).await.unwrap().id;
    // The target does not answer, so each run ends soon; what is measured is its beginning.
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let seconds: Option<f64> = sqlx::query_scalar(
            "SELECT extract(epoch FROM s.started_at - r.created_at)::float8 FROM run r JOIN run_step s ON s.run_id = r.id
             WHERE r.request_id = $1 AND s.position = 1 AND s.started_at IS NOT NULL",
        )
        .bind(id.0)
        .fetch_optional(app.db.pool())
        .await
        .unwrap();
        if let Some(seconds) = seconds {
            wait_for_rest(world, number).await;
            return Duration::from_secs_f64(seconds.max(0.0));
        }
        assert!(Instant::now() < deadline, "the run was not started");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Until the run has left the worker, so that the next one finds it idle.
async fn wait_for_rest(world: &World, number: usize) {
    let busy = format!("start-{number}");
    loop {
        let state: State = sqlx::query_scalar("SELECT state FROM environment WHERE name = $1")
            .bind(&busy)
            .fetch_one(world.app.db.pool())
            .await
            .unwrap();
        let running: i64 = sqlx::query_scalar("SELECT count(*) FROM run WHERE state = 'running'")
            .fetch_one(world.app.db.pool())
            .await
            .unwrap();
        if running == 0 || state != State::Provisioning {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
