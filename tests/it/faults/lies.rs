//! A cloud that is slow and dishonest: no answer means *unknown*, which leads to a look, never to a
//! second object, and nothing is “ready” that nobody has seen.

use serde_json::json;

use crate::matrix::oracle::{assert_none, complaints, complaints_beside_the_target};
use crate::matrix::subject::{Environments, SIMULATED};
use crate::matrix::world::World;
use crate::support::ledger::LIES;

/// One call takes longer than two leases: the lease is renewed, nobody else takes the run, and
/// nothing is made a second time.
#[tokio::test]
async fn a_slow_cloud_keeps_its_lease() {
    let world = World::new(&SIMULATED).await;
    let workers = [world.worker(&[], None), world.worker(&[], None)];
    // No answer for longer than the lease of two seconds; the effect is there.
    let faults = json!([{"kind": "drop_response", "object": "disk"}]);
    let inputs = json!({"size": "small", "timeout_ms": 4_500, "faults": faults});
    let environment = world.create_with("lab-slow-cloud", inputs).await;
    world.rest().await;
    drop(workers);
    let environments = Environments::from([(environment, ("lab-slow-cloud".to_owned(), vec!["create"]))]);
    assert_none(&complaints(&world, &environments).await, &world);
    assert_eq!(world.number("SELECT max(attempt) FROM run").await, 1, "nobody else took it");
    let waited = "SELECT extract(epoch FROM ended_at - started_at) FROM run_step WHERE name = 'apply'";
    assert!(world.number(waited).await >= 4, "it was slow");
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
    assert_none(&complaints_beside_the_target(&world).await, &world);
}

/// Each lie alone, on each operation, through the whole of Paddock.
#[tokio::test]
async fn every_lie_ends_in_the_right_state() {
    let world = World::new(&SIMULATED).await;
    let mut environments = Environments::new();
    for kind in LIES {
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
    assert_none(&complaints_beside_the_target(&world).await, &world);
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
