//! Approve with changes: a reviewer suggests them, the requester accepts them or not.

use axum::http::StatusCode;
use futures_util::future::join_all;
use paddock::base::id::{EnvironmentId, RequestId};
use paddock::environments::{self, State};
use paddock::policy::{PolicyEngine, Role};
use serde_json::{Value, json};

use crate::api::text;
use crate::support::app::TestApp;
use crate::support::catalog::add_template;
use crate::support::http::{Client, Site};

const MANIFEST: &str = "name: Boxes
provider: simulated
config: {objects: [server], latency_ms: 0, timeout_ms: 2000}
inputs:
  type: object
  additionalProperties: false
  properties:
    size: {type: string, enum: [small, large], default: small}
    note: {type: string}
    token: {type: string, writeOnly: true}
";

async fn site() -> Site {
    site_with("").await
}

async fn site_with(rules: &str) -> Site {
    site_by(TestApp::policies_and(rules)).await
}

async fn site_by(policy: PolicyEngine) -> Site {
    let site = Site::serve(TestApp::start_with(policy).await).await;
    add_template(&site.test, "boxes", &[("paddock.yaml", MANIFEST)]).await;
    site
}

fn boxes(environment_type: &str, name: &str) -> Value {
    json!({"operation": "create", "project": "payments", "environment_type": environment_type, "template": "boxes",
           "name": name, "inputs": {"size": "large", "note": "so", "token": "t0k3n"}, "lifetime": "3d", "reason": "Load"})
}

async fn ask(client: &Client, body: &Value) -> String {
    let request = client.post("/api/v1/requests", body).await.expect(StatusCode::CREATED);
    format!("/api/v1/requests/{}", text(&request, "/id"))
}

/// Suggests, and answers where it is decided on.
async fn suggest(client: &Client, request: &str, changes: Value) -> String {
    let mut body = json!({"reason": "Smaller will do"});
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let whole = client.post(&format!("{request}/suggestions"), &body).await.expect(StatusCode::CREATED);
    let last = whole["suggestions"].as_array().unwrap().last().unwrap();
    format!("{request}/suggestions/{}", text(last, "/id"))
}

async fn accept(client: &Client, suggestion: &str, status: StatusCode) -> Value {
    client.post_nothing(&format!("{suggestion}/accept")).await.expect(status)
}

async fn approve(client: &Client, request: &str) -> Value {
    let yes = json!({"verdict": "approved", "reason": "Fine"});
    client.post(&format!("{request}/reviews"), &yes).await.expect(StatusCode::CREATED)
}

async fn made(site: &Site, client: &Client, request: &str) -> EnvironmentId {
    let environment: EnvironmentId = text(&client.json(request).await, "/environment/id").parse().unwrap();
    site.test.until_state(environment, State::Ready).await;
    environment
}

#[tokio::test]
async fn what_the_requester_accepts_takes_the_place_of_what_they_asked_for() {
    let site = site().await;
    site.test.work();
    let (developer, lead) = (site.client("developer").await, site.client("lead").await);
    let first = ask(&developer, &boxes("prod", "orders")).await;
    let suggestion = suggest(&lead, &first, json!({"inputs": {"size": "small", "note": null}, "lifetime": "1d"})).await;
    let waits = developer.json(&first).await;
    assert_eq!((text(&waits, "/status"), text(&waits, "/inputs/size")), ("awaiting_approval", "large"));
    assert_eq!(text(&waits, "/suggestions/0/state"), "open");
    assert_eq!(waits["suggestions"][0]["inputs"], json!({"size": "small"}));
    assert_eq!(waits["suggestions"][0]["lifetime_seconds"], 86_400);

    let second = accept(&developer, &suggestion, StatusCode::CREATED).await;
    assert_eq!(text(&second, "/status"), "awaiting_approval");
    assert_eq!((&second["inputs"], &second["lifetime_seconds"]), (&json!({"size": "small"}), &json!(86_400)));
    assert_eq!(text(&second, "/reason"), "Load");
    assert_eq!(second["reviews"], json!([]), "there is a plan to see first");
    let before = developer.json(&first).await;
    assert_eq!((text(&before, "/status"), text(&before, "/suggestions/0/state")), ("withdrawn", "accepted"));
    assert_eq!(text(&before, "/suggestions/0/successor"), text(&second, "/id"));

    let second = format!("/api/v1/requests/{}", text(&second, "/id"));
    crate::support::wait::until_true("it is planned", async || {
        developer.json(&second).await["approval_digest"].is_string()
    })
    .await;
    approve(&lead, &second).await;
    let environment = site.test.environment(made(&site, &developer, &second).await).await;
    assert_eq!(Value::Object(environment.inputs.clone()), json!({"size": "small"}));
    let sealed = "SELECT count(*) FROM environment WHERE secret_inputs IS NOT NULL AND state = 'ready'";
    assert_eq!(site.number(sealed).await, 1, "the secret stays");
    for action in ["made", "accepted"] {
        let told = format!("SELECT count(*) FROM audit_record WHERE action = 'suggestion.{action}'");
        assert_eq!(site.number(&told).await, 1, "{action}");
    }
}

