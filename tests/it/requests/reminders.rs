//! Requests that wait long, and requesters who ask for an answer: those who can approve are told until they have.

use axum::http::StatusCode;
use futures_util::future::join_all;
use paddock::policy::Role;
use serde_json::{Value, json};

use crate::api::{create, text};
use crate::support::app::TestApp;
use crate::support::http::{Client, Site};
use crate::support::pages::Browser;

const LATE: &str = "waited for you for more than 1 day";

async fn site() -> Site {
    Site::serve(TestApp::start().await).await
}

async fn ask(site: &Site, name: &str) -> String {
    let developer = site.client("developer").await;
    let request = developer.post("/api/v1/requests", &create("prod", name)).await.expect(StatusCode::CREATED);
    site.test.plan().await;
    text(&request, "/id").to_owned()
}

/// So many hours pass for the requests of this name.
async fn waits(site: &Site, name: &str, hours: u32) {
    site.sql(&format!(
        "UPDATE approval_requirement a SET awaited_since = awaited_since - interval '{hours} hours'
         FROM request r WHERE r.id = a.request_id AND r.environment_name = '{name}'"
    ))
    .await;
}

async fn approve(client: &Client, id: &str) -> Value {
    let yes = json!({"verdict": "approved", "reason": "Fine"});
    client.post(&format!("/api/v1/requests/{id}/reviews"), &yes).await.expect(StatusCode::CREATED)
}

async fn remind(client: &Client, id: &str) -> crate::support::http::Answer {
    client.post_nothing(&format!("/api/v1/requests/{id}/reminder")).await
}

/// Somebody who is no demo person, signed in.
async fn browser(site: &Site, login: &str) -> Browser {
    let (person, op) = (site.person(login).await, site.test.op(paddock::base::Actor::Operator));
    let password = "a long horse in a short stable";
    paddock::identity::set_password(&site.test.app.db, &op, &person, &password.into()).await.unwrap();
    let mut browser = site.test.browser();
    let answer = browser.post("/sign-in", &[("user", login), ("password", password)]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    browser
}

fn before(page: &str, first: &str, second: &str) -> bool {
    page.find(first).unwrap() < page.find(second).unwrap()
}

#[tokio::test]
async fn whoever_can_approve_what_waits_long_is_told_on_every_page_until_they_have() {
    let site = site().await;
    site.grant("second", Role::Lead, Some("payments")).await;
    site.grant("elsewhere", Role::Lead, Some("storefront")).await;
    let old = ask(&site, "old-db").await;
    ask(&site, "young-db").await;
    let mut lead = site.test.browser_of("lead").await;
    waits(&site, "old-db", 23).await;
    lead.get("/").await.hides(&[LATE]);
    let inbox = lead.get("/approvals").await;
    assert!(before(&inbox.text, "young-db", "old-db"), "the newest is first while nothing is late");
    inbox.hides(&["Has waited for"]);
    waits(&site, "old-db", 2).await;
    let mut second = browser(&site, "second").await;
    for _ in 0..2 {
        for path in ["/", "/catalog", "/approvals", "/preferences"] {
            lead.get(path).await.shows(&["1 request has waited for you for more than 1 day.", "href=\"/approvals\""]);
        }
    }
    let inbox = second.get("/approvals").await;
    assert!(before(&inbox.text, "old-db", "young-db"), "what is late is first");
    inbox.shows(&["1 request has waited", "Has waited for 1 day"]);
    // Neither who asked, nor who cannot approve it.
    site.test.browser_of("developer").await.get("/").await.hides(&[LATE]);
    site.test.browser_of("auditor").await.get("/").await.hides(&[LATE]);
    browser(&site, "elsewhere").await.get("/").await.hides(&[LATE]);
    let seen = site.client("lead").await.json(&format!("/api/v1/requests/{old}")).await;
    assert!(seen["waiting_since"].is_string() && seen["reminded_at"].is_null(), "{seen:#}");
    approve(&site.client("second").await, &old).await;
    second.get("/").await.hides(&[LATE]);
    lead.get("/").await.hides(&[LATE]);
}

#[tokio::test]
async fn who_has_agreed_is_told_no_more_and_the_others_still_are() {
    let rules = r#"@id("two") @reason("Two look.") @approval("lead") @approval_count("2")
        permit (principal, action == Action::"CreateEnvironment", resource)
        when { resource has environment_type && resource.environment_type == "prod" };
        @id("admins-last") @reason("An admin looks at last.") @approval("admin") @approval_step("2")
        permit (principal, action == Action::"CreateEnvironment", resource)
        when { resource has environment_type && resource.environment_type == "prod" };"#;
    let site = Site::serve(TestApp::start_with(TestApp::policies_and(rules)).await).await;
    for login in ["second", "third"] {
        site.grant(login, Role::Lead, Some("payments")).await;
    }
    let id = ask(&site, "orders-db").await;
    // Long ago, but its second step has not begun.
    site.sql("UPDATE request SET created_at = created_at - interval '9 days'").await;
    waits(&site, "orders-db", 30).await;
    let (mut lead, mut second) = (site.test.browser_of("lead").await, browser(&site, "second").await);
    let mut admin = site.test.browser_of("admin").await;
    lead.get("/").await.shows(&[LATE]);
    admin.get("/").await.hides(&[LATE]);
    remind(&site.client("developer").await, &id).await.expect(StatusCode::OK);
    approve(&site.client("lead").await, &id).await;
    lead.get("/").await.hides(&[LATE]);
    second.get("/").await.shows(&[LATE]);
    approve(&site.client("second").await, &id).await;
    approve(&site.client("third").await, &id).await;
    // The turn of the admin begins now: nothing is late, and the requester did not ask for their answer.
    let page = admin.get("/approvals").await;
    page.shows(&["orders-db"]);
    page.hides(&[LATE, "asked for an answer"]);
    waits(&site, "orders-db", 25).await;
    admin.get("/").await.shows(&[LATE]);
}

#[tokio::test]
async fn a_deputy_is_told_as_well() {
    let site = site().await;
    site.person("deputy").await;
    ask(&site, "orders-db").await;
    waits(&site, "orders-db", 25).await;
    let mut deputy = browser(&site, "deputy").await;
    deputy.get("/").await.hides(&[LATE]);
    let until = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(48)).to_string();
    let new = json!({"to": "deputy", "until": until, "note": "Away"});
    site.client("lead").await.post("/api/v1/me/delegations", &new).await.expect(StatusCode::CREATED);
    deputy.get("/").await.shows(&[LATE]);
}

