//! Append, read.

use sqlx::PgConnection;

use super::store::New;
use super::{ACTIONS, AuditRecord, Entry, Filter, store};
use crate::base::Op;
use crate::base::cursor::{Cursor, Page};
use crate::base::id::AuditRecordId;
use crate::db::{Result, Tx};

/// Appends one record inside the transaction of the transition that it tells of.
pub async fn append(tx: &mut Tx, op: &Op, entry: Entry) -> Result<()> {
    append_each(tx, vec![(op, entry)]).await
}

/// Appends the records of one operation, in this order, with one statement.
pub async fn append_all(tx: &mut Tx, op: &Op, entries: impl IntoIterator<Item = Entry>) -> Result<()> {
    let entries = entries.into_iter().map(|entry| (op, entry)).collect();
    append_each(tx, entries).await
}

/// The same for records of several operations that end in one transaction, in this order.
pub async fn append_each<'a>(tx: &mut Tx, entries: Vec<(&'a Op, Entry)>) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    // Ids of one millisecond differ by chance, and records of one moment are listed by them.
    let mut ids: Vec<AuditRecordId> =
        entries.iter().map(|(op, _)| AuditRecordId::new(op.clock(), op.entropy())).collect();
    ids.sort();
    let new = |(id, (op, entry)): (AuditRecordId, (&'a Op, Entry))| New { id, op, entry };
    let records: Vec<New<'_>> = ids.into_iter().zip(entries).map(new).collect();
    for New { entry, .. } in &records {
        debug_assert!(ACTIONS.contains(&entry.action), "`{}` is not among audit::ACTIONS: add it there", entry.action);
    }
    store::insert(tx, &records).await?;
    for New { id, op, entry } in &records {
        tracing::info!(audit.action = entry.action, audit.id = %id, operation.id = %op.id, "audit");
    }
    Ok(())
}

/// The record with this id.
pub async fn get(connection: &mut PgConnection, id: AuditRecordId) -> Result<Option<AuditRecord>> {
    store::find(connection, id).await
}

/// Records newest first.
pub async fn list(
    connection: &mut PgConnection,
    filter: &Filter,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Page<AuditRecord>> {
    let rows = store::list(connection, filter, after, limit).await?;
    Ok(Page::cut(rows, limit, |record| Cursor { at: record.at, id: record.id.0 }))
}
