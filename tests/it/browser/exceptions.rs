//! A rule, the exception from it, and its end.

use reqwest::StatusCode;
use serde_json::json;
use sqlx::Executor as _;

use super::api_flow::Client;
use super::browser::Browser;
use super::stage::Stage;

const RULE: &str = r#"
@id("no-large-databases") @reason("Large databases are not made in dev.")
@exception("lead") @exception_lifetime("2d")
forbid (principal, action == Action::"CreateEnvironment", resource)
when { context.inputs.texts.hasTag("size") && context.inputs.texts.getTag("size") == "large" };
"#;

/// Puts the rule in force, by two admins.
async fn publish(stage: &std::sync::Arc<Stage>) {
    let admin = Client::of(stage, "admin", "admin").await;
    let second = Client::of(stage, "second-admin", "admin").await;
    let all = admin.get("/policies").await;
    let now = all["items"].as_array().unwrap().iter().find(|one| one["state"] == "published").unwrap();
    let now = admin.get(&format!("/policies/{}", now["number"])).await;
    let source = format!("{}\n{RULE}", now["source"].as_str().unwrap());
    let draft = admin.post("/policies", &json!({"source": source, "note": ""}), StatusCode::CREATED).await;
    let version = format!("/policies/{}", draft["number"]);
    admin.post_nothing(&format!("{version}/propose")).await;
    second.post(&format!("{version}/publish"), &json!({"in_force": now["number"]}), StatusCode::OK).await;
}

#[tokio::test]
async fn an_exception_is_asked_for_granted_used_and_over() {
    // By itself: what waits for approval elsewhere would ask again.
    let stage = Stage::own().await;
    publish(&stage).await;

    let b = Browser::of(&stage, true, "developer").await;
    b.open(
        "/catalog/postgres-database/request?project=payments&environment_type=dev&inputs/size=large&name=load-test\
         &lifetime=1d",
    )
    .await;
    b.see_later("#verdict", "Large databases are not made in dev.").await;
    b.see_in(".verdict-exception", "a lead of payments").await;
    b.see_in(".verdict-exception", "It lasts at most 2 days").await;
    b.inspect("exception-offered").await;
    b.click("label[for=f-exception]").await;
    b.see_later("#verdict", "Needs an exception").await;
    b.see_in("#verdict", "Lee Okafor").await;
    b.fill("#f-reason", "The yearly load test.").await;
    b.inspect("exception-asked").await;
    b.press("Ask for approval").await;
    let request = b.until_at("the request", |path| path.starts_with("/requests/req_")).await;
    b.see_later("main", "Waits for Lee Okafor").await;
    b.inspect("exception-waiting").await;

    let lead = Browser::of(&stage, true, "lead").await;
    lead.open(&request.replace("/requests/", "/approvals/")).await;
    lead.see("The yearly load test.").await;
    lead.see("An exception from “Large databases are not made in dev.”").await;
    lead.until("the plan", async || lead.text("main").await.contains("Your review").then_some(())).await;
    lead.see_later("#live", "Approve").await;
    lead.inspect("exception-review").await;
    lead.press("Approve").await;
    lead.until_at("the inbox", |path| path == "/approvals").await;

    b.see_later(".page-title", "Succeeded").await;
    b.inspect("exception-granted").await;
    b.press("Environment").await;
    let environment = b.until_at("the environment", |path| path.starts_with("/environments/env_")).await;
    b.see("from no-large-databases").await;
    b.inspect("exception-environment").await;
    let mut server = stage.server().await;
    server.execute("UPDATE environment SET expires_at = now() WHERE name = 'load-test'").await.unwrap();
    b.until("its end", async || {
        b.open(&environment).await;
        b.text(".page-title").await.contains("Deleted").then_some(())
    })
    .await;
    // The next one is denied again.
    b.open("/catalog/postgres-database/request?project=payments&environment_type=dev&inputs/size=large&name=next")
        .await;
    b.see_later("#verdict", "Not allowed").await;
    b.no_complaints(&[]).await;
    lead.no_complaints(&[]).await;
}
