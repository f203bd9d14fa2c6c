//! One audit record for every transition: the database itself counts along.

use axum::http::StatusCode;
use paddock::audit::{self, Entry, Filter, Object};
use paddock::base::Actor;
use paddock::environments::State;
use serde_json::{Value, json};

use crate::api::{create, text};
use crate::support::http::{Client, Site};
use crate::support::wait::until_true;

/// Notes every state that an environment, a request or a run takes, in the transaction that does it.
const WATCH: &str = "
    CREATE TABLE transition (kind text, id uuid, became text);
    GRANT ALL ON transition TO PUBLIC;
    CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO transition VALUES (TG_TABLE_NAME, new.id, CASE
            WHEN TG_TABLE_NAME = 'request' AND TG_OP = 'INSERT' THEN 'submitted'
            ELSE coalesce(to_jsonb(new) ->> 'state', to_jsonb(new) ->> 'status') END);
        RETURN new;
    END $$;
    CREATE TRIGGER watch_insert AFTER INSERT ON environment FOR EACH ROW EXECUTE FUNCTION watch();
    CREATE TRIGGER watch_insert AFTER INSERT ON request FOR EACH ROW EXECUTE FUNCTION watch();
    CREATE TRIGGER watch_update AFTER UPDATE ON environment FOR EACH ROW
        WHEN (old.state <> new.state) EXECUTE FUNCTION watch();
    CREATE TRIGGER watch_update AFTER UPDATE ON request FOR EACH ROW
        WHEN (old.status <> new.status) EXECUTE FUNCTION watch();
    CREATE TRIGGER watch_update AFTER UPDATE ON run FOR EACH ROW
        WHEN (old.state <> new.state) EXECUTE FUNCTION watch()";

/// Transitions without their one record, and records of transitions that did not happen. The end of
/// a run is told by the record of its environment, which names the run.
const UNTOLD: &str = "
    WITH happened AS (
        SELECT CASE WHEN kind = 'run' AND became NOT IN ('running', 'queued') THEN 'ended' ELSE became END AS became,
               kind, id, count(*) AS n
        FROM transition GROUP BY 1, 2, 3
    ), told AS (
        SELECT CASE split_part(action, '.', 2)
                   WHEN 'updated' THEN 'ready' WHEN 'discarded' THEN 'deleted'
                   WHEN 'started' THEN 'running' WHEN 'retried' THEN 'running' WHEN 'requeued' THEN 'queued'
                   ELSE split_part(action, '.', 2) END AS became,
               object_kind AS kind, object_id AS id, count(*) AS n
        FROM audit_record
        WHERE object_kind IN ('environment', 'request', 'run')
          AND action NOT IN ('request.reviewed', 'request.planned', 'environment.extended', 'run.cancel_requested', 'output.revealed')
        GROUP BY 1, 2, 3
        UNION ALL
        SELECT 'ended', 'run', run_id, count(*)
        FROM audit_record
        WHERE object_kind IN ('environment', 'request') AND run_id IS NOT NULL
          AND action IN ('request.planned', 'environment.ready', 'environment.updated', 'environment.deleted', 'environment.failed',
                         'environment.faulted')
        GROUP BY run_id
    )
    SELECT kind || ' ' || became || ': ' || coalesce(happened.n, 0) || ' happened, ' || coalesce(told.n, 0) || ' told'
    FROM happened FULL JOIN told USING (kind, id, became)
    WHERE happened.n IS DISTINCT FROM told.n";

async fn ask(client: &Client, body: &Value) -> Value {
    client.post("/api/v1/requests", body).await.expect(StatusCode::CREATED)
}

