//! Waiting in line for a quota: whoever asked first is let in first, nobody overtakes, and what waits holds nothing.

use std::time::Duration;

use axum::http::StatusCode;
use futures_util::future::join_all;
use paddock::app::{Periods, start_reconcilers};
use paddock::base::Actor;
use paddock::environments::{LINE, Operation, State};
use paddock::requests::{Caller, Draft, Intent};
use reqwest::Method;
use serde_json::{Value, json};

use super::quotas::{adds_up, ask, boxes, developer_patch, done, held, is_empty, ready, site};
use crate::api::text;
use crate::support::http::{Client, Site, send};
use crate::support::wait::until_true;

/// A quota that lets wait. Returns its address.
async fn waits(admin: &Client, scope: &str, of: &str, dimension: &str, limit: i64) -> String {
    let body = json!({"scope": scope, "of": of, "dimension": dimension, "limit": limit, "when_full": "wait"});
    let made = admin.post("/api/v1/quotas", &body).await.expect(StatusCode::CREATED);
    assert_eq!((text(&made, "/when_full"), &made["waiting"]), ("wait", &json!(0)));
    format!("/api/v1/quotas/{}", text(&made, "/id"))
}

async fn set(admin: &Client, quota: &str, change: Value) {
    send(developer_patch(admin, quota, &change)).await.expect(StatusCode::OK);
}

async fn remove(admin: &Client, quota: &str) {
    assert_eq!(send(admin.request(Method::DELETE, quota)).await.status, StatusCode::NO_CONTENT);
}

/// One look at the line. Returns how many left it.
async fn admit(site: &Site) -> usize {
    site.test.app.requests.admit(&site.test.op(Actor::System { part: LINE })).await.unwrap()
}

/// What is asked for, once the verdict has said the same as the submit does.
async fn asks(client: &Client, body: &Value) -> Value {
    let verdict = client.post("/api/v1/verdicts", body).await.expect(StatusCode::OK);
    let made = ask(client, body).await;
    let status = text(&made, "/status");
    assert_eq!(verdict["can_submit"], json!(status != "denied"), "{verdict:#}\n{made:#}");
    assert_eq!(verdict["position"].is_number(), status == "awaiting_quota", "{verdict:#}\n{made:#}");
    assert_eq!(verdict["position"], made["position"], "{verdict:#}\n{made:#}");
    if status == "denied" && verdict["decision"]["outcome"] != "denied" {
        let said = |list: &Value, part: &str| -> Vec<Value> {
            list.as_array().unwrap().iter().map(|one| one[part].clone()).collect()
        };
        assert_eq!(said(&verdict["shortages"], "sentence"), said(&made["decision"]["rules"], "reason"));
    }
    made
}

/// The address of a request that was made.
async fn address(client: &Client, body: &Value, status: &str) -> String {
    let made = asks(client, body).await;
    assert_eq!(text(&made, "/status"), status, "{made:#}");
    format!("/api/v1/requests/{}", text(&made, "/id"))
}

async fn status(client: &Client, address: &str) -> (String, Value) {
    let now = client.json(address).await;
    (text(&now, "/status").to_owned(), now["position"].clone())
}

async fn is(client: &Client, address: &str, wanted: &str) {
    let now = client.json(address).await;
    assert_eq!(text(&now, "/status"), wanted, "{now:#}");
}

fn in_line(position: i64) -> (String, Value) {
    ("awaiting_quota".to_owned(), json!(position))
}

