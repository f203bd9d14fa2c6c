//! Local accounts: sign-in with login and password, and changing the password.

use secrecy::SecretString;
use serde_json::json;

use super::store::{local as store, people as person_store, sessions};
use super::{
    Browser, IdentityError, NewPerson, Person, Result, Settings, SignInMethod, SignedIn, password, people, session,
    throttle,
};
use crate::audit::{self, Entry};
use crate::base::Op;
use crate::base::id::SessionId;
use crate::db::Db;

/// One text for an unknown login, a wrong password and an account without one.
const WRONG: &str = "the login or the password is wrong";

/// Signs somebody in with login and password.
pub async fn sign_in_local(
    db: &Db,
    op: &Op,
    settings: &Settings,
    login: &str,
    password: &SecretString,
    browser: Browser<'_>,
) -> Result<SignedIn> {
    let login = login.trim().to_lowercase();
    let attempt = throttle::take(db, op, Some(&login)).await?;
    let (person, phc) = find(db, &login).await?;
    let fits = password::verify(phc.as_deref(), password).await?;
    let mut tx = db.begin().await?;
    let reason = match &person {
        None => Some("unknown login"),
        Some(_) if phc.is_none() => Some("no password"),
        Some(_) if !fits => Some("wrong password"),
        // The password may have been changed while this one was being verified.
        Some(person) if store::find_phc(&mut tx, person.id).await? != phc => Some("wrong password"),
        Some(person) if !person.active => Some("disabled"),
        Some(person) if person.demo || person.service => Some("not for local sign-in"),
        Some(_) => None,
    };
    if let Some(reason) = reason {
        session::refused(&mut tx, op, person.as_ref(), SignInMethod::Local, reason).await?;
        tx.commit().await?;
        return Err(if reason == "disabled" { IdentityError::Disabled } else { IdentityError::Wrong(WRONG) });
    }
    let person = person.ok_or(IdentityError::Wrong(WRONG))?;
    attempt.succeeded(&mut tx).await?;
    let signed_in = session::start(&mut tx, op, settings, person, SignInMethod::Local, browser).await?;
    tx.commit().await?;
    Ok(signed_in)
}

async fn find(db: &Db, login: &str) -> Result<(Option<Person>, Option<String>)> {
    let mut connection = db.acquire().await?;
    let person = person_store::find_by_login(&mut connection, login).await?;
    let phc = match &person {
        Some(person) => store::find_phc(&mut connection, person.id).await?,
        None => None,
    };
    Ok((person, phc))
}

fn check_new(login: &str, new: &SecretString) -> Result<()> {
    password::check(login, new).map_err(|rule| IdentityError::invalid("/password", rule))
}

/// Changes one's own password. Every other session of the person ends; `keep` is this one.
pub async fn change_password(
    db: &Db,
    op: &Op,
    person: &Person,
    keep: Option<SessionId>,
    current: &SecretString,
    new: &SecretString,
) -> Result<()> {
    // A stolen session must not be a way to guess the password without limit.
    let attempt = throttle::take(db, op, Some(&person.login)).await?;
    let (_, phc) = find(db, &person.login).await?;
    if !password::verify(phc.as_deref(), current).await? {
        let mut tx = db.begin().await?;
        session::refused(&mut tx, op, Some(person), SignInMethod::Local, "wrong password at a change").await?;
        tx.commit().await?;
        return Err(IdentityError::invalid("/current", "this is not your password"));
    }
    check_new(&person.login, new)?;
    let hash = password::hash(op, new).await?;
    let mut tx = db.begin().await?;
    if !store::replace_phc(&mut tx, person.id, phc.as_deref().unwrap_or_default(), &hash).await? {
        return Err(IdentityError::invalid("/current", "this is not your password"));
    }
    attempt.succeeded(&mut tx).await?;
    let ended = sessions::delete_all(&mut tx, person.id, keep).await?;
    let entry = Entry::new("password.changed", people::object(person)).detail(json!({"sessions_ended": ended}));
    audit::append(&mut tx, op, entry).await?;
    Ok(tx.commit().await?)
}

/// Sets somebody's password without the old one, and ends all their sessions: for an admin and
/// for the server's terminal. Whether the caller may is decided before.
pub async fn set_password(db: &Db, op: &Op, person: &Person, new: &SecretString) -> Result<()> {
    check_new(&person.login, new)?;
    if person.demo || person.service {
        return Err(IdentityError::Denied("demo people and programs have no password"));
    }
    let hash = password::hash(op, new).await?;
    let mut tx = db.begin().await?;
    store::set_phc(&mut tx, person.id, &hash).await?;
    let ended = sessions::delete_all(&mut tx, person.id, None).await?;
    let entry = Entry::new("password.set", people::object(person)).detail(json!({"sessions_ended": ended}));
    audit::append(&mut tx, op, entry).await?;
    Ok(tx.commit().await?)
}

/// Makes a person with a password: for an admin and for the server's terminal.
pub async fn create_local_account(
    db: &Db,
    op: &Op,
    login: &str,
    display_name: &str,
    new: &SecretString,
) -> Result<Person> {
    check_new(login, new)?;
    let hash = password::hash(op, new).await?;
    let mut tx = db.begin().await?;
    let new = NewPerson { login: login.to_owned(), display_name: display_name.to_owned(), ..NewPerson::default() };
    let person = people::create_person(&mut tx, op, &new).await?;
    store::set_phc(&mut tx, person.id, &hash).await?;
    tx.commit().await?;
    Ok(person)
}
