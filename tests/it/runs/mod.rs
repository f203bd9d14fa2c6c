//! Runs from the request to the resource and back, with real providers.

mod fair;
mod follow;
mod holding;
mod journey;
mod killed;
mod lanes;
mod queue;
pub mod yard;

pub use journey::create;