#[tokio::test]
async fn what_was_declined_or_replaced_is_not_accepted_any_more() {
    let site = site().await;
    let (developer, lead) = (site.client("developer").await, site.client("lead").await);
    let request = ask(&developer, &boxes("prod", "orders")).await;
    let first = suggest(&lead, &request, json!({"inputs": {"size": "small"}})).await;
    let second = suggest(&lead, &request, json!({"lifetime": "1d"})).await;
    accept(&developer, &first, StatusCode::CONFLICT).await;
    developer.post_nothing(&format!("{second}/decline")).await.expect(StatusCode::OK);
    accept(&developer, &second, StatusCode::CONFLICT).await;
    developer.post_nothing(&format!("{second}/decline")).await.expect(StatusCode::CONFLICT);
    let waits = developer.json(&request).await;
    assert_eq!(text(&waits, "/status"), "awaiting_approval");
    let states: Vec<&str> = waits["suggestions"].as_array().unwrap().iter().map(|one| text(one, "/state")).collect();
    assert_eq!(states, ["replaced", "declined"]);
    let third = suggest(&lead, &request, json!({"lifetime": "2d"})).await;
    developer.post_nothing(&format!("{request}/withdraw")).await.expect(StatusCode::OK);
    accept(&developer, &third, StatusCode::CONFLICT).await;
    assert_eq!(site.number("SELECT count(*) FROM request").await, 1);
}

#[tokio::test]
async fn only_reviewers_suggest_and_only_the_requester_agrees() {
    let site = site().await;
    let (developer, lead) = (site.client("developer").await, site.client("lead").await);
    site.grant("colleague", Role::Developer, Some("payments")).await;
    let request = ask(&developer, &boxes("prod", "orders")).await;
    let changes = json!({"lifetime": "1d", "reason": "Shorter"});
    for login in ["colleague", "admin", "auditor", "developer"] {
        let met = site.client(login).await.post(&format!("{request}/suggestions"), &changes).await;
        assert_eq!(met.status, StatusCode::FORBIDDEN, "{login}");
    }
    let suggestion = suggest(&lead, &request, json!({"lifetime": "1d"})).await;
    for login in ["colleague", "admin", "auditor", "lead"] {
        let client = site.client(login).await;
        for way in ["accept", "decline"] {
            let met = client.post_nothing(&format!("{suggestion}/{way}")).await;
            assert!(
                [StatusCode::FORBIDDEN, StatusCode::CONFLICT].contains(&met.status),
                "{login} {way}: {}",
                met.status
            );
        }
    }
    let other = ask(&developer, &boxes("prod", "other")).await;
    let elsewhere = suggestion.replace(&request, &other);
    accept(&developer, &elsewhere, StatusCode::NOT_FOUND).await;
    assert_eq!(text(&developer.json(&request).await, "/suggestions/0/state"), "open");
}

#[tokio::test]
async fn who_may_withdraw_for_others_does_not_agree_for_them() {
    let all = r#"@id("leads-withdraw") @reason("Leads tidy up.")
        permit (principal, action == Action::"WithdrawRequest", resource)
        when { context.roles.contains(Role::"lead") };"#;
    let site = site_with(all).await;
    let (developer, lead) = (site.client("developer").await, site.client("lead").await);
    let request = ask(&developer, &boxes("prod", "orders")).await;
    let suggestion = suggest(&lead, &request, json!({"lifetime": "1d"})).await;
    accept(&lead, &suggestion, StatusCode::CONFLICT).await;
    assert_eq!(text(&developer.json(&request).await, "/status"), "awaiting_approval");
}

#[tokio::test]
async fn nobody_suggests_changes_to_their_own_request() {
    // By a set that somebody changed: the rule that forbids it is only watched, and everybody reviews.
    let default = PolicyEngine::embedded().unwrap();
    let all = r#"@id("all-review") @reason("Everybody reviews.")
        permit (principal, action == Action::"ReviewRequest", resource);"#;
    let own = "@id(\"nobody-reviews-their-own\")";
    let source = format!("{}\n{all}", default.source().replace(own, &format!("{own} @mode(\"observe\")")));
    let site = site_by(PolicyEngine::from_text(&default.schema(), &source).unwrap()).await;
    let developer = site.client("developer").await;
    let request = ask(&developer, &boxes("prod", "orders")).await;
    let met = developer.post(&format!("{request}/suggestions"), &json!({"lifetime": "1d", "reason": "so"})).await;
    assert!(text(&met.expect(StatusCode::CONFLICT), "/detail").contains("their own"));
    assert_eq!(site.number("SELECT count(*) FROM suggestion").await, 0);
}

