//! The only store: pool, transactions, migrations, error mapping.
//!
//! Invariants: every connection acts as the role `paddock_app`, which owns nothing and cannot
//! change audit records; a [`Tx`] is opened by a service and never lives across a call to a
//! provider; a dropped [`Tx`] rolls back. It knows no table of any domain.

pub mod embedded;
mod error;
mod migrate;
mod sealed;
mod tx;

pub use error::{Constraint, Error};
pub use migrate::{MigrationState, migrate, migration_state};
pub use sealed::SealedColumn;
pub use tx::{ANSWER, Db, Held, Tx, in_time};

/// The result of a call to the store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A connection for reads, for rooms that pass one along and do not name the driver.
pub type Connection = sqlx::PgConnection;
