//! The address to listen on, the address that people see, and how long a sign-in lasts.

use std::net::SocketAddr;

use clap::Args;
use jiff::SignedDuration;
use url::Url;

use super::{ConfigError, Result};
use crate::base::is_loopback;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Pages and API")]
pub(super) struct HttpArgs {
    /// Address to listen on; a loopback address is reachable from this machine only
    #[arg(long, env = "PADDOCK_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8400")]
    listen: SocketAddr,
    /// The address that people type, for links, cookies and sign-in [default: the address listened on]
    #[arg(long, env = "PADDOCK_PUBLIC_URL", value_name = "URL")]
    public_url: Option<Url>,
    /// A sign-in ends after this long without a visit
    #[arg(long, env = "PADDOCK_SESSION_IDLE", value_name = "DURATION", default_value = "8h")]
    session_idle: SignedDuration,
    /// A sign-in ends after this long in any case
    #[arg(long, env = "PADDOCK_SESSION_MAX", value_name = "DURATION", default_value = "24h")]
    session_max: SignedDuration,
}

/// Address, public URL, sessions.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// The address to listen on. Port 0 takes a free one.
    pub listen: SocketAddr,
    public_url: Option<Url>,
    /// How long a sign-in lasts.
    pub sessions: SessionConfig,
}

/// How long a sign-in lasts.
#[derive(Debug, Clone, Copy)]
pub struct SessionConfig {
    /// Without a visit.
    pub idle: SignedDuration,
    /// In any case.
    pub absolute: SignedDuration,
}

impl HttpArgs {
    pub(super) fn check(self) -> Result<HttpConfig> {
        if let Some(url) = &self.public_url {
            let flag = "--public-url (PADDOCK_PUBLIC_URL)";
            if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
                return Err(ConfigError::invalid(flag, "must start with https:// or http:// and name a host"));
            }
            if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
                return Err(ConfigError::invalid(flag, "must have no path: Paddock lives at the root of its host"));
            }
            // Secure cookies do not work over plain http, but for loopback.
            if url.scheme() == "http" && !is_here(url) {
                return Err(ConfigError::invalid(flag, "must start with https://, unless it names this machine only"));
            }
        }
        let (idle, absolute) = (self.session_idle, self.session_max);
        if idle < SignedDuration::from_mins(1) || absolute > SignedDuration::from_hours(30 * 24) || idle > absolute {
            return Err(ConfigError::invalid(
                "--session-idle, --session-max",
                "must be at least one minute, at most 30 days, and idle no longer than max",
            ));
        }
        Ok(HttpConfig { listen: self.listen, public_url: self.public_url, sessions: SessionConfig { idle, absolute } })
    }
}

impl HttpConfig {
    /// The address that people type, once it is known on which port we listen.
    pub fn public_url(&self, bound: SocketAddr) -> Result<Url> {
        if let Some(url) = &self.public_url {
            return Ok(url.clone());
        }
        Url::parse(&format!("http://{bound}/"))
            .map_err(|error| ConfigError::invalid("--public-url (PADDOCK_PUBLIC_URL)", error.to_string()))
    }
}

/// Browsers keep names below `localhost` on the machine.
fn is_here(url: &Url) -> bool {
    is_loopback(url) || url.domain().is_some_and(|name| name.ends_with(".localhost"))
}
