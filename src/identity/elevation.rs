//! Roles for a time: asked for and decided by somebody else, or taken at once in an emergency.
//!
//! What it becomes is a role with an end (`role_now`), so it counts and ends as any other. Whoever holds
//! a role by it gives no roles by it: [`lasting_access`] is what that is asked with.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;

use super::bindings::{end_due, giver};
use super::role::Role;
use super::store::{bindings, elevations as store, people};
use super::{Access, Holder, IdentityError, Result, Source};
use crate::audit::{self, Entry, Object, Outcome};
use crate::base::cursor::{Cursor, Page};
use crate::base::id::{ElevationId, PersonId, ProjectId, RoleBindingId};
use crate::base::{Actor, Op};
use crate::db::Tx;
use crate::policy::{Permit, ability};

/// How long somebody can decide on what was asked for.
const WAITS: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The longest reason, answer and review, in characters.
const LONGEST_TEXT: usize = 1000;
/// How many alarms a page shows at most.
const MOST_ALARMS: i64 = 3;

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ElevationState {
    /// Nobody has decided.
    Waiting,
    /// The role counts.
    Granted,
    /// Somebody said no.
    Declined,
    /// Whoever asked took it back.
    Withdrawn,
    /// Nobody decided in time.
    Lapsed,
    /// The role counted, and does not any more.
    Ended,
}

impl ElevationState {
    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Granted => "granted",
            Self::Declined => "declined",
            Self::Withdrawn => "withdrawn",
            Self::Lapsed => "lapsed",
            Self::Ended => "ended",
        }
    }
}

/// A role that somebody asked for, or took in an emergency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elevation {
    /// Its id.
    pub id: ElevationId,
    /// Who asked.
    pub person: PersonId,
    /// Their name to show.
    pub name: String,
    /// Their login.
    pub login: String,
    /// The role.
    pub role: Role,
    /// Where; `None`: on the platform.
    pub project: Option<ProjectId>,
    /// The slug of that.
    pub project_slug: Option<String>,
    /// Taken at once, and to be reviewed.
    pub emergency: bool,
    /// What it is for.
    pub reason: String,
    /// For how long, from the decision on.
    pub lifetime: SignedDuration,
    /// Where it stands, by the database's clock.
    pub state: ElevationState,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when somebody can decide.
    pub lapses_at: Timestamp,
    /// The name of who decided; empty: nobody, or nobody else.
    pub decided_by: String,
    /// When.
    pub decided_at: Option<Timestamp>,
    /// What they said.
    pub answer: String,
    /// The role that it became, while that is there.
    pub binding: Option<RoleBindingId>,
    /// When it ends.
    pub ends_at: Option<Timestamp>,
    /// Who reviewed the emergency; empty: nobody yet.
    pub reviewed_by: String,
    /// When.
    pub reviewed_at: Option<Timestamp>,
    /// Whether it was one, as they say.
    pub justified: Option<bool>,
    /// What they say of it.
    pub review: String,
}

impl Elevation {
    /// “admin on the platform”, “lead in payments”.
    pub fn label(&self) -> String {
        label(self.role, self.project_slug.as_deref())
    }

    /// Whether it is an emergency that somebody else still has to look at.
    pub fn is_to_review(&self) -> bool {
        self.emergency && self.reviewed_at.is_none()
    }
}

pub(super) fn label(role: Role, project: Option<&str>) -> String {
    super::bindings::label(role, project, None)
}

/// Which ones. `Default` is all.
#[derive(Debug, Clone, Copy, Default)]
pub struct ElevationFilter {
    /// Only this one.
    pub id: Option<ElevationId>,
    /// Only this person's.
    pub person: Option<PersonId>,
    /// Only those that somebody has to decide.
    pub waiting: bool,
    /// Only emergencies that nobody has reviewed.
    pub to_review: bool,
}

/// A role to be asked for.
#[derive(Debug, Clone)]
pub struct NewElevation {
    /// The role.
    pub role: Role,
    /// Where, with its slug; `None`: on the platform.
    pub project: Option<(ProjectId, String)>,
    /// For how long.
    pub lifetime: SignedDuration,
    /// What it is for.
    pub reason: String,
}

/// A role that somebody holds, as they see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRole {
    /// The role.
    pub role: Role,
    /// Where; `None`: on the platform.
    pub project: Option<ProjectId>,
    /// The slug of that.
    pub project_slug: Option<String>,
    /// The name of that.
    pub project_name: Option<String>,
    /// The slug of the environment type of that in which alone they hold it.
    pub environment_type: Option<String>,
    /// The name of the team through which they hold it.
    pub team: Option<String>,
    /// Where it came from.
    pub source: Source,
    /// The name of who gave it; empty: nobody by hand.
    pub given_by: String,
    /// Until when; `None`: until it is taken away.
    pub expires_at: Option<Timestamp>,
}