#[tokio::test]
async fn who_asked_first_is_let_in_first_and_nobody_overtakes() {
    let site = site().await;
    let (admin, developer, lead) =
        (site.client("admin").await, site.client("developer").await, site.client("lead").await);
    let quota = waits(&admin, "project", "payments", "vcpu", 8).await;
    address(&developer, &boxes("dev", "one", "large"), "approved").await;
    let two = address(&developer, &boxes("dev", "two", "large"), "awaiting_quota").await;
    let three = address(&lead, &boxes("dev", "three", "small"), "awaiting_quota").await;
    assert_eq!((status(&lead, &two).await, status(&lead, &three).await), (in_line(1), in_line(2)));
    assert_eq!(held(&site, "vcpu").await, (8, 0, 0), "what waits holds nothing");
    assert_eq!(admin.json(&quota).await["waiting"], json!(2));
    assert_eq!(admit(&site).await, 0);

    // There is room for the small one, and for another small one: the large one came first.
    set(&admin, &quota, json!({"limit": 12})).await;
    assert_eq!(admit(&site).await, 0);
    let four = address(&developer, &boxes("dev", "four", "small"), "awaiting_quota").await;
    assert_eq!(status(&developer, &four).await, in_line(3));
    let why = developer.json(&four).await["shortages"].to_string();
    assert!(why.contains("2 other requests wait in line for the quota of 12 vcpu in payments"), "{why}");

    set(&admin, &quota, json!({"limit": 16})).await;
    assert_eq!(admit(&site).await, 1);
    is(&developer, &two, "approved").await;
    assert!(developer.json(&two).await["run"]["id"].is_string(), "it goes on as the submit would have");
    assert_eq!((status(&lead, &three).await, status(&lead, &four).await), (in_line(1), in_line(2)));
    set(&admin, &quota, json!({"limit": 20})).await;
    assert_eq!(admit(&site).await, 2, "one look lets in everybody for whom there is room");
    assert_eq!(held(&site, "vcpu").await, (20, 0, 0));
    adds_up(&site).await;
    assert_eq!(admin.json(&quota).await["waiting"], json!(0));
    for (action, count) in [("request.lined_up", 3), ("request.admitted", 3), ("request.submitted", 4)] {
        let told = format!("SELECT count(*) FROM audit_record WHERE action = '{action}'");
        assert_eq!(site.number(&told).await, count, "{action}");
    }
    let told = "SELECT count(*) FROM audit_record WHERE action = 'quota.changed'
                AND detail->'before'->>'when_full' = 'wait' AND detail->'after'->>'when_full' = 'wait'";
    assert_eq!(site.number(told).await, 3);
    // Let in, they are people's runs like any other.
    assert_eq!(site.number("SELECT count(DISTINCT priority) FROM run").await, 1);
}

#[tokio::test]
async fn whatever_gives_something_back_lets_the_next_in() {
    let site = site().await;
    let (admin, developer) = (site.client("admin").await, site.client("developer").await);
    site.test.work();
    let quota = waits(&admin, "project", "payments", "vcpu", 8).await;
    let one = ready(&site, &developer, "one", "large").await;
    // It settles at less.
    let two = address(&developer, &boxes("dev", "two", "small"), "awaiting_quota").await;
    done(&developer, &json!({"operation": "update", "environment": one, "inputs": {"size": "small"}})).await;
    assert_eq!(admit(&site).await, 1);
    let two = text(&developer.json(&two).await, "/environment/id").parse().unwrap();
    site.test.until_state(two, State::Ready).await;
    // It is deleted; an update waits like a create, and its environment is as it was.
    let three = ready(&site, &developer, "three", "small").await;
    let grows = json!({"operation": "update", "environment": three, "inputs": {"size": "large"}});
    let update = address(&developer, &grows, "awaiting_quota").await;
    assert_eq!((held(&site, "vcpu").await, site.test.environment(three).await.state), ((0, 6, 0), State::Ready));
    done(&developer, &json!({"operation": "delete", "environment": one})).await;
    assert_eq!(admit(&site).await, 0, "6 more do not fit");
    done(&developer, &json!({"operation": "delete", "environment": two})).await;
    assert_eq!(admit(&site).await, 1);
    until_true("it has grown", async || status(&developer, &update).await.0 == "succeeded").await;
    assert_eq!(held(&site, "vcpu").await, (0, 8, 0));
    // It is stopped, where that gives back; the start waits.
    set(&admin, &quota, json!({"count_stopped": false})).await;
    let four = address(&developer, &boxes("dev", "four", "large"), "awaiting_quota").await;
    done(&developer, &json!({"operation": "stop", "environment": three})).await;
    assert_eq!(admit(&site).await, 1);
    let four = text(&developer.json(&four).await, "/environment/id").to_owned();
    site.test.until_state(four.parse().unwrap(), State::Ready).await;
    let start = address(&developer, &json!({"operation": "start", "environment": three}), "awaiting_quota").await;
    assert_eq!(held(&site, "vcpu").await, (0, 8, 8));
    // The quota is removed.
    remove(&admin, &quota).await;
    assert_eq!(admit(&site).await, 1);
    until_true("it is started", async || status(&developer, &start).await.0 == "succeeded").await;
    for id in [three.to_string(), four] {
        done(&developer, &json!({"operation": "delete", "environment": id})).await;
    }
    is_empty(&site).await;
}

