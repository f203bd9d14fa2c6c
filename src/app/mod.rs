//! The composition root: one [`App`] that pages, API and verbs share, the worker, the reconcilers,
//! the tasks and their shutdown. It wires the traits by which lower rooms reach upward.

mod abilities;
mod budgets;
mod call_backs;
mod demo;
mod drift;
mod elevations;
pub mod http;
mod keys;
mod orphans;
mod policies;
mod prices;
mod proofs;
mod queue;
mod quotas;
mod reconcilers;
mod replay;
mod roles;
mod runner;
mod runs;
mod schedules;
mod state;
mod targets;
mod tasks;
mod tokens;
mod worker;

pub use abilities::Visible;
pub use demo::{DemoHost, DemoServer, seed_demo};
pub use elevations::ElevationDraft;
pub use keys::{Rewrapped, rewrap_keys};
pub use policies::{InForce, PolicySource, fitting_policies, policy_version_resource};
pub use reconcilers::{Periods, follow_policies, start_reconcilers};
pub use replay::requests_of_decisions;
pub use roles::RoleDraft;
pub use runner::serve_runner_host;
pub use state::{App, Parts};
pub use targets::SetBy;
pub use tasks::Tasks;
pub use worker::start_worker;
