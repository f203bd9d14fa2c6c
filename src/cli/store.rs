//! Opening the database for a verb: the one that `DATABASE_URL` names, or the embedded one.

use anyhow::Context as _;
use secrecy::ExposeSecret as _;
use sqlx::{Connection as _, PgConnection};

use super::terminal::Terminal;
use crate::config::{DatabaseSource, StoreConfig};
use crate::db::Db;
use crate::db::embedded::{Embedded, Reporter as _, Settings, Step};

/// Who may run the embedded server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// This process, until it ends: `up`.
    Own,
    /// Whoever runs it already, else this process: verbs that end soon.
    Borrow,
}

/// An open database, and the embedded server when it is that.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) db: Db,
    pub(super) embedded: Option<Embedded>,
}

impl Store {
    pub(super) async fn open(config: &StoreConfig, hold: Hold) -> anyhow::Result<Self> {
        let connections = config.database.max_connections;
        match &config.database.source {
            DatabaseSource::Url(url) => {
                let db = Db::connect(url.expose_secret(), connections).context("DATABASE_URL is not valid")?;
                // Not through the pool, which would only say that it timed out.
                let connection = PgConnection::connect_with(db.options()).await;
                connection.context("the Postgres that DATABASE_URL names does not answer")?.close().await?;
                Ok(Self { db, embedded: None })
            }
            DatabaseSource::Embedded => {
                let settings = Settings::new(config.data_dir.clone(), config.cache_dir.clone());
                let embedded = match hold {
                    Hold::Own => {
                        let step =
                            Step::start(&Terminal, format!("Starting Postgres in {}", config.data_dir.display()));
                        let embedded = Embedded::start(settings, &Terminal).await?;
                        step.done();
                        embedded
                    }
                    Hold::Borrow => Embedded::find(settings, &Terminal).await?,
                };
                let db = Db::with_options(embedded.options(), connections);
                Ok(Self { db, embedded: Some(embedded) })
            }
        }
    }

    /// Brings the schema up to date, and says so when there was something to do.
    pub(super) async fn migrate(&self) -> anyhow::Result<usize> {
        let started = std::time::Instant::now();
        let count =
            crate::db::migrate(&self.db).await.context("the database's schema could not be brought up to date")?;
        if count > 0 {
            let took = started.elapsed().as_secs_f64();
            Terminal.line(&format!("Brought the database's schema up to date: {count} migrations in {took:.1} s"));
        }
        Ok(count)
    }

    /// Closes the pool and stops the server if it is ours.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        self.db.close().await;
        if let Some(embedded) = self.embedded {
            embedded.stop(&Terminal).await?;
        }
        Ok(())
    }
}
