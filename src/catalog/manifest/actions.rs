//! The keys about what can be done with an environment that is there: `actions`, `connect`,
//! `auto_stop`. They are used from the manifest as it is stored ([`crate::catalog::actions_of`]).

use super::inputs;
use super::node::{Key, Node, Yaml};
use super::paddock::is_slug;
use super::reader::Reader;
use crate::base::Lifetime;
use crate::catalog::actions::POWER;
use crate::catalog::model::{OutputSpec, Severity};

const ACTION_KEYS: [&str; 5] = ["title", "description", "run", "repeat", "inputs"];

/// Reports everything that is wrong with them.
pub(super) fn check(reader: &mut Reader<'_>, node: &Node, prefix: &str, declared: &[OutputSpec]) {
    let names = actions(reader, node, prefix);
    connect(reader, node, prefix, declared);
    auto_stop(reader, node, prefix, &names);
}

fn actions(reader: &mut Reader<'_>, node: &Node, prefix: &str) -> Vec<String> {
    let Some(actions) = node.get("actions").filter(|actions| actions.value != Yaml::Null) else { return Vec::new() };
    let Yaml::Map(entries) = &actions.value else {
        let message = format!("“actions” is a mapping from names to actions, not {}: write “stop: …”.", actions.kind());
        reader.error(actions.at, &format!("{prefix}actions"), message);
        return Vec::new();
    };
    if entries.len() > 20 {
        reader.error(actions.at, &format!("{prefix}actions"), "At most 20 actions fit.");
    }
    for (name, action) in entries {
        one(reader, prefix, name, action);
    }
    let names: Vec<String> = entries.iter().map(|(name, _)| name.text.clone()).collect();
    for (name, needs) in [("stop", "start"), ("hibernate", "start"), ("start", "stop")] {
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        if has(name) && !has(needs) && !(name == "start" && has("hibernate")) {
            let message = format!("With “{name}” there must be “{needs}” as well: nobody could undo it otherwise.");
            reader.error(actions.at, &format!("{prefix}actions.{name}"), message);
        }
    }
    names
}

fn one(reader: &mut Reader<'_>, prefix: &str, name: &Key, action: &Node) {
    let key = format!("{prefix}actions.{}", name.text);
    if !is_slug(&name.text) {
        let message = format!("“{}” cannot name an action: use lower-case letters, digits and dashes.", name.text);
        reader.error(name.at, &key, message);
    }
    if !matches!(action.value, Yaml::Map(_)) {
        let message = format!("An action is a mapping with “run”, not {}: write “run: …”.", action.kind());
        reader.error(action.at, &key, message);
        return;
    }
    let inner = format!("{key}.");
    reader.known_keys(action, &inner, &ACTION_KEYS, &[], Severity::Error);
    reader.required_text(action, "run", &inner, "Say what does it: a script of the template, for example.");
    for (name, most) in [("title", 60), ("description", 300)] {
        let text = reader.text(action, name, &inner).unwrap_or_default();
        if let Some(value) = action.get(name).filter(|_| text.chars().count() > most) {
            reader.error(value.at, &format!("{inner}{name}"), format!("At most {most} characters fit."));
        }
    }
    match reader.text(action, "repeat", &inner).as_deref() {
        None | Some("idempotent" | "once") => {}
        Some(other) => {
            let message = format!("“repeat” is “idempotent” or “once”, not “{other}”.");
            reader.error(action.place_of("/repeat"), &format!("{inner}repeat"), message);
        }
    }
    if POWER.contains(&name.text.as_str()) {
        if let Some(value) = action.get("inputs") {
            let message =
                format!("“{}” is a power operation: it is asked for with one click, without a form.", name.text);
            reader.error(value.at, &format!("{inner}inputs"), message);
        }
    } else {
        inputs::read(reader, action.get("inputs"), &format!("{inner}inputs"), Severity::Error);
    }
}

fn connect(reader: &mut Reader<'_>, node: &Node, prefix: &str, declared: &[OutputSpec]) {
    let Some(connect) = node.get("connect").filter(|connect| connect.value != Yaml::Null) else { return };
    let key = format!("{prefix}connect");
    if !matches!(connect.value, Yaml::Map(_)) {
        let message = format!("“connect” is a mapping with “output”, not {}: write “output: …”.", connect.kind());
        reader.error(connect.at, &key, message);
        return;
    }
    let inner = format!("{key}.");
    reader.known_keys(connect, &inner, &["output", "label"], &[], Severity::Error);
    reader.text(connect, "label", &inner);
    let output = reader.required_text(connect, "output", &inner, "Name the output that holds the address.");
    if let Some(output) = output.filter(|output| !declared.iter().any(|one| one.name == *output)) {
        let message = format!("There is no output “{output}” under “outputs”.");
        reader.error(connect.place_of("/output"), &format!("{inner}output"), message);
    }
}

fn auto_stop(reader: &mut Reader<'_>, node: &Node, prefix: &str, actions: &[String]) {
    let Some(text) = reader.text(node, "auto_stop", prefix) else { return };
    let (at, key) = (node.place_of("/auto_stop"), format!("{prefix}auto_stop"));
    match text.parse::<Lifetime>() {
        Err(error) => reader.error(at, &key, format!("“auto_stop” {error}.")),
        Ok(length) if length.0.as_secs() < 300 => reader.error(at, &key, "“auto_stop” is at least 5 minutes."),
        Ok(_) if !actions.iter().any(|name| name == "stop") => {
            reader.error(at, &key, "“auto_stop” needs an action “stop”.");
        }
        Ok(_) => {}
    }
}
