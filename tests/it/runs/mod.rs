//! Runs from the request to the resource and back, with real providers.

mod circuit;
mod fair;
mod follow;
mod holding;
mod journey;
mod killed;
mod lanes;
mod queue;
mod together;
pub mod yard;

pub use journey::create;
