//! Pool and transactions.

use std::{ops::Deref, ops::DerefMut, str::FromStr, time::Duration};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgConnection, PgPool, Postgres, pool::PoolConnection};

use super::Result;

/// How long work on the database is waited for where nobody else would end the wait: a little more
/// than a statement may take on the server. A connection that swallows everything answers never.
pub const ANSWER: Duration = Duration::from_secs(20);

/// Gives up after [`ANSWER`]; the connection is then closed.
pub async fn in_time<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| super::Error::Unavailable(sqlx::Error::PoolTimedOut);
    tokio::time::timeout(ANSWER, work).await.map_err(late)?
}

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db {
    pool: PgPool,
    options: PgConnectOptions,
}

impl Db {
    /// Connects lazily with at most `max_connections`; every connection acts as `paddock_app`
    /// where that role exists and was granted.
    pub fn connect(url: &str, max_connections: u32) -> Result<Self> {
        let options = PgConnectOptions::from_str(url)?.application_name("paddock");
        Ok(Self::with_options(options, max_connections))
    }

    /// The same from ready options.
    pub fn with_options(options: PgConnectOptions, max_connections: u32) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(Duration::from_secs(10))
            // A round trip for each use would cost as much as the use: only what rested is asked.
            .test_before_acquire(false)
            .before_acquire(|connection, meta| Box::pin(still_there(connection, meta)))
            .after_connect(|connection, _| Box::pin(act_as_app(connection)))
            .connect_lazy_with(options.clone());
        Self { pool, options }
    }

    /// Opens a transaction. It rolls back when dropped without [`Tx::commit`].
    pub async fn begin(&self) -> Result<Tx> {
        Ok(Tx(self.pool.begin().await?))
    }

    /// One connection for reads outside a transaction.
    pub async fn acquire(&self) -> Result<PoolConnection<Postgres>> {
        Ok(self.pool.acquire().await?)
    }

    /// The pool, for listeners and tests.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// How to connect, with the login role: for migrations.
    pub fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// True when Postgres answers.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query_scalar!("SELECT 1 AS \"one!\"").fetch_one(&self.pool).await?;
        Ok(())
    }

    /// Closes every connection; those that do not come back in time end with the process.
    pub async fn close(&self) {
        let _ = tokio::time::timeout(Duration::from_secs(5), self.pool.close()).await;
    }
}

/// How long a connection may rest before it is asked whether it still answers.
const RESTED: Duration = Duration::from_secs(1);

async fn still_there(
    connection: &mut PgConnection,
    meta: sqlx::pool::PoolConnectionMetadata,
) -> std::result::Result<bool, sqlx::Error> {
    use sqlx::Connection as _;
    Ok(meta.idle_for < RESTED || connection.ping().await.is_ok())
}

async fn act_as_app(connection: &mut PgConnection) -> std::result::Result<(), sqlx::Error> {
    // A statement that runs longer than this is a defect; an idle transaction holds back the
    // vacuum of the queue (docs/ARCHITECTURE.md, time-outs).
    sqlx::raw_sql(
        "SET statement_timeout = '15s'; SET idle_in_transaction_session_timeout = '15s'; SET timezone = 'UTC';
         DO $$ BEGIN
             IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'paddock_app' AND pg_has_role(oid, 'MEMBER')) THEN
                 SET ROLE paddock_app;
             END IF;
         END $$",
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A transaction. State change, audit record, run and notification share one.
#[derive(Debug)]
pub struct Tx(sqlx::Transaction<'static, Postgres>);

impl Tx {
    /// Commits.
    pub async fn commit(self) -> Result<()> {
        Ok(self.0.commit().await?)
    }

    /// Rolls back at once instead of when dropped.
    pub async fn rollback(self) -> Result<()> {
        Ok(self.0.rollback().await?)
    }
}

impl Deref for Tx {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}
