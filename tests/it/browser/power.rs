//! A workspace over its days, as people see it: stopped and started by a click, by a schedule, and acted on.

use std::sync::Arc;

use reqwest::StatusCode;
use serde_json::json;

use super::api_flow::Client;
use super::browser::Browser;
use super::stage::Stage;

async fn ready(stage: &Arc<Stage>, template: &str, name: &str, inputs: serde_json::Value) -> String {
    let client = Client::of(stage, "developer", "read,request").await;
    let draft = json!({
        "operation": "create", "project": "payments", "environment_type": "dev", "template": template,
        "name": name, "inputs": inputs, "reason": ""
    });
    let request = client.post("/requests", &draft, StatusCode::CREATED).await;
    let id = request["environment"]["id"].as_str().unwrap().to_owned();
    client.until(&format!("/environments/{id}"), |now| now["state"] == "ready").await;
    id
}

#[tokio::test]
async fn it_is_stopped_started_and_given_a_schedule() {
    let stage = Stage::get().await;
    let id = ready(&stage, "practice-cloud", "night-owl", json!({"size": "small", "scenario": "calm"})).await;
    let path = format!("/environments/{id}");
    let b = Browser::of(&stage, true, "developer").await;
    b.open(&path).await;
    b.see_in("#schedule", "Never: it runs until somebody stops it.").await;
    b.press("Stop").await;
    b.see_later(".page-title", "Stopped").await;
    b.see_in("#cannot", "Only one that is ready or failed can be updated.").await;
    b.inspect("power-stopped").await;
    b.press("Start").await;
    b.see_later(".page-title", "Ready").await;

    b.open(&format!("{path}/schedule")).await;
    b.fill("#f-stop", "quarter past").await;
    b.press("Save").await;
    b.see_later("main", "Must be a time of day such as 19:00.").await;
    b.listen(&["422"]).await;
    b.inspect("schedule-refused").await;
    b.fill("#f-stop", "19:00").await;
    b.fill("#f-zone", "Europe/Vienna").await;
    b.press("Save").await;
    b.see_later("#schedule", "19:00 Europe/Vienna").await;
    b.see_in("#schedule", "Monday to Friday").await;
    b.press("Delay by 1 h").await;
    b.see_later("#timeline", "put the next stop of night-owl off").await;
    b.press("Skip the next").await;
    b.see_later("#timeline", "let the next stop of night-owl pass").await;
    b.inspect("schedule-set").await;
    b.no_complaints(&[]).await;
}

#[tokio::test]
async fn its_password_is_rotated_by_the_form_of_the_action() {
    let stage = Stage::get().await;
    let id = ready(&stage, "postgres-database", "turnstile", json!({"size": "small"})).await;
    let b = Browser::of(&stage, true, "developer").await;
    b.open(&format!("/environments/{id}")).await;
    b.press("Rotate password").await;
    b.until_at("the form", |path| path.ends_with("/actions/rotate-password")).await;
    b.see("What uses the old one must be told").await;
    b.see_later("main", "Allowed").await;
    b.inspect("action-form").await;
    b.fill("#f-reason", "Somebody has left.").await;
    b.click("button[data-busy]").await;
    b.see_later("#timeline", "finished an action on turnstile").await;
    b.see_in(".page-title", "Ready").await;
    b.no_complaints(&[]).await;
}
