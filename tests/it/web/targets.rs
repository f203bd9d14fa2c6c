//! The pages of targets: who may look and change, fields from the provider, nothing typed lost, no secret shown.

use axum::http::StatusCode;
use serde_json::Value;

use crate::api::targets::Admin;
use crate::support::app::TestApp;
use crate::support::pages::Answer;

/// The value of the option or hidden field after these words.
fn after<'a>(page: &'a Answer, words: &str, until: &str) -> &'a str {
    let at = page.text.find(words).unwrap_or_else(|| panic!("no {words}:\n{}", page.text));
    page.text[at + words.len()..].split(until).next().unwrap()
}

#[tokio::test]
async fn an_admin_connects_checks_binds_rotates_and_disconnects() {
    let test = TestApp::start().await;
    let server = Admin::make("hunter2-first").await;
    let settings = server.settings();
    let of = |name: &str| match &settings[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut admin = test.browser_of("admin").await;
    admin.get("/admin/queue").await.shows(&["href=\"/admin/targets\""]);
    let list = admin.get("/admin/targets").await;
    list.shows(&[
        "demo-postgres",
        "Not checked",
        "payments dev, payments test, payments prod and 3 more",
        "Connect a target",
    ]);
    let pick = admin.get("/admin/targets/new").await;
    pick.shows(&["provider=postgres", "provider=terraform", "provider=command", "provider=simulated"]);
    let form = admin.get("/admin/targets/new?provider=postgres").await;
    form.shows(&["name=\"settings/server\"", "name=\"credential/password\" type=\"password\"", "Administrator"]);

    // What is wrong stands beside its field; what was typed stays, but for the secret.
    let (host, port) = (of("server"), of("server_port"));
    let mut fields = vec![
        ("provider", "postgres"),
        ("name", "Team databases"),
        ("slug", "Team Databases"),
        ("settings/server", host.as_str()),
        ("settings/server_port", "many"),
        ("settings/user", server.name.as_str()),
        ("settings/database", server.name.as_str()),
        ("settings/tls", "prefer"),
        ("credential/password", "hunter2-first"),
        ("run_limit", "0"),
        ("labels", "eu-west, No"),
    ];
    let refused = admin.post("/admin/targets/new", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.shows(&[
        "4 things need a change",
        "href=\"#f-settings-server-port\"",
        "href=\"#f-slug\"",
        "href=\"#f-labels\"",
    ]);
    assert_eq!(
        (refused.value_of("name"), refused.value_of("settings/server_port")),
        ("Team databases".into(), "many".into())
    );
    refused.hides(&["hunter2"]);
    fields[2].1 = "team-databases";
    fields[4].1 = port.as_str();
    fields[9].1 = "3";
    fields[10].1 = "";
    let connected = admin.post("/admin/targets/new", &fields).await;
    assert_eq!(connected.location(), "/admin/targets/team-databases");
    let page = admin.get("/admin/targets/team-databases").await;
    page.shows(&[
        "It is connected",
        // The server of the tests lets every role into other databases.
        "Look at it",
        "Make databases",
        "Nothing lives on it.",
        "0 of 3",
        "from the server that shows",
    ]);
    page.hides(&["hunter2"]);

    // Bound instead of the demo's, and back.
    let place = after(&page, "<option value=\"", "\"").to_owned();
    page.shows(&["payments dev, instead of demo-postgres"]);
    let bound = admin.post("/admin/targets/team-databases/bind", &[("place", &place)]).await;
    assert_eq!(bound.status, StatusCode::SEE_OTHER);
    admin.get("/admin/targets").await.shows(&["payments dev</td>", "0 of 3", "Look at it"]);
    assert_eq!(
        admin.post("/admin/targets/team-databases/bind", &[("place", "x")]).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    admin.post("/admin/targets/team-databases/unbind", &[("place", &place)]).await;
    admin.get("/admin/targets/team-databases").await.shows(&["No environment type uses it"]);

    // A credential that is not taken, and one that Paddock sets.
    let rotate = "/admin/targets/team-databases/rotate";
    let refused = admin.post(rotate, &[("credential/password", "hunter2-wrong"), ("how", "somebody")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.shows(&["the old one stays", "href=\"#f-credential-password\""]);
    refused.hides(&["hunter2"]);
    assert_eq!(
        admin.post(rotate, &[("credential/password", ""), ("how", "paddock")]).await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(admin.post("/admin/targets/team-databases/check", &[]).await.status, StatusCode::SEE_OTHER);
    admin.get("/admin/targets/team-databases").await.shows(&["The check passed, with something to look at."]);

    // Changed: somebody was faster, and nothing typed is lost.
    let edit = "/admin/targets/team-databases/edit";
    let form = admin.get(edit).await;
    let seen = form.value_of("generation");
    let one = [("generation", seen.as_str()), ("name", "Databases"), ("settings/port", "6432")];
    assert_eq!(admin.post(edit, &one).await.location(), "/admin/targets/team-databases");
    let late = [("generation", seen.as_str()), ("name", "Mine"), ("settings/port", "6433")];
    let refused = admin.post(edit, &late).await;
    assert_eq!((refused.status, refused.value_of("name")), (StatusCode::CONFLICT, "Mine".to_owned()));
    refused.shows(&["Somebody changed the target in the meantime"]);
    assert_ne!(refused.value_of("generation"), seen);

    // Limits, and the end.
    let wrong = admin.post("/admin/targets/team-databases/limits", &[("run_limit", "x"), ("labels", "eu")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    admin.post("/admin/targets/team-databases/limits", &[("run_limit", ""), ("labels", "eu-west, gpu")]).await;
    admin.get("/admin/targets").await.shows(&["eu-west", "gpu"]);
    let disconnect = "/admin/targets/team-databases/disconnect";
    let unsure = admin.post(disconnect, &[("confirm", "team")]).await;
    assert_eq!(unsure.status, StatusCode::UNPROCESSABLE_ENTITY);
    let gone = admin.post(disconnect, &[("confirm", "team-databases")]).await;
    assert_eq!(gone.location(), "/admin/targets");
    admin.get("/admin/targets").await.hides(&["team-databases</"]);
    assert_eq!(admin.get("/admin/targets/team-databases").await.status, StatusCode::NOT_FOUND);
    admin.get("/audit?action=target.*").await.shows(&[
        "connected the target team-databases",
        "brought a new credential",
        "bound payments",
    ]);
}

#[tokio::test]
async fn only_admins_change_targets_and_others_who_try_are_written_down() {
    let test = TestApp::start().await;
    for (login, looks) in [("developer", false), ("lead", false), ("auditor", true)] {
        let mut other = test.browser_of(login).await;
        let looked = other.get("/admin/targets/demo-postgres").await;
        if looks {
            assert_eq!(looked.status, StatusCode::OK);
            looked.hides(&["Rotate", "Disconnect", "Check now"]);
        } else {
            assert_eq!(looked.status, StatusCode::FORBIDDEN, "{login}");
        }
        for verb in ["edit", "check", "rotate", "bind", "unbind", "limits", "disconnect"] {
            let refused =
                other.post(&format!("/admin/targets/demo-postgres/{verb}"), &[("confirm", "demo-postgres")]).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{login} {verb}");
        }
        assert_eq!(other.post("/admin/targets/new", &[("provider", "simulated")]).await.status, StatusCode::FORBIDDEN);
    }
    let denied = "SELECT count(*) FROM audit_record WHERE action LIKE 'target.%' AND outcome = 'denied'";
    let denied: i64 = sqlx::query_scalar(denied).fetch_one(test.app.db.pool()).await.unwrap();
    assert_eq!(denied, 3 * 8);
    let mut admin = test.browser_of("admin").await;
    let foreign = admin.post_with("/admin/targets/demo-postgres/check", &[], &[("sec-fetch-site", "cross-site")]).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
}
