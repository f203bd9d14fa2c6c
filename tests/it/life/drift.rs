//! Drift from the pages and the API to a real database server: found, told, accepted, mended; never
//! called drift when nobody could look; by schedule, and always behind what people ask for.

use std::time::Duration;

use axum::http::StatusCode;
use paddock::base::Actor;
use paddock::base::id::EnvironmentId;
use paddock::environments::State;
use serde_json::{Value, json};

use crate::api::{create, text};
use crate::support::http::{Client, Site};
use crate::support::server::Server;
use crate::support::wait::until_true;

const DAY: Duration = Duration::from_hours(24);

struct Scene {
    site: Site,
    developer: Client,
    id: EnvironmentId,
    /// The database and its role.
    name: String,
}

impl Scene {
    /// A database in dev that is ready; a worker is there.
    async fn new() -> Self {
        let site = Site::start().await;
        site.test.work();
        let developer = site.client("developer").await;
        let made = developer.post("/api/v1/requests", &create("dev", "orders")).await.expect(StatusCode::CREATED);
        let id: EnvironmentId = text(&made, "/environment/id").parse().unwrap();
        site.test.until_state(id, State::Ready).await;
        let resources = developer.json(&format!("/api/v1/environments/{id}/resources")).await;
        let name = text(&resources, "/items/0/provider_id").to_owned();
        Self { site, developer, id, name }
    }

    fn address(&self, rest: &str) -> String {
        format!("/api/v1/environments/{}{rest}", self.id)
    }

    /// Asks for a check and waits for its end: what is known then.
    async fn check(&self) -> Value {
        let run = self.developer.post_nothing(&self.address("/drift/check")).await.expect(StatusCode::ACCEPTED);
        self.end(text(&run, "/id")).await;
        self.developer.json(&self.address("/drift")).await
    }

    async fn end(&self, run: &str) -> Value {
        let address = format!("/api/v1/runs/{run}");
        let open = |now: &Value| matches!(text(now, "/status"), "queued" | "running");
        until_true("the run ends", async || !open(&self.developer.json(&address).await)).await;
        self.developer.json(&address).await
    }

    async fn records(&self, action: &str) -> i64 {
        self.site.number(&format!("SELECT count(*) FROM audit_record WHERE action = '{action}'")).await
    }

    async fn due(&self, period: Duration) -> usize {
        let op = self.site.test.op(Actor::System { part: "reconciler.drift" });
        self.site.test.app.check_due_drift(&op, period).await.unwrap()
    }

    async fn limit(&self, connections: i32) {
        Server::get().execute(format!("ALTER ROLE \"{}\" CONNECTION LIMIT {connections}", self.name)).await.unwrap();
    }
}

