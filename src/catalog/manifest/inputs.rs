//! Checks the JSON Schema of the inputs as its author wrote it, and makes it ready to store.

use serde_json::{Map, Value, json};

use super::node::{Node, Place, Yaml};
use super::reader::{Reader, closest, list_words};
use super::schema_walk::{Unfollowable, unfold, walk};
use crate::catalog::model::Severity;
use crate::catalog::schema::{self, shown};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// More fields than this is not a form any more.
const MAX_PROPERTIES: usize = 200;

/// The keywords of JSON Schema 2020-12 and our hints, for “did you mean”.
const KEYWORDS: [&str; 62] = [
    "$schema",
    "$id",
    "$defs",
    "$ref",
    "$anchor",
    "$dynamicRef",
    "$dynamicAnchor",
    "$vocabulary",
    "$comment",
    "definitions",
    "type",
    "enum",
    "const",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "format",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "items",
    "prefixItems",
    "contains",
    "minContains",
    "maxContains",
    "minItems",
    "maxItems",
    "uniqueItems",
    "unevaluatedItems",
    "properties",
    "patternProperties",
    "additionalProperties",
    "propertyNames",
    "required",
    "minProperties",
    "maxProperties",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedProperties",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "x-paddock-control",
    "x-paddock-unit",
    "x-paddock-choices",
    "x-paddock-placeholder",
];

/// What `x-paddock-control` may say.
const CONTROLS: [&str; 6] = ["radios", "select", "textarea", "checks", "json", "list"];

/// Where the schema stands in the file, for problems.
pub(super) struct Origin<'a> {
    /// The place of a JSON pointer inside the schema.
    pub(super) place: &'a dyn Fn(&str) -> Place,
    /// The key of the schema, `inputs`.
    pub(super) prefix: &'a str,
    /// How bad a default is that the schema itself refuses.
    pub(super) bad_default: Severity,
}

impl Origin<'_> {
    fn key(&self, pointer: &str) -> String {
        format!("{}{}", self.prefix, pointer.replace('/', ".").replace("~1", "/").replace("~0", "~"))
    }
}

