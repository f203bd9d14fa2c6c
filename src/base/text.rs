//! Validated text: names and slugs, with the rule in the error.

use std::{fmt, str::FromStr};

use serde::Serialize;
use serde_json::Value;

/// Whether quotas can count by this name: lower-case letters, digits and “_”, beginning with a letter, at
/// most 40. The table of quotas has the same rule.
pub fn is_dimension(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    text.len() <= 40 && text.bytes().all(inner) && text.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
}

/// Whether a priced item can be called this: lower-case letters, digits, “.”, “_” and “-”, beginning with a
/// letter, at most 60. The table of items has the same rule.
pub fn is_item(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-');
    text.len() <= 60 && text.bytes().all(inner) && text.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
}

/// A name that people give to environments, projects and templates: 3 to 63 characters, letters,
/// digits, `-`, `_` and `.`, starting with a letter or digit. The rule of Azure Deployment
/// Environments (`^[a-zA-Z0-9][a-zA-Z0-9-_.]{2,62}$`), so that names can be brought along.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Name(String);

/// Why a text is not a [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Too short or too long.
    #[error("must be 3 to 63 characters long; this has {0}")]
    Length(usize),
    /// The first character is not a letter or digit.
    #[error("must start with a letter or a digit")]
    Start,
    /// A character that is not allowed.
    #[error("may contain letters, digits, “-”, “_” and “.”, but {}", words(*.0))]
    Character(char),
}

fn words(refused: char) -> String {
    if refused.is_whitespace() { "no spaces".to_owned() } else { format!("not “{refused}”") }
}

impl Name {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if let Some(bad) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))) {
            return Err(InvalidName::Character(bad));
        }
        if !(3..=63).contains(&text.len()) {
            return Err(InvalidName::Length(text.len()));
        }
        if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(InvalidName::Start);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a label of workers must be, for people.
pub const LABEL_RULE: &str = "must be 1 to 63 lower-case letters, digits and -_./=";

/// Whether this names what a worker has.
pub fn is_label(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.' | '/' | '=');
    !text.is_empty() && text.len() <= 63 && text.chars().all(fits)
}

/// What is wrong with a text that has the character NUL, which Postgres can store in no text.
pub const NUL_REFUSED: &str = "has the character U+0000 (NUL), which cannot be stored; leave it out";

/// JSON pointers, below `at`, of the texts and keys that have the character NUL.
pub fn nul_places(at: &str, value: &Value) -> Vec<String> {
    let step = |key: &str| format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
    match value {
        Value::String(text) if text.contains('\0') => vec![at.to_owned()],
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.flat_map(|(index, item)| nul_places(&format!("{at}/{index}"), item)).collect()
        }
        // A key with a NUL has no place that could be shown: its object stands for it.
        Value::Object(map) if map.keys().any(|key| key.contains('\0')) => vec![at.to_owned()],
        Value::Object(map) => map.iter().flat_map(|(key, item)| nul_places(&step(key), item)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// A lower-case slug made of `text`: letters and digits kept, everything else becomes single dashes.
pub fn slugify(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule_and_errors_say_it() {
        for good in ["abc", "A1_.", "orders-db", &"x".repeat(63)] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        assert_eq!("ab".parse::<Name>(), Err(InvalidName::Length(2)));
        assert_eq!("-ab".parse::<Name>(), Err(InvalidName::Start));
        assert_eq!("a b".parse::<Name>(), Err(InvalidName::Character(' ')));
        assert_eq!("äbc".parse::<Name>(), Err(InvalidName::Character('ä')));
        assert!(InvalidName::Character(' ').to_string().ends_with("but no spaces"));
        assert!(InvalidName::Character('ä').to_string().ends_with("but not “ä”"));
    }

    #[test]
    fn nul_is_found_wherever_it_hides() {
        let value = serde_json::json!({"a": "x\0", "b/c": [1, {"d": "\0"}], "e": {"\0": 1}, "f": "fine"});
        assert_eq!(nul_places("/inputs", &value), ["/inputs/a", "/inputs/b~1c/1/d", "/inputs/e"]);
    }

    #[test]
    fn slugs() {
        assert_eq!(slugify("App-Service-with-Cosmos_AZD-template"), "app-service-with-cosmos-azd-template");
        assert_eq!(slugify("  A  b!"), "a-b");
    }
}
