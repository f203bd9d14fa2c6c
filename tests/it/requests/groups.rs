//! Approvals by teams, and by others as well when nobody has agreed in time.

use axum::http::StatusCode;
use paddock::identity::{self, Source};
use paddock::policy::Role;
use serde_json::{Value, json};

use crate::api::{create, text};
use crate::support::app::TestApp;
use crate::support::http::{Client, Site};
use crate::support::wait::until_true;

/// A lead and these people have to agree before an environment is made in prod.
fn also(annotations: &str) -> String {
    format!(
        r#"@id("more") @reason("More have to agree.") {annotations}
        permit (principal, action == Action::"CreateEnvironment", resource)
        when {{ resource has environment_type && resource.environment_type == "prod" }};"#
    )
}

async fn site(rules: &str) -> Site {
    Site::serve(TestApp::start_with(TestApp::policies_and(rules)).await).await
}

/// The person with this login, made if need be, joins the team.
async fn join(site: &Site, login: &str, team: &str) -> Client {
    let client = site.client(login).await;
    let op = site.test.op(paddock::base::Actor::System { part: "test" });
    let person = site.person(login).await;
    let mut tx = site.test.app.db.begin().await.unwrap();
    let team = identity::ensure_team(&mut tx, &op, team, team).await.unwrap();
    identity::join_team(&mut tx, &op, &team, &person, Source::Local).await.unwrap();
    tx.commit().await.unwrap();
    client
}

async fn ask(site: &Site, client: &Client, name: &str) -> String {
    let request = client.post("/api/v1/requests", &create("prod", name)).await.expect(StatusCode::CREATED);
    site.test.plan().await;
    format!("/api/v1/requests/{}", text(&request, "/id"))
}

async fn approve(client: &Client, request: &str, status: StatusCode) -> Value {
    let yes = json!({"verdict": "approved", "reason": "Fine"});
    client.post(&format!("{request}/reviews"), &yes).await.expect(status)
}

async fn inbox(client: &Client) -> usize {
    client.json("/api/v1/requests?to_review=true").await["items"].as_array().unwrap().len()
}

/// The time of the next rung comes, and Paddock looks.
async fn time_passes(site: &Site) -> usize {
    site.sql(
        "UPDATE approval_escalation SET due_at = now() - interval '1 second'
         WHERE (requirement_id, rung) IN (
             SELECT DISTINCT ON (requirement_id) requirement_id, rung FROM approval_escalation
             WHERE due_at IS NOT NULL ORDER BY requirement_id, rung)",
    )
    .await;
    let op = site.test.op(paddock::base::Actor::System { part: "reconciler.approvals" });
    site.test.app.requests.escalate(&op).await.unwrap()
}

