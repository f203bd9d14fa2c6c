//! From the request to the start of its run's first step, on an idle worker: by the database's clock,
//! from the beginning of the transaction that submits (its commit leaves no time) until the step's
//! intent. Each run makes its database and ends before the next is asked for.

use std::time::{Duration, Instant};

use paddock::app::start_worker;
use paddock::base::id::RunId;
use paddock::orchestrator::{self, RunState, Settings};
use serde_json::json;

use crate::world::World;

const RUNS: usize = 100;
const GATE: Duration = Duration::from_millis(50);

pub async fn run(world: &World) {
    world.empty_queue().await;
    start_worker(&world.app, Settings { name: "bench".to_owned(), ..Settings::default() });
    let mut times = Vec::with_capacity(RUNS);
    for number in 0..RUNS {
        let (_, run) = world.create("postgres-database", format!("start-{number}"), json!({"size": "small"})).await;
        until_done(world, run).await;
        times.push(time_to_start(world, run).await);
    }
    times.sort_unstable();
    let (p50, p99) = (times[RUNS / 2], times[RUNS * 99 / 100]);
    let ok = if p99 <= GATE { "ok" } else { "ABOVE" };
    println!("submit to step started, idle                   p50 {p50:.1?}, p99 {p99:.1?} (gate 50 ms)  {ok}");
}

async fn until_done(world: &World, id: RunId) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let run = orchestrator::find(&mut world.app.db.acquire().await.unwrap(), id).await.unwrap().unwrap();
        match run.state {
            RunState::Succeeded => return,
            RunState::Queued | RunState::Running if run.error.is_none() => {}
            other => panic!("the run is {other:?}: {:?}", run.error),
        }
        assert!(Instant::now() < deadline, "the run does not end");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn time_to_start(world: &World, run: RunId) -> Duration {
    let seconds: f64 = sqlx::query_scalar(
        "SELECT extract(epoch FROM s.started_at - r.created_at)::float8 FROM run r JOIN run_step s ON s.run_id = r.id
         WHERE r.id = $1 AND s.position = 1",
    )
    .bind(run.0)
    .fetch_one(world.app.db.pool())
    .await
    .unwrap();
    Duration::from_secs_f64(seconds.max(0.0))
}
