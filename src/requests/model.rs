//! Requests, requirements, reviews.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{StandIn, Suggestion};
use crate::base::Digest;
use crate::base::id::{
    DecisionId, EnvironmentId, PersonId, ProjectEnvironmentTypeId, ProjectId, RequestId, RequirementId, ReviewId,
    RunId, TemplateId, TemplateVersionId,
};
use crate::cost::Estimate;
use crate::environments::Operation;
use crate::identity::{Access, PlaceRoles};
use crate::policy::{Decision, Escalation, Group, Role, StoredDecision};
use crate::providers::PlanChange;

/// The status of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum RequestStatus {
    /// Policy refused it.
    Denied,
    /// It waits in line until a quota has room for it.
    AwaitingQuota,
    /// Somebody must agree.
    AwaitingApproval,
    /// Somebody refused it.
    Rejected,
    /// The requester took it back.
    Withdrawn,
    /// Nobody agreed in time.
    Lapsed,
    /// It will be carried out.
    Approved,
    /// A worker carries it out.
    Running,
    /// Done.
    Succeeded,
    /// Its run failed.
    Failed,
    /// Its run was canceled.
    Canceled,
}

impl RequestStatus {
    /// Every status.
    pub const ALL: [Self; 11] = [
        Self::Denied,
        Self::AwaitingQuota,
        Self::AwaitingApproval,
        Self::Rejected,
        Self::Withdrawn,
        Self::Lapsed,
        Self::Approved,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::Canceled,
    ];

    /// Whether a request may go from this status to `next`. The database's trigger has the same table.
    pub fn can_become(self, next: Self) -> bool {
        let allowed: &[Self] = match self {
            Self::AwaitingQuota => {
                &[Self::Denied, Self::Withdrawn, Self::Lapsed, Self::AwaitingApproval, Self::Approved]
            }
            Self::AwaitingApproval => &[Self::Rejected, Self::Withdrawn, Self::Lapsed, Self::Approved],
            Self::Approved => &[Self::Running, Self::Succeeded, Self::Canceled, Self::Failed],
            // Back to approval: what it was about to do is not what was approved.
            Self::Running => &[Self::Succeeded, Self::Failed, Self::Canceled, Self::AwaitingApproval],
            Self::Failed | Self::Canceled => &[Self::Running],
            Self::Denied | Self::Rejected | Self::Withdrawn | Self::Lapsed | Self::Succeeded => &[],
        };
        allowed.contains(&next)
    }

    /// The word in SQL and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::AwaitingQuota => "awaiting_quota",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
            Self::Lapsed => "lapsed",
            Self::Approved => "approved",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }
}

impl std::str::FromStr for RequestStatus {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(())
    }
}

/// A request with the names of what it is about.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// What is asked for.
    pub operation: Operation,
    /// The name of the action, for [`Operation::Act`].
    pub action: Option<String>,
    /// What people called that action.
    pub action_title: Option<String>,
    /// Its status.
    pub status: RequestStatus,
    /// While it waits in line for a quota: as which number.
    pub position: Option<i64>,
    /// Who asked; `None` is Paddock itself.
    pub requester: Option<PersonId>,
    /// The requester's name at that time.
    pub requester_label: String,
    /// The project.
    pub project: ProjectId,
    /// Its slug.
    pub project_slug: String,
    /// Its environment type.
    pub place: ProjectEnvironmentTypeId,
    /// The slug of that.
    pub environment_type: String,
    /// The template.
    pub template: TemplateId,
    /// Its slug.
    pub template_slug: String,
    /// Its name.
    pub template_name: String,
    /// The version asked for.
    pub version_id: TemplateVersionId,
    /// That version as its author writes it.
    pub version: String,
    /// The environment; none when a create was denied.
    pub environment: Option<EnvironmentId>,
    /// The environment's name.
    pub environment_name: String,
    /// What policy said.
    pub decision_id: DecisionId,
    /// The inputs, without the secret ones.
    pub inputs: Map<String, Value>,
    /// How long the environment is to live.
    pub lifetime: Option<SignedDuration>,
    /// Why.
    pub reason: String,
    /// Digest of all that is asked for.
    pub digest: Digest,
    /// The run that makes the plan which approvers see; none for requests that need no plan.
    pub plan_run: Option<RunId>,
    /// What a review binds to once the plan is made: inputs, template version, plan, policy and
    /// who must agree.
    pub approval_digest: Option<Digest>,
    /// Whose approval counts for it, by all of its requirements.
    pub asked: Vec<Group>,
    /// Who decides for whom of those at the moment.
    pub stand_ins: Vec<StandIn>,
    /// When it lapses, if it still waits then: for its turn or for an approval.
    pub lapses_at: Option<Timestamp>,
    /// While it waits for an approval: since when those who are asked now are.
    pub waiting_since: Option<Timestamp>,
    /// When the requester asked for an answer, the last time.
    pub reminded_at: Option<Timestamp>,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When it was approved, rejected, withdrawn or lapsed.
    pub decided_at: Option<Timestamp>,
    /// When it reached its last status.
    pub finished_at: Option<Timestamp>,
    /// The newest run that carries it out.
    pub run: Option<RunId>,
}

