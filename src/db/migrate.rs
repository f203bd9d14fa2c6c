//! Migrations: forward only, run by the login role, one runner at a time (sqlx's advisory lock).

use sqlx::{Connection, PgConnection, migrate::Migrator};

use super::{Db, Error, Result};

static MIGRATOR: Migrator = sqlx::migrate!();

/// How the schema of a database compares with this binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationState {
    /// Every migration of this binary is applied.
    Current,
    /// This many are missing.
    Behind(usize),
}

/// Applies what is missing and returns how many that were.
pub async fn migrate(db: &Db) -> Result<usize> {
    let mut connection = PgConnection::connect_with(db.options()).await?;
    let missing = match state(&mut connection).await? {
        MigrationState::Current => return Ok(0),
        MigrationState::Behind(count) => count,
    };
    MIGRATOR.run(&mut connection).await.map_err(|error| match error {
        sqlx::migrate::MigrateError::Execute(error) => Error::from(error),
        other => Error::Other(sqlx::Error::Migrate(Box::new(other))),
    })?;
    connection.close().await?;
    Ok(missing)
}

/// Compares the schema with this binary.
pub async fn migration_state(db: &Db) -> Result<MigrationState> {
    state(&mut *db.acquire().await?).await
}

async fn state(connection: &mut PgConnection) -> Result<MigrationState> {
    let known = MIGRATOR.iter().count();
    // The table is sqlx's own; before the first migration it is not there.
    let exists = sqlx::query_scalar!("SELECT to_regclass('_sqlx_migrations') IS NOT NULL AS \"exists!\"")
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        return Ok(MigrationState::Behind(known));
    }
    let applied: i64 =
        sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations WHERE success").fetch_one(connection).await?;
    let applied = usize::try_from(applied).unwrap_or(0);
    Ok(if applied >= known { MigrationState::Current } else { MigrationState::Behind(known - applied) })
}
