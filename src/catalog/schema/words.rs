//! The validator's errors in plain words. The value of a secret is never repeated (I20).

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value;

use super::{escape, holds_secret, properties, resolve};
use crate::base::FieldError;
use crate::catalog::manifest::{closest, list_words};

/// One error as errors of fields: a missing or unknown member is reported at the member.
pub(in crate::catalog) fn explain(schema: &Value, error: &ValidationError<'_>) -> Vec<FieldError> {
    let pointer = error.instance_path().as_str().to_owned();
    match error.kind() {
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            vec![FieldError::new(format!("{pointer}/{}", escape(name)), "must be given")]
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let parent = find(schema, &pointer);
            let at_top = pointer.is_empty();
            unexpected
                .iter()
                .map(|name| {
                    let meant =
                        parent.and_then(|parent| closest(name, properties(parent).map(|(name, _)| name.as_str())));
                    let what = if at_top { "is not an input of this template" } else { "is not known here" };
                    let detail = match meant {
                        Some(meant) => format!("{what}; did you mean “{meant}”?"),
                        None => what.to_owned(),
                    };
                    FieldError::new(format!("{pointer}/{}", escape(name)), detail)
                })
                .collect()
        }
        _ => {
            let field = find(schema, &pointer);
            vec![FieldError::new(pointer, words(schema, field, error))]
        }
    }
}

/// The schema of the value at a pointer, as far as it can be followed.
fn find<'s>(root: &'s Value, pointer: &str) -> Option<&'s Value> {
    let mut at = resolve(root, root);
    for step in pointer.split('/').skip(1) {
        let name = step.replace("~1", "/").replace("~0", "~");
        let next = at.get("properties").and_then(|all| all.get(&name)).or_else(|| {
            name.parse::<usize>().ok()?;
            at.get("items")
        })?;
        at = resolve(root, next);
    }
    Some(at)
}

fn words(root: &Value, field: Option<&Value>, error: &ValidationError<'_>) -> String {
    let value = error.instance().as_ref();
    let secret = field.is_none_or(|field| holds_secret(root, field, 0));
    let given = |rule: String| {
        if secret { rule } else { format!("{rule}; {} was given", shown(value)) }
    };
    let count = |rule: String, has: usize| if secret { rule } else { format!("{rule}; this has {has}") };
    let characters = value.as_str().map_or(0, |text| text.chars().count());
    let items = value.as_array().map_or(0, Vec::len);
    match error.kind() {
        Kind::Maximum { limit } => given(format!("must be at most {limit}")),
        Kind::Minimum { limit } => given(format!("must be at least {limit}")),
        Kind::ExclusiveMaximum { limit } => given(format!("must be less than {limit}")),
        Kind::ExclusiveMinimum { limit } => given(format!("must be more than {limit}")),
        Kind::MultipleOf { multiple_of } => given(format!("must be a multiple of {multiple_of}")),
        Kind::MinLength { .. } if characters == 0 => "must not be empty".to_owned(),
        Kind::MinLength { limit } => count(format!("must have at least {}", plural(*limit, "character")), characters),
        Kind::MaxLength { limit } => count(format!("must have at most {}", plural(*limit, "character")), characters),
        Kind::MinItems { limit } => count(format!("must have at least {}", plural(*limit, "item")), items),
        Kind::MaxItems { limit } => count(format!("must have at most {}", plural(*limit, "item")), items),
        Kind::AdditionalItems { limit } => format!("must have at most {}", plural(*limit as u64, "item")),
        Kind::MinProperties { limit } => format!("must have at least {}", plural(*limit, "member")),
        Kind::MaxProperties { limit } => format!("must have at most {}", plural(*limit, "member")),
        Kind::UniqueItems => "must not have the same item twice".to_owned(),
        Kind::Type { kind } => given(format!("must be {}", type_words(kind))),
        Kind::Enum { options } => given(format!("must be {}", choices(options))),
        Kind::Constant { expected_value } => given(format!("must be {}", shown(expected_value))),
        Kind::Pattern { pattern } => match field.and_then(|field| field.get("description")).and_then(Value::as_str) {
            Some(description) => {
                given(format!("does not have the right form ({})", description.trim().trim_end_matches('.')))
            }
            None => given(format!("must match the pattern {pattern}")),
        },
        Kind::Format { format } => given(format!("must be {}", format_words(format))),
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => either(root, field, context),
        Kind::OneOfMultipleValid { .. } => {
            "fits more than one of the forms that are allowed; it must fit one".to_owned()
        }
        Kind::Not { .. } => given("is a value that is not allowed".to_owned()),
        Kind::FalseSchema => "must not be given".to_owned(),
        Kind::Contains => "lacks an item that must be in it".to_owned(),
        Kind::PropertyNames { .. } => "has a member whose name is not allowed".to_owned(),
        Kind::BacktrackLimitExceeded { .. } | Kind::RegexEngineFailure { .. } => {
            "is too long or too tangled to be checked against its pattern".to_owned()
        }
        _ => given("is not valid".to_owned()),
    }
}