impl Request {
    /// What is asked for: “Create orders-db”.
    pub fn label(&self) -> String {
        self.operation.label(self.action_title.as_deref(), &self.environment_name)
    }

    /// When the requester asked for an answer, if those who are asked now were asked by then.
    pub fn asked_again(&self) -> Option<Timestamp> {
        self.reminded_at.filter(|at| self.waiting_since.is_some_and(|since| *at >= since))
    }

    /// What a review binds to: `None` while its plan is not made.
    pub fn bound_to(&self) -> Option<Digest> {
        match self.plan_run {
            Some(_) => self.approval_digest,
            None => Some(self.digest),
        }
    }
}

/// The plan of a request, as far as it is.
#[derive(Debug, Clone)]
pub struct RequestPlan {
    /// The run that makes it.
    pub run: RunId,
    /// How far it is.
    pub progress: PlanProgress,
}

/// How far a plan is.
#[derive(Debug, Clone)]
pub enum PlanProgress {
    /// It waits for a worker.
    Queued,
    /// A worker makes it.
    Planning,
    /// It is made.
    Made {
        /// What would be done.
        changes: Vec<PlanChange>,
        /// Digest of the plan, with the provider's own bytes.
        digest: Digest,
        /// When it was made.
        at: Timestamp,
    },
    /// It could not be made.
    Failed {
        /// The first real error, in words.
        error: String,
    },
}

impl PlanProgress {
    /// The word in the API.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Planning => "planning",
            Self::Made { .. } => "made",
            Self::Failed { .. } => "failed",
        }
    }
}

/// What a reviewer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ReviewVerdict {
    /// Do it.
    Approved,
    /// Don't.
    Rejected,
}

/// One person's verdict with its reason.
#[derive(Debug, Clone)]
pub struct Review {
    /// Its id.
    pub id: ReviewId,
    /// Who.
    pub reviewer: PersonId,
    /// Their name.
    pub reviewer_name: String,
    /// The absent person in whose place they said it, and that person's name.
    pub absent: Option<(PersonId, String)>,
    /// False when it was said in the place of somebody for whom they decide no longer.
    pub holds: bool,
    /// What they said.
    pub verdict: ReviewVerdict,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// False when it was given for something else than what waits now, for example an earlier plan.
    pub counts: bool,
}

/// A rung of the ladder of a requirement that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rung {
    /// What the rule says.
    pub rule: Escalation,
    /// When these people are asked, while the requirement waits and they are not asked yet.
    pub due: Option<Timestamp>,
    /// Since when their approval counts.
    pub since: Option<Timestamp>,
}

/// Who must agree, and how far that is.
#[derive(Debug, Clone)]
pub struct ProgressedRequirement {
    /// Its id.
    pub id: RequirementId,
    /// The rule that asks for it.
    pub rule_id: String,
    /// Who, in words.
    pub who: String,
    /// Whose approval counts.
    pub by: Group,
    /// Who may agree as well when nobody has in time, the earliest first.
    pub escalation: Vec<Rung>,
    /// How many people.
    pub count: i32,
    /// When they are asked: those of a step when everybody of the earlier ones has agreed.
    pub step: i32,
    /// How many have agreed. Whoever has counts for one requirement.
    pub approvals: i64,
}

