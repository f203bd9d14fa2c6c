//! Life after ready, as people see it: what differs is found and accepted, what nobody owns is destroyed,
//! what somebody left behind goes to another.

use reqwest::StatusCode;
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor as _, PgConnection};

use super::api_flow::Client;
use super::browser::Browser;
use super::stage::Stage;

async fn execute(server: &mut PgConnection, statement: String) {
    server.execute(AssertSqlSafe(statement)).await.unwrap();
}

#[tokio::test]
async fn what_differs_is_found_and_accepted() {
    let stage = Stage::get().await;
    let client = Client::of(&stage, "developer", "read,request").await;
    let draft = json!({
        "operation": "create", "project": "payments", "environment_type": "dev", "template": "postgres-database",
        "name": "drifter", "inputs": {"size": "small"}, "reason": "To look at it."
    });
    let request = client.post("/requests", &draft, StatusCode::CREATED).await;
    let id = request["environment"]["id"].as_str().unwrap().to_owned();
    client.until(&format!("/environments/{id}"), |now| now["state"] == "ready").await;
    let resources = client.get(&format!("/environments/{id}/resources")).await;
    let name = resources["items"][0]["provider_id"].as_str().unwrap().to_owned();
    let mut server = stage.server().await;

    let b = Browser::of(&stage, true, "developer").await;
    b.open(&format!("/environments/{id}")).await;
    b.see_in("#drift", "It was not compared with what its last run left yet").await;
    b.press("Check for drift").await;
    b.see_later("#drift", "It is as its last run left it").await;
    execute(&mut server, format!("ALTER ROLE \"{name}\" CONNECTION LIMIT 7")).await;
    b.press("Check for drift").await;
    b.see_later("#drift", "→ 7").await;
    b.see_in(".page-title", "Drifted").await;
    b.inspect("drift").await;
    b.open("/environments?view=drifted").await;
    b.see("drifter").await;
    b.open(&format!("/environments/{id}")).await;
    b.fill("#f-drift-reason", "The night job needs seven.").await;
    b.press("Accept what differs").await;
    b.see_in("#drift", "but what was accepted").await;
    b.see_in("#timeline", "accepted what differs of drifter").await;
    b.inspect("drift-accepted").await;
    b.no_complaints(&[]).await;
}

#[tokio::test]
async fn what_nobody_owns_is_listed_and_destroyed() {
    let stage = Stage::get().await;
    let mut server = stage.server().await;
    execute(&mut server, "CREATE ROLE payments_forgotten_0042 LOGIN".to_owned()).await;
    let mark = uuid::Uuid::from_u128(42).simple();
    execute(&mut server, format!("COMMENT ON ROLE payments_forgotten_0042 IS 'paddock:env_{mark}'")).await;

    let b = Browser::of(&stage, true, "admin").await;
    b.open("/admin/orphans").await;
    b.press("Look now").await;
    b.until("the orphan", async || {
        b.open("/admin/orphans").await;
        b.text("main").await.contains("payments_forgotten_0042").then_some(())
    })
    .await;
    b.inspect("orphans").await;
    b.press("payments_forgotten_0042").await;
    b.until_at("the orphan", |path| path.starts_with("/admin/orphans/orp_")).await;
    b.see("It cannot be adopted").await;
    b.inspect("orphan").await;
    b.fill("#f-name", "payments_forgotten_0042").await;
    b.fill("#f-destroy-reason", "Nobody knows it any more.").await;
    b.click("#destroy-it").await;
    b.see_later(".page-title", "Destroyed").await;
    b.see("It is gone.").await;
    b.inspect("orphan-destroyed").await;
    b.no_complaints(&[]).await;
}

#[tokio::test]
async fn what_somebody_left_behind_is_handed_over() {
    let stage = Stage::get().await;
    let mut server = stage.server().await;
    let (person, role) = (uuid::Uuid::from_u128(0x1ea), uuid::Uuid::from_u128(0x1eb));
    for statement in [
        format!("INSERT INTO person (id, login, display_name) VALUES ('{person}', 'leaver', 'Lee Aver')"),
        format!(
            "INSERT INTO role_binding (id, role, person_id, project_id)
             SELECT '{role}', 'developer', '{person}', id FROM project WHERE slug = 'payments'"
        ),
    ] {
        execute(&mut server, statement).await;
    }
    let client = Client::of(&stage, "leaver", "read,request").await;
    let draft = json!({
        "operation": "create", "project": "payments", "environment_type": "dev", "template": "postgres-database",
        "name": "left-behind", "inputs": {"size": "small"}, "reason": "To leave it."
    });
    let request = client.post("/requests", &draft, StatusCode::CREATED).await;
    let id = request["environment"]["id"].as_str().unwrap().to_owned();
    client.until(&format!("/environments/{id}"), |now| now["state"] == "ready").await;
    execute(&mut server, format!("UPDATE person SET active = false WHERE id = '{person}'")).await;

    let b = Browser::of(&stage, true, "lead").await;
    b.open("/environments?view=gone").await;
    b.see("Owner gone").await;
    b.inspect("owner-gone").await;
    b.press("left-behind").await;
    b.until_at("the environment", |path| path == format!("/environments/{id}")).await;
    b.see_in("#hand-over", "Lee Aver is gone").await;
    b.inspect("hand-over").await;
    b.select("#f-hand-over-to", "developer").await;
    b.fill("#f-hand-over-reason", "Lee has left the company.").await;
    b.click("#hand-over button").await;
    b.see_later("#timeline", "handed left-behind over from leaver to developer").await;
    b.see_in("#timeline", "Lee has left the company.").await;
    b.open("/environments?view=gone").await;
    assert!(!b.text("main").await.contains("left-behind"), "nobody is gone any more");
    b.no_complaints(&[]).await;
}
