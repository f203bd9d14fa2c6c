//! One parameter of an Azure Deployment Environments manifest as a property of a JSON Schema.

use serde_json::{Map, Value};

use super::inputs::is_identifier;
use super::node::{Node, Yaml};
use super::reader::{Reader, closest};

const KEYS: [&str; 9] =
    ["id", "name", "description", "type", "default", "required", "readOnly", "allowed", "x-paddock"];
const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];

/// A parameter, ready for the schema.
pub(super) struct Parameter {
    /// The key that the template gets.
    pub(super) id: String,
    /// Whether a value must be given.
    pub(super) required: bool,
    /// Its JSON Schema.
    pub(super) schema: Value,
}

pub(super) fn read(reader: &mut Reader<'_>, node: &Node, key: &str) -> Option<Parameter> {
    if !matches!(node.value, Yaml::Map(_)) {
        reader.error(
            node.at,
            key,
            format!("A parameter is a mapping with “id”, not {}: write “- id: …”.", node.kind()),
        );
        return None;
    }
    let prefix = format!("{key}.");
    reader.known_keys(node, &prefix, &KEYS, &[], crate::catalog::Severity::Warning);
    let id = reader.required_text(node, "id", &prefix, "It is the name that the template gets the value under.")?;
    if !is_identifier(&id) {
        let message = format!("“{id}” cannot name an input: use letters, digits, “_”, “-” and “.”, at most 63.");
        reader.error(node.place_of("/id"), &format!("{prefix}id"), message);
        return None;
    }
    let r#type = kind(reader, node, &prefix);
    let mut schema = Map::new();
    if let Some(title) = reader.text(node, "name", &prefix).filter(|title| !title.is_empty()) {
        schema.insert("title".to_owned(), title.into());
    }
    let mut help = reader.text(node, "description", &prefix).unwrap_or_default();
    schema.insert("type".to_owned(), r#type.clone().into());
    let allowed = allowed(reader, node, &prefix, &r#type);
    if reader.boolean(node, "readOnly", &prefix) {
        schema.insert("readOnly".to_owned(), Value::Bool(true));
    }
    let default = default(reader, node, &prefix, &r#type, allowed.as_deref());
    let expression = matches!(default, Default::Expression(_));
    match default {
        Default::None => {}
        Default::Value(value) => {
            schema.insert("default".to_owned(), value);
        }
        Default::Expression(text) => {
            add_sentence(&mut help, &format!("Left empty, Azure computes it: {text}"));
            schema.insert("x-paddock-expression".to_owned(), text.into());
        }
        Default::Refused(text) => {
            add_sentence(&mut help, &format!("Left empty, the template's own default is used: {text}"));
        }
    }
    if !help.is_empty() {
        schema.insert("description".to_owned(), help.into());
    }
    if let Some(allowed) = allowed {
        schema.insert("enum".to_owned(), Value::Array(allowed));
    }
    let required = reader.boolean(node, "required", &prefix) && !expression;
    Some(Parameter { id, required, schema: Value::Object(schema) })
}

fn add_sentence(text: &mut String, sentence: &str) {
    if !text.is_empty() {
        if !text.ends_with(['.', '!', '?']) {
            text.push('.');
        }
        text.push(' ');
    }
    text.push_str(sentence);
}

fn kind(reader: &mut Reader<'_>, node: &Node, prefix: &str) -> String {
    let Some(written) = reader.text(node, "type", prefix).filter(|text| !text.is_empty()) else {
        return "string".to_owned();
    };
    let lower = written.to_ascii_lowercase();
    let kind = match lower.as_str() {
        "bool" => "boolean",
        "int" => "integer",
        "float" => "number",
        other => {
            if let Some(kind) = TYPES.into_iter().find(|kind| *kind == other) {
                return kind.to_owned();
            }
            let meant = closest(&lower, TYPES.into_iter()).map(|meant| format!(" Did you mean “{meant}”?"));
            let message = format!(
                "“{written}” is not a type: array, boolean, integer, number, object or string.{}",
                meant.unwrap_or_default()
            );
            reader.error(node.place_of("/type"), &format!("{prefix}type"), message);
            "string"
        }
    };
    kind.to_owned()
}

/// The allowed values, in the parameter's type.
fn allowed(reader: &mut Reader<'_>, node: &Node, prefix: &str, kind: &str) -> Option<Vec<Value>> {
    let value = node.get("allowed")?;
    let mut values: Vec<Value> = Vec::new();
    for item in reader.list(node, "allowed", prefix) {
        let Some(value) = convert(reader, item, kind) else {
            let message = format!("An allowed value of this parameter is {}, not {}.", article(kind), item.kind());
            reader.warn(item.at, &format!("{prefix}allowed"), message);
            continue;
        };
        if !values.contains(&value) {
            values.push(value);
        }
    }
    if values.is_empty() {
        reader.warn(value.at, &format!("{prefix}allowed"), "No value is allowed here, so the list is ignored.");
        return None;
    }
    Some(values)
}

fn article(kind: &str) -> String {
    if kind.starts_with(['a', 'i', 'o']) { format!("an {kind}") } else { format!("a {kind}") }
}

enum Default {
    None,
    Value(Value),
    /// An ARM template expression: Azure computes it.
    Expression(String),
    /// A value that the parameter itself does not take.
    Refused(String),
}

fn default(reader: &mut Reader<'_>, node: &Node, prefix: &str, kind: &str, allowed: Option<&[Value]>) -> Default {
    let Some(value) = node.get("default").filter(|value| value.value != Yaml::Null) else { return Default::None };
    let key = format!("{prefix}default");
    if let Yaml::Text(text) = &value.value
        && is_expression(text)
    {
        return Default::Expression(text.clone());
    }
    let Some(converted) = convert(reader, value, kind) else {
        let message = format!(
            "The default is {}, but the parameter is {}; it is left out of the form.",
            value.kind(),
            article(kind)
        );
        reader.warn(value.at, &key, message);
        return Default::Refused(value.scalar(reader.source).map_or_else(|| value.to_json().to_string(), Into::into));
    };
    if allowed.is_some_and(|allowed| !allowed.contains(&converted)) {
        let text = value.scalar(reader.source).map_or_else(|| converted.to_string(), Into::into);
        let message = format!(
            "The default “{text}” is not one of the allowed values, so the form starts without a choice. Add it to “allowed”, or change it."
        );
        reader.warn(value.at, &key, message);
        return Default::Refused(text);
    }
    Default::Value(converted)
}

/// `[…]` is an expression in ARM templates, `[[…` an escaped bracket.
fn is_expression(text: &str) -> bool {
    let text = text.trim();
    text.starts_with('[')
        && !text.starts_with("[[")
        && text.ends_with(']')
        && serde_json::from_str::<Value>(text).is_err()
}

/// A value in the type that the parameter says: manifests write numbers as text and the other way round.
fn convert(reader: &Reader<'_>, node: &Node, kind: &str) -> Option<Value> {
    let json = node.to_json();
    let text = node.scalar(reader.source);
    match kind {
        "string" => text.map(|text| Value::String(text.into_owned())),
        "boolean" => match text?.trim().to_ascii_lowercase().as_str() {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        "integer" => text?.trim().parse::<i64>().ok().map(Value::from),
        "number" => {
            let text = text?;
            let text = text.trim();
            text.parse::<i64>()
                .ok()
                .map(Value::from)
                .or_else(|| text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number))
        }
        "array" | "object" => {
            let value = match json {
                Value::String(text) => serde_json::from_str(&text).ok()?,
                other => other,
            };
            let fits = if kind == "array" { value.is_array() } else { value.is_object() };
            Some(value).filter(|_| fits)
        }
        _ => None,
    }
}
