//! Columns of sealed secrets, of whichever table: found by the key that they are under, and written anew.

use sqlx::AssertSqlSafe;

use super::{Db, Result};

/// How many rows one statement takes.
const BATCH: i64 = 200;

/// A column of blobs that [`crate::base::Sealer`] made; a row may have none.
#[derive(Debug, Clone, Copy)]
pub struct SealedColumn {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
}

impl std::fmt::Display for SealedColumn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.table, self.column)
    }
}

impl SealedColumn {
    /// A column, as a constant of the room that owns the table.
    pub const fn new(table: &'static str, column: &'static str) -> Self {
        Self { table, column }
    }

    /// How many rows are sealed under another key than the one with this id.
    pub async fn count_others(self, db: &Db, key: [u8; 4]) -> Result<i64> {
        let Self { table, column } = self;
        let query = format!("SELECT count(*) FROM {table} WHERE substr({column}, 2, 4) <> $1");
        Ok(sqlx::query_scalar(AssertSqlSafe(query)).bind(key.as_slice()).fetch_one(db.pool()).await?)
    }

    /// Gives every blob of `version` that is under another key to `renew`, and stores what it makes of it. A
    /// row that somebody writes meanwhile is under the current key by that. Returns how many were renewed.
    pub async fn renew<E: From<super::Error>>(
        self,
        db: &Db,
        version: u8,
        key: [u8; 4],
        renew: impl Fn(&[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<u64, E> {
        let Self { table, column } = self;
        let find = format!(
            "SELECT {column} FROM {table} WHERE get_byte({column}, 0) = $1 AND substr({column}, 2, 4) <> $2 LIMIT {BATCH}"
        );
        let store = format!("UPDATE {table} SET {column} = $2 WHERE {column} = $1");
        let mut done = 0;
        loop {
            let found: Vec<Vec<u8>> = sqlx::query_scalar(AssertSqlSafe(find.clone()))
                .bind(i32::from(version))
                .bind(key.as_slice())
                .fetch_all(db.pool())
                .await
                .map_err(super::Error::from)?;
            if found.is_empty() {
                return Ok(done);
            }
            for blob in found {
                let again = renew(&blob)?;
                let query = sqlx::query(AssertSqlSafe(store.clone())).bind(&blob).bind(&again);
                done += query.execute(db.pool()).await.map_err(super::Error::from)?.rows_affected();
            }
        }
    }
}
