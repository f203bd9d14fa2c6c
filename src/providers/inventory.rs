//! What a target holds that carries Paddock's mark, whoever owns it by now.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::id::EnvironmentId;

/// What a look at a whole target found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inventory {
    /// Nobody can list it: why, in words.
    CannotTell(String),
    /// Everything there that carries our mark.
    Listed(Vec<Marked>),
}

/// Something at a target that carries our mark.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Marked {
    /// The type, as in [`super::Resource`]: `postgres_database`.
    pub r#type: String,
    /// The id at the provider, as in [`super::Resource`]: it names the thing on the target.
    pub id: String,
    /// Its name inside the environment, as in [`super::Resource`], where the provider knows it.
    pub address: Option<String>,
    /// Whose it is by its mark; `None` where the mark is ours and names nobody.
    pub environment: Option<EnvironmentId>,
    /// Since when it is there, where the target tells.
    pub since: Option<Timestamp>,
    /// What it costs, in words, where the target tells: `0.12 USD a day`.
    pub cost: Option<String>,
    /// Whether [`super::Provider::collect`] lists it among the resources of its environment, by the same
    /// type and id: then an environment at rest owns it only with that record. Otherwise, for example a stack whose
    /// resources are listed instead of itself, its environment owns it as long as it lives.
    pub is_resource: bool,
}
