//! Stops and starts by themselves: at their time, put off, skipped, warned of, refused.

use axum::http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use paddock::audit::{self, Filter};
use paddock::base::id::EnvironmentId;
use paddock::base::{Actor, Op};
use paddock::environments::{self, Schedule, State, Timetable};
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::http::{Site, send};
use crate::support::workspace;

const EVERY_DAY: [&str; 7] = ["mo", "tu", "we", "th", "fr", "sa", "su"];

async fn desk(policy: &str, more: &str) -> (TestApp, EnvironmentId) {
    let test = TestApp::start_with(TestApp::policies_and(policy)).await;
    workspace::add_with(&test, more).await;
    test.work();
    let desk = workspace::ready(&test, false).await;
    (test, desk)
}

fn clock(test: &TestApp) -> Op {
    test.op(Actor::System { part: "reconciler.schedule" })
}

async fn set(test: &TestApp, desk: EnvironmentId, stop: &str, start: &str) {
    let schedule = Schedule::parse("Europe/Vienna", &EVERY_DAY, stop, start).unwrap();
    let developer = test.person("developer").await;
    let op = test.op_as(&developer);
    let permit = test.app.permit_on(&op, &developer, &test.environment(desk).await).unwrap();
    test.app.set_schedule(&op, &permit, Some(&schedule)).await.unwrap();
}

async fn table(test: &TestApp, desk: EnvironmentId) -> Timetable {
    environments::timetable(&mut test.app.db.acquire().await.unwrap(), desk).await.unwrap().unwrap()
}

/// As if it were later: the next ones are so much earlier.
async fn pass(test: &TestApp, time: &str) {
    sqlx::query("UPDATE schedule SET stops_at = stops_at - $1::interval, starts_at = starts_at - $1::interval")
        .bind(jiff_interval(time))
        .execute(test.app.db.pool())
        .await
        .unwrap();
}

fn jiff_interval(hours: &str) -> sqlx::postgres::types::PgInterval {
    let hours: i64 = hours.parse().unwrap();
    sqlx::postgres::types::PgInterval { months: 0, days: 0, microseconds: hours * 3_600_000_000 }
}

async fn told(test: &TestApp, action: &str) -> Vec<serde_json::Value> {
    let filter = Filter { action: Some(action.to_owned()), ..Filter::default() };
    let all = audit::list(&mut test.app.db.acquire().await.unwrap(), &filter, None, 100).await.unwrap().items;
    all.into_iter().map(|record| record.detail).collect()
}

#[tokio::test]
async fn it_stops_and_starts_at_its_times() {
    let (test, desk) = desk("", "").await;
    set(&test, desk, "19:00", "07:00").await;
    let first = table(&test, desk).await;
    assert!(first.stops_at.unwrap() > Timestamp::now() && first.starts_at.is_none(), "{first:?}");
    assert_eq!(test.app.requests.keep_schedules(&clock(&test)).await.unwrap(), 0, "not yet");

    pass(&test, "24").await;
    assert_eq!(test.app.requests.keep_schedules(&clock(&test)).await.unwrap(), 1);
    test.until_state(desk, State::Stopped).await;
    let asked = told(&test, "request.submitted").await;
    assert_eq!(asked[0]["operation"], "stop", "a request like any other");
    let stopped = table(&test, desk).await;
    assert!(stopped.starts_at.unwrap() > Timestamp::now() && stopped.stops_at.is_none(), "{stopped:?}");

    pass(&test, "24").await;
    assert_eq!(test.app.requests.keep_schedules(&clock(&test)).await.unwrap(), 1);
    test.until_state(desk, State::Ready).await;
    let again = table(&test, desk).await;
    assert!(again.stops_at.unwrap() > Timestamp::now() && again.starts_at.is_none(), "{again:?}");
    assert_eq!(test.app.requests.keep_schedules(&clock(&test)).await.unwrap(), 0, "once");
}

#[tokio::test]
async fn what_is_refused_is_not_asked_for_again_until_the_next_time() {
    let rule = r#"@id("never-by-itself") @reason("Nothing stops by itself.")
        forbid (principal, action == Action::"PowerEnvironment", resource) when { principal.system };"#;
    let (test, desk) = desk(rule, "").await;
    set(&test, desk, "19:00", "").await;
    pass(&test, "24").await;
    assert_eq!(test.app.requests.keep_schedules(&clock(&test)).await.unwrap(), 1);
    assert_eq!(test.app.requests.keep_schedules(&clock(&test)).await.unwrap(), 0);
    let asked = told(&test, "request.submitted").await;
    assert_eq!(asked.iter().filter(|detail| detail["decision"] == "denied").count(), 1, "{asked:?}");
    assert_eq!(test.environment(desk).await.state, State::Ready);
    assert!(table(&test, desk).await.stops_at.unwrap() > Timestamp::now(), "tomorrow");
}

