//! What a filled-in form can be given away as: a link that fills it in again, a command that sends it.
//!
//! Neither holds a secret: a link leaves secret inputs out, a command names a variable in their place.

use serde_json::{Map, Value};

use super::fields;
use super::subject::Subject;
use super::typed::Typed;
use crate::catalog::form::{self, Choice, Control, Field};
use crate::web::ui::Share;
use crate::web::visitor::Visitor;

/// What the panel offers.
pub(super) fn of(visitor: &Visitor, subject: &Subject, typed: &Typed) -> Share {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(telling(subject, pairs(subject, typed)));
    let path = format!("{}?{}", subject.address(), query.finish());
    let public = &visitor.app.public_url;
    let link = public.join(&path).map_or_else(|_| path.clone(), |url| url.to_string());
    let api = public.join("/api/v1/requests").map_or_else(|_| String::new(), |url| url.to_string());
    Share { href: path, link, command: command(&api, subject, typed) }
}

/// The pairs that a link needs: an empty one only where something else would stand without it.
fn telling(subject: &Subject, pairs: Vec<(String, String)>) -> Vec<(String, String)> {
    let (mut told, empty): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(_, value)| !value.is_empty());
    if let Some(version) = subject.version() {
        let schema = &version.inputs_schema;
        for pair in empty {
            let before = form::prefill(schema, &told);
            told.push(pair);
            if form::prefill(schema, &told) == before {
                told.pop();
            }
        }
    }
    told
}

/// The fields of the form as a browser posts them, without secrets and what cannot be changed. What
/// is off or empty is there, too, so that it does not become its default again.
pub(super) fn pairs(subject: &Subject, typed: &Typed) -> Vec<(String, String)> {
    let schema = subject.version().map(|version| &version.inputs_schema);
    let secrets: Vec<String> = schema
        .map(form::secrets)
        .unwrap_or_default()
        .into_iter()
        .map(|pointer| format!("{}{pointer}", form::PREFIX))
        .collect();
    let mut pairs = Vec::new();
    for section in fields::sections(subject, typed, &[]) {
        for field in &section.fields {
            gather(field, &secrets, &mut pairs);
        }
    }
    pairs
}

fn gather(field: &Field, secrets: &[String], pairs: &mut Vec<(String, String)>) {
    let below = |secret: &String| field.name == *secret || field.name.starts_with(&format!("{secret}/"));
    if field.secret || field.read_only || secrets.iter().any(below) {
        return;
    }
    let mut put = |value: &str| pairs.push((field.name.clone(), value.to_owned()));
    match &field.control {
        Control::Text { value, .. }
        | Control::LongText { value }
        | Control::Number { value, .. }
        | Control::Json { value } => put(value),
        Control::Switch { checked } => put(if *checked { "true" } else { "false" }),
        Control::Select { choices } | Control::Radios { choices } => chosen(choices).for_each(put),
        Control::Checks { choices } => {
            if chosen(choices).next().is_none() {
                put("");
            }
            chosen(choices).for_each(put);
        }
        Control::List { items, .. } => {
            if items.is_empty() {
                put("");
            }
            for item in items {
                gather(item, secrets, pairs);
            }
        }
        Control::Group { fields } => fields.iter().for_each(|inner| gather(inner, secrets, pairs)),
    }
}

fn chosen(choices: &[Choice]) -> impl Iterator<Item = &str> {
    choices.iter().filter(|choice| choice.selected).map(|choice| choice.value.as_str())
}

/// A call of the API that asks for the same, for a POSIX shell.
fn command(api: &str, subject: &Subject, typed: &Typed) -> String {
    let (body, variables) = body(subject, typed);
    let mut text = quoted(&body);
    for (index, variable) in variables.iter().enumerate() {
        text = text.replace(&mark(index), &format!("'\"${variable}\"'"));
    }
    format!(
        "curl --fail-with-body --silent --show-error {} \\\n  --header \"Authorization: Bearer $PADDOCK_TOKEN\" \\\n  \
         --header 'Content-Type: application/json' \\\n  --data-raw {text}",
        quoted(api)
    )
}

/// The body as JSON text, with a mark for each secret, and the variables that hold them.
fn body(subject: &Subject, typed: &Typed) -> (String, Vec<String>) {
    let schema = subject.version().map(|version| &version.inputs_schema);
    let (open, secret) = match schema {
        Some(schema) => form::split_secrets(schema, &typed.inputs),
        None => (Map::new(), Map::new()),
    };
    let typed = Typed { inputs: open, ..typed.clone() };
    let mut body = serde_json::to_value(typed.draft(subject).0).unwrap_or_default();
    let mut variables = Vec::new();
    if let Some(schema) = schema {
        let secret = Value::Object(secret);
        for pointer in form::secrets(schema) {
            if (is_required(schema, &pointer) || secret.pointer(&pointer).is_some())
                && insert(&mut body, &pointer, &mark_text(variables.len()))
            {
                variables.push(variable(&pointer));
            }
        }
    }
    if let Some(members) = body.as_object_mut() {
        members.retain(|name, value| !(value.is_null() || name == "reason" && *value == ""));
    }
    (serde_json::to_string_pretty(&body).unwrap_or_default(), variables)
}

fn is_required(schema: &Value, pointer: &str) -> bool {
    let name = pointer.trim_start_matches('/').replace("~1", "/").replace("~0", "~");
    schema.get("required").and_then(Value::as_array).is_some_and(|names| names.iter().any(|one| *one == name.as_str()))
}

/// Puts a text at a pointer of the inputs. False: its group was left out.
fn insert(body: &mut Value, pointer: &str, text: &str) -> bool {
    let Some((parent, last)) = pointer.rsplit_once('/') else { return false };
    let parent = body.pointer_mut(&format!("/inputs{parent}")).and_then(Value::as_object_mut);
    let Some(parent) = parent else { return false };
    parent.insert(last.replace("~1", "/").replace("~0", "~"), Value::String(text.to_owned()));
    true
}

/// `/admin_password` becomes `ADMIN_PASSWORD`.
fn variable(pointer: &str) -> String {
    let name: String =
        pointer.trim_start_matches('/').chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("INPUT_{}", name.to_ascii_uppercase())
}

/// No text of a form has this character: browsers do not send it.
fn mark_text(index: usize) -> String {
    format!("\u{1}{index}\u{1}")
}

/// The same as JSON writes it.
fn mark(index: usize) -> String {
    format!("\"\\u0001{index}\\u0001\"").trim_matches('"').to_owned()
}

/// One word of a POSIX shell, whatever it holds.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_the_shell_holds_anything() {
        assert_eq!(quoted("it's $HOME `x`"), "'it'\\''s $HOME `x`'");
        assert_eq!(variable("/admin/pass-word"), "INPUT_ADMIN_PASS_WORD");
        assert_eq!(serde_json::to_string(&mark_text(3)).unwrap(), format!("\"{}\"", mark(3)));
    }
}
