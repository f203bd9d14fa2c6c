//! The audit log: sentences by day, and one record in full.

pub mod sentence;
pub mod view;
