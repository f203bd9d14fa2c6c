//! A host that keeps what a provider tells it: log lines in memory, state in a file, so that the
//! state outlives a killed process like Paddock's own store does.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use paddock::providers::{Host, ProviderError, Stream};
use tokio_util::sync::CancellationToken;

pub struct RecordingHost {
    state: PathBuf,
    lines: Mutex<Vec<(Stream, String)>>,
    fenced: AtomicBool,
}

impl RecordingHost {
    pub fn new(folder: &Path) -> Self {
        Self { state: folder.join("state"), lines: Mutex::default(), fenced: AtomicBool::new(false) }
    }

    pub fn text(&self) -> String {
        let lines = self.lines.lock().unwrap();
        lines.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// From now on another worker holds the run.
    pub fn take_lease_away(&self) {
        self.fenced.store(true, Ordering::SeqCst);
    }

    fn guard(&self) -> Result<(), ProviderError> {
        if self.fenced.load(Ordering::SeqCst) { Err(ProviderError::LeaseLost) } else { Ok(()) }
    }
}

#[async_trait]
impl Host for RecordingHost {
    async fn log(&self, stream: Stream, line: &str) -> Result<(), ProviderError> {
        self.guard()?;
        self.lines.lock().unwrap().push((stream, line.to_owned()));
        Ok(())
    }

    async fn load_state(&self) -> Result<Option<Vec<u8>>, ProviderError> {
        match std::fs::read(&self.state) {
            Ok(state) => Ok(Some(state)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ProviderError::internal(error)),
        }
    }

    async fn save_state(&self, state: &[u8]) -> Result<(), ProviderError> {
        self.guard()?;
        let beside = self.state.with_extension("new");
        std::fs::write(&beside, state).unwrap();
        std::fs::rename(beside, &self.state).unwrap();
        Ok(())
    }
}

/// A host whose worker dies at its n-th call: the call never returns.
pub struct MortalHost<'a> {
    inner: &'a RecordingHost,
    left: AtomicUsize,
    dead: CancellationToken,
}

impl<'a> MortalHost<'a> {
    pub fn new(inner: &'a RecordingHost, turn: usize) -> Self {
        Self { inner, left: AtomicUsize::new(turn), dead: CancellationToken::new() }
    }

    /// Returns when the worker has died.
    pub async fn death(&self) {
        self.dead.cancelled().await;
    }

    async fn live(&self) {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.dead.cancel();
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Host for MortalHost<'_> {
    async fn log(&self, stream: Stream, line: &str) -> Result<(), ProviderError> {
        self.live().await;
        self.inner.log(stream, line).await
    }

    async fn load_state(&self) -> Result<Option<Vec<u8>>, ProviderError> {
        self.inner.load_state().await
    }

    async fn save_state(&self, state: &[u8]) -> Result<(), ProviderError> {
        self.live().await;
        self.inner.save_state(state).await
    }
}
