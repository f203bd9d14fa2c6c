//! The request form: nothing typed is lost, and sending twice is one request.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use paddock::requests::Filter;

use crate::support::app::TestApp;
use crate::support::pages::{Answer, Browser};

const FORM: &str = "/catalog/postgres-database/request";

async fn requests(test: &TestApp) -> Vec<paddock::requests::Request> {
    let mut connection = test.app.db.acquire().await.unwrap();
    test.app.requests.list(&mut connection, &Filter::default(), None, 100).await.unwrap().items
}

fn good<'a>(name: &'a str, key: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("_key", key),
        ("project", "payments"),
        ("environment_type", "dev"),
        ("name", name),
        ("lifetime", "3d"),
        ("reason", "A test"),
        ("inputs/size", "medium"),
    ]
}

#[tokio::test]
async fn a_link_fills_the_form_in() {
    let test = TestApp::start().await;
    let mut browser = test.browser_of("developer").await;
    let link = format!(
        "{FORM}?project=storefront&environment_type=prod&name=orders-db&lifetime=60d&inputs/size=large&reason=Load+test"
    );
    let page = browser.get(&link).await;
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(page.value_of("name"), "orders-db");
    page.shows(&[
        "<option value=\"storefront\" selected>",
        "value=\"prod\" checked",
        "value=\"large\" checked",
        "Load test",
        "<option value=\"60d\" selected>",
        "Needs one approval",
        "Lee Okafor",
        "Ask for approval",
        "Environments in storefront prod",
    ]);
    let plain = browser.get(&format!("{FORM}?environment_type=prod")).await;
    plain.shows(&["<option value=\"\" selected>30 days (usual here)"]);
    assert_eq!(page.value_of("_key").len(), 32);
    assert_ne!(page.value_of("_key"), browser.get(&link).await.value_of("_key"), "each form has a key of its own");
}

#[tokio::test]
async fn nothing_typed_is_lost_when_something_is_wrong() {
    let test = TestApp::start().await;
    let mut browser = test.browser_of("developer").await;
    let key = browser.get(FORM).await.value_of("_key");
    let mut fields = good("ä", &key);
    fields.retain(|(name, _)| *name != "lifetime");
    fields.extend([
        ("inputs/connection_limit", "many"),
        ("inputs/purpose", "<b>typed</b>"),
        ("inputs/ghost", "boo"),
        ("lifetime", "soon"),
    ]);
    let page = browser.post(FORM, &fields).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    page.shows(&[
        "things need a change",
        "href=\"#f-name\"",
        "href=\"#f-lifetime\"",
        "href=\"#f-inputs-connection-limit\"",
        "ghost:",
        "value=\"many\"",
        "value=\"&#60;b&#62;typed&#60;/b&#62;\"",
        "value=\"medium\" checked",
        "<option value=\"soon\" selected>",
        "A test",
    ]);
    assert_eq!((page.value_of("name").as_str(), page.value_of("_key")), ("ä", key));
    assert!(requests(&test).await.is_empty());
}

#[tokio::test]
async fn sending_twice_is_one_request() {
    let test = TestApp::start().await;
    let mut browser = test.browser_of("developer").await;
    let key = browser.get(FORM).await.value_of("_key");
    let mut first = String::new();
    for _ in 0..3 {
        let answer = browser.post(FORM, &good("orders-db", &key)).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        if first.is_empty() {
            answer.location().clone_into(&mut first);
        }
        assert_eq!(answer.location(), first);
    }
    assert!(first.starts_with("/environments/env_"), "{first}");
    assert_eq!(requests(&test).await.len(), 1);

    let other = browser.post(FORM, &good("other-db", &key)).await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    other.shows(&["idempotency key was used"]);
    assert_ne!(other.value_of("_key"), key, "a form that was sent with other values gets a new key");
    let answer = browser.post(FORM, &good("other-db", &other.value_of("_key"))).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(requests(&test).await.len(), 2);
}

