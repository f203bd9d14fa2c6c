//! Who holds which role where, until when: what admins give and take.
//!
//! Nobody gives themselves a role, also not through a team, and there is always an admin of the platform
//! whose role does not end.

use jiff::Timestamp;
use serde_json::json;
use sqlx::PgConnection;

use super::people::{Held, role_entry};
use super::role::Role;
use super::store::{bindings as store, people};
use super::{Holder, IdentityError, Result, Source};
use crate::audit::{self, Entry, Object, Outcome};
use crate::base::cursor::{Cursor, Page};
use crate::base::id::{PersonId, ProjectEnvironmentTypeId, ProjectId, RoleBindingId};
use crate::base::{Actor, Op};
use crate::db::{Db, Tx};
use crate::policy::{Permit, ability};

/// How many ended roles one look removes at most.
const BATCH: i64 = 100;

/// A role that somebody holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Its id.
    pub id: RoleBindingId,
    /// The role.
    pub role: Role,
    /// Who holds it.
    pub holder: Holder,
    /// The holder's name to show.
    pub name: String,
    /// The holder's login, or the team's slug.
    pub key: String,
    /// How many people are in the team; 0 for a person.
    pub members: i64,
    /// The project that it is bound to; `None`: the platform.
    pub project: Option<ProjectId>,
    /// The slug of that.
    pub project_slug: Option<String>,
    /// The environment type of the project that it is bound to; `None`: the whole project, or the platform.
    pub place: Option<ProjectEnvironmentTypeId>,
    /// The slug of that.
    pub environment_type: Option<String>,
    /// Where it came from.
    pub source: Source,
    /// The name of who gave it; empty: nobody did by hand.
    pub given_by: String,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when; `None`: until it is taken away.
    pub expires_at: Option<Timestamp>,
}

impl Binding {
    /// “admin on the platform”, “lead in payments”, “lead in prod of payments”.
    pub fn label(&self) -> String {
        label(self.role, self.project_slug.as_deref(), self.environment_type.as_deref())
    }

    fn held(&self) -> Held {
        Held {
            role: self.role,
            holder: self.holder,
            project: self.project,
            environment_type: self.environment_type.clone(),
            source: self.source,
        }
    }

    /// Whether losing it, or its endlessness, could leave the platform without an admin.
    fn is_platform_admin(&self) -> bool {
        self.role == Role::Admin && self.project.is_none() && self.expires_at.is_none()
    }
}

pub(super) fn label(role: Role, project: Option<&str>, environment_type: Option<&str>) -> String {
    match (project, environment_type) {
        (Some(slug), Some(kind)) => format!("{role} in {kind} of {slug}"),
        (Some(slug), None) => format!("{role} in {slug}"),
        (None, _) => format!("{role} on the platform"),
    }
}

/// A role to be given.
#[derive(Debug, Clone, Copy)]
pub struct NewBinding {
    /// The role.
    pub role: Role,
    /// Who gets it.
    pub holder: Holder,
    /// Where; `None`: on the platform.
    pub project: Option<ProjectId>,
    /// In which environment type of the project alone; `None`: in all of it.
    pub place: Option<ProjectEnvironmentTypeId>,
    /// Until when; `None`: until it is taken away.
    pub expires_at: Option<Timestamp>,
}

