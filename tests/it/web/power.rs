//! Power buttons, the form of an action, and the way in.

use axum::http::StatusCode;
use paddock::environments::State;

use crate::support::app::TestApp;
use crate::support::workspace;

#[tokio::test]
async fn one_click_stops_it_and_one_starts_it() {
    let test = TestApp::start().await;
    workspace::add(&test).await;
    test.work();
    let desk = workspace::ready(&test, false).await;
    let path = format!("/environments/{desk}");
    let mut developer = test.browser_of("developer").await;
    let page = developer.get(&path).await;
    page.shows(&[">Stop<", "Turn off and on", "Greet somebody", "Open the desk"]);
    page.hides(&["/power/start"]);

    let sent = developer.post(&format!("{path}/power/stop"), &[]).await;
    assert_eq!((sent.status, sent.location()), (StatusCode::SEE_OTHER, path.as_str()));
    test.until_state(desk, State::Stopped).await;
    let page = developer.get(&path).await;
    page.shows(&["Stopped", "/power/start", "stopped my-desk", "It is stopped: start it first."]);
    page.hides(&["/power/stop", "/power/restart", "Open the desk"]);
    let refused = developer.get(&format!("{path}/connect")).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    developer.post(&format!("{path}/power/start"), &[]).await;
    test.until_state(desk, State::Ready).await;

    let missing = developer.post(&format!("{path}/power/explode"), &[]).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    let mut auditor = test.browser_of("auditor").await;
    auditor.get(&path).await.hides(&["/power/", "/actions/"]);
    let denied = auditor.post(&format!("{path}/power/stop"), &[]).await;
    assert!(denied.location().starts_with("/requests/"), "the denial is a request, and told");
    assert_eq!(test.environment(desk).await.state, State::Ready);
}

#[tokio::test]
async fn an_action_is_asked_for_by_its_form() {
    let test = TestApp::start().await;
    workspace::add(&test).await;
    test.work();
    let desk = workspace::ready(&test, false).await;
    let form = format!("/environments/{desk}/actions/greet");
    let mut developer = test.browser_of("developer").await;
    let page = developer.get(&form).await;
    page.shows(&["Greet somebody: my-desk", "Leaves a greeting.", "Whom", "Password", "Allowed"]);
    let key = page.value_of("_key");
    let wrong = developer.post(&form, &[("_key", &key), ("inputs/name", "x")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let sent = developer.post(&form, &[("_key", &key), ("inputs/name", "ada")]).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
    crate::support::wait::until_true("the greeting is there", async || {
        developer.get(&format!("/environments/{desk}")).await.text.contains("hello ada")
    })
    .await;
    for path in ["sing", "stop"] {
        let missing = developer.get(&format!("/environments/{desk}/actions/{path}")).await;
        assert_eq!(missing.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn the_way_in_leads_to_the_output_and_not_from_elsewhere() {
    let test = TestApp::start().await;
    workspace::add(&test).await;
    test.work();
    let desk = workspace::ready(&test, false).await;
    let way = format!("/environments/{desk}/connect");
    let mut developer = test.browser_of("developer").await;
    let led = developer.get(&way).await;
    assert_eq!((led.status, led.location()), (StatusCode::SEE_OTHER, "https://desk.example/1"));
    let elsewhere = axum::http::Request::get(&way).header("sec-fetch-site", "cross-site");
    let back = developer.send(elsewhere.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(back.location(), format!("/environments/{desk}"));
    sqlx::query("UPDATE environment_output SET value = '\"javascript:alert(1)\"' WHERE name = 'url'")
        .execute(test.app.db.pool())
        .await
        .unwrap();
    assert_eq!(developer.get(&way).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_schedule_is_set_on_its_page_and_its_stop_put_off() {
    let test = TestApp::start().await;
    workspace::add(&test).await;
    test.work();
    let desk = workspace::ready(&test, false).await;
    let path = format!("/environments/{desk}");
    let mut developer = test.browser_of("developer").await;
    developer.get(&path).await.shows(&["Stops by itself", "Never: it runs until somebody stops it.", "Change"]);
    let form = format!("{path}/schedule");
    developer.get(&form).await.shows(&["When it stops by itself", "Monday", "Europe/Vienna"]);
    let wrong = developer.post(&form, &[("zone", "Mars"), ("days", "mo"), ("stop", "19:00")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    wrong.shows(&["Must be a time zone such as Europe/Vienna", "value=\"Mars\""]);
    let days = ["mo", "tu", "we", "th", "fr", "sa", "su"].map(|day| ("days", day));
    let right = [&[("zone", "Europe/Vienna"), ("stop", "19:00"), ("start", "")][..], &days[..]].concat();
    let set = developer.post(&form, &right).await;
    assert_eq!((set.status, set.location()), (StatusCode::SEE_OTHER, path.as_str()));
    let page = developer.get(&path).await;
    page.shows(&["every day", "19:00 Europe/Vienna", "Next stop", "Stops", "deletes ", "set the schedule of my-desk"]);

    assert_eq!(developer.post(&format!("{form}/delay"), &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(developer.post(&format!("{form}/skip"), &[]).await.status, StatusCode::SEE_OTHER);
    developer.get(&path).await.shows(&["put the next stop of my-desk off", "let the next stop of my-desk pass"]);
    let mut auditor = test.browser_of("auditor").await;
    auditor.get(&path).await.hides(&["/schedule"]);
    for post in ["", "/delay", "/skip"] {
        assert_eq!(auditor.post(&format!("{form}{post}"), &right).await.status, StatusCode::FORBIDDEN, "{post}");
    }
    assert_eq!(developer.post(&form, &[("_none", "1")]).await.status, StatusCode::SEE_OTHER);
    developer.get(&path).await.shows(&["Never: it runs until somebody stops it."]);
}