#[tokio::test]
async fn what_changes_hands_lets_its_owner_in() {
    let site = site().await;
    let (admin, developer) = (site.client("admin").await, site.client("developer").await);
    waits(&admin, "user", "", "vcpu", 2).await;
    let one = text(&ask(&developer, &boxes("dev", "one", "small")).await, "/environment/id").to_owned();
    let two = address(&developer, &boxes("dev", "two", "small"), "awaiting_quota").await;
    let environment = text(&developer.json(&two).await, "/environment/id").to_owned();
    let hand = async |id: &str, to: &str| {
        let body = json!({"to": to, "reason": "Holidays"});
        admin.post(&format!("/api/v1/environments/{id}/hand-over"), &body).await.expect(StatusCode::OK);
    };
    hand(&one, "lead").await;
    assert_eq!(admit(&site).await, 1);
    is(&developer, &two, "approved").await;
    // What waits counts for whom it is given to, and waits before their quota then.
    let three = address(&developer, &boxes("dev", "three", "small"), "awaiting_quota").await;
    let waiting = text(&developer.json(&three).await, "/environment/id").to_owned();
    hand(&waiting, "lead").await;
    hand(&environment, "lead").await;
    assert_eq!(admit(&site).await, 0, "the lead has taken everything of theirs");
    address(&developer, &boxes("dev", "four", "small"), "approved").await;
    adds_up(&site).await;
}

#[tokio::test]
async fn where_one_that_is_full_denies_nobody_waits() {
    let site = site().await;
    let (admin, developer) = (site.client("admin").await, site.client("developer").await);
    let vcpu = waits(&admin, "organisation", "", "vcpu", 2).await;
    let body = json!({"scope": "project", "of": "payments", "dimension": "memory_gib", "limit": 4});
    let memory = admin.post("/api/v1/quotas", &body).await.expect(StatusCode::CREATED);
    assert_eq!(text(&memory, "/when_full"), "deny", "as it was always");
    let memory = format!("/api/v1/quotas/{}", text(&memory, "/id"));
    address(&developer, &boxes("dev", "one", "small"), "approved").await;
    address(&developer, &boxes("dev", "two", "small"), "denied").await;
    set(&admin, &memory, json!({"limit": 40})).await;
    let two = address(&developer, &boxes("dev", "two", "small"), "awaiting_quota").await;
    // What denies is full before its turn comes: it is asked when that is so, not before, whatever else is full.
    set(&admin, &memory, json!({"limit": 4})).await;
    assert_eq!(admit(&site).await, 0);
    let own = waits(&admin, "user", "developer", "vcpu", 2).await;
    assert_eq!((admit(&site).await, status(&developer, &two).await), (0, in_line(1)));
    remove(&admin, &own).await;
    assert_eq!(admit(&site).await, 0);
    set(&admin, &vcpu, json!({"limit": 8})).await;
    assert_eq!(admit(&site).await, 1);
    let ended = developer.json(&two).await;
    assert_eq!((text(&ended, "/status"), text(&ended, "/decision/rules/0/id")), ("denied", "quota"), "{ended:#}");
    assert!(text(&ended, "/decision/sentence").contains("quota of 4 memory_gib in payments is used up"), "{ended:#}");
    assert!(ended["finished_at"].is_string() && ended["decided_at"].is_string(), "{ended:#}");
    // Whoever stands in line keeps their place when it denies from now on; nobody overtakes them then, either.
    set(&admin, &memory, json!({"limit": 40})).await;
    set(&admin, &vcpu, json!({"limit": 2})).await;
    let kept = address(&developer, &boxes("dev", "two", "small"), "awaiting_quota").await;
    set(&admin, &vcpu, json!({"limit": 3, "when_full": "deny"})).await;
    assert_eq!(admit(&site).await, 0);
    address(&developer, &boxes("dev", "three", "small"), "denied").await;
    set(&admin, &vcpu, json!({"limit": 4})).await;
    address(&developer, &boxes("dev", "three", "small"), "denied").await;
    assert_eq!(admit(&site).await, 1);
    is(&developer, &kept, "approved").await;
    adds_up(&site).await;
}

