//! Making people, teams and role bindings. Every change takes the caller's transaction, so that
//! it stands or falls with what it is part of, and appends its record there.

use std::collections::BTreeMap;

use serde_json::json;
use sqlx::PgConnection;

use super::role::Role;
use super::store::{people as store, roles, sessions, tokens};
use super::{Holder, IdentityError, NewPerson, Person, Result, Source, Team};
use crate::audit::{self, Entry, Object};
use crate::base::cursor::{Cursor, Page};
use crate::base::id::{PersonId, ProjectId, RoleBindingId, TeamId};
use crate::base::{Op, text};
use crate::db::{Db, Tx};

/// Names under which the audit log shows actors that are not people.
const RESERVED_LOGINS: [&str; 4] = ["anonymous", "operator", "paddock", "system"];
const LONGEST_NAME: usize = 200;

pub(super) fn object(person: &Person) -> Object {
    Object::new("person", person.id.0, person.login.as_str())
}

/// Whether a login is well-formed: the rule of the table, and none of the reserved names.
pub(super) fn check_login(login: &str) -> Result<()> {
    let ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._@+-".contains(c);
    let starts = login.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !starts || login.len() > 100 || !login.chars().all(ok) {
        let rule = "1 to 100 lower-case letters, digits, “.”, “_”, “@”, “+” or “-”, starting with a letter or digit";
        return Err(IdentityError::invalid("/login", format!("a login is {rule}")));
    }
    if RESERVED_LOGINS.contains(&login) {
        return Err(IdentityError::invalid("/login", format!("“{login}” is reserved; choose another login")));
    }
    Ok(())
}

/// Whether a name to show is one.
pub(super) fn check_name(name: &str) -> Result<()> {
    if name.trim().is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(IdentityError::invalid("/display_name", "give a name of 1 to 200 characters"));
    }
    Ok(())
}

/// Makes a person; the login must be free.
pub async fn create_person(tx: &mut Tx, op: &Op, new: &NewPerson) -> Result<Person> {
    try_create(tx, op, new).await?.ok_or_else(|| IdentityError::LoginTaken(new.login.clone()))
}

/// Makes a person, or gives `None` when the login is taken.
pub(super) async fn try_create(tx: &mut Tx, op: &Op, new: &NewPerson) -> Result<Option<Person>> {
    check_login(&new.login)?;
    check_name(&new.display_name)?;
    let Some(person) = store::insert(tx, PersonId::new(op.clock(), op.entropy()), new).await? else {
        return Ok(None);
    };
    let detail = json!({"display_name": person.display_name, "demo": person.demo, "service": person.service});
    audit::append(tx, op, Entry::new("person.created", object(&person)).detail(detail)).await?;
    Ok(Some(person))
}

/// The person with this login, made if there is none. Refuses to take a real person for a demo
/// person or a program, or the other way round.
pub async fn ensure_person(tx: &mut Tx, op: &Op, new: &NewPerson) -> Result<Person> {
    if let Some(person) = try_create(tx, op, new).await? {
        return Ok(person);
    }
    match store::find_by_login(tx, &new.login).await? {
        Some(person) if person.demo == new.demo && person.service == new.service => Ok(person),
        Some(_) | None => Err(IdentityError::LoginTaken(new.login.clone())),
    }
}

/// The team with this slug, made if there is none.
pub async fn ensure_team(tx: &mut Tx, op: &Op, slug: &str, name: &str) -> Result<Team> {
    if slug.is_empty() || slug.len() > 100 || text::slugify(slug) != slug {
        return Err(IdentityError::invalid(
            "/team",
            format!("“{slug}” is not a slug: lower-case letters, digits, dashes"),
        ));
    }
    if let Some(team) = store::insert_team(tx, TeamId::new(op.clock(), op.entropy()), slug, name).await? {
        let object = Object::new("team", team.id.0, team.slug.as_str());
        audit::append(tx, op, Entry::new("team.created", object)).await?;
        return Ok(team);
    }
    store::find_team(tx, slug).await?.ok_or(IdentityError::NotFound("team"))
}

/// The team with this slug.
pub async fn find_team(connection: &mut PgConnection, slug: &str) -> Result<Option<Team>> {
    Ok(store::find_team(connection, slug).await?)
}

/// The teams, by name.
pub async fn list_teams(connection: &mut PgConnection) -> Result<Vec<Team>> {
    Ok(store::list_teams(connection).await?)
}

