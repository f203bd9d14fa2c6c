//! Providers against real targets: one suite that all of them pass, and what is special to each.

mod conformance;
mod host;
mod postgres;
mod victim;
