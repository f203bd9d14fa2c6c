//! Rules that are only watched: shown and counted, and never a change of the outcome.

use axum::http::StatusCode;
use serde_json::json;

use super::{NO_LARGE, proposed, publish, site, verdict, with};

#[tokio::test]
async fn an_observed_rule_is_told_and_counted_and_changes_nothing() {
    let site = site().await;
    let (admin, second) = (site.client("admin").await, site.client("second").await);
    let asks = "@id(\"small-ask\") @reason(\"Small ones wait.\") @mode(\"observe\") @approval(\"lead\")\n\
                permit (principal, action == Action::\"CreateEnvironment\", resource)\n\
                when { context.inputs.texts.hasTag(\"size\") && context.inputs.texts.getTag(\"size\") == \"small\" };";
    let forbids = NO_LARGE.replace("@owner", "@mode(\"observe\")\n@owner");
    let number = proposed(&admin, &with(&format!("{forbids}\n{asks}"))).await;
    publish(&second, number, 1).await.expect(StatusCode::OK);

    let developer = site.client("developer").await;
    let large = verdict(&developer, "large").await;
    assert_eq!(large["decision"]["outcome"], "allowed");
    assert_eq!(large["decision"]["observed"]["outcome"], "denied");
    assert_eq!(large["decision"]["observed"]["rules"][0]["id"], "no-large-databases");
    let small = verdict(&developer, "small").await;
    assert_eq!(small["decision"]["outcome"], "allowed");
    assert_eq!(small["decision"]["requirements"], json!([]));
    assert_eq!(small["decision"]["observed"]["approval_by"], json!(["a lead of payments"]));
    let mut draft = crate::api::create("dev", "orders");
    draft["inputs"]["size"] = json!("large");
    let request = developer.post("/api/v1/requests", &draft).await.expect(StatusCode::CREATED);
    assert_eq!(request["status"], "approved");

    let mut browser = site.test.browser_of("developer").await;
    let page = browser.get(&format!("/requests/{}", request["id"].as_str().unwrap())).await;
    page.shows(&["would have been denied", "no-large-databases", "only watched"]);
    let mut browser = site.test.browser_of("admin").await;
    let page = browser.get(&format!("/admin/policies/{number}")).await;
    page.shows(&["counted in 1 decision of the last 30 days", "counted in 0 decisions", "platform team"]);
}
