//! Paddock: a self-hosted internal developer portal.
//!
//! One package, one binary. The rooms, from the ground up (an edge that is not in this
//! table fails `tests/it/architecture.rs`):
//!
//! ```text
//! base ← config, telemetry, db ← audit, policy, providers ← identity, orchestrator
//!      ← catalog, projects, cost ← environments ← requests ← app ← web, api, cli
//! ```
//!
//! Rooms of the same rank do not import one another and nothing reaches up: such a need goes
//! through a trait that `app` wires. `docs/ARCHITECTURE.md` walks one request through them.

pub mod api;
pub mod app;
pub mod audit;
pub mod base;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod cost;
pub mod db;
pub mod environments;
pub mod identity;
pub mod orchestrator;
pub mod policy;
pub mod projects;
pub mod providers;
pub mod requests;
pub mod telemetry;
pub mod web;
