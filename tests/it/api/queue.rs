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

    let drained = admin.post_nothing("/api/v1/workers/build-7/drain").await.expect(StatusCode::OK);
    assert_eq!((&drained["draining"], &drained["drain_requested"]), (&json!(true), &json!(true)));
    assert_eq!(admin.json("/api/v1/queue").await["items"][0]["why"], "no_worker");
    let resumed = admin.post_nothing("/api/v1/workers/build-7/resume").await.expect(StatusCode::OK);
    assert_eq!(resumed["draining"], false);
    assert_eq!(admin.post_nothing("/api/v1/workers/nobody/drain").await.status, StatusCode::NOT_FOUND);
    assert_eq!(developer.get("/api/v1/workers").await.status, StatusCode::FORBIDDEN);
}