impl ProgressedRequirement {
    /// Whose approval counts by now.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        let asked = self.escalation.iter().filter(|rung| rung.since.is_some()).map(|rung| &rung.rule.to);
        [&self.by].into_iter().chain(asked)
    }

    /// Whether enough people have agreed.
    pub fn is_satisfied(&self) -> bool {
        self.approvals >= i64::from(self.count)
    }

    /// The step whose people are asked now; none when everybody has agreed.
    pub fn open_step(all: &[Self]) -> Option<i32> {
        all.iter().filter(|one| !one.is_satisfied()).map(|one| one.step).min()
    }

    /// Those that are not met and whose turn it is.
    pub fn awaited(all: &[Self]) -> impl Iterator<Item = &Self> {
        let open = Self::open_step(all);
        all.iter().filter(move |one| Some(one.step) == open && !one.is_satisfied())
    }
}

/// A request with everything that its page shows.
#[derive(Debug, Clone)]
pub struct RequestDetail {
    /// The request.
    pub request: Request,
    /// What policy said.
    pub decision: StoredDecision,
    /// Who must agree.
    pub requirements: Vec<ProgressedRequirement>,
    /// Who has said what.
    pub reviews: Vec<Review>,
    /// The plan that approvers see; none for requests that need no plan.
    pub plan: Option<RequestPlan>,
    /// What it was said to cost when it was submitted; none where nothing was known.
    pub estimate: Option<Estimate>,
    /// Changes that were suggested for it, and those that it came of; the earliest first.
    pub suggestions: Vec<Suggestion>,
}

/// What a submit led to.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// The request.
    pub id: RequestId,
    /// The decision that was just made; none when the same key had made the request before.
    pub decision: Option<Decision>,
    /// What it would cost, as it was kept just now; none where there is no estimate.
    pub estimate: Option<Estimate>,
}

/// Requests that wait for this person.
#[derive(Debug, Clone)]
pub struct Mine {
    /// The person: never the requester, and has not reviewed yet.
    pub person: PersonId,
    /// Their roles with where they hold them: on the platform, in a project, or in an environment type of it alone.
    pub roles: Vec<(Option<ProjectId>, Option<ProjectEnvironmentTypeId>, Role)>,
    /// Slugs of their teams.
    pub teams: Vec<String>,
}

impl Mine {
    /// What waits for this person, by the roles that they hold now.
    pub fn of(access: &Access) -> Self {
        let everywhere = access.platform_roles.iter().map(|role| (None, None, *role));
        let there = access.project_roles.iter();
        let there = there.flat_map(|(project, roles)| roles.iter().map(|role| (Some(*project), None, *role)));
        let types = access.place_roles.iter().flat_map(|(project, held)| {
            let of = |held: &PlaceRoles| -> Vec<_> {
                held.roles.iter().map(|role| (Some(*project), Some(held.place), *role)).collect()
            };
            held.values().flat_map(of).collect::<Vec<_>>()
        });
        Self {
            person: access.person.id,
            roles: everywhere.chain(there).chain(types).collect(),
            teams: access.teams.iter().map(|team| team.slug.clone()).collect(),
        }
    }
}

/// Which requests to list; everything that is set narrows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only these projects, or of this requester; `None` is all.
    pub projects: Option<Vec<ProjectId>>,
    /// Of the projects that stand here, only these environment types.
    pub parts: Vec<(ProjectId, ProjectEnvironmentTypeId)>,
    /// Besides `projects`, always those of this person.
    pub or_requester: Option<PersonId>,
    /// Only of this requester.
    pub requester: Option<PersonId>,
    /// Only this status.
    pub status: Option<RequestStatus>,
    /// Only of this environment.
    pub environment: Option<EnvironmentId>,
    /// A part of the environment's name.
    pub query: Option<String>,
    /// Only those that wait for this person.
    pub to_review: Option<Mine>,
    /// Only those that have waited so long for an approval, or whose requester asked for an answer; or all but those.
    pub pressing: Option<(bool, Duration)>,
}
