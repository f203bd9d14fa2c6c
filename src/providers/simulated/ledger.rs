//! The cloud's own book: a file with one line of JSON per call, written before the call is answered
//! and never changed. What the cloud holds is what replaying the book says.
//!
//! Several processes may use one book: every call holds a lock on the file while it reads what the
//! others wrote and adds its own line. A line without an end was torn by a loss of power; it never
//! happened, and is cut off.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::config::{FaultKind, Verb};
use crate::base::id::EnvironmentId;
use crate::providers::ProviderError;

/// How long to wait for another process's line.
const WAIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(2);

/// One line: a call, or that a call was answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// A call.
    Call(Call),
    /// The answer to call number `call` was sent.
    Answer {
        /// The call's number.
        call: u64,
    },
}

/// A call as the cloud saw it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Call {
    /// Its number, from 1.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// Who owns the object.
    pub environment: EnvironmentId,
    /// Which run called.
    pub run: Uuid,
    /// Which attempt of it.
    pub attempt: i32,
    /// The environment's generation.
    pub generation: i64,
    /// What was called.
    pub verb: Verb,
    /// For which object.
    pub object: String,
    /// The idempotency token.
    pub token: String,
    /// What went wrong on purpose.
    pub fault: Option<FaultKind>,
    /// Whether the call came from an attempt that an other one had replaced: refused.
    #[serde(default)]
    pub stale: bool,
    /// What happened, if anything did.
    pub effect: Option<Effect>,
}

/// What a call changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// The object is there now.
    Made {
        /// Its id.
        id: String,
        /// What it is like.
        spec: String,
        /// Whether it is whole.
        whole: bool,
        /// How many reads will not find it.
        hidden: u32,
    },
    /// The object is like this now, and whole.
    Changed {
        /// What it is like.
        spec: String,
    },
    /// The object is gone.
    Removed,
    /// A read did not find the object although it is there.
    Overlooked,
}

/// An object of the cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its id.
    pub id: String,
    /// The token that it was made with.
    pub token: String,
    /// What it is like.
    pub spec: String,
    /// Whether it is whole.
    pub whole: bool,
    /// How many reads will still not find it.
    pub hidden: u32,
}

/// What the book says, replayed.
#[derive(Debug, Default)]
pub struct Holdings {
    /// The objects, by owner and name.
    pub objects: BTreeMap<(EnvironmentId, String), Object>,
    /// Every token that ever made something.
    pub tokens: BTreeMap<String, String>,
    /// The newest run and attempt of each owner.
    pub newest: BTreeMap<EnvironmentId, (Uuid, i32)>,
    /// How often each owner, verb and object was called.
    pub calls: BTreeMap<(EnvironmentId, Verb, String), u32>,
    /// How often each fault hit it.
    pub faults: BTreeMap<(EnvironmentId, Verb, String, FaultKind), u32>,
    /// The number of the last call.
    pub last: u64,
}

impl Holdings {
    fn take(&mut self, line: Line) {
        let Line::Call(call) = line else { return };
        self.last = self.last.max(call.number);
        *self.calls.entry((call.environment, call.verb, call.object.clone())).or_default() += 1;
        if let Some(fault) = call.fault {
            *self.faults.entry((call.environment, call.verb, call.object.clone(), fault)).or_default() += 1;
        }
        if !call.stale {
            self.newest.insert(call.environment, (call.run, call.attempt));
        }
        let key = (call.environment, call.object);
        match call.effect {
            Some(Effect::Made { id, spec, whole, hidden }) => {
                self.tokens.insert(call.token.clone(), id.clone());
                self.objects.insert(key, Object { id, token: call.token, spec, whole, hidden });
            }
            Some(Effect::Changed { spec }) => {
                if let Some(object) = self.objects.get_mut(&key) {
                    object.spec = spec;
                    object.whole = true;
                }
            }
            Some(Effect::Removed) => drop(self.objects.remove(&key)),
            Some(Effect::Overlooked) => {
                if let Some(object) = self.objects.get_mut(&key) {
                    object.hidden = object.hidden.saturating_sub(1);
                }
            }
            None => {}
        }
    }
}

/// The book.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    holdings: Holdings,
    upto: u64,
}

impl Ledger {
    /// The book in this file; made at the first call.
    pub fn new(path: PathBuf) -> Self {
        Self { path, known: Mutex::default() }
    }

    /// Lets `decide` see the holdings and say which line to add, while nobody else writes.
    pub fn write<T>(&self, decide: impl FnOnce(&Holdings) -> (Option<Line>, T)) -> Result<T, ProviderError> {
        let trouble = |error: std::io::Error| {
            ProviderError::retryable(format!(
                "the simulated cloud's book {} cannot be used: {error}",
                self.path.display()
            ))
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = open(&self.path).map_err(trouble)?;
        lock(&file).map_err(trouble)?;
        catch_up(&mut file, &mut known).map_err(trouble)?;
        let (line, result) = decide(&known.holdings);
        if let Some(line) = line {
            let mut text = serde_json::to_vec(&line).map_err(ProviderError::internal)?;
            text.push(b'\n');
            file.write_all(&text).and_then(|()| file.sync_data()).map_err(trouble)?;
            known.upto += text.len() as u64;
            known.holdings.take(line);
        }
        Ok(result)
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(path)
}

/// The lock falls with the file, also when the process dies.
fn lock(file: &File) -> std::io::Result<()> {
    let until = Instant::now() + WAIT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(std::fs::TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(POLL),
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(std::io::Error::new(std::io::ErrorKind::WouldBlock, "another process holds it"));
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(error),
        }
    }
}

fn catch_up(file: &mut File, known: &mut Known) -> std::io::Result<()> {
    if file.metadata()?.len() < known.upto {
        // Somebody began a new book.
        *known = Known::default();
    }
    file.seek(SeekFrom::Start(known.upto))?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    if whole < text.len() {
        file.set_len(known.upto + whole as u64)?;
    }
    for line in text.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        known.holdings.take(serde_json::from_slice(line)?);
    }
    known.upto += whole as u64;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(number: u64, effect: Option<Effect>) -> Line {
        Line::Call(Call {
            number,
            at: Timestamp::UNIX_EPOCH,
            environment: EnvironmentId(Uuid::nil()),
            run: Uuid::nil(),
            attempt: 1,
            generation: 1,
            verb: Verb::Create,
            object: "disk".into(),
            token: "t".into(),
            fault: None,
            stale: false,
            effect,
        })
    }

    fn made() -> Effect {
        Effect::Made { id: "disk-1".into(), spec: "{}".into(), whole: true, hidden: 0 }
    }

    #[test]
    fn two_readers_of_one_book_see_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/book");
        let (one, two) = (Ledger::new(path.clone()), Ledger::new(path));
        one.write(|holdings| (Some(call(holdings.last + 1, Some(made()))), ())).unwrap();
        two.write(|holdings| (Some(call(holdings.last + 1, Some(Effect::Removed))), ())).unwrap();
        let (count, last) = one.write(|holdings| (None, (holdings.objects.len(), holdings.last))).unwrap();
        assert_eq!((count, last), (0, 2));
    }

    #[test]
    fn a_torn_line_never_happened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("book");
        Ledger::new(path.clone()).write(|_| (Some(call(1, Some(made()))), ())).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole[..], b"{\"line\":\"call\",\"num"].concat()).unwrap();
        let later = Ledger::new(path.clone());
        later.write(|holdings| (Some(call(holdings.last + 1, None)), ())).unwrap();
        assert_eq!(Ledger::new(path).write(|holdings| (None, holdings.last)).unwrap(), 2);
    }
}