#[tokio::test]
async fn what_could_never_fit_is_denied() {
    let site = site().await;
    let (admin, developer) = (site.client("admin").await, site.client("developer").await);
    let quota = waits(&admin, "project", "payments", "vcpu", 4).await;
    let denied = asks(&developer, &boxes("dev", "large", "large")).await;
    assert_eq!(text(&denied, "/status"), "denied");
    let advice = text(&denied, "/decision/would_be_allowed/0");
    assert_eq!(advice, "The same after an admin raises the quota by at least 4");
    // What it has already counts: to grow beyond the limit is never possible.
    site.test.work();
    let one = ready(&site, &developer, "one", "small").await;
    let grows = json!({"operation": "update", "environment": one, "inputs": {"size": "large"}});
    address(&developer, &grows, "denied").await;
    // A limit that is lowered ends who can never fit any more, so that nobody waits behind them.
    set(&admin, &quota, json!({"limit": 8})).await;
    let large = address(&developer, &boxes("dev", "large", "large"), "awaiting_quota").await;
    let small = address(&developer, &boxes("dev", "small", "small"), "awaiting_quota").await;
    set(&admin, &quota, json!({"limit": 4})).await;
    assert_eq!(admit(&site).await, 2);
    is(&developer, &large, "denied").await;
    until_true("the next is made", async || status(&developer, &small).await.0 == "succeeded").await;
    adds_up(&site).await;
}

