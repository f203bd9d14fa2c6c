//! What a filled-in form can be given away as: a link that fills it in again, a command that sends it,
//! a file to be kept in Git and sent from there.
//!
//! None holds a secret: link and file leave secret inputs out, a command names a variable in their place.

use serde_json::{Map, Value};

use super::fields;
use super::subject::Subject;
use super::typed::Typed;
use super::yaml;
use crate::base::text::Name;
use crate::catalog::form::{self, Choice, Control, Field};
use crate::web::ui::Share;
use crate::web::visitor::Visitor;

/// What the panel offers.
pub(super) fn of(visitor: &Visitor, subject: &Subject, typed: &Typed) -> Share {
    let path = filled(subject, typed);
    let public = &visitor.app.public_url;
    let link = public.join(&path).map_or_else(|_| path.clone(), |url| url.to_string());
    let api = public.join("/api/v1/requests").map_or_else(|_| String::new(), |url| url.to_string());
    let (mut body, secrets) = body(subject, typed);
    let command = command(&api, &body, &secrets);
    if let Some(members) = body.as_object_mut() {
        // A file is sent again when the environment has changed.
        members.remove("generation");
    }
    let (document, send) = kept(&api, subject, &body, &secrets);
    Share { href: path, link, command, document, send }
}

/// The address that fills the form in again.
pub(super) fn filled(subject: &Subject, typed: &Typed) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(telling(subject, pairs(subject, typed)));
    format!("{}?{}", subject.address(), query.finish())
}

/// The pairs that a link needs: an empty one only where something else would stand without it.
fn telling(subject: &Subject, pairs: Vec<(String, String)>) -> Vec<(String, String)> {
    let (mut told, empty): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(_, value)| !value.is_empty());
    if let Some(schema) = subject.schema() {
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
    let schema = subject.schema();
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
    if typed.exception {
        pairs.push(("exception".to_owned(), "true".to_owned()));
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
fn command(api: &str, body: &Value, secrets: &[String]) -> String {
    let mut body = body.clone();
    for (index, pointer) in secrets.iter().enumerate() {
        insert(&mut body, pointer, &mark_text(index));
    }
    let mut text = quoted(&serde_json::to_string_pretty(&body).unwrap_or_default());
    for (index, pointer) in secrets.iter().enumerate() {
        text = text.replace(&mark(index), &format!("'\"${}\"'", variable(pointer)));
    }
    format!("{}  --header 'Content-Type: application/json' \\\n  --data-raw {text}", curl(api))
}

/// The file, and the command that sends it.
fn kept(api: &str, subject: &Subject, body: &Value, secrets: &[String]) -> (String, String) {
    let document = yaml::document(&subject.title(), body, secrets);
    let name = body.get("name").and_then(Value::as_str).and_then(|name| name.parse::<Name>().ok());
    let file = name.map_or_else(|| "request.yaml".to_owned(), |name| format!("{name}.yaml"));
    let send = format!("{}  --header 'Content-Type: application/yaml' \\\n  --data-binary", curl(api));
    let command = if secrets.is_empty() {
        format!("{send} @{file}")
    } else {
        // yq writes the value of a variable so that YAML reads it back, whatever it holds.
        let put: Vec<String> =
            secrets.iter().map(|pointer| format!("{} = strenv({})", path(pointer), variable(pointer))).collect();
        format!("yq {} {file} |\n{send} @-", quoted(&put.join(" | ")))
    };
    (document, command)
}

fn curl(api: &str) -> String {
    format!(
        "curl --fail-with-body --silent --show-error {} \\\n  --header \"Authorization: Bearer $PADDOCK_TOKEN\" \\\n",
        quoted(api)
    )
}

/// The path of an input in the language of yq.
fn path(pointer: &str) -> String {
    let steps = pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"));
    steps.fold(".inputs".to_owned(), |path, step| format!("{path}[{}]", Value::String(step)))
}

/// The body without secrets, and the pointers of those that belong into it: typed or needed.
fn body(subject: &Subject, typed: &Typed) -> (Value, Vec<String>) {
    let schema = subject.schema();
    let (open, secret) = match schema {
        Some(schema) => form::split_secrets(schema, &typed.inputs),
        None => (Map::new(), Map::new()),
    };
    let typed = Typed { inputs: open, ..typed.clone() };
    let mut body = serde_json::to_value(typed.draft(subject).0).unwrap_or_default();
    if let Some(members) = body.as_object_mut() {
        members.retain(|name, value| !(value.is_null() || name == "reason" && *value == ""));
    }
    let secret = Value::Object(secret);
    let belongs = |schema: &Value, pointer: &str| {
        let has_place = insert(&mut body.clone(), pointer, "");
        has_place && (is_required(schema, pointer) || secret.pointer(pointer).is_some())
    };
    let secrets = schema.map(|schema| form::secrets(schema).into_iter().filter(|one| belongs(schema, one)).collect());
    (body, secrets.unwrap_or_default())
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
