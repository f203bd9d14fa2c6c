//! Requests from outside: a developer's program with a token, at the real server's API.

use std::time::Duration;

use jiff::SignedDuration;
use paddock::base::Actor;
use paddock::base::id::EnvironmentId;
use paddock::identity::{self, TokenScopes};
use reqwest::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::matrix::world::World;
use crate::support::program::Program;

pub struct Door {
    http: reqwest::Client,
    token: SecretString,
}

impl Door {
    pub async fn open(world: &World) -> Self {
        let app = &world.test.app;
        // Demo people have no tokens outside of the demo.
        world.execute("UPDATE person SET demo = false WHERE login = 'developer'").await;
        let developer = world.test.person("developer").await;
        let op = world.test.op(Actor::Operator);
        let hour = SignedDuration::from_hours(1);
        let token = identity::mint_token(&app.db, &op, &developer.person, "lab", &TokenScopes::all(), hour).await;
        let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
        Self { http, token: token.unwrap().secret }
    }

    /// Asks once for an environment; its name is the idempotency key. What went wrong, if anything did.
    pub async fn ask(&self, address: &str, name: &str) -> Result<EnvironmentId, (Option<StatusCode>, String)> {
        let body = json!({
            "operation": "create", "project": "payments", "environment_type": "dev", "template": "lab-simulated",
            "name": name, "inputs": {"size": "small", "faults": [{"kind": "throttle", "times": 4}]},
        });
        let request = self.http.post(format!("{address}api/v1/requests")).bearer_auth(self.token.expose_secret());
        let answer = request.header("idempotency-key", name).json(&body).send().await;
        let answer = answer.map_err(|error| (None, error.to_string()))?;
        let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
        if !status.is_success() {
            return Err((Some(status), text));
        }
        let value: Value = serde_json::from_str(&text).unwrap();
        Ok(value["environment"]["id"].as_str().unwrap().parse().unwrap())
    }

    /// Asks until it is acknowledged, as a careful program does: with the same key.
    pub async fn insist(&self, address: &str, name: &str) -> EnvironmentId {
        let deadline = tokio::time::Instant::now() + crate::support::wait::PATIENCE;
        loop {
            match self.ask(address, name).await {
                Ok(id) => return id,
                Err((Some(status), why)) if status.is_client_error() => panic!("{name}: {status} {why}"),
                Err(why) => assert!(tokio::time::Instant::now() < deadline, "{name}: never acknowledged: {why:?}"),
            }
            tokio::task::yield_now().await;
        }
    }
}

/// Where a server that was just started listens.
pub fn address(server: &mut Program) -> String {
    let line = server.wait_for("Paddock is ready: ");
    format!("{}/", line.split("ready: ").nth(1).unwrap().trim().trim_end_matches('/'))
}
