//! Which control a schema gets. Both directions, to the form and back, decide by this.

use serde_json::Value;

use crate::catalog::schema::{flag, is_group, resolve};

/// The control of a schema, with what it needs of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape<'s> {
    /// One line of text.
    Text,
    /// Several lines.
    LongText,
    /// A number; whether it must be whole.
    Number { whole: bool },
    /// Yes or no.
    Switch,
    /// One of these.
    One(Vec<Pick<'s>>),
    /// Several of these.
    Many(Vec<Pick<'s>>),
    /// A list of the same thing.
    List { item: &'s Value },
    /// An object with known members.
    Group,
    /// Anything else.
    Json,
}

/// One value to choose, with the words that its author gave it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pick<'s> {
    /// The value in the inputs.
    pub(super) value: &'s Value,
    /// The words shown.
    pub(super) label: Option<&'s str>,
    /// A line below.
    pub(super) help: Option<&'s str>,
}

impl Pick<'_> {
    /// The value as a form posts it.
    pub(super) fn posted(&self) -> String {
        posted(self.value)
    }
}

/// A value as a form posts it: text as it is, everything else as JSON.
pub(super) fn posted(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The type that the schema names, `null` aside.
pub(super) fn type_of(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::String(name) => Some(name),
        Value::Array(names) => {
            let mut names = names.iter().filter_map(Value::as_str).filter(|name| *name != "null");
            let first = names.next()?;
            if names.next().is_some() { None } else { Some(first) }
        }
        _ => None,
    }
}

/// The hint `x-paddock-control`.
pub(super) fn hint(schema: &Value) -> Option<&str> {
    schema.get("x-paddock-control").and_then(Value::as_str)
}

/// The control of `schema`, whose references lead into `root`.
pub(super) fn shape<'s>(root: &'s Value, schema: &'s Value) -> Shape<'s> {
    if hint(schema) == Some("json") {
        return Shape::Json;
    }
    if let Some(options) = options(schema) {
        return Shape::One(options);
    }
    match type_of(schema) {
        Some("string") if hint(schema) == Some("textarea") => Shape::LongText,
        Some("string") => Shape::Text,
        Some("integer") => Shape::Number { whole: true },
        Some("number") => Shape::Number { whole: false },
        Some("boolean") => Shape::Switch,
        Some("array") => array(root, schema),
        Some("object") if is_group(schema) => Shape::Group,
        // Without a type, members or items tell what it is.
        None if schema.get("type").is_none() && is_group(schema) => Shape::Group,
        _ => Shape::Json,
    }
}

fn array<'s>(root: &'s Value, schema: &'s Value) -> Shape<'s> {
    let Some(item) = schema.get("items").filter(|item| item.is_object()) else { return Shape::Json };
    if schema.get("prefixItems").is_some() {
        return Shape::Json;
    }
    let item = resolve(root, item);
    match shape(root, item) {
        Shape::One(options)
            if hint(schema) != Some("list") && (flag(schema, "uniqueItems") || hint(schema) == Some("checks")) =>
        {
            Shape::Many(options)
        }
        Shape::Json => Shape::Json,
        _ => Shape::List { item },
    }
}

/// The choices of an enumeration: `enum`, `const`, `x-paddock-choices`, or `oneOf` of constants.
fn options(schema: &Value) -> Option<Vec<Pick<'_>>> {
    let named = schema.get("x-paddock-choices").and_then(Value::as_array);
    let titled = schema
        .get("oneOf")
        .and_then(Value::as_array)
        .filter(|all| !all.is_empty() && all.iter().all(|one| one.get("const").is_some_and(is_scalar)));
    let bare = schema.get("enum").and_then(Value::as_array).filter(|all| !all.is_empty() && all.iter().all(is_scalar));
    if let Some(values) = bare {
        let words = |value: &Value| named.into_iter().flatten().find(|choice| choice.get("value") == Some(value));
        return Some(
            values
                .iter()
                .filter(|value| !value.is_null())
                .map(|value| option(value, words(value), "label", "help"))
                .collect(),
        );
    }
    if let Some(choices) = named {
        return choices
            .iter()
            .map(|choice| Some(option(choice.get("value")?, Some(choice), "label", "help")))
            .collect();
    }
    if let Some(choices) = titled {
        return choices
            .iter()
            .map(|choice| Some(option(choice.get("const")?, Some(choice), "title", "description")))
            .collect();
    }
    let constant = schema.get("const").filter(|value| is_scalar(value))?;
    Some(vec![option(constant, None, "", "")])
}

fn option<'s>(value: &'s Value, words: Option<&'s Value>, label: &str, help: &str) -> Pick<'s> {
    let text =
        |key: &str| words.and_then(|words| words.get(key)).and_then(Value::as_str).filter(|text| !text.is_empty());
    Pick { value, label: text(label), help: text(help) }
}

fn is_scalar(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}
