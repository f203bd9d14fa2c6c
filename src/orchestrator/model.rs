//! Runs, steps and log lines.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::base::id::{ProjectId, RequestId, RunId};
use crate::providers::Stream;

/// The state of a run. `queued → running → succeeded | failed | canceled | faulted`; a run whose
/// worker died, or that is to be tried again, goes back to `queued`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Waits for a worker.
    Queued,
    /// A worker holds it.
    Running,
    /// Done.
    Succeeded,
    /// Ended with an error that trying again does not mend.
    Failed,
    /// Stopped by a person.
    Canceled,
    /// Gave up after too many attempts: needs a person.
    Faulted,
}

impl RunState {
    /// Every state, for the test that compares them with the database's CHECK.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Running, Self::Succeeded, Self::Failed, Self::Canceled, Self::Faulted];

    /// Whether nothing changes any more.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Queued | Self::Running => false,
            Self::Succeeded | Self::Failed | Self::Canceled | Self::Faulted => true,
        }
    }

    /// The word in SQL and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Faulted => "faulted",
        }
    }
}

/// The status of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Not begun.
    Pending,
    /// Its intent is durable; it may or may not have had its effect.
    Running,
    /// Done, checkpoint kept.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Stopped.
    Canceled,
}

impl StepStatus {
    /// The word in SQL and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }
}

/// A run to be queued.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// Which workflow executes it; workers claim only kinds that they know (I16).
    pub kind: String,
    /// What it works on: one run at a time for each subject.
    pub subject: Uuid,
    /// The request that asked for it.
    pub request: Option<RequestId>,
    /// The project it belongs to.
    pub project: ProjectId,
    /// What it does, for people: `Create orders-db`.
    pub label: String,
    /// Lower is sooner: people 100, automation 200.
    pub priority: i32,
    /// Where it works, as far as that decides who may execute it and when.
    pub place: RunPlace,
}

/// Where a run works: limits, freezes and labels are asked by these.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunPlace {
    /// The provider; what stands after the dot of the kind when empty.
    pub provider: String,
    /// The target.
    pub target: Option<Uuid>,
    /// The project environment type.
    pub place: Option<Uuid>,
    /// What a worker must have, beside what the target asks for.
    pub labels: Vec<String>,
}

/// A run.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Which workflow executes it.
    pub kind: String,
    /// What it works on.
    pub subject: Uuid,
    /// The request that asked for it.
    pub request: Option<RequestId>,
    /// The project it belongs to.
    pub project: ProjectId,
    /// What it does, for people.
    pub label: String,
    /// Its state.
    pub state: RunState,
    /// The current attempt: the fencing token. 0 before the first.
    pub attempt: i32,
    /// How many attempts there may be.
    pub max_attempts: i32,
    /// The worker that holds it or held it last.
    pub worker: Option<String>,
    /// Whether a person asked to cancel it.
    pub cancel_requested: bool,
    /// The first real error.
    pub error: Option<String>,
    /// The step that it came from.
    pub error_step: Option<String>,
    /// When it was queued.
    pub created_at: Timestamp,
    /// Not claimed before.
    pub run_at: Timestamp,
    /// When the first attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// One step of a run.
#[derive(Debug, Clone)]
pub struct RunStep {
    /// Its name.
    pub name: String,
    /// Its status.
    pub status: StepStatus,
    /// The attempt that began it last.
    pub attempt: i32,
    /// The error it ended with.
    pub error: Option<String>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// One log line.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct LogLine {
    /// Its number in the run, from 1 without gaps.
    pub seq: i64,
    /// When it was written.
    pub at: Timestamp,
    /// The attempt that wrote it.
    pub attempt: i32,
    /// The step that wrote it.
    pub step: String,
    /// Where it came from.
    pub stream: Stream,
    /// The text, without control characters but for ANSI colours.
    pub text: String,
}

/// How a run ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Every step succeeded.
    Succeeded,
    /// A step failed for good.
    Failed {
        /// Which.
        step: String,
        /// The first real error, for people.
        error: String,
    },
    /// A person canceled it.
    Canceled,
    /// Attempts used up without an answer from the last worker.
    Faulted {
        /// Why, for people.
        error: String,
    },
}

impl Ending {
    /// The state that the run ends in.
    pub fn state(&self) -> RunState {
        match self {
            Self::Succeeded => RunState::Succeeded,
            Self::Failed { .. } => RunState::Failed,
            Self::Canceled => RunState::Canceled,
            Self::Faulted { .. } => RunState::Faulted,
        }
    }

    /// The error, if it ends with one.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Failed { error, .. } | Self::Faulted { error } => Some(error),
            Self::Succeeded | Self::Canceled => None,
        }
    }

    /// The step that failed, if one did.
    pub fn step(&self) -> Option<&str> {
        match self {
            Self::Failed { step, .. } => Some(step),
            Self::Succeeded | Self::Canceled | Self::Faulted { .. } => None,
        }
    }
}
