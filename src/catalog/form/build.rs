//! The fields of a form.

use serde_json::{Map, Value};

use super::field::{Choice, Control, Field};
use super::shape::{Pick, Shape, hint, posted, shape};
use crate::base::FieldError;
use crate::catalog::schema::{escape, flag, is_required, properties, resolve};

/// Most items that a list shows and takes without a `maxItems` of its own.
pub(super) const MAX_ITEMS: usize = 100;

/// The fields of a schema of type object, in the order written, with these values and errors.
///
/// The values are shown as they are: a new form starts with [`super::defaults`]. Errors whose
/// pointer belongs to no field (unknown inputs) are the caller's to show.
pub fn fields(schema: &Value, values: &Map<String, Value>, errors: &[FieldError]) -> Vec<Field> {
    Builder { root: schema, errors }.members(schema, Some(values), "")
}

struct Builder<'a> {
    root: &'a Value,
    errors: &'a [FieldError],
}

impl<'a> Builder<'a> {
    fn members(&self, schema: &'a Value, values: Option<&Map<String, Value>>, pointer: &str) -> Vec<Field> {
        properties(schema)
            .map(|(name, property)| {
                let property = resolve(self.root, property);
                let pointer = format!("{pointer}/{}", escape(name));
                let value = values.and_then(|values| values.get(name));
                self.field(property, &pointer, label(property, name), is_required(schema, name), value)
            })
            .collect()
    }

    fn field(&self, schema: &'a Value, pointer: &str, label: String, required: bool, value: Option<&Value>) -> Field {
        let shape = shape(self.root, schema);
        let read_only = flag(schema, "readOnly");
        let (value, required) = match (read_only, schema.get("default")) {
            (true, default) => (default, false),
            (false, _) => (value, required),
        };
        let nested = matches!(shape, Shape::Group | Shape::List { .. });
        let mut errors = self.own_errors(pointer, nested);
        let control = self.control(&shape, schema, pointer, required, value);
        if let Control::Group { fields } = &control {
            errors.extend(self.homeless_errors(pointer, fields));
        }
        Field {
            pointer: pointer.to_owned(),
            name: format!("{}{pointer}", super::PREFIX),
            label,
            help: schema
                .get("description")
                .and_then(Value::as_str)
                .map(str::trim)
                .filter(|text| !text.is_empty())
                .map(str::to_owned),
            required,
            read_only,
            secret: flag(schema, "writeOnly"),
            control,
            errors,
        }
    }

