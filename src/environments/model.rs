//! Environments, their states and operations.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::base::id::{
    EnvironmentId, PersonId, ProjectEnvironmentTypeId, ProjectId, TargetId, TemplateId, TemplateVersionId,
};

/// The state of an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = EnvironmentState)]
pub enum State {
    /// Waits for approval.
    Requested,
    /// Is being made.
    Provisioning,
    /// Can be used.
    Ready,
    /// Is being changed.
    Updating,
    /// Is being stopped.
    Stopping,
    /// Is stopped.
    Stopped,
    /// Is being started.
    Starting,
    /// Is being removed.
    Deleting,
    /// Is gone.
    Deleted,
    /// An operation failed: retry, change or delete it.
    Failed,
    /// Its removal failed: needs a person.
    Faulted,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 11] = [
        Self::Requested,
        Self::Provisioning,
        Self::Ready,
        Self::Updating,
        Self::Stopping,
        Self::Stopped,
        Self::Starting,
        Self::Deleting,
        Self::Deleted,
        Self::Failed,
        Self::Faulted,
    ];

    /// Whether an environment may go from this state to `next`. The database's trigger has the
    /// same table.
    pub fn can_become(self, next: Self) -> bool {
        let allowed: &[Self] = match self {
            Self::Requested => &[Self::Provisioning, Self::Deleted],
            Self::Provisioning => &[Self::Ready, Self::Failed, Self::Deleting],
            Self::Ready => &[Self::Updating, Self::Stopping, Self::Starting, Self::Deleting],
            Self::Updating => &[Self::Ready, Self::Failed],
            Self::Stopping => &[Self::Stopped, Self::Failed, Self::Ready],
            Self::Stopped => &[Self::Starting, Self::Deleting],
            Self::Starting => &[Self::Ready, Self::Failed, Self::Stopped],
            Self::Failed => &[Self::Provisioning, Self::Updating, Self::Stopping, Self::Starting, Self::Deleting],
            Self::Deleting => &[Self::Deleted, Self::Faulted, Self::Failed],
            Self::Faulted => &[Self::Deleting],
            Self::Deleted => &[],
        };
        allowed.contains(&next)
    }

    /// The word in SQL and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Provisioning => "provisioning",
            Self::Ready => "ready",
            Self::Updating => "updating",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
            Self::Failed => "failed",
            Self::Faulted => "faulted",
        }
    }

    /// The state in a sentence: “the environment is …”.
    pub fn words(self) -> &'static str {
        match self {
            Self::Requested => "waiting to be made",
            Self::Provisioning => "being made",
            Self::Ready => "ready",
            Self::Updating => "being updated",
            Self::Stopping => "being stopped",
            Self::Stopped => "stopped",
            Self::Starting => "being started",
            Self::Deleting => "being deleted",
            Self::Deleted => "deleted",
            Self::Failed => "failed",
            Self::Faulted => "faulted",
        }
    }
}

impl std::str::FromStr for State {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(())
    }
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Make an environment.
    Create,
    /// Give it new inputs or the current template version.
    Update,
    /// Give it a later end.
    Extend,
    /// Start it again.
    Start,
    /// Stop it.
    Stop,
    /// Stop it so that it goes on where it was.
    Hibernate,
    /// Stop it and start it again.
    Restart,
    /// Run an action that its template declares.
    Act,
    /// Remove it.
    Delete,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 9] = [
        Self::Create,
        Self::Update,
        Self::Extend,
        Self::Start,
        Self::Stop,
        Self::Hibernate,
        Self::Restart,
        Self::Act,
        Self::Delete,
    ];

    /// The power operations.
    pub const POWER: [Self; 4] = [Self::Start, Self::Stop, Self::Hibernate, Self::Restart];

    /// The operation with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.as_str() == word)
    }

    /// The word in SQL and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Extend => "extend",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Hibernate => "hibernate",
            Self::Restart => "restart",
            Self::Act => "act",
            Self::Delete => "delete",
        }
    }

    /// The word at the beginning of a label: `Create orders-db`.
    pub fn title(self) -> &'static str {
        match self {
            Self::Create => "Create",
            Self::Update => "Update",
            Self::Extend => "Extend",
            Self::Start => "Start",
            Self::Stop => "Stop",
            Self::Hibernate => "Hibernate",
            Self::Restart => "Restart",
            Self::Act => "Action",
            Self::Delete => "Delete",
        }
    }

    /// What is done to which environment: “Create orders-db”, “Rotate password: orders-db”.
    pub fn label(self, action: Option<&str>, environment: &str) -> String {
        match action {
            Some(action) => format!("{action}: {environment}"),
            None => format!("{} {environment}", self.title()),
        }
    }
}

