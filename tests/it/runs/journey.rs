//! The whole way without HTTP: request, decision, run, environment, change, end.

use jiff::SignedDuration;
use paddock::audit::{self, Filter};
use paddock::environments::State;
use paddock::policy::Outcome;
use paddock::requests::{Caller, Draft, Intent, RequestStatus, ReviewVerdict};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use crate::support::app::{TestApp, inputs};

pub fn create(project: &str, kind: &str, template: &str, name: &str, values: Value) -> Draft {
    Draft {
        exception: false,
        intent: Intent::Create {
            project: project.to_owned(),
            environment_type: kind.to_owned(),
            template: template.to_owned(),
            version: None,
            name: name.to_owned(),
            inputs: inputs(values),
            lifetime: None,
        },
        reason: "A test".to_owned(),
    }
}

#[tokio::test]
async fn a_database_in_prod_needs_a_lead_and_lives_until_it_is_deleted() {
    let test = TestApp::start().await;
    test.work();
    let (developer, lead) = (test.person("developer").await, test.person("lead").await);
    let draft = create("payments", "prod", "postgres-database", "orders-db", json!({"size": "small"}));
    let op = test.op_as(&developer);
    let requests = &test.app.requests;

    let verdict = requests.verdict(&op, Caller::Person(&developer), &draft).await.unwrap();
    assert_eq!(verdict.decision.outcome, Outcome::NeedsApproval);
    assert!(verdict.approvers[0].iter().any(|person| person.id == lead.person.id));
    assert_eq!((verdict.quotas[0].before, verdict.quotas[0].after), (0, 1));

    let id = requests.submit(&op, Caller::Person(&developer), &draft, Some("one")).await.unwrap().id;
    let mut connection = test.app.db.acquire().await.unwrap();
    let request = requests.find(&mut connection, id).await.unwrap().unwrap();
    assert_eq!(request.status, RequestStatus::AwaitingApproval);
    test.plan().await;
    let own = requests.review(&op, Caller::Person(&developer), id, ReviewVerdict::Approved, "").await;
    assert!(own.is_err(), "nobody approves their own");
    let lead_op = test.op_as(&lead);
    requests.review(&lead_op, Caller::Person(&lead), id, ReviewVerdict::Approved, "go on").await.unwrap();

    let environment = request.environment.unwrap();
    let ready = test.until_state(environment, State::Ready).await;
    assert!(ready.expires_at.is_some(), "the lifetime began");
    let permit = test.app.permit_on(&op, &developer, &ready).unwrap();
    let mut tx = test.app.db.begin().await.unwrap();
    let outputs = paddock::environments::reveal(&mut tx, &op, &test.app.sealer, &permit, &ready, &[]).await.unwrap();
    tx.commit().await.unwrap();
    let url = outputs.iter().find(|output| output.name == "url").unwrap().value.clone().unwrap();
    let mut client = PgConnection::connect(url.as_str().unwrap()).await.expect("the outputs connect");
    let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&mut client).await.unwrap();
    assert_eq!(one, 1);
    drop(client);

    let extend = Draft {
        exception: false,
        intent: Intent::Extend { environment, lifetime: SignedDuration::from_hours(24 * 40) },
        reason: String::new(),
    };
    let id = requests.submit(&op, Caller::Person(&developer), &extend, None).await.unwrap().id;
    requests.review(&lead_op, Caller::Person(&lead), id, ReviewVerdict::Approved, "").await.unwrap();
    assert!(test.environment(environment).await.expires_at > ready.expires_at);

    let delete = Draft { intent: Intent::Delete { environment }, reason: String::new(), exception: false };
    requests.submit(&op, Caller::Person(&developer), &delete, None).await.unwrap();
    test.until_state(environment, State::Deleted).await;
    assert!(PgConnection::connect(url.as_str().unwrap()).await.is_err(), "the database is gone");

    let filter = Filter { object: Some(environment.0), ..Filter::default() };
    let records = audit::list(&mut connection, &filter, None, 100).await.unwrap().items;
    let actions: Vec<&str> = records.iter().rev().map(|record| record.action.as_str()).collect();
    for action in [
        "environment.requested",
        "request.submitted",
        "request.reviewed",
        "request.approved",
        "environment.provisioning",
        "run.started",
        "environment.ready",
        "request.succeeded",
        "output.revealed",
        "environment.extended",
        "environment.deleting",
        "environment.deleted",
    ] {
        assert!(actions.contains(&action), "{action} is missing in {actions:?}");
    }
}
