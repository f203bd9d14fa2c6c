//! Sign-in by an OpenID provider: authorization code with PKCE, as RFC 9700 wants it.
//!
//! What keeps it honest, and against what:
//! - `state` is single-use, lives ten minutes and belongs to the browser that began (login CSRF,
//!   replay); the flow's row is taken before anything else is believed.
//! - Nonce and PKCE verifier follow from that browser's cookie and the state, so that a code or an
//!   ID token of another flow does not fit (injection), and neither is stored.
//! - The provider's metadata must name the configured issuer; so must the ID token, and the `iss`
//!   of the answer, which is required where the provider says that it sends one (mix-up).
//! - The ID token is signed by a key of the provider with an algorithm of the short list, is for
//!   this client and nobody else, and is of now.
//! - A person is who (issuer, subject) says. Teams and roles follow from groups at every sign-in.
//!
//! Calls to the provider follow no redirect, have time-outs and a size limit, and never happen
//! inside a transaction.

mod error;
mod flow;
mod groups;
mod http;
mod person;
mod provider;
mod service;
mod verify;

pub use error::OidcError;
pub use service::{Callback, OidcSignedIn, Redirect};

use jiff::Timestamp;
use tokio::sync::Mutex;
use url::Url;

use self::http::Http;
use self::provider::Known;
use super::Result;
use crate::config::OidcConfig;

/// The path of the redirect address, below the public address of this site.
pub const CALLBACK_PATH: &str = "/auth/callback";

/// The configured OpenID provider. What it says about itself is fetched at the first sign-in and
/// kept for an hour, so a provider that is down stops neither the start nor local accounts.
#[derive(Debug)]
pub struct Oidc {
    config: OidcConfig,
    redirect: Url,
    http: Http,
    known: Mutex<Option<(Timestamp, Known)>>,
}

impl Oidc {
    /// The provider of `config`, for a site at `public_url`.
    pub fn new(config: OidcConfig, public_url: &Url) -> Result<Self> {
        let unfit = |_| OidcError::Misconfigured("the issuer or the public address is not a URL".to_owned());
        let redirect = public_url.join(CALLBACK_PATH).map_err(unfit)?;
        let http = Http::new(&Url::parse(&config.issuer).map_err(unfit)?)?;
        Ok(Self { config, redirect, http, known: Mutex::new(None) })
    }

    /// What the sign-in button calls the provider.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Whether some group makes an admin of the platform: then nobody needs the set-up page.
    pub fn can_make_admins(&self) -> bool {
        self.config.groups.iter().any(|rule| rule.role.as_deref() == Some("admin") && rule.project.is_none())
    }
}
