//! Encryption of secrets at rest: XChaCha20-Poly1305, key outside Postgres, bound to its place.
//!
//! A sealed blob is `1 | key id (4) | nonce (24) | ciphertext`. The associated data names the
//! table, the column and the row, so a blob that is moved to another row does not open.

use std::{collections::BTreeMap, sync::Arc};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::{Digest as _, Sha256};

use super::Entropy;

const VERSION: u8 = 1;
const HEAD: usize = 1 + 4 + 24;

/// A blob could not be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The blob was sealed with a key that is not configured.
    #[error("a stored secret was sealed with a key that this process does not have")]
    UnknownKey,
    /// The blob was altered, moved, or is not one of ours.
    #[error("a stored secret does not open: it was altered or belongs to another row")]
    Broken,
    /// The key file does not hold a key.
    #[error("an encryption key must be 32 bytes, written as 64 hex digits")]
    BadKey,
}

/// Seals and opens secrets. Cheap to clone.
#[derive(Clone)]
pub struct Sealer {
    current: [u8; 4],
    keys: Arc<BTreeMap<[u8; 4], SecretSlice<u8>>>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealer(key {})", hex::encode(self.current))
    }
}

impl Sealer {
    /// Seals with the first key; opens with any of them. Each is 64 hex digits.
    pub fn from_hex<'a>(keys: impl IntoIterator<Item = &'a str>) -> Result<Self, SealError> {
        let mut current = None;
        let mut map = BTreeMap::new();
        for text in keys {
            let key = hex::decode(text.trim()).map_err(|_| SealError::BadKey)?;
            if key.len() != 32 {
                return Err(SealError::BadKey);
            }
            let id = key_id(&key);
            current.get_or_insert(id);
            map.insert(id, SecretSlice::from(key));
        }
        Ok(Self { current: current.ok_or(SealError::BadKey)?, keys: Arc::new(map) })
    }

    /// Seals `plain`; `place` names the row, for example `environment_output/env_…/password`.
    pub fn seal(&self, entropy: &dyn Entropy, place: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; 24];
        entropy.fill(&mut nonce);
        let body = self
            .cipher(self.current)?
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: place.as_bytes() })
            .map_err(|_| SealError::Broken)?;
        let mut blob = Vec::with_capacity(HEAD + body.len());
        blob.push(VERSION);
        blob.extend_from_slice(&self.current);
        blob.extend_from_slice(&nonce);
        blob.extend_from_slice(&body);
        Ok(blob)
    }

    /// Opens what [`Self::seal`] made for the same `place`.
    pub fn open(&self, place: &str, blob: &[u8]) -> Result<Vec<u8>, SealError> {
        let (head, body) = blob.split_at_checked(HEAD).ok_or(SealError::Broken)?;
        let (version, rest) = head.split_first().ok_or(SealError::Broken)?;
        if *version != VERSION {
            return Err(SealError::Broken);
        }
        let (id, nonce) = rest.split_at(4);
        let id: [u8; 4] = id.try_into().map_err(|_| SealError::Broken)?;
        let nonce: [u8; 24] = nonce.try_into().map_err(|_| SealError::Broken)?;
        self.cipher(id)?
            .decrypt(&XNonce::from(nonce), Payload { msg: body, aad: place.as_bytes() })
            .map_err(|_| SealError::Broken)
    }

    fn cipher(&self, id: [u8; 4]) -> Result<XChaCha20Poly1305, SealError> {
        let key = self.keys.get(&id).ok_or(SealError::UnknownKey)?;
        let key: [u8; 32] = key.expose_secret().try_into().map_err(|_| SealError::BadKey)?;
        Ok(XChaCha20Poly1305::new(&Key::from(key)))
    }
}

fn key_id(key: &[u8]) -> [u8; 4] {
    let digest: [u8; 32] = Sha256::digest([b"paddock key id".as_slice(), key].concat()).into();
    let mut id = [0; 4];
    for (to, from) in id.iter_mut().zip(digest) {
        *to = from;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SeededEntropy;

    #[test]
    fn opens_only_in_its_place_and_unaltered() {
        let one = "11".repeat(32);
        let two = "22".repeat(32);
        let entropy = SeededEntropy::new(1);
        let old = Sealer::from_hex([one.as_str()]).unwrap();
        let blob = old.seal(&entropy, "a/1", b"secret").unwrap();
        assert!(!blob.windows(6).any(|w| w == b"secret"));
        let rotated = Sealer::from_hex([two.as_str(), one.as_str()]).unwrap();
        assert_eq!(rotated.open("a/1", &blob).unwrap(), b"secret");
        assert_eq!(rotated.open("a/2", &blob), Err(SealError::Broken));
        let mut bent = blob.clone();
        *bent.last_mut().unwrap() ^= 1;
        assert_eq!(old.open("a/1", &bent), Err(SealError::Broken));
        assert_eq!(Sealer::from_hex([two.as_str()]).unwrap().open("a/1", &blob), Err(SealError::UnknownKey));
        assert!(Sealer::from_hex(["xx"]).is_err());
    }
}
