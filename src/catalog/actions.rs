//! What a template can do with an environment that is there: power operations and its own actions.
//!
//! They stand under `actions` in the manifest, by name. The names start, stop, hibernate and restart
//! are power operations; every other one is an action with a form of its own.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::manifest::normalise;

/// The names that are power operations.
pub const POWER: [&str; 4] = ["start", "stop", "hibernate", "restart"];

/// What an attempt may do after another one died in the middle of an action.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RepeatClass {
    /// Do it again: twice is like once.
    #[default]
    Idempotent,
    /// Never by itself: a person looks first.
    Once,
}

/// An action as the manifest declares it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ActionSpec {
    /// Its name: `stop`, `rotate-password`.
    pub name: String,
    /// What people read on its button.
    pub title: String,
    /// One sentence about it.
    pub description: String,
    /// What the provider is to do: a script, or the name of something that it can do.
    pub run: String,
    /// See [`RepeatClass`].
    pub repeat: RepeatClass,
    /// JSON Schema 2020-12 of its inputs, always of type object.
    pub inputs: Value,
}

impl ActionSpec {
    /// Whether it is a power operation.
    pub fn is_power(&self) -> bool {
        POWER.contains(&self.name.as_str())
    }
}

/// How people get in, as the manifest's `connect` declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Connect {
    /// The output that holds the address.
    pub output: String,
    /// What people read on the button.
    pub label: String,
}

/// The actions of a manifest that was read without errors: power operations first, then by title.
pub fn actions_of(manifest: &Value) -> Vec<ActionSpec> {
    let Some(actions) = own(manifest).get("actions").and_then(Value::as_object) else { return Vec::new() };
    let mut found: Vec<ActionSpec> = actions.iter().filter_map(|(name, spec)| one(name, spec)).collect();
    let rank = |action: &ActionSpec| POWER.iter().position(|name| *name == action.name).unwrap_or(POWER.len());
    found.sort_by(|one, other| rank(one).cmp(&rank(other)).then_with(|| one.title.cmp(&other.title)));
    found
}

/// How people get in, where the manifest says so.
pub fn connect_of(manifest: &Value) -> Option<Connect> {
    let connect = own(manifest).get("connect")?;
    let text = |key: &str| connect.get(key).and_then(Value::as_str).map(str::to_owned);
    Some(Connect { output: text("output")?, label: text("label").unwrap_or_else(|| "Connect".to_owned()) })
}

/// How long it runs before it is stopped by itself, in seconds.
pub fn auto_stop_of(manifest: &Value) -> Option<i64> {
    let text = match own(manifest).get("auto_stop")? {
        Value::String(text) => text.clone(),
        Value::Number(seconds) => seconds.to_string(),
        _ => return None,
    };
    text.parse::<crate::base::Lifetime>().ok().map(|lifetime| lifetime.0.as_secs())
}

/// Where our keys stand: at the top, or under `x-paddock` in a manifest that is not ours.
pub(super) fn own(manifest: &Value) -> &Value {
    manifest.get("x-paddock").unwrap_or(manifest)
}

fn one(name: &str, spec: &Value) -> Option<ActionSpec> {
    let text = |key: &str| spec.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let title = Some(text("title")).filter(|title| !title.is_empty()).unwrap_or_else(|| titled(name));
    let inputs = spec.get("inputs").cloned().unwrap_or_else(|| json!({}));
    Some(ActionSpec {
        name: name.to_owned(),
        title,
        description: text("description"),
        run: text("run"),
        repeat: if text("repeat") == "once" { RepeatClass::Once } else { RepeatClass::Idempotent },
        inputs: normalise(if inputs.is_object() { inputs } else { Value::Object(Map::new()) }),
    })
    .filter(|action| !action.run.is_empty())
}

/// `rotate-password` as people read it: “Rotate password”.
fn titled(name: &str) -> String {
    let mut words = name.replace(['-', '_'], " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}
