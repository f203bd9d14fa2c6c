//! API tokens: `pdkp_…` of people, `pdks_…` of programs.
//!
//! The form is prefix, 43 base62 characters (256 random bits) and 6 base62 characters of CRC32
//! over all that stands before. The check lets a scanner, and us, tell a token from noise without
//! asking the database; it is no protection.

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::json;
use sqlx::PgConnection;

use super::store::tokens::{self as store, NewToken};
use super::{ApiToken, Authenticated, Credential, IdentityError, Person, Result, Settings, TokenScopes};
use crate::audit::{self, Entry, Object};
use crate::base::id::{PersonId, TokenId};
use crate::base::{Actor, Digest, Op};
use crate::db::Db;

/// The form of a token as a regular expression, for secret scanners.
pub const TOKEN_PATTERN: &str = "pdk[ps]_[0-9A-Za-z]{49}";

const PERSONAL: &str = "pdkp_";
const SERVICE: &str = "pdks_";
const BODY: usize = 43;
const CHECK: usize = 6;
const LONGEST_TTL: SignedDuration = SignedDuration::from_hours(366 * 24);
const LONGEST_NAME: usize = 100;
/// Tokens of one person that work at the same time, where people make them themselves: all of them
/// must fit into the list from which they are revoked.
const MOST_LIVE: usize = 50;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A token that was just minted.
#[derive(Debug)]
pub struct SecretToken {
    /// Its id.
    pub id: TokenId,
    /// The token itself. It is stored nowhere.
    pub secret: SecretString,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// Makes a token for `person`. People mint for themselves, with a session; somebody at the
/// server's terminal mints for anybody; a program's token is for whoever policy lets manage it.
pub async fn mint_token(
    db: &Db,
    op: &Op,
    person: &Person,
    name: &str,
    scopes: &TokenScopes,
    ttl: SignedDuration,
) -> Result<SecretToken> {
    check_minter(op, person)?;
    let name = token_name(name)?;
    if ttl < SignedDuration::from_secs(1) || ttl > LONGEST_TTL {
        return Err(IdentityError::invalid("/ttl", "a token lives between 1 second and 366 days"));
    }
    let text = compose(if person.service { SERVICE } else { PERSONAL }, op.entropy().bytes32());
    let new = NewToken {
        id: TokenId::new(op.clock(), op.entropy()),
        person: person.id,
        name,
        token: Digest::of(text.as_bytes()),
        last4: text.get(text.len().saturating_sub(4)..).unwrap_or_default(),
        scopes,
        ttl,
    };
    let mut tx = db.begin().await?;
    if op.actor != Actor::Operator {
        check_others(&store::hold_live_names(&mut tx, person.id).await?, name)?;
    }
    let expires_at = store::insert(&mut tx, &new).await?.ok_or(IdentityError::Disabled)?;
    let detail = json!({"person": person.id, "login": person.login, "scopes": scopes, "expires_at": expires_at});
    audit::append(&mut tx, op, Entry::new("token.minted", Object::new("token", new.id.0, name)).detail(detail)).await?;
    tx.commit().await?;
    Ok(SecretToken { id: new.id, secret: SecretString::from(text), expires_at })
}

/// The name of a token as it is kept, or why it cannot be one.
pub fn token_name(text: &str) -> Result<&str> {
    let name = text.trim();
    let fits = (1..=LONGEST_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if fits { Ok(name) } else { Err(IdentityError::invalid("/name", "give the token a name of 1 to 100 characters")) }
}

/// A stolen token must not be able to outlive itself, nor to grow.
fn check_minter(op: &Op, person: &Person) -> Result<()> {
    match &op.actor {
        Actor::Operator => Ok(()),
        Actor::Person { token: Some(_), .. } => {
            Err(IdentityError::Denied("an API token cannot make another one; sign in"))
        }
        Actor::Person { id, .. } if *id == person.id || person.service => Ok(()),
        Actor::Person { .. } | Actor::System { .. } | Actor::Anonymous => {
            Err(IdentityError::Denied("only the person themselves can make an API token of theirs"))
        }
    }
}

/// A name tells one token from another, so it is taken once; a form that is sent twice makes one token.
fn check_others(live: &[String], name: &str) -> Result<()> {
    if live.iter().any(|other| other == name) {
        return Err(IdentityError::invalid(
            "/name",
            "a token that works has this name; take another one, or revoke it",
        ));
    }
    if live.len() >= MOST_LIVE {
        let detail = format!("there are {MOST_LIVE} tokens that work, which is the most; revoke one of them");
        return Err(IdentityError::invalid("/name", detail));
    }
    Ok(())
}

/// Who a bearer token belongs to, with what they hold now. Notes the use, at most once a minute.
pub async fn authenticate_token(
    connection: &mut PgConnection,
    settings: &Settings,
    token: &str,
) -> Result<Authenticated> {
    if !looks_like_token(token) {
        return Err(IdentityError::TokenInvalid);
    }
    let found = store::find_live(connection, Digest::of(token.as_bytes())).await?;
    let found = found.filter(|found| settings.demo || !found.access.person.demo).ok_or(IdentityError::TokenInvalid)?;
    if found.stale {
        store::touch(connection, found.token).await?;
    }
    Ok(Authenticated { access: found.access, credential: Credential::Token { id: found.token, scopes: found.scopes } })
}

/// The tokens of a person without their secrets: those that work, then the newest others; at most 100.
pub async fn list_tokens(connection: &mut PgConnection, person: PersonId) -> Result<Vec<ApiToken>> {
    Ok(store::list(connection, person).await?)
}

/// Revokes one token of this person, at once.
pub async fn revoke_token(db: &Db, op: &Op, person: &Person, id: TokenId) -> Result<()> {
    let mut tx = db.begin().await?;
    let name = store::revoke(&mut tx, person.id, id).await?.ok_or(IdentityError::NotFound("token"))?;
    let detail = json!({"person": person.id, "login": person.login});
    audit::append(&mut tx, op, Entry::new("token.revoked", Object::new("token", id.0, name)).detail(detail)).await?;
    Ok(tx.commit().await?)
}

/// Whether a text has the form of a token, check included.
pub fn looks_like_token(text: &str) -> bool {
    let Some(body) = text.strip_prefix(PERSONAL).or_else(|| text.strip_prefix(SERVICE)) else { return false };
    if body.len() != BODY + CHECK || !body.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return false;
    }
    text.split_at_checked(text.len() - CHECK)
        .is_some_and(|(head, check)| base62(&crc32(head.as_bytes()).to_be_bytes(), CHECK) == check)
}

fn compose(prefix: &str, random: [u8; 32]) -> String {
    let mut text = format!("{prefix}{}", base62(&random, BODY));
    let check = base62(&crc32(text.as_bytes()).to_be_bytes(), CHECK);
    text.push_str(&check);
    text
}

/// The big-endian number in `bytes`, in base 62, padded with zeros to `width`.
fn base62(bytes: &[u8], width: usize) -> String {
    let mut number = bytes.to_vec();
    let mut digits = vec![b'0'; width];
    for digit in digits.iter_mut().rev() {
        let mut rest = 0_u32;
        for byte in &mut number {
            let value = rest * 256 + u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            rest = value % 62;
        }
        *digit = BASE62.get(rest as usize).copied().unwrap_or(b'0');
    }
    digits.into_iter().map(char::from).collect()
}

/// CRC-32 of ISO-HDLC (zlib, GitHub's tokens).
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Entropy as _, SeededEntropy};

    #[test]
    fn check_value_of_the_catalogue() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(base62(&[0xff; 4], 6), "4gfFC3");
        assert_eq!(base62(&[0xff; 32], BODY).len(), BODY);
        assert_ne!(base62(&[0xff; 32], BODY), base62(&[0xff; 31], BODY));
    }

    #[test]
    fn tokens_are_recognised_and_noise_is_not() {
        let entropy = SeededEntropy::new(1);
        for prefix in [PERSONAL, SERVICE] {
            let token = compose(prefix, entropy.bytes32());
            assert_eq!(token.len(), 54);
            assert!(looks_like_token(&token));
            for at in 0..token.len() {
                let mut bent = token.clone().into_bytes();
                bent[at] = if bent[at] == b'x' { b'y' } else { b'x' };
                assert!(!looks_like_token(&String::from_utf8(bent).unwrap()), "character {at}");
            }
        }
        // Well-formed but random: each has a chance of 2^-32.
        for _ in 0..10_000 {
            let text = format!("pdkp_{}{}", base62(&entropy.bytes32(), BODY), base62(&entropy.bytes32()[..4], CHECK));
            assert!(!looks_like_token(&text));
        }
        for bad in ["", "pdkp_", "pdkp_é", &"x".repeat(54)] {
            assert!(!looks_like_token(bad), "{bad}");
        }
    }
}
