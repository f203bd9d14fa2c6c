//! Starts the worker of this process, and keeps its machine tidy.

use std::collections::BTreeSet;
use std::time::Duration;

use super::App;
use crate::base::id::EnvironmentId;
use crate::orchestrator::{self, Settings, Worker};
use crate::providers;

/// How often what runs left on this machine is looked for.
const TIDY_EVERY: Duration = Duration::from_secs(5);

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
    let (this, stop) = (app.clone(), app.tasks.stopping());
    app.tasks.spawn(async move {
        let mut ticks = tokio::time::interval(TIDY_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => if let Err(error) = tidy(&this).await {
                    tracing::warn!(%error, "what runs left on this machine could not be looked after; trying again");
                }
            }
        }
    });
}

/// Removes the working folders of environments without an open run: what a plan for an approval, a
/// canceled run or a killed worker left there holds secrets, and nobody needs it.
async fn tidy(app: &App) -> anyhow::Result<()> {
    let Some(work_root) = app.providers.work_root().map(ToOwned::to_owned) else { return Ok(()) };
    // First the folders, then the runs: who begins in between is not looked at.
    let there = providers::workspaces(&work_root);
    if there.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = there.iter().map(|environment| environment.0).collect();
    let mut connection = app.db.acquire().await?;
    let open: BTreeSet<_> = orchestrator::open_subjects(&mut connection, &ids).await?.into_iter().collect();
    drop(connection);
    let over: Vec<EnvironmentId> = there.into_iter().filter(|environment| !open.contains(&environment.0)).collect();
    tokio::task::spawn_blocking(move || {
        for environment in over {
            if let Err(error) = providers::tidy_workspace(&work_root, environment) {
                tracing::warn!(environment.id = %environment, %error, "its folder cannot be removed");
            }
        }
    })
    .await?;
    Ok(())
}