#[tokio::test]
async fn members_of_the_team_agree_whatever_their_roles() {
    let site = site(&also(r#"@approval("team:sre")"#)).await;
    let (developer, lead, stranger) =
        (site.client("developer").await, site.client("lead").await, site.client("x").await);
    let sre = join(&site, "sre-person", "sre").await;
    let request = ask(&site, &developer, "orders").await;
    let seen = developer.json(&request).await;
    let requirement = &seen["decision"]["requirements"][1];
    assert_eq!((&requirement["team"], &requirement["role"]), (&json!("sre"), &Value::Null), "{seen:#}");
    assert_eq!(text(requirement, "/who"), "somebody of the team sre");
    // Who holds no role anywhere finds, reads and approves it; a stranger does not.
    assert_eq!((inbox(&sre).await, inbox(&stranger).await), (1, 0));
    sre.get(&request).await.expect(StatusCode::OK);
    stranger.get(&request).await.expect(StatusCode::FORBIDDEN);
    approve(&stranger, &request, StatusCode::FORBIDDEN).await;
    approve(&lead, &request, StatusCode::CREATED).await;
    let whole = approve(&sre, &request, StatusCode::CREATED).await;
    assert_eq!(text(&whole, "/status"), "approved");
    // Nothing else of the project is theirs.
    assert_eq!(sre.json("/api/v1/environments").await["items"], json!([]));
}

#[tokio::test]
async fn a_member_does_not_agree_to_their_own_nor_after_leaving() {
    let site = site(&also(r#"@approval("team:sre")"#)).await;
    let developer = join(&site, "developer", "sre").await;
    let request = ask(&site, &developer, "orders").await;
    assert_eq!(inbox(&developer).await, 0);
    approve(&developer, &request, StatusCode::FORBIDDEN).await;
    let sre = join(&site, "sre-person", "sre").await;
    approve(&sre, &request, StatusCode::CREATED).await;
    approve(&site.client("lead").await, &request, StatusCode::CREATED).await;
    site.sql("DELETE FROM team_member WHERE person_id = (SELECT id FROM person WHERE login = 'sre-person')").await;
    site.test.work();
    until_true("it asks again", async || developer.json(&request).await["status"] == "awaiting_approval").await;
}

#[tokio::test]
async fn others_are_asked_as_well_when_nobody_agrees_in_time() {
    let site = site(&also(r#"@approval("lead") @approval_escalation("24h admin, 2d team:sre")"#)).await;
    let (developer, admin, sre) =
        (site.client("developer").await, site.client("admin").await, join(&site, "sre-person", "sre").await);
    let request = ask(&site, &developer, "orders").await;
    approve(&site.client("lead").await, &request, StatusCode::CREATED).await;
    assert_eq!((inbox(&admin).await, inbox(&sre).await), (0, 0));
    approve(&admin, &request, StatusCode::FORBIDDEN).await;
    let op = site.test.op(paddock::base::Actor::System { part: "reconciler.approvals" });
    assert_eq!(site.test.app.requests.escalate(&op).await.unwrap(), 0, "nothing is due");

    assert_eq!(time_passes(&site).await, 1);
    assert_eq!((inbox(&admin).await, inbox(&sre).await), (1, 0));
    let seen = developer.json(&request).await;
    let ladder = &seen["decision"]["requirements"][1]["escalation"];
    assert_eq!((&ladder[0]["role"], &ladder[1]["team"]), (&json!("admin"), &json!("sre")), "{seen:#}");
    assert!(ladder[0]["since"].is_string() && ladder[1]["since"].is_null(), "{seen:#}");
    let told =
        "SELECT count(*) FROM audit_record WHERE action = 'request.escalated' AND detail->'groups' = '[\"admin\"]'";
    assert_eq!(site.number(told).await, 1);

    assert_eq!(time_passes(&site).await, 1);
    assert_eq!(inbox(&sre).await, 1);
    let whole = approve(&admin, &request, StatusCode::CREATED).await;
    assert_eq!(text(&whole, "/status"), "approved");
    site.test.work();
    until_true("it is made", async || developer.json(&request).await["status"] == "succeeded").await;
}

#[tokio::test]
async fn a_ladder_begins_with_its_turn_and_ends_with_the_wait() {
    let site = site(&also(r#"@approval("admin") @approval_step("2") @approval_escalation("24h team:sre")"#)).await;
    let (developer, lead) = (site.client("developer").await, site.client("lead").await);
    let request = ask(&site, &developer, "orders").await;
    let due = "SELECT count(*) FROM approval_escalation WHERE due_at IS NOT NULL";
    assert_eq!(site.number(due).await, 0, "the first step is not done");
    approve(&lead, &request, StatusCode::CREATED).await;
    assert_eq!(site.number(due).await, 1);
    developer.post_nothing(&format!("{request}/withdraw")).await.expect(StatusCode::OK);
    assert_eq!(site.number(due).await, 0);
}

#[tokio::test]
async fn whoever_asks_does_not_agree_by_escalation() {
    let site = site(&also(r#"@approval("lead") @approval_escalation("24h admin")"#)).await;
    site.grant("both", Role::Developer, Some("payments")).await;
    site.grant("both", Role::Admin, None).await;
    let both = site.client("both").await;
    let request = ask(&site, &both, "orders").await;
    assert_eq!(time_passes(&site).await, 1);
    assert_eq!(inbox(&both).await, 0);
    approve(&both, &request, StatusCode::FORBIDDEN).await;
}

#[tokio::test]
async fn another_ladder_than_was_asked_for_asks_again() {
    let site = site(&also(r#"@approval("lead") @approval_escalation("24h admin")"#)).await;
    site.grant("second", Role::Lead, Some("payments")).await;
    let request = ask(&site, &site.client("developer").await, "orders").await;
    approve(&site.client("lead").await, &request, StatusCode::CREATED).await;
    let whole = approve(&site.client("second").await, &request, StatusCode::CREATED).await;
    assert_eq!(text(&whole, "/status"), "approved");
    site.sql("UPDATE approval_escalation SET role = 'developer'").await;
    site.test.work();
    let reader = site.client("lead").await;
    until_true("it asks again", async || reader.json(&request).await["status"] == "awaiting_approval").await;
}

#[tokio::test]
async fn the_pages_say_who_is_asked_as_well_and_lead_them_there() {
    let site = site(&also(r#"@approval("team:sre") @approval_escalation("24h admin")"#)).await;
    join(&site, "lead", "sre").await;
    let request = ask(&site, &site.client("developer").await, "orders").await;
    let id = request.rsplit('/').next().unwrap();
    let (mut developer, mut admin) = (site.test.browser_of("developer").await, site.test.browser_of("admin").await);
    let page = developer.get(&format!("/requests/{id}")).await;
    page.shows(&["Somebody of the team sre", "If it waits for 1 day: an admin of payments can as well."]);
    admin.get("/").await.hides(&["Approvals"]);
    admin.get(&format!("/approvals/{id}")).await.shows(&["You may see it, but not decide it."]);
    assert_eq!(time_passes(&site).await, 1);
    let page = developer.get(&format!("/requests/{id}")).await;
    page.shows(&[
        "Nobody had agreed within 1 day: an admin of payments can as well.",
        "Paddock asked an admin of payments as well",
        "Ada Lindqvist",
    ]);
    admin.get("/").await.shows(&["Approvals", "Create orders"]);
    admin.get(&format!("/approvals/{id}")).await.shows(&["Approve", "Reject"]);
    let told = "asked an admin of payments as well to agree to create orders";
    admin.get("/audit").await.shows(&[told]);
}