#[tokio::test]
async fn fifty_parallel_posts_with_one_key_are_one_request() {
    let test = TestApp::start().await;
    let browser = test.browser_of("developer").await;
    let posts = (0..50).map(|_| {
        let mut same = test.browser();
        same.cookies.clone_from(&browser.cookies);
        async move { same.post(FORM, &good("orders-db", "one-key")).await }
    });
    let answers = futures_util::future::join_all(posts).await;
    let sent: Vec<&Answer> = answers.iter().filter(|answer| answer.status == StatusCode::SEE_OTHER).collect();
    assert!(!sent.is_empty());
    assert!(sent.iter().all(|answer| answer.location() == sent[0].location()));
    assert!(answers.iter().all(|answer| !answer.status.is_server_error()));
    assert_eq!(requests(&test).await.len(), 1);
}

async fn fragment(browser: &mut Browser, fields: &[(&str, &str)]) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = Request::post(FORM)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin")
        .header("hx-request", "true")
        .header("hx-request-type", "partial");
    browser.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn the_verdict_follows_what_is_typed_and_creates_nothing() {
    let test = TestApp::start().await;
    let mut browser = test.browser_of("developer").await;
    let mut fields = good("orders-db", "k");
    fields.push(("_check", "1"));
    let allowed = fragment(&mut browser, &fields).await;
    assert_eq!(allowed.status, StatusCode::OK);
    allowed.shows(&[
        "Allowed",
        "Nobody has to agree.",
        "developers-work-in-dev-and-test",
        "Environments in payments dev",
    ]);
    allowed.hides(&["<html", "name=\"_key\""]);
    assert!(allowed.header("vary").contains("HX-Request"));
    fields.retain(|(name, _)| *name != "lifetime");
    fields.push(("lifetime", "365d"));
    let denied = fragment(&mut browser, &fields).await;
    denied.shows(&["Not allowed", "lifetime-within-the-maximum", "disabled"]);
    let page = browser.post(FORM, &fields).await;
    assert_eq!(page.status, StatusCode::OK, "a check never sends");
    page.shows(&["value=\"orders-db\"", "<option value=\"365d\" selected>"]);
    assert!(requests(&test).await.is_empty());
}

#[tokio::test]
async fn an_update_shows_what_changes() {
    let test = TestApp::start().await;
    test.work();
    let mut browser = test.browser_of("developer").await;
    let at = browser.post(FORM, &good("orders-db", "k")).await.location().to_owned();
    let id = at.trim_start_matches("/environments/").parse().unwrap();
    test.until_state(id, paddock::environments::State::Ready).await;
    let update = format!("{at}/update");
    let page = browser.get(&update).await;
    page.shows(&["Update orders-db", "value=\"medium\" checked"]);
    let mut action = page.text.split("method=\"post\" action=\"").map(|rest| rest.split('"').next().unwrap());
    let action = action.find(|action| action.starts_with(&update)).unwrap().to_owned();
    let page = browser.post(&action, &[("_check", "1"), ("inputs/size", "large"), ("inputs/purpose", "Orders")]).await;
    page.shows(&["What changes", "medium", "large", "Orders"]);
    let key = page.value_of("_key");
    let answer = browser.post(&action, &[("_key", &key), ("inputs/size", "large"), ("inputs/purpose", "")]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, at.as_str()), "{}", answer.text);
    let ready = test.until_state(id, paddock::environments::State::Ready).await;
    assert_eq!(ready.inputs["size"], "large");
    let stale = browser.post(&action, &[("_key", "k3"), ("inputs/size", "small")]).await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
    stale.shows(&["Somebody was faster", "Open the form again"]);

    let extend = browser.get(&format!("{at}/extend")).await;
    extend.shows(&["Extend orders-db", "New lifetime"]);
    let answer = browser.post(&format!("{at}/extend"), &[("_key", "k4"), ("lifetime", "14d")]).await;
    assert_eq!(answer.location(), at);
    assert!(test.environment(id).await.expires_at > ready.expires_at);
}
