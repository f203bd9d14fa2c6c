//! Questions to policy: plain data, stored whole with every decision.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::group::Group;

/// A role, held on the platform or in a project.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Role {
    /// Requests environments.
    Developer,
    /// Leads a project: approves, and may do what its developers may.
    Lead,
    /// Curates the platform.
    Admin,
    /// Reads everything and changes nothing.
    Auditor,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Developer, Self::Lead, Self::Admin, Self::Auditor];

    /// The role as SQL, the API and Cedar spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Developer => "developer",
            Self::Lead => "lead",
            Self::Admin => "admin",
            Self::Auditor => "auditor",
        }
    }

    /// The role called `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $words:literal;)*) => {
        /// Something that a person wants to do, as policy names it.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum Action { $($(#[$doc])* $name,)* }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name in Cedar: `Action::"CreateEnvironment"`.
            pub fn cedar_name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The action as the API and stored decisions spell it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What it is, for sentences: “may not … ”.
            pub fn words(self) -> &'static str {
                match self { $(Self::$name => $words,)* }
            }
        }
    };
}

actions! {
    /// Make an environment.
    CreateEnvironment = "create_environment", "create an environment";
    /// Give an environment new inputs or a new template version.
    UpdateEnvironment = "update_environment", "update an environment";
    /// Give an environment a later end.
    ExtendEnvironment = "extend_environment", "extend an environment";
    /// Start, stop, hibernate or restart an environment.
    PowerEnvironment = "power_environment", "start or stop an environment";
    /// Run an action that the template declares.
    ActOnEnvironment = "act_on_environment", "run an action on an environment";
    /// End an environment.
    DeleteEnvironment = "delete_environment", "delete an environment";
    /// Run a failed operation again.
    RetryRun = "retry_run", "retry a run";
    /// Stop a run.
    CancelRun = "cancel_run", "cancel a run";
    /// Compare an environment with what its last run left.
    CheckDrift = "check_drift", "check an environment for drift";
    /// Say that what differs shall be so.
    AcceptDrift = "accept_drift", "accept the drift of an environment";
    /// Give an environment to another member of its project.
    HandOver = "hand_over", "hand an environment over";
    /// See templates.
    ReadCatalog = "read_catalog", "read the catalog";
    /// See a project.
    ReadProject = "read_project", "read the project";
    /// See an environment, its runs and the outputs that are not sensitive.
    ReadEnvironment = "read_environment", "read an environment";
    /// See the value of a sensitive output.
    RevealOutput = "reveal_output", "reveal a sensitive output";
    /// See a request.
    ReadRequest = "read_request", "read a request";
    /// Approve or reject a request.
    ReviewRequest = "review_request", "approve or reject a request";
    /// Take a request back.
    WithdrawRequest = "withdraw_request", "withdraw a request";
    /// Read the audit log.
    ReadAudit = "read_audit", "read the audit log";
    /// Change catalog sources, templates and their versions.
    ManageCatalog = "manage_catalog", "manage the catalog";
    /// See how the platform is set up and how it does.
    ReadAdmin = "read_admin", "read the administration pages";
    /// Hold runs back, and drain workers.
    ManageQueue = "manage_queue", "hold runs or drain workers";
    /// Connect, change, check and disconnect targets, and say where they are used.
    ManageTargets = "manage_targets", "manage targets";
    /// Make, change and remove quotas.
    ManageQuotas = "manage_quotas", "manage quotas";
    /// Add prices to the price book.
    ManagePrices = "manage_prices", "manage prices";
    /// Give, change and take roles of people and teams.
    ManageRoles = "manage_roles", "give and take roles";
    /// Ask for a role for a time.
    AskForRole = "ask_for_role", "ask for this role for so long";
    /// Take a role at once, in an emergency.
    BreakGlass = "break_glass", "take this role at once";
    /// Adopt or destroy what nobody owns.
    ManageOrphans = "manage_orphans", "adopt or destroy orphans";
    /// Write drafts of policies, propose, take back and discard them.
    ManagePolicies = "manage_policies", "write policies";
    /// Put a proposed version of the policies in force.
    PublishPolicies = "publish_policies", "publish policies";
    /// Make and revoke tokens of one's own.
    ManageTokens = "manage_tokens", "manage one's own tokens";
}

