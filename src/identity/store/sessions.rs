//! Sessions. All times are the database's.

use jiff::SignedDuration;
use sqlx::PgConnection;

use super::people::{HolderRow, find_holder};
use crate::base::Digest;
use crate::base::id::{PersonId, SessionId};
use crate::db::Result;
use crate::identity::{Access, Session, SignInMethod};

pub(in crate::identity) struct NewSession<'a> {
    pub id: SessionId,
    pub token: Digest,
    pub person: PersonId,
    pub method: SignInMethod,
    pub address: Option<&'a str>,
    pub user_agent: Option<&'a str>,
    pub idle: SignedDuration,
    pub absolute: SignedDuration,
}

/// When the session ends at the latest; `None` when the person is not active.
pub(in crate::identity) async fn insert(
    connection: &mut PgConnection,
    new: &NewSession<'_>,
) -> Result<Option<jiff::Timestamp>> {
    // FOR SHARE: a disabling that is under way either sees this session or is seen here.
    let until = sqlx::query_scalar!(
        r#"INSERT INTO session (id, token_hash, person_id, method, address, user_agent, idle_until, absolute_until)
           SELECT $1, $2, active.id, $4, $5, $6, now() + make_interval(secs => least($7::float8, $8::float8)),
               now() + make_interval(secs => $8)
           FROM (SELECT id FROM person WHERE id = $3 AND active FOR SHARE) active
           RETURNING absolute_until"#,
        new.id.0,
        new.token.0.as_slice(),
        new.person.0,
        new.method as SignInMethod,
        new.address,
        new.user_agent,
        new.idle.as_secs_f64(),
        new.absolute.as_secs_f64(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(until.map(jiff_sqlx::Timestamp::to_jiff))
}

pub(in crate::identity) struct Found {
    pub session: SessionId,
    pub stale: bool,
    pub access: Access,
}

/// The live session with this token, if its person is active. `stale` when it was last seen more
/// than a minute ago.
pub(in crate::identity) async fn find_live(connection: &mut PgConnection, token: Digest) -> Result<Option<Found>> {
    let row: Option<HolderRow<SessionId>> = find_holder!(
        r#"c.id AS "credential: _", c.seen_at < now() - interval '1 minute' AS "stale!", '{}'::text[] AS "scopes!""#,
        "session",
        "c.idle_until > now() AND c.absolute_until > now()",
        token.0.as_slice()
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| Ok(Found { session: row.credential, stale: row.stale, access: row.into_access()? })).transpose()
}

/// Notes that the session is in use and moves its idle end.
pub(in crate::identity) async fn touch(
    connection: &mut PgConnection,
    id: SessionId,
    idle: SignedDuration,
) -> Result<()> {
    sqlx::query!(
        "UPDATE session SET seen_at = now(), idle_until = least(now() + make_interval(secs => $2), absolute_until)
         WHERE id = $1",
        id.0,
        idle.as_secs_f64(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

struct SessionRow {
    id: SessionId,
    method: SignInMethod,
    address: Option<String>,
    user_agent: Option<String>,
    created_at: jiff_sqlx::Timestamp,
    seen_at: jiff_sqlx::Timestamp,
    absolute_until: jiff_sqlx::Timestamp,
}

pub(in crate::identity) async fn list(connection: &mut PgConnection, person: PersonId) -> Result<Vec<Session>> {
    let rows = sqlx::query_as!(
        SessionRow,
        r#"SELECT id AS "id: _", method AS "method: _", address, user_agent, created_at, seen_at, absolute_until
           FROM session WHERE person_id = $1 AND idle_until > now() AND absolute_until > now()
           ORDER BY seen_at DESC, id DESC LIMIT 100"#,
        person.0
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Session {
            id: row.id,
            method: row.method,
            address: row.address,
            user_agent: row.user_agent,
            created_at: row.created_at.to_jiff(),
            seen_at: row.seen_at.to_jiff(),
            absolute_until: row.absolute_until.to_jiff(),
        })
        .collect())
}

pub(in crate::identity) struct Ended {
    pub id: SessionId,
    pub person: PersonId,
    pub login: String,
}

pub(in crate::identity) async fn delete_by_token(
    connection: &mut PgConnection,
    token: Digest,
) -> Result<Option<Ended>> {
    let row = sqlx::query_as!(
        Ended,
        r#"DELETE FROM session USING person WHERE token_hash = $1 AND person.id = person_id
           RETURNING session.id AS "id: _", person_id AS "person: _", login"#,
        token.0.as_slice()
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// True when it was a session of this person.
pub(in crate::identity) async fn delete(
    connection: &mut PgConnection,
    person: PersonId,
    id: SessionId,
) -> Result<bool> {
    let done = sqlx::query!("DELETE FROM session WHERE id = $1 AND person_id = $2", id.0, person.0)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}

pub(in crate::identity) async fn delete_all(
    connection: &mut PgConnection,
    person: PersonId,
    except: Option<SessionId>,
) -> Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM session WHERE person_id = $1 AND id IS DISTINCT FROM $2",
        person.0,
        except.map(|id| id.0)
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Removes what has ended: sessions, sign-ins that were never finished, forgotten throttles.
pub(in crate::identity) async fn purge(connection: &mut PgConnection) -> Result<u64> {
    let done = sqlx::query!(
        "WITH flows AS (DELETE FROM sign_in_flow WHERE expires_at < now()),
              throttles AS (DELETE FROM sign_in_throttle WHERE greatest(last_at, blocked_until) < now() - interval '1 day')
         DELETE FROM session WHERE least(idle_until, absolute_until) < now()"
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
