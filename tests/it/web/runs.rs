//! The run page: steps, log, plan; its stream; cancel and retry.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use paddock::base::id::{EnvironmentId, RunId};
use paddock::environments::State;
use paddock::orchestrator;
use paddock::requests::{Caller, Draft, Intent};
use serde_json::json;

use crate::support::app::{TestApp, inputs};
use crate::support::pages::{Answer, Browser};

async fn asked(test: &TestApp) -> (EnvironmentId, RunId) {
    let developer = test.person("developer").await;
    let draft = Draft {
        exception: false,
        intent: Intent::Create {
            project: "payments".to_owned(),
            environment_type: "dev".to_owned(),
            template: "postgres-database".to_owned(),
            version: None,
            name: "orders-db".to_owned(),
            inputs: inputs(json!({"size": "small"})),
            lifetime: None,
        },
        reason: String::new(),
    };
    let requests = &test.app.requests;
    let id = requests.submit(&test.op_as(&developer), Caller::Person(&developer), &draft, None).await.unwrap().id;
    let mut connection = test.app.db.acquire().await.unwrap();
    let environment = requests.find(&mut connection, id).await.unwrap().unwrap().environment.unwrap();
    let runs = orchestrator::runs_of(&mut connection, environment.0, 1).await.unwrap();
    (environment, runs[0].id)
}

/// The stream until its end, resumed after this event.
async fn stream(browser: &mut Browser, run: RunId, last: Option<&str>) -> Answer {
    let mut request = Request::get(format!("/runs/{run}/events?after=0"));
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    browser.send(request.body(Body::empty()).unwrap()).await
}

/// The numbers of the lines in a stream, and the id of the event that brought each.
fn lines(stream: &str) -> Vec<u64> {
    stream.split("id=\"L").skip(1).map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn a_run_is_told_live_and_resumed_without_losing_or_repeating_a_line() {
    let test = TestApp::start().await;
    let (environment, run) = asked(&test).await;
    let mut developer = test.browser_of("developer").await;
    let waits = developer.get(&format!("/runs/{run}")).await;
    waits.shows(&["Create orders-db", "Queued", "Waits for a worker", "Cancel run", "hx-sse:connect", "<noscript>"]);

    let mut watcher = test.browser_of("developer").await;
    let live = tokio::spawn(async move { stream(&mut watcher, run, None).await });
    test.work();
    let live = live.await.unwrap();
    test.until_state(environment, State::Ready).await;
    assert_eq!(live.header("content-type"), "text/event-stream");
    live.shows(&["event: changed", "event: done"]);
    let mut connection = test.app.db.acquire().await.unwrap();
    let count = orchestrator::log_length(&mut connection, run).await.unwrap().unsigned_abs();
    drop(connection);
    let all: Vec<u64> = (1..=count).collect();
    assert_eq!(lines(&live.text), all);

    // Whatever was received last: what follows is the rest, and no line comes twice.
    for seen in 0..=count {
        let rest = stream(&mut developer, run, Some(&seen.to_string())).await;
        assert_eq!(lines(&rest.text), all[usize::try_from(seen).unwrap()..], "after {seen}");
        rest.shows(&["event: done"]);
    }
    // Each message's id is the number of its last line.
    let mut ends = BTreeMap::new();
    for message in live.text.split("\n\n").filter(|message| message.contains("id=\"L")) {
        let id: u64 = message
            .split("\nid: ")
            .nth(1)
            .or(message.strip_prefix("id: "))
            .unwrap()
            .lines()
            .next()
            .unwrap()
            .parse()
            .unwrap();
        ends.insert(id, *lines(message).last().unwrap());
    }
    assert!(ends.iter().all(|(id, last)| id == last), "{ends:?}");

    let page = developer.get(&format!("/runs/{run}")).await;
    page.shows(&[
        "Succeeded",
        "5 of 5 done",
        "id=\"plan\"",
        "id=\"L1\"",
        "href=\"?line=1#L1\"",
        "No errors",
        "Prepare",
    ]);
    page.hides(&["Cancel run", "hx-sse:connect", "Retry"]);
    let text = developer.get(&format!("/runs/{run}/log.txt")).await.text;
    assert_eq!(u64::try_from(text.lines().count()).unwrap(), count);
}

#[tokio::test]
async fn a_run_is_canceled_and_retried_by_those_who_may() {
    let test = TestApp::start().await;
    let (environment, run) = asked(&test).await;
    let mut auditor = test.browser_of("auditor").await;
    auditor.get(&format!("/runs/{run}")).await.hides(&["Cancel run"]);
    for action in ["cancel", "retry"] {
        let refused = auditor.post(&format!("/runs/{run}/{action}"), &[]).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{action}");
        refused.shows(&["Needs the role"]);
    }
    let mut developer = test.browser_of("developer").await;
    let early = developer.post(&format!("/runs/{run}/retry"), &[]).await;
    assert_eq!(early.status, StatusCode::CONFLICT);
    let canceled = developer.post(&format!("/runs/{run}/cancel"), &[]).await;
    assert_eq!(canceled.location(), format!("/runs/{run}"));
    developer.get(&format!("/runs/{run}")).await.shows(&["Canceled", "Retry"]);
    let page = developer.get(&format!("/environments/{environment}")).await;
    page.shows(&["Failed", "Create was canceled", "Retry", "asked to cancel the run"]);
    let again = developer.post(&format!("/runs/{run}/cancel"), &[]).await;
    assert_eq!(again.status, StatusCode::CONFLICT);

    let retried = developer.post(&format!("/runs/{run}/retry"), &[]).await;
    assert_ne!(retried.location(), format!("/runs/{run}"));
    test.work();
    test.until_state(environment, State::Ready).await;
    developer.get(retried.location()).await.shows(&["Succeeded"]);
}
