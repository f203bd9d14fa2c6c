//! Roles for a time: asked for and decided by somebody else, or taken in an emergency and reviewed.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::api::{create, text};
use crate::support::app::TestApp;
use crate::support::http::{Answer, Client, Site, send};

async fn site() -> Site {
    Site::serve(TestApp::start().await).await
}

async fn delete(client: &Client, path: &str) -> Answer {
    send(client.request(reqwest::Method::DELETE, path)).await
}

fn lead_in_payments() -> Value {
    json!({"role": "lead", "project": "payments", "lifetime": "2h", "reason": "Ada is away"})
}

fn admin_in_payments() -> Value {
    json!({"role": "admin", "project": "payments", "lifetime": "2h", "reason": "orders is down", "emergency": true})
}

/// The roles that somebody holds in payments.
async fn in_payments(site: &Site, login: &str) -> Vec<String> {
    let me = site.client(login).await.json("/api/v1/me").await;
    let held = me["roles"].as_array().unwrap().iter().find(|held| held["project"] == "payments").cloned();
    let roles = held.map(|held| held["roles"].as_array().unwrap().clone()).unwrap_or_default();
    roles.iter().map(|role| role.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_role_is_asked_for_granted_held_and_given_back() {
    let site = site().await;
    let mut dana = site.test.browser_of("developer").await;
    let seen = dana.get("/preferences/roles").await;
    seen.shows(&["developer", "Payments", "Ask for it"]);
    seen.hides(&["Take it at once"]);
    let mut fields =
        vec![("role", "lead"), ("project", "nowhere"), ("lifetime", "30d"), ("reason", ""), ("how", "ask")];
    let refused = dana.post("/preferences/roles", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.shows(&["short name of a project", "value=\"nowhere\"", "value=\"30d\""]);
    fields[1].1 = "payments";
    dana.post("/preferences/roles", &fields).await.shows(&["No rule lets you have this role for so long"]);
    fields[2].1 = "8h";
    dana.post("/preferences/roles", &fields).await.shows(&["Say what it is for"]);
    fields[3].1 = "To mend the orders";
    assert_eq!(dana.post("/preferences/roles", &fields).await.location(), "/preferences/roles");
    dana.get("/preferences/roles").await.shows(&["lead in payments", "Waiting", "Take back"]);
    let again = dana.post("/preferences/roles", &fields).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    again.shows(&["You have asked for this role already"]);
    assert_eq!(in_payments(&site, "developer").await, ["developer"]);

    let mut admin = site.test.browser_of("admin").await;
    admin.get("/admin/roles").await.shows(&["Asked for", "1<span class=\"sr-only\"> waiting"]);
    let list = admin.get("/admin/roles/asked?show=waiting").await;
    list.shows(&["Dana Reyes", "lead in payments", "To mend the orders"]);
    let id = site.client("admin").await.json("/api/v1/elevations?all=true").await;
    let page = format!("/admin/roles/asked/{}", text(&id, "/items/0/id"));
    admin.get(&page).await.shows(&["Dana Reyes: lead in payments", "8 h", "Grant it", "Decline"]);
    let silent = admin.post(&format!("{page}/decide"), &[("verdict", "decline"), ("answer", "")]).await;
    assert_eq!(silent.status, StatusCode::UNPROCESSABLE_ENTITY);
    silent.shows(&["Say why not"]);
    let granted = [("verdict", "grant"), ("answer", "For today")];
    assert_eq!(admin.post(&format!("{page}/decide"), &granted).await.location(), "/admin/roles/asked");
    assert_eq!(admin.post(&format!("{page}/decide"), &granted).await.status, StatusCode::CONFLICT);
    assert_eq!(in_payments(&site, "developer").await, ["developer", "lead"]);
    dana.get("/preferences/roles").await.shows(&["Granted", "Ada Lindqvist: For today", "Give back"]);
    admin.get("/admin/roles?q=dana").await.shows(&["asked for, granted by Ada Lindqvist"]);
    let held = site.number("SELECT count(*) FROM role_binding WHERE source = 'elevation'").await;
    assert_eq!(held, 1);

    let own = page.replace("/admin/roles/asked", "/preferences/roles");
    assert_eq!(dana.post(&format!("{own}/end"), &[]).await.location(), "/preferences/roles");
    assert_eq!(in_payments(&site, "developer").await, ["developer"]);
    let seen = dana.get("/preferences/roles").await;
    seen.shows(&["Ended"]);
    seen.hides(&["Give back"]);
    assert_eq!(dana.post(&format!("{own}/end"), &[]).await.status, StatusCode::CONFLICT);
    admin.get("/audit").await.shows(&[
        "asked for the role lead in payments",
        "let Dana Reyes be lead in payments for a time",
        "gave the role lead in payments back",
    ]);
}

#[tokio::test]
async fn nobody_decides_on_their_own_and_what_is_held_for_a_time_gives_no_roles() {
    let site = site().await;
    let admin = site.client("admin").await;
    let own = json!({"role": "auditor", "lifetime": "1h", "reason": "To look"});
    let own = admin.post("/api/v1/elevations", &own).await.expect(StatusCode::CREATED);
    let yes = json!({"grant": true});
    let decide = |id: &str| format!("/api/v1/elevations/{id}/decision");
    admin.post(&decide(text(&own, "/id")), &yes).await.expect(StatusCode::FORBIDDEN);
    site.test
        .browser_of("admin")
        .await
        .get(&format!("/admin/roles/asked/{}", text(&own, "/id")))
        .await
        .shows(&["Somebody else decides"]);

    // Dana becomes admin of the platform for a time: she does all that admins do, but gives nothing.
    let dana = site.client("developer").await;
    let asked = json!({"role": "admin", "lifetime": "1h", "reason": "Ada is away"});
    let asked = dana.post("/api/v1/elevations", &asked).await.expect(StatusCode::CREATED);
    dana.post(&decide(text(&asked, "/id")), &yes).await.expect(StatusCode::FORBIDDEN);
    admin.post(&decide(text(&asked, "/id")), &yes).await.expect(StatusCode::OK);
    dana.get("/api/v1/queue").await.expect(StatusCode::OK);
    let refused = dana.post(&decide(text(&own, "/id")), &yes).await.expect(StatusCode::FORBIDDEN);
    assert!(text(&refused, "/detail").contains("gives no roles"), "{refused:#}");
    let to_lee = json!({"who": "lead", "role": "admin"});
    dana.post("/api/v1/roles", &to_lee).await.expect(StatusCode::FORBIDDEN);
    let mut page = site.test.browser_of("developer").await;
    let fields = [("who", "lead"), ("role", "admin"), ("project", ""), ("lifetime", "")];
    assert_eq!(page.post("/admin/roles/new", &fields).await.status, StatusCode::FORBIDDEN);
    assert_eq!(site.number("SELECT count(*) FROM role_binding WHERE source = 'local' AND given_by <> ''").await, 0);
    let denied = "SELECT count(*) FROM audit_record WHERE outcome = 'denied' AND action IN ('elevation.granted', 'role.granted')";
    assert_eq!(site.number(denied).await, 4);

    // The end that was granted is not moved, but an admin takes it away.
    let list = admin.json("/api/v1/roles?q=dana").await;
    let role = format!("/api/v1/roles/{}", text(&list, "/items/0/id"));
    let longer = send(admin.request(reqwest::Method::PATCH, &role).json(&json!({"lifetime": "30d"}))).await;
    assert_eq!(longer.status, StatusCode::CONFLICT, "{}", longer.text);
    delete(&admin, &role).await.expect(StatusCode::NO_CONTENT);
    dana.get("/api/v1/queue").await.expect(StatusCode::FORBIDDEN);
    let seen = dana.json(&format!("/api/v1/elevations/{}", text(&asked, "/id"))).await;
    assert_eq!(seen["state"], "ended");
    // Somebody else's is not there for those who may not look.
    dana.get(&format!("/api/v1/elevations/{}", text(&own, "/id"))).await.expect(StatusCode::NOT_FOUND);
    dana.get("/api/v1/elevations?all=true").await.expect(StatusCode::FORBIDDEN);
    assert_eq!(dana.json("/api/v1/elevations").await["items"].as_array().unwrap().len(), 1);
    delete(&dana, &format!("/api/v1/elevations/{}", text(&own, "/id"))).await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_role_that_was_asked_for_ends_by_itself_and_approves_nothing_of_ones_own() {
    let site = site().await;
    let admin = site.client("admin").await;
    let developer = site.client("developer").await;
    let request = developer.post("/api/v1/requests", &create("prod", "orders")).await.expect(StatusCode::CREATED);
    site.test.plan().await;
    let request = format!("/api/v1/requests/{}", text(&request, "/id"));
    let asked = developer.post("/api/v1/elevations", &lead_in_payments()).await.expect(StatusCode::CREATED);
    let id = text(&asked, "/id").to_owned();
    let decision = format!("/api/v1/elevations/{id}/decision");
    admin.post(&decision, &json!({"grant": true})).await.expect(StatusCode::OK);
    assert_eq!(in_payments(&site, "developer").await, ["developer", "lead"]);
    let yes = json!({"verdict": "approved", "reason": "Mine"});
    developer.post(&format!("{request}/reviews"), &yes).await.expect(StatusCode::FORBIDDEN);
    developer
        .post(
            "/api/v1/elevations",
            &json!({"role": "developer", "project": "payments", "lifetime": "1h", "reason": "x"}),
        )
        .await
        .expect(StatusCode::CONFLICT);

    // Asked for and granted again: the later end counts.
    let longer = json!({"role": "lead", "project": "payments", "lifetime": "6h", "reason": "More"});
    let more = developer.post("/api/v1/elevations", &longer).await.expect(StatusCode::CREATED);
    let more = format!("/api/v1/elevations/{}/decision", text(&more, "/id"));
    admin.post(&more, &json!({"grant": true})).await.expect(StatusCode::OK);
    let ends =
        "SELECT count(*) FROM role_binding WHERE source = 'elevation' AND expires_at > now() + interval '5 hours'";
    assert_eq!(site.number(ends).await, 1);

    // Its second comes.
    site.sql("UPDATE role_binding SET expires_at = now() WHERE source = 'elevation'").await;
    site.sql("UPDATE elevation SET ends_at = now() WHERE ends_at IS NOT NULL").await;
    assert_eq!(in_payments(&site, "developer").await, ["developer"]);
    assert_eq!(developer.json(&format!("/api/v1/elevations/{id}")).await["state"], "ended");

    // What nobody decides on lapses.
    let late = developer.post("/api/v1/elevations", &lead_in_payments()).await.expect(StatusCode::CREATED);
    site.sql("UPDATE elevation SET lapses_at = now() WHERE status = 'waiting'").await;
    let late = text(&late, "/id").to_owned();
    assert_eq!(developer.json(&format!("/api/v1/elevations/{late}")).await["state"], "lapsed");
    let decision = format!("/api/v1/elevations/{late}/decision");
    admin.post(&decision, &json!({"grant": true})).await.expect(StatusCode::CONFLICT);
}

#[tokio::test]
async fn the_glass_is_broken_seen_by_every_admin_and_reviewed_by_another() {
    let site = site().await;
    let (admin, lead, developer) =
        (site.client("admin").await, site.client("lead").await, site.client("developer").await);
    let refused = developer.post("/api/v1/elevations", &admin_in_payments()).await.expect(StatusCode::FORBIDDEN);
    assert_eq!(refused["missing"]["roles"], json!(["lead"]), "{refused:#}");
    assert_eq!(refused["missing"]["scope"], "project payments");
    let denied = "SELECT count(*) FROM audit_record WHERE outcome = 'denied' AND action = 'elevation.taken'";
    assert_eq!(site.number(denied).await, 1);
    let long = json!({"role": "admin", "project": "payments", "lifetime": "5h", "reason": "x", "emergency": true});
    let long = lead.post("/api/v1/elevations", &long).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(long["errors"][0]["pointer"], "/lifetime");
    let everywhere = json!({"role": "admin", "lifetime": "1h", "reason": "x", "emergency": true});
    lead.post("/api/v1/elevations", &everywhere).await.expect(StatusCode::FORBIDDEN);

    let mut browser = site.test.browser_of("lead").await;
    browser.get("/preferences/roles").await.shows(&["In an emergency", "admin in payments", "Take it at once"]);
    let fields =
        [("role", "admin"), ("project", "payments"), ("lifetime", "2h"), ("reason", "orders is down"), ("how", "take")];
    assert_eq!(browser.post("/preferences/roles", &fields).await.location(), "/preferences/roles");
    assert!(in_payments(&site, "lead").await.contains(&"admin".to_owned()));
    let seen = browser.get("/catalog").await;
    seen.shows(&["You took the role admin in payments in an emergency"]);
    seen.hides(&["Review it"]);
    let taken = lead.json("/api/v1/elevations").await;
    let id = text(&taken, "/items/0/id").to_owned();
    assert_eq!(taken["items"][0]["state"], "granted");

    // Every admin is told on every page; others are not.
    let mut boss = site.test.browser_of("admin").await;
    boss.get("/catalog").await.shows(&["took the role admin in payments in an emergency", "Review it"]);
    site.test.browser_of("developer").await.get("/catalog").await.hides(&["in an emergency"]);
    let page = format!("/admin/roles/asked/{id}");
    boss.get(&page).await.shows(&["orders is down", "What they did meanwhile", "It was an emergency"]);
    // Not by whoever took it, also as an admin of the platform.
    let person = site.person("lead").await;
    site.sql(&format!(
        "INSERT INTO role_binding (id, role, person_id) VALUES (gen_random_uuid(), 'admin', '{}')",
        person.id.0
    ))
    .await;
    let review = format!("/api/v1/elevations/{id}/review");
    let said = json!({"justified": true, "review": "Fine"});
    lead.post(&review, &said).await.expect(StatusCode::FORBIDDEN);
    developer.post(&review, &said).await.expect(StatusCode::FORBIDDEN);
    // It ends, and is still to be reviewed.
    delete(&lead, &format!("/api/v1/elevations/{id}")).await.expect(StatusCode::OK);
    boss.get("/catalog").await.shows(&["Review it"]);
    let empty = boss.post(&format!("{page}/review"), &[("verdict", "justified"), ("review", " ")]).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    admin
        .post(&review, &json!({"justified": false, "review": "A restart would have done"}))
        .await
        .expect(StatusCode::OK);
    admin.post(&review, &said).await.expect(StatusCode::CONFLICT);
    boss.get("/catalog").await.hides(&["in an emergency"]);
    let seen = boss.get(&page).await;
    seen.shows(&["A restart would have done", "Reviewed by"]);
    seen.hides(&["It was an emergency"]);
    boss.get("/audit").await.shows(&["took the role admin in payments in an emergency", "it was no emergency"]);
}

#[tokio::test]
async fn whoever_lacks_a_role_is_led_to_asking_for_it() {
    let site = site().await;
    let mut developer = site.test.browser_of("developer").await;
    let refused = developer.get("/admin/quotas").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    refused.shows(&["Ask for the role", "/preferences/roles?role=admin"]);
    let form = developer.get("/preferences/roles?role=admin").await;
    form.shows(&["<option value=\"admin\" selected>"]);
}
