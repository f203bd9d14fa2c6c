//! What is logged, and in which form.

use clap::{Args, ValueEnum};

/// The settings of logging, taken by every verb.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Logging")]
pub struct LogArgs {
    /// What to log, for example `info`, `warn,paddock=debug`
    #[arg(long, env = "PADDOCK_LOG", value_name = "FILTER", global = true)]
    log: Option<String>,
    /// Text for people, or one JSON object a line
    #[arg(long, env = "PADDOCK_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text, global = true)]
    log_format: LogFormat,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged, and in which form.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// A `tracing` filter.
    pub filter: String,
    /// The form of a line.
    pub format: LogFormat,
}

impl LogArgs {
    /// The settings, with `default_filter` where none is given.
    pub fn check(self, default_filter: &str) -> LogConfig {
        LogConfig { filter: self.log.unwrap_or_else(|| default_filter.to_owned()), format: self.log_format }
    }
}