#[tokio::test]
async fn every_transition_has_its_record_and_every_record_its_transition() {
    let site = Site::start().await;
    site.sql(WATCH).await;
    let (developer, lead) = (site.client("developer").await, site.client("lead").await);

    // Canceled before anybody took it, retried, changed, extended, deleted.
    let made = ask(&developer, &create("dev", "orders")).await;
    let run = format!("/api/v1/runs/{}", text(&made, "/run/id"));
    developer.post_nothing(&format!("{run}/cancel")).await.expect(StatusCode::ACCEPTED);
    developer.post_nothing(&format!("{run}/retry")).await.expect(StatusCode::CREATED);
    site.test.work();
    let environment = text(&made, "/environment/id");
    let id = environment.parse().unwrap();
    site.test.until_state(id, State::Ready).await;
    ask(&developer, &json!({"operation": "update", "environment": environment, "inputs": {"size": "medium"}})).await;
    site.test.until_state(id, State::Ready).await;
    ask(&developer, &json!({"operation": "extend", "environment": environment, "lifetime": "8d"})).await;
    ask(&developer, &json!({"operation": "delete", "environment": environment})).await;
    site.test.until_state(id, State::Deleted).await;

    // Denied, rejected, withdrawn, lapsed.
    let mut endless = create("dev", "endless");
    endless["lifetime"] = json!("3000d");
    assert_eq!(text(&ask(&developer, &endless).await, "/status"), "denied");
    let waits = ask(&developer, &create("prod", "one")).await;
    let no = json!({"verdict": "rejected", "reason": "No"});
    lead.post(&format!("/api/v1/requests/{}/reviews", text(&waits, "/id")), &no).await.expect(StatusCode::CREATED);
    let waits = ask(&developer, &create("prod", "two")).await;
    developer.post_nothing(&format!("/api/v1/requests/{}/withdraw", text(&waits, "/id"))).await.expect(StatusCode::OK);
    let waits = ask(&developer, &create("prod", "three")).await;
    site.sql("UPDATE request SET lapses_at = now() - interval '1 second' WHERE status = 'awaiting_approval'").await;
    let op = site.test.op(paddock::base::Actor::System { part: "reconciler.approvals" });
    // It passes over a request whose plan is being written down just now.
    until_true("the approval lapses", async || site.test.app.requests.lapse(&op).await.unwrap() == 1).await;
    let lapsed = developer.json(&format!("/api/v1/requests/{}", text(&waits, "/id"))).await;
    assert_eq!(text(&lapsed, "/status"), "lapsed");

    let untold: Vec<String> = sqlx::query_scalar(UNTOLD).fetch_all(site.test.app.db.pool()).await.unwrap();
    assert_eq!(untold, Vec::<String>::new());
    assert!(site.number("SELECT count(*) FROM transition").await > 20);
    assert_eq!(site.number("SELECT sum(used + reserved + stopped) FROM quota_counter").await, 0);
    let wrong_hour = "SELECT count(*) FROM audit_record a JOIN audit_record b USING (operation_id)
                      WHERE a.request_id = b.request_id AND a.xid <> b.xid AND a.channel = 'api'";
    assert_eq!(site.number(wrong_hour).await, 0, "the records of one operation are of one transaction");
}

/// They have one time, and ids of one millisecond: the order is that in which they were told.
#[tokio::test]
async fn records_of_one_moment_are_listed_in_their_order() {
    let site = Site::start().await;
    let op = site.test.op(Actor::Operator);
    let labels: Vec<String> = (0..50).map(|number| format!("{number:02}")).collect();
    let told =
        labels.iter().map(|label| Entry::new("freeze.set", Object { kind: "freeze", id: None, label: label.clone() }));
    let mut tx = site.test.app.db.begin().await.unwrap();
    audit::append_all(&mut tx, &op, told).await.unwrap();
    tx.commit().await.unwrap();
    let filter = Filter { operation: Some(op.id), ..Filter::default() };
    let mut connection = site.test.app.db.acquire().await.unwrap();
    let listed = audit::list(&mut connection, &filter, None, 100).await.unwrap();
    let listed: Vec<String> = listed.items.into_iter().rev().map(|record| record.object_label).collect();
    assert_eq!(listed, labels);
}
