//! What the browser tests act on: `paddock up --demo` on a fresh folder, and a chromedriver.
//!
//! Tests that run at the same time share one; it ends with the last of them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustix::process::Signal;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;

use crate::support::program::{self, Program};
use crate::support::sshd;

static STAGE: Mutex<Weak<Stage>> = Mutex::new(Weak::new());

/// The product and the browser's driver.
pub struct Stage {
    /// The product's address, without a slash at its end.
    pub url: String,
    paddock: Mutex<Program>,
    driver: Mutex<Option<Driver>>,
    folder: TempDir,
}

struct Driver {
    url: String,
    _program: Program,
}

impl Stage {
    /// The one of this moment; started when there is none, which takes some seconds.
    pub async fn get() -> Arc<Self> {
        tokio::task::spawn_blocking(|| {
            let mut current = lock(&STAGE);
            current.upgrade().unwrap_or_else(|| {
                let stage = Arc::new(Self::start());
                *current = Arc::downgrade(&stage);
                stage
            })
        })
        .await
        .unwrap()
    }

    /// One that nobody else uses.
    pub async fn own() -> Arc<Self> {
        tokio::task::spawn_blocking(|| Arc::new(Self::start())).await.unwrap()
    }

    fn start() -> Self {
        // Below the system's folder for temporary files, which Postgres' own user can enter.
        let folder = tempfile::Builder::new().prefix("pdk").tempdir().unwrap();
        let mut command = program::command(&["up", "--demo", "--listen", "127.0.0.1:0"]);
        command.arg("--data-dir").arg(folder.path());
        // The sample workspace uses the editor that is on the path of its host.
        let editor = program::tools().join("jupyter/bin");
        assert!(editor.is_dir(), "{} is not there: run scripts/setup test", editor.display());
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::env::split_paths(&path).chain([editor])).unwrap();
        command.env("PATH", path);
        let mut paddock = Program::start(command);
        let line = paddock.wait_for("Paddock is ready:");
        let url = line.rsplit_once(' ').unwrap().1.trim_end_matches('/').to_owned();
        Self { url, paddock: Mutex::new(paddock), driver: Mutex::new(None), folder }
    }

    /// The chromedriver's address.
    pub async fn driver(self: &Arc<Self>) -> String {
        let stage = Arc::clone(self);
        let start = move || lock(&stage.driver).get_or_insert_with(Driver::start).url.clone();
        tokio::task::spawn_blocking(start).await.unwrap()
    }

    /// Everything that the product said so far.
    pub fn said(&self) -> String {
        lock(&self.paddock).said()
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        self.folder.path()
    }

    /// An API token of a demo person, made at the terminal while the product runs.
    pub async fn token(&self, login: &str, scopes: &str) -> String {
        let mut command = program::command(&["admin", "token", "--user", login, "--scopes", scopes, "--ttl", "1h"]);
        command.arg("--data-dir").arg(self.data_dir());
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let token = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        assert!(token.starts_with("pdkp_"), "the token alone is printed, not “{token}”");
        token
    }

    /// The demo's database server, as its administrator.
    pub async fn server(&self) -> PgConnection {
        let postgres = self.data_dir().join("postgres");
        let port = std::fs::read_to_string(postgres.join("port")).unwrap().trim().parse().unwrap();
        let options = PgConnectOptions::new_without_pgpass().socket(postgres.join("run")).port(port);
        PgConnection::connect_with(&options.username("paddock").database("paddock")).await.unwrap()
    }

    /// Makes every `CREATE ROLE` wait until the value is dropped, so that a run can be watched.
    pub async fn hold_new_roles(&self) -> HeldRoles {
        let mut connection = self.server().await;
        connection.execute("BEGIN").await.unwrap();
        // Reading goes on: people can still connect.
        connection.execute("LOCK TABLE pg_catalog.pg_authid IN SHARE MODE").await.unwrap();
        HeldRoles(connection)
    }
}

/// New roles wait as long as this lives.
pub struct HeldRoles(PgConnection);

impl HeldRoles {
    /// Lets them go on.
    pub async fn release(mut self) {
        self.0.execute("ROLLBACK").await.unwrap();
        self.0.close().await.unwrap();
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        *lock(&self.driver) = None;
        let mut paddock = lock(&self.paddock);
        if !std::thread::panicking() {
            paddock.signal(Signal::TERM);
            paddock.wait();
        }
        sshd::end_all(&self.folder.path().join("runner"));
    }
}

impl Driver {
    fn start() -> Self {
        let mut command = Command::new(find("chromedriver"));
        command.arg("--port=0").stdin(Stdio::null());
        let mut program = Program::start(command);
        let line = program.wait_for("was started successfully on port");
        let port: u16 = line.rsplit_once(' ').unwrap().1.trim_end_matches('.').parse().unwrap();
        Self { url: format!("http://127.0.0.1:{port}"), _program: program }
    }
}

fn find(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed, and the browser tests need it: run scripts/setup"))
}

/// A test that failed does not take the others with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
