//! Limits on guessing, per login and per address.
//!
//! An attempt is counted before it is made and given back when it succeeds, so that a thousand
//! parallel guesses are as slow as a thousand in a row. Five attempts for a login are free, then
//! the wait doubles up to five minutes: at most 288 guesses a day at a password of twelve
//! characters or more. An address has twenty, because an office may share one. Logins are kept as
//! digests: people type passwords into login fields.
//!
//! Somebody who knows a login can keep it waiting for minutes. That is the price of a limit that
//! holds against many addresses; sessions that are open and sign-in by OpenID Connect go on.

use std::net::{IpAddr, SocketAddr};

use super::store::local as store;
use super::{IdentityError, Result};
use crate::base::{Digest, Op};
use crate::db::{Db, Tx};

const FREE_PER_LOGIN: i32 = 5;
const FREE_PER_ADDRESS: i32 = 20;
const LONGEST_WAIT_SECONDS: f64 = 300.0;
const FORGET_AFTER_SECONDS: f64 = 1800.0;

/// An attempt that was counted and may now be made.
#[derive(Debug)]
pub(super) struct Attempt {
    login: Option<Digest>,
    address: Option<Digest>,
}

/// Counts an attempt at this login (or at none, for the set-up) from the caller's address.
pub(super) async fn take(db: &Db, op: &Op, login: Option<&str>) -> Result<Attempt> {
    let attempt = Attempt {
        login: login.map(|login| Digest::of(format!("login:{login}").as_bytes())),
        address: op.origin.address.as_deref().map(|text| Digest::of(network(text).as_bytes())),
    };
    let mut connection = db.acquire().await?;
    for (subject, free) in [(attempt.address, FREE_PER_ADDRESS), (attempt.login, FREE_PER_LOGIN)] {
        let Some(subject) = subject else { continue };
        let taken =
            store::take_attempt(&mut connection, subject, free, LONGEST_WAIT_SECONDS, FORGET_AFTER_SECONDS).await?;
        if let Err(wait_seconds) = taken {
            tracing::warn!(operation.id = %op.id, wait_seconds, "identity.attempt.throttled");
            return Err(IdentityError::TooManyAttempts { wait_seconds });
        }
    }
    Ok(attempt)
}

impl Attempt {
    /// It succeeded: the login starts anew. The address only gets this attempt back, or a guesser
    /// with an account of their own could clear it again and again.
    pub(super) async fn succeeded(&self, tx: &mut Tx) -> Result<()> {
        if let Some(login) = self.login {
            store::forget_attempts(tx, login).await?;
        }
        if let Some(address) = self.address {
            store::give_back_attempt(tx, address).await?;
        }
        Ok(())
    }
}

/// The address that counts: one customer usually holds a whole IPv6 /64.
fn network(text: &str) -> String {
    let address = text.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    match address.map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(v6)) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("address:{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Ok(IpAddr::V4(v4)) => format!("address:{v4}"),
        Err(_) => format!("address:{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_customer_count_as_one() {
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::9"));
        assert_ne!(network("2001:db8:1:2::9"), network("2001:db8:1:3::9"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1:4711"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
