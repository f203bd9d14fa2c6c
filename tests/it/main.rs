//! The integration tests: one binary, a database of its own for every test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::large_futures,
    clippy::too_many_lines,
    clippy::items_after_statements,
    clippy::type_complexity,
    clippy::format_push_string,
    clippy::needless_pass_by_value,
    clippy::module_inception,
    reason = "tests may panic, and set up their own clocks, tasks and environment"
)]

mod api;
mod architecture;
mod browser;
mod catalog;
mod cli;
mod embedded;
mod faults;
mod identity;
mod keys;
mod life;
mod matrix;
mod pages;
mod policies;
mod policy;
mod providers;
mod requests;
mod runs;
mod support;
mod web;
