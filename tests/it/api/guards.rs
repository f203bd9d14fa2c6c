//! No route without an authorization: who nobody knows, whose token does not reach, whose page is another site's.

use axum::http::StatusCode;
use paddock::identity::{Scope, TokenScopes};
use paddock::policy::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::document::{operations, scopes};
use super::matrix::Things;
use super::{create, text};
use crate::support::http::{Site, send};

#[tokio::test]
async fn every_route_asks_who_it_is() {
    let site = Site::start().await;
    let things = Things::any();
    for (method, path, operation) in operations() {
        let open = scopes(operation).is_empty();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let address = things.address(&path);
        // No body and a wrong query: who it is comes first.
        let answer = send(site.anonymous().request(method.clone(), &format!("{address}?colour=red"))).await;
        if path == "/api/v1/callbacks/{token}" {
            // Its token is its credential, and nobody has this one.
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
            continue;
        }
        if open {
            assert_eq!(answer.status, StatusCode::OK, "{path}");
            continue;
        }
        let problem = answer.expect(StatusCode::UNAUTHORIZED);
        assert_eq!(text(&problem, "/kind"), "unauthenticated", "{path}");
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"paddock\"", "{path}");
        for credential in ["Bearer pdkp_x", "Bearer ", "Basic YTpi", "pdkp_x"] {
            let client = site.anonymous().with_header("authorization", credential);
            send(client.request(method.clone(), &address)).await.expect(StatusCode::UNAUTHORIZED);
        }
    }
}