/// An emergency that nobody has reviewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Which.
    pub id: ElevationId,
    /// Who took the role.
    pub person: PersonId,
    /// Their name to show.
    pub name: String,
    /// “admin in payments”
    pub label: String,
    /// When.
    pub at: Timestamp,
}

/// Asks for a role. It counts for nothing until somebody grants it.
pub async fn ask_for_role(
    tx: &mut Tx,
    op: &Op,
    _: &Permit<ability::AskForRole>,
    new: &NewElevation,
) -> Result<Elevation> {
    let asked = insert(tx, op, new, false).await?;
    let detail = json!({"reason": asked.reason, "lifetime_seconds": asked.lifetime.as_secs()});
    audit::append(tx, op, entry("elevation.asked", &asked).detail(detail)).await?;
    Ok(asked)
}

/// Takes a role at once. Every admin is told until one of them has reviewed it.
pub async fn break_glass(
    tx: &mut Tx,
    op: &Op,
    _: &Permit<ability::BreakGlass>,
    new: &NewElevation,
) -> Result<Elevation> {
    let asked = insert(tx, op, new, true).await?;
    let became = store::bind(tx, RoleBindingId::new(op.clock(), op.entropy()), &asked, "").await?;
    store::decide(tx, asked.id, ("", ""), Some(became)).await?;
    let detail = json!({"reason": asked.reason, "ends_at": became.1});
    audit::append(tx, op, entry("elevation.taken", &asked).detail(detail)).await?;
    tracing::warn!(person = %asked.login, role = %asked.label(), until = %became.1, "somebody took a role in an emergency");
    find(tx, asked.id).await
}

async fn insert(tx: &mut Tx, op: &Op, new: &NewElevation, emergency: bool) -> Result<Elevation> {
    let Actor::Person { id: person, .. } = op.actor else {
        return Err(IdentityError::Denied("only a person asks for roles"));
    };
    let reason = said(&new.reason, "/reason", "say what it is for")?;
    if new.lifetime < SignedDuration::from_mins(1) {
        return Err(IdentityError::invalid("/lifetime", "is at least a minute"));
    }
    bindings::lock(tx).await?;
    // One whose end has come and that nobody has removed yet does not stand in the way.
    end_due(tx, op).await?;
    let project = new.project.as_ref().map(|(id, _)| *id);
    let there = |role: &OwnRole| role.project.is_none() || (role.project == project && role.environment_type.is_none());
    let same = |role: &OwnRole| role.role == new.role && there(role);
    let held = store::own(tx, person).await?;
    if held.iter().any(|role| same(role) && role.source != Source::Elevation) {
        return Err(IdentityError::Refused("you hold this role there already"));
    }
    let waiting = ElevationFilter { person: Some(person), waiting: true, ..ElevationFilter::default() };
    let waiting = store::list(tx, waiting, None, i64::MAX).await?;
    if waiting.iter().any(|one| one.role == new.role && one.project == project && !emergency) {
        return Err(IdentityError::Refused("you have asked for this role already, and nobody has decided yet"));
    }
    let id = ElevationId::new(op.clock(), op.entropy());
    let (role, lifetime) = (new.role, new.lifetime);
    let asked = store::Asked { id, person, role, project, emergency, reason: &reason, lifetime, waits: WAITS };
    store::insert(tx, &asked).await?;
    find(tx, id).await
}

/// Grants what somebody asked for, from now on, or says no. Never by whoever asked.
pub async fn decide_elevation(
    tx: &mut Tx,
    op: &Op,
    _: &Permit<ability::ManageRoles>,
    id: ElevationId,
    (grant, answer): (bool, &str),
) -> Result<Elevation> {
    bindings::lock(tx).await?;
    let asked = find(tx, id).await?;
    let by = giver(tx, op, Holder::Person(asked.person)).await?;
    if asked.state != ElevationState::Waiting {
        return Err(IdentityError::Refused("this does not wait for a decision any more"));
    }
    let answer = if grant { at_most(answer, "/answer")? } else { said(answer, "/answer", "say why not")? };
    let became = if grant {
        end_due(tx, op).await?;
        Some(store::bind(tx, RoleBindingId::new(op.clock(), op.entropy()), &asked, &by).await?)
    } else {
        None
    };
    store::decide(tx, id, (&by, &answer), became).await?;
    let action = if grant { "elevation.granted" } else { "elevation.declined" };
    let detail = json!({"name": asked.name, "answer": answer, "ends_at": became.map(|(_, end)| end)});
    audit::append(tx, op, entry(action, &asked).detail(detail)).await?;
    find(tx, id).await
}

