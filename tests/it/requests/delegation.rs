//! Somebody decides in the place of an approver who is away.

use axum::http::StatusCode;
use paddock::identity::{self, Scope, Source, TokenScopes};
use paddock::policy::Role;
use serde_json::{Value, json};

use crate::api::{create, text};
use crate::support::app::TestApp;
use crate::support::http::{Client, Site};
use crate::support::wait::until_true;

const HELD: &str = "/api/v1/me/delegations";

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

async fn plain() -> Site {
    site("").await
}

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

/// How many have agreed, by requirement.
async fn agreed(client: &Client, request: &str) -> Vec<i64> {
    let request = client.json(request).await;
    let requirements = request["decision"]["requirements"].as_array().unwrap().clone();
    requirements.iter().map(|one| one["approvals"].as_i64().unwrap()).collect()
}

fn in_hours(hours: i64) -> String {
    (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours)).to_string()
}

async fn delegate(site: &Site, absent: &str, to: &str) -> Value {
    site.person(to).await;
    let new = json!({"to": to, "until": in_hours(48), "note": "Away"});
    site.client(absent).await.post(HELD, &new).await.expect(StatusCode::CREATED)
}

/// The time of every delegation is over.
async fn time_passes(site: &Site) {
    site.sql("UPDATE delegation SET starts_at = now() - interval '2 hours', ends_at = now() WHERE ended_at IS NULL")
        .await;
}

#[tokio::test]
async fn a_deputy_finds_reads_and_approves_in_the_place_of_the_absent() {
    let site = plain().await;
    let (developer, deputy, stranger) =
        (site.client("developer").await, site.client("deputy").await, site.client("stranger").await);
    let request = ask(&site, &developer, "orders").await;
    deputy.get(&request).await.expect(StatusCode::FORBIDDEN);
    assert_eq!(inbox(&deputy).await, 0);
    delegate(&site, "lead", "deputy").await;
    assert_eq!((inbox(&deputy).await, inbox(&stranger).await), (1, 0));
    deputy.get(&request).await.expect(StatusCode::OK);
    stranger.get(&request).await.expect(StatusCode::FORBIDDEN);
    approve(&stranger, &request, StatusCode::FORBIDDEN).await;
    let lead = site.person("lead").await.display_name;
    let mut browser = site.test.browser_of("developer").await;
    let address = request.trim_start_matches("/api/v1");
    browser.get(address).await.shows(&[&format!("DEPUTY (for {lead})")]);
    let verdict = developer.post("/api/v1/verdicts", &create("prod", "other")).await.expect(StatusCode::OK);
    let people = verdict["decision"]["requirements"][0]["approvers"].to_string();
    assert!(people.contains(&format!("DEPUTY (for {lead})")), "{people}");

    let whole = approve(&deputy, &request, StatusCode::CREATED).await;
    assert_eq!((text(&whole, "/status"), text(&whole, "/reviews/0/for/name")), ("approved", lead.as_str()));
    browser.get(address).await.shows(&[&format!("DEPUTY (for {lead}) approved it")]);
    let told =
        format!("SELECT count(*) FROM audit_record WHERE action = 'request.reviewed' AND detail->>'for' = '{lead}'");
    assert_eq!(site.number(&told).await, 1);
    site.test.browser_of("auditor").await.get("/audit").await.shows(&[&format!("for {lead}")]);
    site.test.work();
    until_true("it is made", async || developer.json(&request).await["status"] == "succeeded").await;
}

