//! Two servers and three workers on one Postgres: one worker is killed, one is drained, and the third
//! one does the rest.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;
use paddock::base::Actor;
use paddock::identity::{self, TokenScopes};
use rustix::process::Signal;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::oracle::{assert_none, complaints};
use super::subject::{Environments, SIMULATED};
use super::world::World;
use crate::support::program::Program;

async fn post(http: &reqwest::Client, address: &str, token: &str, name: &str) -> String {
    let body = json!({
        "operation": "create", "project": "payments", "environment_type": "dev", "template": "lab-simulated",
        "name": name, "inputs": {"size": "small", "faults": [{"kind": "throttle", "times": 4}]},
    });
    let request = http.post(format!("{address}api/v1/requests")).bearer_auth(token);
    let answer = request.header("idempotency-key", name).json(&body).send().await.unwrap();
    let status = answer.status();
    let value: Value = answer.json().await.unwrap();
    assert!(status.is_success(), "{value:#}");
    value["environment"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn two_servers_and_three_workers() {
    let world = World::new(&SIMULATED).await;
    let app = &world.test.app;
    // Demo people have no tokens outside of the demo.
    world.execute("UPDATE person SET demo = false WHERE login = 'developer'").await;
    let developer = world.test.person("developer").await;
    let op = world.test.op(Actor::Operator);
    let hour = SignedDuration::from_hours(1);
    let token = identity::mint_token(&app.db, &op, &developer.person, "lab", &TokenScopes::all(), hour).await.unwrap();
    let token = token.secret.expose_secret();

    let mut servers = [world.server(), world.server()];
    let addresses: Vec<String> = servers
        .iter_mut()
        .map(|server| {
            let line = server.wait_for("Paddock is ready: ");
            format!("{}/", line.split("ready: ").nth(1).unwrap().trim().trim_end_matches('/'))
        })
        .collect();
    let mut workers: Vec<Program> = (0..3).map(|_| world.worker_of(4, &[], None)).collect();
    let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
    let mut environments = Environments::new();
    for index in 0..30 {
        let name = format!("lab-peer-{index}");
        let id = post(&http, &addresses[index % 2], token, &name).await;
        // The same again at the other server: it is the same request.
        assert_eq!(post(&http, &addresses[(index + 1) % 2], token, &name).await, id);
        environments.insert(id.parse().unwrap(), (name, vec!["create"]));
    }
    while world.number("SELECT count(*) FROM run WHERE state = 'succeeded'").await < 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    workers[0].signal(Signal::KILL);
    workers[1].signal(Signal::TERM);
    let drained = workers[1].wait();
    assert!(drained.success(), "{drained}: {}", workers[1].said());
    world.rest().await;

    assert_none(&complaints(&world, &environments).await, &world);
    let query = "SELECT DISTINCT detail ->> 'worker', '' FROM audit_record WHERE action = 'run.started'";
    let who: BTreeSet<String> = world.rows(query).await.into_iter().map(|(worker, _)| worker).collect();
    assert_eq!(who.len(), 3, "every worker had some: {who:?}");
    assert_eq!(world.number("SELECT count(*) FROM request").await, 30, "none lost, none twice");
}