#[tokio::test]
async fn who_withdraws_or_lapses_leaves_nothing_and_lets_the_next_in() {
    let site = site().await;
    let (admin, developer, lead) =
        (site.client("admin").await, site.client("developer").await, site.client("lead").await);
    waits(&admin, "project", "payments", "vcpu", 10).await;
    address(&developer, &boxes("dev", "one", "large"), "approved").await;
    let large = address(&developer, &boxes("dev", "two", "large"), "awaiting_quota").await;
    let small = address(&developer, &boxes("dev", "three", "small"), "awaiting_quota").await;
    assert_eq!(admit(&site).await, 0);
    let refused = lead.post_nothing(&format!("{large}/withdraw")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    developer.post_nothing(&format!("{large}/withdraw")).await.expect(StatusCode::OK);
    is(&developer, &large, "withdrawn").await;
    assert_eq!(admit(&site).await, 1);
    is(&developer, &small, "approved").await;
    // Its name is free again.
    let large = address(&developer, &boxes("dev", "two", "large"), "awaiting_quota").await;
    let behind = address(&developer, &boxes("dev", "four", "large"), "awaiting_quota").await;
    assert!(developer.json(&large).await["lapses_at"].is_string());
    let id = large.rsplit('_').next().unwrap().to_owned();
    assert!(!id.is_empty());
    site.sql("UPDATE request SET lapses_at = now() WHERE status = 'awaiting_quota' AND environment_name = 'two'").await;
    let op = site.test.op(Actor::System { part: "reconciler.approvals" });
    assert_eq!(site.test.app.requests.lapse(&op).await.unwrap(), 1);
    is(&developer, &large, "lapsed").await;
    assert_eq!(status(&developer, &behind).await, in_line(1));
    assert_eq!(held(&site, "vcpu").await, (10, 0, 0));
    assert_eq!(site.number("SELECT count(*) FROM environment WHERE name = 'two' AND state <> 'deleted'").await, 0);
    assert_eq!(site.number("SELECT count(*) FROM quota_line").await, 1);
    adds_up(&site).await;
}

#[tokio::test]
async fn approvals_are_asked_for_when_it_is_its_turn() {
    let site = site().await;
    let (admin, developer, lead) =
        (site.client("admin").await, site.client("developer").await, site.client("lead").await);
    let quota = waits(&admin, "project", "payments", "vcpu", 2).await;
    address(&developer, &boxes("dev", "one", "small"), "approved").await;
    let two = address(&developer, &boxes("prod", "two", "small"), "awaiting_quota").await;
    let yes = json!({"verdict": "approved", "reason": "yes"});
    let early = lead.post(&format!("{two}/reviews"), &yes).await;
    assert_eq!(early.status, StatusCode::CONFLICT);
    assert!(early.text.contains("waits in line for a quota"), "{}", early.text);
    let inbox = async || lead.json("/api/v1/requests?to_review=true").await["items"].as_array().unwrap().len();
    site.test.plan().await;
    assert_eq!((inbox().await, site.number("SELECT count(*) FROM run WHERE kind LIKE 'plan.%'").await), (0, 0));
    site.sql("UPDATE request SET lapses_at = now() + interval '1 minute' WHERE status = 'awaiting_quota'").await;
    set(&admin, &quota, json!({"limit": 4})).await;
    assert_eq!(admit(&site).await, 1);
    let asked = developer.json(&two).await;
    assert_eq!((text(&asked, "/status"), &asked["decided_at"]), ("awaiting_approval", &Value::Null), "{asked:#}");
    assert_eq!(asked["decision"]["requirements"].as_array().unwrap().len(), 1, "{asked:#}");
    let fresh =
        "SELECT count(*) FROM request WHERE status = 'awaiting_approval' AND lapses_at > now() + interval '6 days'";
    assert_eq!(site.number(fresh).await, 1, "the clock of its approval begins now");
    assert_eq!(held(&site, "vcpu").await, (4, 0, 0));
    site.test.plan().await;
    assert_eq!(inbox().await, 1);
    let approved = lead.post(&format!("{two}/reviews"), &yes).await.expect(StatusCode::CREATED);
    assert_eq!(text(&approved, "/status"), "approved");
    site.test.work();
    until_true("it is made", async || status(&developer, &two).await.0 == "succeeded").await;
}

#[tokio::test]
async fn policy_is_asked_once_more_when_it_is_its_turn() {
    let site = site().await;
    site.grant("second", paddock::policy::Role::Developer, Some("payments")).await;
    let (admin, developer, second) =
        (site.client("admin").await, site.client("developer").await, site.client("second").await);
    let quota = waits(&admin, "project", "payments", "vcpu", 2).await;
    address(&developer, &boxes("dev", "one", "small"), "approved").await;
    let two = address(&second, &boxes("dev", "two", "small"), "awaiting_quota").await;
    let gone = address(&second, &boxes("dev", "three", "small"), "awaiting_quota").await;
    let four = address(&developer, &boxes("dev", "four", "small"), "awaiting_quota").await;
    site.sql("DELETE FROM role_binding WHERE person_id = (SELECT id FROM person WHERE login = 'second')").await;
    set(&admin, &quota, json!({"limit": 4})).await;
    assert_eq!(admit(&site).await, 3, "two are denied and make way for the next");
    for address in [&two, &gone] {
        let ended = admin.json(address).await;
        assert_eq!((text(&ended, "/status"), text(&ended, "/decision/outcome")), ("denied", "denied"), "{ended:#}");
    }
    is(&developer, &four, "approved").await;
    let told = "SELECT count(*) FROM audit_record WHERE action = 'request.denied' AND outcome = 'denied'";
    assert_eq!(site.number(told).await, 2);
    adds_up(&site).await;
}

#[tokio::test]
async fn what_is_not_there_any_more_holds_nobody_up() {
    let site = site().await;
    let (admin, developer) = (site.client("admin").await, site.client("developer").await);
    let quota = waits(&admin, "project", "payments", "vcpu", 2).await;
    address(&developer, &boxes("dev", "one", "small"), "approved").await;
    let two = address(&developer, &boxes("test", "two", "small"), "awaiting_quota").await;
    let three = address(&developer, &boxes("dev", "three", "small"), "awaiting_quota").await;
    site.sql(
        "UPDATE project_environment_type SET enabled = false WHERE environment_type_id = (
             SELECT id FROM environment_type WHERE slug = 'test')",
    )
    .await;
    set(&admin, &quota, json!({"limit": 4})).await;
    assert_eq!(admit(&site).await, 2);
    let ended = developer.json(&two).await;
    assert_eq!(text(&ended, "/status"), "denied", "{ended:#}");
    assert!(text(&ended, "/decision/sentence").contains("could not be done any more"), "{ended:#}");
    is(&developer, &three, "approved").await;
}

