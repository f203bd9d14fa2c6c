//! Queue and workers: who may look, who may hold and drain, and what a run's page says meanwhile.

use axum::http::StatusCode;
use paddock::requests::Caller;
use serde_json::json;

use crate::runs::create;
use crate::support::app::TestApp;

#[tokio::test]
async fn a_freeze_is_set_seen_and_lifted() {
    let test = TestApp::start().await;
    let developer = test.person("developer").await;
    let draft = create("payments", "dev", "postgres-database", "queued-db", json!({"size": "small"}));
    let request =
        test.app.requests.submit(&test.op_as(&developer), Caller::Person(&developer), &draft, None).await.unwrap();
    let run: uuid::Uuid = sqlx::query_scalar("SELECT id FROM run WHERE request_id = $1")
        .bind(request.id.0)
        .fetch_one(test.app.db.pool())
        .await
        .unwrap();
    let run = format!("/runs/run_{}", run.simple());
    let (mut admin, mut mine) = (test.browser_of("admin").await, test.browser_of("developer").await);
    admin.get("/admin/queue").await.shows(&["1 run waits", "Create queued-db", "none is there", "unknown", "Held"]);
    mine.get(&run).await.shows(&["Waits for a worker: none is there at the moment"]);

    let refused = admin.post("/admin/freezes", &[("place", ""), ("length", "4h"), ("reason", " ")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.shows(&["One thing needs a change", "href=\"#f-reason\""]);
    let set = admin.post("/admin/freezes", &[("place", ""), ("length", "4h"), ("reason", "Closing the books")]).await;
    assert_eq!(set.location(), "/admin/queue");
    let page = admin.get("/admin/queue").await;
    page.shows(&["The whole platform", "Closing the books", "set by admin", "Held by a freeze: Closing the books"]);
    mine.get(&run).await.shows(&["Held by a freeze: Closing the books", "until"]);

    let lift = page.text.split("action=\"/admin/freezes/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let lifted = admin.post(&format!("/admin/freezes/{lift}"), &[]).await;
    assert_eq!(lifted.status, StatusCode::SEE_OTHER);
    admin.get("/admin/queue").await.hides(&["Held by a freeze"]);
    let again = admin.post(&format!("/admin/freezes/{lift}"), &[]).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    // With a worker, its place in line.
    worker(&test).await;
    mine.get(&run).await.shows(&["Place 1 in the queue"]);
}

#[tokio::test]
async fn a_circuit_that_opened_is_seen_and_closed() {
    let test = TestApp::start().await;
    let developer = test.person("developer").await;
    let draft = create("payments", "dev", "postgres-database", "held-db", json!({"size": "small"}));
    let request =
        test.app.requests.submit(&test.op_as(&developer), Caller::Person(&developer), &draft, None).await.unwrap();
    worker(&test).await;
    sqlx::query(
        "INSERT INTO circuit (id, provider, target_id, subjects, error, opened, open_until)
         SELECT '0193c3f2-0000-7000-8000-000000000001', provider, target_id,
             ARRAY[gen_random_uuid(), gen_random_uuid(), gen_random_uuid()],
             'the server does not answer', 1, now() + interval '1 minute' FROM run WHERE request_id = $1",
    )
    .bind(request.id.0)
    .execute(test.app.db.pool())
    .await
    .unwrap();
    let (mut admin, mut auditor) = (test.browser_of("admin").await, test.browser_of("auditor").await);
    let page = admin.get("/admin/queue").await;
    page.shows(&["Holds runs", "3 environments in a row met an error there", "the server does not answer"]);
    page.shows(&["Held: 3 environments in a row", "Let all go on"]);
    // What the others met may be of another project.
    let run: uuid::Uuid = sqlx::query_scalar("SELECT id FROM run WHERE request_id = $1")
        .bind(request.id.0)
        .fetch_one(test.app.db.pool())
        .await
        .unwrap();
    let mine = test.browser_of("developer").await.get(&format!("/runs/run_{}", run.simple())).await;
    mine.shows(&["Held by errors of the target", "3 environments in a row met one."]);
    mine.hides(&["the server does not answer"]);
    let close = "/admin/circuits/cir_0193c3f2000070008000000000000001/close";
    assert_eq!(auditor.post(close, &[]).await.status, StatusCode::FORBIDDEN);
    let closed = admin.post(close, &[]).await;
    assert_eq!((closed.status, closed.location()), (StatusCode::SEE_OTHER, "/admin/queue"));
    admin.get("/admin/queue").await.hides(&["Holds runs", "Held:"]);
    assert_eq!(admin.post(close, &[]).await.status, StatusCode::NOT_FOUND);
}

async fn worker(test: &TestApp) {
    let worker = "INSERT INTO worker (name, kinds, slots, labels, version)
         VALUES ('build-7', '{create.postgres}', 4, '{eu-west,gpu}', '0.1.0')";
    sqlx::query(worker).execute(test.app.db.pool()).await.unwrap();
}

#[tokio::test]
async fn a_worker_is_drained_and_resumed() {
    let test = TestApp::start().await;
    let mut admin = test.browser_of("admin").await;
    admin.get("/admin/workers").await.shows(&["No worker is there"]);
    worker(&test).await;
    admin.get("/admin/workers").await.shows(&["build-7", "Idle", "0 of 4", "eu-west", "gpu", "0.1.0", "Drain"]);
    let told = admin.post("/admin/workers/build-7/drain", &[]).await;
    assert_eq!(told.location(), "/admin/workers");
    admin.get("/admin/workers").await.shows(&["Drained", "Resume"]);
    admin.post("/admin/workers/build-7/resume", &[]).await;
    admin.get("/admin/workers").await.shows(&["Idle"]);
    assert_eq!(admin.post("/admin/workers/nobody/drain", &[]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn only_admins_hold_and_drain() {
    let test = TestApp::start().await;
    worker(&test).await;
    let posts =
        ["/admin/freezes", "/admin/freezes/frz_0193c3f2000070008000000000000000/lift", "/admin/workers/build-7/drain"];
    for who in ["developer", "lead", "auditor"] {
        let mut other = test.browser_of(who).await;
        for path in ["/admin/queue", "/admin/workers"] {
            let looked = other.get(path).await;
            if who == "auditor" {
                looked.hides(&[">Drain<", "Hold runs"]);
            } else {
                assert_eq!(looked.status, StatusCode::FORBIDDEN, "{who} {path}");
            }
        }
        for path in posts {
            let refused = other.post(path, &[("reason", "x")]).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{who} {path}");
            refused.shows(&["Needs the role admin on the platform."]);
        }
    }
}
