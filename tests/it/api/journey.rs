//! The main way through the API alone: a database in prod from the first look to the last record.

use axum::http::StatusCode;
use paddock::environments::State;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::{create, text};
use crate::support::http::{Client, Site};

async fn approve(site: &Site, lead: &Client, request: &Value) {
    site.test.plan().await;
    let address = format!("/api/v1/requests/{}/reviews", text(request, "/id"));
    let answer = lead.post(&address, &json!({"verdict": "approved", "reason": "Fine"})).await;
    let request = answer.expect(StatusCode::CREATED);
    assert_eq!(request["decision"]["requirements"][0]["satisfied"], true, "{request:#}");
    assert_eq!(text(&request, "/reviews/0/verdict"), "approved");
}

fn values(outputs: &Value) -> Vec<(String, Value)> {
    let items = outputs["items"].as_array().unwrap();
    items.iter().map(|one| (text(one, "/name").to_owned(), one["value"].clone())).collect()
}

#[tokio::test]
async fn a_program_gets_a_database_and_gives_it_back() {
    let site = Site::start().await;
    site.test.work();
    let (developer, lead, auditor) =
        (site.client("developer").await, site.client("lead").await, site.client("auditor").await);

    // Before: the template, its form, the verdict.
    let templates = developer.json("/api/v1/templates?query=postgres&project=payments").await;
    let id = text(&templates, "/items/0/id");
    let template = developer.json(&format!("/api/v1/templates/{id}")).await;
    assert_eq!(template["current"]["inputs_schema"]["type"], "object");
    let body = create("prod", "orders-db");
    let verdict = developer.post("/api/v1/verdicts", &body).await.expect(StatusCode::OK);
    assert_eq!((text(&verdict, "/decision/outcome"), &verdict["can_submit"]), ("needs_approval", &json!(true)));
    assert_eq!(verdict["decision"]["requirements"][0]["approvers"][0]["name"], "Lee Okafor");
    assert_eq!(
        verdict["quotas"],
        json!([{"scope": "project_environment_type", "place": "payments prod", "dimension": "environments", "before": 0,
                "after": 1, "limit": 5, "fits": true}])
    );
    assert_eq!(site.number("SELECT count(*) FROM request").await, 0, "a verdict has no side effects");

    // Ask, wait, approve.
    let answer = developer.with_header("idempotency-key", "orders").post("/api/v1/requests", &body).await;
    let request = answer.expect(StatusCode::CREATED);
    assert_eq!(answer.header("location"), format!("/api/v1/requests/{}", text(&request, "/id")));
    assert_eq!((text(&request, "/status"), &request["run"]), ("awaiting_approval", &Value::Null));
    site.test.plan().await;
    let inbox = lead.json("/api/v1/requests?to_review=true&status=awaiting_approval").await;
    assert_eq!(inbox["items"][0]["id"], request["id"]);
    assert_eq!(developer.json("/api/v1/requests?to_review=true").await["items"], json!([]));
    approve(&site, &lead, &request).await;
    assert_eq!(lead.json("/api/v1/requests?to_review=true").await["items"], json!([]));

    // Ready: outputs work.
    let environment = text(&request, "/environment/id");
    let address = format!("/api/v1/environments/{environment}");
    let ready = site.test.until_state(environment.parse().unwrap(), State::Ready).await;
    let seen = developer.json(&address).await;
    assert_eq!((text(&seen, "/state"), &seen["generation"]), ("ready", &json!(1)));
    assert_eq!(seen["expires_at"], json!(ready.expires_at));
    let masked = values(&developer.json(&format!("{address}/outputs")).await);
    assert!(masked.iter().any(|(name, value)| name == "url" && value.is_null()), "{masked:?}");
    auditor.get(&format!("{address}/outputs?reveal=url")).await.expect(StatusCode::FORBIDDEN);
    let shown = values(&developer.json(&format!("{address}/outputs?reveal=url")).await);
    let url = shown.iter().find(|(name, _)| name == "url").unwrap().1.as_str().unwrap().to_owned();
    assert!(shown.iter().any(|(name, value)| name == "password" && value.is_null()), "only what was asked for");
    PgConnection::connect(&url).await.expect("the outputs connect").close().await.unwrap();
    assert!(!developer.json(&format!("{address}/resources")).await["items"].as_array().unwrap().is_empty());

    // Extend, update, delete.
    let extend = json!({"operation": "extend", "environment": environment, "lifetime": "40d"});
    approve(&site, &lead, &developer.post("/api/v1/requests", &extend).await.expect(StatusCode::CREATED)).await;
    let extended = developer.get(&address).await;
    assert!(text(&extended.value(), "/expires_at") > text(&seen, "/expires_at"));
    assert_eq!(extended.header("etag"), "\"2\"");
    let update = json!({"operation": "update", "environment": environment, "inputs": {"size": "medium"}});
    let update = developer.with_header("if-match", "\"2\"").post("/api/v1/requests", &update).await;
    approve(&site, &lead, &update.expect(StatusCode::CREATED)).await;
    site.test.until_state(environment.parse().unwrap(), State::Ready).await;
    let changed = developer.json(&address).await;
    assert_eq!((&changed["generation"], &changed["inputs"]["size"]), (&json!(3), &json!("medium")));
    let delete = json!({"operation": "delete", "environment": environment});
    developer.post("/api/v1/requests", &delete).await.expect(StatusCode::CREATED);
    site.test.until_state(environment.parse().unwrap(), State::Deleted).await;
    assert!(PgConnection::connect(&url).await.is_err(), "the database is gone");
    assert_eq!(developer.json("/api/v1/environments").await["items"], json!([]));

    recorded(&auditor, environment, text(&request, "/id")).await;
    settled(&developer, &address).await;
}

