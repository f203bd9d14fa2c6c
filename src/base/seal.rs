//! Encryption of secrets at rest: envelopes of XChaCha20-Poly1305, key outside Postgres, bound to their place.
//!
//! Every secret has a key of its own, which is wrapped with the platform's key: `2 | key id (4) | nonce (24)
//! | wrapped key (48) | nonce (24) | ciphertext`. The associated data of the ciphertext names the table, the
//! column and the row, so a blob that is moved to another row does not open. Changing the platform's key
//! wraps those keys anew ([`Sealer::rewrap`]) and needs neither the places nor the secrets.
//!
//! Blobs from before there were envelopes open as well: `1 | key id (4) | nonce (24) | ciphertext`.

use std::{collections::BTreeMap, sync::Arc};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::{Digest as _, Sha256};

use super::Entropy;

/// What the platform's key seals itself.
const DIRECT: u8 = 1;
/// What a key of its own seals.
pub const ENVELOPE: u8 = 2;
/// Version, key id, nonce.
const HEAD: usize = 1 + 4 + NONCE;
const NONCE: usize = 24;
/// A key of 32 bytes with its tag.
const WRAPPED: usize = 32 + 16;
/// What a wrapped key is bound to: nothing but that it is one.
const WRAP: &[u8] = b"paddock data key";

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
        let data_key = SecretSlice::from(entropy.bytes32().to_vec());
        let mut blob = self.wrap(entropy, &data_key)?;
        let nonce = nonce(entropy);
        blob.extend_from_slice(&nonce);
        blob.extend_from_slice(&encrypt(&cipher(&data_key)?, nonce, place.as_bytes(), plain)?);
        Ok(blob)
    }

    /// Opens what [`Self::seal`] made for the same `place`.
    pub fn open(&self, place: &str, blob: &[u8]) -> Result<Vec<u8>, SealError> {
        let (version, head) = Self::head(blob)?;
        if version == DIRECT {
            let (_, body) = blob.split_at_checked(HEAD).ok_or(SealError::Broken)?;
            return decrypt(&cipher(self.key(head.key)?)?, head.nonce, place.as_bytes(), body);
        }
        let (data_key, rest) = self.unwrap(&head, blob)?;
        let (nonce, body) = rest.split_first_chunk().ok_or(SealError::Broken)?;
        decrypt(&cipher(&data_key)?, *nonce, place.as_bytes(), body)
    }

    /// The same secret under the current key, without opening it. `None`: it is, or it is from before there
    /// were envelopes and follows the current key when it is written the next time.
    pub fn rewrap(&self, entropy: &dyn Entropy, blob: &[u8]) -> Result<Option<Vec<u8>>, SealError> {
        let (version, head) = Self::head(blob)?;
        if version == DIRECT || head.key == self.current {
            return Ok(None);
        }
        let (data_key, rest) = self.unwrap(&head, blob)?;
        let mut again = self.wrap(entropy, &data_key)?;
        again.extend_from_slice(rest);
        Ok(Some(again))
    }

    /// The id of the current key: bytes 1 to 5 of every blob that it seals.
    pub fn key_id(&self) -> [u8; 4] {
        self.current
    }

    fn wrap(&self, entropy: &dyn Entropy, data_key: &SecretSlice<u8>) -> Result<Vec<u8>, SealError> {
        let nonce = nonce(entropy);
        let wrapped = encrypt(&cipher(self.key(self.current)?)?, nonce, WRAP, data_key.expose_secret())?;
        Ok([&[ENVELOPE], self.current.as_slice(), &nonce, &wrapped].concat())
    }

    /// The key of the blob's own, and what is behind it.
    fn unwrap<'a>(&self, head: &Head, blob: &'a [u8]) -> Result<(SecretSlice<u8>, &'a [u8]), SealError> {
        let (_, body) = blob.split_at_checked(HEAD).ok_or(SealError::Broken)?;
        let (wrapped, rest) = body.split_at_checked(WRAPPED).ok_or(SealError::Broken)?;
        let data_key = decrypt(&cipher(self.key(head.key)?)?, head.nonce, WRAP, wrapped)?;
        Ok((SecretSlice::from(data_key), rest))
    }

    fn head(blob: &[u8]) -> Result<(u8, Head), SealError> {
        let (version, rest) = blob.split_first().ok_or(SealError::Broken)?;
        let (key, rest) = rest.split_first_chunk().ok_or(SealError::Broken)?;
        let (nonce, _) = rest.split_first_chunk().ok_or(SealError::Broken)?;
        match *version {
            DIRECT | ENVELOPE => Ok((*version, Head { key: *key, nonce: *nonce })),
            _ => Err(SealError::Broken),
        }
    }

    fn key(&self, id: [u8; 4]) -> Result<&SecretSlice<u8>, SealError> {
        self.keys.get(&id).ok_or(SealError::UnknownKey)
    }
}

