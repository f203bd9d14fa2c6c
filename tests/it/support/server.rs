//! The Postgres of the test binary: the one that `DATABASE_URL` names, else a private one.
//!
//! The private one is Paddock's own embedded server, without `fsync`, on a folder that stays between
//! runs, so that only the first run makes a cluster. It ends with this process.

use std::path::PathBuf;
use std::str::FromStr as _;
use std::sync::LazyLock;

use paddock::db::embedded::{Embedded, EmbeddedError, Reporter, Settings};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, Executor as _, PgConnection};

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

/// A Postgres where databases can be made.
pub struct Server {
    url: url::Url,
    // Held until the process ends; its keeper stops the server then.
    _embedded: Option<Embedded>,
}

struct Quiet;

impl Reporter for Quiet {
    fn line(&self, _text: &str) {}
}

impl Server {
    /// The one of this process; started at the first call, which blocks.
    pub fn get() -> &'static Self {
        &SERVER
    }

    /// How to connect to a database of it, as a role that may do everything.
    pub fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::from_str(&self.url(database)).unwrap()
    }

    /// The same as a URL. Its host and port are where others reach the server with a password.
    pub fn url(&self, database: &str) -> String {
        let mut url = self.url.clone();
        url.set_path(database);
        url.into()
    }

    /// Runs one statement in the maintenance database.
    pub async fn execute(&self, statement: String) -> Result<(), sqlx::Error> {
        let mut connection = PgConnection::connect_with(&self.options("postgres")).await?;
        connection.execute(sqlx::AssertSqlSafe(statement)).await?;
        connection.close().await
    }

    fn start() -> Self {
        // A thread with a runtime of its own: tests have theirs, and those end earlier.
        std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            let server = runtime.block_on(Self::open());
            std::mem::forget(runtime);
            server
        })
        .join()
        .expect("a Postgres for the tests")
    }

    async fn open() -> Self {
        #[allow(clippy::disallowed_methods, reason = "the test server is a setting of the tests")]
        let given = std::env::var("DATABASE_URL").ok().filter(|url| !url.is_empty());
        if let Some(url) = given {
            return Self { url: url::Url::parse(&url).unwrap(), _embedded: None };
        }
        let embedded = match Embedded::start(settings(shared_folder()), &Quiet).await {
            // Another run of the tests has it: this one gets a folder of its own.
            Err(EmbeddedError::Taken { .. }) => {
                let folder = tempfile::tempdir().unwrap().keep();
                Embedded::start(settings(folder), &Quiet).await
            }
            other => other,
        };
        let embedded = embedded.unwrap_or_else(|error| panic!("{:#}", anyhow::Error::from(error)));
        let url = url::Url::parse(&embedded.superuser_url()).unwrap();
        let server = Self { url, _embedded: Some(embedded) };
        server.remove_leftovers().await.unwrap();
        server
    }

    /// What earlier runs left on the private server: databases of failed tests, kept for people to
    /// look at, and what tests had the providers make. Tests count what is there.
    async fn remove_leftovers(&self) -> Result<(), sqlx::Error> {
        let mut connection = PgConnection::connect_with(&self.options("postgres")).await?;
        let databases = "SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database
                         WHERE datname NOT IN ('postgres', 'template0', 'template1', 'paddock')";
        // Rights on what all databases share keep a role, too.
        let rights = "SELECT format('DROP OWNED BY %I', rolname) FROM pg_roles
                      WHERE rolname NOT IN ('paddock', 'paddock_app') AND rolname NOT LIKE 'pg\\_%'";
        let tablespaces = "SELECT format('DROP TABLESPACE %I', spcname) FROM pg_tablespace
                           WHERE spcname NOT LIKE 'pg\\_%'";
        let roles = "SELECT format('DROP ROLE %I', rolname) FROM pg_roles
                     WHERE rolname NOT IN ('paddock', 'paddock_app') AND rolname NOT LIKE 'pg\\_%'";
        for question in [databases, rights, tablespaces, roles] {
            let statements: Vec<String> = sqlx::query_scalar(question).fetch_all(&mut connection).await?;
            for statement in statements {
                connection.execute(sqlx::AssertSqlSafe(statement)).await?;
            }
        }
        connection.close().await
    }
}

fn settings(data_dir: PathBuf) -> Settings {
    Settings {
        program: Some(super::program::path()),
        durable: false,
        max_connections: 400,
        ..Settings::new(data_dir, paddock::config::default_cache_dir())
    }
}

/// Not below the target folder: for root it may lie in a home that Postgres' user cannot enter.
fn shared_folder() -> PathBuf {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    env!("CARGO_TARGET_TMPDIR").hash(&mut hasher);
    std::env::temp_dir().join(format!("paddock-it-{:016x}", hasher.finish()))
}
