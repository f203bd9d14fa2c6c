//! The OpenAPI document: committed, complete, and true.

use std::collections::BTreeSet;
use std::path::Path;

use paddock::api;
use serde_json::Value;

use crate::support::app::TestApp;

/// The operations of the document: method, path, operation.
pub fn operations() -> Vec<(String, String, &'static Value)> {
    let paths = api::document()["paths"].as_object().unwrap();
    let mut found = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            found.push((method.to_uppercase(), path.clone(), operation));
        }
    }
    found
}

/// The scopes that the operation names, the one that it always needs first; empty when it is open.
pub fn scopes(operation: &Value) -> Vec<&str> {
    let entries = operation["security"].as_array().map(Vec::as_slice).unwrap_or_default();
    let tokens = entries.iter().filter_map(|entry| entry["token"].as_array());
    tokens.flatten().filter_map(Value::as_str).collect()
}

/// Run with `UPDATE_OPENAPI=1` to write the file anew.
#[test]
fn the_committed_document_is_what_the_router_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let now = format!("{}\n", serde_json::to_string_pretty(api::document()).unwrap());
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &now).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == now,
        "docs/openapi.json is old: run this test with UPDATE_OPENAPI=1 and look at the difference"
    );
}

#[test]
fn every_operation_is_described_and_says_who_may_use_it() {
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations() {
        let name = format!("{method} {path}");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{name} has no summary");
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{name} has the operation id of another");
        // The token of a call-back stands in its address.
        let open = ["/healthz", "/readyz", "/api/openapi.json", "/api/v1/callbacks/{token}"].contains(&path.as_str());
        assert_eq!(scopes(operation).is_empty(), open, "{name}: {}", operation["security"]);
        assert!(operation.pointer("/responses/default").is_some(), "{name} does not say how errors look");
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        for part in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            assert!(parameters.iter().any(|one| one["name"] == part && one["in"] == "path"), "{name}: {part}");
        }
    }
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    let document = api::document();
    let mut rest = vec![document];
    while let Some(value) = rest.pop() {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(reference)) = map.get("$ref") {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
                }
                rest.extend(map.values());
            }
            Value::Array(items) => rest.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

/// axum does not list its routes, but prints them: paths as in the document, fallbacks aside.
#[tokio::test]
async fn router_and_document_have_the_same_paths() {
    let test = TestApp::start().await;
    let printed = format!("{:?}", api::router(test.app.clone()));
    let (routes, _) = printed.split_once("fallback_router").expect("axum prints its routes in another way now");
    let served: BTreeSet<String> = routes
        .split('"')
        .filter(|part| part.starts_with('/') && !part.contains("__private"))
        .map(str::to_owned)
        .collect();
    let described: BTreeSet<String> = operations().into_iter().map(|(_, path, _)| path).collect();
    assert_eq!(served, described, "{printed}");
}

/// The one way to add a route is `routes!`, which takes handlers with an operation only.
#[test]
fn no_handler_is_added_without_its_operation() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api");
    let (mut handlers, mut added) = (BTreeSet::new(), BTreeSet::new());
    for entry in std::fs::read_dir(folder).unwrap() {
        let source = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!source.contains(".route("), "add routes with `routes!`");
        for (at, _) in source.match_indices("#[utoipa::path(") {
            let (_, rest) = source[at..].split_once("pub async fn ").unwrap();
            handlers.insert(rest.split(['(', '<']).next().unwrap().to_owned());
        }
        for (at, _) in source.match_indices("routes!(") {
            let list = source[at + 8..].split(')').next().unwrap();
            added.extend(list.split(',').map(|path| path.trim().rsplit("::").next().unwrap().to_owned()));
        }
    }
    assert_eq!(handlers, added);
}