#[tokio::test]
async fn its_template_stops_it_after_a_time_and_an_update_does_not_make_that_longer() {
    let (test, desk) = desk("", "auto_stop: 8h\n").await;
    let armed = table(&test, desk).await;
    assert_eq!(armed.auto_stop, Some(SignedDuration::from_hours(8)));
    let left = armed.stops_at.unwrap().duration_since(Timestamp::now());
    assert!(left > SignedDuration::from_mins(475) && left <= SignedDuration::from_hours(8), "{left}");

    let intent = paddock::requests::Intent::Update {
        environment: desk,
        generation: None,
        version: None,
        inputs: crate::support::app::inputs(json!({"broken": true})),
    };
    workspace::submit(&test, "developer", intent).await.unwrap();
    test.until_state(desk, State::Ready).await;
    assert_eq!(table(&test, desk).await.stops_at, armed.stops_at);
    let schedule = Schedule::parse("UTC", &EVERY_DAY, "", "06:00").unwrap();
    let developer = test.person("developer").await;
    let op = test.op_as(&developer);
    let permit = test.app.permit_on(&op, &developer, &test.environment(desk).await).unwrap();
    test.app.set_schedule(&op, &permit, Some(&schedule)).await.unwrap();
    assert!(test.app.skip_stop(&op, &permit).await.is_err(), "only a stop of the schedule is skipped");
    test.app.set_schedule(&op, &permit, None).await.unwrap();
    assert!(table(&test, desk).await.stops_at.is_some(), "the template's stays");
}

#[tokio::test]
async fn a_stop_is_put_off_and_skipped_by_those_who_may_stop_it() {
    let test = TestApp::start().await;
    workspace::add(&test).await;
    test.work();
    let desk = workspace::ready(&test, false).await;
    let site = Site::serve(test).await;
    let developer = site.client("developer").await;
    let path = format!("/api/v1/environments/{desk}/schedule");

    let wrong = json!({"zone": "Nowhere", "days": ["mo"], "stop": "25:00"});
    let refused = developer.put(&path, &wrong).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let pointers: Vec<&str> =
        refused["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/zone", "/stop"]);
    let right = json!({"zone": "Europe/Vienna", "days": EVERY_DAY, "stop": "19:00"});
    let set = developer.put(&path, &right).await.expect(StatusCode::OK);
    assert_eq!((&set["stop"], &set["days"][0]), (&json!("19:00"), &json!("mo")));
    let stops = |view: &serde_json::Value| view["stops_at"].as_str().unwrap().parse::<Timestamp>().unwrap();
    let first = stops(&set);

    let later = developer.post(&format!("{path}/delay"), &json!({"seconds": 7200})).await.expect(StatusCode::OK);
    assert_eq!(stops(&later).duration_since(first), SignedDuration::from_hours(2));
    let too_late = developer.post(&format!("{path}/delay"), &json!({"seconds": 7201})).await;
    too_late.expect(StatusCode::CONFLICT);
    let skipped = developer.post_nothing(&format!("{path}/skip")).await.expect(StatusCode::OK);
    assert!(stops(&skipped).duration_since(first) > SignedDuration::from_hours(22), "the one after it");
    assert_eq!(skipped["delayed_seconds"], 0);
    let again = developer.post_nothing(&format!("{path}/skip")).await.expect(StatusCode::OK);
    assert!(stops(&again).duration_since(stops(&skipped)) > SignedDuration::from_hours(22), "not the same once more");

    let auditor = site.client("auditor").await;
    auditor.get(&path).await.expect(StatusCode::OK);
    auditor.put(&path, &right).await.expect(StatusCode::FORBIDDEN);
    auditor.post_nothing(&format!("{path}/skip")).await.expect(StatusCode::FORBIDDEN);
    let gone = send(developer.request(Method::DELETE, &path)).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.text);
    let none = developer.get(&path).await.expect(StatusCode::OK);
    assert_eq!((&none["zone"], &none["stops_at"]), (&json!(null), &json!(null)));
    for action in ["scheduled", "stop_delayed", "unscheduled"] {
        assert_eq!(told(&site.test, &format!("environment.{action}")).await.len(), 1, "{action}");
    }
    assert_eq!(told(&site.test, "environment.stop_skipped").await.len(), 2);
}

#[tokio::test]
async fn people_are_warned_a_day_and_an_hour_before() {
    let (test, desk) = desk("", "").await;
    set(&test, desk, "19:00", "").await;
    let warned = async |test: &TestApp| test.app.requests.warn_stops(&clock(test)).await.unwrap();
    let stops_in = async |test: &TestApp, minutes: i32, before: i16| {
        sqlx::query("UPDATE schedule SET stops_at = now() + make_interval(mins => $1), warned = $2")
            .bind(minutes)
            .bind(before)
            .execute(test.app.db.pool())
            .await
            .unwrap();
    };
    stops_in(&test, 25 * 60, 0).await;
    assert_eq!(warned(&test).await, 0);
    stops_in(&test, 23 * 60, 0).await;
    assert_eq!((warned(&test).await, warned(&test).await), (1, 0), "a day before, once");
    stops_in(&test, 59, 1).await;
    assert_eq!((warned(&test).await, warned(&test).await), (1, 0), "an hour before, once");
    assert_eq!(told(&test, "environment.stop_warned").await.len(), 2);

    let ends_in = async |test: &TestApp, minutes: i32| {
        sqlx::query(
            "UPDATE environment SET expires_at = now() + make_interval(mins => $1), lifetime_seconds = 2592000",
        )
        .bind(minutes)
        .execute(test.app.db.pool())
        .await
        .unwrap();
    };
    let warned = async |test: &TestApp| test.app.requests.warn_expiring(&clock(test)).await.unwrap();
    ends_in(&test, 25 * 60).await;
    assert_eq!(warned(&test).await, 0);
    ends_in(&test, 23 * 60).await;
    assert_eq!((warned(&test).await, warned(&test).await), (1, 0));
    ends_in(&test, 59).await;
    assert_eq!((warned(&test).await, warned(&test).await), (1, 0));
}
