//! Append, read.

use sqlx::PgConnection;

use super::{ACTIONS, AuditRecord, Entry, Filter, store};
use crate::base::Op;
use crate::base::cursor::{Cursor, Page};
use crate::base::id::AuditRecordId;
use crate::db::{Result, Tx};

/// Appends one record inside the transaction of the transition that it tells of.
pub async fn append(tx: &mut Tx, op: &Op, entry: Entry) -> Result<AuditRecordId> {
    debug_assert!(ACTIONS.contains(&entry.action), "`{}` is not among audit::ACTIONS: add it there", entry.action);
    let id = AuditRecordId::new(op.clock(), op.entropy());
    store::insert(tx, id, op, &entry).await?;
    tracing::info!(audit.action = entry.action, audit.id = %id, operation.id = %op.id, "audit");
    Ok(id)
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
