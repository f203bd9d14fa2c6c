//! Orphans: what is made behind Paddock's back is listed within one look, and nothing is removed by
//! itself; what lost its record is adopted; a person's word removes the rest, through a run.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::StatusCode;
use paddock::base::Actor;
use paddock::base::id::EnvironmentId;
use paddock::environments::State;
use serde_json::{Value, json};

use crate::api::text;
use crate::matrix::subject::POSTGRES;
use crate::matrix::world::connect;
use crate::support::http::{Client, Site};
use crate::support::server::Server;
use crate::support::wait::{lines, until_true};

const HOUR: Duration = Duration::from_hours(1);

pub(super) struct Scene {
    pub(super) site: Site,
    admin: Client,
    pub(super) developer: Client,
    pub(super) book: PathBuf,
}

impl Scene {
    /// A cloud that is connected, and bound to dev of payments.
    pub(super) async fn new() -> Self {
        let site = Site::start().await;
        let (admin, developer) = (site.client("admin").await, site.client("developer").await);
        let folder = site.test.folder.path().join("cloud");
        let draft =
            json!({"slug": "practice", "name": "Practice", "provider": "simulated", "settings": {"folder": folder}});
        let target = admin.post("/api/v1/targets", &draft).await.expect(StatusCode::CREATED);
        let project = admin.json("/api/v1/projects/payments").await;
        let types = project["environment_types"].as_array().unwrap();
        let dev = types.iter().find(|one| one["slug"] == "dev").unwrap();
        let bind = format!("/api/v1/targets/{}/bind", text(&target, "/id"));
        admin.post(&bind, &json!({"place": dev["id"]})).await.expect(StatusCode::OK);
        Self { site, admin, developer, book: folder.join("practice.ledger") }
    }

    pub(super) async fn environments(&self, count: usize) -> Vec<EnvironmentId> {
        self.site.test.work();
        let mut ids = Vec::new();
        for n in 0..count {
            let body = json!({
                "operation": "create", "project": "payments", "environment_type": "dev", "template": "practice-cloud",
                "name": format!("practice-{n}"), "inputs": {"size": "small", "scenario": "calm"}, "reason": "A test",
            });
            let made = self.developer.post("/api/v1/requests", &body).await.expect(StatusCode::CREATED);
            ids.push(text(&made, "/environment/id").parse().unwrap());
        }
        for id in &ids {
            self.site.test.until_state(*id, State::Ready).await;
        }
        ids
    }

    /// Objects that no environment of ours asked for, made in the cloud itself.
    fn strays(&self, count: usize) -> BTreeSet<String> {
        let mut book = std::fs::read_to_string(&self.book).unwrap_or_default();
        let mut ids = BTreeSet::new();
        for n in 0..count {
            let (number, id) = (100_000 + n, format!("stray-{n}"));
            let line = json!({
                "line": "call", "number": number, "at": "2026-01-01T00:00:00Z",
                "environment": format!("env_{}", uuid::Uuid::from_u128(7 + n as u128).simple()),
                "run": uuid::Uuid::nil(), "since": "2026-01-01T00:00:00Z", "attempt": 1, "generation": 1, "verb": "create",
                "object": "disk", "token": format!("t{n}"), "fault": null, "stale": false,
                "effect": {"effect": "made", "id": id, "spec": "{}", "whole": true, "hidden": 0},
            });
            book.push_str(&format!("{line}\n"));
            ids.insert(id);
        }
        std::fs::create_dir_all(self.book.parent().unwrap()).unwrap();
        std::fs::write(&self.book, book).unwrap();
        ids
    }

    /// One period goes by for every target.
    async fn look(&self) -> usize {
        let op = self.site.test.op(Actor::System { part: "reconciler.orphans" });
        // The first look gives the targets their turn; from then on the database's clock does.
        self.site.sql("UPDATE target_inventory SET due_at = now() - interval '1 minute' WHERE target_id IN (SELECT id FROM target WHERE slug = 'practice')").await;
        self.site.test.app.find_orphans(&op, HOUR).await.unwrap()
    }

    /// Of the practice cloud: other tests have things on the shared database server.
    async fn orphans(&self) -> Vec<Value> {
        let (mut all, mut next) = (Vec::new(), String::new());
        loop {
            let page = self.admin.json(&format!("/api/v1/orphans?limit=20{next}")).await;
            all.extend(page["items"].as_array().unwrap().iter().filter(|one| one["target"] == "practice").cloned());
            match page["next_cursor"].as_str() {
                Some(cursor) => next = format!("&cursor={cursor}"),
                None => return all,
            }
        }
    }

