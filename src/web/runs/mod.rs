//! Runs: steps, log, and what arrives live.

pub mod ansi;
pub mod view;
