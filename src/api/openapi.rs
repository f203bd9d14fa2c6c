//! The description of the API (`OpenAPI` 3.1), made of the same router that serves it.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use utoipa::OpenApi;

use super::error::{Missing, ProblemDocument};

/// What the document says about the API as a whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Paddock",
        version = "1",
        description = "Environments by self-service, inside the limits of the platform team.\n\nLists are `{\"items\": \
                       […], \"next_cursor\": …}`; times are RFC 3339 UTC; ids carry a prefix (`env_…`). Errors are \
                       problem JSON (RFC 9457). Unknown fields and query parameters are refused.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(ProblemDocument<'static>, Missing))
)]
struct Base;

/// The beginning of the document; routes add themselves.
pub fn base() -> utoipa::openapi::OpenApi {
    Base::openapi()
}

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let (_, document) = super::routes().split_for_parts();
    let mut document = serde_json::to_value(document).unwrap_or_default();
    finish(&mut document);
    document
});

/// The whole document.
pub fn document() -> &'static Value {
    &DOCUMENT
}

/// What every operation shares: how to prove who one is, and how errors look.
fn finish(document: &mut Value) {
    let problem = json!({
        "description": "What went wrong",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    });
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    let items = paths.into_iter().flat_map(|paths| paths.values_mut()).filter_map(Value::as_object_mut);
    for operation in items.flat_map(|item| item.values_mut()) {
        if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
            responses.insert("default".to_owned(), problem.clone());
        }
    }
    if let Some(components) = document.get_mut("components").and_then(Value::as_object_mut) {
        let schemes = json!({
            "token": {
                "type": "http",
                "scheme": "bearer",
                "description": "A personal (`pdkp_…`) or service (`pdks_…`) token. The scopes that it needs stand in \
                                the list; `read` is part of every token.",
            },
            "session": {
                "type": "apiKey",
                "in": "cookie",
                "name": "__Host-paddock",
                "description": "The session of the pages, for requests from the same origin; `paddock` over plain http.",
            },
        });
        components.insert("securitySchemes".to_owned(), schemes);
    }
}

/// The description of the API.
#[utoipa::path(get, path = "/openapi.json", tag = "health", security(()),
    responses((status = 200, description = "This document", body = serde_json::Value)))]
pub async fn get_document() -> impl IntoResponse {
    static TEXT: LazyLock<String> = LazyLock::new(|| document().to_string());
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "public, max-age=300")], TEXT.as_str())
}