    async fn until(&self, id: &str, state: &str) -> Value {
        let address = format!("/api/v1/orphans/{id}");
        until_true(&format!("the orphan is {state}"), async || self.admin.json(&address).await["state"] == state).await;
        self.admin.json(&address).await
    }

    async fn records(&self, action: &str) -> i64 {
        self.site
            .number(&format!(
                "SELECT count(*) FROM audit_record WHERE action = '{action}' AND detail ->> 'target' = 'practice'"
            ))
            .await
    }
}

fn ids(orphans: &[Value]) -> BTreeSet<String> {
    orphans.iter().map(|one| text(one, "/provider_id").to_owned()).collect()
}

#[tokio::test]
async fn fifty_strays_are_listed_within_one_look_and_stay() {
    let scene = Scene::new().await;
    let strays = scene.strays(50);
    let before = lines(&scene.book);
    scene.look().await;
    let found = scene.orphans().await;
    assert_eq!(ids(&found), strays);
    assert_eq!((found.len(), scene.records("orphan.found").await), (50, 50));
    assert!(found.iter().all(|one| one["can_be_adopted"] == false && one["state"] == "found"), "{found:#?}");
    assert_eq!(scene.look().await, 0, "each is found once");
    assert_eq!((scene.orphans().await.len(), scene.records("orphan.found").await), (50, 50));
    assert_eq!(lines(&scene.book), before, "nothing is removed by itself");
    let mut browser = scene.site.test.browser_of("admin").await;
    browser.get("/admin/orphans").await.shows(&["stray-", "not known here", "practice", "Listed", "Look now"]);

    // Only an admin, only with a reason.
    let address = |id: &str, verb: &str| format!("/api/v1/orphans/{id}/{verb}");
    let one = text(&found[0], "/id").to_owned();
    let body = json!({"reason": "Nobody knows it"});
    let developer = scene.developer.post(&address(&one, "destroy"), &body).await;
    assert_eq!(developer.status, StatusCode::FORBIDDEN);
    let silent = scene.admin.post(&address(&one, "destroy"), &json!({"reason": "  "})).await;
    assert_eq!(silent.status, StatusCode::UNPROCESSABLE_ENTITY);
    let adopted = scene.admin.post(&address(&one, "adopt"), &body).await.expect(StatusCode::CONFLICT);
    assert!(text(&adopted, "/detail").contains("does not live here"), "{adopted:#}");

    // Destroyed through a run, and nothing else with it.
    let asked = scene.admin.post(&address(&one, "destroy"), &body).await.expect(StatusCode::ACCEPTED);
    assert_eq!(text(&asked, "/state"), "destroying");
    scene.admin.post(&address(&one, "destroy"), &body).await.expect(StatusCode::CONFLICT);
    assert_eq!(lines(&scene.book), before, "nobody has taken the run yet");
    let mut page = scene.site.test.browser_of("admin").await;
    page.get(&format!("/admin/orphans/{one}")).await.shows(&["Destroying", "every 2s"]);
    scene.site.test.work();
    scene.until(&one, "destroyed").await;
    page.get(&format!("/admin/orphans/{one}")).await.shows(&["Destroyed", "It is gone."]);
    scene.look().await;
    let rest: BTreeSet<String> = strays.iter().filter(|id| **id != text(&found[0], "/provider_id")).cloned().collect();
    assert_eq!(ids(&scene.orphans().await), rest);
    assert_eq!(scene.records("orphan.destroying").await, 1);

    // What another hand removes leaves the list by itself.
    let mut book = std::fs::read_to_string(&scene.book).unwrap();
    let mut gone: Value = serde_json::from_str(&before[1]).unwrap();
    gone["number"] = json!(900_000);
    gone["effect"] = json!({"effect": "removed"});
    book.push_str(&format!("{gone}\n"));
    std::fs::write(&scene.book, book).unwrap();
    scene.look().await;
    assert_eq!((scene.orphans().await.len(), scene.records("orphan.gone").await), (48, 1));
}

#[tokio::test]
async fn what_lost_its_record_is_listed_and_adopted() {
    let scene = Scene::new().await;
    let environments = scene.environments(7).await;
    scene.look().await;
    assert_eq!(scene.orphans().await, [] as [Value; 0], "what lives is owned");
    // One of 21 rows: 5 %.
    scene
        .site
        .sql(&format!(
            "DELETE FROM environment_resource WHERE environment_id = '{}' AND address = 'disk'",
            environments[3].0
        ))
        .await;
    scene.look().await;
    let found = scene.orphans().await;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((&found[0]["environment"], &found[0]["can_be_adopted"]), (&json!("practice-3"), &json!(true)));
    let before = lines(&scene.book);
    let adopt = format!("/api/v1/orphans/{}/adopt", text(&found[0], "/id"));
    scene.admin.post(&adopt, &json!({"reason": "A row was lost"})).await.expect(StatusCode::OK);
    let resources = scene.developer.json(&format!("/api/v1/environments/{}/resources", environments[3])).await;
    let addresses: Vec<&str> = resources["items"].as_array().unwrap().iter().map(|one| text(one, "/address")).collect();
    assert_eq!(addresses, ["disk", "network", "server"]);
    scene.look().await;
    assert_eq!(scene.orphans().await, [] as [Value; 0]);
    assert_eq!((lines(&scene.book), scene.records("orphan.adopted").await), (before, 1));
}

