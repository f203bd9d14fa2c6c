//! All SQL of projects.

pub(super) mod lines;
pub(super) mod projects;
pub(super) mod quotas;
pub(super) mod targets;
