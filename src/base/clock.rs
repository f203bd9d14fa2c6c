//! The injected clock. Decisions about leases and expiry use database time instead (I18).

use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};

/// A source of the current time.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The current instant, UTC.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the real clock")]
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        #[cfg(debug_assertions)]
        let now = wrong::told(now);
        now
    }
}

#[cfg(debug_assertions)]
mod wrong {
    //! A machine whose clock is wrong, for tests; only debug builds have it. `PADDOCK_CLOCK` says by
    //! how much, for example `-10m`; of several with `/` between, each look is told the next.

    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use jiff::{SignedDuration, Timestamp};

    #[expect(clippy::disallowed_methods, reason = "for tests, as failpoints are: no setting")]
    static BY: LazyLock<Vec<SignedDuration>> = LazyLock::new(|| {
        let text = std::env::var("PADDOCK_CLOCK").unwrap_or_default();
        text.split('/').filter_map(|by| by.parse().ok()).collect()
    });
    static LOOKS: AtomicUsize = AtomicUsize::new(0);

    pub(super) fn told(now: Timestamp) -> Timestamp {
        let turn = LOOKS.fetch_add(1, Ordering::Relaxed).checked_rem(BY.len());
        match turn.and_then(|turn| BY.get(turn)) {
            Some(by) => now.saturating_add(*by).unwrap_or(now),
            None => now,
        }
    }
}

/// A clock that moves only when told to: for tests.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(Mutex::new(start))
    }

    /// Moves the clock forward by `by` (or back, when negative).
    pub fn advance(&self, by: SignedDuration) {
        let mut now = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *now = now.saturating_add(by).unwrap_or(*now);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
