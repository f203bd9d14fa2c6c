//! Call-backs: what somebody else says of the work of a run, at an address whose token is the only proof
//! that they may.
//!
//! The token follows from the environment's sealed random seed and the run, so that every attempt hands out
//! the same one; only its digest is stored. It takes reports on the way, and one last word. The same last
//! word once more changes nothing and is no error, because the first answer may have been lost on the way.
//! What is said is sealed, and forgotten when the run ends.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::SecretString;
use serde_json::json;
use sha2::Sha256;
use sqlx::PgConnection;

use super::Error;
use super::store::call_backs as store;
use crate::audit::{self, Entry, Object, Outcome};
use crate::base::id::{EnvironmentId, RunId};
use crate::base::{Digest, Op, Sealer};
use crate::db::Tx;
use crate::providers::Report;

/// How a token begins, for those who look for secrets that were left somewhere.
const PREFIX: &str = "pdcb_";
/// Reports that wait for a worker. A worker that is there tells them at once.
const WAITING: i64 = 100;
/// Reports in all.
const MOST: i64 = 10_000;

/// What became of something that was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reception {
    /// It was taken: whoever waits for this run should look.
    Taken(RunId),
    /// It had been taken before, word by word.
    TakenBefore,
    /// It was not taken.
    Refused(Refusal),
}

/// Why it was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody gave out this token.
    #[error("there is no such call-back")]
    Unknown,
    /// The last word was taken, and it was another one.
    #[error("this call-back was used: the first “succeeded” or “failed” counts, and nothing follows it")]
    Used,
    /// Its time is over.
    #[error("this call-back has expired")]
    Expired,
    /// The run has ended without it.
    #[error("the run that waited for this call-back has ended")]
    Ended,
    /// They come faster than anybody tells them.
    #[error("too many reports wait to be told; send the next one later, or only the last word")]
    TooMany,
}

impl Refusal {
    /// The word in the audit log.
    fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Used => "used",
            Self::Expired => "expired",
            Self::Ended => "ended",
            Self::TooMany => "too_many",
        }
    }
}

/// The token of a run.
pub(super) fn token(seed: &[u8], run: RunId) -> SecretString {
    let mac = keyed(seed, &[b"paddock/call-back/1", run.0.as_bytes()]);
    SecretString::from(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(mac)))
}

/// What is stored of a token.
pub(super) fn digest(token: &str) -> Digest {
    Digest::of(token.as_bytes())
}

fn keyed(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of every length, so there is always one.
    Hmac::<Sha256>::new_from_slice(key).map_or([0; 32], |mut mac| {
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    })
}

pub(super) fn answer_place(run: RunId) -> String {
    format!("call_back/{run}/answer")
}

pub(super) fn report_place(run: RunId, number: i64) -> String {
    format!("call_back_report/{run}/{number}")
}

/// Whether anybody was given this token.
pub async fn knows_call_back(connection: &mut PgConnection, token: &str) -> Result<bool, Error> {
    Ok(store::exists(connection, digest(token)).await?)
}

/// Takes what whoever has the token says. What is refused is recorded too, so the transaction is to be
/// committed in any case.
pub async fn take_call_back(
    tx: &mut Tx,
    op: &Op,
    sealer: &Sealer,
    token: &str,
    report: &Report,
) -> Result<Reception, Error> {
    let Some(row) = store::lock(tx, digest(token)).await? else { return Ok(Reception::Refused(Refusal::Unknown)) };
    let said = json!(report);
    // Keyed, so that the row does not tell an answer that somebody guesses.
    let print = keyed(token.as_bytes(), &[crate::base::digest::canonical_json(&said).as_bytes()]);
    let refusal = match &row.answer_digest {
        Some(before) if report.is_last() && *before == print => return Ok(Reception::TakenBefore),
        Some(_) => Some(Refusal::Used),
        None if !row.open => Some(Refusal::Ended),
        None if row.expired => Some(Refusal::Expired),
        None if !report.is_last() && (row.waiting >= WAITING || row.reports >= MOST) => Some(Refusal::TooMany),
        None => None,
    };
    if let Some(refusal) = refusal {
        if !row.refused.iter().any(|why| why == refusal.word()) {
            store::refuse(tx, row.run, refusal.word()).await?;
            let entry = entry("callback.refused", &row).outcome(Outcome::Denied);
            let detail = json!({"reason": refusal.word(), "state": report.state});
            audit::append(tx, op, entry.detail(detail)).await?;
        }
        return Ok(Reception::Refused(refusal));
    }
    let plain = said.to_string();
    if report.is_last() {
        let body = sealer.seal(op.entropy(), &answer_place(row.run), plain.as_bytes())?;
        store::answer(tx, row.run, &print, &body).await?;
        audit::append(tx, op, entry("callback.taken", &row).detail(json!({"state": report.state}))).await?;
    } else {
        let number = row.reports + 1;
        let body = sealer.seal(op.entropy(), &report_place(row.run, number), plain.as_bytes())?;
        store::report(tx, row.run, number, &body).await?;
    }
    Ok(Reception::Taken(row.run))
}

fn entry(action: &'static str, row: &store::CallBackRow) -> Entry {
    let mut entry = Entry::new(action, Object::new("run", row.run.0, row.label.clone()))
        .project(row.project)
        .environment(EnvironmentId(row.environment))
        .run(row.run);
    entry.request = row.request;
    entry
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_token_is_its_runs_own() {
        let (one, other) = (RunId(uuid::Uuid::from_u128(1)), RunId(uuid::Uuid::from_u128(2)));
        let text = |seed: u8, run| token(&[seed; 32], run).expose_secret().to_owned();
        assert_eq!(text(1, one), text(1, one));
        assert_ne!(text(1, one), text(1, other));
        assert_ne!(text(1, one), text(2, one));
        // 256 bits.
        assert_eq!(text(1, one).len(), PREFIX.len() + 43);
    }
}
