//! Log and events of a run: whole, resumable, and harmless to a worker when nobody reads them.

use axum::http::StatusCode;
use paddock::environments::State;
use reqwest::Method;
use serde_json::Value;

use super::{create, text};
use crate::support::http::{Client, Site};

/// An event as it was received.
#[derive(Debug, Clone, PartialEq)]
struct Received {
    id: String,
    kind: String,
    data: Value,
}

/// Reads until the server ends the stream.
async fn follow(client: &Client, run: &str) -> Vec<Received> {
    let answer = client.get(&format!("/api/v1/runs/{run}/events")).await;
    answer.expect(StatusCode::OK);
    assert_eq!(answer.header("content-type"), "text/event-stream");
    read(&answer.text)
}

fn read(text: &str) -> Vec<Received> {
    text.split("\n\n").filter(|block| block.contains("event:")).map(parse).collect()
}

fn parse(block: &str) -> Received {
    let field = |name: &str| {
        let line =
            block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name} in {block}"));
        line.strip_prefix(": ").or(line.strip_prefix(':')).unwrap().to_owned()
    };
    Received { id: field("id"), kind: field("event"), data: serde_json::from_str(&field("data")).unwrap() }
}

fn lines(events: &[Received]) -> Vec<i64> {
    events.iter().filter(|event| event.kind == "log").map(|event| event.data["seq"].as_i64().unwrap()).collect()
}

async fn started(client: &Client, name: &str) -> (String, paddock::base::id::EnvironmentId) {
    let made = client.post("/api/v1/requests", &create("dev", name)).await.expect(StatusCode::CREATED);
    let environment = text(&made, "/environment/id").parse().unwrap();
    (text(&made, "/run/id").to_owned(), environment)
}

#[tokio::test]
async fn a_run_is_told_from_its_beginning_to_its_end() {
    let site = Site::start().await;
    let client = site.client("developer").await;
    let (run, environment) = started(&client, "orders").await;
    // One reader from before the first attempt on, one from somewhere in between.
    let mut early = client.request(Method::GET, &format!("/api/v1/runs/{run}/events")).send().await.unwrap();
    let beginning = String::from_utf8(early.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    site.test.work();
    let (rest, second) = tokio::join!(early.text(), follow(&client, &run));
    let first = read(&format!("{beginning}{}", rest.unwrap()));
    site.test.until_state(environment, State::Ready).await;
    assert_eq!(lines(&first), lines(&second));
    let log = client.get(&format!("/api/v1/runs/{run}/logs")).await;
    assert_eq!(log.header("content-type"), "application/x-ndjson");
    let written: Vec<i64> =
        log.text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].as_i64().unwrap()).collect();
    assert!(!written.is_empty());
    assert_eq!(lines(&first), written);
    assert_eq!(written, (1..=i64::try_from(written.len()).unwrap()).collect::<Vec<_>>());

    let last = first.last().unwrap();
    assert_eq!((last.kind.as_str(), text(&last.data, "/status")), ("end", "succeeded"));
    let states: Vec<&str> =
        first.iter().filter(|event| event.kind == "state").map(|event| text(&event.data, "/status")).collect();
    assert_eq!((states.first(), states.last()), (Some(&"queued"), Some(&"succeeded")));
    let run = client.json(&format!("/api/v1/runs/{run}")).await;
    for step in run["steps"].as_array().unwrap() {
        assert_eq!(step["status"], "succeeded");
        let told = first.iter().rfind(|event| event.kind == "step" && event.data["name"] == step["name"]);
        assert_eq!(&told.unwrap().data, step);
    }
}

#[tokio::test]
async fn whoever_comes_back_gets_what_is_missing_and_nothing_twice() {
    let site = Site::start().await;
    site.test.work();
    let client = site.client("developer").await;
    let (run, environment) = started(&client, "orders").await;
    site.test.until_state(environment, State::Ready).await;
    let all = follow(&client, &run).await;
    for event in all.iter().filter(|event| event.kind != "end") {
        let rest = follow(&client.with_header("last-event-id", &event.id), &run).await;
        let seen: i64 = event.id.parse().unwrap();
        assert_eq!(lines(&rest), lines(&all).into_iter().filter(|seq| *seq > seen).collect::<Vec<_>>());
        assert_eq!(rest.last(), all.last());
    }
    let end = client.with_header("last-event-id", &all.last().unwrap().id);
    assert_eq!(end.get(&format!("/api/v1/runs/{run}/events")).await.status, StatusCode::NO_CONTENT);
    let after = client.get(&format!("/api/v1/runs/{run}/logs?after=2")).await;
    assert_eq!(after.text.lines().count(), lines(&all).len() - 2);
    let noise = follow(&client.with_header("last-event-id", "noise"), &run).await;
    assert_eq!(lines(&noise), lines(&all), "what is no id of ours begins at the beginning");
}

#[tokio::test]
async fn a_reader_who_does_not_read_stops_nobody() {
    let site = Site::start().await;
    let client = site.client("developer").await;
    let (run, environment) = started(&client, "orders").await;
    let mut silent = Vec::new();
    // More readers than the pool has connections.
    for _ in 0..30 {
        let request = client.request(Method::GET, &format!("/api/v1/runs/{run}/events"));
        silent.push(request.send().await.unwrap());
    }
    site.test.work();
    site.test.until_state(environment, State::Ready).await;
    for response in silent {
        let told = response.text().await.unwrap();
        assert!(told.contains("event: end"), "{told}");
    }
}