#[tokio::test]
async fn whoever_is_asked_by_their_team_is_stood_in_for_as_well() {
    let site = site(&also(r#"@approval("team:sre")"#)).await;
    join(&site, "sre-person", "sre").await;
    delegate(&site, "sre-person", "deputy").await;
    let request = ask(&site, &site.client("developer").await, "orders").await;
    let deputy = site.client("deputy").await;
    approve(&deputy, &request, StatusCode::CREATED).await;
    assert_eq!(agreed(&deputy, &request).await, [0, 1]);
    let whole = approve(&site.client("lead").await, &request, StatusCode::CREATED).await;
    assert_eq!(text(&whole, "/status"), "approved");
}

#[tokio::test]
async fn a_deputy_may_reject() {
    let site = plain().await;
    let request = ask(&site, &site.client("developer").await, "orders").await;
    delegate(&site, "lead", "deputy").await;
    let no = json!({"verdict": "rejected", "reason": "Not now"});
    let whole = site.client("deputy").await.post(&format!("{request}/reviews"), &no).await.expect(StatusCode::CREATED);
    assert_eq!(text(&whole, "/status"), "rejected");
    assert!(whole["reviews"][0]["for"]["name"].is_string(), "{whole:#}");
}

#[tokio::test]
async fn each_person_has_one_voice() {
    let site = site(&also(r#"@approval("lead")"#)).await;
    let (developer, lead) = (site.client("developer").await, site.client("lead").await);
    let request = ask(&site, &developer, "orders").await;
    for deputy in ["deputy", "another"] {
        delegate(&site, "lead", deputy).await;
    }
    approve(&site.client("deputy").await, &request, StatusCode::CREATED).await;
    assert_eq!(agreed(&developer, &request).await, [1, 0]);
    // Neither the absent person, nor another deputy of theirs, nor the same once more.
    assert_eq!((inbox(&lead).await, inbox(&site.client("another").await).await), (0, 0));
    for login in ["lead", "another", "deputy"] {
        approve(&site.client(login).await, &request, StatusCode::CONFLICT).await;
    }
    assert_eq!(agreed(&developer, &request).await, [1, 0]);
    site.grant("second", Role::Lead, Some("payments")).await;
    let whole = approve(&site.client("second").await, &request, StatusCode::CREATED).await;
    assert_eq!(text(&whole, "/status"), "approved");
}

#[tokio::test]
async fn who_may_themselves_approves_in_their_own_name_and_once() {
    let site = site(&also(r#"@approval("lead")"#)).await;
    let developer = site.client("developer").await;
    let request = ask(&site, &developer, "orders").await;
    site.grant("second", Role::Lead, Some("payments")).await;
    delegate(&site, "lead", "second").await;
    let second = site.client("second").await;
    let whole = approve(&second, &request, StatusCode::CREATED).await;
    assert_eq!((&whole["reviews"][0]["for"], text(&whole, "/status")), (&Value::Null, "awaiting_approval"));
    approve(&second, &request, StatusCode::CONFLICT).await;
    assert_eq!(agreed(&developer, &request).await, [1, 0]);
    let whole = approve(&site.client("lead").await, &request, StatusCode::CREATED).await;
    assert_eq!(text(&whole, "/status"), "approved");
}

#[tokio::test]
async fn where_their_own_approval_is_not_wanted_that_of_the_absent_counts() {
    let site = site(&also(r#"@approval("team:sre")"#)).await;
    join(&site, "sre-person", "sre").await;
    site.grant("second", Role::Lead, Some("payments")).await;
    delegate(&site, "sre-person", "second").await;
    let request = ask(&site, &site.client("developer").await, "orders").await;
    approve(&site.client("lead").await, &request, StatusCode::CREATED).await;
    let whole = approve(&site.client("second").await, &request, StatusCode::CREATED).await;
    assert_eq!((text(&whole, "/status"), text(&whole, "/reviews/1/for/name")), ("approved", "SRE-PERSON"));
}

#[tokio::test]
async fn nobody_approves_their_own_by_a_delegation() {
    let site = plain().await;
    let developer = site.client("developer").await;
    // The deputy asks.
    delegate(&site, "lead", "developer").await;
    let request = ask(&site, &developer, "orders").await;
    assert_eq!(inbox(&developer).await, 0);
    approve(&developer, &request, StatusCode::FORBIDDEN).await;
    // The absent person asks.
    for role in [Role::Developer, Role::Lead] {
        site.grant("both", role, Some("payments")).await;
    }
    delegate(&site, "both", "deputy").await;
    let own = ask(&site, &site.client("both").await, "own").await;
    let deputy = site.client("deputy").await;
    assert_eq!(inbox(&deputy).await, 1, "only that of the developer");
    deputy.get(&own).await.expect(StatusCode::FORBIDDEN);
    approve(&deputy, &own, StatusCode::FORBIDDEN).await;
    assert_eq!(agreed(&developer, &own).await, [0]);
}

#[tokio::test]
async fn it_does_not_pass_on() {
    let site = plain().await;
    let request = ask(&site, &site.client("developer").await, "orders").await;
    delegate(&site, "lead", "deputy").await;
    delegate(&site, "deputy", "third").await;
    let third = site.client("third").await;
    assert_eq!(inbox(&third).await, 0);
    approve(&third, &request, StatusCode::FORBIDDEN).await;
}

#[tokio::test]
async fn what_the_absent_may_not_nobody_does_in_their_place() {
    let rule = r#"@id("not-the-lead") @reason("Not this lead.")
        forbid (principal, action == Action::"ReviewRequest", resource) when { principal.login == "lead" };"#;
    let site = site(rule).await;
    let request = ask(&site, &site.client("developer").await, "orders").await;
    delegate(&site, "lead", "deputy").await;
    approve(&site.client("deputy").await, &request, StatusCode::FORBIDDEN).await;
}

#[tokio::test]
async fn it_ends_with_what_it_was_given_for() {
    let site = site(&also(r#"@approval("team:sre")"#)).await;
    join(&site, "sre-person", "sre").await;
    let developer = site.client("developer").await;
    let lost = "DELETE FROM role_binding WHERE role = 'lead' AND person_id = (SELECT id FROM person WHERE login = 'lead')
        OR team_id IN (SELECT team_id FROM team_member JOIN person ON person.id = person_id WHERE login = 'lead') AND role = 'lead'";
    for (name, how) in [("taken-back", ""), ("over", "time"), ("to-come", "early"), ("role-lost", lost)] {
        let given = delegate(&site, "lead", "deputy").await;
        let deputy = site.client("deputy").await;
        let request = ask(&site, &developer, name).await;
        approve(&deputy, &request, StatusCode::CREATED).await;
        assert_eq!(agreed(&developer, &request).await, [1, 0], "{name}");
        match how {
            "" => {
                let address = format!("{HELD}/{}", text(&given, "/id"));
                site.client("lead").await.request(reqwest::Method::DELETE, &address).send().await.unwrap();
            }
            "time" => time_passes(&site).await,
            "early" => {
                site.sql("UPDATE delegation SET starts_at = now() + interval '1 hour' WHERE ended_at IS NULL").await;
            }
            lost => site.sql(lost).await,
        }
        assert_eq!(agreed(&developer, &request).await, [0, 0], "{name}");
        deputy.get(&request).await.expect(StatusCode::FORBIDDEN);
        assert_eq!(inbox(&deputy).await, 0, "{name}");
        site.sql("UPDATE delegation SET ended_at = now() WHERE ended_at IS NULL").await;
    }
}

#[tokio::test]
async fn the_guard_before_a_run_agrees() {
    let site = plain().await;
    let developer = site.client("developer").await;
    let request = ask(&site, &developer, "orders").await;
    delegate(&site, "lead", "deputy").await;
    let whole = approve(&site.client("deputy").await, &request, StatusCode::CREATED).await;
    assert_eq!(text(&whole, "/status"), "approved");
    time_passes(&site).await;
    site.test.work();
    until_true("it asks again", async || developer.json(&request).await["status"] == "awaiting_approval").await;
}

#[tokio::test]
async fn it_gives_nothing_but_reviewing() {
    let rule = r#"@id("leads-withdraw") @reason("Leads withdraw as well.")
        permit (principal, action == Action::"WithdrawRequest", resource)
        when { context.roles.contains(Role::"lead") };"#;
    let site = site(rule).await;
    let request = ask(&site, &site.client("developer").await, "orders").await;
    for absent in ["lead", "admin"] {
        delegate(&site, absent, "deputy").await;
    }
    let deputy = site.client("deputy").await;
    for address in ["/api/v1/roles", "/api/v1/quotas", "/api/v1/audit"] {
        assert_ne!(deputy.get(address).await.status, StatusCode::OK, "{address}");
    }
    let asked = deputy.post("/api/v1/requests", &create("dev", "mine")).await;
    assert_ne!(asked.value()["status"], "approved", "{}", asked.value());
    deputy.post_nothing(&format!("{request}/withdraw")).await.expect(StatusCode::FORBIDDEN);
    assert_eq!(deputy.json("/api/v1/environments").await["items"], json!([]));
    let requests = deputy.json("/api/v1/requests").await;
    assert_eq!(requests["items"].as_array().unwrap().iter().filter(|one| one["name"] == "orders").count(), 0);
    assert_eq!(deputy.json("/api/v1/me").await["roles"], json!([]));
    // A token needs the scope that reviewing needs.
    let scopes = TokenScopes::new([Scope::Read, Scope::Request]);
    approve(&site.with_token("deputy", scopes).await, &request, StatusCode::FORBIDDEN).await;
    let scopes = TokenScopes::new([Scope::Read, Scope::Review]);
    approve(&site.with_token("deputy", scopes).await, &request, StatusCode::CREATED).await;
}

#[tokio::test]
async fn what_is_refused_is_written_down() {
    let site = plain().await;
    let (lead, admin) = (site.client("lead").await, site.client("admin").await);
    let denied =
        |action: &str| format!("SELECT count(*) FROM audit_record WHERE action = '{action}' AND outcome = 'denied'");
    let pointers = async |body: Value| {
        let answer = lead.post(HELD, &body).await;
        answer.expect(StatusCode::UNPROCESSABLE_ENTITY);
        answer.pointers()
    };
    assert_eq!(pointers(json!({"to": "LEAD", "until": in_hours(4)})).await, ["/to"]);
    assert_eq!(site.number(&denied("delegation.given")).await, 1);
    assert_eq!(pointers(json!({"to": "nobody-here", "until": in_hours(4)})).await, ["/to"]);
    assert_eq!(pointers(json!({"to": "admin", "until": in_hours(24 * 90 + 1)})).await, ["/until"]);
    assert_eq!(pointers(json!({"to": "admin", "until": in_hours(-1)})).await, ["/until"]);
    let far = json!({"to": "admin", "from": in_hours(24 * 366), "until": in_hours(24 * 367)});
    assert_eq!(pointers(far).await, ["/from"]);
    assert_eq!(pointers(json!({"to": "admin", "until": in_hours(4), "note": "x".repeat(501)})).await, ["/note"]);
    assert_eq!(site.number("SELECT count(*) FROM delegation").await, 0);

    let given = delegate(&site, "lead", "admin").await;
    assert_eq!((text(&given, "/note"), &given["holds"]), ("Away", &json!(true)));
    for client in [&lead, &admin] {
        assert_eq!(client.json(HELD).await["items"][0]["id"], given["id"]);
    }
    let address = format!("{HELD}/{}", text(&given, "/id"));
    let end = async |client: &Client| client.request(reqwest::Method::DELETE, &address).send().await.unwrap().status();
    assert_eq!(end(&admin).await, StatusCode::NOT_FOUND);
    assert_eq!(site.number(&denied("delegation.ended")).await, 1);
    assert_eq!(end(&lead).await, StatusCode::NO_CONTENT);
    assert_eq!(end(&lead).await, StatusCode::CONFLICT);
    let done =
        |action: &str| format!("SELECT count(*) FROM audit_record WHERE action = '{action}' AND outcome = 'succeeded'");
    assert_eq!((site.number(&done("delegation.given")).await, site.number(&done("delegation.ended")).await), (1, 1));
    let narrow = site.with_token("lead", TokenScopes::new([Scope::Read, Scope::Request])).await;
    narrow.post(HELD, &json!({"to": "admin", "until": in_hours(4)})).await.expect(StatusCode::FORBIDDEN);
}
