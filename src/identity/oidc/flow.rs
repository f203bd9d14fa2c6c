//! One sign-in under way: what the browser holds, and what follows from it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::{Nonce, PkceCodeVerifier};
use secrecy::{ExposeSecret as _, SecretString};

use crate::base::{Digest, Entropy};
use crate::identity::secret;

/// The secrets of one flow: the browser's cookie and the state in the URL.
pub(super) struct Flow {
    pub browser: SecretString,
    pub browser_hash: Digest,
    pub state: SecretString,
    pub state_hash: Digest,
}

impl Flow {
    /// A new flow. A browser that has begun one already keeps its cookie, so that two tabs can
    /// sign in at the same time.
    pub fn begin(entropy: &dyn Entropy, browser: Option<&str>) -> Self {
        let kept = browser.and_then(|text| Some((SecretString::from(text), secret::opaque_digest(text)?)));
        let (browser, browser_hash) = kept.unwrap_or_else(|| secret::opaque(entropy));
        let (state, state_hash) = secret::opaque(entropy);
        Self { browser, browser_hash, state, state_hash }
    }

    /// The flow that an answer belongs to, if the texts are of the right form.
    pub fn resume(browser: &str, state: &str) -> Option<Self> {
        Some(Self {
            browser_hash: secret::opaque_digest(browser)?,
            state_hash: secret::opaque_digest(state)?,
            browser: SecretString::from(browser),
            state: SecretString::from(state),
        })
    }

    /// The PKCE code verifier (RFC 7636): 43 characters, unknown to whoever sees only the URL.
    pub fn verifier(&self) -> PkceCodeVerifier {
        PkceCodeVerifier::new(self.derive("paddock pkce"))
    }

    /// The nonce of the ID token.
    pub fn nonce(&self) -> Nonce {
        Nonce::new(self.derive("paddock nonce"))
    }

    fn derive(&self, purpose: &str) -> String {
        // All three parts have a fixed length for a purpose, so they cannot run into one another.
        let text = format!("{purpose}|{}|{}", self.browser.expose_secret(), self.state.expose_secret());
        URL_SAFE_NO_PAD.encode(Digest::of(text.as_bytes()).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SeededEntropy;

    #[test]
    fn secrets_follow_from_browser_and_state_and_differ_from_one_another() {
        let entropy = SeededEntropy::new(1);
        let one = Flow::begin(&entropy, None);
        let again = Flow::resume(one.browser.expose_secret(), one.state.expose_secret()).unwrap();
        assert_eq!(one.verifier().secret(), again.verifier().secret());
        assert_eq!(one.nonce().secret(), again.nonce().secret());
        assert_ne!(one.verifier().secret(), one.nonce().secret());
        let tab = Flow::begin(&entropy, Some(one.browser.expose_secret()));
        assert_eq!(tab.browser_hash, one.browser_hash);
        assert_ne!(tab.verifier().secret(), one.verifier().secret());
        assert_ne!(tab.nonce().secret(), one.nonce().secret());
        assert_ne!(Flow::begin(&entropy, Some("chosen by somebody")).browser.expose_secret(), "chosen by somebody");
        assert!(Flow::resume("x", one.state.expose_secret()).is_none());
        assert!(Flow::resume(one.browser.expose_secret(), "").is_none());
    }
}
