//! Environments: what developers own, from the first request to the last resource that is gone.
//!
//! Invariants. A state changes only along [`State::can_become`]; the table's trigger knows the same
//! rule, and a test compares both (I5). Every change is an UPDATE filtered by the expected state
//! and generation; losing the race is [`Error::Stale`]. Sensitive outputs, secret inputs and
//! provider state are sealed, bound to their row (I20). The lifetime begins when the environment
//! is ready. Who asked, and whether that was allowed, is the business of `requests`.

mod call_backs;
pub mod costs;
mod discard;
pub mod drift;
mod error;
mod handover;
mod host;
mod model;
pub mod orphans;
mod outputs;
mod plans;
mod schedule;
mod service;
mod states;
mod store;
mod workflow;

use crate::db::SealedColumn;
pub use call_backs::{Reception, Refusal, knows_call_back, take_call_back};
pub use discard::discard;
pub use error::Error;
pub use handover::hand_over;
pub use model::{
    Environment, Expiring, Filter, NewEnvironment, Operation, Owner, PlaceRef, ProjectRef, State, StoredOutput,
    TemplateRef,
};
pub use outputs::{OutputView, list as list_outputs, record_refused_reveal, reveal};
pub use plans::planned;
pub use schedule::{
    Due, MOST_DELAY, Schedule, Timetable, advance, day_name, delay_stop, due, set_schedule, skip_stop, timetable,
    warn_stops,
};
pub use service::{
    Change, LINE, begin_act, begin_create, begin_delete, begin_update, change_inputs, create, expired, extend, find,
    list, load, may_begin, open_secret_inputs, plan, resources, retry, seal_secret_inputs, secret_inputs,
    warn_expiring,
};
pub use states::{StateVersion, list_versions};
pub use store::living::{Living, on_target};
pub use store::timings::{ResourceTiming, list as resource_timings};
pub use workflow::{
    Asked, OPERATIONS, Planned, RequestSink, Wish, Work, Workflows, discard_kind_of, drift_kind_of, kind_of,
    orphan_kind_of, plan_kind_of,
};

/// Where secrets of environments are that may be written again.
pub const SEALED: &[SealedColumn] = &[
    SealedColumn::new("environment", "secret_inputs"),
    SealedColumn::new("environment", "seed"),
    SealedColumn::new("environment", "provider_state"),
    SealedColumn::new("environment_output", "sealed"),
    SealedColumn::new("call_back", "answer"),
    SealedColumn::new("call_back_report", "body"),
];
/// Where such are that stay as they are.
pub const SEALED_FOR_GOOD: &[SealedColumn] = &[SealedColumn::new("state_version", "sealed")];