impl Action {
    /// Those that become requests, so that only they can wait for an approval.
    pub const REQUESTS: [Self; 6] = [
        Self::CreateEnvironment,
        Self::UpdateEnvironment,
        Self::ExtendEnvironment,
        Self::PowerEnvironment,
        Self::ActOnEnvironment,
        Self::DeleteEnvironment,
    ];
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// The prefixed id of a person, or `system:` and a part of Paddock.
    pub id: String,
    /// The login name.
    pub login: String,
    /// Slugs of the person's teams.
    pub teams: Vec<String>,
    /// Roles held on the whole platform: they count everywhere.
    pub platform_roles: BTreeSet<Role>,
    /// Roles held in the resource's project; ignored for a resource without a project.
    pub project_roles: BTreeSet<Role>,
    /// Roles held in single environment types of the resource's project, by the slug of the type. Those of the
    /// resource's own type count; reading the project as a whole takes any of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub place_roles: BTreeMap<String, BTreeSet<Role>>,
}

impl Principal {
    /// A part of Paddock itself, for example `reconciler.expiry`. It has no role.
    pub fn system(part: &str) -> Self {
        Self {
            id: format!("{SYSTEM}{part}"),
            login: format!("paddock {part}"),
            teams: Vec::new(),
            platform_roles: BTreeSet::new(),
            project_roles: BTreeSet::new(),
            place_roles: BTreeMap::new(),
        }
    }

    /// The same without the roles in single environment types: what they are to the project as a whole.
    #[must_use]
    pub fn of_whole_project(self) -> Self {
        Self { place_roles: BTreeMap::new(), ..self }
    }

    /// True for a part of Paddock itself.
    pub fn is_system(&self) -> bool {
        self.id.starts_with(SYSTEM)
    }
}

const SYSTEM: &str = "system:";

/// What kind of thing is acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    /// The installation as a whole.
    Platform,
    /// A project; its id is its slug.
    Project,
    /// A template; its id is its slug.
    Template,
    /// An environment, also one that is to be made, and its runs and outputs.
    Environment,
    /// A request.
    Request,
    /// The audit log: of a project, or of everything.
    AuditLog,
    /// A catalog source.
    CatalogSource,
    /// A version of the policy set.
    PolicyVersion,
}

/// What somebody has for one request in the place of an absent person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Borrowed {
    /// The principal id of the absent person.
    pub of: String,
    /// What that person holds.
    pub group: Group,
}

/// What is acted on. `Default` is the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// What kind of thing.
    pub kind: ResourceKind,
    /// Its prefixed id or slug; empty for an environment that is to be made.
    pub id: String,
    /// The slug of its project.
    pub project: Option<String>,
    /// The slug of its environment type.
    pub environment_type: Option<String>,
    /// The slug of its template.
    pub template: Option<String>,
    /// The kind of its provider.
    pub provider: Option<String>,
    /// The principal id of its owner.
    pub owner: Option<String>,
    /// The principal id of who made the request.
    pub requester: Option<String>,
    /// Of a request: whose approval counts for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Group>,
    /// Of a request: what the principal has of those whom it asks because somebody absent let them decide.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub borrowed: Vec<Borrowed>,
    /// Of a version of the policy set: the principal ids of everybody who wrote in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub editors: Vec<String>,
}

impl Resource {
    /// A resource of this kind and id, with nothing else known yet.
    pub fn new(kind: ResourceKind, id: impl Into<String>) -> Self {
        Self {
            kind,
            id: id.into(),
            project: None,
            environment_type: None,
            template: None,
            provider: None,
            owner: None,
            requester: None,
            asked: Vec::new(),
            borrowed: Vec::new(),
            editors: Vec::new(),
        }
    }

