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
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::config::{FaultKind, Verb};
use crate::base::id::EnvironmentId;
use crate::providers::{ProviderError, Turn};

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
    /// Since when it is at work.
    #[serde(default)]
    pub since: Timestamp,
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
    /// The newest attempt of each owner.
    pub newest: BTreeMap<EnvironmentId, Turn>,
    /// How often each owner, verb and object was called.
    pub calls: BTreeMap<(EnvironmentId, Verb, String), u32>,
    /// How often each fault hit it.
    pub faults: BTreeMap<(EnvironmentId, Verb, String, FaultKind), u32>,
    /// What was done for each owner.
    pub done: BTreeMap<EnvironmentId, Done>,
    /// The number of the last call.
    pub last: u64,
}

/// How often the cloud changed something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Objects that were made.
    pub made: u32,
    /// Objects that were changed.
    pub changed: u32,
    /// Objects that were removed.
    pub removed: u32,
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
            self.newest.insert(call.environment, Turn(call.since.as_microsecond(), call.attempt));
        }
        let done = self.done.entry(call.environment).or_default();
        let key = (call.environment, call.object);
        match call.effect {
            Some(Effect::Made { id, spec, whole, hidden }) => {
                done.made += 1;
                self.tokens.insert(call.token.clone(), id.clone());
                self.objects.insert(key, Object { id, token: call.token, spec, whole, hidden });
            }
            Some(Effect::Changed { spec }) => {
                done.changed += 1;
                if let Some(object) = self.objects.get_mut(&key) {
                    object.spec = spec;
                    object.whole = true;
                }
            }
            Some(Effect::Removed) => {
                done.removed += 1;
                self.objects.remove(&key);
            }
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

    /// The book, held until the value is dropped; `None` while another process has it.
    pub fn try_hold(&self) -> Result<Option<Held<'_>>, ProviderError> {
        let trouble = |error| self.trouble(&error);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = open(&self.path).map_err(trouble)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
            Err(std::fs::TryLockError::Error(error)) => return Err(trouble(error)),
        }
        catch_up(&mut file, &mut known).map_err(trouble)?;
        Ok(Some(Held { ledger: self, known, file }))
    }

    fn trouble(&self, error: &std::io::Error) -> ProviderError {
        let path = self.path.display();
        ProviderError::retryable(format!("the simulated cloud's book {path} cannot be used: {error}"))
    }
}

/// The book while nobody else writes. The lock falls with the file, also when the process dies.
pub struct Held<'a> {
    ledger: &'a Ledger,
    known: MutexGuard<'a, Known>,
    file: File,
}

impl Held<'_> {
    /// Lets `decide` see the holdings and say which line to add.
    pub fn write<T>(mut self, decide: impl FnOnce(&Holdings) -> (Option<Line>, T)) -> Result<T, ProviderError> {
        let (line, result) = decide(&self.known.holdings);
        if let Some(line) = line {
            let mut text = serde_json::to_vec(&line).map_err(ProviderError::internal)?;
            text.push(b'\n');
            let written = self.file.write_all(&text).and_then(|()| self.file.sync_data());
            written.map_err(|error| self.ledger.trouble(&error))?;
            self.known.upto += text.len() as u64;
            self.known.holdings.take(line);
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
            since: Timestamp::UNIX_EPOCH,
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

    fn write<T>(ledger: &Ledger, decide: impl FnOnce(&Holdings) -> (Option<Line>, T)) -> T {
        ledger.try_hold().unwrap().unwrap().write(decide).unwrap()
    }

    fn made() -> Effect {
        Effect::Made { id: "disk-1".into(), spec: "{}".into(), whole: true, hidden: 0 }
    }

    #[test]
    fn two_readers_of_one_book_see_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/book");
        let (one, two) = (Ledger::new(path.clone()), Ledger::new(path));
        write(&one, |holdings| (Some(call(holdings.last + 1, Some(made()))), ()));
        write(&two, |holdings| (Some(call(holdings.last + 1, Some(Effect::Removed))), ()));
        let (count, last) = write(&one, |holdings| (None, (holdings.objects.len(), holdings.last)));
        assert_eq!((count, last), (0, 2));
    }

    #[test]
    fn a_torn_line_never_happened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("book");
        write(&Ledger::new(path.clone()), |_| (Some(call(1, Some(made()))), ()));
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole[..], b"{\"line\":\"call\",\"num"].concat()).unwrap();
        let later = Ledger::new(path.clone());
        write(&later, |holdings| (Some(call(holdings.last + 1, None)), ()));
        assert_eq!(write(&Ledger::new(path), |holdings| (None, holdings.last)), 2);
    }
}
