//! A target as an admin connects it: what is wrong is told, mended, used by nobody yet, and disconnected.

use sqlx::Executor as _;

use super::browser::Browser;
use super::stage::Stage;

#[tokio::test]
async fn it_is_connected_mended_bound_and_disconnected() {
    let stage = Stage::get().await;
    let mut server = stage.server().await;
    server.execute("CREATE ROLE team_admin LOGIN CREATEDB CREATEROLE PASSWORD 'slow-otter-river'").await.unwrap();
    server.execute("CREATE DATABASE team_admin OWNER team_admin").await.unwrap();
    let port = std::fs::read_to_string(stage.data_dir().join("postgres/port")).unwrap();

    let b = Browser::of(&stage, true, "admin").await;
    b.open("/admin/targets").await;
    b.press("Connect a target").await;
    b.until_at("the kinds of targets", |path| path == "/admin/targets/new").await;
    b.inspect("target-kinds").await;
    b.open("/admin/targets/new?provider=postgres").await;
    b.fill("#f-name", "Team databases").await;
    b.fill("#f-slug", "Team Databases").await;
    b.fill("#f-settings-server", "127.0.0.1").await;
    b.fill("#f-settings-server-port", port.trim()).await;
    b.fill("#f-settings-user", "team_admin").await;
    b.fill("#f-settings-database", "team_admin").await;
    b.fill("#f-credential-password", "not-this-one").await;
    b.click("#target button[type=submit]").await;
    b.see_later("main", "One thing needs a change").await;
    b.listen(&["422"]).await;
    assert_eq!(b.value("#f-settings-user").await, "team_admin", "what was typed stays");
    assert_eq!(b.value("#f-credential-password").await, "", "but for the secret");
    b.inspect("target-refused").await;
    b.fill("#f-slug", "team-databases").await;
    b.fill("#f-credential-password", "not-this-one").await;
    b.click("#target button[type=submit]").await;
    b.until_at("the target", |path| path == "/admin/targets/team-databases").await;
    b.see_in("#check", "Not OK").await;
    b.see_in("#check", "password authentication failed").await;
    b.inspect("target-failed").await;

    b.fill("#f-credential-password", "slow-otter-river").await;
    b.choose("how", "somebody").await;
    b.press("Rotate").await;
    b.see_later("#check", "Make databases").await;
    b.see_later(".page-title", "Look at it").await;
    let place = b.eval("return [...document.querySelectorAll('#f-place option')].at(-1).value").await;
    let label = b.eval("return [...document.querySelectorAll('#f-place option')].at(-1).textContent").await;
    b.select("#f-place", place.as_str().unwrap()).await;
    b.press("Bind").await;
    let (label, _) = label.as_str().unwrap().trim().split_once(',').unwrap();
    b.see_later("#used-by tbody", label).await;
    b.see_in("#living", "Nothing lives on it.").await;
    b.inspect("target-bound").await;
    b.click("#used-by tbody button").await;
    b.see_later("#used-by", "No environment type uses it").await;
    b.fill("#f-confirm", "team-databases").await;
    b.press("Disconnect").await;
    b.until_at("the list", |path| path == "/admin/targets").await;
    assert!(!b.text("tbody").await.contains("Team databases"), "it is gone");
    b.no_complaints(&[]).await;
}
