//! A server that a killed keeper left running: it is ended before another one starts.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::time::Instant;

use super::layout::cluster;

const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How long a fast, then an immediate stop may take.
const PATIENCE: [(Signal, Duration); 2] =
    [(Signal::INT, Duration::from_secs(30)), (Signal::QUIT, Duration::from_secs(15))];

/// Ends what still runs on the cluster in `root`, and waits for its end. True when there was one.
pub(super) async fn end(root: &Path) -> Result<bool, String> {
    let Some(pid) = running(root) else { return Ok(false) };
    for (signal, patience) in PATIENCE {
        // Not there any more is what we want.
        kill_process(pid, signal).ok();
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if running(root).is_none() {
                return Ok(true);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
    Err(format!("an earlier server, process {}, does not stop", pid.as_raw_nonzero()))
}

/// The live postmaster of this cluster. The pid in the file may be another program's by now, so the
/// process must also stand in the cluster's folder, as a postmaster does.
fn running(root: &Path) -> Option<Pid> {
    let folder = cluster(root);
    let text = std::fs::read_to_string(folder.join("postmaster.pid")).ok()?;
    let pid = Pid::from_raw(text.lines().next()?.trim().parse().ok()?)?;
    test_kill_process(pid).ok()?;
    if cfg!(target_os = "linux") {
        let stands_in = std::fs::read_link(format!("/proc/{}/cwd", pid.as_raw_nonzero())).ok()?;
        return (stands_in == folder).then_some(pid);
    }
    Some(pid)
}