/// The roles that people and teams hold now, newest first. `query` is a part of a name, a login, a role,
/// a project or an environment type.
pub async fn list_bindings(
    connection: &mut PgConnection,
    _: &Permit<ability::ReadAdmin>,
    query: &str,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Page<Binding>> {
    let rows = store::list(connection, None, query.trim(), after, limit).await?;
    Ok(Page::cut(rows, limit, |one| Cursor { at: one.created_at, id: one.id.0 }))
}

/// One of them.
pub async fn get_binding(
    connection: &mut PgConnection,
    _: &Permit<ability::ReadAdmin>,
    id: RoleBindingId,
) -> Result<Binding> {
    find(connection, id).await
}

async fn find(connection: &mut PgConnection, id: RoleBindingId) -> Result<Binding> {
    let found = store::list(connection, Some(id), "", None, 1).await?.pop();
    found.ok_or(IdentityError::NotFound("role of anybody"))
}

/// Gives a role.
pub async fn give_role(tx: &mut Tx, op: &Op, _: &Permit<ability::ManageRoles>, new: &NewBinding) -> Result<Binding> {
    let by = giver(tx, op, new.holder).await?;
    if new.expires_at.is_some_and(|end| end <= op.now()) {
        return Err(IdentityError::invalid("/lifetime", "must lie ahead"));
    }
    store::lock(tx).await?;
    // One whose end has come and that nobody has removed yet does not stand in the way.
    end_due(tx, op).await?;
    let id = RoleBindingId::new(op.clock(), op.entropy());
    if !store::insert(tx, id, new, &by).await? {
        return Err(IdentityError::HeldAlready);
    }
    let given = find(tx, id).await?;
    audit::append(tx, op, ends(role_entry("role.granted", &given.held()), new.expires_at)).await?;
    Ok(given)
}

/// Gives a role another end; `seen` is the one that the caller looked at.
pub async fn change_role_end(
    tx: &mut Tx,
    op: &Op,
    _: &Permit<ability::ManageRoles>,
    (id, seen): (RoleBindingId, Option<Option<Timestamp>>),
    end: Option<Timestamp>,
) -> Result<Binding> {
    store::lock(tx).await?;
    let before = by_hand(tx, id).await?;
    giver(tx, op, before.holder).await?;
    if seen.is_some_and(|seen| seen != before.expires_at) {
        return Err(IdentityError::Changed);
    }
    if end.is_some_and(|end| end <= op.now()) {
        return Err(IdentityError::invalid("/lifetime", "must lie ahead"));
    }
    if before.source == Source::Elevation {
        return Err(IdentityError::Refused("its end was granted with it: take it away, or let them ask again"));
    }
    if end.is_some() {
        keep_an_admin(tx, &before).await?;
    }
    store::set_end(tx, id, end).await?;
    audit::append(tx, op, ends(role_entry("role.changed", &before.held()), end)).await?;
    find(tx, id).await
}

/// Takes a role away. It counts for nothing from the commit on.
pub async fn take_role(tx: &mut Tx, op: &Op, _: &Permit<ability::ManageRoles>, id: RoleBindingId) -> Result<Binding> {
    store::lock(tx).await?;
    let before = by_hand(tx, id).await?;
    keep_an_admin(tx, &before).await?;
    store::delete(tx, id).await?;
    audit::append(tx, op, role_entry("role.withdrawn", &before.held())).await?;
    Ok(before)
}

/// Writes down that somebody wanted to give or take a role and may not.
pub async fn record_role_refusal(tx: &mut Tx, op: &Op, action: &'static str, of: &str) -> crate::db::Result<()> {
    let object = Object { kind: "role", id: None, label: of.chars().take(100).collect() };
    audit::append(tx, op, Entry::new(action, object).outcome(Outcome::Denied)).await
}

/// Removes the roles whose end has come. Returns how many.
pub async fn end_roles(db: &Db, op: &Op) -> Result<usize> {
    let mut tx = db.begin().await?;
    let ended = end_due(&mut tx, op).await?;
    tx.commit().await?;
    Ok(ended)
}

pub(super) async fn end_due(tx: &mut Tx, op: &Op) -> Result<usize> {
    let ended = store::remove_ended(tx, BATCH).await?;
    for held in &ended {
        audit::append(tx, op, role_entry("role.ended", held)).await?;
    }
    Ok(ended.len())
}

/// The name of who gives: never somebody who gets it.
pub(super) async fn giver(tx: &mut Tx, op: &Op, holder: Holder) -> Result<String> {
    let Actor::Person { id, .. } = &op.actor else {
        return Err(IdentityError::Denied("only a person gives roles"));
    };
    let by: PersonId = *id;
    let own = match holder {
        Holder::Person(person) => person == by,
        Holder::Team(team) => store::is_member(tx, team, by).await?,
    };
    if own {
        return Err(IdentityError::Denied(
            "nobody gives themselves a role, also not through a team: ask another admin",
        ));
    }
    let person = people::find(tx, by).await?.ok_or(IdentityError::NotFound("person"))?;
    Ok(person.display_name)
}

/// The binding, if an admin can change it here.
async fn by_hand(tx: &mut Tx, id: RoleBindingId) -> Result<Binding> {
    let found = find(tx, id).await?;
    match found.source {
        Source::Local | Source::Demo | Source::Elevation => Ok(found),
        Source::Oidc => Err(IdentityError::Refused(
            "this role follows from the groups at the identity provider: change it there, it counts from the next sign-in on",
        )),
    }
}

async fn keep_an_admin(tx: &mut Tx, binding: &Binding) -> Result<()> {
    if binding.is_platform_admin() && !store::another_admin(tx, binding.id).await? {
        return Err(IdentityError::Refused(
            "nobody else is an admin of the platform without an end: give somebody that role first",
        ));
    }
    Ok(())
}

fn ends(mut entry: Entry, end: Option<Timestamp>) -> Entry {
    if let Some(detail) = entry.detail.as_object_mut() {
        detail.insert("ends_at".to_owned(), json!(end));
    }
    entry
}
