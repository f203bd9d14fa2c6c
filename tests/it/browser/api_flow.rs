//! The main job through the API only, by tokens made at the terminal.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::stage::Stage;
use crate::support::wait::PATIENCE;

#[tokio::test]
async fn a_database_in_production_through_the_api() {
    let stage = Stage::get().await;
    let developer = Client::of(&stage, "developer", "read,request").await;
    let lead = Client::of(&stage, "lead", "read,review").await;
    let auditor = Client::of(&stage, "auditor", "read,audit").await;
    assert_eq!(developer.get("/me").await["login"], "developer");

    let draft = json!({
        "operation": "create", "project": "payments", "environment_type": "prod", "template": "postgres-database",
        "name": "api-db", "inputs": {"size": "small"}, "reason": "For a program."
    });
    let verdict = developer.post("/verdicts", &draft, StatusCode::OK).await;
    assert_eq!(verdict["decision"]["outcome"], "needs_approval", "{verdict:#}");
    let request = developer.post("/requests", &draft, StatusCode::CREATED).await;
    assert_eq!(request["status"], "awaiting_approval", "{request:#}");
    let again = developer.post("/requests", &draft, StatusCode::CREATED).await;
    assert_eq!(again["id"], request["id"], "the same key and body make one request");
    developer.until(&format!("/requests/{}", id(&request)), |now| now["plan"]["state"] == "made").await;
    developer.review(&request, StatusCode::FORBIDDEN).await;
    lead.review(&request, StatusCode::CREATED).await;

    let request = developer.until(&format!("/requests/{}", id(&request)), |now| now["status"] == "succeeded").await;
    let run = developer.get(&format!("/runs/{}", id(&request["run"]))).await;
    assert_eq!(run["status"], "succeeded", "{run:#}");
    assert!(run["steps"].as_array().is_some_and(|steps| !steps.is_empty()), "{run:#}");
    let log = developer.text(&format!("/runs/{}/logs", id(&run))).await;
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()) && !log.is_empty(), "{log}");
    let events = developer.text(&format!("/runs/{}/events", id(&run))).await;
    assert!(events.contains("event: end") || events.contains("event:end"), "{events}");

    let environment = format!("/environments/{}", id(&request["environment"]));
    assert_eq!(developer.get(&environment).await["state"], "ready");
    let masked = developer.get(&format!("{environment}/outputs")).await;
    assert_eq!(output(&masked, "url"), Value::Null);
    lead.refused(&format!("{environment}/outputs?reveal=url"), StatusCode::FORBIDDEN).await;
    let shown = developer.get(&format!("{environment}/outputs?reveal=url")).await;
    let url = output(&shown, "url").as_str().unwrap().to_owned();
    PgConnection::connect(&url).await.unwrap().close().await.unwrap();

    let before = developer.get(&environment).await["expires_at"].clone();
    let extend = json!({"operation": "extend", "environment": id(&request["environment"]), "lifetime": "90d"});
    let extension = developer.post("/requests", &extend, StatusCode::CREATED).await;
    lead.review(&extension, StatusCode::CREATED).await;
    let after = developer.until(&environment, |now| now["expires_at"] != before).await;
    assert!(after["expires_at"].as_str() > before.as_str(), "{after:#}");

    let delete = json!({"operation": "delete", "environment": id(&request["environment"])});
    developer.post("/requests", &delete, StatusCode::CREATED).await;
    developer.until(&environment, |now| now["state"] == "deleted").await;
    assert!(PgConnection::connect(&url).await.is_err(), "the database is still there");

    developer.refused("/audit", StatusCode::FORBIDDEN).await;
    let records = auditor.get(&format!("/audit?limit=100&object={}", id(&request["environment"]))).await;
    let records = records["items"].as_array().unwrap();
    for action in ["request.submitted", "request.approved", "output.revealed", "environment.deleted"] {
        assert!(records.iter().any(|record| record["action"] == action), "{action} is not among {records:#?}");
    }
    let one = auditor.get(&format!("/audit/{}", id(&records[0]))).await;
    assert_eq!(one["operation_id"], records[0]["operation_id"]);
}

/// A program with a token.
pub struct Client {
    base: String,
    token: String,
    http: reqwest::Client,
    // It must run as long as the client asks.
    _stage: Arc<Stage>,
}

impl Client {
    pub async fn of(stage: &Arc<Stage>, login: &str, scopes: &str) -> Self {
        Self {
            base: format!("{}/api/v1", stage.url),
            token: stage.token(login, scopes).await,
            http: reqwest::Client::new(),
            _stage: Arc::clone(stage),
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder, expected: StatusCode) -> String {
        let answer = request.bearer_auth(&self.token).send().await.unwrap();
        let (status, url) = (answer.status(), answer.url().clone());
        let body = answer.text().await.unwrap();
        assert_eq!(status, expected, "{url}: {body}");
        body
    }

    async fn text(&self, path: &str) -> String {
        self.send(self.http.get(format!("{}{path}", self.base)), StatusCode::OK).await
    }

    pub async fn get(&self, path: &str) -> Value {
        serde_json::from_str(&self.text(path).await).unwrap()
    }

    /// A refusal is problem JSON that says why.
    async fn refused(&self, path: &str, expected: StatusCode) {
        let body = self.send(self.http.get(format!("{}{path}", self.base)), expected).await;
        let problem: Value = serde_json::from_str(&body).unwrap();
        assert!(problem["detail"].is_string() && problem["operation_id"].is_string(), "{problem:#}");
    }

    /// To an address that takes no body.
    pub async fn post_nothing(&self, path: &str) -> Value {
        let body = self.send(self.http.post(format!("{}{path}", self.base)), StatusCode::OK).await;
        serde_json::from_str(&body).unwrap()
    }

    /// With the body's own text as the key.
    pub async fn post(&self, path: &str, body: &Value, expected: StatusCode) -> Value {
        let key = format!("{:x}", key_of(&body.to_string()));
        let request = self.http.post(format!("{}{path}", self.base)).json(body);
        serde_json::from_str(&self.send(request.header("Idempotency-Key", key), expected).await).unwrap()
    }

    async fn review(&self, request: &Value, expected: StatusCode) {
        let body = json!({"verdict": "approved", "reason": "It may."});
        let url = format!("{}/requests/{}/reviews", self.base, id(request));
        self.send(self.http.post(url).json(&body), expected).await;
    }

    pub async fn until(&self, path: &str, good: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = self.get(path).await;
            if good(&now) {
                return now;
            }
            assert!(Instant::now() < deadline, "waited in vain: {now:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value:#}"))
}

fn output(outputs: &Value, name: &str) -> Value {
    let found = outputs["items"].as_array().unwrap().iter().find(|one| one["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {outputs:#}"))["value"].clone()
}

/// A key that follows from the text.
fn key_of(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
