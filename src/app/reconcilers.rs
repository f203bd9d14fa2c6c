//! The reconcilers of this process: what is due by the clock, looked at again and again.
//!
//! Each is idempotent and level-triggered: it reads what is and does what is due, so it does not
//! matter how often it runs, in how many processes, or whether a run was missed.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::broadcast::error::RecvError;

use super::App;
use crate::base::{Actor, Op, Origin};
use crate::orchestrator::Event;
use crate::{catalog, environments, identity};

/// How often what is due is looked for.
const EVERY: Duration = Duration::from_secs(5);

/// How long one look may take; a Git source may be slow, and a dead connection answers never.
const LONGEST: Duration = Duration::from_mins(10);

/// How old a catalog source's last sync may be, as Azure Deployment Environments has it.
const SYNC_EVERY: SignedDuration = SignedDuration::from_mins(30);

/// How often what is looked after over and over.
#[derive(Debug, Clone, Copy)]
pub struct Periods {
    /// Each environment for drift; zero: never by itself.
    pub drift: Duration,
    /// Each target for what nobody owns; zero: never.
    pub orphans: Duration,
}

/// Starts the reconcilers; they stop with the process.
pub fn start_reconcilers(app: &App, periods: Periods) {
    again_and_again(app, move |app| async move { look(&app, periods).await });
    again_and_again(app, |app| async move { let_in(&app).await });
    follow_line(app);
    // By itself, because targets may be slow, and what is due elsewhere shall not wait for them.
    again_and_again(app, move |app| async move {
        report("orphans", app.find_orphans(&op(&app, "reconciler.orphans"), periods.orphans).await);
    });
}

/// Takes up the policies that are in force, at each hint and every few seconds; it stops with the process.
pub fn follow_policies(app: &App) {
    again_and_again(app, |app| async move { report("policies", app.take_up_policies().await) });
    let (app, stop) = (app.clone(), app.tasks.stopping());
    let mut hints = app.signals.subscribe();
    app.tasks.clone().spawn(async move {
        loop {
            let hint = tokio::select! {
                () = stop.cancelled() => return,
                hint = hints.recv() => hint,
            };
            match hint {
                Ok(Event::Policies) | Err(RecvError::Lagged(_)) => {
                    report("policies", app.take_up_policies().await);
                }
                Ok(Event::Queue | Event::Run(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    });
}

/// Lets those who wait in line in, at each hint that something was given back, so that they do not wait for the next
/// look; it stops with the process.
fn follow_line(app: &App) {
    let app = app.clone();
    let stop = app.tasks.stopping();
    let mut hints = app.signals.subscribe();
    app.tasks.clone().spawn(async move {
        loop {
            let hint = tokio::select! {
                () = stop.cancelled() => return,
                hint = hints.recv() => hint,
            };
            match hint {
                Ok(Event::Queue) | Err(RecvError::Lagged(_)) => let_in(&app).await,
                Ok(Event::Policies | Event::Run(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    });
}

async fn let_in(app: &App) {
    report("the line before quotas", app.requests.admit(&op(app, environments::LINE)).await);
}

/// Looks every few seconds until the process stops, which ends a look that is under way.
fn again_and_again<F>(app: &App, look: impl Fn(App) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send,
{
    let app = app.clone();
    let stop = app.tasks.stopping();
    app.tasks.clone().spawn(async move {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                looked = tokio::time::timeout(LONGEST, look(app.clone())) => {
                    if looked.is_err() {
                        tracing::warn!("what is due could not be looked after in time; trying again");
                    }
                }
            }
        }
    });
}

/// One look at everything that may be due.
async fn look(app: &App, periods: Periods) {
    let expiry = op(app, "reconciler.expiry");
    report("ended environments", app.requests.delete_expired(&expiry).await);
    report("warnings before the end", app.requests.warn_expiring(&expiry).await);
    let schedule = op(app, "reconciler.schedule");
    report("stops and starts", app.requests.keep_schedules(&schedule).await);
    report("warnings before stops", app.requests.warn_stops(&schedule).await);
    let approvals = op(app, "reconciler.approvals");
    report("lapsed requests", app.requests.lapse(&approvals).await);
    report("escalated requests", app.requests.escalate(&approvals).await);
    report("checks for drift", app.check_due_drift(&op(app, "reconciler.drift"), periods.drift).await);
    report("catalog sources", catalog::sync_due(&app.db, &op(app, "reconciler.catalog"), SYNC_EVERY).await);
    report("ended roles", identity::end_roles(&app.db, &op(app, "reconciler.roles")).await);
    report("old sessions", identity::purge_expired(&app.db).await);
}

fn op(app: &App, part: &'static str) -> Op {
    app.op(Actor::System { part }, Origin::internal("reconciler"))
}

fn report<T: std::fmt::Debug, E: std::error::Error>(what: &str, result: Result<T, E>) {
    match result {
        Ok(done) => tracing::debug!(what, ?done, "looked"),
        Err(error) => tracing::warn!(what, %error, "could not be looked after; trying again"),
    }
}
