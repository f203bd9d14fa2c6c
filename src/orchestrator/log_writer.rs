//! Log lines of one attempt: batched, numbered by the database, fenced by the attempt.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Mutex, MutexGuard, Notify, RwLock};

use super::store::log::{self, NewLine};
use super::{Event, Signals};
use crate::base::failpoint::reach;
use crate::base::id::RunId;
use crate::db::Db;
use crate::providers::Stream;

/// How long lines wait for company before they are written.
const PAUSE: Duration = Duration::from_millis(60);
/// A fuller batch is written at once.
const BATCH: usize = 200;
/// Longer lines are cut: a page must stay readable.
const LONGEST: usize = 8 * 1024;
const MASK: &str = "••••••";
/// What stands where something was cut off, here and by providers.
const CUT: char = '…';
/// Shorter parts of a secret than this, in bytes, are left alone.
const TELLING: usize = 4;

/// The attempt does not hold the run any more.
#[derive(Debug, Clone, Copy)]
pub struct Lost;

/// Collects lines and writes them in batches.
pub struct LogWriter {
    db: Db,
    signals: Signals,
    run: RunId,
    attempt: i32,
    waiting: Mutex<Vec<NewLine>>,
    filled: Notify,
    lost: AtomicBool,
    secrets: RwLock<Vec<SecretString>>,
}

impl LogWriter {
    /// A writer for one attempt.
    pub fn new(db: Db, signals: Signals, run: RunId, attempt: i32) -> Self {
        Self {
            db,
            signals,
            run,
            attempt,
            waiting: Mutex::default(),
            filled: Notify::new(),
            lost: AtomicBool::new(false),
            secrets: RwLock::default(),
        }
    }

    /// Values that are masked in every later line (I20), and each of their lines: programs print line
    /// by line. Shorter than 4 characters are left alone: masking them would make the log unreadable
    /// and say where they are.
    pub async fn mask(&self, secrets: impl IntoIterator<Item = SecretString>) {
        let mut known = self.secrets.write().await;
        for secret in secrets {
            let whole = secret.expose_secret();
            let parts = whole.lines().chain([whole]).map(str::trim).filter(|part| part.len() >= TELLING);
            known.extend(parts.map(SecretString::from));
        }
        // One may be a part of another.
        known.sort_by_key(|secret| std::cmp::Reverse(secret.expose_secret().len()));
        known.dedup_by(|one, other| one.expose_secret() == other.expose_secret());
    }

    /// Takes a line.
    pub async fn write(&self, step: &str, stream: Stream, text: &str) -> Result<(), Lost> {
        if self.lost.load(Ordering::Relaxed) {
            return Err(Lost);
        }
        let masked = self.clean(text).await;
        let mut waiting = self.waiting.lock().await;
        for line in masked.lines() {
            waiting.push(NewLine { step: step.to_owned(), stream, text: line.to_owned() });
        }
        let full = waiting.len() >= BATCH;
        drop(waiting);
        if full {
            return self.flush().await;
        }
        self.filled.notify_one();
        Ok(())
    }

    /// The text without control characters and secrets, and no longer than a line may be.
    pub async fn clean(&self, text: &str) -> String {
        let mut clean: String =
            text.chars().filter(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\u{1b}')).collect();
        let secrets = self.secrets.read().await;
        for secret in secrets.iter() {
            if clean.contains(secret.expose_secret()) {
                clean = clean.replace(secret.expose_secret(), MASK);
            }
        }
        if let Some((end, _)) = clean.char_indices().nth(LONGEST) {
            clean.truncate(end);
            clean.push(CUT);
        }
        if clean.contains(CUT) {
            for secret in secrets.iter() {
                clean = without_beginnings(&clean, secret.expose_secret());
            }
        }
        clean
    }

    /// Writes what waits. The lock is held over the write so that lines keep their order.
    pub async fn flush(&self) -> Result<(), Lost> {
        let mut waiting = self.waiting.lock().await;
        if waiting.is_empty() {
            return if self.lost.load(Ordering::Relaxed) { Err(Lost) } else { Ok(()) };
        }
        let written = async {
            let mut connection = self.db.acquire().await?;
            log::append(&mut connection, self.run, self.attempt, &waiting).await
        };
        match written.await {
            Ok(true) => {
                reach("log.written");
                waiting.clear();
                self.signals.send(Event::Run(self.run));
                Ok(())
            }
            Ok(false) => {
                self.lost.store(true, Ordering::Relaxed);
                Err(Lost)
            }
            Err(error) => {
                // Kept for the next try; the heartbeat decides whether the run may go on.
                tracing::warn!(run.id = %self.run, %error, "log lines wait: the database does not take them");
                Ok(())
            }
        }
    }

    /// The lines that wait, for somebody who writes them together with something else, under the
    /// same token; it clears them once they are durable. Nothing else is written meanwhile.
    pub async fn waiting(&self) -> MutexGuard<'_, Vec<NewLine>> {
        self.waiting.lock().await
    }

    /// Writes waiting lines until dropped.
    pub async fn pump(&self) {
        loop {
            self.filled.notified().await;
            tokio::time::sleep(PAUSE).await;
            if self.flush().await.is_err() {
                return;
            }
        }
    }
}

/// The text without the beginnings of the secret that a cut has left before it.
fn without_beginnings(text: &str, secret: &str) -> String {
    let hidden = |part: &str| {
        let mut beginnings = (TELLING..secret.len()).rev().filter_map(|end| secret.get(..end));
        beginnings.find_map(|beginning| part.strip_suffix(beginning)).map(|rest| format!("{rest}{MASK}"))
    };
    let mut parts: Vec<String> = text.split(CUT).map(str::to_owned).collect();
    let last = parts.pop();
    let parts = parts.into_iter().map(|part| hidden(&part).unwrap_or(part));
    parts.chain(last).collect::<Vec<_>>().join(&CUT.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cut_leaves_of_a_secret_is_hidden() {
        for (text, hidden) in [
            ("long hunter2-t…", "long ••••••…"),
            ("one hunt…, two hunter…", "one ••••••…, two ••••••…"),
            // Too little to tell anything; and not cut.
            ("hun…", "hun…"),
            ("a hunter", "a hunter"),
            ("käse… hunter", "käse… hunter"),
        ] {
            assert_eq!(without_beginnings(text, "hunter2-tökén"), hidden);
        }
    }
}
