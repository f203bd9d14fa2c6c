//! Call-backs: the token in the address is all that counts, it works for one last word, and it is told
//! nowhere.

use axum::http::StatusCode;
use paddock::base::Digest;
use paddock::base::id::EnvironmentId;
use paddock::environments::State;
use paddock::orchestrator;
use reqwest::Method;
use serde_json::{Value, json};

use super::{create, text};
use crate::matrix::world::connect;
use crate::support::catalog::add_template;
use crate::support::http::{Client, Site, send};
use crate::support::receiver::{Receiver, SECRET, Way, result};
use crate::support::wait::until_true;

/// A Paddock with a template that a silent receiver makes.
struct Scene {
    site: Site,
    receiver: Receiver,
    developer: Client,
    anybody: Client,
}

/// An environment that waits for its call-back.
struct Waiting {
    environment: EnvironmentId,
    run: String,
    /// The path of the call-back.
    path: String,
    /// The request as the receiver got it.
    body: Value,
}

impl Scene {
    async fn new() -> Self {
        let site = Site::start().await;
        let manifest = "name: Machine\nprovider: webhook\nconfig: {timeout: 10m}\n\
                        inputs: {type: object, properties: {size: {type: string}}}\n";
        add_template(&site.test, "machine", &[("paddock.yaml", manifest)]).await;
        let receiver = Receiver::start(Way::Silent);
        connect(&site.test, "webhook", receiver.settings(), &json!(SECRET)).await;
        let developer = site.client("developer").await;
        let anybody = site.anonymous();
        Self { site, receiver, developer, anybody }
    }

    async fn waiting(&self, name: &str) -> Waiting {
        let before = self.receiver.came().len();
        let mut ask = create("dev", name);
        ask["template"] = json!("machine");
        let made = self.developer.post("/api/v1/requests", &ask).await.expect(StatusCode::CREATED);
        until_true("the receiver is asked", async || self.receiver.came().len() > before).await;
        let came = self.receiver.came().remove(before);
        let environment = text(&made, "/environment/id").parse().unwrap();
        let run = text(&made, "/run/id").to_owned();
        Waiting { environment, run, path: came.call_back(), body: came.body }
    }

    async fn log_has(&self, waiting: &Waiting, part: &str) {
        until_true(part, async || self.site.test.log(waiting.environment).await.contains(part)).await;
    }

    async fn records(&self, action: &str) -> i64 {
        self.site.number(&format!("SELECT count(*) FROM audit_record WHERE action = '{action}'")).await
    }
}

