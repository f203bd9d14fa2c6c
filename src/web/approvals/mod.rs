//! Approving: the inbox, and one request with everything that an approver needs.

pub mod changes;
pub mod list;
pub mod review;
pub mod view;
