//! A worker that is stopped past its lease and wakes up again, and runs that die at every attempt.

use rustix::process::Signal;
use serde_json::json;

use super::oracle::{assert_none, complaints};
use super::subject::{Environments, SIMULATED};
use super::world::World;
use crate::providers::simulated::account;
use crate::support::wait::until;

/// Stopped in the middle of an apply, just before its next call of the cloud.
#[tokio::test]
async fn a_zombie_changes_nothing() {
    let world = World::new(&SIMULATED).await;
    let environment = world.create("lab-zombie").await;
    let mut zombie = world.worker(&["simulated.call@2#Create lab-zombie:stop".to_owned()], None);
    until("the worker stops itself", || (!world.fired().is_empty()).then_some(()));
    let heir = world.worker(&[], None);
    world.rest().await;
    let before = world.book(environment);
    let runs = world.rows("SELECT label, state || ' ' || attempt || ' ' || coalesce(error, '') FROM run").await;
    assert_eq!(before.there.len(), 3, "the heir finished it: {runs:?}\n{}", heir.said());

    zombie.signal(Signal::CONT);
    until("the zombie's call is refused", || (world.book(environment).stale > 0).then_some(()));
    zombie.wait_for("attempt ended without a result");
    let refused = "SELECT count(*) FROM audit_record WHERE action = 'run.write_refused' AND outcome = 'denied'
                   AND (detail ->> 'attempt')::int = 1";
    while world.number(refused).await == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(world.number(refused).await, 1);
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

/// A day with a cloud that goes wrong in half of its calls, while workers die too.
#[tokio::test]
async fn a_lying_cloud_and_dying_workers() {
    let world = World::new(&SIMULATED).await;
    let mut environments = Environments::new();
    let mut arms = Vec::new();
    for seed in 0..12 {
        let name = format!("lab-storm-{seed}");
        let inputs = json!({"size": "small", "seed": seed, "chaos_percent": 50});
        environments.insert(world.create_with(&name, inputs).await, (name.clone(), vec!["create"]));
        arms.push(format!("simulated.effect@{}#Create {name}:kill", 1 + seed % 4));
        arms.push(format!("simulated.call@{}#Delete {name}:kill", 1 + seed % 3));
    }
    let fleet = world.workers(2, &arms);
    world.rest().await;
    for id in environments.keys() {
        assert_eq!(world.book(*id).there.len(), 3);
        world.delete(*id).await;
    }
    world.rest().await;
    fleet.end();
    for (id, (_, history)) in &mut environments {
        history.push("delete");
        let book = world.book(*id);
        assert!(book.there.is_empty() && !book.faults.is_empty(), "{book:?}");
        // What was half made was mended: a change more is no second effect.
        let twice = book.effects.iter().any(|((_, effect), count)| effect != "changed" && *count > 1);
        assert!(!twice, "{book:?}");
    }
    let wrong = complaints(&world, &environments).await;
    let wrong: Vec<String> = wrong.into_iter().filter(|line| !line.contains("the cloud's book says")).collect();
    assert_none(&wrong, &world);
}

/// Each lie alone, on each operation, through the whole of Paddock.
#[tokio::test]
async fn every_lie_ends_in_the_right_state() {
    let world = World::new(&SIMULATED).await;
    let mut environments = Environments::new();
    let kinds = [
        "throttle",
        "partial",
        "effect_then_500",
        "200_no_effect",
        "invisible",
        "wrong_id",
        "drop_response",
        "drop_request",
    ];
    for kind in kinds {
        let name = format!("lab-{}", kind.replace('_', "-"));
        let faults: Vec<_> = ["create", "update", "delete"].map(|verb| json!({"kind": kind, "verb": verb})).to_vec();
        let id = world.create_with(&name, json!({"size": "small", "faults": faults})).await;
        environments.insert(id, (name, vec!["create", "update", "delete"]));
    }
    let fleet = world.workers(2, &[]);
    world.rest().await;
    for id in environments.keys() {
        assert_eq!(world.book(*id).there.len(), 3);
        world.update(*id).await;
    }
    world.rest().await;
    for id in environments.keys() {
        world.delete(*id).await;
    }
    world.rest().await;
    let wrong = complaints(&world, &environments).await;
    let wrong: Vec<String> = wrong.into_iter().filter(|line| !line.contains("the cloud's book says")).collect();
    assert_none(&wrong, &world);
    for (id, (name, _)) in &environments {
        let book = world.book(*id);
        assert!(book.there.is_empty() && book.faults.values().sum::<usize>() >= 3, "{name}: {book:?}");
        for object in ["network", "disk", "server"] {
            assert_eq!(book.effects[&(object.to_owned(), "made".to_owned())], 1, "{name}");
        }
    }

    // Refused for good: failed in the cloud's words, at the first attempt, and it can be removed.
    let faults = json!([{"kind": "refuse", "object": "server", "message": "QuotaExceeded: 0 servers left"}]);
    let id = world.create_with("lab-refuse", json!({"size": "small", "faults": faults})).await;
    world.rest().await;
    let query = "SELECT state || ' ' || attempt, error FROM run WHERE label = 'Create lab-refuse'";
    let expected = ("failed 1".to_owned(), "QuotaExceeded: 0 servers left".to_owned());
    assert_eq!(world.rows(query).await, [expected]);
    assert_eq!(world.book(id).there.len(), 2);
    world.delete(id).await;
    world.rest().await;
    assert!(world.book(id).there.is_empty());
    fleet.end();
}

impl World {
    /// What the simulated cloud did for an environment.
    pub fn book(&self, environment: paddock::base::id::EnvironmentId) -> crate::providers::simulated::Account {
        account(&self.data.join("work/simulated/default.ledger"), &environment.to_string())
    }
}
