//! `paddock up` on its private Postgres, as a person meets it: the real program on a fresh folder.

use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};

use crate::support::program::{Program, command};
use crate::support::wait::until;

/// A data directory below the system's folder for temporary files, which every user can enter.
struct DataDir(tempfile::TempDir);

impl DataDir {
    fn new() -> Self {
        Self(tempfile::Builder::new().prefix("pdk").tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn up(&self) -> Program {
        let mut command = command(&["up", "--listen", "127.0.0.1:0"]);
        command.env("PADDOCK_DATA_DIR", self.path());
        Program::start(command)
    }

    fn postmaster(&self) -> Pid {
        let file = self.path().join("postgres/data/postmaster.pid");
        until("the server writes its process id", || {
            let text = std::fs::read_to_string(&file).ok()?;
            Pid::from_raw(text.lines().next()?.trim().parse().ok()?)
        })
    }

    fn port(&self) -> u16 {
        std::fs::read_to_string(self.path().join("postgres/port")).unwrap().trim().parse().unwrap()
    }

    fn options(&self) -> PgConnectOptions {
        let socket: PathBuf = self.path().join("postgres/run");
        PgConnectOptions::new_without_pgpass().socket(socket).port(self.port()).username("paddock").database("paddock")
    }
}

fn started(program: &mut Program) {
    program.wait_for("Paddock is ready");
}

fn ended(pid: Pid) {
    until("the process ends", || test_kill_process(pid).is_err().then_some(()));
}

#[test]
fn a_fresh_folder_gets_a_server_that_stops_with_the_program() {
    let folder = DataDir::new();
    for signal in [Signal::TERM, Signal::INT] {
        let mut program = folder.up();
        started(&mut program);
        let postmaster = folder.postmaster();
        program.signal(signal);
        assert!(program.wait().success(), "{}", program.said());
        ended(postmaster);
        assert!(!folder.path().join("postgres/data/postmaster.pid").exists(), "a clean stop removes the pid file");
    }
}

#[test]
fn a_second_program_on_the_folder_is_refused_in_words() {
    let folder = DataDir::new();
    let mut first = folder.up();
    started(&mut first);
    let mut second = folder.up();
    let sentence = second.wait_for("another Paddock");
    assert!(sentence.contains(&format!("(process {})", first.pid().as_raw_nonzero())), "{sentence}");
    assert!(sentence.contains("--data-dir"), "{sentence}");
    assert_eq!(second.wait().code(), Some(1));
    // The first one goes on.
    assert!(test_kill_process(folder.postmaster()).is_ok());
}

#[test]
fn after_kill_9_it_starts_again_with_its_data_and_its_port() {
    let folder = DataDir::new();
    let mut first = folder.up();
    started(&mut first);
    let (postmaster, port) = (folder.postmaster(), folder.port());
    sql(&folder, "CREATE TABLE kept AS SELECT 7 AS value");
    first.signal(Signal::KILL);
    first.wait();
    // At once: the server of the first is still stopping.
    let mut second = folder.up();
    started(&mut second);
    ended(postmaster);
    assert_eq!(folder.port(), port);
    sql(&folder, "SELECT 1 / count(*) FROM kept WHERE value = 7");
}

#[test]
fn a_server_that_dies_is_started_again() {
    let folder = DataDir::new();
    let mut program = folder.up();
    started(&mut program);
    let first = folder.postmaster();
    kill_process(first, Signal::KILL).unwrap();
    program.wait_for("the server died");
    let second = until("another server", || Some(folder.postmaster()).filter(|pid| *pid != first));
    until("it takes connections", || {
        test_kill_process(second).is_ok().then(|| try_sql(&folder, "SELECT 1").ok()).flatten()
    });
}

#[test]
fn a_keeper_that_dies_is_replaced_and_its_server_does_not_stay() {
    let folder = DataDir::new();
    let mut program = folder.up();
    started(&mut program);
    let first = folder.postmaster();
    kill_process(parent_of(first), Signal::KILL).unwrap();
    program.wait_for("its keeper has died");
    ended(first);
    until("another server takes connections", || try_sql(&folder, "SELECT 1").ok());
    let second = folder.postmaster();
    program.signal(Signal::TERM);
    assert!(program.wait().success(), "{}", program.said());
    ended(second);
}

#[test]
fn the_superuser_comes_in_by_the_socket_only() {
    let folder = DataDir::new();
    let mut program = folder.up();
    started(&mut program);
    sql(&folder, "CREATE ROLE guest LOGIN PASSWORD 'guest-password'");
    sql(&folder, "CREATE DATABASE guest OWNER guest");
    let by_tcp = |user: &str, password: &str, database: &str| {
        let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(folder.port());
        connect(options.username(user).password(password).database(database))
    };
    by_tcp("guest", "guest-password", "guest").unwrap();
    assert!(by_tcp("guest", "wrong", "guest").is_err(), "a password is needed");
    assert!(by_tcp("guest", "guest-password", "paddock").is_err(), "our own database is out of reach");
    assert!(by_tcp("paddock", "", "paddock").is_err(), "the superuser is out of reach");
    use std::os::unix::fs::PermissionsExt as _;
    let mode = folder.path().join("postgres/run").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "the socket is the owner's alone");
    let key = folder.path().join("paddock.key").metadata().unwrap().permissions().mode();
    assert_eq!(key & 0o777, 0o600, "the key is the owner's alone");
}

fn connect(options: PgConnectOptions) -> Result<(), sqlx::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { PgConnection::connect_with(&options).await?.close().await })
}

fn try_sql(folder: &DataDir, statement: &str) -> Result<(), sqlx::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect_with(&folder.options()).await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut connection).await?;
        connection.close().await
    })
}

fn sql(folder: &DataDir, statement: &str) {
    try_sql(folder, statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// The parent's process id, from the fourth field of `/proc/PID/stat`.
fn parent_of(pid: Pid) -> Pid {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    Pid::from_raw(after_name.split(' ').nth(1).unwrap().parse().unwrap()).unwrap()
}
