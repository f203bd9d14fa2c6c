//! Log lines of one attempt: batched, numbered by the database, fenced by the attempt.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::{Mutex, MutexGuard, Notify, RwLock};

use super::store::log::{self, NewLine};
use super::{Event, Signals};
use crate::base::failpoint::reach;
use crate::base::id::RunId;
use crate::base::mask::Masks;
use crate::db::Db;
use crate::providers::Stream;

/// How long lines wait for company before they are written.
const PAUSE: Duration = Duration::from_millis(60);
/// A fuller batch is written at once.
const BATCH: usize = 200;
/// Longer lines are cut: a page must stay readable.
const LONGEST: usize = 8 * 1024;

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
    secrets: RwLock<Masks>,
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

    /// Values that are masked in every later line (I20).
    pub async fn mask(&self, secrets: impl IntoIterator<Item = SecretString>) {
        self.secrets.write().await.add(secrets);
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
        let clean: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\u{1b}')).collect();
        self.secrets.read().await.hide(clean, LONGEST)
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