fn either(root: &Value, field: Option<&Value>, context: &[Vec<ValidationError<'_>>]) -> String {
    let mut ways: Vec<String> = context
        .iter()
        .filter_map(|errors| match errors.as_slice() {
            [error] => Some(words(root, field, error)),
            _ => None,
        })
        .collect();
    ways.dedup();
    if ways.is_empty() || ways.len() < context.len() || ways.len() > 4 {
        return "does not fit any of the forms that are allowed".to_owned();
    }
    // “; 3 was given” once is enough.
    let tail = ways.first().and_then(|way| way.split_once("; ")).map(|(_, tail)| tail.to_owned());
    let ways: Vec<&str> = ways.iter().map(|way| way.split_once("; ").map_or(way.as_str(), |(head, _)| head)).collect();
    let ways = ways.join(", or ");
    tail.map_or(ways.clone(), |tail| format!("{ways}; {tail}"))
}

fn plural(count: u64, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

fn choices(options: &Value) -> String {
    let all: Vec<String> = options.as_array().into_iter().flatten().map(plain).collect();
    if all.len() == 1 {
        return list_words(all.iter().map(String::as_str), "or");
    }
    if all.len() > 12 {
        let some = list_words(all.iter().take(12).map(String::as_str), "or");
        return format!("one of {} choices, such as {some}", all.len());
    }
    format!("one of {}", list_words(all.iter().map(String::as_str), "or"))
}

/// Text as it is, everything else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value as a sentence shows it: text in quotes, cut where it is long.
pub(in crate::catalog) fn shown(value: &Value) -> String {
    let cut = |text: &str| {
        if text.chars().count() > 60 {
            format!("{}…", text.chars().take(59).collect::<String>())
        } else {
            text.to_owned()
        }
    };
    match value {
        Value::String(text) => format!("“{}”", cut(text)),
        Value::Null => "nothing".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a group of values".to_owned(),
        Value::Bool(_) | Value::Number(_) => cut(&value.to_string()),
    }
}

fn type_words(kind: &TypeKind) -> String {
    let all: Vec<&str> = match kind {
        TypeKind::Single(one) => vec![one_type(&one.to_string())],
        TypeKind::Multiple(set) => {
            set.iter().map(|one| one.to_string()).filter(|name| name != "null").map(|name| one_type(&name)).collect()
        }
    };
    all.join(" or ")
}

fn one_type(name: &str) -> &'static str {
    match name {
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a group of values",
        _ => "left out",
    }
}

fn format_words(format: &str) -> String {
    match format {
        "email" | "idn-email" => "an e-mail address".to_owned(),
        "uri" | "iri" => "a web address with its scheme, such as https://example.com".to_owned(),
        "hostname" | "idn-hostname" => "a host name".to_owned(),
        "ipv4" => "an IPv4 address, such as 192.0.2.1".to_owned(),
        "ipv6" => "an IPv6 address, such as 2001:db8::1".to_owned(),
        "date" => "a date, such as 2026-01-31".to_owned(),
        "time" => "a time with its offset, such as 13:30:00Z".to_owned(),
        "date-time" => "a date and time with its offset, such as 2026-01-31T13:30:00Z".to_owned(),
        "duration" => "an ISO 8601 duration, such as P1DT12H".to_owned(),
        "uuid" => "a UUID".to_owned(),
        "regex" => "a regular expression".to_owned(),
        other => format!("of the format “{other}”"),
    }
}