#[tokio::test]
async fn a_token_reaches_no_further_than_its_scopes() {
    let site = Site::start().await;
    for role in Role::ALL {
        site.grant("everything", role, None).await;
    }
    let things = Things::any();
    for (method, path, operation) in operations() {
        let all: Vec<Scope> = scopes(operation).iter().map(|scope| scope.parse().unwrap()).collect();
        // What needs another one is tested where it is.
        let Some(&needed) = all.first() else { continue };
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let address = things.address(&path);
        let others = TokenScopes::new(Scope::ALL.into_iter().filter(|scope| *scope != needed));
        let client = site.with_token("everything", others).await;
        let answer = send(client.request(method.clone(), &address)).await;
        if needed != Scope::Read {
            let problem = answer.expect(StatusCode::FORBIDDEN);
            assert_eq!(text(&problem, "/missing/token_scope"), needed.as_str(), "{path}");
        }
        let client = site.with_token("everything", TokenScopes::new(all)).await;
        let answer = send(client.request(method, &address)).await;
        assert_eq!(answer.value().pointer("/missing/token_scope"), None, "{path}: {}", answer.text);
        assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn a_reading_token_reveals_nothing_and_shows_its_abilities() {
    let site = Site::start().await;
    let developer = site.client("developer").await;
    let made = developer.post("/api/v1/requests", &create("dev", "orders")).await.expect(StatusCode::CREATED);
    let outputs = format!("/api/v1/environments/{}/outputs", text(&made, "/environment/id"));
    let reader = site.with_token("developer", TokenScopes::new([])).await;
    reader.json(&outputs).await;
    let problem = reader.get(&format!("{outputs}?reveal=all")).await.expect(StatusCode::FORBIDDEN);
    assert_eq!(
        problem["missing"],
        json!({
            "action": "reveal_output", "roles": [], "scope": null, "token_scope": "request",
        })
    );
    developer.json(&format!("{outputs}?reveal=all")).await;
    let me = reader.json("/api/v1/me").await;
    assert_eq!(me["token_scopes"], json!(["read"]));
    let payments = &me["abilities"]["projects"][0];
    assert_eq!(
        (text(payments, "/project"), &payments["environment_types"][0]["operations"]["create"]),
        ("payments", &json!("denied"))
    );
    let me = developer.json("/api/v1/me").await;
    let types = &me["abilities"]["projects"][0]["environment_types"];
    let operations = types[0]["operations"].as_object().unwrap();
    assert_eq!(operations.len(), 9);
    assert!(operations.values().all(|outcome| *outcome == "allowed"), "{operations:?}");
    assert_eq!(types[2]["operations"]["create"], "needs_approval");
}

#[tokio::test]
async fn a_session_counts_for_pages_of_our_own_origin_only() {
    let site = Site::start().await;
    let browser = site.browser("developer").await;
    assert_eq!(text(&browser.json("/api/v1/me").await, "/login"), "developer");
    let body = create("dev", "orders");
    for (header, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("x", "y"),
    ] {
        let answer = browser.with_header(header, value).post("/api/v1/requests", &body).await;
        assert_eq!(answer.expect(StatusCode::FORBIDDEN)["kind"], "denied", "{header}: {value}");
    }
    assert_eq!(site.number("SELECT count(*) FROM request").await, 0);
    browser
        .with_header("sec-fetch-site", "same-origin")
        .post("/api/v1/requests", &body)
        .await
        .expect(StatusCode::CREATED);
}

#[tokio::test]
async fn with_a_token_cookies_do_not_count() {
    let site = Site::start().await;
    let lead = site.client("lead").await;
    let browser = site.browser("developer").await;
    let cookie = browser.request(Method::GET, "/").build().unwrap().headers()["cookie"].to_str().unwrap().to_owned();
    let both = lead.with_header("cookie", &cookie);
    assert_eq!(text(&both.json("/api/v1/me").await, "/login"), "lead");
    let answer = both.post("/api/v1/requests", &create("dev", "orders")).await.expect(StatusCode::CREATED);
    assert_eq!(answer["requester"]["name"].as_str().unwrap(), "Lee Okafor");
    let broken = browser.with_header("authorization", "Bearer pdkp_nothing");
    broken.get("/api/v1/me").await.expect(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_refusal_names_action_roles_and_scope() {
    let site = Site::start().await;
    let developer = site.client("developer").await;
    let made = developer.post("/api/v1/requests", &create("prod", "orders")).await.expect(StatusCode::CREATED);
    let outsider = site.client("outsider").await;
    let environment = format!("/api/v1/environments/{}", text(&made, "/environment/id"));
    let problem = outsider.get(&environment).await.expect(StatusCode::FORBIDDEN);
    assert_eq!(
        (text(&problem, "/missing/action"), text(&problem, "/missing/scope")),
        ("read_environment", "project payments")
    );
    assert!(problem["missing"]["roles"].as_array().unwrap().contains(&Value::from("developer")), "{problem:#}");
    let review = format!("/api/v1/requests/{}/reviews", text(&made, "/id"));
    let auditor = site.client("auditor").await;
    let problem = auditor.post(&review, &json!({"verdict": "approved"})).await.expect(StatusCode::FORBIDDEN);
    assert_eq!(problem["missing"]["roles"], json!(["lead"]));
    let problem = developer.get("/api/v1/audit").await.expect(StatusCode::FORBIDDEN);
    assert_eq!(text(&problem, "/missing/action"), "read_audit");
}

#[tokio::test]
async fn somebody_without_a_role_sees_the_catalog_and_nothing_else() {
    let site = Site::start().await;
    let developer = site.client("developer").await;
    developer.post("/api/v1/requests", &create("dev", "orders")).await.expect(StatusCode::CREATED);
    let outsider = site.client("outsider").await;
    for path in ["/api/v1/projects", "/api/v1/environments", "/api/v1/requests", "/api/v1/requests?to_review=true"] {
        assert_eq!(outsider.json(path).await, json!({"items": [], "next_cursor": null}), "{path}");
    }
    assert!(!outsider.json("/api/v1/templates").await["items"].as_array().unwrap().is_empty());
    outsider.get("/api/v1/projects/payments").await.expect(StatusCode::FORBIDDEN);
    outsider.get("/api/v1/environments?project=payments").await.expect(StatusCode::FORBIDDEN);
    outsider.post("/api/v1/verdicts", &create("dev", "mine")).await.expect(StatusCode::FORBIDDEN);
    let denied = outsider.post("/api/v1/requests", &create("dev", "mine")).await.expect(StatusCode::CREATED);
    assert_eq!((text(&denied, "/status"), text(&denied, "/decision/rules/0/id")), ("denied", "default-deny"));
    let me = outsider.json("/api/v1/me").await;
    assert_eq!(me["abilities"], json!({"platform": ["read_catalog", "manage_tokens"], "projects": []}));
}
