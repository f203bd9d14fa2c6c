//! Projects, their environment types, targets and quotas.
//!
//! Invariants: the counters of a quota move only under their locks and in the transaction that adds the
//! entries of the ledger, and what somebody asks for is compared with the maximum there, so that a quota is
//! never passed at a commit (I7); the entries of an environment sum up to what it holds, which is nothing
//! once it is gone; releasing twice releases once. Changing a project environment type affects new environments only.

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
    ProjectEnvironmentType, StoredTarget, TargetChange, TargetLimits,
};
pub use quota::{
    At, Cause, Demand, ENVIRONMENTS, Full, Holder, ListedQuota, NewQuota, QuotaChange, QuotaScope, QuotaTerms,
    QuotaUse, WhenFull, add_quota, change_hands, change_quota, ensure_quota, enter, give_back, holders, leave_line,
    ledger_discrepancies, line_up, line_up_start, next_in_line, place_behind, preview_change, preview_new,
    preview_start, preview_waiting, quota, quotas, record_quota_refusal, release, remove_quota, reserve, reserved_by,
    settle, stands_in, start, stay_in_line, stop,
};
pub use service::{
    all_environment_types, bind_target, ensure_environment_type, ensure_project, ensure_project_environment_type,
    ensure_target, environment_types, find, limit_target, list, open_target, pick_environment_type, places,
    places_with_target, target,
};

/// Where credentials of targets are.
pub const SEALED: &[SealedColumn] = &[
    SealedColumn::new("target", "secret"),
    SealedColumn::new("target", "next_secret"),
    SealedColumn::new("target", "connect_digest"),
];
