//! What Paddock keeps of an environment in the simulated cloud: the intents. An object whose intent
//! is here may exist, whatever the cloud answered or did not answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::providers::{Host, ProviderError};

/// The record; it is the environment's provider state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// By name, every object that was ever meant to be made.
    pub objects: BTreeMap<String, Intent>,
}

/// One object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// How many of this name were made and removed before.
    pub made: u32,
    /// Whether there may be one now.
    pub maybe: bool,
}

impl Record {
    /// The record that Paddock has; empty for a new environment.
    pub async fn load(host: &dyn Host) -> Result<Self, ProviderError> {
        match host.load_state().await? {
            None => Ok(Self::default()),
            Some(bytes) => serde_json::from_slice(&bytes)
                .map_err(|_| ProviderError::failed("what was kept of this environment cannot be read")),
        }
    }

    /// Saves it.
    pub async fn save(&self, host: &dyn Host) -> Result<(), ProviderError> {
        host.save_state(&serde_json::to_vec(self).map_err(ProviderError::internal)?).await
    }

    /// The names of what may exist.
    pub fn maybe(&self) -> impl Iterator<Item = &str> {
        self.objects.iter().filter(|(_, intent)| intent.maybe).map(|(name, _)| name.as_str())
    }

    /// Notes that `name` is about to be made. False when that is known already.
    pub fn intend(&mut self, name: &str) -> bool {
        let intent = self.objects.entry(name.to_owned()).or_default();
        !std::mem::replace(&mut intent.maybe, true)
    }

    /// Notes that `name` is gone for sure.
    pub fn gone(&mut self, name: &str) {
        if let Some(intent) = self.objects.get_mut(name).filter(|intent| intent.maybe) {
            intent.maybe = false;
            intent.made += 1;
        }
    }
}
