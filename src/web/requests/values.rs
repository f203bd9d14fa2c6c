//! Input values as people read them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::catalog::form::{self, Control, Field};
use crate::web::ui::{Change, Fact};

/// What stands for a secret input: it is not told whether one is set.
const SECRET: &str = "secret, stored encrypted";

/// A value in words.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(members) => {
            members.iter().map(|(name, value)| format!("{name} {}", text(value))).collect::<Vec<_>>().join(", ")
        }
    }
}

/// The value of one input, in the words that the schema has for it.
pub fn words(schema: &Value, name: &str, value: &Value) -> String {
    let one = Map::from_iter([(name.to_owned(), value.clone())]);
    let fields = form::fields(schema, &one, &[]);
    let field = fields.iter().find(|field| field.pointer.strip_prefix('/') == Some(name));
    field.and_then(|field| chosen(&field.control)).unwrap_or_else(|| text(value))
}

/// The inputs with the labels of their schema, in its order; secret ones only say that they are.
pub fn facts(schema: &Value, inputs: &Map<String, Value>) -> Vec<Fact> {
    let fields = form::fields(schema, inputs, &[]);
    let mut facts = Vec::new();
    for field in &fields {
        add(field, "", &Value::Object(inputs.clone()), &mut facts);
    }
    for (name, value) in inputs {
        if !fields.iter().any(|field| field.pointer == format!("/{name}")) {
            facts.push(Fact::new(name, text(value)));
        }
    }
    facts
}

fn add(field: &Field, group: &str, inputs: &Value, facts: &mut Vec<Fact>) {
    let label = if group.is_empty() { field.label.clone() } else { format!("{group}, {}", field.label) };
    if let Control::Group { fields } = &field.control {
        for inner in fields {
            add(inner, &label, inputs, facts);
        }
        return;
    }
    if field.secret {
        facts.push(Fact::new(label, SECRET));
    } else if let Some(value) = inputs.pointer(&field.pointer) {
        facts.push(Fact::new(label, chosen(&field.control).unwrap_or_else(|| text(value))));
    }
}

/// The words of what is chosen, where the schema has words for it.
fn chosen(control: &Control) -> Option<String> {
    let (Control::Select { choices } | Control::Radios { choices } | Control::Checks { choices }) = control else {
        return None;
    };
    let words: Vec<&str> = choices.iter().filter(|one| one.selected).map(|one| one.label.as_str()).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// The labels of the inputs, by their names.
pub fn labels(schema: &Value) -> BTreeMap<String, String> {
    let fields = form::fields(schema, &Map::new(), &[]);
    fields.into_iter().map(|field| (field.pointer.trim_start_matches('/').to_owned(), field.label)).collect()
}

/// What differs, by the labels of the form.
pub fn changes(schema: &Value, before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<Change> {
    let labels = labels(schema);
    let added = after.keys().filter(|name| !before.contains_key(*name));
    let differ = before.keys().chain(added).filter(|name| before.get(*name) != after.get(*name));
    let text = |values: &Map<String, Value>, name: &String| match values.get(name) {
        Some(value) => words(schema, name, value),
        None => "none".to_owned(),
    };
    let change = |name: &String| Change {
        label: labels.get(name).unwrap_or(name).clone(),
        before: text(before, name),
        after: text(after, name),
    };
    differ.map(change).collect()
}
