//! The credentials that a worker has by itself, as real worker processes find them: in their variables,
//! at the address that a container is given, and nowhere. The double of AWS takes the right ones only.

use axum::Json;
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::{Value, json};

use crate::matrix::subject::CLOUDFORMATION;
use crate::matrix::world::World;
use crate::support::app::TestApp;
use crate::support::aws::Aws;

/// Without looking for the address of a machine in a cloud.
const NO_MACHINE: (&str, &str) = ("AWS_EC2_METADATA_DISABLED", "true");

/// A Paddock whose target has no credential of its own.
async fn world(aws: &Aws) -> World {
    let world = World::of(TestApp::start().await, &CLOUDFORMATION).await;
    let mut settings = aws.settings();
    settings["credentials"] = json!("instance");
    world.execute(&format!("UPDATE target SET settings = '{settings}', secret = NULL WHERE slug = 'lab'")).await;
    world
}

/// Answers as the agent of a container service does (AWS documentation, “Container credential
/// provider”): who shows the right token gets a key that ends soon.
async fn agent() -> String {
    let answer = async |headers: axum::http::HeaderMap| {
        if headers.get("authorization").is_none_or(|token| token != "of-this-container") {
            return (StatusCode::FORBIDDEN, Json(Value::Null));
        }
        let key = json!({
            "AccessKeyId": "ASIACONTAINER", "SecretAccessKey": "s", "Token": "t", "Expiration": "2099-01-01T00:00:00Z",
        });
        (StatusCode::OK, Json(key))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/credentials", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, axum::Router::new().route("/credentials", get(answer))).into_future());
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_uses_what_it_has_by_itself() {
    let aws = Aws::start();
    aws.account().keys.insert("ASIACONTAINER".to_owned());
    let (world, agent) = (world(&aws).await, agent().await);
    let variables = [("AWS_ACCESS_KEY_ID", "AKIAGOOD"), ("AWS_SECRET_ACCESS_KEY", "the-key")];
    let container = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "of-this-container"),
    ];
    for (name, variables) in [("lab-variables", variables), ("lab-container", container)] {
        let worker = world.worker_in(&[&variables[..], &[NO_MACHINE]].concat(), &[]);
        let id = world.create(name).await;
        world.rest().await;
        let ready = format!("SELECT count(*) FROM environment WHERE id = '{}' AND state = 'ready'", id.0);
        assert_eq!(world.number(&ready).await, 1, "{name}: {}", worker.said());
        assert_eq!(aws.account().count(&id.0.simple().to_string(), "Queue", "made"), 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_has_none_says_so() {
    let aws = Aws::start();
    let world = world(&aws).await;
    let _worker = world.worker_in(&[NO_MACHINE], &[]);
    world.create("lab-none").await;
    world.rest_soon().await;
    let run = world.rows("SELECT state, error FROM run").await;
    let why = "this worker has no AWS credentials of its own";
    assert!(run.iter().all(|(state, error)| state == "faulted" && error.contains(why)), "{run:?}");
    assert!(aws.account().calls.is_empty(), "nobody was asked");
}
