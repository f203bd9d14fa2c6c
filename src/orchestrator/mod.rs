//! Runs: queue, leases, attempts, steps, log lines, workers. Knows no domain.
//!
//! Invariants. A run is claimed with a lease and a new attempt number; the number is the fencing
//! token, and every later write carries it (I3). The intent of a step is durable before its call
//! (I2). A worker that died is noticed by its lease; the run goes on with the next attempt from
//! its checkpoints (I12: executions never exceed `max_attempts`). One run at a time per subject.
//! Notifications are hints: polling is the truth (I14). Time is the database's (I18).
//!
//! What a run *does* is a [`Workflow`], wired by `app`. Its last transaction, [`Workflow::settle`],
//! is shared with the run's own end, so the subject's state and the run's never disagree.

mod error;
mod execution;
mod follow;
mod forecast;
mod holding;
mod lease;
mod log_writer;
mod model;
mod queue;
mod reaper;
mod recorder;
mod service;
mod signals;
mod store;
mod worker;
mod workflow;

pub use error::Error;
pub use follow::{Follower, Followers, Look, News};
pub use holding::{
    Circuit, Freeze, NewFreeze, WorkerState, circuits, close_circuit, drain_worker, freeze, freezes, lift_freeze,
    workers,
};
pub use model::{Ending, LogLine, NewRun, Run, RunPlace, RunState, RunStep, StepStatus};
pub use queue::{Queue, Waiting, Why, place_in_line, queue};
pub use service::{
    ask_to_stop, cancel, checkpoint, enqueue, find, first_on_stderr, give_way, lanes_without_head, log_length,
    log_lines, open_run, open_subjects, runs_of, search_log, steps, went_beyond,
};
pub use signals::{Event, Signals};
pub use worker::{AGEING, Settings, Worker};
pub use workflow::{Interrupt, StepContext, StepError, Workflow};
