//! Everything that follows from the job alone, so that each attempt computes the same: the names
//! on the server, the marker, the password and its SCRAM verifier.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::base::id::{EnvironmentId, RunId};
use crate::providers::{Job, Turn};

/// What a server cuts names to, in bytes (`NAMEDATALEN` − 1).
const LONGEST_NAME: usize = 63;

/// Digits of the environment's id in a name: 48 bits of its random half.
const ID_DIGITS: usize = 12;

/// Iterations of SCRAM-SHA-256, as Postgres itself uses.
const ITERATIONS: u32 = 4096;

/// The name of the database and of its role: project, environment and a piece of the id.
pub fn object_name(project: &str, environment_name: &str, environment: EnvironmentId) -> String {
    let readable: String = format!("{project}_{environment_name}")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
        .take(LONGEST_NAME - ID_DIGITS - 1)
        .collect();
    let id = environment.0.simple().to_string();
    let tail = id.get(id.len().saturating_sub(ID_DIGITS)..).unwrap_or(&id);
    let first =
        if readable.starts_with(|c: char| c.is_ascii_digit()) || readable.starts_with("pg_") { "p_" } else { "" };
    let room = LONGEST_NAME - ID_DIGITS - 1 - first.len();
    let readable = readable.get(..room.min(readable.len())).unwrap_or(&readable);
    format!("{first}{readable}_{tail}")
}

/// The comment that says whose a database or role is.
pub fn marker(environment: EnvironmentId) -> String {
    format!("paddock:{environment}")
}

/// The key of the advisory lock that one environment's attempts share.
pub fn lock_key(environment: EnvironmentId) -> i64 {
    let digest: [u8; 32] = Sha256::digest(marker(environment)).into();
    i64::from_be_bytes(digest.first_chunk().copied().unwrap_or_default())
}

/// The name that our connections show in `pg_stat_activity`: which run, since when, which attempt.
pub fn application_name(job: &Job) -> String {
    let Turn(since, attempt) = job.turn();
    format!("paddock/{}/{since:x}/{attempt}", job.run.0.simple())
}

/// Whose turn another connection is, by its application name.
pub fn turn(application_name: &str) -> Option<Turn> {
    let (_, turn) = application_name.strip_prefix("paddock/")?.split_once('/')?;
    let (since, attempt) = turn.split_once('/')?;
    Some(Turn(i64::from_str_radix(since, 16).ok()?, attempt.parse().ok()?))
}

/// The role's password: 256 bits that follow from the job's seed.
pub fn password(seed: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(hmac(seed, b"paddock/postgres/password/1"))
}

/// The seed of the password after it was rotated by `run`.
pub fn rotated_seed(seed: &[u8; 32], run: RunId) -> [u8; 32] {
    hmac(seed, format!("paddock/postgres/rotation/1/{run}").as_bytes())
}

/// The SCRAM-SHA-256 verifier of `password` (RFC 5803), so that the password itself never
/// reaches the server's statement log.
pub fn scram_verifier(seed: &[u8; 32], password: &str) -> String {
    let salt_source = hmac(seed, b"paddock/postgres/salt/1");
    let salt = salt_source.get(..16).unwrap_or(&salt_source);
    let salted = salted_password(password.as_bytes(), salt);
    let stored_key = Sha256::digest(hmac(&salted, b"Client Key"));
    let server_key = hmac(&salted, b"Server Key");
    format!(
        "SCRAM-SHA-256${ITERATIONS}:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(stored_key),
        STANDARD.encode(server_key)
    )
}

/// PBKDF2-HMAC-SHA-256 with one block of output (RFC 8018, `Hi()` of RFC 5802).
fn salted_password(password: &[u8], salt: &[u8]) -> [u8; 32] {
    let mut first = salt.to_vec();
    first.extend_from_slice(&1_u32.to_be_bytes());
    let mut round = hmac(password, &first);
    let mut result = round;
    for _ in 1..ITERATIONS {
        round = hmac(password, &round);
        for (sum, byte) in result.iter_mut().zip(round) {
            *sum ^= byte;
        }
    }
    result
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    // HMAC takes keys of every length, so the error arm cannot be reached.
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mut mac) => {
            mac.update(message);
            mac.finalize().into_bytes().into()
        }
        Err(_) => [0; 32],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(text: &str) -> EnvironmentId {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_short_plain_and_differ_by_id() {
        let id = environment("env_0193c3f2000070008000a1b2c3d4e5f6");
        assert_eq!(object_name("shop", "Checkout API", id), "shop_checkout_api_a1b2c3d4e5f6");
        let long = object_name(&"p".repeat(63), "über", id);
        assert_eq!(long.len(), 63);
        assert!(long.ends_with("_a1b2c3d4e5f6"));
        assert_eq!(object_name("9to5", "x", id), "p_9to5_x_a1b2c3d4e5f6");
        assert!(object_name("pg_x", &"y".repeat(63), id).len() <= 63);
        assert!(!object_name("pg_x", "y", id).starts_with("pg_"));
    }

    #[test]
    fn passwords_follow_from_the_seed() {
        assert_eq!(password(&[1; 32]), password(&[1; 32]));
        assert_ne!(password(&[1; 32]), password(&[2; 32]));
        assert_eq!(password(&[1; 32]).len(), 43);
    }

    #[test]
    fn scram_agrees_with_a_published_vector() {
        // RFC 7677, section 3: user "user", password "pencil".
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let salted = salted_password(b"pencil", &salt);
        let server_key = hmac(&salted, b"Server Key");
        let auth = b"n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
            s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        assert_eq!(STANDARD.encode(hmac(&server_key, auth)), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn later_runs_and_attempts_are_larger() {
        let parsed = |name| turn(name).unwrap();
        assert!(parsed("paddock/01/a/2") > parsed("paddock/01/a/1"));
        // The id of a later run may be smaller.
        assert!(parsed("paddock/01/10/1") > parsed("paddock/02/a/9"));
        for other in ["psql", "paddock", "paddock/01/1", "paddock/01/x/1"] {
            assert_eq!(turn(other), None);
        }
    }
}
