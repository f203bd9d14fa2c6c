//! Validated text: names and slugs, with the rule in the error.

use std::{fmt, str::FromStr};

use serde::Serialize;

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
    #[error("may contain letters, digits, “-”, “_” and “.”, but not “{0}”")]
    Character(char),
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
    }

    #[test]
    fn slugs() {
        assert_eq!(slugify("App-Service-with-Cosmos_AZD-template"), "app-service-with-cosmos-azd-template");
        assert_eq!(slugify("  A  b!"), "a-b");
    }
}
