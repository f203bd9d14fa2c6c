//! Pool and transactions.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::{ops::Deref, ops::DerefMut, str::FromStr, time::Duration};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgConnection, PgPool, Postgres, pool::PoolConnection};
use tokio::time::Instant;

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
    doubt: Doubt,
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
        let doubt = Doubt::default();
        let doubts = doubt.clone();
        let pool = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(Duration::from_secs(10))
            // A round trip for each use would cost as much as the use: only what rested is asked.
            .test_before_acquire(false)
            .before_acquire(|connection, meta| Box::pin(still_there(connection, meta)))
            .after_release(move |connection, _| Box::pin(last_word(connection, doubts.now())))
            .after_connect(|connection, _| Box::pin(act_as_app(connection)))
            .connect_lazy_with(options.clone());
        Self { pool, options, doubt }
    }

    /// Opens a transaction. It rolls back when dropped without [`Tx::commit`].
    pub async fn begin(&self) -> Result<Tx> {
        let transaction = self.pool.begin().await?;
        Ok(Tx { lent: self.lend(), transaction })
    }

    /// The same with settings that hold until its end: `how` is `BEGIN; SET LOCAL …`, one round trip.
    pub async fn begin_with(&self, how: &'static str) -> Result<Tx> {
        let transaction = self.pool.begin_with(how).await?;
        Ok(Tx { lent: self.lend(), transaction })
    }

    /// One connection for reads outside a transaction.
    pub async fn acquire(&self) -> Result<Held> {
        let connection = self.pool.acquire().await?;
        Ok(Held { lent: self.lend(), connection })
    }

    fn lend(&self) -> Lent {
        Lent { since: Instant::now(), doubt: self.doubt.clone() }
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

/// Whoever held a connection for so long may have given up waiting for its answer.
const LONG: Duration = Duration::from_secs(1);
/// How long connections that come back are doubted after that.
const DOUBTED: Duration = Duration::from_secs(5);

/// Until when connections that come back are doubted. Shared by all that a pool lends.
#[derive(Debug, Clone, Default)]
struct Doubt(Arc<Mutex<Option<Instant>>>);

impl Doubt {
    fn raise(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + DOUBTED);
    }

    fn now(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
    }
}

/// How long a connection has been lent. Dropped before it, so that doubts are there when it comes back.
#[derive(Debug)]
struct Lent {
    since: Instant,
    doubt: Doubt,
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.since.elapsed() >= LONG {
            self.doubt.raise();
        }
    }
}

/// The pool asks every connection that comes back for an answer, and waits for it for ever: one that
/// swallows everything would keep its place in the pool, until there is none left. A doubted one has
/// [`DOUBTED`] to answer, or is thrown away.
async fn last_word(connection: &mut PgConnection, doubted: bool) -> std::result::Result<bool, sqlx::Error> {
    if doubted {
        tokio::time::timeout(DOUBTED, connection.ping()).await.map_err(|_| sqlx::Error::PoolTimedOut)??;
    }
    Ok(true)
}

/// A connection of the pool; it goes back when dropped.
#[derive(Debug)]
pub struct Held {
    #[expect(dead_code, reason = "works by being dropped")]
    lent: Lent,
    connection: PoolConnection<Postgres>,
}

impl Deref for Held {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

/// A transaction. State change, audit record, run and notification share one.
#[derive(Debug)]
pub struct Tx {
    lent: Lent,
    transaction: sqlx::Transaction<'static, Postgres>,
}

impl Tx {
    /// Commits.
    pub async fn commit(self) -> Result<()> {
        let mut work = pin!(self.transaction.commit());
        // The first to go when nobody waits any more.
        let _lent = self.lent;
        Ok(work.as_mut().await?)
    }

    /// Rolls back at once instead of when dropped.
    pub async fn rollback(self) -> Result<()> {
        let mut work = pin!(self.transaction.rollback());
        let _lent = self.lent;
        Ok(work.as_mut().await?)
    }
}

impl Deref for Tx {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        &self.transaction
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }
}
