//! Sessions of browsers: opaque, server-side, with an idle and an absolute end.
//!
//! A session that ends by time is not audited: nobody did anything. Every other end is.

use serde_json::json;
use sqlx::PgConnection;

use super::store::sessions::{self as store, NewSession};
use super::{
    Authenticated, Browser, Credential, IdentityError, Person, Result, Session, Settings, SignInMethod, SignedIn,
    people, secret,
};
use crate::audit::{self, Entry, Object, Outcome};
use crate::base::id::{PersonId, SessionId};
use crate::base::{Actor, Op};
use crate::db::{Db, Tx};

/// A header longer than this tells nothing more.
const LONGEST_USER_AGENT: usize = 300;

/// Starts a session for somebody who has just proved who they are, and ends the one that this
/// browser had: a token from before the sign-in is worth nothing after it.
pub(super) async fn start(
    tx: &mut Tx,
    op: &Op,
    settings: &Settings,
    person: Person,
    method: SignInMethod,
    browser: Browser<'_>,
) -> Result<SignedIn> {
    let op = op.clone().with_actor(Actor::Person { id: person.id, login: person.login.clone(), token: None });
    if let Some(old) = browser.session.and_then(secret::opaque_digest)
        && let Some(ended) = store::delete_by_token(tx, old).await?
    {
        audit::append(tx, &op, ended_entry(ended.id, &ended.login, "replaced")).await?;
    }
    let (token, digest) = secret::opaque(op.entropy());
    let id = SessionId::new(op.clock(), op.entropy());
    let user_agent: Option<String> = browser.user_agent.map(|text| text.chars().take(LONGEST_USER_AGENT).collect());
    let new = NewSession {
        id,
        token: digest,
        person: person.id,
        method,
        address: op.origin.address.as_deref(),
        user_agent: user_agent.as_deref(),
        idle: settings.session_idle,
        absolute: settings.session_absolute,
    };
    let absolute_until = store::insert(tx, &new).await?.ok_or(IdentityError::Disabled)?;
    let object = Object::new("session", id.0, person.login.as_str());
    audit::append(tx, &op, Entry::new("session.signed_in", object).detail(json!({"method": method}))).await?;
    Ok(SignedIn { person, session_id: id, token, absolute_until })
}

fn ended_entry(id: SessionId, login: &str, reason: &str) -> Entry {
    Entry::new("session.ended", Object::new("session", id.0, login)).detail(json!({"reason": reason}))
}

/// Appends the record of a sign-in that was refused. `person` is who it would have been, where
/// that is known; what was typed is never kept, because people type passwords into login fields.
pub(super) async fn refused(
    tx: &mut Tx,
    op: &Op,
    person: Option<&Person>,
    method: SignInMethod,
    reason: &str,
) -> Result<()> {
    let object = match person {
        Some(person) => people::object(person),
        None => Object { kind: "person", id: None, label: "unknown".to_owned() },
    };
    let detail = json!({"method": method, "reason": reason});
    audit::append(tx, op, Entry::new("session.refused", object).outcome(Outcome::Denied).detail(detail)).await?;
    Ok(())
}

/// Who the session token of a cookie belongs to, with what they hold now. Moves the idle end, at
/// most once a minute.
pub async fn authenticate_session(
    connection: &mut PgConnection,
    settings: &Settings,
    token: &str,
) -> Result<Authenticated> {
    let digest = secret::opaque_digest(token).ok_or(IdentityError::NotSignedIn)?;
    let found = store::find_live(connection, digest).await?.ok_or(IdentityError::NotSignedIn)?;
    if found.access.person.demo && !settings.demo {
        return Err(IdentityError::NotSignedIn);
    }
    if found.stale {
        store::touch(connection, found.session, settings.session_idle).await?;
    }
    Ok(Authenticated { access: found.access, credential: Credential::Session(found.session) })
}

/// The live sessions of a person, last used first, at most 100.
pub async fn list_sessions(connection: &mut PgConnection, person: PersonId) -> Result<Vec<Session>> {
    Ok(store::list(connection, person).await?)
}

/// Ends one session of this person.
pub async fn end_session(db: &Db, op: &Op, person: &Person, id: SessionId) -> Result<()> {
    let mut tx = db.begin().await?;
    if !store::delete(&mut tx, person.id, id).await? {
        return Err(IdentityError::NotFound("session"));
    }
    audit::append(&mut tx, op, ended_entry(id, &person.login, "ended")).await?;
    Ok(tx.commit().await?)
}

/// Ends the session with this token. Signing out twice is no error.
pub async fn sign_out(db: &Db, op: &Op, token: &str) -> Result<()> {
    let Some(digest) = secret::opaque_digest(token) else { return Ok(()) };
    let mut tx = db.begin().await?;
    if let Some(ended) = store::delete_by_token(&mut tx, digest).await? {
        let op = op.clone().with_actor(Actor::Person { id: ended.person, login: ended.login.clone(), token: None });
        audit::append(&mut tx, &op, ended_entry(ended.id, &ended.login, "signed_out")).await?;
    }
    Ok(tx.commit().await?)
}

/// Removes sessions that have ended, sign-ins that were never finished and old throttle rows; for
/// a reconciler, every few minutes. Nothing depends on it but the size of the tables.
pub async fn purge_expired(db: &Db) -> Result<u64> {
    Ok(store::purge(&mut *db.acquire().await?).await?)
}
