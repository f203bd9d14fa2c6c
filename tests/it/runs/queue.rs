//! What the queue says of each run that waits, and whether it is true.

use std::collections::BTreeMap;
use std::time::Duration;

use paddock::base::id::{ProjectId, RunId};
use paddock::orchestrator::{self, NewFreeze, NewRun, RunPlace, RunState, Waiting, Why};
use uuid::Uuid;

use super::yard::{Yard, run, settings};

const WORKER: &str = "INSERT INTO worker (name, kinds, slots, labels) VALUES ('one', '{create.noop}', 1, '{ssd}')";

async fn waiting(yard: &Yard) -> BTreeMap<RunId, Waiting> {
    let queue = orchestrator::queue(&mut yard.db().acquire().await.unwrap()).await.unwrap();
    queue.waiting.into_iter().map(|one| (one.id, one)).collect()
}

#[tokio::test]
async fn each_run_says_why_it_waits() {
    let yard = Yard::open().await;
    let alone = yard.queue("ok alone", 1).await;
    assert_eq!(waiting(&yard).await[&alone].why.sentence(), "Waits for a worker: none is there at the moment.");
    yard.execute(WORKER).await;
    yard.execute("INSERT INTO target (id, slug, name, provider, run_limit) VALUES ('00000000-0000-0000-0000-00000000004d', 'eu-small', 'Small', 'noop', 1)").await;
    let target = Some(Uuid::from_u128(77));
    let place = |label: &str, subject, place| NewRun { place, ..run(label, subject) };
    let behind = yard.queue("ok behind", 1).await;
    let special = yard
        .queue_run(place("ok special", 2, RunPlace { labels: vec!["gpu".into(), "ssd".into()], ..RunPlace::default() }))
        .await;
    let unknown = yard.queue_run(NewRun { kind: "create.later".to_owned(), ..run("ok unknown", 3) }).await;
    let again = yard.queue("ok again", 4).await;
    yard.execute("UPDATE run SET run_at = now() + interval '1 minute' WHERE label = 'ok again'").await;
    let busy = yard.queue_run(place("ok busy", 5, RunPlace { target, ..RunPlace::default() })).await;
    yard.execute("UPDATE run SET state = 'running', lease_until = now() + interval '1 hour', attempt = 1, worker = 'one', started_at = now() WHERE label = 'ok busy'").await;
    let limited = yard.queue_run(place("ok limited", 6, RunPlace { target, ..RunPlace::default() })).await;

    let seen = waiting(&yard).await;
    assert!(!seen.contains_key(&busy), "it runs");
    assert_eq!(seen[&alone].why, Why::Turn);
    assert_eq!(seen[&behind].why, Why::Lane { run: alone, label: "ok alone".to_owned() });
    assert_eq!(seen[&special].why.sentence(), "No worker can take this: needs label gpu.");
    assert_eq!(seen[&unknown].why.sentence(), "No worker can take this: none knows create.later.");
    assert!(matches!(seen[&again].why, Why::Again { .. }));
    assert_eq!(seen[&limited].why.sentence(), "Waits for the target eu-small: at most 1 at a time.");
    assert_eq!((seen[&special].position, seen[&unknown].position), (None, None), "nobody can take them");
    assert!(seen[&alone].position.is_some() && seen[&behind].position > seen[&alone].position);

    let mut tx = yard.db().begin().await.unwrap();
    let freeze = NewFreeze { reason: "The books are being closed.".to_owned(), ..NewFreeze::default() };
    orchestrator::freeze(&mut tx, &Yard::op(), &freeze).await.unwrap();
    tx.commit().await.unwrap();
    let held = &waiting(&yard).await[&alone];
    assert_eq!(held.why.sentence(), "Held by a freeze: The books are being closed.");
    assert_eq!((held.position, held.starts_in), (None, None));
}

#[tokio::test]
async fn the_line_is_the_order_in_which_they_start() {
    let yard = Yard::open().await;
    yard.execute(WORKER).await;
    for number in 0..4 {
        yard.queue(&format!("ok {number}"), number).await;
    }
    yard.queue_run(NewRun { project: ProjectId(Uuid::from_u128(2)), ..run("ok other", 10) }).await;
    yard.queue_run(NewRun { priority: 200, ..run("ok robot", 11) }).await;
    let mut said: Vec<(usize, String)> =
        waiting(&yard).await.into_values().map(|one| (one.position.unwrap(), one.label)).collect();
    said.sort();
    let said: Vec<String> = said.into_iter().map(|(_, label)| label).collect();
    yard.execute("DELETE FROM worker").await;
    let _worker = yard.work(settings("one", 1));
    yard.until_count("SELECT count(*) FROM run WHERE state = 'succeeded'", 6).await;
    assert_eq!(yard.order("prepare"), said);
}

#[tokio::test]
async fn a_start_is_estimated_from_what_runs_took_and_else_unknown() {
    let yard = Yard::open().await;
    yard.execute(WORKER).await;
    let (first, second) = (yard.queue("ok first", 1).await, yard.queue("ok second", 2).await);
    let seen = waiting(&yard).await;
    assert_eq!((seen[&first].starts_in, seen[&second].starts_in), (Some(Duration::ZERO), None), "no history");
    yard.execute(
        "INSERT INTO run (id, kind, subject_id, project_id, label, state, started_at, ended_at)
         SELECT gen_random_uuid(), 'create.noop', gen_random_uuid(), gen_random_uuid(), 'past', 'succeeded',
             now() - interval '10 minutes', now() - interval '10 minutes' + make_interval(secs => 60 + g)
         FROM generate_series(-2, 2) AS g",
    )
    .await;
    let seen = waiting(&yard).await;
    assert_eq!(seen[&second].starts_in, Some(Duration::from_secs(60)), "the middle of five");
    yard.execute("UPDATE run SET state = 'running', worker = 'one', attempt = 1, started_at = now() - interval '40 seconds', lease_until = now() + interval '1 hour' WHERE label = 'ok first'").await;
    let left = waiting(&yard).await[&second].starts_in.unwrap();
    assert!(left <= Duration::from_secs(20) && left >= Duration::from_secs(5), "{left:?}");
    assert_eq!(yard.run(first).await.state, RunState::Running);
}
