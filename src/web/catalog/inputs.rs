//! The inputs of a template as a table: what each takes, in words.

use serde_json::Value;

use super::view::InputRow;
use crate::catalog::form::{self, Choice, Control, Field};

/// The rows of a schema, members of groups included.
pub(super) fn rows(schema: &Value) -> Vec<InputRow> {
    let mut rows = Vec::new();
    for field in form::fields(schema, &form::defaults(schema), &[]) {
        add(&field, "", &mut rows);
    }
    rows
}

fn add(field: &Field, group: &str, rows: &mut Vec<InputRow>) {
    let label = if group.is_empty() { field.label.clone() } else { format!("{group}, {}", field.label) };
    if let Control::Group { fields } = &field.control {
        for inner in fields {
            add(inner, &label, rows);
        }
        return;
    }
    let mut kind = kind(&field.control);
    if field.secret {
        kind = format!("{kind}, secret");
    }
    if field.read_only {
        kind = format!("{kind}, fixed");
    }
    rows.push(InputRow {
        label,
        name: field.pointer.trim_start_matches('/').replace('/', "."),
        kind,
        required: field.required,
        default: default(&field.control).filter(|text| !text.is_empty() && !field.secret),
        help: field.help.clone(),
    });
}

fn kind(control: &Control) -> String {
    match control {
        Control::Text { min_length, max_length, .. } => match (min_length, max_length) {
            (Some(min), Some(max)) => format!("text, {min} to {max} characters"),
            (None, Some(max)) => format!("text, at most {max} characters"),
            (Some(min), None) => format!("text, at least {min} characters"),
            (None, None) => "text".to_owned(),
        },
        Control::LongText { .. } => "text of several lines".to_owned(),
        Control::Number { min, max, step, unit, .. } => {
            let what = if step.as_deref() == Some("any") { "number" } else { "whole number" };
            let range = match (min, max) {
                (Some(min), Some(max)) => format!(", {min} to {max}"),
                (Some(min), None) => format!(", at least {min}"),
                (None, Some(max)) => format!(", at most {max}"),
                (None, None) => String::new(),
            };
            let unit = unit.as_ref().map(|unit| format!(" {unit}")).unwrap_or_default();
            format!("{what}{range}{unit}")
        }
        Control::Switch { .. } => "yes or no".to_owned(),
        Control::Select { choices } | Control::Radios { choices } => format!("one of {}", listed(choices)),
        Control::Checks { choices } => format!("any of {}", listed(choices)),
        Control::List { .. } => "a list".to_owned(),
        Control::Group { .. } => "a group".to_owned(),
        Control::Json { .. } => "JSON".to_owned(),
    }
}

fn listed(choices: &[Choice]) -> String {
    let real: Vec<&str> =
        choices.iter().filter(|choice| !choice.value.is_empty()).map(|choice| choice.label.as_str()).collect();
    crate::web::words::listed(&real, "or")
}

fn default(control: &Control) -> Option<String> {
    match control {
        Control::Text { value, .. }
        | Control::LongText { value }
        | Control::Number { value, .. }
        | Control::Json { value } => Some(value.clone()),
        Control::Switch { checked } => Some(if *checked { "yes" } else { "no" }.to_owned()),
        Control::Select { choices } | Control::Radios { choices } | Control::Checks { choices } => {
            let chosen: Vec<&str> = choices
                .iter()
                .filter(|one| one.selected && !one.value.is_empty())
                .map(|one| one.label.as_str())
                .collect();
            Some(chosen.join(", "))
        }
        Control::List { items, .. } => {
            Some(items.iter().filter_map(|item| default(&item.control)).collect::<Vec<_>>().join(", "))
        }
        Control::Group { .. } => None,
    }
}
