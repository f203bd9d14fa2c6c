//! All SQL of the orchestrator.

pub(super) mod claim;
pub(super) mod log;
pub(super) mod runs;
pub(super) mod steps;