/// What is left of an environment that is gone: its timeline, and no quota.
async fn settled(developer: &Client, address: &str) {
    let timeline = developer.json(&format!("{address}/timeline?limit=100")).await;
    assert_eq!(timeline["items"][0]["action"], "request.succeeded");
    let project = developer.json("/api/v1/projects/payments").await;
    let prod = &project["environment_types"][2];
    assert_eq!(prod["quotas"], json!([{"dimension": "environments", "limit": 5, "used": 0, "reserved": 0}]));
    assert!(project["members"].as_array().unwrap().iter().any(|one| one["login"] == "lead" && one["role"] == "lead"));
}

/// Every step stands in the audit log, and the log is found by environment, request and record.
async fn recorded(auditor: &Client, environment: &str, request: &str) {
    let all = auditor.json(&format!("/api/v1/audit?object={environment}&limit=100")).await;
    let actions: Vec<&str> = all["items"].as_array().unwrap().iter().map(|one| text(one, "/action")).collect();
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
        "environment.updating",
        "environment.updated",
        "environment.deleting",
        "environment.deleted",
    ] {
        assert!(actions.contains(&action), "{action} is missing in {actions:?}");
    }
    let first = auditor.json(&format!("/api/v1/audit?object={request}&action=request.submitted")).await;
    let record = &first["items"][0];
    assert_eq!((text(record, "/actor"), text(record, "/channel")), ("developer", "api"));
    assert_eq!(&auditor.json(&format!("/api/v1/audit/{}", text(record, "/id"))).await, record);
    let same =
        auditor.json(&format!("/api/v1/audit?operation_id={}&actor=developer", text(record, "/operation_id"))).await;
    assert!(same["items"].as_array().unwrap().len() > 1, "one operation, several records");
}

#[tokio::test]
async fn a_queued_run_is_canceled_at_once_and_retried() {
    let site = Site::start().await;
    let developer = site.client("developer").await;
    let made = developer.post("/api/v1/requests", &create("dev", "orders")).await.expect(StatusCode::CREATED);
    let run = format!("/api/v1/runs/{}", text(&made, "/run/id"));
    developer.post_nothing(&format!("{run}/retry")).await.expect(StatusCode::CONFLICT);
    let canceled = developer.post_nothing(&format!("{run}/cancel")).await.expect(StatusCode::ACCEPTED);
    assert_eq!(text(&canceled, "/status"), "canceled");
    developer.post_nothing(&format!("{run}/cancel")).await.expect(StatusCode::CONFLICT);
    let request = format!("/api/v1/requests/{}", text(&made, "/id"));
    assert_eq!(text(&developer.json(&request).await, "/status"), "canceled");
    let again = developer.post_nothing(&format!("{run}/retry")).await.expect(StatusCode::CREATED);
    assert_eq!(text(&again, "/status"), "queued");
    assert_ne!(again["id"], canceled["id"]);
    let now = developer.json(&request).await;
    assert_eq!((text(&now, "/status"), &now["run"]["id"]), ("running", &again["id"]));
    site.test.work();
    let id = text(&made, "/environment/id").parse().unwrap();
    site.test.until_state(id, State::Ready).await;
    assert_eq!(text(&developer.json(&request).await, "/status"), "succeeded");
}
