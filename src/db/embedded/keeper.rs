//! The process that keeps the embedded server: our own binary under a hidden verb.
//!
//! It runs as the owner of the cluster, gets its [`Order`] as the first line of its standard input
//! and stops its server when that input ends: when we close it, and when we die in any way. It
//! restarts a server that dies by itself, but not for ever.

use std::fs::{OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, timeout};

use super::report::{Report, Reporter};
use super::{orphan, server};

/// The hidden verb.
pub const VERB: &str = "postgres-keeper";

/// An earlier keeper that still stops its server is waited for this long.
const LOCK_PATIENCE: Duration = Duration::from_secs(90);
/// A server that dies this often within the window is not started again.
const DEATHS: usize = 5;
const WINDOW: Duration = Duration::from_mins(10);
/// How long a fast, then an immediate stop may take; then the server is killed.
const STOP: [(Signal, Duration); 2] = [(Signal::INT, Duration::from_mins(1)), (Signal::QUIT, Duration::from_secs(10))];

/// What the keeper is told.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) bin: PathBuf,
    pub(super) socket_dir: PathBuf,
    pub(super) durable: bool,
    pub(super) max_connections: u16,
}

struct Told;

impl Reporter for Told {
    fn line(&self, text: &str) {
        tell(&Report::Line { text: text.to_owned() });
    }
}

/// One JSON line to who started us. Nobody may be reading any more: then the input has ended, too.
fn tell(report: &Report) {
    if let Ok(mut line) = serde_json::to_vec(report) {
        line.push(b'\n');
        std::io::stdout().lock().write_all(&line).ok();
    }
}

/// Runs until the standard input ends, a signal comes, or the server cannot be kept. Returns true
/// when it stopped because it was told to.
pub async fn run(root: &Path) -> bool {
    match keep(root).await {
        Ok(()) => true,
        Err(message) => {
            tell(&Report::Failed { message });
            false
        }
    }
}

async fn keep(root: &Path) -> Result<(), String> {
    let mut input = BufReader::new(tokio::io::stdin());
    let mut line = String::new();
    input.read_line(&mut line).await.map_err(|error| format!("no order came: {error}"))?;
    let order: Order = serde_json::from_str(&line).map_err(|error| format!("the order is not valid: {error}"))?;
    let mut stop = std::pin::pin!(told_to_stop(input));
    let _lock = tokio::select! {
        lock = lock(root) => lock?,
        ended = &mut stop => return ended,
    };
    if orphan::end(root).await? {
        Told.line("Postgres: stopped the server that an earlier, killed Paddock had left");
    }
    server::ensure_cluster(root, &order, &Told).await?;
    let mut deaths: Vec<Instant> = Vec::new();
    loop {
        let mut server = server::start(root, &order, &Told).await?;
        tell(&Report::Ready { port: server.port });
        let died = tokio::select! {
            ended = &mut stop => {
                stop_server(&mut server.child).await;
                return ended;
            }
            status = server.child.wait() => status.map(|status| status.to_string()).unwrap_or_default(),
        };
        let now = Instant::now();
        deaths.retain(|death| now.duration_since(*death) < WINDOW);
        deaths.push(now);
        if deaths.len() >= DEATHS {
            return Err(format!("the server died {DEATHS} times within {} minutes ({died})", WINDOW.as_secs() / 60));
        }
        Told.line(&format!("Postgres: the server died ({died}); starting it again"));
        // What a killed postmaster leaves behind ends by itself, and holds the memory until then.
        orphan::end(root).await?;
        sleep(Duration::from_millis(200) * u32::try_from(deaths.len()).unwrap_or(1)).await;
    }
}

/// Waits for the end of the input or a signal to stop.
async fn told_to_stop(mut input: BufReader<tokio::io::Stdin>) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot listen for signals: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut rest = Vec::new();
    tokio::select! {
        _ = input.read_to_end(&mut rest) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// One keeper at a time: an earlier one may still be stopping its server.
async fn lock(root: &Path) -> Result<std::fs::File, String> {
    let path = root.join("keeper.lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(|error| format!("cannot open {}: {error}", path.display()))?;
    let deadline = Instant::now() + LOCK_PATIENCE;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(format!("cannot lock {}: {error}", path.display())),
            Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
                return Err("an earlier server is still stopping".to_owned());
            }
            Err(TryLockError::WouldBlock) => {}
        }
        if !told {
            Told.line("Postgres: waiting for the server of the last run to stop");
            told = true;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn stop_server(child: &mut Child) {
    for (sign, patience) in STOP {
        let Some(pid) = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) else { return };
        kill_process(pid, sign).ok();
        if timeout(patience, child.wait()).await.is_ok() {
            return;
        }
    }
    child.kill().await.ok();
}