#[tokio::test]
async fn the_requester_asks_for_an_answer_once_in_four_hours_and_nobody_else_does() {
    let site = site().await;
    let (id, other) = (ask(&site, "orders-db").await, ask(&site, "other-db").await);
    let (page, developer) = (format!("/requests/{id}"), site.client("developer").await);
    let mut asks = site.test.browser_of("developer").await;
    asks.get(&page).await.shows(&[&format!("{page}/remind")]);
    site.grant("colleague", Role::Developer, Some("payments")).await;
    for login in ["lead", "admin", "colleague"] {
        assert_eq!(remind(&site.client(login).await, &id).await.status, StatusCode::FORBIDDEN, "{login}");
    }
    let mut lead = site.test.browser_of("lead").await;
    lead.get(&page).await.hides(&[&format!("{page}/remind")]);
    assert_eq!(lead.post(&format!("{page}/remind"), &[]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(asks.post(&format!("{page}/remind"), &[]).await.location(), page);
    let after = asks.get(&page).await;
    after.shows(&["asked for an answer"]);
    after.hides(&[&format!("{page}/remind")]);
    // At once, on every page and first in the inbox, though nothing is late.
    lead.get("/").await.shows(&["Dana Reyes asked for an answer to “Create orders-db”"]);
    let inbox = lead.get("/approvals").await;
    let row = |id: &str| format!("row-link name\" href=\"/approvals/{id}\"");
    assert!(before(&inbox.text, &row(&id), &row(&other)));
    inbox.shows(&["Dana Reyes asked for an answer"]);
    inbox.hides(&[LATE]);
    let told = "SELECT count(*) FROM audit_record WHERE action = 'request.reminded'";
    assert_eq!(site.number(told).await, 1);
    site.test.browser_of("admin").await.get("/audit").await.shows(&["asked for an answer to the request to create"]);

    let again = remind(&developer, &id).await;
    again.expect(StatusCode::CONFLICT);
    assert!(again.text.contains("less than 4 hours ago"), "{}", again.text);
    site.sql("UPDATE request SET reminded_at = reminded_at - interval '239 minutes'").await;
    remind(&developer, &id).await.expect(StatusCode::CONFLICT);
    site.sql("UPDATE request SET reminded_at = reminded_at - interval '2 minutes'").await;
    // Of many at once, one gets through.
    let crowd = join_all((0..8).map(|_| remind(&developer, &id))).await;
    assert_eq!(crowd.iter().filter(|answer| answer.status == StatusCode::OK).count(), 1);
    assert_eq!(site.number(told).await, 2);

    approve(&site.client("lead").await, &id).await;
    lead.get("/").await.hides(&["asked for an answer"]);
    let late = remind(&developer, &id).await;
    late.expect(StatusCode::CONFLICT);
    assert!(late.text.contains("does not wait for an approval"), "{}", late.text);
    developer
        .post_nothing("/api/v1/requests/req_0193c3f2000070008000000000000000/reminder")
        .await
        .expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_inbox_of_many_shows_each_once_the_late_ones_first() {
    let site = site().await;
    let template = ask(&site, "first-db").await;
    let id: paddock::base::id::RequestId = template.parse().unwrap();
    // As many as fill pages; every second is late.
    site.sql("ALTER TABLE request DISABLE TRIGGER USER").await;
    site.sql(&format!(
        "WITH made AS (
             INSERT INTO request SELECT (jsonb_populate_record(r, jsonb_build_object('id', gen_random_uuid(),
                 'environment_name', 'many-' || n || '-x', 'environment_id', NULL, 'idempotency_key', NULL, 'decision_id', gen_random_uuid(),
                 'created_at', r.created_at - make_interval(mins => n)))).* FROM request r, generate_series(1, 120) n
             WHERE r.id = '{0}' RETURNING id, environment_name, decision_id), decided AS (
             INSERT INTO decision SELECT (jsonb_populate_record(d, jsonb_build_object('id', m.decision_id))).*
             FROM made m, decision d JOIN request r ON r.decision_id = d.id WHERE r.id = '{0}')
         INSERT INTO approval_requirement
         SELECT (jsonb_populate_record(a, jsonb_build_object('id', gen_random_uuid(), 'request_id', m.id, 'awaited_since',
             now() - CASE WHEN split_part(m.environment_name, '-', 2)::int % 2 = 0 THEN interval '30 hours' ELSE interval '1 hour' END))).*
         FROM approval_requirement a, made m WHERE a.request_id = '{0}'",
        id.0
    ))
    .await;
    let mut lead = site.test.browser_of("lead").await;
    let (mut path, mut names) = ("/approvals".to_owned(), Vec::new());
    loop {
        let page = lead.get(&path).await;
        for part in page.text.split("row-link name\"").skip(1) {
            let name = part.split_once("Create ").unwrap().1.split('<').next().unwrap();
            names.push(name.to_owned());
        }
        let next = page.text.split("href=\"").map(|rest| rest.split('"').next().unwrap());
        let next = next.filter(|href| href.starts_with("/approvals?") && href.contains("after=")).last();
        let Some(next) = next else { break };
        let next = next.replace("&#38;", "&").replace("&amp;", "&");
        if next == path {
            break;
        }
        path = next;
    }
    let late = |name: &String| name.split('-').nth(1).and_then(|n| n.parse::<u32>().ok()).is_some_and(|n| n % 2 == 0);
    assert_eq!(names.len(), 121, "{names:?}");
    assert!(names[..60].iter().all(late) && !names[60..].iter().any(late), "{names:?}");
    let all: std::collections::BTreeSet<&String> = names.iter().collect();
    assert_eq!(all.len(), 121);
}
