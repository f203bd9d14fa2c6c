//! Exceptions: asked for with the request itself, granted by whom the rule names, and bound like any approval.

use axum::http::StatusCode;
use paddock::policy::Role;
use serde_json::{Value, json};

use crate::api::text;
use crate::support::app::TestApp;
use crate::support::http::{Client, Site};
use crate::support::wait::until_true;

const RULE: &str = r#"
@id("no-large-databases") @reason("Large databases are not made in dev.")
@exception("lead") @exception_who("a lead of {project}") @exception_lifetime("2d")
forbid (principal, action == Action::"CreateEnvironment", resource)
when { context.inputs.texts.hasTag("size") && context.inputs.texts.getTag("size") == "large" };
"#;

async fn site() -> Site {
    Site::serve(TestApp::start_with(TestApp::policies_and(RULE)).await).await
}

fn large(name: &str) -> Value {
    json!({"operation": "create", "project": "payments", "environment_type": "dev", "template": "postgres-database",
           "name": name, "inputs": {"size": "large"}, "lifetime": "1d"})
}

fn asking(name: &str, more: &Value) -> Value {
    let mut draft = large(name);
    draft["exception"] = json!(true);
    draft["reason"] = json!("The yearly load test");
    draft.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    draft
}

async fn verdict(client: &Client, draft: &Value) -> Value {
    client.post("/api/v1/verdicts", draft).await.expect(StatusCode::OK)
}

async fn until_ended(client: &Client, address: &str, status: &str) {
    until_true("the request has ended", async || client.json(address).await["finished_at"].is_string()).await;
    assert_eq!(text(&client.json(address).await, "/status"), status);
}

#[tokio::test]
async fn what_is_denied_is_asked_for_granted_and_made() {
    let site = site().await;
    let (developer, lead) = (site.client("developer").await, site.client("lead").await);
    let denied = verdict(&developer, &large("orders")).await;
    assert_eq!(text(&denied, "/decision/outcome"), "denied");
    assert_eq!(denied["exception"]["longest_seconds"], 2 * 86_400);
    assert_eq!(text(&denied, "/exception/requirements/0/who"), "a lead of payments");
    let names = denied["exception"]["requirements"][0]["approvers"].as_array().unwrap();
    assert!(!names.is_empty() && names.iter().all(|one| text(one, "/name") != "Ada Dev"), "{names:?}");

    let told = verdict(&developer, &asking("orders", &json!({}))).await;
    assert_eq!((text(&told, "/decision/outcome"), &told["can_submit"]), ("needs_approval", &json!(true)));
    let silent = developer.post("/api/v1/requests", &asking("orders", &json!({"reason": " "}))).await;
    silent.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(silent.pointers(), ["/reason"]);
    let long = verdict(&developer, &asking("orders", &json!({"lifetime": "3d"}))).await;
    assert_eq!(text(&long, "/decision/outcome"), "denied");

    let request = developer.post("/api/v1/requests", &asking("orders", &json!({}))).await.expect(StatusCode::CREATED);
    assert_eq!(text(&request, "/status"), "awaiting_approval");
    assert_eq!(text(&request, "/decision/rules/0/effect"), "excepted");
    let address = format!("/api/v1/requests/{}", text(&request, "/id"));
    site.test.plan().await;
    let yes = json!({"verdict": "approved", "reason": "Until tomorrow"});
    // Nobody grants their own, whatever they are.
    site.grant("developer", Role::Lead, Some("payments")).await;
    developer.post(&format!("{address}/reviews"), &yes).await.expect(StatusCode::FORBIDDEN);
    let after = lead.post(&format!("{address}/reviews"), &yes).await.expect(StatusCode::CREATED);
    assert_eq!(text(&after, "/status"), "approved");
    site.test.work();
    until_ended(&lead, &address, "succeeded").await;

    let browser = site.browser("developer").await;
    let page = browser.get(&format!("/environments/{}", text(&request, "/environment/id"))).await;
    assert!(page.text.contains("from no-large-databases"), "the environment's page tells it");
    let log = site.client("auditor").await.json("/api/v1/audit?action=request.submitted").await;
    assert_eq!(log["items"][0]["detail"]["exception_from"], json!(["no-large-databases"]));
}

#[tokio::test]
async fn it_lets_one_request_pass_and_no_other() {
    let site = site().await;
    let (developer, lead) = (site.client("developer").await, site.client("lead").await);
    let request = developer.post("/api/v1/requests", &asking("orders", &json!({}))).await.expect(StatusCode::CREATED);
    site.test.plan().await;
    let yes = json!({"verdict": "approved", "reason": ""});
    let reviews = format!("/api/v1/requests/{}/reviews", text(&request, "/id"));
    lead.post(&reviews, &yes).await.expect(StatusCode::CREATED);
    let next = developer.post("/api/v1/requests", &large("billing")).await.expect(StatusCode::CREATED);
    assert_eq!(text(&next, "/status"), "denied");
    let other = developer.post("/api/v1/requests", &asking("billing", &json!({}))).await.expect(StatusCode::CREATED);
    assert_ne!(text(&next, "/digest"), text(&other, "/digest"), "what is approved is the exception too");
    assert_eq!(text(&other, "/status"), "awaiting_approval", "the next one asks again");
}

#[tokio::test]
async fn a_rule_that_allows_none_any_more_stops_what_was_granted() {
    let site = site().await;
    let (developer, lead) = (site.client("developer").await, site.client("lead").await);
    let request = developer.post("/api/v1/requests", &asking("orders", &json!({}))).await.expect(StatusCode::CREATED);
    site.test.plan().await;
    let address = format!("/api/v1/requests/{}", text(&request, "/id"));
    let yes = json!({"verdict": "approved", "reason": ""});
    lead.post(&format!("{address}/reviews"), &yes).await.expect(StatusCode::CREATED);
    let strict = RULE.lines().filter(|line| !line.starts_with("@exception")).collect::<Vec<_>>().join("\n");
    site.test.app.policy.take_up(&TestApp::policies_and(&strict));
    site.test.work();
    until_ended(&lead, &address, "failed").await;
    assert_eq!(site.number("SELECT count(*) FROM environment WHERE state = 'ready'").await, 0);
}

#[tokio::test]
async fn the_page_of_what_was_denied_leads_to_the_form_that_asks() {
    let site = site().await;
    let developer = site.client("developer").await;
    let denied = developer.post("/api/v1/requests", &large("orders")).await.expect(StatusCode::CREATED);
    let address = format!("/requests/{}", text(&denied, "/id"));
    let page = site.browser("developer").await.get(&address).await.text;
    let link =
        page.split("href=\"").map(|rest| rest.split('"').next().unwrap()).find(|one| one.contains("exception=true"));
    let link = link.expect("there is a way to ask").replace("&#38;", "&").replace("&amp;", "&");
    let form = site.browser("developer").await.get(&link).await.text;
    for told in ["value=\"orders\"", "Needs an exception", "Who grants it reads why you ask"] {
        assert!(form.contains(told), "“{told}” is not in the form");
    }
    let others = site.browser("lead").await.get(&address).await.text;
    assert!(!others.contains("exception=true"), "it is for the requester");
}
