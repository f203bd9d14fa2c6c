//! Policies as a product: written by one admin, published by another, in force everywhere at once.

mod forms;
mod observe;
mod processes;
mod proofs;
mod replay;
mod second;
mod times;
mod trial;
mod way;

use paddock::app::{App, PolicySource};
use paddock::base::{Actor, Origin};
use paddock::policy::{PolicyEngine, Role};
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::http::{Client, Site};

/// A rule that no default set has.
pub const NO_LARGE: &str = r#"
@id("no-large-databases")
@reason("Large databases are not made here.")
@owner("platform team")
forbid (principal, action == Action::"CreateEnvironment", resource)
when { context.inputs.texts.hasTag("size") && context.inputs.texts.getTag("size") == "large" };
"#;

/// The default set and this rule.
pub fn with(rule: &str) -> String {
    format!("{}\n{rule}", PolicyEngine::embedded().unwrap().source())
}

pub async fn begin(app: &App, source: PolicySource) {
    let op = app.op(Actor::System { part: "policies" }, Origin::internal("cli"));
    app.begin_policies(&op, source).await.unwrap();
}

/// A site whose versions begin with the built-in set, and two more admins: `second` and `third`.
pub async fn site() -> Site {
    let site = Site::serve(TestApp::start().await).await;
    begin(&site.test.app, PolicySource::Versions).await;
    site.grant("second", Role::Admin, None).await;
    site.grant("third", Role::Admin, None).await;
    site
}

/// A draft by this admin over the API, proposed; its number.
pub async fn proposed(admin: &Client, source: &str) -> i64 {
    let made = admin.post("/api/v1/policies", &json!({"source": source, "note": "A test"})).await;
    let number = made.expect(axum::http::StatusCode::CREATED)["number"].as_i64().unwrap();
    admin.post_nothing(&format!("/api/v1/policies/{number}/propose")).await.expect(axum::http::StatusCode::OK);
    number
}

/// Publishes instead of the version in force.
pub async fn publish(admin: &Client, number: i64, in_force: i64) -> crate::support::http::Answer {
    admin.post(&format!("/api/v1/policies/{number}/publish"), &json!({"in_force": in_force})).await
}

/// What the verdict says about a database of this size in dev.
pub async fn verdict(client: &Client, size: &str) -> Value {
    let mut draft = crate::api::create("dev", "orders");
    draft["inputs"]["size"] = json!(size);
    client.post("/api/v1/verdicts", &draft).await.value()
}
