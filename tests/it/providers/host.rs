//! A host that keeps what a provider tells it: log lines in memory, state, its versions and its lock
//! in files, so that they outlive a killed process like Paddock's own store does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use paddock::providers::{
    Host, Kept, NewState, Phase, Progress, ProviderError, Resource, StateLock, StateOrigin, Stream,
};
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

    /// As if everything had been lost that was handed over.
    pub fn lose_state(&self) {
        fs::remove_file(&self.state).unwrap();
    }

    /// As if nothing had been told of resources.
    pub fn forget_progress(&self) {
        fs::remove_file(self.beside("progress")).unwrap();
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.state.with_file_name(name)
    }

    /// The versions that were kept, strays too, with how they came to be.
    pub fn versions(&self) -> Vec<(StateOrigin, serde_json::Value)> {
        let lines = fs::read_to_string(self.beside("versions")).unwrap_or_default();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn lock(&self) -> Option<StateLock> {
        let info: serde_json::Value = serde_json::from_slice(&fs::read(self.beside("lock")).ok()?).unwrap();
        Some(StateLock { id: info["ID"].as_str().unwrap().to_owned(), info })
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

    async fn progress(&self, progress: &Progress) -> Result<(), ProviderError> {
        self.guard()?;
        if progress.phase == Phase::Done {
            let mut all = fs::read_to_string(self.beside("progress")).unwrap_or_default();
            let id = progress.provider_id.as_deref().unwrap_or_default();
            all.push_str(&format!("{} {} {id}\n", progress.action, progress.address));
            fs::write(self.beside("progress"), all).unwrap();
        }
        Ok(())
    }

    async fn made(&self) -> Result<Vec<Resource>, ProviderError> {
        let mut made = BTreeMap::new();
        for line in fs::read_to_string(self.beside("progress")).unwrap_or_default().lines() {
            let [action, address, id] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
            made.insert(address.to_owned(), (action == "create").then(|| id.to_owned()));
        }
        let resource = |(address, id): (String, Option<String>)| {
            Some(Resource { address, r#type: String::new(), provider_id: Some(id?) })
        };
        Ok(made.into_iter().filter_map(resource).collect())
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

    async fn keep_state(&self, state: NewState<'_>) -> Result<Kept, ProviderError> {
        self.guard()?;
        match self.lock() {
            Some(lock) if lock.id == state.lock => {}
            other => return Ok(Kept::NotLocked(other)),
        }
        let value: serde_json::Value = serde_json::from_slice(state.bytes).unwrap();
        let mut all = fs::read_to_string(self.beside("versions")).unwrap_or_default();
        all.push_str(&serde_json::to_string(&(state.origin, value)).unwrap());
        all.push('\n');
        fs::write(self.beside("versions"), all).unwrap();
        if state.origin != StateOrigin::Stray {
            self.save_state(state.bytes).await?;
        }
        Ok(Kept::Yes)
    }

    async fn lock_state(&self, lock: &StateLock) -> Result<Option<StateLock>, ProviderError> {
        self.guard()?;
        let held = self.lock();
        if held.is_none() {
            fs::write(self.beside("lock"), lock.info.to_string()).unwrap();
        }
        Ok(held)
    }

    async fn unlock_state(&self, id: &str) -> Result<Option<StateLock>, ProviderError> {
        self.guard()?;
        match self.lock() {
            Some(held) if held.id != id => Ok(Some(held)),
            Some(_) => self.free_state().await.map(|_| None),
            None => Ok(None),
        }
    }

    async fn free_state(&self) -> Result<Option<StateLock>, ProviderError> {
        self.guard()?;
        let held = self.lock();
        let _ = fs::remove_file(self.beside("lock"));
        Ok(held)
    }

    async fn refused_state(&self, _who: &str) -> Result<(), ProviderError> {
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

    async fn progress(&self, progress: &Progress) -> Result<(), ProviderError> {
        self.live().await;
        self.inner.progress(progress).await
    }

    async fn made(&self) -> Result<Vec<Resource>, ProviderError> {
        self.inner.made().await
    }

    async fn keep_state(&self, state: NewState<'_>) -> Result<Kept, ProviderError> {
        self.live().await;
        self.inner.keep_state(state).await
    }

    async fn lock_state(&self, lock: &StateLock) -> Result<Option<StateLock>, ProviderError> {
        self.live().await;
        self.inner.lock_state(lock).await
    }

    async fn unlock_state(&self, id: &str) -> Result<Option<StateLock>, ProviderError> {
        self.live().await;
        self.inner.unlock_state(id).await
    }

    async fn free_state(&self) -> Result<Option<StateLock>, ProviderError> {
        self.inner.free_state().await
    }

    async fn refused_state(&self, who: &str) -> Result<(), ProviderError> {
        self.inner.refused_state(who).await
    }
}
