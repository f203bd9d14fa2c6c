//! JSON Schema (2020-12) of a version's inputs: defaults, secrets, and the one validator that
//! pages and API share.
//!
//! The schema comes from a manifest that was checked on import (no remote references, no
//! recursion, every pattern compiles), so compiling it here fails only for a defect of ours.

mod validate;
mod words;

use serde_json::{Map, Value};

pub use validate::{compile, validate};
pub(super) use words::{explain, shown};

/// Follows `$ref` inside the document. The manifest check refuses cycles; the bound is for
/// schemas that were stored before it did.
pub(super) fn resolve<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let mut at = schema;
    for _ in 0..16 {
        let Some(reference) = at.get("$ref").and_then(Value::as_str) else { return at };
        match reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer)) {
            Some(next) => at = next,
            None => return at,
        }
    }
    at
}

/// The properties of an object schema, in the order written.
pub(super) fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

/// True when the keyword is there and true.
pub(super) fn flag(schema: &Value, keyword: &str) -> bool {
    schema.get(keyword).and_then(Value::as_bool).unwrap_or(false)
}

/// True when the object schema lists the property as required.
pub(super) fn is_required(schema: &Value, name: &str) -> bool {
    schema
        .get("required")
        .and_then(Value::as_array)
        .is_some_and(|names| names.iter().any(|required| required.as_str() == Some(name)))
}

