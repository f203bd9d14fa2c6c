//! Many at once: a quota is never passed, and one key makes one request.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::api::{create, text};
use crate::support::http::Site;

/// The counters of a quota, and the rows that they should count.
async fn ledger(site: &Site, environment_type: &str) -> (i64, i64, i64) {
    let place = format!(
        "project_environment_type_id = (SELECT w.id FROM project_environment_type w
             JOIN environment_type t ON t.id = w.environment_type_id JOIN project p ON p.id = w.project_id
             WHERE p.slug = 'payments' AND t.slug = '{environment_type}')"
    );
    let counted = "SELECT coalesce(sum(c.used + c.reserved), 0) FROM quota_counter c JOIN quota q ON q.id = c.quota_id";
    let taken = site.number(&format!("{counted} WHERE q.{place}")).await;
    let held = format!(
        "SELECT coalesce(sum(n.used + n.reserved), 0) FROM quota_entry n JOIN environment e ON e.id = n.environment_id
         WHERE n.dimension = 'environments' AND e.{place}"
    );
    let alive = format!("SELECT count(*) FROM environment WHERE state <> 'deleted' AND {place}");
    (taken, site.number(&held).await, site.number(&alive).await)
}

#[tokio::test]
async fn two_hundred_submits_at_a_quota_of_ten() {
    let site = Site::start().await;
    let client = site.client("developer").await;
    let bodies: Vec<Value> = (0..200).map(|number| create("dev", &format!("orders-{number}"))).collect();
    let answers = join_all(bodies.iter().map(|body| client.post("/api/v1/requests", body))).await;
    let (mut admitted, mut denied) = (0, 0);
    for answer in answers {
        let request = answer.expect(StatusCode::CREATED);
        match text(&request, "/status") {
            "approved" => admitted += 1,
            "denied" => {
                denied += 1;
                assert_eq!(request["decision"]["rules"][0]["id"], "quota", "{request:#}");
                assert_eq!((&request["environment"], &request["run"]), (&Value::Null, &Value::Null));
            }
            other => panic!("{other}: {request:#}"),
        }
    }
    assert_eq!((admitted, denied), (10, 190));
    assert_eq!(ledger(&site, "dev").await, (10, 10, 10));
    assert_eq!(site.number("SELECT count(*) FROM run").await, 10);
    assert_eq!(site.number("SELECT count(*) FROM request").await, 200);
    assert_eq!(site.number("SELECT count(*) FROM audit_record WHERE action = 'request.submitted'").await, 200);
    assert_eq!(
        site.number("SELECT count(*) FROM audit_record WHERE action = 'request.submitted' AND outcome = 'denied'")
            .await,
        190
    );
}

#[tokio::test]
async fn requests_that_wait_hold_their_place_and_give_it_back() {
    let site = Site::start().await;
    let (client, lead) = (site.client("developer").await, site.client("lead").await);
    let mut waiting = Vec::new();
    for number in 0..5 {
        let made = client.post("/api/v1/requests", &create("prod", &format!("orders-{number}"))).await;
        waiting.push(text(&made.expect(StatusCode::CREATED), "/id").to_owned());
    }
    let full = client.post("/api/v1/requests", &create("prod", "one-more")).await.expect(StatusCode::CREATED);
    assert_eq!((text(&full, "/status"), text(&full, "/decision/rules/0/id")), ("denied", "quota"));
    assert_eq!(ledger(&site, "prod").await, (5, 5, 5));
    client.post_nothing(&format!("/api/v1/requests/{}/withdraw", waiting[0])).await.expect(StatusCode::OK);
    let reject = json!({"verdict": "rejected", "reason": "Too many"});
    lead.post(&format!("/api/v1/requests/{}/reviews", waiting[1]), &reject).await.expect(StatusCode::CREATED);
    assert_eq!(ledger(&site, "prod").await, (3, 3, 3));
    let made = client.post("/api/v1/requests", &create("prod", "one-more")).await.expect(StatusCode::CREATED);
    assert_eq!(text(&made, "/status"), "awaiting_approval");
}

#[tokio::test]
async fn fifty_posts_with_one_key_make_one_request() {
    let site = Site::start().await;
    let client = site.client("developer").await.with_header("idempotency-key", "a-key");
    let body = create("dev", "orders");
    let answers = join_all((0..50).map(|_| client.post("/api/v1/requests", &body))).await;
    let different: BTreeSet<String> =
        answers.iter().map(|answer| answer.expect(StatusCode::CREATED).to_string()).collect();
    assert_eq!(different.len(), 1, "{different:#?}");
    for table in ["request", "environment", "run", "decision"] {
        assert_eq!(site.number(&format!("SELECT count(*) FROM {table}")).await, 1, "{table}");
    }
    let mut other = body.clone();
    other["name"] = json!("something-else");
    let refused = client.post("/api/v1/requests", &other).await;
    assert_eq!(refused.expect(StatusCode::UNPROCESSABLE_ENTITY)["kind"], "invalid");
    // The order of fields is no difference; another person's key is another key.
    let mut turned = serde_json::Map::new();
    for (name, value) in body.as_object().unwrap().iter().rev() {
        turned.insert(name.clone(), value.clone());
    }
    let same = client.post("/api/v1/requests", &Value::Object(turned)).await.expect(StatusCode::CREATED);
    assert_eq!(Some(same.to_string()), different.first().cloned());
    let lead = site.client("lead").await.with_header("idempotency-key", "a-key");
    let made = lead.post("/api/v1/requests", &create("dev", "mine")).await.expect(StatusCode::CREATED);
    assert_ne!(made["id"], same["id"]);
    for key in [" ".to_owned(), "x".repeat(256)] {
        let bad = client.with_header("idempotency-key", &key).post("/api/v1/requests", &body).await;
        bad.expect(StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn one_name_is_given_once_and_one_operation_runs_at_a_time() {
    let site = Site::start().await;
    let client = site.client("developer").await;
    let body = create("dev", "orders");
    let answers = join_all((0..10).map(|_| client.post("/api/v1/requests", &body))).await;
    let made = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    let taken = answers.iter().filter(|answer| answer.status == StatusCode::CONFLICT).count();
    assert_eq!((made, taken), (1, 9));
    assert_eq!(ledger(&site, "dev").await, (1, 1, 1));
    let first = answers.iter().find(|answer| answer.status == StatusCode::CREATED).unwrap().value();
    let delete = json!({"operation": "delete", "environment": text(&first, "/environment/id")});
    let busy = client.post("/api/v1/requests", &delete).await;
    assert_eq!(busy.expect(StatusCode::CONFLICT)["kind"], "conflict");
}
