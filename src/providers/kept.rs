//! A state that Paddock keeps in versions under a lock: the words of [`super::Host`] for it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who holds the lock of a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateLock {
    /// What the holder shows to write and to unlock.
    pub id: String,
    /// The holder in the program's own words, shown to whoever comes second.
    pub info: Value,
}

/// How a version came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum StateOrigin {
    /// The program wrote it.
    Written,
    /// An attempt that lost its way to Paddock left it on a machine, and a later one brought it in.
    Rescued,
    /// Like rescued, but it does not continue the state that counts: kept, never used.
    Stray,
    /// It was there before states were kept in versions.
    Migrated,
}

/// A state to keep.
#[derive(Debug, Clone, Copy)]
pub struct NewState<'a> {
    /// Where it comes from.
    pub origin: StateOrigin,
    /// Which history it belongs to.
    pub lineage: &'a str,
    /// Its place in that history.
    pub serial: u64,
    /// The state itself.
    pub bytes: &'a [u8],
    /// The lock under which it is written.
    pub lock: &'a str,
}

/// What became of a state to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// It is the newest version now.
    Yes,
    /// The lock is not held, or by the one that is told.
    NotLocked(Option<StateLock>),
    /// A version of the same history with a higher serial is there already, or another one with this.
    Older,
}
