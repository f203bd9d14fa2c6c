//! API tokens. All times are the database's.

use jiff::SignedDuration;
use sqlx::PgConnection;

use super::people::{HolderRow, find_holder};
use crate::base::Digest;
use crate::base::id::{PersonId, TokenId};
use crate::db::{Error, Result};
use crate::identity::{Access, ApiToken, TokenScopes};

pub(in crate::identity) struct NewToken<'a> {
    pub id: TokenId,
    pub person: PersonId,
    pub name: &'a str,
    pub token: Digest,
    pub last4: &'a str,
    pub scopes: &'a TokenScopes,
    pub ttl: SignedDuration,
}

/// When the token stops working; `None` when the person is not active.
pub(in crate::identity) async fn insert(
    connection: &mut PgConnection,
    new: &NewToken<'_>,
) -> Result<Option<jiff::Timestamp>> {
    // FOR SHARE: a disabling that is under way either sees this token or is seen here.
    let until = sqlx::query_scalar!(
        "INSERT INTO api_token (id, person_id, name, token_hash, last4, scopes, expires_at)
         SELECT $1, active.id, $3, $4, $5, $6, now() + make_interval(secs => $7)
         FROM (SELECT id FROM person WHERE id = $2 AND active FOR SHARE) active
         RETURNING expires_at",
        new.id.0,
        new.person.0,
        new.name,
        new.token.0.as_slice(),
        new.last4,
        &new.scopes.words(),
        new.ttl.as_secs_f64(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(until.map(jiff_sqlx::Timestamp::to_jiff))
}

/// The names of the tokens of this person that work. The person's row is held until the transaction
/// ends, so that two tokens made at once see one another.
pub(in crate::identity) async fn hold_live_names(
    connection: &mut PgConnection,
    person: PersonId,
) -> Result<Vec<String>> {
    sqlx::query!("SELECT id FROM person WHERE id = $1 FOR UPDATE", person.0).fetch_optional(&mut *connection).await?;
    let names = sqlx::query_scalar!(
        "SELECT name FROM api_token WHERE person_id = $1 AND revoked_at IS NULL AND expires_at > now()",
        person.0
    )
    .fetch_all(connection)
    .await?;
    Ok(names)
}

/// Scopes as they are stored. A word that this version does not know grants nothing.
fn scopes(words: &[String]) -> Result<TokenScopes> {
    let known: Vec<_> = words.iter().filter_map(|word| word.parse().ok()).collect();
    if known.is_empty() { Err(Error::Corrupt("token scope")) } else { Ok(TokenScopes::new(known)) }
}

pub(in crate::identity) struct Found {
    pub token: TokenId,
    pub scopes: TokenScopes,
    pub stale: bool,
    pub access: Access,
}

/// The valid token with this digest, if its person is active. `stale` when it was last used more
/// than a minute ago.
pub(in crate::identity) async fn find_live(connection: &mut PgConnection, token: Digest) -> Result<Option<Found>> {
    let row: Option<HolderRow<TokenId>> = find_holder!(
        r#"c.id AS "credential: _", c.scopes,
               (c.last_used_at IS NULL OR c.last_used_at < now() - interval '1 minute') AS "stale!""#,
        "api_token",
        "c.revoked_at IS NULL AND c.expires_at > now()",
        token.0.as_slice()
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let scopes = scopes(&row.scopes)?;
    Ok(Some(Found { token: row.credential, scopes, stale: row.stale, access: row.into_access()? }))
}

pub(in crate::identity) async fn touch(connection: &mut PgConnection, id: TokenId) -> Result<()> {
    sqlx::query!("UPDATE api_token SET last_used_at = now() WHERE id = $1", id.0).execute(connection).await?;
    Ok(())
}

struct TokenRow {
    id: TokenId,
    name: String,
    last4: String,
    scopes: Vec<String>,
    created_at: jiff_sqlx::Timestamp,
    expires_at: jiff_sqlx::Timestamp,
    expired: bool,
    last_used_at: Option<jiff_sqlx::Timestamp>,
    revoked_at: Option<jiff_sqlx::Timestamp>,
}

/// The tokens of this person, those that work first.
pub(in crate::identity) async fn list(connection: &mut PgConnection, person: PersonId) -> Result<Vec<ApiToken>> {
    let rows = sqlx::query_as!(
        TokenRow,
        r#"SELECT id AS "id: _", name, last4, scopes, created_at, expires_at, expires_at <= now() AS "expired!",
               last_used_at, revoked_at
           FROM api_token WHERE person_id = $1
           ORDER BY (revoked_at IS NULL AND expires_at > now()) DESC, created_at DESC, id DESC LIMIT 100"#,
        person.0
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(ApiToken {
                id: row.id,
                name: row.name,
                last4: row.last4,
                scopes: scopes(&row.scopes)?,
                created_at: row.created_at.to_jiff(),
                expires_at: row.expires_at.to_jiff(),
                expired: row.expired,
                last_used_at: row.last_used_at.map(jiff_sqlx::Timestamp::to_jiff),
                revoked_at: row.revoked_at.map(jiff_sqlx::Timestamp::to_jiff),
            })
        })
        .collect()
}

/// The token's name, when it was a token of this person that was not revoked.
pub(in crate::identity) async fn revoke(
    connection: &mut PgConnection,
    person: PersonId,
    id: TokenId,
) -> Result<Option<String>> {
    let name = sqlx::query_scalar!(
        "UPDATE api_token SET revoked_at = now() WHERE id = $1 AND person_id = $2 AND revoked_at IS NULL RETURNING name",
        id.0,
        person.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(name)
}

pub(in crate::identity) async fn revoke_all(connection: &mut PgConnection, person: PersonId) -> Result<u64> {
    let done =
        sqlx::query!("UPDATE api_token SET revoked_at = now() WHERE person_id = $1 AND revoked_at IS NULL", person.0)
            .execute(connection)
            .await?;
    Ok(done.rows_affected())
}
