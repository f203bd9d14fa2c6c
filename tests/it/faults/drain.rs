//! A worker with twenty applies under way is told to stop (I15): it takes nothing more, ends what fits
//! into its grace, and hands the rest back, which ends once, elsewhere.

use rustix::process::Signal;
use serde_json::json;

use crate::matrix::oracle::{assert_none, complaints};
use crate::matrix::subject::{Environments, SIMULATED};
use crate::matrix::world::World;
use crate::support::busy::Busy;
use crate::support::wait::until;

const SHORT: usize = 12;
const LONG: usize = 8;
/// In seconds.
const GRACE: f64 = 8.0;
/// Those that it has free places for, but that a freeze holds until it has been told to stop.
const WAITING: usize = 6;

const FREEZE: &str = "INSERT INTO freeze_window (id, reason, set_by) VALUES (gen_random_uuid(), 'A test', 'a test')";

#[tokio::test]
async fn twenty_applies_are_under_way() {
    let world = World::new(&SIMULATED).await;
    let mut environments = Environments::new();
    let ask = async |kind: &str, index: usize, milliseconds: u64| {
        let name = format!("lab-{kind}-{index}");
        // The first call has its effect, and its answer is waited for in vain.
        let faults = json!([{"kind": "drop_response", "object": "network"}]);
        let inputs = json!({"size": "small", "timeout_ms": milliseconds, "faults": faults});
        (world.create_with(&name, inputs).await, (name, vec!["create"]))
    };
    for index in 0..SHORT {
        environments.extend([ask("short", index, 3_000).await]);
    }
    for index in 0..LONG {
        environments.extend([ask("long", index, 600_000).await]);
    }
    let under_way: Vec<_> = environments.keys().copied().collect();
    let settings = ["--worker-runs", "26", "--lease", "60s", "--drain", "8s"];
    let mut worker = world.worker_set(&settings);
    until("all twenty wait for the cloud", || {
        under_way.iter().all(|id| !world.book(*id).faults.is_empty()).then_some(())
    });
    world.execute(FREEZE).await;
    for index in 0..WAITING {
        environments.extend([ask("waiting", index, 50).await]);
    }
    let (told, busy) = (world.seconds("clock_timestamp()").await, Busy::from_now());
    worker.signal(Signal::TERM);
    world.execute("UPDATE freeze_window SET ends_at = clock_timestamp() + interval '1 second'").await;
    world.until_number("SELECT count(*) FROM worker WHERE draining", 1).await;
    let heard = world.seconds("clock_timestamp()").await;
    let (after, waited) = (heard - told, busy.seconds());
    assert!(after <= 1.0 + waited, "claims stopped after {after} s, {waited} of them busy");
    let ended = worker.wait();
    assert!(ended.success(), "{ended}: {}", worker.said());
    let (took, busy) = (world.seconds("clock_timestamp()").await - told, busy.seconds());
    assert!(took <= GRACE + 5.0 + busy, "the drain took {took} s, {busy} of them busy");

    // All by the database: claims stop.
    let late =
        format!("SELECT count(*) FROM audit_record WHERE action = 'run.started' AND extract(epoch FROM at) > {heard}");
    assert_eq!(world.number(&late).await, 0, "claimed after it was told to stop");
    // What fits ends; what does not is handed back when the grace is over, not before, and not left to
    // the end of its lease.
    let early = format!(
        "SELECT count(*) FROM audit_record WHERE action = 'run.requeued' AND extract(epoch FROM at) < {told} + {GRACE}"
    );
    assert_eq!(world.number(&early).await, 0, "interrupted within the grace");
    assert_eq!(world.number("SELECT count(*) FROM run WHERE lease_until IS NOT NULL").await, 0);
    let ended = "SELECT count(*) FROM run WHERE state = 'succeeded' AND attempt = 1 AND label LIKE '%short%'";
    let handed = world.number("SELECT count(*) FROM audit_record WHERE action = 'run.requeued'").await;
    let (ended, long) = (world.number(ended).await, i64::try_from(LONG).unwrap());
    assert!(ended > 0 && handed >= long, "{ended} ended, {handed} handed back: {}", worker.said());

    let heir = world.worker_set(&settings);
    world.rest().await;
    drop(heir);
    assert_none(&complaints(&world, &environments).await, &world);
    assert_eq!(world.number("SELECT max(attempt) FROM run").await, 2, "once elsewhere");
    let looked = "SELECT count(DISTINCT run_id) FROM log_line WHERE text LIKE 'Looked first, %there is network (%'";
    assert_eq!(world.number(looked).await, handed, "what was under way is looked for first");
}
