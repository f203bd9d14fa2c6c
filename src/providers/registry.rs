//! The providers that this process knows, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{CommandProvider, PostgresProvider, Provider, Settings, SimulatedProvider, TerraformProvider};

/// The known providers.
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<&'static str, Arc<dyn Provider>>);

impl Registry {
    /// Adds a provider; one of the same name is replaced.
    #[must_use]
    pub fn with(mut self, provider: impl Provider + 'static) -> Self {
        self.0.insert(provider.name(), Arc::new(provider));
        self
    }

    /// The providers that Paddock comes with, working on this machine as `settings` say.
    pub fn standard(settings: &Settings) -> Self {
        Self::default()
            .with(PostgresProvider)
            .with(TerraformProvider::new(settings.clone()))
            .with(CommandProvider::new(settings.clone()))
            .with(SimulatedProvider::new(settings.work_root.join("simulated")))
    }

    /// The provider of that name.
    pub fn find(&self, name: &str) -> Option<Arc<dyn Provider>> {
        self.0.get(name).map(Arc::clone)
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.keys().copied()
    }

    /// All of them, sorted by name.
    pub fn all(&self) -> impl Iterator<Item = &Arc<dyn Provider>> {
        self.0.values()
    }
}
