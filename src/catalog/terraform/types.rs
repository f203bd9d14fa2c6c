//! Terraform's type constraints as JSON Schema.

use hcl_edit::expr::{Expression, FuncCall};
use serde_json::{Map, Value, json};

use super::literal;
use crate::catalog::manifest::closest;

const TYPES: [&str; 10] = ["string", "number", "bool", "any", "list", "set", "map", "object", "tuple", "optional"];

/// The schema of a constraint, or what is wrong with it.
pub(super) fn schema(constraint: &Expression) -> Result<Map<String, Value>, String> {
    match constraint {
        Expression::Variable(ident) => plain(ident.as_str()),
        // What Terraform 0.11 wrote.
        Expression::String(text) => plain(text.value()),
        Expression::FuncCall(call) => collection(call),
        Expression::Parenthesis(inner) => schema(inner.inner()),
        _ => Err("This is not a type: write “string”, “list(string)”, “object({ … })”.".to_owned()),
    }
}

fn plain(name: &str) -> Result<Map<String, Value>, String> {
    Ok(map(match name {
        "string" => json!({"type": "string"}),
        "number" => json!({"type": "number"}),
        "bool" => json!({"type": "boolean"}),
        "any" => json!({}),
        "list" => json!({"type": "array"}),
        "map" => json!({"type": "object"}),
        other => {
            let meant = closest(other, TYPES.into_iter()).map(|meant| format!(" Did you mean “{meant}”?"));
            return Err(format!("“{other}” is not a type.{}", meant.unwrap_or_default()));
        }
    }))
}

fn collection(call: &FuncCall) -> Result<Map<String, Value>, String> {
    let name = call.name.name.as_str();
    let mut arguments = call.args.iter();
    let Some(inner) = arguments.next() else {
        return Err(format!("“{name}()” needs to be told of what: “{name}(string)”."));
    };
    Ok(map(match name {
        "list" => json!({"type": "array", "items": schema(inner)?}),
        "set" => json!({"type": "array", "items": schema(inner)?, "uniqueItems": true}),
        "map" => json!({"type": "object", "additionalProperties": schema(inner)?}),
        "object" => object(inner)?,
        "tuple" => {
            let items = inner.as_array().ok_or("A tuple is a list of types: “tuple([string, number])”.")?;
            let items = items.iter().map(schema).collect::<Result<Vec<_>, _>>()?;
            json!({"type": "array", "prefixItems": items, "items": false, "minItems": items.len()})
        }
        "optional" => return Err("“optional” is for attributes of an object.".to_owned()),
        other => return plain(other),
    }))
}

fn object(attributes: &Expression) -> Result<Value, String> {
    let Expression::Object(attributes) = attributes else {
        return Err("An object is a mapping of types: “object({ name = string })”.".to_owned());
    };
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (key, value) in attributes {
        let name = literal::name(key).ok_or("The names of an object's attributes are plain words.")?;
        let property = match value.expr() {
            Expression::FuncCall(call) if call.name.name.as_str() == "optional" => optional(call)?,
            constraint => {
                required.push(Value::from(name.as_str()));
                schema(constraint)?
            }
        };
        properties.insert(name, Value::Object(property));
    }
    let mut object = json!({"type": "object", "properties": properties, "additionalProperties": false});
    if !required.is_empty()
        && let Value::Object(map) = &mut object
    {
        map.insert("required".to_owned(), Value::Array(required));
    }
    Ok(object)
}

/// `optional(type)` and `optional(type, default)`.
fn optional(call: &FuncCall) -> Result<Map<String, Value>, String> {
    let mut arguments = call.args.iter();
    let inner = arguments.next().ok_or("“optional()” needs to be told of what: “optional(string)”.")?;
    let mut property = schema(inner)?;
    if let Some(default) = arguments.next().and_then(literal::value).filter(|value| !value.is_null()) {
        property.insert("default".to_owned(), default);
    }
    Ok(property)
}

/// A default in the variable's type, as Terraform would convert it: `"2"` is a number, `1` a text.
pub(super) fn converted(value: Value, schema: &Map<String, Value>) -> Value {
    match (schema.get("type").and_then(Value::as_str), &value) {
        (Some("number"), Value::String(text)) => text.parse().map_or(value, Value::Number),
        (Some("boolean"), Value::String(text)) => text.parse().map_or(value, Value::Bool),
        (Some("string"), Value::Number(_) | Value::Bool(_)) => Value::String(value.to_string()),
        _ => value,
    }
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_a_schema() {
        let of = |text: &str| Value::Object(schema(&text.parse().unwrap()).unwrap());
        assert_eq!(of("\"string\""), json!({"type": "string"}));
        assert_eq!(of("any"), json!({}));
        assert_eq!(of("set(number)"), json!({"type": "array", "items": {"type": "number"}, "uniqueItems": true}));
        assert_eq!(of("map(bool)"), json!({"type": "object", "additionalProperties": {"type": "boolean"}}));
        assert_eq!(
            of("list(object({ name = string, port = optional(number, 80), tags = optional(map(string)) }))")["items"],
            json!({"type": "object", "additionalProperties": false, "required": ["name"], "properties": {
                "name": {"type": "string"}, "port": {"type": "number", "default": 80},
                "tags": {"type": "object", "additionalProperties": {"type": "string"}}}})
        );
        assert_eq!(of("tuple([string, bool])")["minItems"], 2);
        for bad in ["text", "list()", "object(string)", "optional(string)", "1"] {
            assert!(schema(&bad.parse().unwrap()).is_err(), "{bad}");
        }
    }

    #[test]
    fn defaults_are_converted() {
        let of = |kind: &str, value: Value| converted(value, &map(json!({"type": kind})));
        assert_eq!(of("number", json!("2")), json!(2));
        assert_eq!(of("boolean", json!("true")), json!(true));
        assert_eq!(of("string", json!(1)), json!("1"));
        assert_eq!(of("number", json!("two")), json!("two"));
    }
}
