//! Types of projects, environment types, targets and quotas.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::QuotaUse;
use crate::base::id::{EnvironmentTypeId, ProjectEnvironmentTypeId, ProjectId, TargetId};
use crate::providers::{Finding, Verdict};

/// A team's workspace.
#[derive(Debug, Clone)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its slug, in addresses and policies.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// One line of what it is.
    pub summary: String,
}

/// An environment type as a project has it.
#[derive(Debug, Clone)]
pub struct ProjectEnvironmentType {
    /// Its id.
    pub id: ProjectEnvironmentTypeId,
    /// The project.
    pub project: ProjectId,
    /// The platform's environment type.
    pub environment_type: EnvironmentTypeId,
    /// Its slug: dev, test, prod.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Whether new environments may be made.
    pub enabled: bool,
    /// How long an environment lives when nobody says.
    pub default_lifetime: SignedDuration,
    /// How long it may live at most.
    pub maximum_lifetime: SignedDuration,
}

/// An environment type of a project with its quotas.
#[derive(Debug, Clone)]
pub struct Place {
    /// The environment type.
    pub kind: ProjectEnvironmentType,
    /// Its quotas.
    pub quotas: Vec<QuotaUse>,
}

/// An environment type to be enabled for a project.
#[derive(Debug, Clone)]
pub struct NewProjectEnvironmentType {
    /// The project.
    pub project: ProjectId,
    /// The platform's environment type.
    pub environment_type: EnvironmentTypeId,
    /// How long an environment lives when nobody says.
    pub default_lifetime: SignedDuration,
    /// How long it may live at most.
    pub maximum_lifetime: SignedDuration,
}

/// A target, its credential still sealed.
#[derive(Debug, Clone)]
pub struct StoredTarget {
    /// Its id.
    pub id: TargetId,
    /// Its slug.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// The provider that it is for.
    pub provider: String,
    /// Settings without secrets.
    pub settings: Value,
    /// Counts its changes.
    pub generation: i64,
    pub(super) secret: Option<Vec<u8>>,
    pub(super) next_secret: Option<Vec<u8>>,
}

/// A target as admins see it: everything but its credential.
#[derive(Debug, Clone)]
pub struct ConnectedTarget {
    /// Its id.
    pub id: TargetId,
    /// Its slug.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// The provider that it is for.
    pub provider: String,
    /// Settings without secrets.
    pub settings: Value,
    /// How many of its runs may be at work at a time; none: as many as workers have room for.
    pub run_limit: Option<i32>,
    /// What a worker must have to execute its runs.
    pub labels: Vec<String>,
    /// Counts its changes.
    pub generation: i64,
    /// Whether it has a credential.
    pub has_credential: bool,
    /// When that was brought.
    pub credential_set_at: Option<Timestamp>,
    /// Since when a rotation is on its way, or was broken off.
    pub rotation_begun_at: Option<Timestamp>,
    /// When it was connected.
    pub created_at: Timestamp,
    /// Where it is used.
    pub bindings: Vec<Binding>,
    /// The last check.
    pub check: Option<CheckReport>,
}

/// A project environment type that uses a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Its id.
    pub place: ProjectEnvironmentTypeId,
    /// The project's slug.
    pub project: String,
    /// The environment type's slug.
    pub environment_type: String,
}

/// What the last check of a target found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// When.
    pub at: Timestamp,
    /// The worst finding.
    pub result: Verdict,
    /// All of them.
    pub findings: Vec<Finding>,
}

/// A target to be connected, as somebody wrote it down.
#[derive(Clone, Default)]
pub struct NewTarget {
    /// Its slug.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// The provider that it is for.
    pub provider: String,
    /// The settings, by the provider's form.
    pub settings: Map<String, Value>,
    /// The credential, by the provider's form.
    pub credential: Map<String, Value>,
    /// How many of its runs may be at work at a time.
    pub run_limit: Option<i32>,
    /// What a worker must have to execute its runs.
    pub labels: Vec<String>,
}

/// A change of a target; what is left out stays.
#[derive(Clone, Default)]
pub struct TargetChange {
    /// Its name.
    pub name: Option<String>,
    /// Settings to be laid over those that are there; null takes one away.
    pub settings: Map<String, Value>,
    /// The credential, which is needed anew where the settings say where it goes; empty: it stays.
    pub credential: Map<String, Value>,
}

/// A target as admins see it: what holds its runs, without its settings and its credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetLimits {
    /// Its id.
    pub id: TargetId,
    /// Its slug.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// The provider that it is for.
    pub provider: String,
    /// How many of its runs may be at work at a time; none: as many as workers have room for.
    pub run_limit: Option<i32>,
    /// What a worker must have to execute its runs.
    pub labels: Vec<String>,
}
