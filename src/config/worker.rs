//! How much one worker process does at a time, and how long a drain may take.

use clap::Args;
use jiff::SignedDuration;

use super::{ConfigError, Result};

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Worker")]
pub(super) struct WorkerArgs {
    /// Runs that this process executes at the same time
    #[arg(long, env = "PADDOCK_WORKER_RUNS", value_name = "N", default_value_t = 4)]
    worker_runs: usize,
    /// How long a stop waits for running runs; what is left then goes on elsewhere, or at the next start
    #[arg(long, env = "PADDOCK_DRAIN", value_name = "DURATION", default_value = "30s")]
    drain: SignedDuration,
}

/// How much this process works at a time.
#[derive(Debug, Clone, Copy)]
pub struct WorkerConfig {
    /// Runs at the same time.
    pub runs: usize,
    /// How long a stop waits for running runs.
    pub drain: SignedDuration,
}

impl WorkerArgs {
    pub(super) fn check(self) -> Result<WorkerConfig> {
        if !(1..=64).contains(&self.worker_runs) {
            return Err(ConfigError::invalid("--worker-runs", "must be from 1 to 64"));
        }
        if self.drain.is_negative() || self.drain > SignedDuration::from_hours(6) {
            return Err(ConfigError::invalid("--drain", "must be from 0s to 6h"));
        }
        Ok(WorkerConfig { runs: self.worker_runs, drain: self.drain })
    }
}