/// Letters, digits, `_`, `-`, `.`, not starting with a sign, at most 63.
pub(in crate::catalog) fn is_identifier(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// Reads the schema under `inputs`.
pub(super) fn read(reader: &mut Reader<'_>, node: Option<&Node>, prefix: &str, bad_default: Severity) -> Value {
    let Some(node) = node.filter(|node| node.value != Yaml::Null) else {
        return normalise(json!({}));
    };
    if !matches!(node.value, Yaml::Map(_)) {
        let message = format!("“inputs” is a JSON Schema of type object, with “properties”; this is {}.", node.kind());
        reader.error(node.at, prefix, message);
        return normalise(json!({}));
    }
    let schema = node.to_json();
    check(reader, &schema, &Origin { place: &|pointer| node.place_of(pointer), prefix, bad_default });
    normalise(schema)
}

/// Adds what every stored schema says: its draft, its type, that unknown inputs are refused, and
/// the enumeration behind named choices.
pub(in crate::catalog) fn normalise(mut schema: Value) -> Value {
    if let Value::Object(map) = &mut schema {
        map.entry("$schema").or_insert_with(|| DRAFT.into());
        map.entry("type").or_insert_with(|| "object".into());
        map.entry("properties").or_insert_with(|| Value::Object(Map::new()));
        if !map.contains_key("unevaluatedProperties") && !map.contains_key("patternProperties") {
            map.entry("additionalProperties").or_insert(Value::Bool(false));
        }
    }
    add_enumerations(&mut schema);
    schema
}

fn add_enumerations(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if !map.contains_key("enum")
                && let Some(choices) = map.get("x-paddock-choices").and_then(Value::as_array)
            {
                let values: Vec<Value> = choices.iter().filter_map(|choice| choice.get("value").cloned()).collect();
                map.insert("enum".to_owned(), Value::Array(values));
            }
            map.values_mut().for_each(add_enumerations);
        }
        Value::Array(items) => items.iter_mut().for_each(add_enumerations),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Reports everything that is wrong with a schema.
pub(super) fn check(reader: &mut Reader<'_>, schema: &Value, origin: &Origin<'_>) {
    let before = reader.errors();
    check_root(reader, schema, origin);
    let mut found: Vec<(String, &Map<String, Value>)> = Vec::new();
    walk(schema, "", &mut |pointer, map| found.push((pointer.to_owned(), map)));
    for (pointer, map) in &found {
        check_keywords(reader, origin, pointer, map);
        check_references(reader, origin, pointer, map, schema);
        check_members(reader, origin, pointer, map);
    }
    if reader.errors() > before {
        return;
    }
    match unfold(schema) {
        Ok(()) => {}
        Err(Unfollowable::Cycle(reference)) => {
            let at = (origin.place)("");
            reader.error(
                at,
                &origin.key(""),
                format!(
                    "“{reference}” contains itself. A form cannot be made of endless inputs: write the levels out."
                ),
            );
            return;
        }
        Err(Unfollowable::TooLarge) => {
            let at = (origin.place)("");
            reader.error(at, &origin.key(""), "The schema unfolds to thousands of parts. Make it simpler.");
            return;
        }
    }
    for error in jsonschema::draft202012::meta::validator().iter_errors(schema).take(20) {
        let pointer = error.instance_path().as_str();
        let message = format!("This is not valid JSON Schema: {}.", plain(&error));
        reader.error((origin.place)(pointer), &origin.key(pointer), message);
    }
    if reader.errors() > before {
        return;
    }
    if let Err(error) = schema::compile(schema) {
        let pointer = error.schema_path().as_str();
        let message = match error.kind() {
            jsonschema::error::ValidationErrorKind::Format { format } if format == "regex" => {
                format!("{} is not a regular expression. Correct the pattern.", shown(error.instance()))
            }
            _ => format!("This schema cannot be used: {error}."),
        };
        reader.error((origin.place)(pointer), &origin.key(pointer), message);
        return;
    }
    for (pointer, map) in &found {
        check_default(reader, origin, pointer, map, schema);
    }
}

fn plain(error: &jsonschema::ValidationError<'_>) -> String {
    schema::explain(&Value::Bool(true), error)
        .into_iter()
        .map(|error| format!("the value {}", error.detail))
        .next()
        .unwrap_or_else(|| error.to_string())
}

fn check_root(reader: &mut Reader<'_>, schema: &Value, origin: &Origin<'_>) {
    if let Some(kind) = schema.get("type").filter(|kind| kind.as_str() != Some("object")) {
        let message = format!("The inputs together are an object: write “type: object”, not {}.", shown(kind));
        reader.error((origin.place)("/type"), &origin.key("/type"), message);
    }
    if let Some(draft) =
        schema.get("$schema").and_then(Value::as_str).filter(|draft| draft.trim_end_matches('#') != DRAFT)
    {
        let message = format!("Inputs are JSON Schema 2020-12, not “{draft}”. Write “{DRAFT}” or leave “$schema” out.");
        reader.error((origin.place)("/$schema"), &origin.key("/$schema"), message);
    }
    let count = schema::properties(schema).count();
    if count > MAX_PROPERTIES {
        let message = format!("There are {count} inputs; at most {MAX_PROPERTIES} fit into a form.");
        reader.error((origin.place)("/properties"), &origin.key("/properties"), message);
    }
    if schema.get("properties").is_none()
        && !schema.as_object().is_none_or(Map::is_empty)
        && schema.get("$ref").is_none()
    {
        let named: Vec<&str> = schema
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, value)| value.is_object() && !KEYWORDS.contains(&key.as_str()))
            .map(|(key, _)| key.as_str())
            .collect();
        if !named.is_empty() {
            let message = format!(
                "“inputs” is a JSON Schema. Put {} under “properties” there.",
                list_words(named.into_iter(), "and")
            );
            reader.error((origin.place)(""), &origin.key(""), message);
        }
    }
}

fn check_keywords(reader: &mut Reader<'_>, origin: &Origin<'_>, pointer: &str, map: &Map<String, Value>) {
    for (keyword, value) in map {
        let at = format!("{pointer}/{}", schema::escape(keyword));
        if !KEYWORDS.contains(&keyword.as_str()) && keyword != "x-paddock-expression" {
            let message = match closest(keyword, KEYWORDS.into_iter()) {
                Some(meant) => {
                    format!("JSON Schema has no keyword “{keyword}”, so it does nothing. Did you mean “{meant}”?")
                }
                None => format!("JSON Schema has no keyword “{keyword}”, so it does nothing. Remove it."),
            };
            // Values directly under `inputs` are reported by `check_root`.
            if !(pointer.is_empty() && value.is_object()) {
                reader.warn((origin.place)(&at), &origin.key(&at), message);
            }
        }
        match (keyword.as_str(), value) {
            ("required", Value::Bool(_)) => {
                let message =
                    "“required” is a list of names beside “properties”: “required: [name]”. Move it one level up.";
                reader.error((origin.place)(&at), &origin.key(&at), message);
            }
            ("x-paddock-control", Value::String(control)) if CONTROLS.contains(&control.as_str()) => {}
            ("x-paddock-control", other) => {
                let message =
                    format!("The control is {}, not {}.", list_words(CONTROLS.into_iter(), "or"), shown(other));
                reader.error((origin.place)(&at), &origin.key(&at), message);
            }
            ("x-paddock-choices", value) => check_choices(reader, origin, &at, value, map.get("enum")),
            _ => {}
        }
    }
}

