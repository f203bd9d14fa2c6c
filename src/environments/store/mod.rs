//! All SQL of environments.

pub(super) mod call_backs;
pub(super) mod contents;
pub(super) mod drift;
pub(super) mod intervals;
pub(super) mod living;
pub(super) mod orphans;
pub(super) mod rows;
pub(super) mod schedules;
pub(super) mod states;
pub(super) mod timings;
pub(super) mod transitions;