#[tokio::test]
async fn what_could_not_be_accepted_is_not_suggested() {
    let site = site().await;
    let (developer, lead) = (site.client("developer").await, site.client("lead").await);
    let request = ask(&developer, &boxes("prod", "orders")).await;
    let records = site.number("SELECT count(*) FROM audit_record").await;
    let wrong = [
        (json!({"inputs": {"size": "huge"}}), "/inputs/size"),
        (json!({"inputs": {"colour": "red"}}), "/inputs/colour"),
        (json!({"inputs": {"token": "other"}}), "/inputs/token"),
        (json!({"lifetime": "1m"}), "/lifetime"),
        (json!({"inputs": {"size": "large"}, "lifetime": "3d"}), ""),
        (json!({"lifetime": "1d", "reason": " "}), "/reason"),
        (json!({"lifetime": "1d", "reason": "a\u{0}b"}), "/reason"),
        (json!({"lifetime": "1d", "reason": "x".repeat(2001)}), "/reason"),
    ];
    for (changes, pointer) in wrong {
        let mut body = json!({"reason": "Smaller will do"});
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let met = lead.post(&format!("{request}/suggestions"), &body).await;
        met.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(met.pointers(), [pointer], "{body}");
    }
    let denied = json!({"lifetime": "3000d", "reason": "For ever"});
    let met = lead.post(&format!("{request}/suggestions"), &denied).await.expect(StatusCode::CONFLICT);
    assert!(text(&met, "/detail").contains("would be denied"), "{met:#}");
    assert_eq!(site.number("SELECT count(*) FROM suggestion").await, 0);
    assert_eq!(site.number("SELECT count(*) FROM request").await, 1);
    assert_eq!(site.number("SELECT count(*) FROM audit_record").await, records);
    assert_eq!(site.number("SELECT count(*) FROM environment WHERE state = 'requested'").await, 1);
}

#[tokio::test]
async fn its_own_place_in_the_quota_is_free_for_what_takes_its_place() {
    let site = site().await;
    let (developer, lead) = (site.client("developer").await, site.client("lead").await);
    let quota = json!({"scope": "project", "of": "payments", "dimension": "environments", "limit": 1});
    site.client("admin").await.post("/api/v1/quotas", &quota).await.expect(StatusCode::CREATED);
    let request = ask(&developer, &boxes("prod", "orders")).await;
    let suggestion = suggest(&lead, &request, json!({"lifetime": "1d"})).await;
    let address = format!("{suggestion}/accept");
    let met = join_all((0..6).map(|_| developer.post_nothing(&address))).await;
    let accepted = met.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    assert_eq!(accepted, 1);
    assert_eq!(site.number("SELECT sum(reserved + used)::bigint FROM quota_counter c JOIN quota q ON q.id = c.quota_id WHERE q.maximum = 1").await, 1);
    assert_eq!(site.number("SELECT count(*) FROM request WHERE status = 'awaiting_approval'").await, 1);
}

/// A create that was approved is there, and asks for three more days.
async fn extension(site: &Site, developer: &Client, lead: &Client) -> String {
    site.test.work();
    let request = ask(developer, &boxes("prod", "orders")).await;
    crate::support::wait::until_true("it is planned", async || {
        developer.json(&request).await["approval_digest"].is_string()
    })
    .await;
    approve(lead, &request).await;
    let environment = made(site, developer, &request).await;
    ask(developer, &json!({"operation": "extend", "environment": environment, "lifetime": "6d"})).await
}

#[tokio::test]
async fn where_no_plan_is_to_be_seen_whoever_suggested_it_has_agreed() {
    let site = site().await;
    let (developer, lead) = (site.client("developer").await, site.client("lead").await);
    let request = extension(&site, &developer, &lead).await;
    let suggestion = suggest(&lead, &request, json!({"lifetime": "4d"})).await;
    let second = accept(&developer, &suggestion, StatusCode::CREATED).await;
    assert_eq!((text(&second, "/status"), &second["lifetime_seconds"]), ("succeeded", &json!(345_600)));
    assert_eq!(text(&second, "/reviews/0/verdict"), "approved");
    let told =
        "SELECT count(*) FROM audit_record WHERE action = 'suggestion.accepted' AND detail->>'approved_by' <> ''";
    assert_eq!(site.number(told).await, 1);
    lead.post(&format!("{request}/suggestions"), &json!({"lifetime": "1d", "reason": "so"}))
        .await
        .expect(StatusCode::CONFLICT);
}

