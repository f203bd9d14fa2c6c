//! The rules of the API that hold on every address.

use axum::http::StatusCode;
use reqwest::Method;
use serde_json::{Value, json};

use super::{create, text};
use crate::support::http::{Site, send};

#[tokio::test]
async fn unknown_addresses_and_methods_are_problems() {
    let site = Site::start().await;
    for path in ["/api", "/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v2/me", "/api/v1/runs"] {
        let answer = site.anonymous().get(path).await;
        let problem = answer.expect(StatusCode::NOT_FOUND);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
        assert_eq!(text(&problem, "/kind"), "not_found");
        assert_eq!(text(&problem, "/operation_id"), answer.header("x-operation-id"));
    }
    for (method, path) in
        [(Method::DELETE, "/api/v1/me"), (Method::PUT, "/api/v1/requests"), (Method::POST, "/healthz")]
    {
        let answer = send(site.anonymous().request(method, path)).await;
        let problem = answer.expect(StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(problem["status"], 405);
        assert!(answer.header("allow").contains("GET"), "{path}: {:?}", answer.headers);
    }
}

#[tokio::test]
async fn every_answer_has_the_security_headers_and_an_operation_id() {
    let site = Site::start().await;
    for path in ["/healthz", "/readyz", "/api/openapi.json", "/api/v1/me", "/api/v1/nothing"] {
        let answer = site.anonymous().get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"), "{path}");
        assert!(answer.header("x-operation-id").starts_with("op_"), "{path}");
    }
    assert_eq!(site.anonymous().json("/readyz").await, json!({"status": "ok"}));
}

#[tokio::test]
async fn unknown_and_malformed_values_are_refused_with_their_place() {
    let site = Site::start().await;
    let client = site.client("developer").await;
    let cases = [
        ("/api/v1/environments?colour=red", "/colour"),
        ("/api/v1/environments?state=shiny", "/state"),
        ("/api/v1/environments?limit=101", "/limit"),
        ("/api/v1/environments?limit=0", "/limit"),
        ("/api/v1/environments?limit=many", "/limit"),
        ("/api/v1/environments?cursor=zzz", "/cursor"),
        ("/api/v1/environments?state=ready&state=failed", "/state"),
        ("/api/v1/environments?owner=env_0193c3f2000070008000000000000000", "/owner"),
        ("/api/v1/requests?mine=perhaps", "/mine"),
        ("/api/v1/templates?kind=castle", "/kind"),
        ("/api/v1/projects?x=", ""),
    ];
    for (path, pointer) in cases {
        let answer = client.get(path).await;
        if pointer.is_empty() {
            answer.expect(StatusCode::OK);
            continue;
        }
        answer.expect(StatusCode::BAD_REQUEST);
        assert_eq!(answer.pointers(), [pointer], "{path}: {}", answer.text);
    }
    let bodies = [
        (json!({"operation": "create", "colour": "red"}), 400, "/colour"),
        (json!({"operation": "paint"}), 400, "/operation"),
        (json!({}), 400, "/operation"),
        (json!([]), 400, ""),
        (json!({"operation": "delete", "name": "x"}), 400, "/name"),
        (json!({"operation": "delete", "environment": "prj_1"}), 400, "/environment"),
        (json!({"operation": "create", "inputs": [1]}), 400, "/inputs"),
        (json!({"operation": "create", "lifetime": "soon"}), 400, "/lifetime"),
        (json!({"operation": "create"}), 422, "/template"),
        (json!({"operation": "extend", "lifetime": "7d"}), 422, "/environment"),
    ];
    for (body, status, pointer) in bodies {
        let answer = client.post("/api/v1/requests", &body).await;
        answer.expect(StatusCode::from_u16(status).unwrap());
        assert_eq!(answer.pointers(), [pointer], "{body}: {}", answer.text);
    }
}

#[tokio::test]
async fn bodies_are_json_of_at_most_a_mebibyte() {
    let site = Site::start().await;
    let client = site.client("developer").await;
    let json_body = |body: String| {
        client.request(Method::POST, "/api/v1/requests").header("content-type", "application/json").body(body)
    };
    let broken = send(json_body("{\"operation\":\n  \"create\",,}".to_owned())).await;
    let problem = broken.expect(StatusCode::BAD_REQUEST);
    assert!(text(&problem, "/detail").contains("line 2, column 12"), "{problem:#}");
    let large = send(json_body(format!("{{\"operation\":\"create\",\"reason\":\"{}\"}}", "x".repeat(1 << 20)))).await;
    assert_eq!(large.expect(StatusCode::PAYLOAD_TOO_LARGE)["kind"], "limited");
    let deep = send(json_body(format!("{{\"inputs\":{}", "[".repeat(10_000)))).await;
    deep.expect(StatusCode::BAD_REQUEST);
    let other = client.request(Method::POST, "/api/v1/requests").header("content-type", "text/plain").body("{}");
    send(other).await.expect(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let trailing = send(json_body("{\"operation\":\"delete\"} {}".to_owned())).await;
    trailing.expect(StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn wrong_inputs_are_422_with_pointers_and_change_nothing() {
    let site = Site::start().await;
    let client = site.client("developer").await;
    let mut body = create("dev", "x y");
    body["inputs"] = json!({"size": "enormous", "colour": "red"});
    let answer = client.post("/api/v1/requests", &body).await;
    answer.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let mut pointers = answer.pointers();
    pointers.sort();
    assert_eq!(pointers, ["/inputs/colour", "/inputs/size", "/name"], "{}", answer.text);
    for (field, pointer) in
        [("project", "/project"), ("environment_type", "/environment_type"), ("template", "/template")]
    {
        let mut body = create("dev", "orders");
        body[field] = json!("nowhere");
        let answer = client.post("/api/v1/requests", &body).await;
        answer.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.pointers(), [pointer]);
    }
    let mut body = create("dev", "orders");
    body["version"] = json!("99.9");
    assert_eq!(client.post("/api/v1/requests", &body).await.pointers(), ["/version"]);
    assert_eq!(site.number("SELECT count(*) FROM request").await, 0);
}

#[tokio::test]
async fn a_lifetime_is_seconds_or_text_and_too_long_a_one_is_denied_in_words() {
    let site = Site::start().await;
    let client = site.client("developer").await;
    for (name, lifetime) in [("one", json!(172_800)), ("two", json!("2d")), ("three", json!("P2D"))] {
        let mut body = create("dev", name);
        body["lifetime"] = lifetime;
        let request = client.post("/api/v1/requests", &body).await.expect(StatusCode::CREATED);
        assert_eq!((&request["status"], &request["lifetime_seconds"]), (&json!("approved"), &json!(172_800)));
    }
    let mut body = create("dev", "eternal");
    body["lifetime"] = json!("365d");
    let request = client.post("/api/v1/requests", &body).await.expect(StatusCode::CREATED);
    assert_eq!(
        (&request["status"], &request["environment"], &request["run"]),
        (&json!("denied"), &Value::Null, &Value::Null)
    );
    let rules = request["decision"]["rules"].as_array().unwrap();
    assert!(rules.iter().any(|rule| rule["id"] == "lifetime-within-the-maximum"), "{request:#}");
    assert!(!request["decision"]["would_be_allowed"].as_array().unwrap().is_empty(), "{request:#}");
}

#[tokio::test]
async fn an_update_for_another_generation_is_refused() {
    let site = Site::start().await;
    let client = site.client("developer").await;
    let made = client.post("/api/v1/requests", &create("dev", "orders")).await.expect(StatusCode::CREATED);
    let id = text(&made, "/environment/id");
    let answer = client.get(&format!("/api/v1/environments/{id}")).await;
    assert_eq!(answer.header("etag"), "\"1\"");
    let update = json!({"operation": "update", "environment": id, "inputs": {"size": "medium"}});
    for header in ["\"7\"", "\"0\""] {
        let stale = client.with_header("if-match", header).post("/api/v1/requests", &update).await;
        assert_eq!(stale.expect(StatusCode::PRECONDITION_FAILED)["kind"], "stale");
        let extend = json!({"operation": "extend", "environment": id, "lifetime": "9d"});
        let stale = client.with_header("if-match", header).post("/api/v1/requests", &extend).await;
        stale.expect(StatusCode::PRECONDITION_FAILED);
    }
    client.with_header("if-match", "7").post("/api/v1/requests", &update).await.expect(StatusCode::BAD_REQUEST);
    let mut body = update.clone();
    body["generation"] = json!(7);
    client.post("/api/v1/requests", &body).await.expect(StatusCode::PRECONDITION_FAILED);
    // It is being made: the generation is right, and the state is not.
    let busy = client.with_header("if-match", answer.header("etag")).post("/api/v1/requests", &update).await;
    busy.expect(StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_failure_inside_says_nothing_of_its_cause() {
    let site = Site::start().await;
    let client = site.client("developer").await;
    site.sql("ALTER TABLE environment RENAME COLUMN name TO label").await;
    let answer = client.get("/api/v1/environments").await;
    let problem = answer.expect(StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(text(&problem, "/operation_id"), answer.header("x-operation-id"));
    assert!(text(&problem, "/detail").starts_with("Something failed inside Paddock."), "{problem:#}");
    assert!(!answer.text.contains("column"), "{}", answer.text);
}
