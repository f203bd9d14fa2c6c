//! Sign-in, sign-out, the first visit.

use axum::http::StatusCode;

use crate::support::app::TestApp;

#[tokio::test]
async fn a_visit_without_a_session_comes_back_after_sign_in() {
    let test = TestApp::start().await;
    let mut browser = test.browser();
    let answer = browser.get("/catalog?q=data&kind=environment").await;
    assert_eq!(
        (answer.status, answer.location()),
        (StatusCode::SEE_OTHER, "/sign-in?next=%2Fcatalog%3Fq%3Ddata%26kind%3Denvironment")
    );
    let page = browser.get(answer.location()).await;
    page.shows(&["Demo sign-in is on", "value=\"/catalog?q=data&#38;kind=environment\"", "value=\"developer\""]);
    let answer = browser.post("/sign-in/demo", &[("person", "developer"), ("next", "/catalog?q=data")]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/catalog?q=data"));
    let answer = browser.post("/sign-in/demo", &[("person", "developer"), ("next", "//evil.example/")]).await;
    assert_eq!(answer.location(), "/");
}

#[tokio::test]
async fn sign_in_starts_a_new_session_and_sign_out_ends_it() {
    let test = TestApp::start().await;
    let mut browser = test.browser();
    browser.cookies.insert("paddock".to_owned(), "brought-along".to_owned());
    let answer = browser.post("/sign-in/demo", &[("person", "developer")]).await;
    let set = answer.header("set-cookie");
    assert!(set.starts_with("paddock=") && set.contains("HttpOnly; SameSite=Lax") && set.contains("Path=/"), "{set}");
    let first = browser.cookies["paddock"].clone();
    assert_ne!(first, "brought-along");
    browser.get("/").await.shows(&["Dana Reyes", "Developer in payments and storefront"]);

    browser.post("/sign-in/demo", &[("person", "lead")]).await;
    let second = browser.cookies["paddock"].clone();
    assert_ne!(first, second);
    let mut old = test.browser();
    old.cookies.insert("paddock".to_owned(), first);
    assert_eq!(old.get("/").await.location(), "/sign-in?next=%2F", "the session before sign-in has ended");

    assert_eq!(browser.post("/sign-out", &[]).await.location(), "/sign-in");
    assert!(!browser.cookies.contains_key("paddock"));
    let mut old = test.browser();
    old.cookies.insert("paddock".to_owned(), second);
    assert_eq!(old.get("/").await.status, StatusCode::SEE_OTHER, "a copied cookie is worth nothing after sign-out");
}

#[tokio::test]
async fn demo_sign_in_is_for_this_machine_only() {
    let test = TestApp::start().await;
    let mut browser = test.browser();
    browser.peer = "192.0.2.7:40000".parse().unwrap();
    browser.get("/sign-in").await.hides(&["value=\"developer\""]);
    let answer = browser.post("/sign-in/demo", &[("person", "admin")]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    answer.shows(&["works only on the machine that Paddock runs on"]);
    assert!(!browser.cookies.contains_key("paddock"));
}

#[tokio::test]
async fn what_was_typed_survives_the_end_of_the_session() {
    let test = TestApp::start().await;
    let mut browser = test.browser();
    let fields = [("name", "orders <db>"), ("_key", "k1"), ("inputs/size", "large")];
    let answer = browser.post("/catalog/postgres-database/request", &fields).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    answer.shows(&[
        "action=\"/catalog/postgres-database/request\"",
        "name=\"name\" value=\"orders &#60;db&#62;\"",
        "name=\"_key\" value=\"k1\"",
        "name=\"inputs/size\" value=\"large\"",
        "target=\"_blank\"",
    ]);
}

#[tokio::test]
async fn the_first_visit_is_the_set_up_and_makes_an_admin() {
    let test = TestApp::start_empty().await;
    let mut browser = test.browser();
    for path in ["/", "/catalog", "/sign-in"] {
        assert_eq!(browser.get(path).await.location(), "/set-up", "{path}");
    }
    let op = test.op(paddock::base::Actor::Operator);
    let code = paddock::identity::begin_setup(&test.app.db, &op).await.unwrap().unwrap();
    let code = secrecy::ExposeSecret::expose_secret(&code).to_owned();
    let good = [("name", "Ada Example"), ("user", "ada"), ("password", "correct horse battery")];
    let wrong = browser.post("/set-up", &[&good[..], &[("code", "WRONG")]].concat()).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    wrong.shows(&["set-up code is wrong", "value=\"Ada Example\"", "value=\"ada\""]);
    wrong.hides(&["correct horse battery"]);
    let weak =
        browser.post("/set-up", &[("code", &code), ("name", "Ada"), ("user", "Ada!"), ("password", "short")]).await;
    assert_eq!(weak.status, StatusCode::UNPROCESSABLE_ENTITY);
    weak.shows(&["#f-user", "#f-password"]);
    let done = browser.post("/set-up", &[&good[..], &[("code", &code)]].concat()).await;
    assert_eq!(done.location(), "/");
    browser.get("/").await.shows(&["Ada Example", "Platform admin"]);

    let mut other = test.browser();
    assert_eq!(other.get("/set-up").await.location(), "/");
    assert_eq!(other.post("/set-up", &[("code", &code)]).await.location(), "/sign-in");
    other.get("/sign-in").await.shows(&["name=\"password\""]);
    let refused = other.post("/sign-in", &[("user", "ada"), ("password", "wrong password here")]).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    refused.shows(&["The login or the password is wrong.", "value=\"ada\""]);
    let answer = other.post("/sign-in", &[("user", "Ada"), ("password", "correct horse battery")]).await;
    assert_eq!(answer.location(), "/");
}
