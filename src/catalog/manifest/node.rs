//! YAML with the place of every key and value, read within a budget.
//!
//! Manifests come from strangers: aliases are counted, nesting is bounded, and nothing is
//! expanded beyond the budget. Duplicate keys are errors.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{DuplicateKeyPolicy, Spanned, UserMessageFormatter};

/// A line and a column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub col: u32,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where the value starts.
    pub at: Place,
    /// The text as written, for scalars: `1.10` stays `1.10`.
    raw: Option<(usize, usize)>,
    /// The value.
    pub value: Yaml,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Yaml {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order written.
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// The key.
    pub text: String,
    /// Where it stands.
    pub at: Place,
}

/// Why a text is not YAML that we read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    /// Where.
    pub at: Option<Place>,
    /// What is wrong, in words.
    pub message: String,
}

impl Node {
    /// Reads one YAML document.
    pub fn parse(text: &str) -> Result<Self, YamlError> {
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! {
                // The largest real manifest seen has some 400 values; a bomb has billions.
                max_events: 50_000,
                max_nodes: 25_000,
                max_aliases: 200,
                max_anchors: 200,
                max_depth: 48,
            },
            alias_limits: serde_saphyr::alias_limits! {
                max_total_replayed_events: 20_000,
                max_replay_stack_depth: 8,
            },
            duplicate_keys: DuplicateKeyPolicy::Error,
            strict_booleans: true,
        };
        let node = serde_saphyr::from_str_with_options::<Self>(text, options).map_err(|error| explain(&error))?;
        match node.find_nul() {
            Some(at) => Err(YamlError {
                at: Some(at),
                message: "The text has a NUL character, which cannot be stored. Remove it.".to_owned(),
            }),
            None => Ok(node),
        }
    }

    /// An empty mapping, where something that is optional is absent.
    pub fn empty(at: Place) -> Self {
        Self { at, raw: None, value: Yaml::Map(Vec::new()) }
    }

    /// Where a key or text with a NUL character stands: Postgres stores none.
    fn find_nul(&self) -> Option<Place> {
        match &self.value {
            Yaml::Text(text) => text.contains('\0').then_some(self.at),
            Yaml::List(items) => items.iter().find_map(Self::find_nul),
            Yaml::Map(entries) => entries
                .iter()
                .find_map(|(key, node)| if key.text.contains('\0') { Some(key.at) } else { node.find_nul() }),
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) => None,
        }
    }

    /// What kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Yaml::Null => "nothing",
            Yaml::Bool(_) => "true or false",
            Yaml::Number(_) => "a number",
            Yaml::Text(_) => "text",
            Yaml::List(_) => "a list",
            Yaml::Map(_) => "a mapping",
        }
    }

    /// The value of a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Yaml::Map(entries) => entries.iter().find(|(k, _)| k.text == key).map(|(_, node)| node),
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::Text(_) | Yaml::List(_) => None,
        }
    }

    /// A scalar with its quotes, as it was written in `source`.
    pub fn written<'a>(&self, source: &'a str) -> Option<&'a str> {
        self.raw.and_then(|(start, length)| source.get(start..start.checked_add(length)?))
    }

    /// A scalar as text, as it was written in `source`.
    pub fn scalar<'a>(&'a self, source: &'a str) -> Option<std::borrow::Cow<'a, str>> {
        match &self.value {
            Yaml::Text(text) => Some(text.as_str().into()),
            Yaml::Number(_) | Yaml::Bool(_) => Some(match self.written(source) {
                Some(written) => written.trim().into(),
                None => self.to_json().to_string().into(),
            }),
            Yaml::Null | Yaml::List(_) | Yaml::Map(_) => None,
        }
    }

    /// The value as JSON.
    pub fn to_json(&self) -> Value {
        match &self.value {
            Yaml::Null => Value::Null,
            Yaml::Bool(value) => Value::Bool(*value),
            Yaml::Number(value) => Value::Number(value.clone()),
            Yaml::Text(value) => Value::String(value.clone()),
            Yaml::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Yaml::Map(entries) => Value::Object(
                entries.iter().map(|(key, node)| (key.text.clone(), node.to_json())).collect::<Map<_, _>>(),
            ),
        }
    }

    /// Where the value at a JSON pointer stands: the key where there is one, or the nearest
    /// thing above that exists.
    pub fn place_of(&self, pointer: &str) -> Place {
        let mut node = self;
        let mut at = self.at;
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            match &node.value {
                Yaml::Map(entries) => match entries.iter().find(|(key, _)| key.text == step) {
                    Some((key, next)) => (at, node) = (key.at, next),
                    None => return at,
                },
                Yaml::List(items) => match step.parse::<usize>().ok().and_then(|index| items.get(index)) {
                    Some(next) => (at, node) = (next.at, next),
                    None => return at,
                },
                Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::Text(_) => return at,
            }
        }
        at
    }
}

