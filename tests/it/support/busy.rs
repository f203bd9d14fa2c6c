//! How long this machine had more to do than it could: a promise in seconds is one of a machine that has
//! time for it, and on another one the test must not fail for the machine.

/// From a moment on.
pub struct Busy(f64);

impl Busy {
    /// From now on.
    pub fn from_now() -> Self {
        Self(stalled())
    }

    /// For so many seconds something waited for a processor, the disk or memory.
    pub fn seconds(&self) -> f64 {
        stalled() - self.0
    }
}

/// By the kernel's account (pressure stall information) since it began; none where it keeps none.
fn stalled() -> f64 {
    let total = |what: &str| {
        let text = std::fs::read_to_string(format!("/proc/pressure/{what}")).unwrap_or_default();
        let some = text.lines().find(|line| line.starts_with("some")).unwrap_or_default();
        some.rsplit("total=").next().and_then(|micros| micros.trim().parse::<f64>().ok()).unwrap_or_default()
    };
    ["cpu", "io", "memory"].map(total).iter().sum::<f64>() / 1_000_000.0
}
