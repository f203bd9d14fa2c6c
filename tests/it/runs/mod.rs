//! Runs from the request to the resource and back, with real providers.

mod journey;
mod killed;
