//! Starts the worker of this process.

use super::App;
use crate::orchestrator::{Settings, Worker};

/// Starts a worker that drains when the process stops.
pub fn start_worker(app: &App, settings: Settings) {
    let worker = Worker {
        settings,
        db: app.db.clone(),
        signals: app.signals.clone(),
        clock: app.clock.clone(),
        entropy: app.entropy.clone(),
        workflows: app.workflows().all(),
    };
    app.tasks.spawn(worker.work(app.tasks.stopping()));
}
