//! Secrets that Paddock makes: random text, shown once, stored as its digest.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;

use crate::base::{Digest, Entropy};

/// 256 random bits are 43 characters of base64url.
const LENGTH: usize = 43;

/// 256 random bits as text, and the digest to store.
pub(super) fn opaque(entropy: &dyn Entropy) -> (SecretString, Digest) {
    let text = URL_SAFE_NO_PAD.encode(entropy.bytes32());
    let digest = Digest::of(text.as_bytes());
    (SecretString::from(text), digest)
}

/// The digest of a text that [`opaque`] could have made; `None` for anything else.
pub(super) fn opaque_digest(text: &str) -> Option<Digest> {
    let fits = text.len() == LENGTH && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    fits.then(|| Digest::of(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::base::SeededEntropy;

    #[test]
    fn only_the_text_itself_has_its_digest() {
        let (text, digest) = opaque(&SeededEntropy::new(1));
        let text = text.expose_secret();
        assert_eq!(opaque_digest(text), Some(digest));
        let (other, _) = opaque(&SeededEntropy::new(2));
        assert_ne!(opaque_digest(other.expose_secret()), Some(digest));
        for bad in ["", "short", &format!("{text}x"), &text.replace(&text[..1], "!")] {
            assert_eq!(opaque_digest(bad), None, "{bad}");
        }
    }
}
