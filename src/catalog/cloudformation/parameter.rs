//! One parameter of a CloudFormation template as JSON Schema.

use std::borrow::Cow;

use serde_json::{Map, Number, Value, json};

use crate::catalog::manifest::{Node, Place, Yaml, closest};
use crate::catalog::schema;

/// Where and what is wrong; without a place, the parameter as a whole.
type Wrong = (Option<Place>, String);

const TYPES: [&str; 4] = ["String", "Number", "CommaDelimitedList", "List<Number>"];

/// What a type's values are, one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Text,
    Number,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Type {
    item: Item,
    list: bool,
}

impl Type {
    fn of(word: &str) -> Option<Self> {
        let text = |list| Some(Self { item: Item::Text, list });
        match word {
            "String" => text(false),
            "Number" => Some(Self { item: Item::Number, list: false }),
            "CommaDelimitedList" => text(true),
            "List<Number>" => Some(Self { item: Item::Number, list: true }),
            "List<String>" => text(true),
            // The value is the name of a parameter in Systems Manager, whatever is stored there.
            _ if word.starts_with("AWS::SSM::Parameter::") => text(false),
            _ if word.starts_with("List<AWS::") && word.ends_with('>') => text(true),
            _ if word.starts_with("AWS::") => text(false),
            _ => None,
        }
    }
}

/// A parameter's schema, and whether a value must be given.
pub(super) fn property(name: &str, label: Option<&str>, node: &Node, source: &str) -> Result<(Value, bool), Wrong> {
    let text = |key: &str| node.get(key).and_then(|value| value.scalar(source)).map(Cow::into_owned);
    let at = |key: &str| node.get(key).map(|value| value.at);
    let word = text("Type").ok_or((None, "A parameter has a “Type”, such as String or Number.".to_owned()))?;
    let kind = Type::of(&word).ok_or_else(|| {
        let meant = closest(&word, TYPES.into_iter()).map(|meant| format!(" Did you mean “{meant}”?"));
        (at("Type"), format!("“{word}” is not a type of parameters.{}", meant.unwrap_or_default()))
    })?;
    let item = item(kind, node, source)?;
    let mut property = if kind.list {
        // Boxes to tick, where there is something to choose from.
        let unique = item.contains_key("enum");
        let mut list = Map::new();
        list.insert("type".to_owned(), "array".into());
        list.insert("items".to_owned(), item.into());
        if unique {
            list.insert("uniqueItems".to_owned(), true.into());
        }
        list
    } else {
        item
    };
    property.insert("title".to_owned(), label.map_or_else(|| title(name), str::to_owned).into());
    let help = [text("Description"), text("ConstraintDescription")];
    let help: Vec<String> = help.into_iter().flatten().map(|words| words.trim().to_owned()).collect();
    if !help.is_empty() {
        property.insert("description".to_owned(), help.join(" ").into());
    }
    let secret = text("NoEcho").is_some_and(|word| word.eq_ignore_ascii_case("true"));
    if secret {
        property.insert("writeOnly".to_owned(), true.into());
    }
    let Some(default) = node.get("Default") else { return Ok((property.into(), true)) };
    // A secret's default stays where it is.
    if !secret {
        let value = default_value(kind, default, source)?;
        check(&property, &value).map_err(|message| (Some(default.at), message))?;
        property.insert("default".to_owned(), value);
    }
    Ok((property.into(), false))
}

/// The schema of one value: what the type and the constraints say.
fn item(kind: Type, node: &Node, source: &str) -> Result<Map<String, Value>, Wrong> {
    let text = |key: &str| node.get(key).and_then(|value| value.scalar(source)).map(Cow::into_owned);
    let at = |key: &str| node.get(key).map(|value| value.at);
    let mut item = Map::new();
    item.insert("type".to_owned(), if kind.item == Item::Number { "number" } else { "string" }.into());
    if let Some(allowed) = node.get("AllowedValues") {
        let Yaml::List(values) = &allowed.value else {
            return Err((Some(allowed.at), "“AllowedValues” is a list.".to_owned()));
        };
        let values = values.iter().map(|value| one(kind.item, value, source)).collect::<Result<Vec<_>, _>>()?;
        item.insert("enum".to_owned(), values.into());
    }
    for (key, keyword) in [("MinLength", "minLength"), ("MaxLength", "maxLength")] {
        if let Some(length) = text(key) {
            let length: u64 = length.trim().parse().map_err(|_| (at(key), format!("“{key}” is a whole number.")))?;
            item.insert(keyword.to_owned(), length.into());
        }
    }
    for (key, keyword) in [("MinValue", "minimum"), ("MaxValue", "maximum")] {
        if let Some(bound) = text(key) {
            let bound = number(&bound).ok_or_else(|| (at(key), format!("“{key}” is a number.")))?;
            item.insert(keyword.to_owned(), bound.into());
        }
    }
    if let Some(pattern) = text("AllowedPattern") {
        // The whole value must match. What only Java understands is left to CloudFormation.
        let pattern = format!("^(?:{pattern})$");
        if schema::compile(&json!({"type": "string", "pattern": pattern})).is_ok() {
            item.insert("pattern".to_owned(), pattern.into());
        }
    }
    Ok(item)
}

