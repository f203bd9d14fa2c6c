//! The guard against forged requests from other sites (CSRF).
//!
//! Fetch Metadata first, `Origin` where a browser does not send it, as the OWASP cheat sheet has
//! it. Stricter than Go's `CrossOriginProtection` and its ports: `Origin` is compared with the
//! configured public address and never with `Host`, and a request with neither header passes only
//! when it brings a bearer token and no cookie (docs/decisions/0003).

use axum::http::{HeaderMap, Method, header};

use crate::app::App;

/// The request was made by a page of another site, or cannot show that it was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "This request did not come from a page of Paddock, so nothing was done. Open the page again and repeat it there."
)]
pub struct CrossSite;

/// Whether a request may change something, as far as its origin goes. Safe methods always pass:
/// they change nothing.
pub fn check_origin(app: &App, method: &Method, headers: &HeaderMap) -> Result<(), CrossSite> {
    if method.is_safe() {
        return Ok(());
    }
    if let Some(site) = headers.get("sec-fetch-site") {
        return if matches!(site.as_bytes(), b"same-origin" | b"none") { Ok(()) } else { Err(CrossSite) };
    }
    if let Some(origin) = headers.get(header::ORIGIN) {
        let ours = app.public_url.origin().ascii_serialization();
        return if origin.as_bytes() == ours.as_bytes() { Ok(()) } else { Err(CrossSite) };
    }
    let bearer = headers.contains_key(header::AUTHORIZATION) && !headers.contains_key(header::COOKIE);
    if bearer { Ok(()) } else { Err(CrossSite) }
}
