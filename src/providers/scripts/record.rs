//! What Paddock keeps of an environment between runs: what was begun and ended, the storage folder,
//! the outputs. It is the provider state, so it is sealed at rest and written under the fence.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::id::RunId;
use crate::providers::workspace::write_files;
use crate::providers::{Host, Job, Output, ProviderError, Resource, TemplateFile};

/// The most that storage and outputs may hold, in bytes.
pub const LARGEST: usize = 16 * 1024 * 1024;

/// The record.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// The format; 1.
    pub version: u32,
    /// What was begun last and has not ended.
    pub begun: Option<Mark>,
    /// What ended with an error last.
    pub failed: Option<Mark>,
    /// What ended well last.
    pub done: Option<Mark>,
    /// Whether the last thing that ended well was the removal.
    pub removed: bool,
    /// The storage folder's files.
    pub storage: Vec<Stored>,
    /// The outputs.
    pub outputs: Vec<StoredOutput>,
    /// What it made, by its own word.
    pub resources: Vec<Resource>,
}

/// One execution of a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The run.
    pub run: RunId,
    /// Its operation.
    pub operation: String,
    /// The attempt; not part of what makes two marks the same.
    pub attempt: i32,
}

/// A file of the storage folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    path: String,
    executable: bool,
    content: String,
}

/// An output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredOutput {
    name: String,
    sensitive: bool,
    value: Value,
}

impl Mark {
    /// The mark of `job`.
    pub fn of(job: &Job) -> Self {
        Self { run: job.run, operation: job.operation.to_owned(), attempt: job.attempt }
    }

    /// Whether both are attempts at the same thing.
    pub fn is_same_work(&self, other: &Self) -> bool {
        self.run == other.run && self.operation == other.operation
    }
}

impl Record {
    /// The record that Paddock has; empty for a new environment.
    pub async fn load(host: &dyn Host) -> Result<Self, ProviderError> {
        match host.load_state().await? {
            None => Ok(Self { version: 1, ..Self::default() }),
            Some(bytes) => serde_json::from_slice(&bytes)
                .map_err(|_| ProviderError::failed("what was kept of this environment cannot be read")),
        }
    }

    /// Saves it.
    pub async fn save(&self, host: &dyn Host) -> Result<(), ProviderError> {
        host.save_state(&serde_json::to_vec(self).map_err(ProviderError::internal)?).await
    }

    /// Whether anything was ever begun that has not been removed: a failure may leave something.
    pub fn may_exist(&self) -> bool {
        !self.removed && [&self.begun, &self.failed, &self.done].into_iter().any(Option::is_some)
    }

