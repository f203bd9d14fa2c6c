//! Decisions in Postgres: stored whole, made again from their record, never changed.

use std::collections::BTreeSet;
use std::sync::Arc;

use paddock::base::{Actor, Op, Origin, SeededEntropy, SystemClock};
use paddock::policy::{
    self, Action, Context, Outcome, PolicyEngine, Principal, Question, Resource, ResourceKind, Role,
};
use serde_json::json;

use crate::support::TestDatabase;

fn op(seed: u64) -> Op {
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SeededEntropy::new(seed)));
    Op::new(Actor::System { part: "test" }, Origin::internal("worker"), clock, entropy)
}

fn create(roles: &[Role], environment_type: &str) -> Question {
    let inputs = json!({"zone": "eu", "a": {"size": 1e2, "ratio": 0.1}, "tags": ["x", 1, null]});
    Question {
        action: Action::CreateEnvironment,
        principal: Principal {
            id: "usr_ada".into(),
            login: "ada".into(),
            teams: vec!["payments".into()],
            platform_roles: BTreeSet::new(),
            project_roles: roles.iter().copied().collect(),
            place_roles: std::collections::BTreeMap::new(),
        },
        resource: Resource {
            project: Some("payments".into()),
            environment_type: Some(environment_type.into()),
            ..Resource::new(ResourceKind::Environment, "")
        },
        context: Context {
            exception: false,
            operation: None,
            at: None,
            cost_per_month: None,
            asked_role: None,
            inputs: inputs.as_object().unwrap().clone(),
            lifetime_seconds: Some(3_600),
            maximum_lifetime_seconds: Some(7_200),
            channel: "web".into(),
        },
    }
}

#[tokio::test]
async fn a_decision_is_made_again_bit_for_bit_from_its_record() {
    let database = TestDatabase::new().await;
    let engine = PolicyEngine::embedded().unwrap();
    let types = ["dev".to_owned(), "prod".to_owned()];
    let questions = [create(&[Role::Developer], "dev"), create(&[Role::Lead], "prod"), create(&[], "dev")];
    let mut outcomes = Vec::new();
    for (seed, question) in (1..).zip(&questions) {
        let decision = engine.explain(question, &types);
        let mut tx = database.db.begin().await.unwrap();
        let id = policy::record(&mut tx, &op(seed), question, &decision).await.unwrap();
        tx.commit().await.unwrap();
        let mut connection = database.db.acquire().await.unwrap();
        let stored = policy::find_decision(&mut connection, id).await.unwrap().unwrap();
        assert_eq!((stored.id, &stored.decision), (id, &decision));
        let set = policy::find_policy_set(&mut connection, stored.decision.policy_digest).await.unwrap().unwrap();
        let again = PolicyEngine::from_text(&set.schema, &set.source).unwrap();
        assert_eq!(again.digest(), set.digest);
        let replayed = again.explain(&stored.question, &types);
        assert_eq!(serde_json::to_string(&replayed).unwrap(), serde_json::to_string(&decision).unwrap());
        outcomes.push(replayed.outcome);
    }
    assert_eq!(outcomes, [Outcome::Allowed, Outcome::NeedsApproval, Outcome::Denied]);
}

#[tokio::test]
async fn the_policy_set_is_stored_once_and_survives_a_rollback_of_the_first() {
    let database = TestDatabase::new().await;
    let engine = PolicyEngine::embedded().unwrap();
    let question = create(&[Role::Developer], "dev");
    let decision = engine.decide(&question);
    let mut first = database.db.begin().await.unwrap();
    policy::record(&mut first, &op(1), &question, &decision).await.unwrap();
    first.rollback().await.unwrap();
    let store = |seed| {
        let (db, question, decision) = (database.db.clone(), question.clone(), decision.clone());
        async move {
            let mut tx = db.begin().await.unwrap();
            policy::record(&mut tx, &op(seed), &question, &decision).await.unwrap();
            tx.commit().await.unwrap();
        }
    };
    tokio::join!(store(2), store(3), store(4), store(5));
    let counts = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM policy_set) AS "sets!", (SELECT count(*) FROM decision) AS "decisions!""#
    )
    .fetch_one(database.db.pool())
    .await
    .unwrap();
    assert_eq!((counts.sets, counts.decisions), (1, 4));
}

#[tokio::test]
async fn neither_decisions_nor_policy_sets_are_changed() {
    let database = TestDatabase::new().await;
    let question = create(&[Role::Developer], "dev");
    let decision = PolicyEngine::embedded().unwrap().decide(&question);
    let mut tx = database.db.begin().await.unwrap();
    policy::record(&mut tx, &op(1), &question, &decision).await.unwrap();
    tx.commit().await.unwrap();
    // As the owner of the tables, so that the triggers are tested and not only the rights.
    let owner = sqlx::PgPool::connect_with(database.options()).await.unwrap();
    for statement in [
        "UPDATE decision SET outcome = 'denied'",
        "DELETE FROM decision",
        "UPDATE policy_set SET source = ''",
        "DELETE FROM policy_set",
    ] {
        let error = sqlx::query(statement).execute(&owner).await.unwrap_err();
        assert!(error.to_string().contains("its rows are never changed"), "{statement}: {error}");
    }
    owner.close().await;
}
