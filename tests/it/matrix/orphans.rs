//! Destroying what nobody owns × every failpoint that this way reaches.
//!
//! The environments of a Paddock are made undisturbed, then their rows lose everything that says so. A look
//! lists what is left of them at the target; a person has each thing destroyed; the worker dies on the way.

use paddock::base::Actor;
use paddock::base::id::OrphanId;
use paddock::policy::{Ability as _, Permit, Resource, ability::ManageOrphans};
use uuid::Uuid;

use super::cases::{Cases, alone, deaths, repetitions, returns, scoped};
use super::estate::{Estate, Operation, Way};
use super::oracle::{assert_none, complaints_of_runs};
#[cfg(feature = "aws")]
use super::subject::CLOUDFORMATION;
use super::subject::{POSTGRES, Subject};
use super::world::World;

/// Enough for every case of one kind of thing, and for those that need a run of their own.
const ENVIRONMENTS: usize = 60;
const WORKERS: usize = 2;
const ATTEMPTS: usize = 12;
const PERIOD: std::time::Duration = std::time::Duration::from_secs(3600);

#[tokio::test]
async fn databases_and_roles() {
    // A role that owns a database cannot go.
    run(&POSTGRES, &["postgres_database", "postgres_role"]).await;
}

#[cfg(feature = "aws")]
#[tokio::test]
async fn stacks() {
    run(&CLOUDFORMATION, &["AWS::CloudFormation::Stack"]).await;
}

async fn run(subject: &'static Subject, kinds: &[&str]) {
    let world = World::new(subject).await;
    let strays = Strays::new(world).await;
    for kind in kinds {
        let mut left: Vec<(OrphanId, String)> = strays.listed(kind).await;
        assert_eq!(left.len(), ENVIRONMENTS, "{kind}");
        let first = left.pop().unwrap();
        strays.destroy(std::slice::from_ref(&first), vec![Vec::new()]).await;
        let path = strays.world.reached(&format!("Destroy {}", first.1));
        assert!(path.len() > 12, "{kind}: {path:?}");
        let mut cases = deaths(&path, 0);
        cases.extend(returns(&path, 0));
        cases.extend(repetitions(&path, true));
        let mut missed = Vec::new();
        for round in 0..2 {
            let chosen = left.split_off(left.len() - cases.len());
            missed = strays.destroy(&chosen, cases).await;
            cases = missed.iter().cloned().map(alone).collect();
            if round == 0 && cases.is_empty() {
                break;
            }
        }
        assert!(missed.is_empty(), "{kind}: never reached: {missed:?}");
        // The rest goes as well, so that nothing of this test stays on a server that others use.
        let rest = left.len();
        strays.destroy(&left, vec![Vec::new(); rest]).await;
        assert_eq!(strays.listed(kind).await, [], "{kind}: a new look finds none");
    }
}

struct Strays {
    world: World,
    mine: Vec<Uuid>,
}

impl Strays {
    async fn new(world: World) -> Self {
        let mut estate = Estate::default();
        estate.ask(&world, Operation::new(Way::AtOnce, "create"), ENVIRONMENTS).await;
        let fleet = world.workers(WORKERS, &[]);
        world.rest().await;
        fleet.end();
        let mine: Vec<Uuid> = estate.environments.keys().map(|id| id.0).collect();
        world
            .execute(
                "SET session_replication_role = replica;
                 DELETE FROM environment_resource; DELETE FROM environment_output;
                 UPDATE environment SET state = 'deleted', provider_state = NULL, deleted_at = now()",
            )
            .await;
        Self { world, mine }
    }

    /// Of this kind and of these environments, by a new look at the target.
    async fn listed(&self, kind: &str) -> Vec<(OrphanId, String)> {
        let app = &self.world.test.app;
        let op = self.world.test.op(Actor::System { part: "reconciler.orphans" });
        self.world.execute("UPDATE target_inventory SET due_at = now() - interval '1 minute'").await;
        app.find_orphans(&op, PERIOD).await.unwrap();
        let query = "SELECT id, type || ' ' || provider_id FROM orphan
                     WHERE state = 'found' AND type = $1 AND environment_id = ANY($2) ORDER BY id";
        let found: Vec<(Uuid, String)> =
            sqlx::query_as(query).bind(kind).bind(&self.mine).fetch_all(app.db.pool()).await.unwrap();
        found.into_iter().map(|(id, label)| (OrphanId(id), label)).collect()
    }

    /// Destroys each with what is to happen on the way; returns the arms that did not fire.
    async fn destroy(&self, orphans: &[(OrphanId, String)], cases: Cases) -> Vec<String> {
        assert_eq!(orphans.len(), cases.len());
        let (world, app) = (&self.world, &self.world.test.app);
        let admin = world.test.person("admin").await;
        let op = world.test.op_as(&admin);
        let question = app.platform_question(&op, &admin, ManageOrphans::ACTION, Resource::platform());
        let permit: Permit<ManageOrphans> = app.policy.permit(&question).unwrap();
        for (id, _) in orphans {
            app.destroy_orphan(&op, &permit, *id, "Nobody knows it").await.unwrap();
        }
        world.execute(&format!("UPDATE run SET max_attempts = {ATTEMPTS} WHERE state = 'queued'")).await;
        let arms: Vec<(String, String)> = orphans
            .iter()
            .zip(&cases)
            .flat_map(|((_, label), arms)| {
                arms.iter().map(move |arm| (arm.clone(), scoped(arm, &format!("Destroy {label}"))))
            })
            .collect();
        let texts: Vec<String> = arms.iter().map(|(_, text)| text.clone()).collect();
        let fleet = world.workers(WORKERS, &texts);
        world.rest_soon().await;
        fleet.end();
        let mut wrong = complaints_of_runs(world).await;
        for (id, label) in orphans {
            let state = format!("SELECT count(*) FROM orphan WHERE id = '{}' AND state = 'destroyed'", id.0);
            if world.number(&state).await != 1 {
                wrong.push(format!("{label} is not destroyed"));
            }
        }
        assert_none(&wrong, world);
        let fired = world.fired();
        arms.into_iter().filter(|(_, text)| !fired.contains(text)).map(|(arm, _)| arm).collect()
    }
}
