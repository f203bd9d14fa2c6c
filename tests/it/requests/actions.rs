//! Power operations and actions: asked for, decided, carried out by scripts, told truly.

use paddock::audit::{self, Filter};
use paddock::base::id::{EnvironmentId, RequestId};
use paddock::base::{ErrorKind, Kinded as _};
use paddock::environments::{self, Operation, State};
use paddock::policy::Outcome;
use paddock::requests::{Caller, Draft, Intent, Request, RequestStatus, ReviewVerdict};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use crate::support::app::{TestApp, inputs};
use crate::support::wait::until_true;
use crate::support::workspace::{self, submit};

fn power(environment: EnvironmentId, power: Operation) -> Intent {
    Intent::Power { environment, power }
}

fn act(environment: EnvironmentId, action: &str, values: Value) -> Intent {
    Intent::Act { environment, action: action.to_owned(), inputs: inputs(values) }
}

async fn request(test: &TestApp, id: RequestId) -> Request {
    test.app.requests.find(&mut test.app.db.acquire().await.unwrap(), id).await.unwrap().unwrap()
}

/// Waits until the request has ended.
async fn ended(test: &TestApp, id: RequestId) -> Request {
    until_true("the request ends", async || request(test, id).await.finished_at.is_some()).await;
    request(test, id).await
}

async fn output(test: &TestApp, id: EnvironmentId, name: &str) -> Option<Value> {
    let all = environments::list_outputs(&mut test.app.db.acquire().await.unwrap(), id).await.unwrap();
    all.into_iter().find(|output| output.name == name).and_then(|output| output.value)
}

#[tokio::test]
async fn a_workspace_is_stopped_started_and_restarted() {
    let test = TestApp::start().await;
    workspace::add(&test).await;
    test.work();
    let desk = workspace::ready(&test, false).await;
    let before = test.environment(desk).await;

    submit(&test, "developer", power(desk, Operation::Stop)).await.unwrap();
    let stopped = test.until_state(desk, State::Stopped).await;
    assert_eq!((stopped.expires_at, stopped.ready_at), (before.expires_at, before.ready_at), "its life goes on");
    assert!(test.log(desk).await.contains("stop stop"), "the script knows what it is");

    submit(&test, "developer", power(desk, Operation::Start)).await.unwrap();
    test.until_state(desk, State::Ready).await;
    assert_eq!(output(&test, desk, "url").await, Some(json!("https://desk.example/2")), "a new address");
    let id = submit(&test, "developer", power(desk, Operation::Restart)).await.unwrap();
    assert_eq!(ended(&test, id).await.status, RequestStatus::Succeeded);
    assert_eq!(test.until_state(desk, State::Ready).await.expires_at, before.expires_at);
    assert_eq!(output(&test, desk, "url").await, Some(json!("https://desk.example/3")));

    let filter = Filter { object: Some(desk.0), ..Filter::default() };
    let records = audit::list(&mut test.app.db.acquire().await.unwrap(), &filter, None, 100).await.unwrap().items;
    let told: Vec<&str> = records.iter().rev().map(|record| record.action.as_str()).collect();
    let told: Vec<&str> = told.into_iter().filter(|action| action.starts_with("environment.")).skip(3).collect();
    let wished = ["stopping", "stopped", "starting", "started", "restarting", "restarted"];
    assert_eq!(told, wished.map(|word| format!("environment.{word}")));
}

#[tokio::test]
async fn what_the_template_does_not_declare_or_the_state_does_not_allow_is_refused() {
    let test = TestApp::start().await;
    workspace::add(&test).await;
    test.work();
    let desk = workspace::ready(&test, false).await;

    let error = submit(&test, "developer", power(desk, Operation::Hibernate)).await.unwrap_err();
    let field = error.field_errors()[0].clone();
    assert_eq!(field.pointer, "/operation");
    assert!(
        field.detail.contains("“hibernate”") && field.detail.contains("start, stop, restart, boom, greet, once"),
        "{field:?}"
    );
    let error = submit(&test, "developer", act(desk, "sing", json!({}))).await.unwrap_err();
    assert_eq!(error.field_errors()[0].pointer, "/action");
    // A power operation is asked for as what it is, so that rules about it cannot be gone around.
    let error = submit(&test, "developer", act(desk, "stop", json!({}))).await.unwrap_err();
    assert_eq!(error.field_errors()[0].pointer, "/action");

    let error = submit(&test, "developer", power(desk, Operation::Start)).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().contains("stopped")), (ErrorKind::Conflict, true), "{error}");
    submit(&test, "developer", power(desk, Operation::Stop)).await.unwrap();
    test.until_state(desk, State::Stopped).await;
    for intent in [power(desk, Operation::Stop), power(desk, Operation::Restart), act(desk, "once", json!({}))] {
        let error = submit(&test, "developer", intent).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    }
}