struct Head {
    key: [u8; 4],
    nonce: [u8; NONCE],
}

fn nonce(entropy: &dyn Entropy) -> [u8; NONCE] {
    let mut nonce = [0; NONCE];
    entropy.fill(&mut nonce);
    nonce
}

fn cipher(key: &SecretSlice<u8>) -> Result<XChaCha20Poly1305, SealError> {
    let key: [u8; 32] = key.expose_secret().try_into().map_err(|_| SealError::BadKey)?;
    Ok(XChaCha20Poly1305::new(&Key::from(key)))
}

fn encrypt(cipher: &XChaCha20Poly1305, nonce: [u8; NONCE], aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
    cipher.encrypt(&XNonce::from(nonce), Payload { msg: plain, aad }).map_err(|_| SealError::Broken)
}

fn decrypt(cipher: &XChaCha20Poly1305, nonce: [u8; NONCE], aad: &[u8], body: &[u8]) -> Result<Vec<u8>, SealError> {
    cipher.decrypt(&XNonce::from(nonce), Payload { msg: body, aad }).map_err(|_| SealError::Broken)
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

    #[test]
    fn a_new_key_takes_over_without_opening_what_is_sealed() {
        let (one, two) = ("11".repeat(32), "22".repeat(32));
        let entropy = SeededEntropy::new(1);
        let old = Sealer::from_hex([one.as_str()]).unwrap();
        let blob = old.seal(&entropy, "a/1", b"secret").unwrap();
        let both = Sealer::from_hex([two.as_str(), one.as_str()]).unwrap();
        assert_eq!(
            (&blob[1..5], &both.rewrap(&entropy, &blob).unwrap().unwrap()[1..5]),
            (&old.key_id()[..], &both.key_id()[..])
        );
        let again = both.rewrap(&entropy, &blob).unwrap().unwrap();
        assert_eq!(again[HEAD + WRAPPED..], blob[HEAD + WRAPPED..], "the secret itself is as it was");
        let alone = Sealer::from_hex([two.as_str()]).unwrap();
        assert_eq!(alone.open("a/1", &again).unwrap(), b"secret");
        assert_eq!(alone.open("a/2", &again), Err(SealError::Broken));
        assert_eq!(both.rewrap(&entropy, &again).unwrap(), None);
        assert_eq!(alone.rewrap(&entropy, &blob), Err(SealError::UnknownKey));
        // Two secrets share no key: the one of another envelope does not open this one.
        let other = old.seal(&entropy, "a/1", b"secret").unwrap();
        let mixed = [&other[..HEAD + WRAPPED], &blob[HEAD + WRAPPED..]].concat();
        assert_eq!(old.open("a/1", &mixed), Err(SealError::Broken));
    }

    #[test]
    fn what_was_sealed_before_there_were_envelopes_opens() {
        let sealer = Sealer::from_hex(["11".repeat(32).as_str()]).unwrap();
        let key = sealer.key(sealer.current).unwrap();
        let body = encrypt(&cipher(key).unwrap(), [7; NONCE], b"a/1", b"secret").unwrap();
        let blob = [&[DIRECT], sealer.current.as_slice(), &[7; NONCE], &body].concat();
        assert_eq!(sealer.open("a/1", &blob).unwrap(), b"secret");
        assert_eq!(sealer.open("a/2", &blob), Err(SealError::Broken));
        assert_eq!(sealer.rewrap(&SeededEntropy::new(1), &blob).unwrap(), None);
    }
}
