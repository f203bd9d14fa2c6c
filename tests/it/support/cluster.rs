//! A Postgres of its own for a test that breaks it: on a socket in a temporary folder, restarted on
//! demand, gone with the value.
//!
//! `fsync` is off: what is killed here is Postgres, never the machine, and the kernel keeps what was
//! written. Commits are synchronous, so that one that was acknowledged outlives an immediate stop.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sqlx::{Connection as _, PgConnection};

use super::server::Server;

const OPTIONS: &str = "-c listen_addresses= -c fsync=off -c shared_buffers=32MB -c max_connections=200";

/// A running cluster.
pub struct Cluster {
    folder: tempfile::TempDir,
    programs: PathBuf,
    owner: (u32, u32),
}

impl Cluster {
    /// Makes and starts one, with the programs and the owner of the test binary's server.
    pub async fn start() -> Self {
        let server = tokio::task::spawn_blocking(Server::get).await.unwrap();
        let mut connection = PgConnection::connect_with(&server.options("postgres")).await.unwrap();
        let (programs, data): (String, String) = sqlx::query_as(
            "SELECT (SELECT setting FROM pg_config WHERE name = 'BINDIR'), current_setting('data_directory')",
        )
        .fetch_one(&mut connection)
        .await
        .unwrap();
        let data = Path::new(&data).metadata().expect("the test server runs on this machine");
        let folder = tempfile::tempdir().unwrap();
        let owner = (data.uid(), data.gid());
        chown(folder.path(), Some(owner.0), Some(owner.1)).unwrap();
        let cluster = Self { folder, programs: programs.into(), owner };
        let made = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"];
        cluster.run("initdb", &made);
        cluster.run("pg_ctl", &["-l", &cluster.path("log"), "-o", &cluster.options(), "-w", "start"]);
        cluster
    }

    /// How to reach a database of it, as a role that may do everything.
    pub fn url(&self, database: &str) -> String {
        let mut url = url::Url::parse("postgres://postgres@localhost/").unwrap();
        url.set_path(database);
        url.query_pairs_mut().append_pair("host", &self.path(""));
        url.into()
    }

    /// Stops it without any courtesy, as a crash would, and starts it again; returns when it takes
    /// connections. It blocks.
    pub fn restart(&self) {
        self.run("pg_ctl", &["-l", &self.path("log"), "-m", "immediate", "-w", "restart"]);
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().trim_end_matches('/').to_owned()
    }

    fn options(&self) -> String {
        format!("-k {} {OPTIONS}", self.path(""))
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).env("PGDATA", self.path("data")).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if rustix::process::geteuid().is_root() {
            command.uid(self.owner.0).gid(self.owner.1);
        }
        let log = || std::fs::read_to_string(self.path("log")).unwrap_or_default();
        assert!(command.status().unwrap().success(), "{program} {arguments:?}\n{}", log());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            self.run("pg_ctl", &["-m", "immediate", "-w", "stop"]);
        }));
        if stopped.is_err() {
            eprintln!("the Postgres in {} was not stopped", self.folder.path().display());
        }
    }
}
