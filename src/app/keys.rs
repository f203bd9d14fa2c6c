//! A new key of the platform takes over what is sealed under older ones.

use serde_json::{Map, Value, json};

use crate::audit::{self, Entry, Object};
use crate::base::seal::ENVELOPE;
use crate::base::{Op, Sealer};
use crate::db::{Db, SealedColumn};
use crate::{environments, projects, requests};

/// What became of one column.
#[derive(Debug, Clone, Copy)]
pub struct Rewrapped {
    /// The column.
    pub column: SealedColumn,
    /// How many rows are under the current key that were not.
    pub done: u64,
    /// How many still need an older key.
    pub left: i64,
}

/// Wraps the keys of all stored secrets with the first key of `sealer`, without opening a secret, while
/// everything else goes on. What is never written again (versions of states, plans, checkpoints) stays as it
/// is; how much, [`Rewrapped::left`] tells.
pub async fn rewrap_keys(db: &Db, op: &Op, sealer: &Sealer) -> Result<Vec<Rewrapped>, environments::Error> {
    let mut all = Vec::new();
    for &column in projects::SEALED.iter().chain(environments::SEALED).chain(requests::SEALED) {
        let renew = |blob: &[u8]| Ok(sealer.rewrap(op.entropy(), blob)?.unwrap_or_else(|| blob.to_vec()));
        let done = column.renew::<environments::Error>(db, ENVELOPE, sealer.key_id(), renew).await?;
        all.push(Rewrapped { column, done, left: column.count_others(db, sealer.key_id()).await? });
    }
    for &column in environments::SEALED_FOR_GOOD.iter().chain(requests::SEALED_FOR_GOOD) {
        all.push(Rewrapped { column, done: 0, left: column.count_others(db, sealer.key_id()).await? });
    }
    let counts = all.iter().filter(|one| one.done > 0);
    let counts: Map<String, Value> = counts.map(|one| (one.column.to_string(), json!(one.done))).collect();
    let platform = Object { kind: "platform", id: None, label: "paddock".to_owned() };
    let mut tx = db.begin().await?;
    audit::append(&mut tx, op, Entry::new("keys.rewrapped", platform).detail(json!({"rewrapped": counts}))).await?;
    tx.commit().await?;
    Ok(all)
}