    /// Errors at the field, and below it where no field of its own shows them.
    fn own_errors(&self, pointer: &str, nested: bool) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for error in self.errors {
            let Some(rest) = error.pointer.strip_prefix(pointer) else { continue };
            let text = match (rest, nested) {
                ("", _) => error.detail.clone(),
                (rest, false) if rest.starts_with('/') => format!("{} {}", place(rest), error.detail),
                _ => continue,
            };
            if !found.contains(&text) {
                found.push(text);
            }
        }
        found
    }

    /// Errors about members of a group that it does not have.
    fn homeless_errors(&self, pointer: &str, members: &[Field]) -> Vec<String> {
        let below = format!("{pointer}/");
        let has_home = |at: &str| {
            members.iter().any(|member| at == member.pointer || at.starts_with(&format!("{}/", member.pointer)))
        };
        self.errors
            .iter()
            .filter(|error| error.pointer.starts_with(&below) && !has_home(&error.pointer))
            .map(|error| format!("{} {}", place(error.pointer.get(pointer.len()..).unwrap_or_default()), error.detail))
            .collect()
    }

    fn control(
        &self,
        shape: &Shape<'a>,
        schema: &'a Value,
        pointer: &str,
        required: bool,
        value: Option<&Value>,
    ) -> Control {
        let text = || value.filter(|value| !value.is_null()).map(posted).unwrap_or_default();
        let count = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
        match shape {
            Shape::Text => Control::Text {
                value: text(),
                pattern: schema.get("pattern").and_then(Value::as_str).map(html_pattern),
                min_length: count("minLength"),
                max_length: count("maxLength"),
                placeholder: placeholder(schema),
            },
            Shape::LongText => Control::LongText { value: text() },
            Shape::Number { whole } => number(schema, *whole, text()),
            Shape::Switch => Control::Switch { checked: value.is_some_and(|value| posted(value) == "true") },
            Shape::One(options) => one(options, schema, required, value),
            Shape::Many(options) => {
                let chosen: Vec<&Value> = match value {
                    Some(Value::Array(items)) => items.iter().collect(),
                    Some(other) => vec![other],
                    None => Vec::new(),
                };
                Control::Checks { choices: choices(options, &chosen) }
            }
            Shape::List { item } => self.list(schema, item, pointer, required, value),
            Shape::Group => Control::Group { fields: self.members(schema, value.and_then(Value::as_object), pointer) },
            Shape::Json => Control::Json { value: value.map(json_text).unwrap_or_default() },
        }
    }

    fn list(
        &self,
        schema: &'a Value,
        item: &'a Value,
        pointer: &str,
        required: bool,
        value: Option<&Value>,
    ) -> Control {
        let given: Vec<Option<&Value>> = match value {
            Some(Value::Array(items)) => items.iter().map(Some).collect(),
            Some(other) => vec![Some(other)],
            None => Vec::new(),
        };
        let size = |keyword: &str| schema.get(keyword).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let fewest = size("minItems").unwrap_or(0).min(MAX_ITEMS);
        let most = size("maxItems").unwrap_or(MAX_ITEMS);
        // A required list of at least n starts with n empty items instead of an error later.
        let shown = if required { given.len().max(fewest) } else { given.len() };
        let label = item.get("title").and_then(Value::as_str).unwrap_or("Item");
        let items = (0..shown)
            .map(|index| {
                let value = given.get(index).copied().flatten();
                self.field(item, &format!("{pointer}/{index}"), format!("{label} {}", index + 1), true, value)
            })
            .collect();
        Control::List { items, can_add: shown < most, can_remove: shown > if required { fewest } else { 0 } }
    }
}

fn label(schema: &Value, name: &str) -> String {
    let title = schema.get("title").and_then(Value::as_str).map(str::trim).filter(|title| !title.is_empty());
    title.map_or_else(|| humanise(name), str::to_owned)
}

/// Words that are written in capitals.
const ACRONYMS: [&str; 20] = [
    "api", "aws", "cidr", "cpu", "db", "dns", "gpu", "http", "https", "id", "ip", "os", "sku", "sql", "ssh", "ssl",
    "tls", "ttl", "url", "vm",
];

/// `runtimeType` and `runtime_type` become “Runtime type”; capitals in a row stay (`repoURL`).
pub(super) fn humanise(name: &str) -> String {
    let mut words = String::new();
    let mut before = ' ';
    for c in name.chars() {
        if matches!(c, '_' | '-' | '.') {
            if !words.ends_with(' ') {
                words.push(' ');
            }
        } else if c.is_uppercase() && before.is_lowercase() {
            words.push(' ');
            words.push(c);
        } else {
            words.push(c);
        }
        before = c;
    }
    let words: Vec<String> = words
        .split_whitespace()
        .map(|word| {
            let lower = word.to_lowercase();
            if ACRONYMS.contains(&lower.as_str()) {
                lower.to_uppercase()
            } else if word.chars().skip(1).any(char::is_uppercase) {
                word.to_owned()
            } else {
                lower
            }
        })
        .collect();
    let joined = words.join(" ");
    let mut letters = joined.chars();
    letters.next().map_or_else(|| name.to_owned(), |first| first.to_uppercase().chain(letters).collect())
}

/// `/net/port` as words in front of an error: “net, port:”; items count from 1.
fn place(rest: &str) -> String {
    let steps: Vec<String> = rest
        .split('/')
        .skip(1)
        .map(|step| match step.parse::<usize>() {
            Ok(index) => format!("item {}", index + 1),
            Err(_) => step.replace("~1", "/").replace("~0", "~"),
        })
        .collect();
    format!("{}:", steps.join(", "))
}

