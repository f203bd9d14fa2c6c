//! Approval: nobody their own, everybody once, and a record of every step.

use axum::http::StatusCode;
use paddock::policy::Role;
use serde_json::{Value, json};

use crate::api::{create, text};
use crate::support::http::{Client, Site};

async fn asked(site: &Site, client: &Client, name: &str) -> (String, Value) {
    let request = client.post("/api/v1/requests", &create("prod", name)).await.expect(StatusCode::CREATED);
    assert_eq!(text(&request, "/status"), "awaiting_approval");
    site.test.plan().await;
    (format!("/api/v1/requests/{}", text(&request, "/id")), request)
}

fn approved() -> Value {
    json!({"verdict": "approved", "reason": "Fine"})
}

/// The audit actions about a request, oldest first.
async fn actions(site: &Site, request: &Value) -> Vec<String> {
    let found = site.client("auditor").await.json(&format!("/api/v1/audit?object={}", text(request, "/id"))).await;
    let mut actions: Vec<String> =
        found["items"].as_array().unwrap().iter().map(|one| text(one, "/action").to_owned()).collect();
    actions.sort();
    actions
}

#[tokio::test]
async fn nobody_approves_their_own() {
    let site = Site::start().await;
    // Every role there is does not help.
    for role in Role::ALL {
        site.grant("developer", role, None).await;
        site.grant("developer", role, Some("payments")).await;
    }
    let developer = site.client("developer").await;
    let (address, request) = asked(&site, &developer, "orders").await;
    for verdict in ["approved", "rejected"] {
        let body = json!({"verdict": verdict, "reason": "I like it"});
        let refused = developer.post(&format!("{address}/reviews"), &body).await.expect(StatusCode::FORBIDDEN);
        assert_eq!(refused["missing"]["roles"], json!([]), "no role helps");
    }
    let browser = site.browser("developer").await.with_header("sec-fetch-site", "same-origin");
    browser.post(&format!("{address}/reviews"), &approved()).await.expect(StatusCode::FORBIDDEN);
    // Nor does it help to be asked on behalf of: an operation on one's own environment is one's own request.
    assert_eq!(developer.json("/api/v1/requests?to_review=true").await["items"], json!([]));
    assert_eq!(site.number("SELECT count(*) FROM review").await, 0);
    assert_eq!(actions(&site, &request).await, ["request.planned", "request.submitted", "run.started"]);
}

#[tokio::test]
async fn one_leads_approval_is_enough_and_counts_once() {
    let site = Site::start().await;
    site.grant("second", Role::Lead, Some("payments")).await;
    site.grant("foreign", Role::Lead, Some("storefront")).await;
    let (developer, lead, second, foreign) = (
        site.client("developer").await,
        site.client("lead").await,
        site.client("second").await,
        site.client("foreign").await,
    );
    let (address, request) = asked(&site, &developer, "orders").await;
    for client in [&foreign, &site.client("admin").await, &site.client("auditor").await, &site.client("outsider").await]
    {
        client.post(&format!("{address}/reviews"), &approved()).await.expect(StatusCode::FORBIDDEN);
    }
    let silent = json!({"verdict": "rejected", "reason": " "});
    let refused = lead.post(&format!("{address}/reviews"), &silent).await;
    refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.pointers(), ["/reason"]);
    let after = lead.post(&format!("{address}/reviews"), &approved()).await.expect(StatusCode::CREATED);
    assert_eq!(text(&after, "/status"), "approved");
    assert!(after["run"]["id"].is_string(), "its run is queued: {after:#}");
    for late in [&lead, &second] {
        late.post(&format!("{address}/reviews"), &approved()).await.expect(StatusCode::CONFLICT);
    }
    developer.post_nothing(&format!("{address}/withdraw")).await.expect(StatusCode::CONFLICT);
    assert_eq!(
        actions(&site, &request).await,
        [
            "environment.provisioning",
            "request.approved",
            "request.planned",
            "request.reviewed",
            "request.submitted",
            "run.started"
        ]
    );
}

#[tokio::test]
async fn two_leads_at_once_start_one_run() {
    let site = Site::start().await;
    site.grant("second", Role::Lead, Some("payments")).await;
    let developer = site.client("developer").await;
    let (lead, second) = (site.client("lead").await, site.client("second").await);
    for number in 1..=5 {
        let (address, _) = asked(&site, &developer, &format!("orders-{number}")).await;
        let reviews = format!("{address}/reviews");
        let body = approved();
        let (one, other) = tokio::join!(lead.post(&reviews, &body), second.post(&reviews, &body));
        let mut statuses = [one.status.as_u16(), other.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "{} {}", one.text, other.text);
        assert_eq!(site.number("SELECT count(*) FROM run WHERE kind NOT LIKE 'plan.%'").await, number);
    }
}

#[tokio::test]
async fn rejected_and_withdrawn_requests_leave_nothing() {
    let site = Site::start().await;
    let (developer, lead) = (site.client("developer").await, site.client("lead").await);
    let (address, request) = asked(&site, &developer, "orders").await;
    let no = json!({"verdict": "rejected", "reason": "Use the shared one"});
    let after = lead.post(&format!("{address}/reviews"), &no).await.expect(StatusCode::CREATED);
    assert_eq!((text(&after, "/status"), text(&after, "/reviews/0/reason")), ("rejected", "Use the shared one"));
    let expected = ["request.planned", "request.rejected", "request.reviewed", "request.submitted", "run.started"];
    assert_eq!(actions(&site, &request).await, expected);
    let environment = text(&request, "/environment/id");
    assert_eq!(text(&developer.json(&format!("/api/v1/environments/{environment}")).await, "/state"), "deleted");

    let (address, request) = asked(&site, &developer, "orders").await;
    lead.post_nothing(&format!("{address}/withdraw")).await.expect(StatusCode::FORBIDDEN);
    let after = developer.post_nothing(&format!("{address}/withdraw")).await.expect(StatusCode::OK);
    assert_eq!(text(&after, "/status"), "withdrawn");
    assert_eq!(
        actions(&site, &request).await,
        ["request.planned", "request.submitted", "request.withdrawn", "run.started"]
    );
    lead.post(&format!("{address}/reviews"), &approved()).await.expect(StatusCode::CONFLICT);
    assert_eq!(site.number("SELECT sum(used + reserved + stopped) FROM quota_counter").await, 0);
}

#[tokio::test]
async fn whoever_lost_the_role_has_not_approved() {
    let site = Site::start().await;
    let (developer, lead) = (site.client("developer").await, site.client("lead").await);
    let (address, _) = asked(&site, &developer, "orders").await;
    // Two leads are needed now.
    site.sql("UPDATE approval_requirement SET count = 2").await;
    let half = lead.post(&format!("{address}/reviews"), &approved()).await.expect(StatusCode::CREATED);
    assert_eq!(
        (text(&half, "/status"), &half["decision"]["requirements"][0]["approvals"]),
        ("awaiting_approval", &json!(1))
    );
    let twice = lead.post(&format!("{address}/reviews"), &approved()).await.expect(StatusCode::CONFLICT);
    assert!(text(&twice, "/detail").contains("already"), "{twice:#}");
    site.sql("DELETE FROM role_binding WHERE role = 'lead'").await;
    assert_eq!(developer.json(&address).await["decision"]["requirements"][0]["approvals"], 0);
    site.grant("second", Role::Lead, Some("payments")).await;
    let second = site.client("second").await;
    let after = second.post(&format!("{address}/reviews"), &approved()).await.expect(StatusCode::CREATED);
    assert_eq!(text(&after, "/status"), "awaiting_approval", "one of the two is no lead any more");
}
