//! Signatures after the Standard Webhooks specification (standardwebhooks.com): HMAC-SHA256 over
//! `id.timestamp.body`, with a secret that both sides know.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretSlice};
use sha2::Sha256;

use crate::providers::Target;

/// How a secret begins.
const PREFIX: &str = "whsec_";
/// The lengths that the specification allows, in bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;
/// During a rotation two are signed with; a third would only be forgotten there.
const MOST: usize = 3;

/// The secrets that are signed with: one, and during a rotation the next one as well.
pub struct Keys(Vec<SecretSlice<u8>>);

impl Keys {
    /// The keys of a target. The error is in words, and tells nothing of a secret.
    pub fn of(target: &Target) -> Result<Self, String> {
        let mut keys = Vec::new();
        for text in [&target.secret, &target.next_secret].into_iter().flatten() {
            for word in text.expose_secret().split_whitespace() {
                keys.push(key(word)?);
            }
        }
        match keys.len() {
            0 => Err("the target has no signing secret".to_owned()),
            1..=MOST => Ok(Self(keys)),
            _ => Err(format!("the signing secret is more than {MOST} secrets")),
        }
    }

    /// The header `webhook-signature`: one signature for each key, with blanks between.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let one = |key: &SecretSlice<u8>| {
            // HMAC takes keys of every length, so there is always one.
            let mut mac = Hmac::<Sha256>::new_from_slice(key.expose_secret()).ok()?;
            mac.update(format!("{id}.{timestamp}.").as_bytes());
            mac.update(body);
            Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
        };
        self.0.iter().filter_map(one).collect::<Vec<_>>().join(" ")
    }
}

fn key(word: &str) -> Result<SecretSlice<u8>, String> {
    let rest = word.strip_prefix(PREFIX).ok_or_else(|| format!("the signing secret does not begin with {PREFIX}"))?;
    let bytes =
        STANDARD.decode(rest).map_err(|_| format!("what follows {PREFIX} in the signing secret is not Base64"))?;
    if LENGTHS.contains(&bytes.len()) {
        return Ok(SecretSlice::from(bytes));
    }
    Err(format!("the signing secret has {} bytes; it must have {} to {}", bytes.len(), LENGTHS.start(), LENGTHS.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn target(secret: &str, next: Option<&str>) -> Target {
        Target { secret: Some(secret.into()), next_secret: next.map(Into::into), ..Target::default() }
    }

    /// The example of the specification's own libraries.
    #[test]
    fn signs_as_the_specification_says() {
        let keys = Keys::of(&target(SECRET, None)).unwrap();
        let signature = keys.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn signs_with_both_while_one_replaces_the_other() {
        let next = format!("whsec_{}", STANDARD.encode([7; 32]));
        let alone = Keys::of(&target(SECRET, None)).unwrap().sign("a", 1, b"x");
        let alone_next = Keys::of(&target(&next, None)).unwrap().sign("a", 1, b"x");
        for both in [target(SECRET, Some(&next)), target(&format!("{SECRET} {next}"), None)] {
            assert_eq!(Keys::of(&both).unwrap().sign("a", 1, b"x"), format!("{alone} {alone_next}"));
        }
    }

    #[test]
    fn a_secret_that_is_none_is_refused_without_being_told() {
        for bad in ["hunter2hunter2hunter2hunter2hunter2", "whsec_hunter2!", "whsec_aHVudGVyMg==", ""] {
            let why = Keys::of(&target(bad, None)).err().unwrap();
            assert!(!why.contains("hunter") && !why.contains("aHVud"), "{why}");
        }
        assert!(Keys::of(&Target::default()).is_err());
    }
}
