//! People, teams, roles and credentials as the rest of Paddock sees them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde::Serialize;

use super::role::Role;
use super::{Scope, TokenScopes};
use crate::base::Actor;
use crate::base::id::{PersonId, ProjectEnvironmentTypeId, ProjectId, SessionId, TeamId, TokenId};

/// What this process allows and how long sessions live.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// A session ends when it was not used for this long.
    pub session_idle: SignedDuration,
    /// A session ends this long after sign-in, however much it is used.
    pub session_absolute: SignedDuration,
    /// Whether this is a demo: without it, demo people cannot sign in, and sessions and tokens that
    /// they have from before do not count.
    pub demo: bool,
}

impl Default for Settings {
    fn default() -> Self {
        // ASVS 5 7.3.1 and 7.3.2 ask for both ends; the lengths are those of docs/SECURITY.
        Self {
            session_idle: SignedDuration::from_mins(30),
            session_absolute: SignedDuration::from_hours(12),
            demo: false,
        }
    }
}

/// Somebody, or a program (`service`), that acts under a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// The id.
    pub id: PersonId,
    /// The login name, lower case, unique.
    pub login: String,
    /// The name to show.
    pub display_name: String,
    /// For mail; never used to find a person.
    pub email: Option<String>,
    /// A person who is not active cannot use any credential.
    pub active: bool,
    /// One of the five people of `--demo`.
    pub demo: bool,
    /// A program: it has tokens, but cannot sign in.
    pub service: bool,
    /// When the person was made.
    pub created_at: Timestamp,
}

/// A person to be made.
#[derive(Debug, Clone, Default)]
pub struct NewPerson {
    /// The login name.
    pub login: String,
    /// The name to show.
    pub display_name: String,
    /// For mail.
    pub email: Option<String>,
    /// One of the people of `--demo`.
    pub demo: bool,
    /// A program.
    pub service: bool,
}

/// A group of people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Team {
    /// The id.
    pub id: TeamId,
    /// The short name, unique.
    pub slug: String,
    /// The name to show.
    pub name: String,
}

/// Where a membership or a role came from. What came from `oidc` is replaced at every sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Given by an admin.
    Local,
    /// Follows from the groups at the OpenID provider.
    Oidc,
    /// Made by `--demo`.
    Demo,
    /// Asked for and granted for a time, or taken in an emergency.
    Elevation,
}

/// Somebody who holds a role in a project, by themselves or through a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The person.
    pub person: PersonId,
    /// The login name.
    pub login: String,
    /// The name to show.
    pub display_name: String,
    /// The role.
    pub role: Role,
    /// The slug of the team that has the role, if it is one.
    pub team: Option<String>,
    /// The environment type of the project in which alone they hold it.
    pub place: Option<ProjectEnvironmentTypeId>,
    /// The slug of that.
    pub environment_type: Option<String>,
}

/// Who gets a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// One person.
    Person(PersonId),
    /// Every member of a team.
    Team(TeamId),
}

/// A person with everything that they hold, roles through teams included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Access {
    /// The person.
    pub person: Person,
    /// Their teams, by slug.
    pub teams: Vec<Team>,
    /// Roles on the whole platform.
    pub platform_roles: BTreeSet<Role>,
    /// Roles given in single projects.
    pub project_roles: BTreeMap<ProjectId, BTreeSet<Role>>,
    /// Roles given in single environment types of projects, by the slug of the type.
    pub place_roles: BTreeMap<ProjectId, BTreeMap<String, PlaceRoles>>,
}

/// What somebody holds in one environment type of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlaceRoles {
    /// Which it is.
    pub place: ProjectEnvironmentTypeId,
    /// The roles.
    pub roles: BTreeSet<Role>,
}

impl Access {
    /// Every role that counts in this project as a whole: those given there and those on the platform. With an
    /// environment type, every role that counts there: those, and the ones given in it alone.
    pub fn roles_in(&self, project: ProjectId, place: Option<ProjectEnvironmentTypeId>) -> BTreeSet<Role> {
        let mut roles = self.platform_roles.clone();
        roles.extend(self.project_roles.get(&project).into_iter().flatten());
        let here = self.places_in(project).filter(|(_, held)| Some(held.place) == place);
        roles.extend(here.flat_map(|(_, held)| &held.roles));
        roles
    }