#[tokio::test]
async fn a_quota_with_room_holds_nobody_up_until_it_has_none_for_the_first() {
    let site = site().await;
    let (admin, developer, lead) =
        (site.client("admin").await, site.client("developer").await, site.client("lead").await);
    let own = waits(&admin, "user", "developer", "vcpu", 8).await;
    waits(&admin, "organisation", "", "vcpu", 12).await;
    address(&developer, &boxes("dev", "one", "small"), "approved").await;
    let large = address(&developer, &boxes("dev", "two", "large"), "awaiting_quota").await;
    // The organisation has room for both: the line before what the developer may have is no concern of the lead.
    address(&lead, &boxes("dev", "three", "small"), "approved").await;
    address(&lead, &boxes("dev", "four", "small"), "approved").await;
    // Now it has none for the large one, which came first: small ones do not take its place for ever. Policy is not
    // asked before its turn.
    let roles = "UPDATE role_binding SET expires_at = now() + interval '1 hour'
                 WHERE person_id = (SELECT id FROM person WHERE login = 'developer')";
    site.sql(&roles.replace('+', "-")).await;
    assert_eq!(admit(&site).await, 0);
    site.sql(roles).await;
    let five = address(&lead, &boxes("dev", "five", "small"), "awaiting_quota").await;
    assert_eq!((status(&lead, &large).await, status(&lead, &five).await), (in_line(1), in_line(2)));
    set(&admin, &own, json!({"limit": 10})).await;
    assert_eq!(admit(&site).await, 0, "it has room where it waited first, and none in the organisation");
    developer.post_nothing(&format!("{large}/withdraw")).await.expect(StatusCode::OK);
    assert_eq!(admit(&site).await, 1);
    is(&lead, &five, "approved").await;
    adds_up(&site).await;
}

