//! What a browser posts, as inputs.

use std::collections::HashMap;

use serde_json::{Map, Number, Value};

use super::build::MAX_ITEMS;
use super::shape::{Pick, Shape, shape};
use crate::catalog::schema::{defaults, escape, flag, is_required, properties, resolve};

/// Reads a whole posted form. Names are `inputs` and the pointer: `inputs/size`, `inputs/tags/0`,
/// `inputs/net/port`; other names are left alone.
///
/// A box that is not posted is not ticked. An empty text is an absent value, but for a text that
/// has a default: emptying it is a choice. What does not fit its type stays text. Inputs that the
/// schema does not have are kept, so that they are refused. `_add` and `_remove` are carried out.
/// Read-only inputs take their default, whatever was posted.
pub fn parse(schema: &Value, pairs: &[(String, String)]) -> Map<String, Value> {
    Posted::new(schema, pairs, true).inputs()
}

/// Reads values that a link carries: only what it names is set, the rest is as in an untouched form.
pub fn prefill(schema: &Value, pairs: &[(String, String)]) -> Map<String, Value> {
    let mut values = defaults(schema);
    values.extend(Posted::new(schema, pairs, false).inputs());
    values
}

/// True when a list's button was pressed: show the form again instead of submitting it.
pub fn list_button(pairs: &[(String, String)]) -> bool {
    pairs.iter().any(|(name, _)| name == "_add" || name == "_remove")
}

struct Posted<'a> {
    root: &'a Value,
    values: HashMap<&'a str, Vec<&'a str>>,
    add: Option<String>,
    remove: Option<String>,
    /// Whether what is not there was left out by the browser (an unticked box), or never asked for.
    whole: bool,
}

impl<'a> Posted<'a> {
    fn new(root: &'a Value, pairs: &'a [(String, String)], whole: bool) -> Self {
        let mut values: HashMap<&str, Vec<&str>> = HashMap::new();
        let (mut add, mut remove) = (None, None);
        for (name, value) in pairs {
            match name.as_str() {
                "_add" => add = Some(control_name(value)),
                "_remove" => remove = Some(control_name(value)),
                name => values.entry(name).or_default().push(value),
            }
        }
        Self { root, values, add, remove, whole }
    }

    fn inputs(&self) -> Map<String, Value> {
        let mut inputs = self.members(self.root, super::PREFIX);
        for name in self.values.keys() {
            let Some(rest) = name.strip_prefix(super::PREFIX).and_then(|rest| rest.strip_prefix('/')) else { continue };
            let first = rest.split('/').next().unwrap_or_default();
            let key = first.replace("~1", "/").replace("~0", "~");
            if !properties(self.root).any(|(known, _)| *known == key) {
                inputs.insert(key, self.last(name).unwrap_or_default().into());
            }
        }
        inputs
    }