/// One step of a JSON pointer, escaped (RFC 6901).
pub(super) fn escape(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

/// True for an object whose members have fields of their own.
pub(super) fn is_group(schema: &Value) -> bool {
    let object = match schema.get("type") {
        Some(Value::String(name)) => name == "object",
        Some(Value::Array(names)) => names.iter().any(|name| name == "object"),
        _ => true,
    };
    object && properties(schema).next().is_some()
}

/// The values that an untouched form starts with.
pub fn defaults(schema: &Value) -> Map<String, Value> {
    let mut values = Map::new();
    for (name, property) in properties(schema) {
        let property = resolve(schema, property);
        if let Some(value) = default_of(schema, property) {
            values.insert(name.clone(), value);
        }
    }
    values
}

fn default_of(root: &Value, property: &Value) -> Option<Value> {
    if let Some(default) = property.get("default") {
        return Some(default.clone());
    }
    if !is_group(property) {
        return None;
    }
    let mut inner = Map::new();
    for (name, member) in properties(property) {
        if let Some(value) = default_of(root, resolve(root, member)) {
            inner.insert(name.clone(), value);
        }
    }
    Some(Value::Object(inner)).filter(|value| value.as_object().is_some_and(|map| !map.is_empty()))
}

/// The inputs that a run gets: absent ones take their default, read-only ones always do.
///
/// An optional object that is absent stays absent.
pub fn complete(schema: &Value, inputs: Map<String, Value>) -> Map<String, Value> {
    complete_object(schema, schema, inputs)
}

fn complete_object(root: &Value, schema: &Value, mut values: Map<String, Value>) -> Map<String, Value> {
    for (name, property) in properties(schema) {
        let property = resolve(root, property);
        if flag(property, "readOnly") {
            match default_of(root, property) {
                Some(value) => values.insert(name.clone(), value),
                None => values.shift_remove(name),
            };
        } else if let Some(value) = values.get_mut(name) {
            if is_group(property)
                && let Value::Object(inner) = value
            {
                *inner = complete_object(root, property, std::mem::take(inner));
            }
        } else if (property.get("default").is_some() || is_required(schema, name))
            && let Some(value) = default_of(root, property)
        {
            values.insert(name.clone(), value);
        }
    }
    values
}

/// JSON pointers of the inputs that are secret (`writeOnly`). A list or free-form value with a
/// secret anywhere inside is secret as a whole.
pub fn secrets(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    find_secrets(schema, schema, "", &mut found);
    found
}

fn find_secrets(root: &Value, schema: &Value, pointer: &str, found: &mut Vec<String>) {
    for (name, property) in properties(schema) {
        let property = resolve(root, property);
        let pointer = format!("{pointer}/{}", escape(name));
        if flag(property, "writeOnly") {
            found.push(pointer);
        } else if is_group(property) {
            find_secrets(root, property, &pointer, found);
        } else if holds_secret(root, property, 0) {
            found.push(pointer);
        }
    }
}

/// True when `writeOnly` stands anywhere in the schema.
pub(super) fn holds_secret(root: &Value, schema: &Value, depth: usize) -> bool {
    if depth > 32 {
        return true;
    }
    match resolve(root, schema) {
        Value::Object(map) => {
            map.get("writeOnly") == Some(&Value::Bool(true))
                || map.values().any(|value| holds_secret(root, value, depth + 1))
        }
        Value::Array(items) => items.iter().any(|value| holds_secret(root, value, depth + 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Splits inputs into those that may be stored readable and the secret ones, both in the shape
/// of the whole; [`merge`] puts them together again.
pub fn split_secrets(schema: &Value, inputs: &Map<String, Value>) -> (Map<String, Value>, Map<String, Value>) {
    split(schema, schema, inputs)
}

fn split(root: &Value, schema: &Value, values: &Map<String, Value>) -> (Map<String, Value>, Map<String, Value>) {
    let (mut open, mut secret) = (Map::new(), Map::new());
    for (name, value) in values {
        let property = schema.get("properties").and_then(|all| all.get(name)).map(|property| resolve(root, property));
        match (property, value) {
            (Some(property), value) if flag(property, "writeOnly") => {
                secret.insert(name.clone(), value.clone());
            }
            (Some(property), Value::Object(inner)) if is_group(property) => {
                let (inner_open, inner_secret) = split(root, property, inner);
                open.insert(name.clone(), Value::Object(inner_open));
                if !inner_secret.is_empty() {
                    secret.insert(name.clone(), Value::Object(inner_secret));
                }
            }
            (Some(property), value) if holds_secret(root, property, 0) => {
                secret.insert(name.clone(), value.clone());
            }
            (_, value) => {
                open.insert(name.clone(), value.clone());
            }
        }
    }
    (open, secret)
}

/// Adds `more` to `values`, member by member; what is in `values` already wins.
pub fn merge(values: &mut Map<String, Value>, more: Map<String, Value>) {
    for (name, value) in more {
        match (values.get_mut(&name), value) {
            (None, value) => {
                values.insert(name, value);
            }
            (Some(Value::Object(inner)), Value::Object(more)) => merge(inner, more),
            (Some(_), _) => {}
        }
    }
}

/// Adds the `kept` secrets that `values` do not mention, at any depth: what a form does not show
/// is not sent back. A null takes the secret away.
pub fn carry_over(values: &mut Map<String, Value>, kept: Map<String, Value>) {
    for (name, value) in kept {
        match (values.get_mut(&name), value) {
            (None, value) => drop(values.insert(name, value)),
            (Some(Value::Object(inner)), Value::Object(more)) => carry_over(inner, more),
            (Some(Value::Null), _) => drop(values.shift_remove(&name)),
            (Some(_), _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "size": {"type": "string", "default": "small"},
                "region": {"type": "string", "readOnly": true, "default": "eu"},
                "db": {"$ref": "#/$defs/db"},
                "users": {"type": "array", "items": {"type": "object", "properties": {"password": {"writeOnly": true}}}},
            },
            "$defs": {"db": {"type": "object", "required": ["port"], "properties": {
                "port": {"type": "integer", "default": 5432},
                "password": {"type": "string", "writeOnly": true},
            }}},
        })
    }

    #[test]
    fn defaults_fill_what_is_absent_and_read_only_wins() {
        let schema = schema();
        assert_eq!(Value::Object(defaults(&schema)), json!({"size": "small", "region": "eu", "db": {"port": 5432}}));
        let given = map(json!({"size": "big", "region": "us", "db": {"password": "x"}}));
        assert_eq!(
            Value::Object(complete(&schema, given)),
            json!({"size": "big", "region": "eu", "db": {"password": "x", "port": 5432}})
        );
        assert_eq!(Value::Object(complete(&schema, Map::new())), json!({"size": "small", "region": "eu"}));
    }

    #[test]
    fn secrets_are_split_off_and_merge_back() {
        let schema = schema();
        assert_eq!(secrets(&schema), ["/db/password", "/users"]);
        let all = map(json!({"size": "s", "db": {"port": 1, "password": "p"}, "users": [{"password": "q"}]}));
        let (mut open, secret) = split_secrets(&schema, &all);
        assert_eq!(Value::Object(open.clone()), json!({"size": "s", "db": {"port": 1}}));
        assert!(!Value::Object(open.clone()).to_string().contains('p') || !open.contains_key("users"));
        merge(&mut open, secret);
        assert_eq!(open, all);
    }

    #[test]
    fn secrets_are_carried_over_into_what_does_not_mention_them() {
        let kept = map(json!({"token": "t", "db": {"password": "p", "admin": {"key": "k"}}, "users": ["u"]}));
        let carried = |changes: Value| {
            let mut values = map(changes);
            carry_over(&mut values, kept.clone());
            Value::Object(values)
        };
        assert_eq!(
            carried(json!({"db": {"port": 1, "admin": {}}})),
            json!({"db": {"port": 1, "admin": {"key": "k"}, "password": "p"}, "token": "t", "users": ["u"]})
        );
        assert_eq!(
            carried(json!({"token": null, "db": {"password": null, "admin": {"key": "new"}}, "users": []})),
            json!({"db": {"admin": {"key": "new"}}, "users": []})
        );
    }
}