#[tokio::test]
async fn a_target_is_looked_over_once_in_a_period_and_a_failure_is_told() {
    let scene = Scene::new().await;
    let op = scene.site.test.op(Actor::System { part: "reconciler.orphans" });
    scene.strays(1);
    assert_eq!(scene.site.test.app.find_orphans(&op, Duration::ZERO).await.unwrap(), 0);
    scene.site.test.app.find_orphans(&op, HOUR).await.unwrap();
    assert_eq!(scene.orphans().await.len(), 1, "a new target is looked over at once");
    let later = "SELECT count(*) FROM target_inventory WHERE due_at <= now() + interval '59 minutes'";
    assert_eq!(scene.site.number(later).await, 0);
    scene.strays(2);
    scene.site.test.app.find_orphans(&op, HOUR).await.unwrap();
    assert_eq!(scene.orphans().await.len(), 1, "not before its turn");
    let now = scene.admin.post_nothing("/api/v1/orphans/look").await;
    assert_eq!(now.status, StatusCode::NO_CONTENT);
    std::fs::write(&scene.book, "this is no book\n").unwrap();
    scene.site.test.app.find_orphans(&op, HOUR).await.unwrap();
    let looks = scene.admin.json("/api/v1/orphans/looks").await;
    let look = looks["items"].as_array().unwrap().iter().find(|one| one["target"] == "practice").unwrap();
    assert_eq!(look["result"], "failed", "{looks:#}");
    assert!(text(look, "/reason").contains("cannot be used"), "{looks:#}");
    assert_eq!(scene.orphans().await.len(), 1, "what was known stays");
}

/// By the mark that a user cannot change.
#[tokio::test]
async fn a_server_lists_databases_and_roles_by_their_mark() {
    let site = Site::start().await;
    let admin = site.client("admin").await;
    let op = site.test.op(Actor::System { part: "reconciler.orphans" });
    let id = uuid::Uuid::now_v7().simple().to_string();
    let name = format!("stray_{}", &id[20..]);
    for statement in [
        format!("CREATE ROLE {name} LOGIN"),
        format!("COMMENT ON ROLE {name} IS 'paddock:env_{id}'"),
        format!("CREATE DATABASE {name} OWNER {name}"),
        // Its owner wants to make it somebody else's.
        format!("COMMENT ON DATABASE {name} IS 'paddock:env_{}'", uuid::Uuid::nil().simple()),
        format!("CREATE DATABASE {name}_free"),
    ] {
        Server::get().execute(statement).await.unwrap();
    }
    // Two targets on one server.
    let (settings, credential) = POSTGRES.target.unwrap()();
    connect(&site.test, "postgres", settings, &credential).await;
    let mine = format!("SELECT count(*) FROM orphan WHERE environment_id = '{id}' AND closed_at IS NULL");
    for _ in 0..2 {
        site.test.app.find_orphans(&op, HOUR).await.unwrap();
        assert_eq!(site.number(&mine).await, 2, "both list the database and the role");
        site.sql("UPDATE target_inventory SET due_at = now() - interval '1 minute'").await;
    }
    assert_eq!(site.number(&format!("SELECT count(*) FROM orphan WHERE provider_id = '{name}_free'")).await, 0);
    site.test.work();
    for kind in ["postgres_database", "postgres_role"] {
        let orphan: uuid::Uuid = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "SELECT id FROM orphan WHERE provider_id = '{name}' AND type = '{kind}'"
        )))
        .fetch_one(site.test.app.db.pool())
        .await
        .unwrap();
        let address = format!("/api/v1/orphans/orp_{}", orphan.simple());
        admin.post(&format!("{address}/destroy"), &json!({"reason": "A test"})).await.expect(StatusCode::ACCEPTED);
        until_true("it is destroyed", async || admin.json(&address).await["state"] == "destroyed").await;
    }
    Server::get().execute(format!("CREATE ROLE {name}")).await.unwrap();
    for statement in [format!("DROP ROLE {name}"), format!("DROP DATABASE {name}_free")] {
        Server::get().execute(statement).await.unwrap();
    }
}