    fn last(&self, name: &str) -> Option<&'a str> {
        self.values.get(name).and_then(|values| values.last()).copied()
    }

    /// A list's button was pressed: empty items are shown again instead of dropped.
    fn editing(&self) -> bool {
        self.add.is_some() || self.remove.is_some()
    }

    fn members(&self, schema: &'a Value, name: &str) -> Map<String, Value> {
        let mut members = Map::new();
        for (key, property) in properties(schema) {
            let property = resolve(self.root, property);
            if flag(property, "readOnly") {
                if let Some(default) = property.get("default").filter(|_| self.whole) {
                    members.insert(key.clone(), default.clone());
                }
                continue;
            }
            let name = format!("{name}/{}", escape(key));
            if let Some(value) = self.value(property, &name, is_required(schema, key)) {
                members.insert(key.clone(), value);
            }
        }
        members
    }

    fn value(&self, schema: &'a Value, name: &str, required: bool) -> Option<Value> {
        match shape(self.root, schema) {
            Shape::Text => self.text(schema, name, self.last(name)?.to_owned()),
            Shape::LongText => self.text(schema, name, self.last(name)?.replace("\r\n", "\n")),
            Shape::Number { whole } => number(self.last(name)?, whole),
            Shape::Switch => match self.values.get(name) {
                Some(values) => Some(Value::Bool(values.iter().any(|value| matches!(*value, "true" | "on")))),
                None => Some(Value::Bool(false)).filter(|_| self.whole),
            },
            Shape::One(options) => pick(&options, self.last(name)?),
            Shape::Many(options) => {
                let posted = self.values.get(name);
                let chosen: Vec<Value> =
                    posted.into_iter().flatten().filter_map(|value| pick(&options, value)).collect();
                self.collection(chosen, schema, required, posted.is_some())
            }
            Shape::List { item } => {
                let indexes = self.indexes(name);
                let named = !indexes.is_empty() || self.values.contains_key(name);
                self.collection(self.items(item, name, &indexes), schema, required, named)
            }
            Shape::Group => self.group(schema, name, required),
            Shape::Json => json(self.last(name)?),
        }
    }

    fn text(&self, schema: &Value, name: &str, text: String) -> Option<Value> {
        let has_default = schema.get("default").and_then(Value::as_str).is_some_and(|default| !default.is_empty());
        let in_new_item = self.editing() && name.rsplit('/').next().is_some_and(|step| step.parse::<usize>().is_ok());
        Some(Value::String(text)).filter(|value| value != "" || has_default || in_new_item)
    }

    /// An empty list is absent where that may be, unless emptying it takes back a default.
    fn collection(&self, items: Vec<Value>, schema: &Value, required: bool, named: bool) -> Option<Value> {
        if items.is_empty() && (!(self.whole || named) || !(required || schema.get("default").is_some())) {
            return None;
        }
        Some(Value::Array(items))
    }

    /// The numbers of the items that were posted, in order; holes are closed.
    fn indexes(&self, name: &str) -> Vec<usize> {
        let below = format!("{name}/");
        let mut indexes: Vec<usize> =
            self.values.keys().filter_map(|key| key.strip_prefix(&below)?.split('/').next()?.parse().ok()).collect();
        indexes.sort_unstable();
        indexes.dedup();
        indexes.truncate(MAX_ITEMS * 10);
        indexes
    }

    fn items(&self, item: &'a Value, name: &str, indexes: &[usize]) -> Vec<Value> {
        let mut items = Vec::new();
        for index in indexes {
            let name = format!("{name}/{index}");
            if self.remove.as_deref() == Some(name.as_str()) {
                continue;
            }
            match self.value(item, &name, true) {
                Some(Value::Object(members)) if members.is_empty() && !self.editing() => {}
                Some(value) => items.push(value),
                None if self.editing() => items.push(empty_item(self.root, item)),
                None => {}
            }
        }
        if self.add.as_deref() == Some(name) {
            items.push(empty_item(self.root, item));
        }
        items
    }

    /// An optional object is absent when nothing was entered into it: unticked boxes and a
    /// missing required member are what an untouched group posts.
    fn group(&self, schema: &'a Value, name: &str, required: bool) -> Option<Value> {
        let members = self.members(schema, name);
        if required || self.editing() && !members.is_empty() {
            return Some(Value::Object(members));
        }
        let untouched = members.iter().all(|(key, value)| {
            let default =
                schema.get("properties").and_then(|all| all.get(key)).map(|property| resolve(self.root, property));
            *value == Value::Bool(false) || default.and_then(|property| property.get("default")) == Some(value)
        });
        let incomplete = properties(schema).any(|(key, _)| is_required(schema, key) && !members.contains_key(key));
        if members.is_empty() || (untouched && incomplete) { None } else { Some(Value::Object(members)) }
    }
}

/// The value of a button: the pointer of the list or item, or the name of its control.
fn control_name(value: &str) -> String {
    if value.starts_with('/') { format!("{}{value}", super::PREFIX) } else { value.to_owned() }
}

fn empty_item(root: &Value, item: &Value) -> Value {
    if let Some(default) = item.get("default") {
        return default.clone();
    }
    match shape(root, item) {
        Shape::Group => Value::Object(defaults(item)),
        Shape::Switch => Value::Bool(false),
        Shape::List { .. } | Shape::Many(_) => Value::Array(Vec::new()),
        Shape::Text | Shape::LongText | Shape::Number { .. } | Shape::One(_) | Shape::Json => {
            Value::String(String::new())
        }
    }
}

fn number(text: &str, whole: bool) -> Option<Value> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let value = if digits.bytes().all(|b| b.is_ascii_digit()) {
        // Too large for 64 bits would lose digits as a float: it stays text and is refused.
        text.parse::<i64>().map(Number::from).ok().or_else(|| text.parse::<u64>().map(Number::from).ok())
    } else if digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-')) {
        text.parse::<f64>().ok().filter(|value| value.is_finite()).and_then(|value| {
            let exact = whole && value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0;
            if exact { serde_json::from_str(&format!("{value:.0}")).ok() } else { Number::from_f64(value) }
        })
    } else {
        None
    };
    Some(value.map_or_else(|| Value::String(text.to_owned()), Value::Number))
}

fn pick(options: &[Pick<'_>], text: &str) -> Option<Value> {
    match options.iter().find(|option| option.posted() == text) {
        Some(option) => Some(option.value.clone()),
        None if text.is_empty() => None,
        None => Some(Value::String(text.to_owned())),
    }
}

fn json(text: &str) -> Option<Value> {
    let text = text.replace("\r\n", "\n");
    if text.trim().is_empty() {
        return None;
    }
    Some(serde_json::from_str(&text).unwrap_or(Value::String(text)))
}