#[tokio::test]
async fn drift_is_found_told_accepted_and_mended() {
    let scene = Scene::new().await;
    let before = scene.site.test.environment(scene.id).await;
    let nothing = scene.check().await;
    assert_eq!((&nothing["drifted_since"], &nothing["differences"]), (&Value::Null, &json!([])), "{nothing:#}");
    assert_eq!(text(&nothing, "/result"), "looked");

    scene.limit(77).await;
    let found = scene.check().await;
    assert_eq!(found["differences"][0]["address"], "role", "{found:#}");
    assert!(text(&found, "/differences/0/summary").ends_with("→ 77"), "{found:#}");
    assert!(found["drifted_since"].is_string());
    let now = scene.site.test.environment(scene.id).await;
    assert_eq!((now.state, now.generation), (State::Ready, before.generation), "a check changes nothing");
    let list = scene.developer.json("/api/v1/environments?drifted=true").await;
    assert_eq!(list["items"][0]["drifted_since"], found["drifted_since"]);
    let mut browser = scene.site.test.browser_of("developer").await;
    let page = browser.get(&format!("/environments/{}", scene.id)).await;
    page.shows(&["Drifted", "→ 77", "Re-apply", "Accept what differs", "is not as its last run left it"]);
    browser.get("/environments?view=drifted").await.shows(&["orders", "Drifted"]);
    assert_eq!((scene.records("drift.found").await, scene.records("drift.asked").await), (1, 2));
    scene.check().await;
    assert_eq!(scene.records("drift.found").await, 1, "the same is told once");

    // Accepted by what was seen, and with a reason.
    let accept = scene.address("/drift/accept");
    let late = json!({"digest": "0".repeat(64), "reason": "fine"});
    scene.developer.post(&accept, &late).await.expect(StatusCode::PRECONDITION_FAILED);
    let silent = json!({"digest": found["digest"], "reason": " "});
    scene.developer.post(&accept, &silent).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let body = json!({"digest": found["digest"], "reason": "The night job needs it"});
    let accepted = scene.developer.post(&accept, &body).await.expect(StatusCode::OK);
    assert_eq!((&accepted["drifted_since"], &accepted["differences"]), (&Value::Null, &json!([])));
    assert_eq!(accepted["accepted"][0]["reason"], "The night job needs it");
    assert_eq!(scene.developer.json("/api/v1/environments?drifted=true").await["items"], json!([]));
    let again = scene.check().await;
    assert_eq!((&again["drifted_since"], &again["accepted"][0]["by"]), (&Value::Null, &json!("developer")));

    // Another difference is another one.
    scene.limit(78).await;
    let changed = scene.check().await;
    assert!(text(&changed, "/differences/0/summary").ends_with("→ 78"), "{changed:#}");
    assert_eq!(changed["accepted"], json!([]));

    // Mended by an update without changes.
    let page = browser.post(&format!("/environments/{}/drift/reapply", scene.id), &[("_key", "k1")]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    assert_eq!(scene.records("request.submitted").await, 2);
    until_true("it is updated", async || scene.records("environment.updated").await > 0).await;
    let after = scene.developer.json(&scene.address("/drift")).await;
    assert_eq!((&after["drifted_since"], &after["checked_at"]), (&Value::Null, &Value::Null), "known anew");
    let mended = scene.check().await;
    assert_eq!(mended["differences"], json!([]), "{mended:#}");
}

#[tokio::test]
async fn what_cannot_be_looked_at_is_not_called_drift() {
    let scene = Scene::new().await;
    scene.limit(77).await;
    let found = scene.check().await;
    assert!(found["drifted_since"].is_string());
    // The role of the environment lost its mark: nobody knows whose it is.
    Server::get().execute(format!("COMMENT ON ROLE \"{}\" IS 'mine'", scene.name)).await.unwrap();
    let failed = scene.check().await;
    assert_eq!(text(&failed, "/result"), "failed", "{failed:#}");
    assert!(text(&failed, "/reason").contains("does not belong to this environment"), "{failed:#}");
    assert_eq!(failed["differences"], found["differences"], "what was known stays");
    assert_eq!(scene.site.test.environment(scene.id).await.state, State::Ready);
    let mut browser = scene.site.test.browser_of("developer").await;
    browser.get(&format!("/environments/{}", scene.id)).await.shows(&["The last check failed: "]);
    assert_eq!(scene.records("drift.failed").await, 1);
    scene.check().await;
    assert_eq!(scene.records("drift.failed").await, 1, "the same failure is told once");
}

#[tokio::test]
async fn each_environment_has_its_moment_in_each_period() {
    let scene = Scene::new().await;
    assert_eq!(scene.due(Duration::ZERO).await, 0);
    assert_eq!(scene.site.number("SELECT count(*) FROM environment_drift WHERE due_at IS NULL").await, 1);
    assert_eq!(scene.due(DAY).await, 0, "its moment is within the coming period");
    let within = "SELECT count(*) FROM environment_drift WHERE due_at BETWEEN now() AND now() + interval '1 day'";
    assert_eq!(scene.site.number(within).await, 1);
    scene.site.sql("UPDATE environment_drift SET due_at = now() - interval '1 minute'").await;
    assert_eq!(scene.due(Duration::ZERO).await, 0, "off is off");
    assert_eq!(scene.due(DAY).await, 1);
    let open = "SELECT count(*) FROM run WHERE kind = 'drift.postgres' AND state IN ('queued', 'running')";
    until_true("no check is open", async || scene.site.number(open).await == 0).await;
    assert_eq!(scene.due(DAY).await, 0, "once");
    let runs = "SELECT count(*) FROM run WHERE kind = 'drift.postgres'";
    assert_eq!(scene.site.number(runs).await, 1);
    assert_eq!(scene.site.number("SELECT priority FROM run WHERE kind = 'drift.postgres'").await, 200, "people first");
    // A shorter period counts at once.
    scene.due(Duration::from_hours(1)).await;
    assert_eq!(
        scene.site.number("SELECT count(*) FROM environment_drift WHERE due_at > now() + interval '1 hour'").await,
        0
    );
    // What is spread lies apart.
    let spread =
        "SELECT count(DISTINCT round(x / 864)) FROM (SELECT ('x' || substr(md5(gen_random_uuid()::text), 1, 8))
        ::bit(32)::bigint / 4294967296.0 * 86400 AS x FROM generate_series(1, 500)) AS s";
    assert!(scene.site.number(spread).await > 60);
}