#[tokio::test]
async fn a_receiver_makes_an_environment_and_its_token_works_once() {
    let scene = Scene::new().await;
    scene.site.test.work();
    let waiting = scene.waiting("machine-1").await;
    let say = async |body: Value| scene.anybody.post(&waiting.path, &body).await;
    let taken = say(json!({"state": "running", "progress": 40, "message": "booting, see k-secret"})).await;
    assert_eq!(taken.expect(StatusCode::OK), json!({"result": "taken"}));
    scene.log_has(&waiting, "40 %: booting").await;
    say(result(&waiting.body)).await.expect(StatusCode::OK);
    scene.site.test.until_state(waiting.environment, State::Ready).await;
    let outputs = format!("/api/v1/environments/{}/outputs", waiting.environment);
    let masked = scene.developer.json(&outputs).await;
    assert!(masked["items"].to_string().contains(r#""name":"key""#), "{masked}");
    assert!(!masked.to_string().contains("k-secret"), "{masked}");

    // The same word once more changes nothing; another one is too late, and so is a report.
    assert_eq!(say(result(&waiting.body)).await.expect(StatusCode::OK), json!({"result": "taken_before"}));
    for late in [json!({"state": "failed"}), json!({"state": "running"}), json!({"state": "succeeded"})] {
        let problem = say(late).await.expect(StatusCode::GONE);
        assert!(text(&problem, "/detail").contains("was used"), "{problem:#}");
    }
    assert_eq!((scene.records("callback.taken").await, scene.records("callback.refused").await), (1, 1));
    // What was said is not kept.
    let kept =
        "SELECT (SELECT count(*) FROM call_back_report) + (SELECT count(*) FROM call_back WHERE answer IS NOT NULL)";
    assert_eq!(scene.site.number(kept).await, 0);
}

#[tokio::test]
async fn what_is_no_report_is_refused_and_nothing_is_lost_by_it() {
    let scene = Scene::new().await;
    scene.site.test.work();
    let waiting = scene.waiting("machine-1").await;
    for (body, status) in [
        (json!({"state": "done"}), StatusCode::BAD_REQUEST),
        (json!({"state": "unknown"}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"state": "running", "output": {}}), StatusCode::BAD_REQUEST),
        (json!({"state": "running", "progress": 101}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"state": "succeeded", "outputs": {"a": 1}}), StatusCode::BAD_REQUEST),
        (json!([]), StatusCode::BAD_REQUEST),
        (json!({"state": "running", "message": "\0"}), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let answer = scene.anybody.post(&waiting.path, &body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
    }
    let request = scene.anybody.request(Method::POST, &waiting.path).header("content-type", "text/plain").body("{}");
    send(request).await.expect(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let large = json!({"state": "succeeded", "keep": "x".repeat(1 << 20)});
    scene.anybody.post(&waiting.path, &large).await.expect(StatusCode::PAYLOAD_TOO_LARGE);
    let failed = json!({"state": "failed", "message": "no capacity"});
    scene.anybody.post(&waiting.path, &failed).await.expect(StatusCode::OK);
    until_true("it is failed", async || {
        scene.site.test.environment(waiting.environment).await.last_error.is_some_and(|error| error == "no capacity")
    })
    .await;
}

/// Nobody's token, another environment's, one of a run that has ended, one whose time is over.
#[tokio::test]
async fn only_the_token_of_a_run_that_waits_is_taken() {
    let scene = Scene::new().await;
    scene.site.test.work();
    let (one, other) = (scene.waiting("first").await, scene.waiting("other").await);
    assert_ne!(one.path, other.path);
    let answer = result(&one.body);
    let forged = format!("{}x", one.path);
    for path in [forged.as_str(), "/api/v1/callbacks/x", "/api/v1/callbacks/%00"] {
        let problem = scene.anybody.post(path, &answer).await.expect(StatusCode::NOT_FOUND);
        assert_eq!(text(&problem, "/kind"), "not_found");
    }
    scene.site.sql("UPDATE call_back SET expires_at = now() - interval '1 second'").await;
    let problem = scene.anybody.post(&one.path, &answer).await.expect(StatusCode::GONE);
    assert!(text(&problem, "/detail").contains("expired"), "{problem:#}");
    scene.site.sql("UPDATE call_back SET expires_at = now() + interval '1 hour'").await;
    let cancel = format!("/api/v1/runs/{}/cancel", one.run);
    scene.developer.post_nothing(&cancel).await.expect(StatusCode::ACCEPTED);
    until_true("it has ended", async || {
        scene.site.number("SELECT count(*) FROM run WHERE state = 'canceled'").await == 1
    })
    .await;
    let told = scene.receiver.of_kind("environment.cancel");
    assert_eq!(told.len(), 1, "the receiver hears of it");
    let problem = scene.anybody.post(&one.path, &answer).await.expect(StatusCode::GONE);
    assert!(text(&problem, "/detail").contains("has ended"), "{problem:#}");
    scene.anybody.post(&one.path, &answer).await.expect(StatusCode::GONE);
    assert_eq!(scene.records("callback.refused").await, 2, "each reason once");
    scene.anybody.post(&other.path, &answer).await.expect(StatusCode::OK);
    scene.site.test.until_state(other.environment, State::Ready).await;
}

/// The answer comes while no worker is there: the next one finds it, and asks nobody again.
#[tokio::test]
async fn an_answer_to_nobody_is_found_by_the_next_attempt() {
    let scene = Scene::new().await;
    scene.site.test.work();
    let waiting = scene.waiting("machine-1").await;
    scene.log_has(&waiting, "goes on by itself").await;
    assert!(scene.site.test.app.tasks.stop(std::time::Duration::from_secs(30)).await, "the worker drains");
    let open = "SELECT count(*) FROM run WHERE state = 'queued'";
    assert_eq!(scene.site.number(open).await, 1, "it went back");
    assert!(scene.receiver.of_kind("environment.cancel").is_empty(), "a worker that stops cancels nothing");
    for n in 0..100 {
        let report = json!({"state": "running", "progress": n});
        scene.anybody.post(&waiting.path, &report).await.expect(StatusCode::OK);
    }
    let problem = scene.anybody.post(&waiting.path, &json!({"state": "running"})).await;
    assert_eq!(text(&problem.expect(StatusCode::TOO_MANY_REQUESTS), "/kind"), "limited");
    scene.anybody.post(&waiting.path, &result(&waiting.body)).await.expect(StatusCode::OK);
    let app = scene.site.test.with_clock(std::sync::Arc::new(paddock::base::SystemClock));
    paddock::app::start_worker(&app, crate::support::app::worker_settings("second"));
    scene.site.test.until_state(waiting.environment, State::Ready).await;
    assert_eq!(scene.receiver.of_kind("environment.deploy").len(), 1);
    scene.log_has(&waiting, "99 %").await;
    app.tasks.stop(std::time::Duration::from_secs(30)).await;
}

/// The token stands in the address that the receiver gets, and nowhere else: not in rows, log lines, audit
/// records or problems.
#[tokio::test]
async fn a_token_is_told_nowhere() {
    let scene = Scene::new().await;
    scene.site.test.work();
    let waiting = scene.waiting("machine-1").await;
    let token = waiting.path.rsplit('/').next().unwrap();
    assert!(token.starts_with("pdcb_") && token.len() > 40, "{token}");
    let gossip = json!({"state": "running", "message": format!("calling {}", waiting.path)});
    scene.anybody.post(&waiting.path, &gossip).await.expect(StatusCode::OK);
    scene.log_has(&waiting, "calling ").await;
    for (method, path) in [
        (Method::GET, waiting.path.clone()),
        (Method::POST, format!("{}/more", waiting.path)),
        (Method::DELETE, waiting.path.clone()),
    ] {
        let answer = send(scene.anybody.request(method, &path)).await;
        assert!(answer.status.is_client_error() && !answer.text.contains(token), "{}", answer.text);
    }
    scene.anybody.post(&waiting.path, &result(&waiting.body)).await.expect(StatusCode::OK);
    scene.site.test.until_state(waiting.environment, State::Ready).await;
    let answer = scene.anybody.post(&waiting.path, &json!({"state": "failed"})).await;
    assert!(!answer.text.contains(token), "{}", answer.text);
    let mut connection = scene.site.test.app.db.acquire().await.unwrap();
    let runs = orchestrator::runs_of(&mut connection, waiting.environment.0, 10).await.unwrap();
    assert_eq!(runs.len(), 1);
    drop(connection);
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE '\\_sqlx%'",
    )
    .fetch_all(scene.site.test.app.db.pool())
    .await
    .unwrap();
    let hex = hex::encode(token);
    for table in tables {
        let found = format!("SELECT count(*) FROM {table} t WHERE t::text LIKE '%{token}%' OR t::text LIKE '%{hex}%'");
        assert_eq!(scene.site.number(&found).await, 0, "the token stands in {table}");
    }
    let digest = hex::encode(Digest::of(token.as_bytes()).0);
    let found = format!("SELECT count(*) FROM call_back WHERE encode(token_digest, 'hex') = '{digest}'");
    assert_eq!(scene.site.number(&found).await, 1, "its digest does");
}
