//! Types of quotas and of their ledger.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::base::id::{
    EnvironmentId, EnvironmentTypeId, PersonId, ProjectEnvironmentTypeId, ProjectId, QuotaId, RequestId, RunId,
};

/// What an environment takes: whole numbers by dimension.
pub type Demand = BTreeMap<String, i64>;

/// The dimension that every environment takes one of.
pub const ENVIRONMENTS: &str = "environments";

/// What a quota is for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema,
)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum QuotaScope {
    /// Everything.
    Organisation,
    /// A project.
    Project,
    /// An environment type, in all projects together.
    EnvironmentType,
    /// An environment type of a project.
    ProjectEnvironmentType,
    /// A team: what its members own in projects where the team has a role.
    Team,
    /// A person: what they own.
    User,
}

impl QuotaScope {
    /// Every scope, the widest first.
    pub const ALL: [Self; 6] = [
        Self::Organisation,
        Self::EnvironmentType,
        Self::Project,
        Self::ProjectEnvironmentType,
        Self::Team,
        Self::User,
    ];

    /// The word in SQL and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Organisation => "organisation",
            Self::Project => "project",
            Self::EnvironmentType => "environment_type",
            Self::ProjectEnvironmentType => "project_environment_type",
            Self::Team => "team",
            Self::User => "user",
        }
    }

    /// Whether a quota without a subject is one for each that has none of its own.
    pub fn has_default(self) -> bool {
        matches!(self, Self::Team | Self::User)
    }

    /// The scope called `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// What becomes of a request for which a quota has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// It is denied.
    #[default]
    Deny,
    /// It waits in line.
    Wait,
}

impl WhenFull {
    /// The word in SQL and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Wait => "wait",
        }
    }
}

/// What an admin sets of a quota that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaTerms {
    /// The limit.
    pub maximum: i64,
    /// Whether what stopped environments take counts.
    pub count_stopped: bool,
    /// What becomes of requests that find it full.
    pub when_full: WhenFull,
}

/// A quota and how much of it one subject has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaUse {
    /// Its id.
    pub id: QuotaId,
    /// What it is for.
    pub scope: QuotaScope,
    /// Who or what the counters are of: a slug or a login; `payments dev` for a project environment
    /// type, nothing for the organisation.
    pub of: String,
    /// What is counted, for example `environments`.
    pub dimension: String,
    /// The limit.
    pub maximum: i64,
    /// Whether what stopped environments take counts.
    pub count_stopped: bool,
    /// What becomes of requests that find it full.
    pub when_full: WhenFull,
    /// How many requests wait in line for it, before the one that asks.
    pub waiting: i64,
    /// Taken by environments that exist, those that are stopped apart.
    pub used: i64,
    /// Taken by requests that wait or run.
    pub reserved: i64,
    /// What stopped environments take.
    pub stopped: i64,
    /// The id of what the counters are of; nil for the organisation.
    pub subject: Uuid,
}

impl QuotaUse {
    /// What is taken by environments that exist, as far as it counts.
    pub fn in_use(&self) -> i64 {
        if self.count_stopped { self.used.saturating_add(self.stopped) } else { self.used }
    }

    /// What counts against the limit.
    pub fn taken(&self) -> i64 {
        self.in_use().saturating_add(self.reserved)
    }

    /// Whether `amount` more fits. What adds nothing fits also where the limit was lowered.
    pub fn fits(&self, amount: i64) -> bool {
        amount <= 0 || self.taken().saturating_add(amount) <= self.maximum
    }

    /// `payments dev`, `the whole organisation`, `everything that dana owns`: where it holds, in words.
    pub fn place(&self) -> String {
        match self.scope {
            QuotaScope::Organisation => "the whole organisation".to_owned(),
            QuotaScope::Project | QuotaScope::ProjectEnvironmentType => self.of.clone(),
            QuotaScope::EnvironmentType => format!("{} of all projects", self.of),
            QuotaScope::Team => format!("team {}", self.of),
            QuotaScope::User => format!("everything that {} owns", self.of),
        }
    }
}

