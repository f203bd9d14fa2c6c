//! The key `config` of a template that a receiver of webhooks makes.

use super::node::{Node, Yaml};
use super::reader::Reader;
use crate::base::Lifetime;
use crate::catalog::model::Severity;
use crate::providers::{WEBHOOK_TIMES, is_path};

/// Reports everything that is wrong with it.
pub(super) fn check(reader: &mut Reader<'_>, node: &Node) {
    let Some(config) = node.get("config").filter(|config| matches!(config.value, Yaml::Map(_))) else { return };
    let inner = "config.";
    let hints = [("url", "The address of the receiver is part of the target, not of the template.")];
    reader.known_keys(config, inner, &["timeout", "status", "repeat", "parameters"], &hints, Severity::Error);
    if let Some(text) = reader.text(config, "timeout", inner) {
        let (at, key) = (config.place_of("/timeout"), "config.timeout");
        match text.parse::<Lifetime>() {
            Err(error) => reader.error(at, key, format!("“timeout” {error}.")),
            Ok(length) if !WEBHOOK_TIMES.contains(&length.0.as_secs()) => {
                reader.error(at, key, "“timeout” is from one second to seven days.");
            }
            Ok(_) => {}
        }
    }
    if let Some(path) = reader.text(config, "status", inner).filter(|path| !is_path(path)) {
        let message = format!("“status” is a path on the receiver's server, such as “/status”, not “{path}”.");
        reader.error(config.place_of("/status"), "config.status", message);
    }
    if let Some(repeat) = reader.text(config, "repeat", inner)
        && !matches!(repeat.as_str(), "idempotent" | "once")
    {
        let message = format!("“repeat” is “idempotent” or “once”, not “{repeat}”.");
        reader.error(config.place_of("/repeat"), "config.repeat", message);
    }
    reader.object(config, "parameters", inner);
}