#[tokio::test]
async fn an_action_has_inputs_of_its_own_and_tells_what_changed() {
    let test = TestApp::start().await;
    workspace::add(&test).await;
    test.work();
    let desk = workspace::ready(&test, false).await;

    let error = submit(&test, "developer", act(desk, "greet", json!({"name": "x", "size": 1}))).await.unwrap_err();
    let pointers: Vec<&str> = error.field_errors().iter().map(|error| error.pointer.as_str()).collect();
    assert!(pointers.contains(&"/inputs/name") && pointers.contains(&"/inputs/size"), "{error:?}");

    let values = json!({"name": "ada", "word": "opensesame-1"});
    let id = submit(&test, "developer", act(desk, "greet", values)).await.unwrap();
    let done = ended(&test, id).await;
    assert_eq!((done.status, done.label().as_str()), (RequestStatus::Succeeded, "Greet somebody: my-desk"));
    assert_eq!(done.inputs, inputs(json!({"name": "ada"})), "no secret in the request");
    let desk_now = test.until_state(desk, State::Ready).await;
    assert_eq!(desk_now.inputs, inputs(json!({"broken": false})), "those of the environment stay");
    assert_eq!(output(&test, desk, "greeting").await, Some(json!("hello ada")));
    assert_eq!(output(&test, desk, "url").await, Some(json!("https://desk.example/1")), "it told nothing of this one");
    let log = test.log(desk).await;
    assert!(log.contains("the word is") && !log.contains("opensesame-1"), "{log}");
}

#[tokio::test]
async fn a_failed_action_leaves_it_as_it_was_and_a_failed_stop_can_be_retried() {
    let test = TestApp::start().await;
    workspace::add(&test).await;
    test.work();
    let desk = workspace::ready(&test, true).await;

    let id = submit(&test, "developer", act(desk, "boom", json!({}))).await.unwrap();
    assert_eq!(ended(&test, id).await.status, RequestStatus::Failed);
    let after = test.environment(desk).await;
    assert_eq!((after.state, after.last_error), (State::Ready, None));
    let filter = Filter { action: Some("environment.action_failed".to_owned()), ..Filter::default() };
    let records = audit::list(&mut test.app.db.acquire().await.unwrap(), &filter, None, 9).await.unwrap().items;
    assert!(records[0].detail["error"].as_str().unwrap().contains("it went boom"), "{records:?}");

    let id = submit(&test, "developer", power(desk, Operation::Stop)).await.unwrap();
    assert_eq!(ended(&test, id).await.status, RequestStatus::Failed);
    let failed = test.environment(desk).await;
    assert_eq!(failed.state, State::Failed, "nobody knows whether it runs");
    assert!(failed.last_error.unwrap().contains("it does not stop"));
    let developer = test.person("developer").await;
    let op = test.op_as(&developer);
    let permit = test.app.permit_on(&op, &developer, &test.environment(desk).await).unwrap();
    test.app.requests.retry(&op, &permit, id).await.unwrap();
    until_true("it is stopped", async || test.environment(desk).await.state == State::Stopped).await;
    assert_eq!(request(&test, id).await.status, RequestStatus::Succeeded);
}

#[tokio::test]
async fn rules_read_which_action_it_is_and_who_must_agree_is_asked() {
    let rules = r#"
        @id("no-boom") @reason("Nobody goes boom.")
        forbid (principal, action == Action::"ActOnEnvironment", resource)
        when { context has operation && context.operation == "boom" };
        @id("no-stop") @reason("It stays on.")
        forbid (principal, action == Action::"PowerEnvironment", resource)
        when { context has operation && context.operation == "stop" };
        @id("ada-is-greeted-by-two") @reason("A lead agrees to a greeting of ada.") @approval("lead")
        permit (principal, action == Action::"ActOnEnvironment", resource)
        when { context.inputs.texts.hasTag("name") && context.inputs.texts.getTag("name") == "ada" };"#;
    let test = TestApp::start_with(TestApp::policies_and(rules)).await;
    workspace::add(&test).await;
    test.work();
    let desk = workspace::ready(&test, false).await;

    for intent in [act(desk, "boom", json!({})), power(desk, Operation::Stop)] {
        let id = submit(&test, "developer", intent).await.unwrap();
        assert_eq!(request(&test, id).await.status, RequestStatus::Denied);
    }
    let developer = test.person("developer").await;
    let draft = Draft { intent: act(desk, "greet", json!({"name": "ada"})), reason: String::new(), exception: false };
    let op = test.op_as(&developer);
    let verdict = test.app.requests.verdict(&op, Caller::Person(&developer), &draft).await.unwrap();
    assert_eq!(verdict.decision.outcome, Outcome::NeedsApproval);
    let id = submit(&test, "developer", act(desk, "greet", json!({"name": "ada"}))).await.unwrap();
    assert_eq!(request(&test, id).await.status, RequestStatus::AwaitingApproval);
    let lead = test.person("lead").await;
    let lead_op = test.op_as(&lead);
    test.app.requests.review(&lead_op, Caller::Person(&lead), id, ReviewVerdict::Approved, "").await.unwrap();
    assert_eq!(ended(&test, id).await.status, RequestStatus::Succeeded);
    assert_eq!(output(&test, desk, "greeting").await, Some(json!("hello ada")));
}

