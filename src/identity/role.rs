//! Roles are policy's words; identity says who holds them.

pub use crate::policy::Role;
