//! The embedded default: a private Postgres in the data directory, for `paddock up`.
//!
//! Who does what. [`Embedded`] lives in our process: it takes the lock of the data directory,
//! finds a Postgres ([`binaries`]: an installed one, one in our cache, or a download) and starts
//! the [`keeper`]. The keeper is our own binary under a hidden verb. It runs as the cluster's owner
//! (Postgres refuses to run as root, so for root that is `postgres` or `nobody`), makes the cluster
//! when there is none, runs `postgres` as its child and restarts it when it dies.
//!
//! Invariants:
//! - One Paddock per data directory (`paddock.lock`), and one keeper (`keeper.lock`).
//! - The server ends with us, however we end: the keeper reads our pipe, and its end is the word to
//!   stop. What a killed keeper left running is ended by the next one before it starts its own.
//! - The superuser comes in through the socket only, and the socket's folder is the owner's alone.
//!   On TCP, which listens on loopback only, everybody needs a password, and neither the superuser
//!   nor our own database can be reached.
//! - An interrupted first start leaves no half cluster: it is made beside and renamed.

mod binaries;
mod download;
mod error;
pub mod keeper;
mod layout;
mod orphan;
mod report;
mod server;

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection as _, PgConnection};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

pub use error::{EmbeddedError, Result};
use layout::Layout;
use report::Report;
pub use report::{Reporter, Step};

/// The superuser, who comes in through the socket only, and the name of our database.
const NAME: &str = "paddock";
/// How long a stop may take: the keeper itself becomes rougher before.
const STOP_PATIENCE: Duration = Duration::from_secs(90);
/// How often a keeper that died is replaced before we give up.
const KEEPER_RESTARTS: u32 = 5;

/// How to run the embedded server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The data directory; the cluster lies in its folder `postgres`.
    pub data_dir: PathBuf,
    /// Where a downloaded Postgres is kept.
    pub cache_dir: PathBuf,
    /// The `paddock` binary, for the keeper; without it, the running program.
    pub program: Option<PathBuf>,
    /// False trades safety for speed: for tests only.
    pub durable: bool,
    /// Most connections that the server takes.
    pub max_connections: u16,
}

impl Settings {
    /// The usual settings for a data directory.
    pub fn new(data_dir: PathBuf, cache_dir: PathBuf) -> Self {
        Self { data_dir, cache_dir, program: None, durable: true, max_connections: 100 }
    }
}

/// A running embedded server: one that we started and that ends with us, or one that another
/// Paddock runs on the same data directory.
#[derive(Debug)]
pub struct Embedded {
    layout: Layout,
    port: u16,
    running: Option<Running>,
}

/// What holds the server that we started.
#[derive(Debug)]
struct Running {
    settings: Settings,
    bin: PathBuf,
    keeper: Keeper,
    // Held until the server has stopped.
    _lock: File,
}

#[derive(Debug)]
struct Keeper {
    child: Child,
    // Its end is the keeper's word to stop.
    stdin: ChildStdin,
    reports: Lines<BufReader<ChildStdout>>,
}

impl Embedded {
    /// Starts the server of `settings.data_dir` and returns when it takes connections. Refuses when
    /// another Paddock runs there.
    pub async fn start(settings: Settings, reporter: &dyn Reporter) -> Result<Self> {
        let layout = Layout::prepare(&settings.data_dir)?;
        let lock = layout.lock()?;
        Self::start_locked(settings, layout, lock, reporter).await
    }

    /// The server of `settings.data_dir` for the time of one command: the one that another Paddock
    /// runs there, or else one that is started for it.
    pub async fn find(settings: Settings, reporter: &dyn Reporter) -> Result<Self> {
        let layout = Layout::prepare(&settings.data_dir)?;
        match layout.lock() {
            Ok(lock) => Self::start_locked(settings, layout, lock, reporter).await,
            Err(EmbeddedError::Taken { .. }) => Self::attach(layout).await,
            Err(error) => Err(error),
        }
    }

    async fn start_locked(settings: Settings, layout: Layout, lock: File, reporter: &dyn Reporter) -> Result<Self> {
        let bin = binaries::find(&settings.cache_dir, &layout, reporter).await?;
        let mut keeper = Keeper::spawn(&settings, &layout, &bin).await?;
        let port = keeper.until_ready(reporter).await?;
        let embedded = Self { layout, port, running: Some(Running { settings, bin, keeper, _lock: lock }) };
        embedded.ensure_database().await?;
        Ok(embedded)
    }

