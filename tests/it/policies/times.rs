//! Rules that read when something is asked and what it would cost: the verdict says what a submit meets, and
//! what was asked for before a freeze does not begin in it.

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{proposed, publish, with};
use crate::api::{create, text};
use crate::support::app::TestApp;
use crate::support::catalog::add_template;
use crate::support::http::{Client, Site};
use crate::support::wait::until_true;

const MACHINES: &str = "name: Machines
provider: simulated
config: {objects: [server], latency_ms: 0, timeout_ms: 2000}
prices:
  - {item: m.large, quantity: inputs.count, while: running}
  - {item: m.unheard_of, quantity: \"inputs.gpu ? 1 : 0\"}
inputs:
  type: object
  properties:
    count: {type: integer, default: 1}
    gpu: {type: boolean, default: false}
";

async fn site(rules: &str) -> Site {
    Site::serve(TestApp::start_with(TestApp::policies_and(rules)).await).await
}

/// From so many seconds from now on, for an hour.
fn freeze(begins_in: i64) -> String {
    let from = Timestamp::now() + SignedDuration::from_secs(begins_in);
    let moment = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    format!(
        r#"@id("freeze") @reason("The year ends.") forbid (principal, action == Action::"CreateEnvironment", resource)
        when {{ context has at && context.at >= datetime("{}") && context.at < datetime("{}") }};"#,
        moment(from),
        moment(from + SignedDuration::from_hours(1))
    )
}

async fn verdict(client: &Client, draft: &Value) -> Value {
    client.post("/api/v1/verdicts", draft).await.expect(StatusCode::OK)["decision"].clone()
}

#[tokio::test]
async fn within_a_freeze_it_is_denied_as_the_verdict_says_and_the_record_says_when() {
    let site = site(&freeze(-60)).await;
    let developer = site.client("developer").await;
    let draft = create("dev", "orders");
    let told = verdict(&developer, &draft).await;
    assert_eq!((text(&told, "/outcome"), text(&told, "/rules/0/id")), ("denied", "freeze"));
    let asked = developer.post("/api/v1/requests", &draft).await.expect(StatusCode::CREATED);
    assert_eq!((text(&asked, "/status"), text(&asked, "/decision/rules/0/id")), ("denied", "freeze"));
    let kept = "SELECT count(*) FROM decision WHERE (input->'context'->>'at')::timestamptz
                BETWEEN created_at - interval '1 minute' AND created_at + interval '1 minute'";
    assert_eq!(site.number(kept).await, 1);
}

#[tokio::test]
async fn what_was_asked_for_before_a_freeze_does_not_begin_in_it() {
    let site = site(&freeze(4)).await;
    let developer = site.client("developer").await;
    let asked = developer.post("/api/v1/requests", &create("dev", "orders")).await.expect(StatusCode::CREATED);
    assert_eq!(text(&asked, "/status"), "approved");
    until_true("the freeze begins", async || verdict(&developer, &create("dev", "other")).await["outcome"] == "denied")
        .await;
    site.test.work();
    let address = format!("/api/v1/requests/{}", text(&asked, "/id"));
    until_true("its run is refused", async || developer.json(&address).await["status"] == "failed").await;
    let request = developer.json(&address).await;
    let run = developer.json(&format!("/api/v1/runs/{}", text(&request, "/run/id"))).await;
    assert!(text(&run, "/error").contains("Policy does not allow it any more. Denied by the rule freeze"), "{run:#}");
}

#[tokio::test]
async fn what_costs_too_much_is_denied_as_the_verdict_says() {
    let rule = r#"@id("not-too-much") @reason("At most 500 a month.")
        forbid (principal, action == Action::"CreateEnvironment", resource)
        when { context has cost_per_month && context.cost_per_month.greaterThan(decimal("500.0")) };"#;
    let site = super::site().await;
    let admin = site.client("admin").await;
    let number = proposed(&admin, &with(rule)).await;
    publish(&site.client("second").await, number, 1).await.expect(StatusCode::OK);
    add_template(&site.test, "machines", &[("paddock.yaml", MACHINES)]).await;
    site.sql("UPDATE quota SET maximum = 10000").await;
    let price = json!({"item": "m.large", "title": "", "unit": "month", "price": "250", "valid_from": "2026-01-01"});
    admin.post("/api/v1/prices", &price).await.expect(StatusCode::CREATED);
    let developer = site.client("developer").await;
    for (index, (inputs, outcome)) in [
        (json!({"count": 2}), "allowed"),
        (json!({"count": 3}), "denied"),
        // What has no price counts for nothing.
        (json!({"count": 2, "gpu": true}), "allowed"),
        (json!({"count": 3, "gpu": true}), "denied"),
    ]
    .into_iter()
    .enumerate()
    {
        let draft = json!({"operation": "create", "project": "payments", "environment_type": "dev",
                           "template": "machines", "name": format!("m-{index}"), "inputs": inputs});
        assert_eq!(text(&verdict(&developer, &draft).await, "/outcome"), outcome, "{inputs}");
        let asked = developer.post("/api/v1/requests", &draft).await.expect(StatusCode::CREATED);
        assert_eq!(text(&asked, "/decision/outcome"), outcome, "{inputs}");
        let tried = json!({"person": "developer", "project": "payments", "environment_type": "dev",
                           "template": "machines", "operation": "create", "inputs": inputs});
        let tried = admin.post(&format!("/api/v1/policies/{number}/try"), &tried).await.expect(StatusCode::OK);
        assert_eq!(text(&tried, "/after/outcome"), outcome, "{tried:#}");
    }
}
