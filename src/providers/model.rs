//! What goes into a provider and what comes out.

use std::sync::Arc;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::base::id::{EnvironmentId, RunId};

/// A file of the template version.
#[derive(Debug, Clone)]
pub struct TemplateFile {
    /// Relative path with `/`, never leaving the folder.
    pub path: String,
    /// Whether the owner may execute it.
    pub executable: bool,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// Where things are made: settings of the target and its opened credential.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// The target's slug, for messages.
    pub slug: String,
    /// Settings without secrets, as the provider defines them.
    pub settings: Value,
    /// The credential, as the provider defines it; for `postgres` a connection URL.
    pub secret: Option<SecretString>,
}

/// Everything a provider needs for one run. Equal for every attempt, but for `attempt`.
#[derive(Debug, Clone)]
pub struct Job {
    /// The environment.
    pub environment: EnvironmentId,
    /// Its name, as people gave it.
    pub environment_name: String,
    /// The environment type's slug: dev, test, prod.
    pub environment_type: String,
    /// The project's slug.
    pub project: String,
    /// The run.
    pub run: RunId,
    /// Which attempt this is: the fencing token.
    pub attempt: i32,
    /// The environment's generation; a new one with every change that a person asked for.
    pub generation: i64,
    /// `create`, `update` or `delete`.
    pub operation: &'static str,
    /// The inputs, secret ones included.
    pub inputs: Map<String, Value>,
    /// Names of the inputs that are secret: their values are masked in logs.
    pub secret_inputs: Vec<String>,
    /// The manifest's settings for this provider.
    pub config: Value,
    /// The template's files.
    pub files: Arc<Vec<TemplateFile>>,
    /// Where to make things, for providers that need a target.
    pub target: Option<Target>,
    /// Seals values that must be the same on every attempt, for example a generated password:
    /// 32 bytes that follow from the environment and the platform's key.
    pub seed: [u8; 32],
    /// Canceled when the run must stop.
    pub cancel: CancellationToken,
}

/// Which stream a log line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = LogStream)]
pub enum Stream {
    /// What a program printed.
    Stdout,
    /// What a program printed as errors.
    Stderr,
    /// What Paddock itself says.
    Paddock,
}

/// What a plan would do to one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanAction {
    /// Make it.
    Create,
    /// Change it in place.
    Change,
    /// Destroy it and make it again.
    Replace,
    /// Destroy it.
    Destroy,
}

/// One line of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanChange {
    /// The resource, as the provider names it.
    pub address: String,
    /// What would happen to it.
    pub action: PlanAction,
    /// What changes, in words.
    pub summary: String,
}

/// What an apply would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The changes; empty when nothing would happen.
    pub changes: Vec<PlanChange>,
}

/// A value that the environment gives to its users.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Whether it is masked until revealed, and encrypted at rest.
    pub sensitive: bool,
    /// The value.
    pub value: Value,
}

/// Something that a run made, as the provider names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// The name inside the environment, unique there: `terraform_data.service`, `database`.
    pub address: String,
    /// The type: `terraform_data`, `postgres_database`.
    pub r#type: String,
    /// The id at the target, if it has one.
    pub provider_id: Option<String>,
}
