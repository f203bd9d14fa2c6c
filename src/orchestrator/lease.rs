//! The heartbeat of one attempt: renews the lease, hears about cancellation, stops in time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Interrupt;
use super::store::claim;
use crate::base::id::RunId;
use crate::db::Db;

/// Why and whether an attempt must stop. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Fires when the attempt must stop.
    pub token: CancellationToken,
    /// Fires when the run is somebody else's, or soon will be.
    pub lost: CancellationToken,
    why: Arc<Mutex<Option<Interrupt>>>,
}

impl Stop {
    /// Stops the attempt; the first reason counts, but a lost lease overrules the others.
    pub fn because(&self, interrupt: Interrupt) {
        let mut why = self.why.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if why.is_none() || interrupt == Interrupt::LeaseLost {
            *why = Some(interrupt);
        }
        drop(why);
        self.token.cancel();
        if interrupt == Interrupt::LeaseLost {
            self.lost.cancel();
        }
    }

    /// Whether an attempt still listens to it.
    pub fn in_use(&self) -> bool {
        Arc::strong_count(&self.why) > 1
    }

    /// The reason, once there is one.
    pub fn reason(&self) -> Option<Interrupt> {
        *self.why.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Beats every third of the lease until dropped. When the lease cannot be renewed it stops the
/// attempt a margin before the lease ends, on this machine's monotonic clock.
pub async fn beat(db: &Db, run: RunId, attempt: i32, lease: Duration, stop: &Stop) {
    let every = lease / 3;
    let margin = lease / 6;
    let mut held_until = Instant::now() + lease;
    loop {
        tokio::time::sleep(every.min(held_until.saturating_duration_since(Instant::now()).saturating_sub(margin)))
            .await;
        let asked = Instant::now();
        let answer = tokio::time::timeout_at(held_until - margin, async {
            claim::heartbeat(&mut *db.acquire().await?, run, attempt, lease.as_secs_f64()).await
        });
        match answer.await {
            Ok(Ok(Some(cancel))) => {
                held_until = asked + lease;
                if cancel {
                    stop.because(Interrupt::Canceled);
                }
            }
            Ok(Ok(None)) => return stop.because(Interrupt::LeaseLost),
            Ok(Err(error)) => tracing::warn!(run.id = %run, %error, "the lease was not renewed; trying again"),
            Err(_) => {}
        }
        if Instant::now() + margin >= held_until {
            tracing::warn!(run.id = %run, "the lease ends: stopping this attempt");
            return stop.because(Interrupt::LeaseLost);
        }
    }
}
