//! All SQL of requests.

pub(super) mod requests;
pub(super) mod reviews;
