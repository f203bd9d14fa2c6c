//! A host that keeps what a provider tells it: log lines in memory, state, its versions and its lock
//! in files, so that they outlive a killed process like Paddock's own store does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use paddock::base::id::RunId;
use paddock::providers::{
    CallBack, Heard, Host, Job, Kept, NewState, Phase, Progress, ProviderError, Report, Resource, StateLock,
    StateOrigin, Stream, Trace,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

pub struct RecordingHost {
    state: PathBuf,
    lines: Mutex<Vec<(Stream, String)>>,
    fenced: AtomicBool,
    canceled: AtomicBool,
    called_back: Mutex<Heard>,
    news: tokio::sync::Notify,
    waits: AtomicUsize,
    whose: (RunId, i32),
}

impl RecordingHost {
    pub fn new(folder: &Path) -> Self {
        let nobody = (RunId(uuid::Uuid::nil()), 0);
        Self {
            state: folder.join("state"),
            lines: Mutex::default(),
            fenced: AtomicBool::new(false),
            canceled: AtomicBool::new(false),
            called_back: Mutex::default(),
            news: tokio::sync::Notify::new(),
            waits: AtomicUsize::new(0),
            whose: nobody,
        }
    }

    /// What is told to it is told by this attempt.
    pub fn of(mut self, job: &Job) -> Self {
        self.whose = (job.run, job.attempt);
        self
    }

    pub fn text(&self) -> String {
        let lines = self.lines.lock().unwrap();
        lines.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// From now on another worker holds the run.
    pub fn take_lease_away(&self) {
        self.fenced.store(true, Ordering::SeqCst);
    }

    /// The state as it was saved last.
    pub fn load(&self) -> Option<Vec<u8>> {
        fs::read(&self.state).ok()
    }

    /// Somebody asks for the run to be canceled.
    pub fn cancel(&self) {
        self.canceled.store(true, Ordering::SeqCst);
    }

    /// Somebody calls back.
    pub fn hear(&self, report: Report) {
        let mut heard = self.called_back.lock().unwrap();
        if report.is_last() {
            heard.last = Some(report);
        } else {
            let number = heard.reports.last().map_or(1, |(number, _)| number + 1);
            heard.reports.push((number, report));
        }
        drop(heard);
        self.news.notify_one();
    }

    /// How often somebody began to wait for a call-back, for minutes.
    pub fn waits(&self) -> usize {
        self.waits.load(Ordering::SeqCst)
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
        if progress.phase != Phase::Failed {
            let (run, attempt) = self.whose;
            let made = progress.phase == Phase::Done;
            let line = json!([progress.action, progress.address, progress.provider_id, made, run, attempt]);
            let mut all = fs::read_to_string(self.beside("progress")).unwrap_or_default();
            all.push_str(&format!("{line}\n"));
            fs::write(self.beside("progress"), all).unwrap();
        }
        Ok(())
    }

    async fn traces(&self) -> Result<Vec<Trace>, ProviderError> {
        let mut last = BTreeMap::new();
        for line in fs::read_to_string(self.beside("progress")).unwrap_or_default().lines() {
            let (action, address, provider_id, made, run, attempt): (String, String, _, _, _, _) =
                serde_json::from_str(line).unwrap();
            let resource = Resource { address: address.clone(), r#type: String::new(), provider_id };
            last.insert(address, (action == "create").then_some(Trace { resource, made, run, attempt }));
        }
        Ok(last.into_values().flatten().collect())
    }

    async fn account(&self) -> Result<(), ProviderError> {
        self.guard()?;
        let _ = fs::remove_file(self.beside("progress"));
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

    async fn call_back(&self, lasts: Duration) -> Result<CallBack, ProviderError> {
        self.guard()?;
        let expires_at = jiff::Timestamp::UNIX_EPOCH + lasts;
        Ok(CallBack { url: "https://paddock.test/api/v1/callbacks/pdcb_token".into(), expires_at })
    }

    async fn heard(&self, after: i64, wait: Duration) -> Result<Heard, ProviderError> {
        let deadline = tokio::time::Instant::now() + wait;
        if wait > Duration::from_secs(60) {
            self.waits.fetch_add(1, Ordering::SeqCst);
        }
        loop {
            self.guard()?;
            let found = {
                let mut heard = self.called_back.lock().unwrap();
                heard.reports.retain(|(number, _)| *number > after);
                heard.clone()
            };
            if found != Heard::default() {
                return Ok(found);
            }
            if tokio::time::timeout_at(deadline, self.news.notified()).await.is_err() {
                return Ok(found);
            }
        }
    }

    async fn is_canceled(&self) -> Result<bool, ProviderError> {
        self.guard()?;
        Ok(self.canceled.load(Ordering::SeqCst))
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

    async fn traces(&self) -> Result<Vec<Trace>, ProviderError> {
        self.inner.traces().await
    }

    async fn account(&self) -> Result<(), ProviderError> {
        self.live().await;
        self.inner.account().await
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

    async fn call_back(&self, lasts: Duration) -> Result<CallBack, ProviderError> {
        self.live().await;
        self.inner.call_back(lasts).await
    }

    async fn heard(&self, after: i64, wait: Duration) -> Result<Heard, ProviderError> {
        self.live().await;
        self.inner.heard(after, wait).await
    }

    async fn is_canceled(&self) -> Result<bool, ProviderError> {
        self.inner.is_canceled().await
    }
}