#[tokio::test]
async fn who_may_not_approve_any_more_has_not_agreed() {
    let site = site().await;
    let (developer, lead) = (site.client("developer").await, site.client("lead").await);
    let request = extension(&site, &developer, &lead).await;
    let suggestion = suggest(&lead, &request, json!({"lifetime": "4d"})).await;
    site.sql("DELETE FROM role_binding WHERE role = 'lead'").await;
    let second = accept(&developer, &suggestion, StatusCode::CREATED).await;
    assert_eq!((text(&second, "/status"), &second["reviews"]), ("awaiting_approval", &json!([])));
}

#[tokio::test]
async fn whoever_suggests_in_the_place_of_somebody_absent_is_asked_again() {
    let site = site().await;
    let (developer, lead) = (site.client("developer").await, site.client("lead").await);
    let request = extension(&site, &developer, &lead).await;
    let deputy = site.client("deputy").await;
    let until = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(48)).to_string();
    let given = json!({"to": "deputy", "until": until});
    lead.post("/api/v1/me/delegations", &given).await.expect(StatusCode::CREATED);
    let suggestion = suggest(&deputy, &request, json!({"lifetime": "4d"})).await;
    assert!(developer.json(&request).await["suggestions"][0]["for"]["name"].is_string());
    let second = accept(&developer, &suggestion, StatusCode::CREATED).await;
    assert_eq!((text(&second, "/status"), &second["reviews"]), ("awaiting_approval", &json!([])));
}

#[tokio::test]
async fn others_who_are_asked_still_have_to_agree() {
    let two = r#"@id("two-extend") @reason("Two leads agree.") @approval("lead") @approval_count("2")
        permit (principal, action == Action::"ExtendEnvironment", resource);"#;
    let site = site_with(two).await;
    let (developer, lead) = (site.client("developer").await, site.client("lead").await);
    let request = extension(&site, &developer, &lead).await;
    let suggestion = suggest(&lead, &request, json!({"lifetime": "4d"})).await;
    let second = accept(&developer, &suggestion, StatusCode::CREATED).await;
    assert_eq!(text(&second, "/status"), "awaiting_approval");
    assert_eq!(second["reviews"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_update_with_changes_keeps_what_is_stored_and_takes_away_what_was_emptied() {
    let site = site().await;
    let (developer, lead) = (site.client("developer").await, site.client("lead").await);
    let extension = extension(&site, &developer, &lead).await;
    developer.post_nothing(&format!("{extension}/withdraw")).await.expect(StatusCode::OK);
    let environment = text(&developer.json(&extension).await, "/environment/id").to_owned();
    let update =
        json!({"operation": "update", "environment": environment, "inputs": {"size": "small", "token": "n3w"}});
    let request = ask(&developer, &update).await;
    let met = lead.post(&format!("{request}/suggestions"), &json!({"lifetime": "1d", "reason": "so"})).await;
    met.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(met.pointers(), ["/lifetime"]);
    let suggestion = suggest(&lead, &request, json!({"inputs": {"note": null, "size": "large"}})).await;
    let second = accept(&developer, &suggestion, StatusCode::CREATED).await;
    assert_eq!(second["inputs"], json!({"size": "large"}));
    let id: RequestId = text(&second, "/id").parse().unwrap();
    let sealed: Option<Vec<u8>> = sqlx::query_scalar("SELECT secret_inputs FROM request WHERE id = $1")
        .bind(id.0)
        .fetch_one(site.test.app.db.pool())
        .await
        .unwrap();
    let place = format!("request/{id}/secret_inputs");
    let open = environments::open_secret_inputs(&site.test.app.requests.sealer, &place, sealed.as_deref()).unwrap();
    assert_eq!(open["token"], "n3w", "as it was asked for, not as it is stored");
}

#[tokio::test]
async fn what_was_suggested_stays_as_it_is() {
    let site = site().await;
    let (developer, lead) = (site.client("developer").await, site.client("lead").await);
    let request = ask(&developer, &boxes("prod", "orders")).await;
    let suggestion = suggest(&lead, &request, json!({"lifetime": "1d"})).await;
    let pool = site.test.app.db.pool();
    for change in ["lifetime_seconds = 9", "reason = 'other'", "inputs = '{}'", "reviewer_id = request_id"] {
        let changed = sqlx::query(sqlx::AssertSqlSafe(format!("UPDATE suggestion SET {change}"))).execute(pool).await;
        assert!(changed.is_err(), "{change}");
    }
    developer.post_nothing(&format!("{suggestion}/decline")).await.expect(StatusCode::OK);
    let again = sqlx::query("UPDATE suggestion SET state = 'open', decided_at = NULL").execute(pool).await;
    assert!(again.is_err());
}
