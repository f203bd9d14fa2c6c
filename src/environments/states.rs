//! The versions of an environment's state: sealed one by one, never changed, gone with it.

use jiff::Timestamp;
use serde::Deserialize;
use sqlx::PgConnection;

use super::Error;
use super::service::state_place;
use super::store::{contents, states};
use crate::base::failpoint::reach;
use crate::base::id::{EnvironmentId, RunId};
use crate::base::{Op, Sealer};
use crate::db::Tx;
use crate::policy::{Permit, ability};
use crate::providers::{Kept, NewState, PlanChange, StateOrigin, state_changes};

/// A version as told: without the state itself.
#[derive(Debug, Clone)]
pub struct StateVersion {
    /// Its number, from 1.
    pub version: i32,
    /// How it came to be.
    pub origin: StateOrigin,
    /// Terraform's own count.
    pub serial: i64,
    /// The run and the attempt that wrote it.
    pub by: Option<(RunId, i32)>,
    /// When.
    pub written_at: Timestamp,
    /// What it has more, changed or less than the version before it, by name.
    pub changes: Vec<PlanChange>,
}

/// The versions before `before`, newest first, for those who may see secret outputs: addresses and
/// names tell enough of a stack not to be for everybody.
pub async fn list_versions(
    connection: &mut PgConnection,
    sealer: &Sealer,
    permit: &Permit<ability::RevealOutput>,
    before: Option<i32>,
    limit: usize,
) -> Result<Vec<StateVersion>, Error> {
    let id: EnvironmentId = permit.resource().parse().map_err(|_| Error::NotFound)?;
    // One more, to compare the last one with.
    let asked = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let rows = states::list(connection, id, before, asked).await?;
    let mut opened = Vec::with_capacity(rows.len());
    for row in rows {
        let state = sealer.open(&place(id, row.number), &row.sealed)?;
        opened.push((row, state));
    }
    let mut found = Vec::with_capacity(limit);
    for (index, (row, state)) in opened.iter().enumerate().take(limit) {
        // A stray is compared with what counted, and never is what others are compared with.
        let earlier = opened.iter().skip(index + 1).find(|(row, _)| row.origin != StateOrigin::Stray);
        let changes = state_changes(earlier.map(|(_, state)| state.as_slice()), state).unwrap_or_default();
        found.push(StateVersion {
            version: row.number,
            origin: row.origin,
            serial: row.serial,
            by: row.run.zip(row.attempt),
            written_at: row.written_at,
            changes,
        });
    }
    Ok(found)
}

/// The state that counts: the newest version, or what was saved before there were versions.
pub(super) async fn newest(
    connection: &mut PgConnection,
    sealer: &Sealer,
    id: EnvironmentId,
) -> Result<Option<Vec<u8>>, Error> {
    if let Some(version) = states::newest(connection, id).await? {
        return Ok(Some(sealer.open(&place(id, version.number), &version.sealed)?));
    }
    let saved = contents::sealed(connection, id).await?.provider_state;
    saved.map(|blob| Ok(sealer.open(&state_place(id), &blob)?)).transpose()
}

/// Keeps a version. The caller's transaction holds the run.
pub(super) async fn keep(
    tx: &mut Tx,
    op: &Op,
    sealer: &Sealer,
    id: EnvironmentId,
    by: (RunId, i32),
    state: &NewState<'_>,
) -> Result<Kept, Error> {
    match states::held(tx, id).await? {
        Some(held) if held.lock.id == state.lock => {}
        other => return Ok(Kept::NotLocked(other.map(|held| held.lock))),
    }
    migrate(tx, op, sealer, id).await?;
    if state.origin != StateOrigin::Stray
        && let Some(last) = states::newest(tx, id).await?
    {
        let bytes = sealer.open(&place(id, last.number), &last.sealed)?;
        if bytes == state.bytes {
            return Ok(Kept::Yes);
        }
        if head(&bytes).is_some_and(|head| head.lineage == state.lineage && head.serial >= state.serial) {
            return Ok(Kept::Older);
        }
    }
    insert(tx, op, sealer, id, Some(by), state).await?;
    Ok(Kept::Yes)
}

/// What was saved before there were versions becomes the first one.
async fn migrate(tx: &mut Tx, op: &Op, sealer: &Sealer, id: EnvironmentId) -> Result<(), Error> {
    let Some(blob) = contents::sealed(tx, id).await?.provider_state else { return Ok(()) };
    let bytes = sealer.open(&state_place(id), &blob)?;
    let head = head(&bytes).ok_or(crate::db::Error::Corrupt("provider state"))?;
    let first = NewState {
        origin: StateOrigin::Migrated,
        lineage: &head.lineage,
        serial: head.serial,
        bytes: &bytes,
        lock: "",
    };
    insert(tx, op, sealer, id, None, &first).await?;
    Ok(contents::set_provider_state(tx, id, None).await?)
}

async fn insert(
    tx: &mut Tx,
    op: &Op,
    sealer: &Sealer,
    id: EnvironmentId,
    by: Option<(RunId, i32)>,
    state: &NewState<'_>,
) -> Result<(), Error> {
    let number = states::next_number(tx, id).await?;
    let sealed = sealer.seal(op.entropy(), &place(id, number), state.bytes)?;
    reach("state.sealed");
    let new = states::NewVersion {
        number,
        origin: state.origin,
        lineage: state.lineage,
        serial: i64::try_from(state.serial).unwrap_or(i64::MAX),
        by,
        sealed: &sealed,
    };
    Ok(states::insert(tx, id, &new).await?)
}

/// What every state of Terraform begins with.
#[derive(Deserialize)]
struct Head {
    lineage: String,
    serial: u64,
}

fn head(bytes: &[u8]) -> Option<Head> {
    serde_json::from_slice(bytes).ok()
}

fn place(id: EnvironmentId, version: i32) -> String {
    format!("state_version/{id}/{version}")
}