/// A quota as admins see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedQuota {
    /// The quota, with the counters of the subject that has taken the most.
    pub quota: QuotaUse,
    /// Whether it is one for each team or user that has none of its own.
    pub for_each: bool,
    /// Who has taken the most, where it is one for each.
    pub fullest: String,
    /// Counts its changes.
    pub generation: i64,
}

impl ListedQuota {
    /// `environments of payments dev`, `vcpu of each user`: what it is called.
    pub fn label(&self) -> String {
        let QuotaUse { scope, dimension, .. } = &self.quota;
        match (self.for_each, scope) {
            (true, QuotaScope::Team) => format!("{dimension} of each team"),
            (true, _) => format!("{dimension} of each user"),
            (false, _) => format!("{dimension} of {}", self.quota.place()),
        }
    }
}

/// A quota to be made, as somebody wrote it down.
#[derive(Debug, Clone)]
pub struct NewQuota {
    /// What it is for.
    pub scope: QuotaScope,
    /// For which: a slug, a login, `payments/dev` for a project environment type. Nothing for the
    /// organisation, and for each team or user.
    pub of: String,
    /// What is counted.
    pub dimension: String,
    /// What an admin may change later on.
    pub terms: QuotaTerms,
}

/// A quota that has no room for what is asked for, or none for anybody who comes later than those in line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Full {
    /// The quota, as it is.
    pub quota: QuotaUse,
    /// What would be added.
    pub wanted: i64,
    /// What the environment has taken of it already.
    pub own: i64,
}

impl Full {
    /// Whether there would be room if everybody else gave everything back.
    pub fn could_fit(&self) -> bool {
        self.wanted.saturating_add(self.own) <= self.quota.maximum
    }
}

/// A quota before and after something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaChange {
    /// The quota, as it is.
    pub quota: QuotaUse,
    /// What would be added.
    pub adds: i64,
    /// What the environment has taken of it already.
    pub own: i64,
}

impl QuotaChange {
    /// The quota, where it has no room for what would be added, or others wait in line for it.
    pub fn full(&self) -> Option<Full> {
        let held_up = self.adds > 0 && (self.quota.waiting > 0 || !self.quota.fits(self.adds));
        held_up.then(|| Full { quota: self.quota.clone(), wanted: self.adds, own: self.own })
    }
}

/// An environment that takes a part of a quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its id.
    pub environment: EnvironmentId,
    /// Its name.
    pub name: String,
    /// Its project.
    pub project: ProjectId,
    /// The project's slug.
    pub project_slug: String,
    /// The slug of its environment type.
    pub environment_type: String,
    /// Who owns it.
    pub owner: PersonId,
    /// How much it takes.
    pub amount: i64,
}

/// Where a new environment would count.
#[derive(Debug, Clone, Copy)]
pub struct At {
    /// The project.
    pub project: ProjectId,
    /// The platform's environment type.
    pub environment_type: EnvironmentTypeId,
    /// That of the project.
    pub place: ProjectEnvironmentTypeId,
    /// Who would own it.
    pub owner: Option<PersonId>,
}

/// What an entry of the ledger follows from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cause {
    /// The request.
    pub request: Option<RequestId>,
    /// The run.
    pub run: Option<RunId>,
}

impl Cause {
    /// A request.
    pub fn request(id: RequestId) -> Self {
        Self { request: Some(id), run: None }
    }
}

/// Three balances: what is asked for, what runs, what is stopped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Balance {
    /// Asked for.
    pub reserved: i64,
    /// In use.
    pub used: i64,
    /// Of stopped environments.
    pub stopped: i64,
}

impl Balance {
    /// All of it.
    pub fn total(self) -> i64 {
        self.reserved.saturating_add(self.used).saturating_add(self.stopped)
    }

    /// Whether it is nothing.
    pub fn is_zero(self) -> bool {
        self == Self::default()
    }
}

/// Why an entry was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum EntryKind {
    /// Asked for, or no longer.
    Reserve,
    /// It is as it was asked for.
    Settle,
    /// It was stopped.
    Stop,
    /// It is to be started.
    Start,
    /// It is gone.
    Release,
}

/// One entry to be made.
#[derive(Debug, Clone)]
pub struct Move {
    /// What is counted.
    pub dimension: String,
    /// Why.
    pub kind: EntryKind,
    /// By how much each balance moves.
    pub by: Balance,
}
