//! The queue over the API: what waits and why, freezes, drained workers.

use axum::http::StatusCode;
use serde_json::json;

use super::{create, text};
use crate::support::http::Site;

#[tokio::test]
async fn an_admin_holds_runs_and_drains_a_worker() {
    let site = Site::start().await;
    let (developer, admin) = (site.client("developer").await, site.client("admin").await);
    developer.post("/api/v1/requests", &create("dev", "held-db")).await.expect(StatusCode::CREATED);
    site.sql("INSERT INTO worker (name, kinds, slots, labels) VALUES ('build-7', '{create.postgres}', 4, '{gpu}')")
        .await;
    let queue = admin.json("/api/v1/queue").await;
    assert_eq!((&queue["waiting"], &queue["items"][0]["position"]), (&json!(1), &json!(1)));
    assert_eq!(text(&queue, "/items/0/why"), "turn");

    admin.post("/api/v1/freezes", &json!({"reason": ""})).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    admin.post("/api/v1/freezes", &json!({"reason": "x", "colour": "red"})).await.expect(StatusCode::BAD_REQUEST);
    let past = json!({"reason": "x", "ends_at": "2020-01-01T00:00:00Z"});
    admin.post("/api/v1/freezes", &past).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let new = json!({"reason": "The books are being closed.", "ends_at": "2099-01-01T00:00:00Z"});
    let freeze = admin.post("/api/v1/freezes", &new).await.expect(StatusCode::CREATED);
    let queue = admin.json("/api/v1/queue").await;
    assert_eq!((text(&queue, "/items/0/why"), text(&queue, "/items/0/until")), ("frozen", "2099-01-01T00:00:00Z"));
    assert_eq!(queue["freezes"][0]["id"], freeze["id"]);
    let lift = format!("/api/v1/freezes/{}/lift", text(&freeze, "/id"));
    assert_eq!(developer.post_nothing(&lift).await.status, StatusCode::FORBIDDEN);
    assert_eq!(admin.post_nothing(&lift).await.status, StatusCode::NO_CONTENT);
    assert_eq!(admin.post_nothing(&lift).await.status, StatusCode::NOT_FOUND);

    site.sql(
        "INSERT INTO circuit (id, provider, target_id, subjects, error, opened, open_until)
         SELECT gen_random_uuid(), provider, target_id, ARRAY[subject_id], 'no answer', 1, '2099-01-01' FROM run",
    )
    .await;
    let queue = admin.json("/api/v1/queue").await;
    assert_eq!((text(&queue, "/items/0/why"), text(&queue, "/circuits/0/error")), ("circuit", "no answer"));
    let close = format!("/api/v1/circuits/{}/close", text(&queue, "/circuits/0/id"));
    assert_eq!(developer.post_nothing(&close).await.status, StatusCode::FORBIDDEN);
    assert_eq!(admin.post_nothing(&close).await.status, StatusCode::NO_CONTENT);
    assert_eq!(admin.post_nothing(&close).await.status, StatusCode::NOT_FOUND);

    let drained = admin.post_nothing("/api/v1/workers/build-7/drain").await.expect(StatusCode::OK);
    assert_eq!((&drained["draining"], &drained["drain_requested"]), (&json!(true), &json!(true)));
    assert_eq!(admin.json("/api/v1/queue").await["items"][0]["why"], "no_worker");
    let resumed = admin.post_nothing("/api/v1/workers/build-7/resume").await.expect(StatusCode::OK);
    assert_eq!(resumed["draining"], false);
    assert_eq!(admin.post_nothing("/api/v1/workers/nobody/drain").await.status, StatusCode::NOT_FOUND);
    assert_eq!(developer.get("/api/v1/workers").await.status, StatusCode::FORBIDDEN);
}

/// A target's limit and labels, and the labels that a template's manifest asks for.
#[tokio::test]
async fn an_admin_limits_a_target_and_runs_say_which_label_is_missing() {
    let site = Site::start().await;
    let (developer, admin) = (site.client("developer").await, site.client("admin").await);
    assert_eq!(developer.get("/api/v1/targets").await.status, StatusCode::FORBIDDEN);
    let targets = admin.json("/api/v1/targets").await;
    let target = targets["items"].as_array().unwrap().iter().find(|target| target["provider"] == "postgres").unwrap();
    assert_eq!((&target["run_limit"], &target["labels"]), (&json!(null), &json!([])));
    let limits = format!("/api/v1/targets/{}/limits", text(target, "/id"));

    let wrong = json!({"run_limit": 0, "labels": []});
    admin.put(&limits, &wrong).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let wrong = json!({"run_limit": null, "labels": ["Has Blanks"]});
    admin.put(&limits, &wrong).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let new = json!({"run_limit": 1, "labels": ["eu-west"]});
    assert_eq!(developer.put(&limits, &new).await.status, StatusCode::FORBIDDEN);
    let limited = admin.put(&limits, &new).await.expect(StatusCode::OK);
    assert_eq!((&limited["run_limit"], &limited["labels"]), (&json!(1), &json!(["eu-west"])));
    let unknown = "/api/v1/targets/tgt_00000000000000000000000000000000/limits";
    assert_eq!(admin.put(unknown, &new).await.status, StatusCode::NOT_FOUND);

    // The template asks for one, too.
    site.sql("ALTER TABLE template_version DISABLE TRIGGER USER").await;
    site.sql("UPDATE template_version SET manifest = manifest || '{\"worker_labels\": [\"ssd\"]}'").await;
    developer.post("/api/v1/requests", &create("dev", "far-db")).await.expect(StatusCode::CREATED);
    site.sql("INSERT INTO worker (name, kinds, slots) VALUES ('build-7', '{create.postgres}', 4)").await;
    let queue = admin.json("/api/v1/queue").await;
    assert_eq!(text(&queue, "/items/0/reason"), "No worker can take this: needs labels eu-west, ssd.");
    site.sql("UPDATE worker SET labels = '{eu-west,ssd}'").await;
    assert_eq!(text(&admin.json("/api/v1/queue").await, "/items/0/why"), "turn");
    let told = admin.json("/api/v1/audit?action=target.limited").await;
    assert_eq!(told["items"].as_array().unwrap().len(), 1);
}
