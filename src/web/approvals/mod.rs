//! Approvals: the inbox, and one request with everything that an approver needs.

pub mod view;
