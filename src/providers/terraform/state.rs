//! Terraform's state file (format 4): which copy is newer, what is in it, and keeping it safe while
//! Terraform writes it.

use std::path::PathBuf;
use std::time::SystemTime;

use serde::Deserialize;
use serde_json::Value;

use crate::base::Digest;
use crate::providers::workspace::read;
use crate::providers::{Host, Output, ProviderError, Resource};

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
}

impl State {
    /// Reads a state; `None` while it is only half written, or is not a state at all.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        value.get("version")?.as_u64()?;
        serde_json::from_value(value).ok()
    }

    /// Whether `self` continues `other`.
    fn continues(&self, other: &Self) -> bool {
        self.lineage == other.lineage && self.serial > other.serial
    }

    /// What Terraform manages, as resources.
    pub fn resources(&self) -> Vec<Resource> {
        let managed = self.resources.iter().filter(|entry| entry.mode == "managed");
        managed.flat_map(|entry| entry.instances.iter().map(|instance| resource(entry, instance))).collect()
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

/// Which copy of the state to go on with: the one that Paddock keeps, unless the one that an
/// earlier attempt left on this machine continues it.
pub fn newest(saved: Option<Vec<u8>>, left: Option<Vec<u8>>) -> Option<Vec<u8>> {
    let (Some(left_bytes), Some(left_state)) = (&left, left.as_deref().and_then(State::parse)) else { return saved };
    match saved.as_deref().and_then(State::parse) {
        Some(saved_state) if left_state.continues(&saved_state) => left,
        None if saved.as_ref().is_none_or(Vec::is_empty) => Some(left_bytes.clone()),
        Some(_) | None => saved,
    }
}

/// Keeps Paddock's copy as new as the file, while Terraform writes it.
pub struct Sync {
    path: PathBuf,
    seen: Option<(SystemTime, u64)>,
    saved: Option<Digest>,
}

impl Sync {
    /// Watches `path`, of which Paddock has `saved`.
    pub fn new(path: PathBuf, saved: Option<&[u8]>) -> Self {
        Self { path, seen: None, saved: saved.map(Digest::of) }
    }

    /// The last look, after Terraform's end: trusts no time stamp.
    pub async fn finish(&mut self, host: &dyn Host) -> Result<bool, ProviderError> {
        self.seen = None;
        self.tick(host).await
    }

    /// Saves the file when it has changed. `Ok(true)` when Paddock has what the file holds.
    pub async fn tick(&mut self, host: &dyn Host) -> Result<bool, ProviderError> {
        let Ok(data) = self.path.metadata() else { return Ok(self.saved.is_none()) };
        let now = data.modified().ok().map(|time| (time, data.len()));
        if now.is_some() && now == self.seen {
            return Ok(true);
        }
        self.seen = None;
        let Some(bytes) = read(&self.path)? else { return Ok(false) };
        // Terraform writes in place: what is not whole yet is read again at the next tick.
        if State::parse(&bytes).is_none() {
            return Ok(false);
        }
        let digest = Digest::of(&bytes);
        if self.saved != Some(digest) {
            host.save_state(&bytes).await?;
            self.saved = Some(digest);
        }
        self.seen = now;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[allow(clippy::unnecessary_wraps, reason = "what the tested function takes")]
    fn state(lineage: &str, serial: u64) -> Option<Vec<u8>> {
        Some(json!({"version": 4, "lineage": lineage, "serial": serial}).to_string().into_bytes())
    }

    #[test]
    fn the_newer_copy_of_the_same_line_wins() {
        assert_eq!(newest(None, None), None);
        assert_eq!(newest(state("a", 3), None), state("a", 3));
        assert_eq!(newest(None, state("a", 1)), state("a", 1));
        assert_eq!(newest(state("a", 3), state("a", 4)), state("a", 4));
        assert_eq!(newest(state("a", 3), state("a", 3)), state("a", 3));
        assert_eq!(newest(state("a", 5), state("a", 4)), state("a", 5));
        assert_eq!(newest(state("a", 3), state("b", 9)), state("a", 3));
        assert_eq!(newest(state("a", 3), Some(b"{\"version\": 4, \"ser".to_vec())), state("a", 3));
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
