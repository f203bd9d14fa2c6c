//! The pages over HTTP, without a browser: the gate, the guard, the form, approvals.

mod admin;
mod approvals;
mod audit;
mod catalog;
mod chosen;
mod delegations;
mod drafts;
mod elevations;
mod environments;
mod form;
mod gate;
mod guard;
mod long_log;
mod power;
mod prices;
mod queue;
mod quotas;
mod roles;
mod runs;
mod suggestions;
mod targets;
mod tokens;
mod why;