/// A person who owns something.
#[derive(Debug, Clone, Serialize)]
pub struct Owner {
    /// The person.
    pub id: PersonId,
    /// The login name.
    pub login: String,
    /// The name to show.
    pub name: String,
    /// Whether they are deactivated, or neither developer nor lead of its project any more.
    pub gone: bool,
}

/// The project of an environment.
#[derive(Debug, Clone, Serialize)]
pub struct ProjectRef {
    /// Its id.
    pub id: ProjectId,
    /// Its slug.
    pub slug: String,
    /// Its name.
    pub name: String,
}

/// The project environment type of an environment.
#[derive(Debug, Clone, Serialize)]
pub struct PlaceRef {
    /// Its id.
    #[serde(skip)]
    pub id: ProjectEnvironmentTypeId,
    /// The slug of the environment type.
    pub slug: String,
    /// How long an environment may live there at most.
    #[serde(skip)]
    pub maximum_lifetime: SignedDuration,
}

/// The template and version of an environment.
#[derive(Debug, Clone, Serialize)]
pub struct TemplateRef {
    /// The template.
    pub id: TemplateId,
    /// Its slug.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Its icon.
    #[serde(skip)]
    pub icon: String,
    /// The version that the environment was made from.
    pub version_id: TemplateVersionId,
    /// That version as its author writes it.
    pub version: String,
    /// The provider.
    pub provider: String,
}

/// An environment with the names of what it belongs to.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Its id.
    pub id: EnvironmentId,
    /// Its name.
    pub name: String,
    /// Its project.
    pub project: ProjectRef,
    /// Its environment type.
    pub place: PlaceRef,
    /// Its template.
    pub template: TemplateRef,
    /// Its target, when its provider has one.
    pub target: Option<TargetId>,
    /// Its owner.
    pub owner: Owner,
    /// Its state.
    pub state: State,
    /// Grows with every change that a person asked for.
    pub generation: i64,
    /// The inputs, without the secret ones.
    pub inputs: Map<String, Value>,
    /// How long it lives from when it is ready, or from when it was last extended.
    pub lifetime: SignedDuration,
    /// When it is deleted; not known before it is ready.
    pub expires_at: Option<Timestamp>,
    /// The first real error of the last run, while it is failed or faulted.
    pub last_error: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was ready first.
    pub ready_at: Option<Timestamp>,
    /// When it was gone.
    pub deleted_at: Option<Timestamp>,
    /// What was left of its lifetime when it was read, by the database's clock (I18).
    pub remaining: Option<SignedDuration>,
    /// Since when it is not as its last run left it, by the last look at its target.
    pub drifted_since: Option<Timestamp>,
}

/// An environment to be inserted.
#[derive(Debug, Clone)]
pub struct NewEnvironment {
    /// Its id.
    pub id: EnvironmentId,
    /// Its name.
    pub name: String,
    /// Its project.
    pub project: ProjectId,
    /// Its environment type.
    pub place: ProjectEnvironmentTypeId,
    /// Its template.
    pub template: TemplateId,
    /// The version.
    pub version: TemplateVersionId,
    /// `environment` or `workspace`.
    pub kind: crate::catalog::Kind,
    /// The target, when the provider has one.
    pub target: Option<TargetId>,
    /// Its owner.
    pub owner: PersonId,
    /// The inputs, without the secret ones.
    pub inputs: Map<String, Value>,
    /// The secret ones.
    pub secret_inputs: Map<String, Value>,
    /// How long it lives from when it is ready.
    pub lifetime: SignedDuration,
}

/// Which environments to list; everything that is set narrows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Only these projects; `None` is all.
    pub projects: Option<Vec<ProjectId>>,
    /// Of the projects that stand here, only these environment types.
    pub parts: Vec<(ProjectId, ProjectEnvironmentTypeId)>,
    /// Only this owner's.
    pub owner: Option<PersonId>,
    /// Only this state; otherwise all but deleted ones.
    pub state: Option<State>,
    /// Only of this template.
    pub template: Option<TemplateId>,
    /// Only of this environment type.
    pub environment_type: Option<String>,
    /// A part of the name.
    pub query: Option<String>,
    /// Only those that end before.
    pub expires_before: Option<Timestamp>,
    /// Only those that are drifted.
    pub drifted: bool,
    /// Only those whose owner is gone.
    pub owner_gone: bool,
}

/// An environment whose end is near or past.
#[derive(Debug, Clone)]
pub struct Expiring {
    /// Its id.
    pub id: EnvironmentId,
    /// Its name.
    pub name: String,
    /// Its project.
    pub project: ProjectId,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// An output as stored: sealed when sensitive.
#[derive(Debug, Clone)]
pub struct StoredOutput {
    /// Its name.
    pub name: String,
    /// Whether it is masked.
    pub sensitive: bool,
    /// The value of one that is not sensitive.
    pub value: Option<Value>,
    /// The sealed value of one that is.
    pub sealed: Option<Vec<u8>>,
}
