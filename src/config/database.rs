//! Which Postgres, where the data directory is, and which keys seal secrets.

use std::path::PathBuf;

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};

use super::secrets::{KeyArgs, KeySource, read_secret_file};
use super::{ConfigError, Result, default_cache_dir, default_data_dir};

/// The settings that every verb with a database takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Database")]
pub struct StoreArgs {
    /// An existing Postgres, 15 or newer. Without it, `up` runs a private one in the data directory
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,
    /// A file that holds the database URL
    #[arg(long, global = true, env = "DATABASE_URL_FILE", value_name = "FILE", conflicts_with = "database_url")]
    database_url_file: Option<PathBuf>,
    /// Most connections that one process opens
    #[arg(long, global = true, env = "PADDOCK_DATABASE_CONNECTIONS", value_name = "N", default_value_t = 16)]
    database_connections: u32,
    /// Where the private Postgres and the encryption key lie
    /// [default: /var/lib/paddock for root, else ~/.local/share/paddock]
    #[arg(long, global = true, env = "PADDOCK_DATA_DIR", value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// Where a downloaded Postgres is kept
    /// [default: /var/cache/paddock for root, else ~/.cache/paddock]
    #[arg(long, global = true, env = "PADDOCK_CACHE_DIR", value_name = "FOLDER")]
    cache_dir: Option<PathBuf>,
    #[command(flatten)]
    key: KeyArgs,
}

/// Database, data directory and keys, checked.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The database.
    pub database: DatabaseConfig,
    /// Absolute path of the data directory. It need not exist yet.
    pub data_dir: PathBuf,
    /// Absolute path of the cache directory. It need not exist yet.
    pub cache_dir: PathBuf,
    /// Where the encryption keys are.
    pub keys: KeySource,
}

/// The database.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// Which one.
    pub source: DatabaseSource,
    /// Most connections of the pool.
    pub max_connections: u32,
}

/// Which Postgres.
#[derive(Debug, Clone)]
pub enum DatabaseSource {
    /// An existing one.
    Url(SecretString),
    /// The private one in the data directory.
    Embedded,
}

impl StoreArgs {
    /// Checks the section.
    pub fn check(self) -> Result<StoreConfig> {
        let url = match (self.database_url, self.database_url_file) {
            (Some(url), _) if !url.trim().is_empty() => Some(SecretString::from(url)),
            (_, Some(file)) => Some(read_secret_file("--database-url-file", &file)?),
            _ => None,
        };
        if let Some(url) = &url {
            let good = ["postgres://", "postgresql://"].iter().any(|scheme| url.expose_secret().starts_with(scheme));
            if !good {
                return Err(ConfigError::invalid("DATABASE_URL", "must start with postgres://"));
            }
        }
        if !(2..=200).contains(&self.database_connections) {
            return Err(ConfigError::invalid("--database-connections", "must be from 2 to 200"));
        }
        let data_dir = absolute("--data-dir", self.data_dir.unwrap_or_else(default_data_dir))?;
        let cache_dir = absolute("--cache-dir", self.cache_dir.unwrap_or_else(default_cache_dir))?;
        Ok(StoreConfig {
            database: DatabaseConfig {
                source: url.map_or(DatabaseSource::Embedded, DatabaseSource::Url),
                max_connections: self.database_connections,
            },
            keys: self.key.check(&data_dir)?,
            data_dir,
            cache_dir,
        })
    }
}

fn absolute(flag: &'static str, path: PathBuf) -> Result<PathBuf> {
    std::path::absolute(&path).map_err(|source| ConfigError::Unreadable { flag, path, source })
}
