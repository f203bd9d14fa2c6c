//! What Paddock keeps of an environment between runs: what was asked, and what the receiver said. It is
//! the provider state, so it is sealed at rest and written under the fence.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::report::Report;
use crate::providers::{Host, Output, ProviderError, Resource};

/// The record.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// The format; 1.
    version: u32,
    /// What was asked last, until its end is known.
    pub asked: Option<Asked>,
    /// The id of what ended well last.
    pub done: Option<String>,
    /// Whether anything was asked for that may exist and was not removed.
    pub may_exist: bool,
    outputs: Vec<StoredOutput>,
    resources: Vec<Resource>,
    /// What the receiver wants to be given again.
    pub keep: Value,
}

/// Work that a receiver was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The id of the request: the same over all attempts.
    pub id: String,
    /// Whether the receiver said that it goes on.
    #[serde(default)]
    pub accepted: bool,
    /// Where it says how far it is.
    #[serde(default)]
    pub status_url: Option<String>,
    /// Whether anything may have existed before.
    #[serde(default)]
    pub existed: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct StoredOutput {
    name: String,
    sensitive: bool,
    value: Value,
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

    /// The outputs.
    pub fn outputs(&self) -> Vec<Output> {
        let output = |o: &StoredOutput| Output { name: o.name.clone(), sensitive: o.sensitive, value: o.value.clone() };
        self.outputs.iter().map(output).collect()
    }

    /// The resources that the receiver named.
    pub fn told(&self) -> &[Resource] {
        &self.resources
    }

    /// What is there, by the receiver's word. Where it names nothing, the environment as a whole.
    pub fn resources(&self) -> Vec<Resource> {
        if self.may_exist && self.resources.is_empty() {
            return vec![Resource { address: "webhook".into(), r#type: "webhook".into(), provider_id: None }];
        }
        if self.may_exist { self.resources.clone() } else { Vec::new() }
    }

    /// The work ended well: what the receiver told of it. An action tells what has changed, all else tells
    /// all that there is.
    pub fn succeeded(&mut self, id: &str, operation: &str, report: &Report) {
        let mut after = Self { version: 1, done: Some(id.to_owned()), ..Self::default() };
        if operation != "delete" {
            let told = report.outputs().unwrap_or_default().into_iter();
            let told = told.map(|o| StoredOutput { name: o.name, sensitive: o.sensitive, value: o.value });
            let deployed = matches!(operation, "create" | "update");
            after.outputs = if deployed { Vec::new() } else { std::mem::take(&mut self.outputs) };
            for output in told {
                after.outputs.retain(|one| one.name != output.name);
                after.outputs.push(output);
            }
            let before = if deployed { Vec::new() } else { std::mem::take(&mut self.resources) };
            after.resources = report.resources().unwrap_or(before);
            after.keep = report.keep.clone().unwrap_or_else(|| self.keep.take());
            after.may_exist = true;
        }
        *self = after;
    }

    /// The work could not be done: what may be there all the same.
    pub fn failed(&mut self, report: &Report) {
        self.asked = None;
        self.may_exist = true;
        if let Some(resources) = report.resources() {
            self.resources = resources;
        }
        if let Some(keep) = &report.keep {
            self.keep = keep.clone();
        }
    }

    /// The receiver refused it, so nothing has changed.
    pub fn refused(&mut self) {
        self.may_exist = self.asked.take().is_none_or(|asked| asked.existed);
    }
}
