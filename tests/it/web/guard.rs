//! The cross-site guard, the headers, and the error pages.

use axum::body::Body;
use axum::http::{Request, StatusCode};

use crate::support::app::TestApp;

/// As `TestApp` sets it.
const OURS: &str = "http://127.0.0.1:8400";

#[tokio::test]
async fn unsafe_methods_only_come_from_our_own_pages() {
    let test = TestApp::start().await;
    let mut browser = test.browser_of("developer").await;
    let token = browser.cookies["paddock"].clone();
    let cases: [(&[(&str, &str)], bool); 12] = [
        (&[("sec-fetch-site", "same-origin")], true),
        (&[("sec-fetch-site", "none")], true),
        (&[("sec-fetch-site", "same-site")], false),
        (&[("sec-fetch-site", "cross-site")], false),
        (&[("sec-fetch-site", "something-new")], false),
        // Fetch Metadata counts before Origin.
        (&[("sec-fetch-site", "cross-site"), ("origin", OURS)], false),
        (&[("origin", OURS)], true),
        (&[("origin", "http://127.0.0.1:8401")], false),
        (&[("origin", "https://127.0.0.1:8400")], false),
        (&[("origin", "null")], false),
        (&[("host", "127.0.0.1:8400")], false),
        (&[("authorization", "Bearer x")], false),
    ];
    for (headers, passes) in cases {
        browser.cookies.insert("paddock".to_owned(), token.clone());
        let answer = browser.post_with("/catalog/postgres-database/request", &[("_check", "1")], headers).await;
        let expected = if passes { StatusCode::OK } else { StatusCode::FORBIDDEN };
        assert_eq!(answer.status, expected, "{headers:?}");
        if !passes {
            answer.shows(&["This request did not come from a page of Paddock", "Nothing was changed."]);
        }
    }
    for path in ["/sign-in/demo", "/sign-out", "/preferences", "/nowhere"] {
        let answer = browser.post_with(path, &[("person", "admin")], &[]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(browser.get("/").await.status, StatusCode::OK, "still signed in");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers_and_an_operation_id() {
    let test = TestApp::start().await;
    let mut browser = test.browser_of("developer").await;
    let mut answers = Vec::new();
    let asset = paddock::web::assets::asset("app.css");
    for path in ["/", "/catalog", "/catalog/postgres-database", "/catalog/none", "/nowhere", asset, "/static/none.css"]
    {
        answers.push((path, browser.get(path).await));
    }
    answers.push((
        "405",
        browser.send(Request::delete("/").header("sec-fetch-site", "none").body(Body::empty()).unwrap()).await,
    ));
    answers.push(("403", browser.post_with("/sign-out", &[], &[]).await));
    let large = "x".repeat(1024 * 1024 + 1);
    answers.push(("413", browser.post("/catalog/postgres-database/request", &[("name", &large)]).await));
    answers.push(("report", browser.post_with("/csp-reports", &[("a", "b")], &[]).await));
    answers.push(("303", test.browser().get("/").await));
    for (what, answer) in &answers {
        let csp = answer.header("content-security-policy");
        assert!(csp.starts_with("default-src 'none'; script-src 'self'") && !csp.contains("unsafe"), "{what}: {csp}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{what}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{what}");
        assert!(answer.header("x-operation-id").starts_with("op_"), "{what}");
        let cached = *what == asset;
        assert_eq!(answer.header("cache-control").contains("immutable"), cached, "{what}");
    }
    let status = |what: &str| answers.iter().find(|(name, _)| *name == what).unwrap().1.status.as_u16();
    assert_eq!(
        [status("/nowhere"), status("405"), status("403"), status("413"), status("report")],
        [404, 405, 403, 413, 204]
    );
    let missing = &answers[3].1;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    missing.shows(&[
        "There is no template “none” in the catalog.",
        "href=\"/catalog\"",
        missing.header("x-operation-id"),
    ]);
    missing.hides(&["<script>"]);
}

#[tokio::test]
async fn errors_for_htmx_are_a_sentence() {
    let test = TestApp::start().await;
    let mut browser = test.browser_of("developer").await;
    let request = Request::get("/catalog/none").header("hx-request", "true").body(Body::empty()).unwrap();
    let answer = browser.send(request).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.text.starts_with("There is no template") && !answer.text.contains('<'), "{}", answer.text);
    let mut nobody = test.browser();
    let request = Request::get("/").header("hx-request", "true").body(Body::empty()).unwrap();
    assert_eq!(nobody.send(request).await.status, StatusCode::UNAUTHORIZED);
}
