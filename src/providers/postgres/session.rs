//! One connection to the target server: bounded in time, cancelable, and fenced.
//!
//! The fence is a session advisory lock keyed by the environment. A worker that died while the
//! server was still busy for it leaves a backend behind that holds the lock; the next attempt
//! knows it by its application name (run and attempt) and terminates it. An attempt that meets a
//! *later* one is itself the leftover, and stops.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::names;
use super::sql::Statement;
use super::target::Access;
use super::words::{self, explain, explain_change, is_refusal};
use crate::base::failpoint::reach;
use crate::providers::{Job, ProviderError};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a read of the server's catalog may take.
const READ: Duration = Duration::from_secs(15);
/// How long a statement that changes something may take. `CREATE DATABASE` copies a template and
/// may wait for somebody else's lock; `DROP DATABASE` waits for a checkpoint.
const WRITE: Duration = Duration::from_mins(5);
/// How long to wait for another attempt's backend to go away.
const LOCK: Duration = Duration::from_mins(1);
const LOCK_POLL: Duration = Duration::from_millis(100);

/// A connection to the target server.
pub struct Session {
    connection: PgConnection,
    options: PgConnectOptions,
    backend: i32,
    cancel: CancellationToken,
}

impl Session {
    /// Connects as the target's credential says; with the next one, if there is one, when the server
    /// does not take it any more.
    pub async fn open(access: &Access, cancel: &CancellationToken) -> Result<Self, ProviderError> {
        let mut options = access.options.clone().disable_statement_logging();
        let next = access.next.clone().map(sqlx::ConnectOptions::disable_statement_logging);
        let connect = async {
            let mut connection = match (options.connect().await, next) {
                (Err(error), Some(next)) if is_refusal(&error) => {
                    options = next;
                    options.connect().await?
                }
                (connected, _) => connected?,
            };
            // The server then notices within a second when this process dies in a long statement.
            // Not every platform supports it: a refusal changes nothing else.
            let _ = Statement::new("SET client_connection_check_interval = '1s'").execute(&mut connection).await;
            Statement::new("SET statement_timeout = ")
                .number(i64::try_from(WRITE.as_millis()).unwrap_or(i64::MAX))
                .execute(&mut connection)
                .await?;
            // Whoever may create something in this database must not stand before the catalog.
            Statement::new("SET search_path = pg_catalog").execute(&mut connection).await?;
            let backend: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut connection).await?;
            Ok::<_, sqlx::Error>((connection, backend))
        };
        let server = words::server(&access.options);
        let (connection, backend) = tokio::select! {
            () = cancel.cancelled() => return Err(ProviderError::Canceled),
            result = timeout(CONNECT, connect) => match result {
                Ok(result) => result.map_err(|error| explain(&error, &server))?,
                Err(_) => return Err(words::silent(&server, CONNECT)),
            },
        };
        Ok(Self { connection, options, backend, cancel: cancel.clone() })
    }

    /// Waits for the environment's lock, and ends what dead attempts left running.
    pub async fn fence(&mut self, job: &Job) -> Result<(), ProviderError> {
        let key = names::lock_key(job.environment);
        let until = Instant::now() + LOCK;
        loop {
            let got: bool = self
                .read(async |c| sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(key).fetch_one(c).await)
                .await?;
            if got {
                reach("postgres.fenced");
                return Ok(());
            }
            self.end_older_holder(job, key).await?;
            if Instant::now() > until {
                return Err(ProviderError::retryable(
                    "another connection still works on this environment's database; Paddock waits for it to end",
                ));
            }
            tokio::select! {
                () = self.cancel.cancelled() => return Err(ProviderError::Canceled),
                () = sleep(LOCK_POLL) => {}
            }
        }
    }

    async fn end_older_holder(&mut self, job: &Job, key: i64) -> Result<(), ProviderError> {
        // pg_locks shows a bigint key as two halves: classid is the high one (PostgreSQL 13.3 …).
        let holders: Vec<(i32, String)> = self
            .read(async |c| {
                sqlx::query_as(
                    "SELECT a.pid, a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
                     WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
                       AND ((l.classid::bigint << 32) | l.objid::bigint) = $1 \
                       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                )
                .bind(key)
                .fetch_all(c)
                .await
            })
            .await?;
        let ours = Some(job.turn());
        for (pid, application) in holders {
            let theirs = names::turn(&application);
            if theirs > ours {
                return Err(ProviderError::LeaseLost);
            }
            if theirs.is_some() && theirs < ours {
                let _: bool = self
                    .read(async |c| sqlx::query_scalar("SELECT pg_terminate_backend($1)").bind(pid).fetch_one(c).await)
                    .await?;
            }
        }
        Ok(())
    }

    /// Reads something.
    pub async fn read<T>(
        &mut self,
        query: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, ProviderError> {
        let server = words::server(&self.options);
        let outcome = self.bounded(READ, query).await?;
        outcome.ok_or_else(|| words::silent(&server, READ))?.map_err(|error| explain(&error, &server))
    }

    /// Runs one statement that changes something.
    pub async fn write(&mut self, statement: Statement) -> Result<(), ProviderError> {
        self.change(async |c| statement.execute(c).await.map(drop)).await
    }

    /// Runs statements in one transaction.
    pub async fn transaction(&mut self, statements: Vec<Statement>) -> Result<(), ProviderError> {
        self.change(async |c| {
            let mut tx = c.begin().await?;
            for statement in statements {
                statement.execute(&mut tx).await?;
            }
            tx.commit().await
        })
        .await
    }

    /// Whatever keeps the server from saying how it ended, it may have been carried out.
    async fn change(
        &mut self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<(), sqlx::Error>,
    ) -> Result<(), ProviderError> {
        let server = words::server(&self.options);
        let outcome = self.bounded(WRITE, work).await?;
        let silent = || ProviderError::unknown(words::silent(&server, WRITE).to_string());
        outcome.ok_or_else(silent)?.map_err(|error| explain_change(&error, &server))
    }

    /// What came of the work, or nothing within the limit.
    async fn bounded<T>(
        &mut self,
        limit: Duration,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<Option<Result<T, sqlx::Error>>, ProviderError> {
        let outcome = tokio::select! {
            // Asked for first: nothing begins once the run is canceled.
            biased;
            () = self.cancel.cancelled() => Err(ProviderError::Canceled),
            result = timeout(limit, work(&mut self.connection)) => match result {
                Ok(result) => return Ok(Some(result)),
                Err(_) => Ok(None),
            },
        };
        self.end_own_backend().await;
        outcome
    }

    /// The statement may still be running on the server: end it, so that nothing happens later.
    async fn end_own_backend(&self) {
        let end = async {
            let mut other = self.options.connect().await?;
            let _: bool =
                sqlx::query_scalar("SELECT pg_terminate_backend($1)").bind(self.backend).fetch_one(&mut other).await?;
            other.close().await
        };
        if let Ok(Err(error)) = timeout(CONNECT, end).await {
            tracing::warn!(%error, "a statement on the target server could not be ended");
        }
    }

    /// Says good-bye, which also gives the lock back.
    pub async fn close(self) {
        let _ = timeout(CONNECT, self.connection.close()).await;
    }
}