fn place(location: &serde_saphyr::Location) -> Place {
    Place {
        line: u32::try_from(location.line()).unwrap_or(u32::MAX),
        col: u32::try_from(location.column()).unwrap_or(u32::MAX),
    }
}

const TOO_LARGE: &str = "It grows too large when its anchors, aliases and nesting are expanded. Write the \
                         values out, or make it smaller.";

fn explain(error: &serde_saphyr::Error) -> YamlError {
    let inner = error.without_snippet();
    let at = error.location().map(|location| place(&location));
    let message = match inner {
        serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("The key “{key}” stands here a second time. Remove one of the two.")
        }
        serde_saphyr::Error::DuplicateMappingKey { .. } => {
            "This key stands here a second time. Remove one of the two.".to_owned()
        }
        serde_saphyr::Error::Budget { .. } => TOO_LARGE.to_owned(),
        serde_saphyr::Error::MultipleDocuments { .. } => {
            "There is more than one document. One is read: remove the “---” and what follows.".to_owned()
        }
        serde_saphyr::Error::Eof { .. } => "There is nothing in it.".to_owned(),
        other => {
            let text = other.render_with_formatter(&UserMessageFormatter);
            // The place is a column of its own in the list of problems.
            let text = text.lines().next().unwrap_or_default();
            let text = text.split_once(" at line ").map_or(text, |(head, _)| head).trim().trim_end_matches('.');
            // Limits met inside an alias arrive as text.
            if text.starts_with("YAML document too large or too complex") {
                return YamlError { at, message: TOO_LARGE.to_owned() };
            }
            format!(
                "This is not valid YAML: {text}. Correct this place; often it is the indentation or a missing quote."
            )
        }
    };
    YamlError { at, message }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Yaml>::deserialize(deserializer)?;
        let span = spanned.defined.span();
        let raw = span
            .byte_offset()
            .zip(span.byte_len())
            .and_then(|(start, length)| Some((usize::try_from(start).ok()?, usize::try_from(length).ok()?)));
        Ok(Self { at: place(&spanned.referenced), raw, value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(YamlVisitor)
    }
}

struct YamlVisitor;

impl<'de> Visitor<'de> for YamlVisitor {
    type Value = Yaml;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Null)
    }

    fn visit_none<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Yaml, D::Error> {
        Yaml::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Yaml, E> {
        Ok(Yaml::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Yaml, E> {
        Ok(Yaml::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Yaml, E> {
        Ok(Yaml::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Yaml, E> {
        Number::from_f64(value).map(Yaml::Number).ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Yaml, E> {
        Ok(Yaml::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Yaml, E> {
        Ok(Yaml::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Yaml, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Yaml::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Yaml, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = access.next_key::<Spanned<String>>()? {
            let key = Key { at: place(&key.referenced), text: key.value };
            entries.push((key, access.next_value()?));
        }
        Ok(Yaml::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn every_key_and_value_knows_its_place() {
        let text = "name: A\ninputs:\n  size:\n    - 1.10\n    - yes\n";
        let node = Node::parse(text).unwrap();
        assert_eq!(node.place_of("/inputs/size"), Place { line: 3, col: 3 });
        assert_eq!(node.place_of("/inputs/size/1"), Place { line: 5, col: 7 });
        assert_eq!(node.place_of("/inputs/nowhere/x"), Place { line: 2, col: 1 });
        let Yaml::List(items) = &node.get("inputs").unwrap().get("size").unwrap().value else { panic!() };
        assert_eq!(items[0].scalar(text).unwrap(), "1.10");
        assert_eq!(items[1].value, Yaml::Text("yes".into()));
    }

    #[test]
    fn broken_yaml_is_explained_with_its_place() {
        for (text, line, part) in [
            ("a: 1\na: 2\n", 2, "“a” stands here a second time"),
            ("a: [1, 2\nb: 3\n", 2, "not valid YAML"),
            ("a: 'x\n", 2, "not valid YAML"),
            ("a: 1\n---\nb: 2\n", 3, "more than one document"),
            ("a: *x\n", 1, "not valid YAML"),
        ] {
            let error = Node::parse(text).unwrap_err();
            assert!(error.message.contains(part), "{text}: {error:?}");
            assert_eq!(error.at.map(|at| at.line), Some(line), "{text}: {error:?}");
        }
        assert!(Node::parse("").is_err() || Node::parse("").unwrap().value == Yaml::Null);
    }

    #[test]
    fn a_yaml_bomb_is_stopped_early() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let above = format!("*a{}", level - 1);
            writeln!(text, "a{level}: &a{level} [{}]", [above.as_str(); 9].join(", ")).unwrap();
        }
        let error = Node::parse(&text).unwrap_err();
        assert!(error.message.contains("grows too large"), "{error:?}");
        let deep = format!("a: {}{}", "[".repeat(5000), "]".repeat(5000));
        assert!(Node::parse(&deep).is_err());
    }
}
