//! Projects, their environment types, targets and quotas.
//!
//! Invariants: `used + reserved` of a quota moves only by a guarded UPDATE, so it never passes the
//! maximum at a commit (I7); the reservation rows of an environment say what it holds, and releasing
//! twice releases once. Changing a project environment type affects new environments only.

mod connect;
mod error;
mod model;
mod quota;
mod service;
mod store;

use crate::db::SealedColumn;

/// Most projects that a list has.
pub const MOST_LISTED: usize = 500;

pub use connect::{
    bind, change_target, check_limits, connect_target, connected_target, disconnect_target, hold_target, keep_next,
    record_check, record_refusal, take_next, targets, unbind,
};
pub use error::Error;
pub use model::{
    Binding, CheckReport, ConnectedTarget, NewProjectEnvironmentType, NewTarget, Place, Project,
    ProjectEnvironmentType, QuotaUse, StoredTarget, TargetChange, TargetLimits,
};
pub use quota::{preview, release, reserve, use_up};
pub use service::{
    bind_target, ensure_environment_type, ensure_project, ensure_project_environment_type, ensure_quota, ensure_target,
    environment_types, find, limit_target, list, open_target, pick_environment_type, places, places_with_target,
    quotas, target,
};

/// Where credentials of targets are.
pub const SEALED: &[SealedColumn] = &[
    SealedColumn::new("target", "secret"),
    SealedColumn::new("target", "next_secret"),
    SealedColumn::new("target", "connect_digest"),
];
