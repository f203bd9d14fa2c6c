//! Terraform's state (format 4): its place in its history, and what is in it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::providers::{Output, Resource};

/// The parts of a state that we read; the rest is Terraform's.
#[derive(Debug, Clone, Deserialize)]
pub struct State {
    #[serde(default)]
    lineage: String,
    #[serde(default)]
    serial: u64,
    #[serde(default)]
    outputs: serde_json::Map<String, Value>,
    #[serde(default)]
    resources: Vec<Entry>,
}

#[derive(Debug, Clone, Deserialize)]
struct Entry {
    #[serde(default)]
    module: Option<String>,
    mode: String,
    #[serde(default)]
    provider: String,
    r#type: String,
    name: String,
    #[serde(default)]
    instances: Vec<Instance>,
}

#[derive(Debug, Clone, Deserialize)]
struct Instance {
    #[serde(default)]
    index_key: Option<Value>,
    #[serde(default)]
    attributes: Option<Value>,
    #[serde(default)]
    deposed: Option<String>,
    #[serde(default)]
    status: Option<String>,
}

impl Entry {
    /// `provider["terraform.io/builtin/terraform"]` is in the program: it cannot be wrong.
    fn is_foreign(&self) -> bool {
        !self.provider.contains("terraform.io/builtin/")
    }
}

impl State {
    /// Reads a state; `None` while it is only half written, or is not a state at all.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        value.get("version")?.as_u64()?;
        serde_json::from_value(value).ok()
    }

    /// Lineage and serial.
    pub fn place(&self) -> (&str, u64) {
        (&self.lineage, self.serial)
    }

    /// Whether `self` continues `other`.
    pub fn continues(&self, other: &Self) -> bool {
        self.lineage == other.lineage && self.serial > other.serial
    }

    /// What Terraform manages, as resources.
    pub fn resources(&self) -> Vec<Resource> {
        let managed = self.resources.iter().filter(|entry| entry.mode == "managed");
        managed.flat_map(|entry| entry.instances.iter().map(|instance| resource(entry, instance))).collect()
    }

    /// What other providers than Terraform's own manage.
    pub fn foreign(&self) -> Vec<Resource> {
        let managed = self.resources.iter().filter(|entry| entry.mode == "managed" && entry.is_foreign());
        managed.flat_map(|entry| entry.instances.iter().map(|instance| resource(entry, instance))).collect()
    }

    /// Whether there is any such resource.
    pub fn has_foreign(&self) -> bool {
        !self.foreign().is_empty()
    }

    /// What is recorded of each managed resource, by its address.
    pub fn attributes(&self) -> BTreeMap<String, Value> {
        let managed = self.resources.iter().filter(|entry| entry.mode == "managed");
        let one = |entry, instance: &Instance| {
            let mut recorded = instance.attributes.clone().unwrap_or_default();
            if let (Some(status), Some(map)) = (&instance.status, recorded.as_object_mut()) {
                map.insert("status".to_owned(), Value::from(status.as_str()));
            }
            (resource(entry, instance).address, recorded)
        };
        managed.flat_map(|entry| entry.instances.iter().map(move |instance| one(entry, instance))).collect()
    }

    /// The values of the outputs.
    pub fn outputs(&self) -> Vec<Output> {
        let outputs = self.outputs.iter().map(|(name, output)| Output {
            name: name.clone(),
            sensitive: output.get("sensitive").and_then(Value::as_bool).unwrap_or(false),
            value: output.get("value").cloned().unwrap_or(Value::Null),
        });
        outputs.collect()
    }
}

fn resource(entry: &Entry, instance: &Instance) -> Resource {
    let module = entry.module.as_ref().map(|module| format!("{module}.")).unwrap_or_default();
    let key = match &instance.index_key {
        Some(key) => format!("[{key}]"),
        None => String::new(),
    };
    // What a replacement has made obsolete and not removed yet.
    let deposed = instance.deposed.as_ref().map(|id| format!(" (deposed {id})")).unwrap_or_default();
    let id = instance.attributes.as_ref().and_then(|attributes| attributes.get("id")).and_then(Value::as_str);
    Resource {
        address: format!("{module}{}.{}{key}{deposed}", entry.r#type, entry.name),
        r#type: entry.r#type.clone(),
        provider_id: id.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_state_continues_its_own_history_only() {
        let state = |lineage: &str, serial: u64| {
            State::parse(json!({"version": 4, "lineage": lineage, "serial": serial}).to_string().as_bytes()).unwrap()
        };
        assert!(state("a", 4).continues(&state("a", 3)));
        assert!(!state("a", 3).continues(&state("a", 3)));
        assert!(!state("a", 3).continues(&state("a", 4)));
        assert!(!state("b", 9).continues(&state("a", 3)));
        assert!(State::parse(b"{\"version\": 4, \"ser").is_none());
    }

    #[test]
    fn addresses_are_terraforms() {
        let bytes = json!({"version": 4, "lineage": "a", "serial": 1,
        "outputs": {"token": {"value": "x", "type": "string", "sensitive": true}},
        "resources": [
            {"mode": "managed", "type": "terraform_data", "name": "replica", "module": "module.m",
             "instances": [{"index_key": 0, "attributes": {"id": "i-1"}},
                           {"index_key": "k", "deposed": "ab12", "attributes": {}}]},
            {"mode": "data", "type": "external", "name": "x", "instances": [{}]},
        ]});
        let state = State::parse(bytes.to_string().as_bytes()).unwrap();
        let resources = state.resources();
        let addresses: Vec<&str> = resources.iter().map(|resource| resource.address.as_str()).collect();
        assert_eq!(
            addresses,
            ["module.m.terraform_data.replica[0]", "module.m.terraform_data.replica[\"k\"] (deposed ab12)"]
        );
        assert_eq!(resources[0].provider_id.as_deref(), Some("i-1"));
        assert!(state.outputs()[0].sensitive);
        assert!(State::parse(b"<html>").is_none());
    }
}
