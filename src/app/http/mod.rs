//! What pages and API share of HTTP: operation ids, authentication, the cross-site guard, headers.
//!
//! Each of them answers refusals in its own way (a page, a problem document), so the pieces here
//! return reasons, and the routers render them.

mod context;
mod cross_site;
mod denied;
mod headers;

pub use context::{OPERATION_HEADER, Peer, authenticate, begin, cookie, op_of, peer_of, session_cookie};
pub use cross_site::{CrossSite, check_origin};
pub use denied::denied;
pub use headers::{content_security_policy, security_headers};
