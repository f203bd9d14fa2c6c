//! What a record says.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::base::id::{
    AuditRecordId, DecisionId, EnvironmentId, OperationId, PersonId, ProjectId, RequestId, RunId, TokenId,
};

/// How the action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = AuditOutcome)]
pub enum Outcome {
    /// It was done.
    Succeeded,
    /// Policy or a missing right refused it.
    Denied,
    /// It was tried and did not work.
    Failed,
}

/// What was acted on: its kind (`environment`, `request`, `template`, …), id and name.
#[derive(Debug, Clone)]
pub struct Object {
    /// The kind, a word of PRODUCT.md.
    pub kind: &'static str,
    /// The id, where the thing has one.
    pub id: Option<Uuid>,
    /// The name that people know it by.
    pub label: String,
}

impl Object {
    /// An object with an id.
    pub fn new(kind: &'static str, id: Uuid, label: impl Into<String>) -> Self {
        Self { kind, id: Some(id), label: label.into() }
    }
}

/// A record to be appended. Build with [`Entry::new`] and the `with` methods.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What was done, as `object.verb`: `request.submitted`, `environment.ready`, `output.revealed`.
    pub action: &'static str,
    /// What it was done to.
    pub object: Object,
    /// How it ended.
    pub outcome: Outcome,
    /// The project it belongs to.
    pub project: Option<ProjectId>,
    /// The environment it belongs to.
    pub environment: Option<EnvironmentId>,
    /// The request it belongs to.
    pub request: Option<RequestId>,
    /// The run it belongs to.
    pub run: Option<RunId>,
    /// The decision that allowed or refused it.
    pub decision: Option<DecisionId>,
    /// More, as JSON. Never a secret (I20).
    pub detail: Value,
}

impl Entry {
    /// A record of something that succeeded.
    pub fn new(action: &'static str, object: Object) -> Self {
        Self {
            action,
            object,
            outcome: Outcome::Succeeded,
            project: None,
            environment: None,
            request: None,
            run: None,
            decision: None,
            detail: Value::Object(serde_json::Map::new()),
        }
    }

    /// Sets the outcome.
    #[must_use]
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// Sets the project.
    #[must_use]
    pub fn project(mut self, id: ProjectId) -> Self {
        self.project = Some(id);
        self
    }

    /// Sets the environment.
    #[must_use]
    pub fn environment(mut self, id: EnvironmentId) -> Self {
        self.environment = Some(id);
        self
    }

    /// Sets the request.
    #[must_use]
    pub fn request(mut self, id: RequestId) -> Self {
        self.request = Some(id);
        self
    }

    /// Sets the run.
    #[must_use]
    pub fn run(mut self, id: RunId) -> Self {
        self.run = Some(id);
        self
    }

    /// Sets the decision.
    #[must_use]
    pub fn decision(mut self, id: DecisionId) -> Self {
        self.decision = Some(id);
        self
    }

    /// Sets the detail.
    #[must_use]
    pub fn detail(mut self, detail: Value) -> Self {
        self.detail = detail;
        self
    }
}

/// A stored record.
#[derive(Debug, Clone, Serialize)]
pub struct AuditRecord {
    /// Its id.
    pub id: AuditRecordId,
    /// When, by the database's clock.
    pub at: Timestamp,
    /// The operation that wrote it.
    pub operation_id: OperationId,
    /// `person`, `system`, `operator` or `anonymous`.
    pub actor_kind: String,
    /// The person, if it was one.
    pub actor_id: Option<PersonId>,
    /// The actor's name at that time.
    pub actor: String,
    /// The API token used, if one was.
    pub token_id: Option<TokenId>,
    /// What was done.
    pub action: String,
    /// The kind of the object.
    pub object_kind: String,
    /// The prefixed id of the object.
    pub object: Option<String>,
    /// The name of the object at that time.
    pub object_label: String,
    /// The project it belongs to.
    pub project_id: Option<ProjectId>,
    /// The environment it belongs to.
    pub environment_id: Option<EnvironmentId>,
    /// The request it belongs to.
    pub request_id: Option<RequestId>,
    /// The run it belongs to.
    pub run_id: Option<RunId>,
    /// The decision that allowed or refused it.
    pub decision_id: Option<DecisionId>,
    /// How it ended.
    pub outcome: Outcome,
    /// `web`, `api`, `cli`, `worker` or `reconciler`.
    pub channel: String,
    /// The peer's address.
    pub address: Option<String>,
    /// More, as JSON.
    pub detail: Value,
}

/// Which records to list; every field that is set narrows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The actor's name.
    pub actor: Option<String>,
    /// The action, exactly, or all of an object's when it ends in `.*`.
    pub action: Option<String>,
    /// An object, or everything that belongs to this environment, request or run.
    pub object: Option<Uuid>,
    /// The outcome.
    pub outcome: Option<Outcome>,
    /// One operation.
    pub operation: Option<OperationId>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
    /// Only these projects; `None` is everything.
    pub projects: Option<Vec<ProjectId>>,
}