fn placeholder(schema: &Value) -> Option<String> {
    let example = schema.get("examples").and_then(|examples| examples.get(0));
    schema.get("x-paddock-placeholder").or(example).filter(|value| !value.is_array() && !value.is_object()).map(posted)
}

fn number(schema: &Value, whole: bool, value: String) -> Control {
    let limit = |keyword: &str| schema.get(keyword).filter(|limit| limit.is_number());
    // HTML has no exclusive bounds: for whole numbers the next one is the bound.
    let bound = |plain: &str, exclusive: &str, step: i64| match (limit(plain), limit(exclusive)) {
        (Some(limit), _) => Some(limit.to_string()),
        (None, Some(limit)) => match limit.as_i64().filter(|_| whole).and_then(|limit| limit.checked_add(step)) {
            Some(next) => Some(next.to_string()),
            None => Some(limit.to_string()),
        },
        (None, None) => None,
    };
    Control::Number {
        value,
        min: bound("minimum", "exclusiveMinimum", 1),
        max: bound("maximum", "exclusiveMaximum", -1),
        step: Some(match limit("multipleOf") {
            Some(step) => step.to_string(),
            None if whole => "1".to_owned(),
            None => "any".to_owned(),
        }),
        unit: schema.get("x-paddock-unit").and_then(Value::as_str).map(str::to_owned),
    }
}

fn one(options: &[Pick<'_>], schema: &Value, required: bool, value: Option<&Value>) -> Control {
    let chosen: Vec<&Value> = value.filter(|value| !value.is_null()).into_iter().collect();
    let mut choices = choices(options, &chosen);
    let radios = match hint(schema) {
        Some("radios") => true,
        Some("select") => false,
        _ => choices.len() <= 6 && options.iter().any(|option| option.help.is_some()),
    };
    let read_only = flag(schema, "readOnly");
    // Whoever may leave it out must be able to; whoever must choose must not find a choice made.
    let has_blank = options.iter().any(|option| option.posted().is_empty());
    let optional = !required && schema.get("default").is_none();
    let undecided = !choices.iter().any(|choice| choice.selected);
    if !has_blank && !read_only && (optional || (undecided && !radios)) {
        let label = if required { "Choose…" } else { "No choice" };
        choices.insert(0, Choice { value: String::new(), label: label.to_owned(), help: None, selected: undecided });
    }
    if radios { Control::Radios { choices } } else { Control::Select { choices } }
}

fn choices(options: &[Pick<'_>], chosen: &[&Value]) -> Vec<Choice> {
    let mut choices: Vec<Choice> = options
        .iter()
        .map(|option| {
            let value = option.posted();
            Choice {
                label: option.label.map_or_else(|| value.clone(), str::to_owned),
                help: option.help.map(str::to_owned),
                selected: chosen.iter().any(|chosen| *chosen == option.value || posted(chosen) == value),
                value,
            }
        })
        .collect();
    // What was given and is no choice is shown too, so that it is not lost without a word.
    for other in chosen {
        let value = posted(other);
        if !value.is_empty() && !choices.iter().any(|choice| choice.value == value) {
            choices.push(Choice {
                label: format!("{value} (not a choice any more)"),
                value,
                help: None,
                selected: true,
            });
        }
    }
    choices
}

/// A value as JSON text. Text that is not JSON was typed into this control and stays as typed, but
/// for blanks: nobody sees them, and they would be read as nothing.
fn json_text(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => String::new(),
        Value::String(text) if !text.trim().is_empty() && serde_json::from_str::<Value>(text).is_err() => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}

/// A JSON Schema pattern matches anywhere; the `pattern` of HTML the whole value. In HTML's `v`
/// mode a dash at the edge of a class must be escaped.
fn html_pattern(pattern: &str) -> String {
    let escaped = pattern.replace("\\-]", "-]").replace("-]", "\\-]").replace("[-", "[\\-").replace("[^-", "[^\\-");
    let anchored = escaped.starts_with('^') && escaped.ends_with('$') && !escaped.contains('|');
    if anchored { escaped } else { format!(".*(?:{escaped}).*") }
}
