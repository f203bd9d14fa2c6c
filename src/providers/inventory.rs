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
    /// Whose it is by its mark; `None` where the mark is ours and names nobody.
    pub environment: Option<EnvironmentId>,
    /// Since when it is there, where the target tells.
    pub since: Option<Timestamp>,
    /// What it costs, in words, where the target tells: `0.12 USD a day`.
    pub cost: Option<String>,
}
