//! Attribute names: Cedar lets `has` ask for an attribute that no type declares, and answers false.
//! In a rule that is a typing mistake which silently switches a condition off, so it is refused.

use std::collections::BTreeSet;

use cedar_policy::{Policy, SchemaFragment};
use serde_json::Value;

/// Every attribute that any type of the schema declares.
pub(super) fn declared(schema: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if let Ok((fragment, _)) = SchemaFragment::from_cedarschema_str(schema)
        && let Ok(json) = fragment.to_json_value()
    {
        collect(&json, "attributes", &mut |value| {
            names.extend(value.as_object().into_iter().flat_map(|map| map.keys().cloned()));
        });
    }
    names
}

/// The attributes that the policy asks for with `has` and that are not in `declared`.
pub(super) fn unknown(policy: &Policy, declared: &BTreeSet<String>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if let Ok(json) = policy.to_json() {
        collect(&json, "has", &mut |value| {
            let name = value.get("attr").and_then(Value::as_str);
            names.extend(name.filter(|name| !declared.contains(*name)).map(str::to_owned));
        });
    }
    names
}

/// Whether the policy asks when something is asked. It may say so of an attribute of another thing with that name.
pub(super) fn reads_time(policy: &Policy) -> bool {
    let mut reads = false;
    if let Ok(json) = policy.to_json() {
        collect(&json, "attr", &mut |value| reads |= value.as_str() == Some("at"));
    }
    reads
}

/// Calls `found` with every value that stands under `key`, at any depth.
pub(super) fn collect(json: &Value, key: &str, found: &mut impl FnMut(&Value)) {
    match json {
        Value::Object(map) => {
            for (name, value) in map {
                if name == key {
                    found(value);
                }
                collect(value, key, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, key, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
