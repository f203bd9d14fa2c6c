//! All SQL of requests.

pub(super) mod drafts;
pub(super) mod requests;
pub(super) mod reviews;