    /// The environment types of a project in which the person has a role of their own.
    pub fn places_in(&self, project: ProjectId) -> impl Iterator<Item = (&String, &PlaceRoles)> {
        self.place_roles.get(&project).into_iter().flatten()
    }

    /// The projects in which the person has a role of their own, if only in one of their environment types.
    pub fn projects(&self) -> BTreeSet<ProjectId> {
        self.project_roles.keys().chain(self.place_roles.keys()).copied().collect()
    }

    /// Whether the person has this role on the whole platform.
    pub fn has_platform_role(&self, role: Role) -> bool {
        self.platform_roles.contains(&role)
    }
}

/// How somebody signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum SignInMethod {
    /// Login and password.
    Local,
    /// An OpenID provider.
    Oidc,
    /// One click, with `--demo`.
    Demo,
}

impl SignInMethod {
    /// The word in the audit log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Oidc => "oidc",
            Self::Demo => "demo",
        }
    }
}

/// What the browser that signs in brought along.
#[derive(Debug, Clone, Copy, Default)]
pub struct Browser<'a> {
    /// The session token of its cookie: that session ends when the new one starts.
    pub session: Option<&'a str>,
    /// The User-Agent header, for the list of sessions.
    pub user_agent: Option<&'a str>,
}

/// A session that was just started.
#[derive(Debug)]
pub struct SignedIn {
    /// Who signed in.
    pub person: Person,
    /// The session.
    pub session_id: SessionId,
    /// The token for the cookie. It is stored nowhere.
    pub token: SecretString,
    /// When the session ends at the latest.
    pub absolute_until: Timestamp,
}

/// A live session, for the list of one's own.
#[derive(Debug, Clone, Serialize)]
pub struct Session {
    /// The id.
    pub id: SessionId,
    /// How it was started.
    pub method: SignInMethod,
    /// The address that it was started from.
    pub address: Option<String>,
    /// The browser that it was started with.
    pub user_agent: Option<String>,
    /// When it was started.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
    /// When it ends at the latest.
    pub absolute_until: Timestamp,
}

/// An API token, without its secret.
#[derive(Debug, Clone, Serialize)]
pub struct ApiToken {
    /// The id.
    pub id: TokenId,
    /// What the owner called it.
    pub name: String,
    /// The last four characters, to recognise it.
    pub last4: String,
    /// What it may be used for.
    pub scopes: TokenScopes,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// Whether that has come, by the database's clock.
    pub expired: bool,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl ApiToken {
    /// Whether it can be used.
    pub fn works(&self) -> bool {
        !self.expired && self.revoked_at.is_none()
    }
}

/// What somebody proved with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A browser's session.
    Session(SessionId),
    /// An API token with its scopes.
    Token {
        /// The token.
        id: TokenId,
        /// What it may be used for.
        scopes: TokenScopes,
    },
}

/// Somebody who proved who they are, with what they hold at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated {
    /// The person and their roles.
    pub access: Access,
    /// What they proved it with.
    pub credential: Credential,
}

impl Authenticated {
    /// Whether the credential reaches as far as a scope or an action. A session reaches everywhere;
    /// whether the *person* may do it is for policy to say, besides this.
    pub fn reaches(&self, what: impl Into<Scope>) -> bool {
        match &self.credential {
            Credential::Session(_) => true,
            Credential::Token { scopes, .. } => scopes.allows(what),
        }
    }

    /// The session, if it was one.
    pub fn session_id(&self) -> Option<SessionId> {
        match &self.credential {
            Credential::Session(id) => Some(*id),
            Credential::Token { .. } => None,
        }
    }

    /// The actor for `Op`.
    pub fn actor(&self) -> Actor {
        let token = match &self.credential {
            Credential::Session(_) => None,
            Credential::Token { id, .. } => Some(*id),
        };
        Actor::Person { id: self.access.person.id, login: self.access.person.login.clone(), token }
    }
}
