//! Variables of a `*.tf.json` file, brought into the form of the other files.
//!
//! In JSON a type is its words in a string, a condition is a string with a template `${…}`, and a
//! default is a value as it stands: a `${` in it means itself.

use hcl_edit::structure::Body;
use serde_json::{Map, Value};

/// Line, column and words.
type Wrong = (usize, usize, String);

/// Where each variable's name stands, the name, and its body.
pub(super) fn variables(text: &str) -> Result<Vec<(Option<usize>, String, Body)>, Wrong> {
    let file: Value = serde_json::from_str(text)
        .map_err(|error| (error.line(), error.column(), format!("This is not JSON that can be read: {error}.")))?;
    let start = text.find("\"variable\"").unwrap_or(0);
    let mut found = Vec::new();
    for variable in each(file.get("variable")) {
        for (name, bodies) in variable {
            let key = serde_json::Value::from(name.as_str()).to_string();
            let at = text.get(start..).and_then(|rest| rest.find(&key)).map(|offset| start + offset);
            let mut any = false;
            for body in each(Some(bodies)) {
                any = true;
                found.push((at, name.clone(), read(body)));
            }
            if !any {
                found.push((at, name.clone(), Body::new()));
            }
        }
    }
    Ok(found)
}

/// An object, or each of a list of them: JSON has both for blocks.
fn each(value: Option<&Value>) -> Vec<&Map<String, Value>> {
    match value {
        Some(Value::Object(map)) => vec![map],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_object).collect(),
        _ => Vec::new(),
    }
}

/// The body as Terraform's own language has it. What cannot be brought over is left out.
fn read(body: &Map<String, Value>) -> Body {
    let mut text = String::new();
    for (key, value) in body {
        let written = match (key.as_str(), value) {
            ("type", Value::String(words)) => words.clone(),
            ("validation", validations) => {
                for validation in each(Some(validations)) {
                    let condition = validation.get("condition").and_then(Value::as_str).unwrap_or_default();
                    let condition = condition.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
                    let words = validation.get("error_message").map_or_else(|| "\"\"".to_owned(), literal);
                    let block = format!(
                        "validation {{\n  condition = {}\n  error_message = {words}\n}}\n",
                        condition.unwrap_or("null")
                    );
                    if hcl_edit::parser::parse_body(&block).is_ok() {
                        text.push_str(&block);
                    }
                }
                continue;
            }
            _ => literal(value),
        };
        let line = format!("{key} = {written}\n");
        if hcl_edit::parser::parse_body(&line).is_ok() {
            text.push_str(&line);
        }
    }
    hcl_edit::parser::parse_body(&text).unwrap_or_default()
}

/// A value that stands for itself: no templates in it.
fn literal(value: &Value) -> String {
    value.to_string().replace("${", "$${").replace("%{", "%%{")
}