#[tokio::test]
async fn a_check_gives_way_to_what_people_ask_for() {
    let site = Site::start().await;
    let developer = site.client("developer").await;
    let made = developer.post("/api/v1/requests", &create("dev", "orders")).await.expect(StatusCode::CREATED);
    let id: EnvironmentId = text(&made, "/environment/id").parse().unwrap();
    // Ready, without anybody who would take the check.
    site.sql("UPDATE run SET state = 'canceled', ended_at = now() WHERE state = 'queued'").await;
    site.sql("UPDATE request SET status = 'canceled' WHERE status = 'approved'").await;
    site.sql("UPDATE environment SET state = 'ready', ready_at = now()").await;
    let address = format!("/api/v1/environments/{id}");
    let check = developer.post_nothing(&format!("{address}/drift/check")).await.expect(StatusCode::ACCEPTED);
    let same = developer.post_nothing(&format!("{address}/drift/check")).await.expect(StatusCode::ACCEPTED);
    assert_eq!(check["id"], same["id"], "one at a time");
    let update = json!({"operation": "update", "environment": id.to_string(), "inputs": {}, "reason": "now"});
    developer.post("/api/v1/requests", &update).await.expect(StatusCode::CREATED);
    let check = developer.json(&format!("/api/v1/runs/{}", text(&check, "/id"))).await;
    assert_eq!(text(&check, "/status"), "canceled");
    assert_eq!(site.number("SELECT count(*) FROM run WHERE head AND kind = 'update.postgres'").await, 1);
    assert_eq!(site.number("SELECT count(*) FROM environment_drift WHERE result IS NOT NULL").await, 0);
    // Not while something works on it.
    let busy = developer.post_nothing(&format!("{address}/drift/check")).await.expect(StatusCode::CONFLICT);
    assert!(text(&busy, "/detail").contains("ready or stopped"), "{busy:#}");
}

#[tokio::test]
async fn who_is_no_owner_and_no_lead_accepts_nothing() {
    let site = Site::start().await;
    let developer = site.client("developer").await;
    let made = developer.post("/api/v1/requests", &create("dev", "orders")).await.expect(StatusCode::CREATED);
    let id: EnvironmentId = text(&made, "/environment/id").parse().unwrap();
    let body = json!({"digest": "0", "reason": "because"});
    for (login, check, accept) in [("admin", 409, 403), ("auditor", 403, 403), ("lead", 409, 409)] {
        let client = site.client(login).await;
        let checked = client.post_nothing(&format!("/api/v1/environments/{id}/drift/check")).await;
        let accepted = client.post(&format!("/api/v1/environments/{id}/drift/accept"), &body).await;
        assert_eq!((checked.status.as_u16(), accepted.status.as_u16()), (check, accept), "{login}: {}", accepted.text);
    }
}

/// A check that is at work when an operation begins says nothing of what it saw.
#[tokio::test]
async fn what_an_operation_overtook_is_not_told() {
    let cloud = super::orphans::Scene::new().await;
    let id = cloud.environments(1).await[0];
    let book = std::fs::read_to_string(&cloud.book).unwrap();
    let lines: Vec<Value> = book.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut gone = lines.iter().find(|line| line["object"] == "disk" && !line["effect"].is_null()).unwrap().clone();
    gone["number"] = json!(100_000);
    gone["effect"] = json!({"effect": "removed"});
    std::fs::write(&cloud.book, format!("{book}{gone}\n")).unwrap();
    let address = format!("/api/v1/environments/{id}/drift/check");
    let check = cloud.developer.post_nothing(&address).await.expect(StatusCode::ACCEPTED);
    let run = format!("/api/v1/runs/{}", text(&check, "/id"));
    until_true("it is begun", async || text(&cloud.developer.json(&run).await, "/status") != "queued").await;
    let update =
        json!({"operation": "update", "environment": id.to_string(), "inputs": {"size": "large"}, "reason": "now"});
    cloud.developer.post("/api/v1/requests", &update).await.expect(StatusCode::CREATED);
    let updated = "SELECT count(*) FROM audit_record WHERE action = 'environment.updated'";
    until_true("it is updated", async || cloud.site.number(updated).await > 0).await;
    let status = cloud.developer.json(&run).await;
    assert!(matches!(text(&status, "/status"), "succeeded" | "canceled"), "{status:#}");
    assert_eq!(cloud.site.number("SELECT count(*) FROM audit_record WHERE action LIKE 'drift.found'").await, 0);
}
