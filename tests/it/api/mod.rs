//! The API over HTTP: its contract, its guards, and the whole way through it.

mod callbacks;
mod contract;
mod document;
mod events;
mod guards;
mod journey;
mod matrix;
mod queue;
mod reading;
pub mod targets;

use serde_json::{Value, json};

/// The body that asks for a database.
pub fn create(environment_type: &str, name: &str) -> Value {
    json!({
        "operation": "create",
        "project": "payments",
        "environment_type": environment_type,
        "template": "postgres-database",
        "name": name,
        "inputs": {"size": "small"},
        "reason": "A test",
    })
}

/// The text at a pointer.
#[track_caller]
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no text at {pointer} in {value:#}"))
}
