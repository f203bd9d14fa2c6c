//! A dev box from the sample catalog: JupyterLab on this machine, asked for, used, stopped, started, and
//! stopped when its time is over.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Executor as _};

use super::browser::Browser;
use super::stage::Stage;

const EDITOR: &str = "#jp-top-panel, .jp-LauncherCard";

/// The way in, as a person takes it, in a window of its own until the editor is there: its complaints are its
/// own, and nobody listens to them.
async fn enter(stage: &Arc<Stage>, environment: &str) -> Browser {
    let desk = Browser::of(stage, true, "developer").await;
    desk.open(environment).await;
    desk.press("Open JupyterLab").await;
    desk.follow_to_new_tab().await;
    desk.until_at("the editor", |path| path.starts_with("/lab")).await;
    desk.until("JupyterLab is drawn", async || (!desk.text(EDITOR).await.is_empty()).then_some(())).await;
    desk
}

#[tokio::test]
async fn a_workspace_is_asked_for_used_stopped_and_started() {
    let stage = Stage::get().await;
    let b = Browser::of(&stage, true, "developer").await;
    b.open("/catalog/dev-workspace").await;
    b.see("JupyterLab with files, notebooks and a terminal").await;
    b.inspect("workspace-template").await;
    b.press("Request").await;
    b.until_at("the form", |path| path == "/catalog/dev-workspace/request").await;
    b.select("#f-project", "payments").await;
    b.choose("environment_type", "dev").await;
    b.see_in("#verdict", "Nobody has to agree").await;
    b.fill("#f-name", "dana-desk").await;
    b.see_in("#verdict", "Nobody has to agree").await;
    b.inspect("workspace-form").await;
    b.click("#verdict .verdict-foot button[data-busy], #verdict .verdict-bar button").await;
    let environment = b.until_at("the environment", |path| path.starts_with("/environments/env_")).await;
    b.see_later(".page-title", "Ready").await;
    b.see_in("#schedule", "10 h of running").await;
    b.inspect("workspace-ready").await;

    let desk = enter(&stage, &environment).await;
    let url = desk.eval("return window.location.origin + '/api/status'").await.as_str().unwrap().to_owned();
    assert!(url.starts_with("http://127.0.0.1:2"), "{url}");
    let refused = reqwest::get(&url).await.unwrap().status();
    assert_eq!(refused, 403, "nobody is let in without the token");
    desk.click(".jp-LauncherCard[title=\"Create a new text file\"]").await;
    desk.see_later(".jp-DirListing-content", "untitled.txt").await;
    desk.save("workspace-editor").await;

    b.press("Stop").await;
    b.see_later(".page-title", "Stopped").await;
    b.inspect("workspace-stopped").await;
    assert!(reqwest::get(&url).await.is_err(), "the editor does not answer");
    b.press("Start").await;
    b.see_later(".page-title", "Ready").await;
    let desk = enter(&stage, &environment).await;
    desk.see_later(".jp-DirListing-content", "untitled.txt").await;
    let again = desk.eval("return window.location.origin + '/api/status'").await;
    assert_eq!(again.as_str(), Some(url.as_str()), "at the same port");

    b.press("Check for drift").await;
    b.see_later("#drift", "It is as its last run left it").await;

    // Its ten hours are over.
    let id = environment.rsplit_once('/').unwrap().1.parse::<paddock::base::id::EnvironmentId>().unwrap().0;
    let over = format!("UPDATE schedule SET stops_at = now() WHERE environment_id = '{id}'");
    stage.server().await.execute(AssertSqlSafe(over)).await.unwrap();
    // A page of something at rest does not look again by itself.
    b.until("it has stopped by itself", async || {
        b.open(&environment).await;
        b.text(".page-title").await.contains("Stopped").then_some(())
    })
    .await;
    assert!(reqwest::get(&url).await.is_err(), "the editor does not answer");

    b.press("Delete…").await;
    b.until_at("the last question", |path| path.ends_with("/delete")).await;
    b.click("#destroy").await;
    b.until_at("somewhere else", |path| !path.ends_with("/delete")).await;
    b.open(&environment).await;
    b.see_later(".page-title", "Deleted").await;
    let left = std::fs::read_dir(stage.data_dir().join("runner")).unwrap().flatten().map(|entry| entry.file_name());
    assert_eq!(left.collect::<Vec<_>>(), ["shared"], "nothing of it is left on the host");
    b.no_complaints(&[]).await;
}