#[tokio::test]
async fn what_paddock_asks_for_by_itself_does_not_wait() {
    let site = site().await;
    let (admin, developer) = (site.client("admin").await, site.client("developer").await);
    let body = json!({"scope": "project", "of": "payments", "dimension": "vcpu", "limit": 2, "when_full": "wait",
                      "count_stopped": false});
    admin.post("/api/v1/quotas", &body).await.expect(StatusCode::CREATED);
    site.test.work();
    let one = ready(&site, &developer, "one", "small").await;
    done(&developer, &json!({"operation": "stop", "environment": one})).await;
    ready(&site, &developer, "two", "small").await;
    let draft = Draft {
        intent: Intent::Power { environment: one, power: Operation::Start },
        reason: "It is time to start.".to_owned(),
        exception: false,
    };
    let part = "reconciler.schedule";
    let op = site.test.op(Actor::System { part });
    let submitted = site.test.app.requests.submit(&op, Caller::System(part), &draft, None).await.unwrap();
    is(&developer, &format!("/api/v1/requests/{}", submitted.id), "denied").await;
}

#[tokio::test]
async fn the_place_is_told_to_who_may_read_it_and_nobody_by_name() {
    let site = site().await;
    site.grant("elsewhere", paddock::policy::Role::Developer, Some("storefront")).await;
    let (admin, developer) = (site.client("admin").await, site.client("developer").await);
    let (stranger, lead) = (site.client("elsewhere").await, site.client("lead").await);
    waits(&admin, "organisation", "", "vcpu", 8).await;
    address(&developer, &boxes("dev", "secret-plan", "large"), "approved").await;
    let ahead = address(&developer, &boxes("dev", "secret-too", "large"), "awaiting_quota").await;
    let mut body = boxes("dev", "mine", "small");
    body["project"] = json!("storefront");
    let verdict = stranger.post("/api/v1/verdicts", &body).await.expect(StatusCode::OK);
    let mine = address(&stranger, &body, "awaiting_quota").await;
    let now = stranger.json(&mine).await;
    assert_eq!(now["position"], json!(2));
    for said in [verdict.to_string(), now.to_string()] {
        assert!(said.contains("others that you may not see (8)") && !said.contains("secret"), "{said}");
    }
    let hidden = stranger.get(&ahead).await;
    assert!(matches!(hidden.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND), "{}", hidden.text);
    // Whoever may read the request reads its place, and the names that they may see themselves.
    let seen = lead.json(&ahead).await;
    assert_eq!(seen["position"], json!(1));
    assert!(seen["shortages"].to_string().contains("secret-plan in payments (8)"), "{seen:#}");
    let listed = developer.json("/api/v1/requests?mine=true&status=awaiting_quota").await;
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["items"][0]["position"]), (1, &json!(1)));
}

