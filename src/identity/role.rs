//! Placeholder until `policy::Role` lands.
use serde::{Deserialize, Serialize};
/// What somebody is on the platform or in a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Asks for environments.
    Developer,
    /// Leads a team.
    Lead,
    /// Curates the platform.
    Admin,
    /// Reads everything.
    Auditor,
}
impl Role {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Developer => "developer",
            Self::Lead => "lead",
            Self::Admin => "admin",
            Self::Auditor => "auditor",
        }
    }
}