    /// The installation as a whole.
    pub fn platform() -> Self {
        Self::new(ResourceKind::Platform, "paddock")
    }

    /// The project with this slug.
    pub fn project(slug: &str) -> Self {
        Self { project: Some(slug.to_owned()), ..Self::new(ResourceKind::Project, slug) }
    }

    /// The audit log of a project, or of everything.
    pub fn audit_log(project: Option<&str>) -> Self {
        Self { project: project.map(str::to_owned), ..Self::new(ResourceKind::AuditLog, "audit") }
    }
}

impl Default for Resource {
    fn default() -> Self {
        Self::platform()
    }
}

/// The circumstances of the question.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Context {
    /// The inputs of the form, without secret ones (I20).
    pub inputs: Map<String, Value>,
    /// Seconds. Create and extend: how long it is to live from now on, the default filled in. Update:
    /// the same when it changes. Delete: what is left, zero or less when it has expired.
    pub lifetime_seconds: Option<i64>,
    /// Seconds that the project's environment type allows.
    pub maximum_lifetime_seconds: Option<i64>,
    /// Of what can be done with an environment that is there, which: `stop`, `rotate-password`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// When it is asked. None: of what is no request, and of requests from before rules could read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What it would cost in a month in which it runs all the time, by the prices of that day, as decimal text in
    /// the currency of the price book; what has no price counts for nothing. None: nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_per_month: Option<String>,
    /// The role that is asked for, or taken in an emergency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_role: Option<Role>,
    /// An exception is asked for, from the rules that allow one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exception: bool,
    /// `web`, `api`, `cli`, `worker` or `reconciler`.
    pub channel: String,
}

/// All that a decision is made from, but for the policy set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// What is to be done.
    pub action: Action,
    /// By whom.
    pub principal: Principal,
    /// To what.
    pub resource: Resource,
    /// Under which circumstances.
    pub context: Context,
}

impl Question {
    /// The roles that count: those on the platform, those in the resource's project and in its environment type,
    /// and those borrowed for it.
    pub fn roles(&self) -> BTreeSet<Role> {
        let mut roles = self.principal.platform_roles.clone();
        if self.resource.project.is_some() {
            roles.extend(&self.principal.project_roles);
            roles.extend(self.place_roles());
        }
        roles.extend(self.borrowed().filter_map(Group::role));
        roles
    }

    /// Those of the resource's environment type. Whoever holds a role in some type of a project reads the project,
    /// and does nothing else to it as a whole.
    fn place_roles(&self) -> impl Iterator<Item = &Role> {
        let (kind, reads) = (self.resource.environment_type.as_ref(), self.action == Action::ReadProject);
        let here = move |slug: &String| reads || kind == Some(slug);
        self.principal.place_roles.iter().filter(move |(slug, _)| here(slug)).flat_map(|(_, roles)| roles)
    }

    /// The slugs of the teams that count: the principal's own, and those borrowed for the resource.
    pub fn teams(&self) -> BTreeSet<&str> {
        let borrowed = self.borrowed().filter_map(Group::team);
        self.principal.teams.iter().map(String::as_str).chain(borrowed).collect()
    }

    /// Of a request alone: nothing else is done in the place of somebody.
    fn borrowed(&self) -> impl Iterator<Item = &Group> {
        let request = self.resource.kind == ResourceKind::Request;
        self.resource.borrowed.iter().filter(move |_| request).map(|one| &one.group)
    }

    /// What is asked, in words: “create an environment of the type prod in project payments”.
    pub fn asked(&self) -> String {
        super::words::asked(self)
    }

    /// The scope of the question, for sentences: “project payments” or “the platform”.
    pub fn scope(&self) -> String {
        match &self.resource.project {
            Some(slug) => format!("project {slug}"),
            None => "the platform".to_owned(),
        }
    }
}
