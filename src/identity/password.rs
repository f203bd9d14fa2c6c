//! Passwords: what makes one acceptable, and argon2id.

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

use super::{IdentityError, Result};
use crate::base::Op;

const SHORTEST: usize = 12;
/// Long enough for any passphrase; a limit keeps hashing from being a way to burn our time.
const LONGEST_BYTES: usize = 1024;
const FEWEST_DISTINCT: usize = 5;

/// OWASP's first choice for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Each verification takes 19 MiB: more than this many at once wait for their turn.
static SLOTS: Semaphore = Semaphore::const_new(4);

/// A hash that no password has, with the parameters above: verified for unknown logins, so that
/// they take as long as known ones.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$cGFkZG9jay1ub2JvZHkhIQ$b3BlbiBzZXNhbWUgaXMgbm90IHRoZSBwYXNzd29yZCE";

/// Long passwords that guessers try first. Compared in lower case, without anything but letters
/// and digits.
const COMMON: [&str; 24] = [
    "123456789012",
    "1234567890123",
    "12345678901234",
    "123456789123",
    "administrator",
    "administrator1",
    "changemechangeme",
    "changeme1234",
    "changeme12345",
    "correcthorsebatterystaple",
    "iloveyou1234",
    "letmeinletmein",
    "letmein12345",
    "paddock12345",
    "paddockpaddock",
    "password1234",
    "password12345",
    "password123456",
    "passwordpassword",
    "passw0rd1234",
    "qwertyuiop123",
    "qwertyuiopasdf",
    "qwerty123456",
    "welcome12345",
];

/// Whether a new password is acceptable for this login; the rule in words if it is not.
pub(super) fn check(login: &str, password: &SecretString) -> Result<(), String> {
    let password = password.expose_secret();
    let length = password.chars().count();
    if length < SHORTEST {
        return Err(format!("use at least {SHORTEST} characters; a few words are easy to remember"));
    }
    if password.len() > LONGEST_BYTES {
        return Err(format!("use at most {LONGEST_BYTES} bytes"));
    }
    let lower = password.to_lowercase();
    if lower.contains(login) && length < login.chars().count() + SHORTEST - 4 {
        return Err("do not use your login as the password".to_owned());
    }
    let plain: String = lower.chars().filter(|c| c.is_alphanumeric()).collect();
    if COMMON.contains(&plain.as_str()) {
        return Err("this is one of the first passwords that guessers try".to_owned());
    }
    let mut distinct: Vec<char> = lower.chars().collect();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < FEWEST_DISTINCT {
        return Err(format!("use at least {FEWEST_DISTINCT} different characters"));
    }
    Ok(())
}

fn hasher() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|_| IdentityError::Internal("the password parameters are not valid"))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Runs `work` on a thread for blocking work, a few at a time.
async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let stopped = IdentityError::Internal("the process is stopping");
    let Ok(_slot) = SLOTS.acquire().await else { return Err(stopped) };
    tokio::task::spawn_blocking(work).await.map_err(|_| stopped)?
}

/// The PHC string to store for this password.
pub(super) async fn hash(op: &Op, password: &SecretString) -> Result<String> {
    let mut salt = [0; 16];
    op.entropy().fill(&mut salt);
    let password = password.clone();
    on_a_thread(move || {
        let hash: PasswordHash = hasher()?
            .hash_password_with_salt(password.expose_secret().as_bytes(), &salt)
            .map_err(|_| IdentityError::Internal("a password could not be hashed"))?;
        Ok(hash.to_string())
    })
    .await
}

/// Whether `password` is the one of `phc`. Without a stored hash the answer is no, after as long.
pub(super) async fn verify(phc: Option<&str>, password: &SecretString) -> Result<bool> {
    if password.expose_secret().len() > LONGEST_BYTES {
        return Ok(false);
    }
    let known = phc.is_some();
    let phc = phc.unwrap_or(NOBODY).to_owned();
    let password = password.clone();
    let fits = on_a_thread(move || {
        let hash =
            PasswordHash::new(&phc).map_err(|_| IdentityError::Internal("a stored password hash is not valid"))?;
        Ok(hasher()?.verify_password(password.expose_secret().as_bytes(), &hash).is_ok())
    })
    .await?;
    Ok(known && fits)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::{Actor, Origin, SeededEntropy, SystemClock};

    #[test]
    fn weak_passwords_are_refused_with_the_rule() {
        for (bad, word) in [
            ("short-pass1", "at least 12"),
            ("Dana.Reyes-2026", "login"),
            ("Password_1234", "guessers"),
            ("aaaaaaaaaaaaaaaa", "different"),
            ("abababababab", "different"),
            (&"xyzab".repeat(300), "at most"),
        ] {
            let refused = check("dana.reyes", &SecretString::from(bad)).unwrap_err();
            assert!(refused.contains(word), "{bad}: {refused}");
        }
        for good in ["twelve chars", "Dana.Reyes and four walls", "ünïcödé wörds"] {
            assert_eq!(check("dana.reyes", &SecretString::from(good)), Ok(()), "{good}");
        }
    }

    #[tokio::test]
    async fn hash_and_verify() {
        let op =
            Op::new(Actor::Operator, Origin::internal("cli"), Arc::new(SystemClock), Arc::new(SeededEntropy::new(1)));
        let password = SecretString::from("a long enough password");
        let (one, two) = (hash(&op, &password).await.unwrap(), hash(&op, &password).await.unwrap());
        assert_ne!(one, two, "each has a salt of its own");
        assert!(verify(Some(&one), &password).await.unwrap());
        assert!(!verify(Some(&one), &SecretString::from("another long password")).await.unwrap());
        assert!(!verify(None, &password).await.unwrap());
        // Same cost for an unknown login as for a known one: same algorithm, same parameters.
        let cost = |phc: &str| phc.rsplitn(3, '$').nth(2).map(str::to_owned);
        assert_eq!(cost(&one).as_deref(), Some("$argon2id$v=19$m=19456,t=2,p=1"));
        assert_eq!(cost(&one), cost(NOBODY));
        let (stored, nobody) = (PasswordHash::new(&one).unwrap(), PasswordHash::new(NOBODY).unwrap());
        assert_eq!(stored.hash.map(|hash| hash.len()), nobody.hash.map(|hash| hash.len()));
        assert_eq!(stored.salt.map(|salt| salt.len()), nobody.salt.map(|salt| salt.len()));
    }
}
