//! The providers that this process knows, by name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{
    CommandProvider, PostgresProvider, Provider, Settings, SimulatedProvider, SshProvider, TerraformProvider,
    WebhookProvider,
};
use crate::base::SystemClock;

/// The known providers.
#[derive(Clone, Default)]
pub struct Registry {
    providers: BTreeMap<&'static str, Arc<dyn Provider>>,
    work_root: Option<PathBuf>,
}

impl Registry {
    /// Adds a provider; one of the same name is replaced.
    #[must_use]
    pub fn with(mut self, provider: impl Provider + 'static) -> Self {
        self.providers.insert(provider.name(), Arc::new(provider));
        self
    }

    /// The providers that Paddock comes with, working on this machine as `settings` say.
    pub fn standard(settings: &Settings) -> Self {
        let registry = Self { work_root: Some(settings.work_root.clone()), ..Self::default() };
        #[cfg(feature = "aws")]
        let registry = registry.with(super::CloudFormationProvider);
        registry
            .with(PostgresProvider)
            .with(TerraformProvider::new(settings.clone()))
            .with(CommandProvider::new(settings.clone()))
            .with(SshProvider::new(settings.clone()))
            .with(WebhookProvider::new(Arc::new(SystemClock)))
            .with(SimulatedProvider::new(settings.work_root.join("simulated")))
    }

    /// The folder of the workspaces on this machine.
    pub fn work_root(&self) -> Option<&Path> {
        self.work_root.as_deref()
    }

    /// The provider of that name.
    pub fn find(&self, name: &str) -> Option<Arc<dyn Provider>> {
        self.providers.get(name).map(Arc::clone)
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.providers.keys().copied()
    }

    /// All of them, sorted by name.
    pub fn all(&self) -> impl Iterator<Item = &Arc<dyn Provider>> {
        self.providers.values()
    }
}
