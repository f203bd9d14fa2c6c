//! Targets over the API: connected, checked, bound, used, rotated, disconnected; and no secret anywhere.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::StatusCode;
use paddock::base::Actor;
use paddock::base::id::{EnvironmentId, ProjectEnvironmentTypeId, TargetId};
use paddock::environments::State;
use paddock::projects;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::{create, text};
use crate::support::http::{Answer, Client, Site, send};
use crate::support::server::Server;

/// An administrator of the test server without superuser, with a database to connect to.
pub struct Admin {
    pub name: String,
}

impl Admin {
    pub async fn make(password: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("target_admin_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        let server = Server::get();
        for statement in [
            format!("CREATE ROLE {name} LOGIN CREATEDB CREATEROLE PASSWORD '{password}'"),
            format!("CREATE DATABASE {name} OWNER {name}"),
        ] {
            server.execute(statement).await.unwrap();
        }
        Self { name }
    }

    /// Gives the role these attributes.
    pub async fn execute(&self, attributes: &str) {
        Server::get().execute(format!("ALTER ROLE {} {attributes}", self.name)).await.unwrap();
    }

    pub async fn set_password(&self, password: &str) {
        Server::get().execute(format!("ALTER ROLE {} PASSWORD '{password}'", self.name)).await.unwrap();
    }

    /// The settings of a target on the test server.
    pub fn settings(&self) -> Value {
        let url = url::Url::parse(&Server::get().url("postgres")).unwrap();
        json!({"server": url.host_str().unwrap(), "server_port": url.port().unwrap_or(5432), "user": self.name,
               "database": self.name})
    }

    fn draft(&self, password: &str) -> Value {
        json!({"slug": "team-databases", "name": "Team databases", "provider": "postgres", "settings": self.settings(),
               "credential": {"password": password}})
    }

    async fn lets_in(&self, password: &str) -> bool {
        let mut url = url::Url::parse(&Server::get().url(&self.name)).unwrap();
        url.set_query(None);
        url.set_username(&self.name).unwrap();
        url.set_password(Some(password)).unwrap();
        PgConnection::connect(url.as_str()).await.is_ok()
    }

    /// Where it is not the private server of the tests, nothing stays.
    pub async fn remove(self) {
        for statement in [format!("DROP DATABASE {}", self.name), format!("DROP ROLE {}", self.name)] {
            Server::get().execute(statement).await.unwrap();
        }
    }
}

/// The id of a project environment type.
async fn place(client: &Client, project: &str, kind: &str) -> String {
    let project = client.json(&format!("/api/v1/projects/{project}")).await;
    let types = project["environment_types"].as_array().unwrap();
    text(types.iter().find(|one| one["slug"] == kind).unwrap(), "/id").to_owned()
}

async fn made(site: &Site, client: &Client, name: &str) -> EnvironmentId {
    let made = client.post("/api/v1/requests", &create("dev", name)).await.expect(StatusCode::CREATED);
    let id = text(&made, "/environment/id").parse().unwrap();
    site.test.until_state(id, State::Ready).await;
    id
}

async fn patch(client: &Client, path: &str, body: &Value) -> Answer {
    send(client.request(Method::PATCH, path).json(body)).await
}

async fn delete(client: &Client, path: &str) -> Answer {
    send(client.request(Method::DELETE, path)).await
}

/// Every row of every table, bytes in hexadecimal.
async fn everything(site: &Site) -> String {
    let pool = site.test.app.db.pool();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('SELECT coalesce(string_agg(t::text, E''\\n''), '''') FROM %I t', tablename)
         FROM pg_tables WHERE schemaname = 'public'",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let mut all = String::new();
    for table in tables {
        all += &sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(table)).fetch_one(pool).await.unwrap();
    }
    all
}

#[tokio::test]
async fn a_server_is_connected_used_rotated_and_disconnected() {
    let site = Site::start().await;
    site.test.work();
    let (first, third) = ("hunter2-first", "hunter2-third");
    let server = Admin::make(first).await;
    let (developer, admin) = (site.client("developer").await, site.client("admin").await);
    let mut answers = Vec::new();
    let forms = admin.json("/api/v1/target-forms").await;
    let postgres = forms["items"].as_array().unwrap().iter().find(|form| form["provider"] == "postgres").unwrap();
    assert_eq!(text(postgres, "/credential/0/name"), "password");

    // Refused: who may not, and what is wrong. Each refusal is written down.
    let draft = server.draft(first);
    developer.post("/api/v1/targets", &draft).await.expect(StatusCode::FORBIDDEN);
    let denied = admin.json("/api/v1/audit?action=target.connected").await;
    assert_eq!((text(&denied, "/items/0/outcome"), text(&denied, "/items/0/actor")), ("denied", "developer"));
    let wrong =
        json!({"slug": "New Target", "name": " ", "provider": "postgres", "settings": {"server_port": 0, "colour": 1}});
    let refused = admin.post("/api/v1/targets", &wrong).await;
    refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let places = ["/name", "/slug", "/settings/colour", "/settings/server", "/settings/server_port", "/settings/user"];
    assert_eq!(refused.pointers(), places);
    let unknown = json!({"slug": "a-b", "name": "A", "provider": "paper"});
    assert_eq!(admin.post("/api/v1/targets", &unknown).await.pointers(), ["/provider"]);

    // Connected and checked; the same key gives the same target.
    let keyed = admin.with_header("idempotency-key", "one");
    let connected = keyed.post("/api/v1/targets", &draft).await;
    let target = connected.expect(StatusCode::CREATED);
    assert_eq!(text(&target, "/check/result"), "warning", "{target:#}");
    let tried: Vec<&str> =
        target["check"]["findings"].as_array().unwrap().iter().map(|one| text(one, "/what")).collect();
    assert_eq!(tried, ["Reach", "Encryption", "Version", "Make databases", "Make roles", "Room", "Other databases"]);
    let again = keyed.post("/api/v1/targets", &draft).await.expect(StatusCode::CREATED);
    assert_eq!(again["id"], target["id"]);
    keyed.post("/api/v1/targets", &server.draft("hunter2-other")).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    admin.post("/api/v1/targets", &draft).await.expect(StatusCode::CONFLICT);
    answers.push(connected.text);

    // Bound, and used.
    let dev = place(&admin, "payments", "dev").await;
    let path = "/api/v1/targets/team-databases";
    let bound = admin.post(&format!("{path}/bind"), &json!({"place": dev})).await.expect(StatusCode::OK);
    assert_eq!(text(&bound, "/bindings/0/environment_type"), "dev");
    let one = made(&site, &developer, "orders-db").await;
    let id: TargetId = text(&target, "/id").parse().unwrap();
    assert_eq!(site.number(&format!("SELECT count(*) FROM environment WHERE target_id = '{}'", id.0)).await, 1);
    let lived_on = delete(&admin, path).await.expect(StatusCode::CONFLICT);
    assert!(text(&lived_on, "/detail").contains("orders-db (payments) lives on it"), "{lived_on:#}");

    // Rotated. What the server does not take changes nothing.
    let rotate = format!("{path}/rotate");
    let refused = admin.post(&rotate, &json!({"credential": {"password": "hunter2-wrong"}})).await;
    refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.pointers(), ["/credential/password"]);
    let check = admin.post_nothing(&format!("{path}/check")).await.expect(StatusCode::OK);
    assert_eq!(text(&check, "/result"), "warning");
    let rotated = admin.post(&rotate, &json!({"set_at_target": true})).await;
    assert_eq!(rotated.expect(StatusCode::OK)["rotation_begun_at"], Value::Null);
    assert!(!server.lets_in(first).await, "the server has another password now");
    let two = made(&site, &developer, "second-db").await;
    server.set_password(third).await;
    let check = admin.post_nothing(&format!("{path}/check")).await.expect(StatusCode::OK);
    assert_eq!(text(&check, "/result"), "failed");
    answers.push(check.to_string());
    let rotated = admin.post(&rotate, &json!({"credential": {"password": third}})).await;
    answers.push(rotated.text.clone());
    assert_eq!(text(&rotated.expect(StatusCode::OK), "/check/result"), "warning");

    // Unbound, empty, disconnected: no credential stays, and the slug is free.
    admin.post(&format!("{path}/unbind"), &json!({"place": dev})).await.expect(StatusCode::OK);
    for environment in [one, two] {
        let body = json!({"operation": "delete", "environment": environment, "reason": "done"});
        developer.post("/api/v1/requests", &body).await.expect(StatusCode::CREATED);
        site.test.until_state(environment, State::Deleted).await;
    }
    answers.push(admin.get("/api/v1/targets").await.text);
    assert_eq!(delete(&admin, path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(admin.get(path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(site.number("SELECT count(*) FROM target WHERE slug LIKE 'team-%' AND secret IS NOT NULL").await, 0);
    admin.post("/api/v1/targets", &server.draft(third)).await.expect(StatusCode::CREATED);

    let audit = admin.json("/api/v1/audit?action=target.*&limit=100").await;
    answers.push(audit.to_string());
    let done: Vec<&str> = audit["items"].as_array().unwrap().iter().map(|one| text(one, "/action")).collect();
    for action in ["connected", "checked", "bound", "rotated", "unbound", "disconnected"] {
        assert!(done.contains(&format!("target.{action}").as_str()), "{action} in {done:?}");
    }
    let all = format!("{}\n{}", answers.join("\n"), everything(&site).await);
    for secret in ["hunter2", &hex::encode("hunter2")] {
        assert!(!all.contains(secret), "{secret} can be read");
    }
    server.remove().await;
}

/// A process that dies between the target's new credential and its own record of it.
#[tokio::test]
async fn a_rotation_that_was_broken_off_stops_nobody() {
    let site = Site::start().await;
    site.test.work();
    let server = Admin::make("old-password").await;
    let (developer, admin) = (site.client("developer").await, site.client("admin").await);
    let target = admin.post("/api/v1/targets", &server.draft("old-password")).await.expect(StatusCode::CREATED);
    let id: TargetId = text(&target, "/id").parse().unwrap();
    let dev = place(&admin, "payments", "dev").await;
    let path = "/api/v1/targets/team-databases";
    admin.post(&format!("{path}/bind"), &json!({"place": dev})).await.expect(StatusCode::OK);

    let (app, op) = (&site.test.app, site.test.op(Actor::Operator));
    let mut tx = app.db.begin().await.unwrap();
    let stored = projects::hold_target(&mut tx, id, None).await.unwrap();
    let next = SecretString::from("new-password");
    projects::keep_next(&mut tx, &op, &app.sealer, &stored, Some(&next)).await.unwrap();
    tx.commit().await.unwrap();
    // Kept, and not set yet: the old one is used. Set: the new one.
    let before = made(&site, &developer, "before-db").await;
    server.set_password("new-password").await;
    let after = made(&site, &developer, "after-db").await;
    assert!(admin.json(path).await["rotation_begun_at"].is_string());

    // Once more, but the server refuses to set another one: what it takes by now is not forgotten.
    server.execute("SET default_transaction_read_only = on").await;
    let refused = admin.post(&format!("{path}/rotate"), &json!({"set_at_target": true})).await;
    assert!(refused.text.contains("read-only"), "{}", refused.text);
    assert_eq!(refused.pointers(), ["/credential/password"]);
    let check = admin.post_nothing(&format!("{path}/check")).await.expect(StatusCode::OK);
    assert_eq!(text(&check, "/result"), "warning", "{check:#}");
    server.execute("RESET default_transaction_read_only").await;
    let rotated = admin.post(&format!("{path}/rotate"), &json!({"set_at_target": true})).await.expect(StatusCode::OK);
    assert_eq!((&rotated["rotation_begun_at"], text(&rotated, "/check/result")), (&Value::Null, "warning"));
    assert!(!server.lets_in("new-password").await);
    for environment in [before, after] {
        let body = json!({"operation": "delete", "environment": environment, "reason": "done"});
        developer.post("/api/v1/requests", &body).await.expect(StatusCode::CREATED);
        site.test.until_state(environment, State::Deleted).await;
    }
    server.remove().await;
}

#[tokio::test]
async fn a_stored_credential_goes_nowhere_else() {
    let site = Site::start().await;
    let server = Admin::make("hunter2").await;
    let admin = site.client("admin").await;
    let target = admin.post("/api/v1/targets", &server.draft("hunter2")).await.expect(StatusCode::CREATED);
    let path = "/api/v1/targets/team-databases";
    // Another server, user, or encryption: the credential is asked for anew.
    for settings in [json!({"server": "elsewhere.example.com"}), json!({"user": "x"}), json!({"tls": "disable"})] {
        let refused = patch(&admin, path, &json!({"settings": settings})).await;
        refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.pointers(), ["/credential/password"], "{settings}");
    }
    let tag = format!("\"{}\"", target["generation"]);
    let stale = patch(&admin.with_header("if-match", "\"1\""), path, &json!({"name": "Other"})).await;
    assert_eq!((stale.status, tag.as_str()), (StatusCode::PRECONDITION_FAILED, "\"2\""));
    let seen = admin.with_header("if-match", &tag);
    let changed = patch(&seen, path, &json!({"name": "Other", "settings": {"port": 6432}})).await;
    let changed = changed.expect(StatusCode::OK);
    assert_eq!((text(&changed, "/name"), &changed["settings"]["port"]), ("Other", &json!(6432)));

    // Where metadata are served, nobody connects.
    let body = json!({"settings": {"server": "169.254.169.254"}, "credential": {"password": "hunter2"}});
    let refused = patch(&admin, path, &body).await.expect(StatusCode::OK);
    assert_eq!(refused["check"]["findings"].as_array().unwrap().len(), 1);
    assert!(text(&refused, "/check/findings/0/detail").contains("where no server can be"), "{refused:#}");

    // A sealed credential opens in its own row and column only.
    site.sql(
        "UPDATE target SET secret = (SELECT secret FROM target WHERE slug = 'team-databases')
              WHERE slug = 'demo-postgres'",
    )
    .await;
    let broken = admin.post_nothing("/api/v1/targets/demo-postgres/check").await;
    assert_eq!(broken.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", broken.text);
    site.sql("UPDATE target SET next_secret = secret, rotation_begun_at = now() WHERE slug = 'team-databases'").await;
    assert_eq!(admin.post_nothing(&format!("{path}/check")).await.status, StatusCode::INTERNAL_SERVER_ERROR);
    server.remove().await;
}

/// Disconnecting and asking for an environment at the same moment.
#[tokio::test]
async fn nothing_is_made_on_a_target_that_is_being_disconnected() {
    let site = Site::start().await;
    let admin = site.client("admin").await;
    let dev: ProjectEnvironmentTypeId = place(&admin, "payments", "dev").await.parse().unwrap();
    let target = admin.json("/api/v1/targets/demo-postgres").await;
    let id: TargetId = text(&target, "/id").parse().unwrap();
    let (app, op) = (&site.test.app, site.test.op(Actor::Operator));
    let mut tx = app.db.begin().await.unwrap();
    let stored = projects::hold_target(&mut tx, id, None).await.unwrap();
    let other = app.clone();
    let asked = tokio::spawn(async move {
        let mut tx = other.db.begin().await.unwrap();
        projects::target(&mut tx, dev, "postgres").await.unwrap()
    });
    // As a role that sees what others wait for.
    let mut watch = PgConnection::connect_with(&site.test.database.options()).await.unwrap();
    let waiting =
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')";
    while !sqlx::query_scalar::<_, bool>(waiting).fetch_one(&mut watch).await.unwrap() {
        assert!(!asked.is_finished(), "it did not wait");
    }
    projects::disconnect_target(&mut tx, &op, &stored).await.unwrap();
    tx.commit().await.unwrap();
    assert!(asked.await.unwrap().is_none());
}