#[tokio::test]
async fn a_rotated_password_counts_and_an_update_does_not_bring_the_old_one_back() {
    let test = TestApp::start().await;
    test.work();
    let draft = crate::runs::create("payments", "dev", "postgres-database", "books-db", json!({"size": "small"}));
    let id = submit(&test, "developer", draft.intent).await.unwrap();
    let books = request(&test, id).await.environment.unwrap();
    test.until_state(books, State::Ready).await;
    let old = url(&test, books).await;

    let id = submit(&test, "developer", act(books, "rotate-password", json!({}))).await.unwrap();
    assert_eq!(ended(&test, id).await.status, RequestStatus::Succeeded);
    let new = url(&test, books).await;
    assert_ne!(old, new);
    assert!(PgConnection::connect(&old).await.is_err(), "the old one is refused");
    PgConnection::connect(&new).await.unwrap().close().await.unwrap();

    let change = inputs(json!({"size": "large"}));
    let intent = Intent::Update { environment: books, generation: None, version: None, inputs: change };
    let id = submit(&test, "developer", intent).await.unwrap();
    assert_eq!(ended(&test, id).await.status, RequestStatus::Succeeded);
    assert_eq!(url(&test, books).await, new);
    PgConnection::connect(&new).await.unwrap().close().await.unwrap();
}

async fn url(test: &TestApp, id: EnvironmentId) -> String {
    let developer = test.person("developer").await;
    let op = test.op_as(&developer);
    let environment = test.environment(id).await;
    let permit = test.app.permit_on(&op, &developer, &environment).unwrap();
    let mut tx = test.app.db.begin().await.unwrap();
    let names = ["url".to_owned()];
    let all = environments::reveal(&mut tx, &op, &test.app.sealer, &permit, &environment, &names).await.unwrap();
    tx.commit().await.unwrap();
    all.into_iter().find(|one| one.name == "url").unwrap().value.unwrap().as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_approval_that_does_not_count_any_more_lets_nothing_be_done() {
    let rules = r#"@id("a-lead-agrees") @reason("A lead agrees to a greeting.") @approval("lead")
        permit (principal, action == Action::"ActOnEnvironment", resource)
        when { context has operation && context.operation == "greet" };"#;
    let test = TestApp::start_with(TestApp::policies_and(rules)).await;
    workspace::add(&test).await;
    test.work();
    let desk = workspace::ready(&test, false).await;
    sql(&test, "INSERT INTO freeze_window (id, reason, set_by) VALUES (gen_random_uuid(), 'A test', 'a test')").await;
    let id = submit(&test, "developer", act(desk, "greet", json!({"name": "ada"}))).await.unwrap();
    let lead = test.person("lead").await;
    let lead_op = test.op_as(&lead);
    test.app.requests.review(&lead_op, Caller::Person(&lead), id, ReviewVerdict::Approved, "").await.unwrap();
    sql(&test, "DELETE FROM role_binding WHERE role = 'lead'").await;
    sql(&test, "UPDATE freeze_window SET lifted_at = now(), lifted_by = 'a test'").await;
    let over = ended(&test, id).await;
    assert_eq!(over.status, RequestStatus::Failed, "{}", test.log(desk).await);
    assert!(test.log(desk).await.contains("an approval does not count any more"));
    assert_eq!((test.environment(desk).await.state, output(&test, desk, "greeting").await), (State::Ready, None));
}

/// Runs a statement as a role that may do everything.
async fn sql(test: &TestApp, statement: &'static str) {
    let mut connection = PgConnection::connect_with(&test.database.options()).await.unwrap();
    sqlx::query(statement).execute(&mut connection).await.unwrap();
}