#[tokio::test]
async fn the_pages_tell_the_place() {
    let site = site().await;
    let (admin, developer) = (site.client("admin").await, site.client("developer").await);
    let quota = waits(&admin, "project", "payments", "environments", 1).await;
    let form = "/catalog/boxes/request";
    let mut browser = site.test.browser_of("developer").await;
    let fields =
        |name: &'static str| [("_key", name), ("project", "payments"), ("environment_type", "prod"), ("name", name)];
    address(&developer, &boxes("dev", "one", "small"), "approved").await;
    address(&developer, &boxes("dev", "two", "small"), "awaiting_quota").await;
    let check = [fields("three").as_slice(), &[("_check", "1")]].concat();
    browser.post(form, &check).await.shows(&[
        "Waits in line, as number 2",
        "It goes on by itself after",
        "Asked when it is its turn. It needs a lead of payments.",
        "Wait in line",
        "one in payments (yours, 1)",
    ]);
    let answer = browser.post(form, &fields("three")).await;
    let sent = answer.location();
    browser.get(sent).await.shows(&[
        "Sent. It waits in line as number 2 now.",
        "Waiting in line",
        "Waits for its turn, as number 2",
        "When it is its turn, it asks a lead of payments.",
        "Withdraw",
        "Lapses",
        "hx-trigger",
    ]);
    browser.get("/requests").await.shows(&["its turn, as number 2", "its turn, as number 1"]);
    browser.get("/").await.shows(&["Your open requests", "Create three"]);
    let environment = developer.json(&format!("/api/v1{sent}")).await;
    let page = browser.get(&format!("/environments/{}", text(&environment, "/environment/id"))).await;
    page.shows(&["Create three: waits in line for a quota, as number 2", "It waits for approval or in line"]);
    let mut lead = site.test.browser_of("lead").await;
    lead.get(sent).await.hides(&["Withdraw", ">Review<"]);
    lead.get(&sent.replace("requests", "approvals")).await.shows(&["It waits in line for a quota"]);
    let mut office = site.test.browser_of("admin").await;
    office.get("/admin/quotas").await.shows(&["2 requests wait in line"]);
    let page = office.get(&quota.replace("/api/v1", "/admin")).await;
    page.shows(&["When it is full", "Let it wait in line"]);
    browser.post(&format!("{sent}/withdraw"), &[]).await;
    browser.get(sent).await.shows(&["Withdrawn"]);
    let change = [("maximum", "2"), ("full", "deny"), ("stopped", "counts")];
    office.post(&quota.replace("/api/v1", "/admin"), &change).await;
    assert_eq!(text(&admin.json(&quota).await, "/when_full"), "deny");
    assert_eq!(admit(&site).await, 1);
    office.get("/audit?action=request.lined_up").await.shows(&["waits in line to create two"]);
    office.get("/audit?action=request.admitted").await.shows(&["had room to create two"]);
}

#[tokio::test]
async fn two_processes_that_look_at_once_let_in_no_more_than_there_is() {
    let site = site().await;
    let (admin, developer) = (site.client("admin").await, site.client("developer").await);
    let quota = waits(&admin, "project", "payments", "vcpu", 2).await;
    address(&developer, &boxes("dev", "first", "small"), "approved").await;
    for number in 0..12 {
        address(&developer, &boxes("dev", &format!("box-{number:02}"), "small"), "awaiting_quota").await;
    }
    site.sql("UPDATE quota SET maximum = 50 WHERE dimension = 'environments'").await;
    for limit in [7, 12, 18] {
        set(&admin, &quota, json!({"limit": limit})).await;
        let looks = join_all((0..6).map(|_| admit(&site))).await;
        let in_all = (limit / 2) - 1;
        let before = "SELECT count(*) FROM audit_record WHERE action = 'request.admitted'";
        assert_eq!(site.number(before).await, in_all, "{looks:?}");
        assert_eq!(held(&site, "vcpu").await, (limit / 2 * 2, 0, 0));
        let first = format!(
            "SELECT count(*) FROM environment e JOIN request r ON r.environment_id = e.id
             WHERE r.status = 'approved' AND e.name < 'box-{in_all:02}'"
        );
        assert_eq!(site.number(&first).await, in_all, "in the order of the line");
        adds_up(&site).await;
    }
}

#[tokio::test]
async fn nobody_has_to_be_told() {
    let site = site().await;
    let (admin, developer) = (site.client("admin").await, site.client("developer").await);
    let quota = waits(&admin, "project", "payments", "vcpu", 2).await;
    address(&developer, &boxes("dev", "one", "small"), "approved").await;
    let two = address(&developer, &boxes("dev", "two", "small"), "awaiting_quota").await;
    let three = address(&developer, &boxes("dev", "three", "small"), "awaiting_quota").await;
    start_reconcilers(&site.test.app, Periods { drift: Duration::ZERO, orphans: Duration::ZERO });
    // Without a hint, as when it was lost: by the next look.
    site.sql("UPDATE quota SET maximum = 4 WHERE dimension = 'vcpu'").await;
    until_true("the next is let in", async || status(&developer, &two).await.0 == "approved").await;
    set(&admin, &quota, json!({"limit": 6})).await;
    until_true("the next is let in", async || status(&developer, &three).await.0 == "approved").await;
}