    /// What is there by the record's word; without one, something that is called like its provider.
    pub fn resources(&self, provider: &str) -> Vec<Resource> {
        if self.may_exist() && self.resources.is_empty() {
            return vec![Resource { address: provider.into(), r#type: provider.into(), provider_id: None }];
        }
        if self.may_exist() { self.resources.clone() } else { Vec::new() }
    }

    /// The outputs.
    pub fn outputs(&self) -> Vec<Output> {
        let output = |o: &StoredOutput| Output { name: o.name.clone(), sensitive: o.sensitive, value: o.value.clone() };
        self.outputs.iter().map(output).collect()
    }

    /// Adds those of `before` that have no newer value.
    pub fn keep_outputs(&mut self, before: Vec<StoredOutput>) {
        let mut all = before;
        for newer in self.outputs.drain(..) {
            match all.iter_mut().find(|one| one.name == newer.name) {
                Some(one) => *one = newer,
                None => all.push(newer),
            }
        }
        self.outputs = all;
    }

    /// Writes the storage folder's files.
    pub fn unpack(&self, folder: &Path) -> Result<(), ProviderError> {
        for stored in &self.storage {
            let content = STANDARD.decode(&stored.content).map_err(ProviderError::internal)?;
            let file = TemplateFile { path: stored.path.clone(), executable: stored.executable, content };
            write_files(folder, [&file])?;
        }
        Ok(())
    }

    /// Takes the storage folder's files in. Links and devices are left out.
    pub fn pack(&mut self, folder: &Path) -> Result<(), ProviderError> {
        let mut files = Vec::new();
        let mut size = 0;
        walk(folder, folder, &mut size, &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        self.storage = files;
        Ok(())
    }

    /// Takes over what the outputs file says.
    pub fn read_outputs(&mut self, text: &[u8]) -> Result<(), ProviderError> {
        if text.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let wrong = |why: &str| ProviderError::failed(format!("the outputs file cannot be used: {why}"));
        let file: Value = serde_json::from_slice(text).map_err(|error| wrong(&error.to_string()))?;
        let outputs = file.get("outputs").and_then(Value::as_object);
        let outputs = outputs.ok_or_else(|| wrong("it has no object “outputs”"))?;
        let mut taken = Vec::new();
        for (name, output) in outputs {
            let value = output.get("value").ok_or_else(|| wrong(&format!("the output {name} has no value")))?;
            let sensitive = output.get("sensitive").and_then(Value::as_bool).unwrap_or(false);
            taken.push(StoredOutput { name: name.clone(), sensitive, value: value.clone() });
        }
        self.outputs = taken;
        if let Some(resources) = file.get("resources").and_then(Value::as_array) {
            self.resources = resources.iter().filter_map(resource).collect();
        }
        Ok(())
    }
}

fn resource(value: &Value) -> Option<Resource> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Resource {
        address: text("address")?,
        r#type: text("type").unwrap_or_else(|| "command".to_owned()),
        provider_id: text("id"),
    })
}

fn walk(root: &Path, folder: &Path, size: &mut usize, files: &mut Vec<Stored>) -> Result<(), ProviderError> {
    use std::os::unix::fs::PermissionsExt as _;
    for entry in std::fs::read_dir(folder).map_err(ProviderError::internal)? {
        let path = entry.map_err(ProviderError::internal)?.path();
        let data = path.symlink_metadata().map_err(ProviderError::internal)?;
        if data.is_dir() {
            walk(root, &path, size, files)?;
        } else if data.is_file() {
            let relative = path.strip_prefix(root).ok().and_then(Path::to_str);
            let Some(relative) = relative else { continue };
            *size = size.saturating_add(usize::try_from(data.len()).unwrap_or(usize::MAX));
            if *size > LARGEST {
                return Err(ProviderError::failed("the storage folder holds more than 16 MiB"));
            }
            let content = std::fs::read(&path).map_err(ProviderError::internal)?;
            files.push(Stored {
                path: relative.to_owned(),
                executable: data.permissions().mode() & 0o100 != 0,
                content: STANDARD.encode(content),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_read_in_the_shape_of_ade() {
        let mut record = Record::default();
        record.read_outputs(b" \n").unwrap();
        record
            .read_outputs(
                br#"{"outputs": {"url": {"type": "string", "value": "http://x"},
                    "key": {"type": "String", "value": "s", "sensitive": true}},
                    "resources": [{"address": "a", "type": "t", "id": "1"}, {"no": 1}]}"#,
            )
            .unwrap();
        let outputs = record.outputs();
        assert_eq!(
            outputs.iter().map(|o| (o.name.as_str(), o.sensitive)).collect::<Vec<_>>(),
            [("url", false), ("key", true)]
        );
        assert_eq!(record.resources.len(), 1);
        for bad in ["{", "[]", r#"{"outputs": {"a": {"type": "string"}}}"#] {
            assert!(record.read_outputs(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn storage_comes_back_as_it_was() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(one.path().join("deep")).unwrap();
        std::fs::write(one.path().join("deep/state"), [0, 159, 146, 150]).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", one.path().join("link")).unwrap();
        let mut record = Record::default();
        record.pack(one.path()).unwrap();
        record.unpack(two.path()).unwrap();
        assert_eq!(std::fs::read(two.path().join("deep/state")).unwrap(), [0, 159, 146, 150]);
        assert!(!two.path().join("link").exists());
    }
}
