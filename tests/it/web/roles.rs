//! The pages and the API of roles: who may give them, what is refused, and that an end is an end.

use axum::http::StatusCode;
use paddock::identity::{self, Source};
use paddock::policy::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::{create, text};
use crate::support::app::TestApp;
use crate::support::http::{Answer, Client, Site, send};

async fn site() -> Site {
    Site::serve(TestApp::start().await).await
}

/// The id of the role of whom the list finds by these words.
async fn id_of(site: &Site, words: &str) -> String {
    let list = site.client("admin").await.json(&format!("/api/v1/roles?q={words}")).await;
    text(&list, "/items/0/id").to_owned()
}

async fn is_admin(site: &Site, login: &str) -> bool {
    let me = site.client(login).await.json("/api/v1/me").await;
    me["roles"].as_array().unwrap().iter().any(|held| held["scope"] == "platform")
}

async fn delete(client: &Client, path: &str) -> Answer {
    send(client.request(Method::DELETE, path)).await
}

async fn patch(client: &Client, path: &str, body: &Value) -> Answer {
    send(client.request(Method::PATCH, path).json(body)).await
}

#[tokio::test]
async fn an_admin_gives_a_role_for_a_time_changes_its_end_and_takes_it_away() {
    let site = site().await;
    site.person("nora").await;
    let mut admin = site.test.browser_of("admin").await;
    admin.get("/admin/queue").await.shows(&["href=\"/admin/roles\""]);
    admin.get("/admin/roles").await.shows(&["Lee Okafor", "Give a role", "the platform", "payments"]);
    let filtered = admin.get("/admin/roles?q=auditor").await;
    filtered.hides(&["Lee Okafor"]);
    admin.get("/admin/roles?q=nobody-at-all").await.shows(&["No role fits"]);

    let mut fields = vec![("who", "nobody"), ("role", "lead"), ("project", "payments"), ("lifetime", "soon")];
    let refused = admin.post("/admin/roles/new", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.shows(&["length of time such as 8h", "value=\"nobody\"", "value=\"soon\""]);
    fields[3] = ("lifetime", "8h");
    admin.post("/admin/roles/new", &fields).await.shows(&["There is nobody with the login"]);
    fields[0] = ("who", "team:none");
    admin.post("/admin/roles/new", &fields).await.shows(&["There is no team"]);
    fields[0] = ("who", "nora");
    assert_eq!(admin.post("/admin/roles/new", &fields).await.location(), "/admin/roles");
    let list = admin.get("/admin/roles").await;
    list.shows(&["NORA is lead in payments from now on.", "Ada Lindqvist"]);
    let again = admin.post("/admin/roles/new", &fields).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    again.shows(&["They hold this role there already"]);

    let page = format!("/admin/roles/{}", id_of(&site, "nora").await);
    let shown = admin.get(&page).await;
    shown.shows(&["NORA: lead in payments", "Given by", "Take it away"]);
    let seen = shown.value_of("seen");
    assert_eq!(admin.post(&page, &[("seen", &seen), ("lifetime", "")]).await.location(), "/admin/roles");
    let stale = admin.post(&page, &[("seen", &seen), ("lifetime", "2d")]).await;
    stale.shows(&["Somebody changed the role in the meantime"]);
    assert_eq!(admin.post(&format!("{page}/take"), &[]).await.location(), "/admin/roles");
    assert_eq!(admin.get(&page).await.status, StatusCode::NOT_FOUND);
    admin.get("/audit").await.shows(&[
        "gave NORA the role lead",
        "changed when NORA stops to hold the role lead",
        "took the role lead from NORA",
    ]);
}

#[tokio::test]
async fn a_role_is_given_in_one_environment_type() {
    let site = site().await;
    site.person("nora").await;
    let mut admin = site.test.browser_of("admin").await;
    admin.get("/admin/roles/new").await.shows(&["Environment type", "All of them", "Production"]);
    let mut fields = vec![("who", "nora"), ("role", "lead"), ("project", ""), ("environment_type", "prod")];
    let refused = admin.post("/admin/roles/new", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.shows(&["Is one of a project: name the project, too", "value=\"prod\" selected"]);
    fields[2].1 = "payments";
    fields[3].1 = "moon";
    admin.post("/admin/roles/new", &fields).await.shows(&["environment type of payments: one of dev, test, prod"]);
    fields[3].1 = "prod";
    assert_eq!(admin.post("/admin/roles/new", &fields).await.location(), "/admin/roles");
    admin
        .get("/admin/roles?q=prod")
        .await
        .shows(&["NORA is lead in prod of payments from now on.", "prod of payments"]);
    assert_eq!(admin.post("/admin/roles/new", &fields).await.status, StatusCode::CONFLICT);
    // In another type, and in the whole project, it is another role.
    for kind in ["dev", ""] {
        fields[3].1 = kind;
        assert_eq!(admin.post("/admin/roles/new", &fields).await.location(), "/admin/roles", "{kind}");
    }
    let client = site.client("admin").await;
    let found = client.json("/api/v1/roles?q=nora").await["items"].as_array().unwrap().clone();
    let kinds: Vec<&Value> = found.iter().map(|one| &one["environment_type"]).collect();
    assert_eq!(kinds, [&Value::Null, &json!("dev"), &json!("prod")]);
    let path = format!("/api/v1/roles/{}", text(&found[2], "/id"));
    let changed = patch(&client, &path, &json!({"lifetime": "1h"})).await.expect(StatusCode::OK);
    assert_eq!(changed["environment_type"], "prod");
    let page = path.replace("/api/v1", "/admin");
    admin.get(&page).await.shows(&["NORA: lead in prod of payments"]);
    assert_eq!(delete(&client, &path).await.status, StatusCode::NO_CONTENT);
    let dev = format!("/api/v1/roles/{}", text(&found[1], "/id"));
    patch(&client, &dev, &json!({"lifetime": "1h"})).await.expect(StatusCode::OK);
    site.sql("UPDATE role_binding SET expires_at = now() WHERE expires_at IS NOT NULL").await;
    let op = site.test.op(paddock::base::Actor::System { part: "reconciler.roles" });
    assert_eq!(identity::end_roles(&site.test.app.db, &op).await.unwrap(), 1);
    admin.get("/audit").await.shows(&[
        "gave NORA the role lead in prod",
        "changed when NORA stops to hold the role lead in prod",
        "took the role lead in prod from NORA",
        "ended the role lead in dev of NORA: its time was over",
    ]);
    // What one holds in an environment type is not what one asks for in the whole project.
    let members = client.json("/api/v1/projects/payments").await["members"].as_array().unwrap().clone();
    let nora: Vec<_> = members.iter().filter(|one| one["login"] == "nora").collect();
    assert_eq!((nora.len(), &nora[0]["environment_type"]), (1, &Value::Null));
    // Nobody gives themselves one, and one for admins of a part does not make an admin of the platform.
    let own = json!({"who": "admin", "role": "lead", "project": "payments", "environment_type": "prod"});
    client.post("/api/v1/roles", &own).await.expect(StatusCode::FORBIDDEN);
    let part = json!({"who": "nora", "role": "admin", "project": "payments", "environment_type": "prod"});
    client.post("/api/v1/roles", &part).await.expect(StatusCode::CREATED);
    site.client("nora").await.post("/api/v1/roles", &own).await.expect(StatusCode::FORBIDDEN);
    let mine = format!("/api/v1/roles/{}", id_of(&site, "ada%20lindqvist").await);
    site.sql("DELETE FROM role_binding WHERE person_id = (SELECT id FROM person WHERE login = 'second-admin')").await;
    let gone = delete(&client, &mine).await;
    assert_eq!(gone.status, StatusCode::CONFLICT, "{}", gone.text);
}

#[tokio::test]
async fn from_its_end_on_a_role_counts_for_nothing() {
    let site = site().await;
    let admin = site.client("admin").await;
    site.person("nora").await;
    let draft = json!({"who": "nora", "role": "lead", "project": "payments", "lifetime": "1h"});
    let given = admin.post("/api/v1/roles", &draft).await.expect(StatusCode::CREATED);
    assert_eq!(text(&given, "/given_by"), "Ada Lindqvist");
    let developer = site.client("developer").await;
    let nora = site.client("nora").await;
    let request = developer.post("/api/v1/requests", &create("prod", "orders")).await.expect(StatusCode::CREATED);
    site.test.plan().await;
    let request = format!("/api/v1/requests/{}", text(&request, "/id"));
    let inbox = async || nora.json("/api/v1/requests?to_review=true").await["items"].as_array().unwrap().len();
    let page = format!("/requests/{}", request.rsplit('/').next().unwrap());
    let mut browser = site.test.browser_of("developer").await;
    assert_eq!(inbox().await, 1);
    browser.get(&page).await.shows(&["NORA"]);
    let yes = json!({"verdict": "approved", "reason": "Fine"});
    nora.post(&format!("{request}/reviews"), &yes).await.expect(StatusCode::CREATED);
    assert_eq!(developer.json(&request).await["status"], "approved");

    // Its second comes; nobody has removed it yet.
    site.sql("UPDATE role_binding SET expires_at = now() WHERE given_by <> ''").await;
    assert_eq!(nora.get(&request).await.status, StatusCode::FORBIDDEN);
    assert_eq!(developer.json(&request).await["decision"]["requirements"][0]["approvals"], 0);
    admin.get(&format!("/api/v1/roles/{}", text(&given, "/id"))).await.expect(StatusCode::NOT_FOUND);
    // What was approved by it does not begin.
    site.test.work();
    crate::support::wait::until_true("it asks again", async || {
        developer.json(&request).await["status"] == "awaiting_approval"
    })
    .await;
    browser.get(&page).await.hides(&["Waits for NORA"]);
    // Given again before anybody has removed it.
    admin.post("/api/v1/roles", &draft).await.expect(StatusCode::CREATED);
    assert_eq!(site.number("SELECT count(*) FROM audit_record WHERE action = 'role.ended'").await, 1);
    site.sql("UPDATE role_binding SET expires_at = now() WHERE given_by <> ''").await;
    let op = site.test.op(paddock::base::Actor::System { part: "reconciler.roles" });
    assert_eq!(identity::end_roles(&site.test.app.db, &op).await.unwrap(), 1);
    assert_eq!(site.number("SELECT count(*) FROM role_binding WHERE given_by <> ''").await, 0);
    assert_eq!(site.number("SELECT count(*) FROM audit_record WHERE action = 'role.ended'").await, 2);
}

#[tokio::test]
async fn nobody_gives_themselves_a_role_and_the_last_admin_stays() {
    let site = site().await;
    let admin = site.client("admin").await;
    let own = json!({"who": "admin", "role": "auditor"});
    let refused = admin.post("/api/v1/roles", &own).await.expect(StatusCode::FORBIDDEN);
    assert!(text(&refused, "/detail").contains("obody gives themselves a role"), "{refused:#}");
    let op = site.test.op(paddock::base::Actor::System { part: "test" });
    let person = site.person("admin").await;
    let mut tx = site.test.app.db.begin().await.unwrap();
    let team = identity::ensure_team(&mut tx, &op, "admins", "Admins").await.unwrap();
    identity::join_team(&mut tx, &op, &team, &person, Source::Local).await.unwrap();
    tx.commit().await.unwrap();
    let through = json!({"who": "team:admins", "role": "auditor"});
    admin.post("/api/v1/roles", &through).await.expect(StatusCode::FORBIDDEN);
    let mine = id_of(&site, "ada%20lindqvist").await;
    let longer = patch(&admin, &format!("/api/v1/roles/{mine}"), &json!({"lifetime": "1h"})).await;
    assert_eq!(longer.status, StatusCode::FORBIDDEN, "{}", longer.text);
    assert_eq!(site.number("SELECT count(*) FROM role_binding WHERE given_by <> ''").await, 0);

    // Another admin for a day does not let the one without an end go.
    site.person("nora").await;
    let day = json!({"who": "nora", "role": "admin", "lifetime": "1d"});
    admin.post("/api/v1/roles", &day).await.expect(StatusCode::CREATED);
    site.sql(
        "DELETE FROM role_binding WHERE role = 'admin' AND project_id IS NULL AND expires_at IS NULL
         AND person_id <> (SELECT id FROM person WHERE login = 'admin')",
    )
    .await;
    let nora = site.client("nora").await;
    for answer in [
        delete(&nora, &format!("/api/v1/roles/{mine}")).await,
        patch(&nora, &format!("/api/v1/roles/{mine}"), &json!({"lifetime": "1h"})).await,
    ] {
        assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
        assert!(answer.text.contains("give somebody that role first"), "{}", answer.text);
    }
    assert!(is_admin(&site, "admin").await);
    site.grant("second-admin", Role::Admin, None).await;
    delete(&nora, &format!("/api/v1/roles/{mine}")).await.expect(StatusCode::NO_CONTENT);
    assert!(!is_admin(&site, "admin").await);
}

#[tokio::test]
async fn only_admins_give_roles_and_those_of_the_identity_provider_stay_there() {
    let site = site().await;
    let mut auditor = site.test.browser_of("auditor").await;
    auditor.get("/admin/roles").await.hides(&["Give a role", "/admin/roles/rol_"]);
    let draft = [("who", "auditor"), ("role", "admin")];
    assert_eq!(auditor.post("/admin/roles/new", &draft).await.status, StatusCode::FORBIDDEN);
    assert_eq!(site.test.browser_of("lead").await.get("/admin/roles").await.status, StatusCode::FORBIDDEN);
    let told = "SELECT count(*) FROM audit_record WHERE action = 'role.granted' AND outcome = 'denied'
                AND actor_label = 'auditor'";
    assert_eq!(site.number(told).await, 1);
    site.sql("UPDATE role_binding SET source = 'oidc' WHERE role = 'lead'").await;
    let lead = id_of(&site, "lead").await;
    let admin = site.client("admin").await;
    let refused = delete(&admin, &format!("/api/v1/roles/{lead}")).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.text.contains("groups at the identity provider"), "{}", refused.text);
    let page = site.test.browser_of("admin").await.get(&format!("/admin/roles/{lead}")).await;
    page.shows(&["is changed there"]);
    page.hides(&["Take it away"]);
}
