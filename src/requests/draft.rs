//! A draft: what somebody is about to ask for, not yet checked.

use jiff::SignedDuration;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::base::id::EnvironmentId;
use crate::environments::Operation;

/// What somebody is about to ask for.
#[derive(Debug, Clone, Serialize)]
pub struct Draft {
    /// The operation and what it needs.
    #[serde(flatten)]
    pub intent: Intent,
    /// Why: approvers read this first.
    pub reason: String,
    /// Asks for an exception from the rules that forbid it and allow one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub exception: bool,
}

/// An operation and what it needs.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "operation", rename_all = "snake_case")]
pub enum Intent {
    /// Make an environment.
    Create {
        /// The project's slug.
        project: String,
        /// The environment type's slug.
        environment_type: String,
        /// The template's slug.
        template: String,
        /// The number of the version; the published one when left out.
        version: Option<i32>,
        /// The environment's name.
        name: String,
        /// The inputs.
        inputs: Map<String, Value>,
        /// How long it is to live; the default of the environment type when left out.
        lifetime: Option<SignedDuration>,
    },
    /// Change an environment.
    Update {
        /// The environment.
        environment: EnvironmentId,
        /// The generation that the change is made for.
        generation: Option<i64>,
        /// The number of the version to go to; stays when left out.
        version: Option<i32>,
        /// Inputs to change; the others stay.
        inputs: Map<String, Value>,
    },
    /// Give an environment a new end.
    Extend {
        /// The environment.
        environment: EnvironmentId,
        /// How long it is to live from now.
        lifetime: SignedDuration,
    },
    /// Start, stop, hibernate or restart an environment.
    Power {
        /// The environment.
        environment: EnvironmentId,
        /// Which of [`Operation::POWER`].
        power: Operation,
    },
    /// Run an action of the template on an environment.
    Act {
        /// The environment.
        environment: EnvironmentId,
        /// The action's name.
        action: String,
        /// The action's inputs.
        inputs: Map<String, Value>,
    },
    /// Remove an environment.
    Delete {
        /// The environment.
        environment: EnvironmentId,
    },
}

impl Intent {
    /// The environment, unless it is to be made.
    pub fn environment(&self) -> Option<EnvironmentId> {
        match self {
            Self::Create { .. } => None,
            Self::Update { environment, .. }
            | Self::Extend { environment, .. }
            | Self::Power { environment, .. }
            | Self::Act { environment, .. }
            | Self::Delete { environment } => Some(*environment),
        }
    }

    /// The operation.
    pub fn operation(&self) -> Operation {
        match self {
            Self::Create { .. } => Operation::Create,
            Self::Update { .. } => Operation::Update,
            Self::Extend { .. } => Operation::Extend,
            Self::Power { power, .. } => *power,
            Self::Act { .. } => Operation::Act,
            Self::Delete { .. } => Operation::Delete,
        }
    }
}
