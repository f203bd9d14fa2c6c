//! What an environment takes of priced items: said by its template, counted by the price book.

use serde::{Deserialize, Serialize};

/// So much of an item, for as long as the environment is in one of these states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// The item of the price book, such as `vm.small`.
    pub item: String,
    /// How many of it.
    pub quantity: i64,
    /// For how long.
    #[serde(rename = "while")]
    pub during: During,
}

/// For how long something is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum During {
    /// Only while it runs: a stopped one takes none of it.
    Running,
    /// As long as it is there, stopped or not.
    Exists,
}

impl During {
    /// The word in manifests and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Exists => "exists",
        }
    }

    /// What is called `text`.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Running, Self::Exists].into_iter().find(|one| one.as_str() == text)
    }
}