/// Takes back what one asked for, or gives back what one got.
pub async fn end_elevation(tx: &mut Tx, op: &Op, id: ElevationId) -> Result<Elevation> {
    bindings::lock(tx).await?;
    let asked = find(tx, id).await?;
    if !matches!(op.actor, Actor::Person { id: person, .. } if person == asked.person) {
        return Err(IdentityError::NotFound("role that you asked for"));
    }
    let action = match (asked.state, asked.binding) {
        (ElevationState::Waiting, _) => {
            store::withdraw(tx, id).await?;
            "elevation.withdrawn"
        }
        (ElevationState::Granted, Some(binding)) => {
            bindings::delete(tx, binding).await?;
            "elevation.ended"
        }
        _ => return Err(IdentityError::Refused("it has ended already")),
    };
    audit::append(tx, op, entry(action, &asked)).await?;
    find(tx, id).await
}

/// Says whether an emergency was one. Never by whoever took the role.
pub async fn review_elevation(
    tx: &mut Tx,
    op: &Op,
    _: &Permit<ability::ManageRoles>,
    id: ElevationId,
    (justified, text): (bool, &str),
) -> Result<Elevation> {
    bindings::lock(tx).await?;
    let taken = find(tx, id).await?;
    let by = giver(tx, op, Holder::Person(taken.person)).await?;
    if !taken.is_to_review() {
        return Err(IdentityError::Refused("there is nothing to review any more"));
    }
    let text = said(text, "/review", "say what you found")?;
    store::review(tx, id, (&by, &text), justified).await?;
    let detail = json!({"name": taken.name, "justified": justified, "review": text});
    audit::append(tx, op, entry("elevation.reviewed", &taken).detail(detail)).await?;
    find(tx, id).await
}

/// Writes down that somebody wanted a role in a way that policy does not allow.
pub async fn record_elevation_refusal(
    tx: &mut Tx,
    op: &Op,
    action: &'static str,
    (role, project): (Role, Option<&str>),
) -> crate::db::Result<()> {
    let object = Object { kind: "elevation", id: None, label: label(role, project) };
    audit::append(tx, op, Entry::new(action, object).outcome(Outcome::Denied)).await
}

/// Those of everybody, or of one person, newest first.
pub async fn list_elevations(
    connection: &mut PgConnection,
    filter: ElevationFilter,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Page<Elevation>> {
    let rows = store::list(connection, filter, after, limit).await?;
    Ok(Page::cut(rows, limit, |one| Cursor { at: one.created_at, id: one.id.0 }))
}

/// One of them.
pub async fn get_elevation(connection: &mut PgConnection, id: ElevationId) -> Result<Elevation> {
    find(connection, id).await
}

/// What somebody holds now, one by one.
pub async fn own_roles(connection: &mut PgConnection, person: PersonId) -> Result<Vec<OwnRole>> {
    Ok(store::own(connection, person).await?)
}

/// The emergencies that nobody has reviewed, oldest first, at most three; of one person when one is given.
pub async fn alarms(connection: &mut PgConnection, person: Option<PersonId>) -> crate::db::Result<Vec<Alarm>> {
    store::alarms(connection, person, MOST_ALARMS).await
}

/// How many wait for a decision, or for a review.
pub async fn count_to_judge(connection: &mut PgConnection) -> crate::db::Result<u64> {
    store::count_to_judge(connection).await
}

/// The person with what they hold by other means than asking for it, or taking it in an emergency.
pub async fn lasting_access(connection: &mut PgConnection, access: &Access) -> Result<Access> {
    let held = store::lasting(connection, access.person.id).await?;
    Ok(people::access_of(access.person.clone(), held)?)
}

async fn find(connection: &mut PgConnection, id: ElevationId) -> Result<Elevation> {
    let only = ElevationFilter { id: Some(id), ..ElevationFilter::default() };
    let found = store::list(connection, only, None, 1).await?.pop();
    found.ok_or(IdentityError::NotFound("role that somebody asked for"))
}

fn entry(action: &'static str, of: &Elevation) -> Entry {
    let mut entry = Entry::new(action, Object::new("elevation", of.id.0, of.label()));
    entry.project = of.project;
    entry
}

fn said(text: &str, pointer: &str, missing: &str) -> Result<String> {
    let text = at_most(text, pointer)?;
    if text.is_empty() { Err(IdentityError::invalid(pointer, missing)) } else { Ok(text) }
}

fn at_most(text: &str, pointer: &str) -> Result<String> {
    let text = text.trim();
    if text.chars().count() > LONGEST_TEXT {
        return Err(IdentityError::invalid(pointer, format!("is at most {LONGEST_TEXT} characters")));
    }
    Ok(text.to_owned())
}
