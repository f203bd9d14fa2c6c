//! Workers that die, that are stopped past their lease and wake up again, and runs that kill whoever
//! takes them.

use rustix::process::Signal;

use crate::matrix::oracle::{assert_none, complaints};
use crate::matrix::subject::{Environments, SIMULATED};
use crate::matrix::world::World;
use crate::support::busy::Busy;
use crate::support::wait::until;

/// The lease of the workers here, in seconds.
const LEASE: f64 = 2.0;

/// Killed anywhere, a run goes on within its lease and five seconds.
#[tokio::test]
async fn a_dead_workers_run_goes_on_in_time() {
    let world = World::new(&SIMULATED).await;
    for point in ["claim.committed", "step.answered", "simulated.effect", "end.settled"] {
        let name = format!("lab-{}", point.replace('.', "-"));
        let mut doomed = world.worker(&[format!("{point}#Create {name}:kill")], None);
        world.create(&name).await;
        assert!(!doomed.wait().success());
        let _heir = world.worker(&[], None);
        // From here on there is somebody who can take it.
        let (died, busy) = (world.seconds("clock_timestamp()").await, Busy::from_now());
        let mine = format!("action = 'run.started' AND object_label = 'Create {name}'");
        world.until_number(&format!("SELECT count(*) FROM audit_record WHERE {mine}"), 2).await;
        let resumed = world.seconds(&format!("(SELECT max(at) FROM audit_record WHERE {mine})")).await - died;
        let busy = busy.seconds();
        assert!(resumed <= LEASE + 5.0 + busy, "{point}: it went on after {resumed} s, {busy} of them busy");
        let at_once = format!(
            "SELECT count(*) FROM audit_record WHERE action = 'run.requeued' AND object_label = 'Create {name}'
             AND detail ->> 'delay_seconds' = '0'"
        );
        assert_eq!(world.number(&at_once).await, 1, "{point}: a first death is not the run's fault");
        world.rest().await;
        assert_eq!(world.number(&format!("SELECT count(*) FROM audit_record WHERE {mine}")).await, 2);
    }
}

/// Stopped in the middle of an apply, just before its next call of the cloud.
#[tokio::test]
async fn a_zombie_changes_nothing() {
    let world = World::new(&SIMULATED).await;
    let environment = world.create("lab-zombie").await;
    let mut zombie = world.worker(&["simulated.call@2#Create lab-zombie:stop".to_owned()], None);
    until("the worker stops itself", || (!world.fired().is_empty()).then_some(()));
    let stopped = world.seconds("clock_timestamp()").await;
    let heir = world.worker(&[], None);
    world.rest().await;
    let late = format!("SELECT (extract(epoch FROM clock_timestamp()) - {stopped} > {})::int", 2.0 * LEASE);
    world.until_number(&late, 1).await;
    let before = world.book(environment);
    let runs = world.rows("SELECT label, state || ' ' || attempt || ' ' || coalesce(error, '') FROM run").await;
    assert_eq!(before.there.len(), 3, "the heir finished it: {runs:?}\n{}", heir.said());

    let (woken, busy) = (world.seconds("clock_timestamp()").await, Busy::from_now());
    zombie.signal(Signal::CONT);
    until("the zombie's call is refused", || (world.book(environment).stale > 0).then_some(()));
    zombie.wait_for("attempt ended without a result");
    let refused = "SELECT count(*) FROM audit_record WHERE action = 'run.write_refused' AND outcome = 'denied'
                   AND (detail ->> 'attempt')::int = 1";
    world.until_number(refused, 1).await;
    assert_eq!(world.number(refused).await, 1);
    // It stopped, saw that it had lost the run, and recorded that.
    let gone = world.seconds("(SELECT at FROM audit_record WHERE action = 'run.write_refused')").await - woken;
    let busy = busy.seconds();
    assert!(gone <= 1.0 + busy, "the zombie went on for {gone} s, {busy} of them busy");
    assert_eq!(world.book(environment).effects, before.effects, "the provider sees one effect of each");
    let environments = Environments::from([(environment, ("lab-zombie".to_owned(), vec!["create"]))]);
    assert_none(&complaints(&world, &environments).await, &world);

    // It is a good worker again.
    drop(heir);
    world.delete(environment).await;
    world.rest().await;
    assert!(world.book(environment).there.is_empty());
    zombie.signal(Signal::TERM);
    assert!(zombie.wait().success());
}

/// Poison: whoever takes the run dies. It ends in the state that asks for a person, after as many
/// attempts as there may be, and not one more.
#[tokio::test]
async fn a_run_that_kills_every_worker_is_set_aside() {
    let world = World::new(&SIMULATED).await;
    let arms: Vec<String> = (1..=9).map(|turn| format!("provider.call@{turn}#Create lab-poison:kill")).collect();
    let environment = world.create("lab-poison").await;
    let healthy = world.create("lab-healthy").await;
    let fleet = world.workers(2, &arms);
    world.rest().await;
    fleet.end();
    let query = "SELECT state, attempt || ' of ' || max_attempts FROM run WHERE label = 'Create lab-poison'";
    assert_eq!(world.rows(query).await, [("faulted".to_owned(), "5 of 5".to_owned())]);
    assert_eq!(world.fired().len(), 5);
    assert!(world.book(environment).there.is_empty());
    let failed = "SELECT count(*) FROM audit_record WHERE action = 'environment.failed'";
    assert_eq!(world.number(failed).await, 1);
    assert_eq!(world.book(healthy).there.len(), 3, "others are not held up");
}