/// A value as the type has it. `true`, unquoted, is the text.
fn one(item: Item, node: &Node, source: &str) -> Result<Value, Wrong> {
    let text = match &node.value {
        Yaml::Null => Some("".into()),
        _ => node.scalar(source),
    };
    let text = text.ok_or_else(|| (Some(node.at), format!("A value is one text or number, not {}.", node.kind())))?;
    match item {
        Item::Text => Ok(Value::from(text.into_owned())),
        Item::Number => {
            number(&text).map(Value::from).ok_or_else(|| (Some(node.at), format!("“{text}” is not a number.")))
        }
    }
}

fn default_value(kind: Type, node: &Node, source: &str) -> Result<Value, Wrong> {
    if !kind.list {
        return one(kind.item, node, source);
    }
    let Value::String(text) = one(Item::Text, node, source)? else { return Ok(Value::Array(Vec::new())) };
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let values = parts.map(|part| match kind.item {
        Item::Text => Ok(Value::from(part)),
        Item::Number => {
            number(part).map(Value::from).ok_or_else(|| (Some(node.at), format!("“{part}” is not a number.")))
        }
    });
    Ok(Value::Array(values.collect::<Result<_, _>>()?))
}

fn number(text: &str) -> Option<Number> {
    let text = text.trim();
    text.parse::<i64>().map(Number::from).ok().or_else(|| Number::from_f64(text.parse().ok()?))
}

fn check(property: &Map<String, Value>, value: &Value) -> Result<(), String> {
    let property = Value::Object(property.clone());
    let Ok(validator) = schema::compile(&property) else { return Ok(()) };
    let Some(error) = validator.iter_errors(value).next() else { return Ok(()) };
    let words = schema::explain(&property, &error).into_iter().next().map(|error| error.detail);
    Err(format!("The default is not a value that this parameter takes: it {}.", words.unwrap_or_default()))
}

/// `DBAllocatedStorage` as people read it: `DB allocated storage`.
fn title(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut words: Vec<String> = Vec::new();
    let mut before: Option<char> = None;
    for (at, &c) in letters.iter().enumerate() {
        let next_is_small = letters.get(at + 1).is_some_and(char::is_ascii_lowercase);
        let begins = match before {
            None => true,
            Some(last) if !c.is_ascii_alphanumeric() || !last.is_ascii_alphanumeric() => c.is_ascii_alphanumeric(),
            Some(last) => c.is_ascii_uppercase() && (!last.is_ascii_uppercase() || next_is_small),
        };
        before = Some(c);
        if !c.is_ascii_alphanumeric() {
            continue;
        }
        match words.last_mut() {
            Some(word) if !begins => word.push(c),
            _ => words.push(c.to_string()),
        }
    }
    let is_name = |word: &str| word.len() > 1 && word.chars().all(|c| !c.is_ascii_lowercase());
    let words: Vec<String> = words
        .into_iter()
        .enumerate()
        .map(|(at, word)| if at == 0 || is_name(&word) { word } else { word.to_ascii_lowercase() })
        .collect();
    let joined = words.join(" ");
    let mut chars = joined.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_words() {
        for (name, words) in [
            ("DBAllocatedStorage", "DB allocated storage"),
            ("KmsMasterKeyIdForSqs", "Kms master key id for sqs"),
            ("VPCName", "VPC name"),
            ("EC2SecurityGroup", "EC2 security group"),
            ("MultiAZ", "Multi AZ"),
            ("x", "X"),
            ("bucket-name", "Bucket name"),
        ] {
            assert_eq!(title(name), words);
        }
    }
}
