//! The audit log: one record per transition, in the transition's transaction (I19).
//!
//! Records are only ever inserted: triggers refuse UPDATE, DELETE and TRUNCATE, and the
//! application's role does not have these rights in the first place. This room knows ids, not
//! domains: who appends decides what the record says.

mod actions;
mod model;
mod service;
mod store;

pub use actions::{ACTIONS, kind_of};
pub use model::{AuditRecord, Entry, Filter, Object, Outcome};
pub use service::{append, append_all, append_each, get, list};
pub use store::requests_of_decisions;
