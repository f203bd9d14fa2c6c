//! Logging: one subscriber per process, to standard error, filtered, as text or JSON lines.
//!
//! Spans are named `area.thing.verb` and fields are dotted (`run.id`, `duration_ms`), the same
//! everywhere. It knows no domain and keeps no secret out by itself: secrets are wrapped where
//! they are read (`secrecy`) and masked where providers print.

use tracing_subscriber::{EnvFilter, fmt, prelude::*};

/// Why logging could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter does not parse.
    #[error("the log filter “{filter}” is not valid; a valid one is for example info,paddock=debug")]
    Filter {
        /// What was given.
        filter: String,
        /// Why it does not parse.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// A subscriber is installed already.
    #[error("logging was started twice")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

/// Starts logging for this process: `filter` as in `info,paddock=debug`.
pub fn init(filter: &str, json: bool) -> Result<(), TelemetryError> {
    let env_filter =
        EnvFilter::try_new(filter).map_err(|source| TelemetryError::Filter { filter: filter.to_owned(), source })?;
    let layer = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let registry = tracing_subscriber::registry().with(env_filter);
    if json {
        registry.with(layer.json().flatten_event(true)).try_init()
    } else {
        registry.with(layer.compact().with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))).try_init()
    }
    .map_err(TelemetryError::Twice)
}