/// Makes the person a member of the team. Nothing happens when they are one from this source.
pub async fn join_team(tx: &mut Tx, op: &Op, team: &Team, person: &Person, source: Source) -> Result<()> {
    if store::insert_member(tx, team.id, person.id, source).await? {
        let detail = json!({"person": person.id, "login": person.login, "source": source});
        let object = Object::new("team", team.id.0, team.slug.as_str());
        audit::append(tx, op, Entry::new("team.joined", object).detail(detail)).await?;
    }
    Ok(())
}

/// Gives a role, on the platform or in one project. Nothing happens when the holder has it.
pub async fn bind_role(
    tx: &mut Tx,
    op: &Op,
    role: Role,
    holder: Holder,
    project: Option<ProjectId>,
    source: Source,
) -> Result<()> {
    let id = RoleBindingId::new(op.clock(), op.entropy());
    if roles::insert(tx, id, role, holder, project, source).await? {
        let held = Held { role, holder, project, environment_type: None, source };
        audit::append(tx, op, role_entry("role.granted", &held)).await?;
    }
    Ok(())
}

/// The names to show of these people; those who are not there are left out.
pub async fn names(connection: &mut PgConnection, ids: &[PersonId]) -> Result<BTreeMap<PersonId, String>> {
    Ok(store::names(connection, ids).await?.into_iter().collect())
}

/// Takes a role back. Nothing happens when the holder does not have it from this source.
pub async fn unbind_role(
    tx: &mut Tx,
    op: &Op,
    role: Role,
    holder: Holder,
    project: Option<ProjectId>,
    source: Source,
) -> Result<()> {
    if roles::delete(tx, role, holder, project, source).await? {
        let held = Held { role, holder, project, environment_type: None, source };
        audit::append(tx, op, role_entry("role.withdrawn", &held)).await?;
    }
    Ok(())
}

/// A role as the audit log names it.
pub(super) struct Held {
    pub(super) role: Role,
    pub(super) holder: Holder,
    pub(super) project: Option<ProjectId>,
    /// The slug of the environment type of that.
    pub(super) environment_type: Option<String>,
    pub(super) source: Source,
}

pub(super) fn role_entry(action: &'static str, held: &Held) -> Entry {
    let object = match held.holder {
        Holder::Person(id) => Object::new("person", id.0, id.to_string()),
        Holder::Team(id) => Object::new("team", id.0, id.to_string()),
    };
    let mut detail = json!({"role": held.role, "source": held.source});
    if let (Some(kind), Some(detail)) = (&held.environment_type, detail.as_object_mut()) {
        detail.insert("environment_type".to_owned(), json!(kind));
    }
    let mut entry = Entry::new(action, object).detail(detail);
    entry.project = held.project;
    entry
}

/// Disables or enables a person. Disabling ends every session and revokes every token at once.
pub async fn set_active(db: &Db, op: &Op, person: PersonId, active: bool) -> Result<()> {
    let mut tx = db.begin().await?;
    let found = store::find(&mut tx, person).await?.ok_or(IdentityError::NotFound("person"))?;
    if store::set_active(&mut tx, person, active).await? {
        let mut detail = json!({});
        if !active {
            let sessions = sessions::delete_all(&mut tx, person, None).await?;
            let tokens = tokens::revoke_all(&mut tx, person).await?;
            detail = json!({"sessions_ended": sessions, "tokens_revoked": tokens});
        }
        let action = if active { "person.enabled" } else { "person.disabled" };
        audit::append(&mut tx, op, Entry::new(action, object(&found)).detail(detail)).await?;
    }
    Ok(tx.commit().await?)
}

/// The person with this login.
pub async fn find_person(connection: &mut PgConnection, login: &str) -> Result<Option<Person>> {
    Ok(store::find_by_login(connection, &login.to_ascii_lowercase()).await?)
}

/// The person with this id.
pub async fn get_person(connection: &mut PgConnection, id: PersonId) -> Result<Person> {
    store::find(connection, id).await?.ok_or(IdentityError::NotFound("person"))
}

/// People, newest first.
pub async fn list_people(connection: &mut PgConnection, after: Option<Cursor>, limit: i64) -> Result<Page<Person>> {
    let rows = store::list(connection, after, limit).await?;
    Ok(Page::cut(rows, limit, |person| Cursor { at: person.created_at, id: person.id.0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_follow_the_rule_of_the_table() {
        for good in ["dana", "d.reyes@example.com", "ci+1", "0x"] {
            assert!(check_login(good).is_ok(), "{good}");
        }
        for bad in ["", "Dana", "-x", "a b", "ä", "operator", "anonymous", &"x".repeat(101)] {
            assert!(check_login(bad).is_err(), "{bad}");
        }
    }
}