    /// Another Paddock holds the lock: it may be starting, so its server is waited for.
    async fn attach(layout: Layout) -> Result<Self> {
        let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
        loop {
            if let Some(port) = layout.read_port() {
                let embedded = Self { layout: layout.clone(), port, running: None };
                match PgConnection::connect_with(&embedded.options()).await {
                    Ok(connection) => {
                        connection.close().await.ok();
                        return Ok(embedded);
                    }
                    Err(error) if tokio::time::Instant::now() > deadline => return Err(error.into()),
                    Err(_) => {}
                }
            }
            if tokio::time::Instant::now() > deadline {
                return Err(EmbeddedError::NotAnswering { data_dir: layout.data_dir().to_owned() });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// How to connect to our database: as the cluster's superuser, through the socket.
    pub fn options(&self) -> PgConnectOptions {
        self.options_for(NAME)
    }

    /// How to connect to any database of the cluster as its superuser, through the socket.
    pub fn options_for(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(self.layout.socket_dir())
            .port(self.port)
            .username(NAME)
            .database(database)
            .ssl_mode(PgSslMode::Disable)
    }

    /// The superuser's URL, through the socket, to the maintenance database `postgres`: for the
    /// provider that makes databases for people. It holds no password.
    pub fn superuser_url(&self) -> String {
        let socket: String =
            url::form_urlencoded::byte_serialize(self.layout.socket_dir().as_os_str().as_encoded_bytes()).collect();
        format!("postgres://{NAME}@127.0.0.1:{}/postgres?host={socket}&sslmode=disable", self.port)
    }

    /// Where people reach their databases with a password. It stays the same over restarts, unless
    /// another program has taken the port in between.
    pub fn tcp_address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// True when this process started the server; false when another Paddock runs it.
    pub fn is_ours(&self) -> bool {
        self.running.is_some()
    }

    /// Passes on what the keeper tells, and replaces a keeper that died. Returns only when the
    /// server cannot be kept running. Safe to drop at any point.
    pub async fn watch(&mut self, reporter: &dyn Reporter) -> EmbeddedError {
        let Some(running) = &mut self.running else { return std::future::pending().await };
        for _ in 0..KEEPER_RESTARTS {
            if let Err(error @ EmbeddedError::Keeper { .. }) = running.keeper.pass_on(reporter).await {
                return error;
            }
            reporter.line("Postgres: its keeper has died; starting another one");
            match Keeper::spawn(&running.settings, &self.layout, &running.bin).await {
                Ok(keeper) => running.keeper = keeper,
                Err(error) => return error,
            }
            if let Err(error) = running.keeper.until_ready(reporter).await {
                return error;
            }
        }
        EmbeddedError::Keeper { message: format!("its keeper died {KEEPER_RESTARTS} times") }
    }

    /// Stops the server if we started it, and waits for its end. Close the pools first: Postgres
    /// ends what is still connected.
    pub async fn stop(self, reporter: &dyn Reporter) -> Result<()> {
        let Some(Running { mut keeper, _lock: lock, .. }) = self.running else { return Ok(()) };
        let step = Step::start(reporter, "Stopping Postgres");
        drop(keeper.stdin);
        let ended = tokio::time::timeout(STOP_PATIENCE, keeper.child.wait()).await;
        drop(lock);
        match ended {
            Ok(_) => {
                step.done();
                Ok(())
            }
            Err(_) => Err(EmbeddedError::Keeper { message: "its keeper does not end".to_owned() }),
        }
    }

    async fn ensure_database(&self) -> Result<()> {
        let mut connection = PgConnection::connect_with(&self.options_for("postgres")).await?;
        let there =
            sqlx::query_scalar!("SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'paddock') AS \"there!\"")
                .fetch_one(&mut connection)
                .await?;
        if !there {
            sqlx::raw_sql("CREATE DATABASE paddock").execute(&mut connection).await?;
        }
        // Roles made for people must not even connect to our database.
        sqlx::raw_sql("REVOKE ALL ON DATABASE paddock FROM PUBLIC").execute(&mut connection).await?;
        connection.close().await?;
        Ok(())
    }
}

impl Keeper {
    async fn spawn(settings: &Settings, layout: &Layout, bin: &std::path::Path) -> Result<Self> {
        let path = match &settings.program {
            Some(path) => path.clone(),
            None => layout::own_program().map_err(|source| EmbeddedError::io("find", "our own program", source))?,
        };
        // Held until the child runs: the owner may not be able to enter the folder of the program
        // (root's home, for example), but an open file it can execute.
        let program = File::open(&path).map_err(|source| EmbeddedError::io("open", path.display(), source))?;
        let mut command = Command::new(layout::executable_path(&program, &path));
        command
            .arg0(NAME)
            .args([keeper::VERB, "--folder"])
            .arg(layout.root())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LC_ALL", "C")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Ctrl-C at the terminal is for us: the worker drains before Postgres stops.
            .process_group(0);
        layout.owner().apply_to(&mut command);
        let mut child =
            command.spawn().map_err(|source| EmbeddedError::io("start", "the keeper of Postgres", source))?;
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(EmbeddedError::Keeper { message: "its keeper has no pipes".to_owned() });
        };
        let order = keeper::Order {
            bin: bin.to_owned(),
            socket_dir: layout.socket_dir().to_owned(),
            durable: settings.durable,
            max_connections: settings.max_connections,
        };
        let mut line = serde_json::to_vec(&order)
            .map_err(|error| EmbeddedError::Keeper { message: format!("cannot tell its keeper: {error}") })?;
        line.push(b'\n');
        stdin.write_all(&line).await.map_err(|source| EmbeddedError::io("tell", "the keeper of Postgres", source))?;
        Ok(Self { child, stdin, reports: BufReader::new(stdout).lines() })
    }

    /// Passes reports on until the server takes connections; returns its port.
    async fn until_ready(&mut self, reporter: &dyn Reporter) -> Result<u16> {
        loop {
            match self.next().await {
                Some(Report::Ready { port }) => return Ok(port),
                Some(Report::Line { text }) => reporter.line(&text),
                Some(Report::Failed { message }) => return Err(EmbeddedError::Keeper { message }),
                None => return Err(EmbeddedError::Keeper { message: "its keeper ended without a word".to_owned() }),
            }
        }
    }

    /// Passes reports on until the keeper ends.
    async fn pass_on(&mut self, reporter: &dyn Reporter) -> Result<()> {
        loop {
            match self.next().await {
                Some(Report::Ready { .. }) => {}
                Some(Report::Line { text }) => reporter.line(&text),
                Some(Report::Failed { message }) => return Err(EmbeddedError::Keeper { message }),
                None => {
                    self.child.wait().await.ok();
                    return Ok(());
                }
            }
        }
    }

    async fn next(&mut self) -> Option<Report> {
        let line = self.reports.next_line().await.ok()??;
        Some(serde_json::from_str(&line).unwrap_or(Report::Line { text: line }))
    }
}