fn check_choices(reader: &mut Reader<'_>, origin: &Origin<'_>, at: &str, value: &Value, options: Option<&Value>) {
    let choices = value.as_array().filter(|choices| {
        !choices.is_empty()
            && choices.iter().all(|choice| choice.get("value").is_some_and(|v| !v.is_array() && !v.is_object()))
    });
    let Some(choices) = choices else {
        let message = "Choices are a list of {value, label, help}; each needs a “value”.";
        reader.error((origin.place)(at), &origin.key(at), message);
        return;
    };
    let Some(options) = options.and_then(Value::as_array) else { return };
    for choice in choices {
        if choice.get("value").is_some_and(|value| !options.contains(value)) {
            let message =
                format!("The choice {} is not in “enum”.", shown(choice.get("value").unwrap_or(&Value::Null)));
            reader.error((origin.place)(at), &origin.key(at), message);
        }
    }
}

fn check_references(
    reader: &mut Reader<'_>,
    origin: &Origin<'_>,
    pointer: &str,
    map: &Map<String, Value>,
    root: &Value,
) {
    for keyword in ["$dynamicRef", "$dynamicAnchor", "$anchor", "$id"] {
        if map.contains_key(keyword) && !(keyword == "$id" && pointer.is_empty()) {
            let at = format!("{pointer}/{keyword}");
            let message = format!("“{keyword}” is not supported. Point at a definition with “$ref: '#/$defs/…'”.");
            reader.error((origin.place)(&at), &origin.key(&at), message);
        }
    }
    let Some(reference) = map.get("$ref") else { return };
    let at = format!("{pointer}/$ref");
    let message = match reference.as_str() {
        Some(text) if text.starts_with("#/") && root.pointer(text.trim_start_matches('#')).is_some() => return,
        Some("#") => "The schema refers to itself as a whole. Write the levels out.".to_owned(),
        Some(text) if text.starts_with('#') => format!("There is nothing at “{text}”. Define it under “$defs”."),
        Some(text) => format!(
            "“{text}” lies outside this file. Remote references are not read: copy the definition under “$defs”."
        ),
        None => "“$ref” is text, such as “#/$defs/size”.".to_owned(),
    };
    reader.error((origin.place)(&at), &origin.key(&at), message);
}

fn check_members(reader: &mut Reader<'_>, origin: &Origin<'_>, pointer: &str, map: &Map<String, Value>) {
    let properties = map.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        let at = format!("{pointer}/properties/{}", schema::escape(name));
        if !is_identifier(name) {
            let message = format!("“{name}” cannot name an input: use letters, digits, “_”, “-” and “.”, at most 63.");
            reader.error((origin.place)(&at), &origin.key(&at), message);
        }
        if !property.is_object() && !property.is_boolean() {
            let message = format!("An input is a mapping, such as “{name}: {{type: string}}”.");
            reader.error((origin.place)(&at), &origin.key(&at), message);
        }
        if schema::flag(property, "readOnly")
            && property.get("default").is_none()
            && property.get("x-paddock-expression").is_none()
        {
            let message = "A read-only input always takes its default. Give it a “default”, or remove “readOnly”.";
            reader.problem(origin.bad_default, (origin.place)(&at), &origin.key(&at), message);
        }
        if schema::flag(property, "writeOnly") && property.get("default").is_some() {
            let message = "This secret has a default, which everybody can read in the catalog. Remove it, or do not mark the input “writeOnly”.";
            reader.problem(Severity::Warning, (origin.place)(&at), &origin.key(&at), message);
        }
    }
    let (Some(properties), Some(required)) = (properties, map.get("required").and_then(Value::as_array)) else {
        return;
    };
    for (index, name) in required.iter().enumerate() {
        let Some(name) = name.as_str().filter(|name| !properties.contains_key(*name)) else { continue };
        let at = format!("{pointer}/required/{index}");
        let meant = closest(name, properties.keys().map(String::as_str))
            .map(|meant| format!(" Did you mean “{meant}”?"))
            .unwrap_or_default();
        let message = format!("“{name}” is required, but there is no such input under “properties”.{meant}");
        reader.error((origin.place)(&at), &origin.key(&at), message);
    }
}

fn check_default(reader: &mut Reader<'_>, origin: &Origin<'_>, pointer: &str, map: &Map<String, Value>, root: &Value) {
    let Some(default) = map.get("default") else { return };
    let mut alone = map.clone();
    if let Some(definitions) = root.get("$defs") {
        alone.entry("$defs").or_insert_with(|| definitions.clone());
    }
    alone.shift_remove("readOnly");
    let Ok(validator) = schema::compile(&Value::Object(alone)) else { return };
    let Some(error) = validator.iter_errors(default).next() else { return };
    let words = schema::explain(&Value::Object(map.clone()), &error).into_iter().next().map(|error| error.detail);
    let at = format!("{pointer}/default");
    let message = format!("The default is not a value that this input takes: it {}.", words.unwrap_or_default());
    reader.problem(origin.bad_default, (origin.place)(&at), &origin.key(&at), message);
}
