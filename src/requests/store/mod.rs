//! All SQL of requests.

pub(super) mod budgets;
pub(super) mod delegations;
pub(super) mod drafts;
pub(super) mod estimates;
pub(super) mod exceptions;
pub(super) mod plans;
pub(super) mod requests;
pub(super) mod reviews;
pub(super) mod suggestions;
