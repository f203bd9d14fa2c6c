//! The commands: `initdb` once, `postgres` at each start, with our settings.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::keeper::Order;
use super::layout::{cluster, port_file, read_port};
use super::{NAME, Reporter, Step};

const READY_PATIENCE: Duration = Duration::from_mins(2);
/// The log of the server is begun anew at a start when it is longer than this.
const LONGEST_LOG: u64 = 10 * 1024 * 1024;

/// Who may come in. Rewritten at each start. The socket's folder is the owner's alone; on TCP
/// neither the superuser nor our own database can be reached.
const HBA: &str = "# Written by Paddock at each start: edits are lost.
local  all                         paddock  trust
local  all                         all      scram-sha-256
host   all                         paddock  all           reject
host   paddock,postgres,template1  all      all           reject
host   all                         all      127.0.0.1/32  scram-sha-256
";

/// A server that takes connections.
pub(super) struct Server {
    pub(super) child: Child,
    pub(super) port: u16,
}

/// Makes the cluster when there is none: beside, then renamed, so that it is whole or absent.
pub(super) async fn ensure_cluster(root: &Path, order: &Order, reporter: &dyn Reporter) -> Result<(), String> {
    if cluster(root).join("PG_VERSION").exists() {
        return Ok(());
    }
    let step = Step::start(reporter, "Making the database cluster");
    let new = root.join("data.new");
    if new.exists() {
        std::fs::remove_dir_all(&new).map_err(|error| format!("cannot remove {}: {error}", new.display()))?;
    }
    let mut command = Command::new(order.bin.join("initdb"));
    command
        .arg("--pgdata")
        .arg(&new)
        .args(["--username", NAME, "--auth-local=trust", "--auth-host=scram-sha-256"])
        .args(["--encoding=UTF8", "--locale=C", "--data-checksums", "--no-instructions"])
        .stdin(Stdio::null());
    if !order.durable {
        command.arg("--no-sync");
    }
    let output = command.output().await.map_err(|error| format!("cannot run initdb: {error}"))?;
    if !output.status.success() {
        return Err(format!("initdb failed: {}", first_error(&String::from_utf8_lossy(&output.stderr))));
    }
    std::fs::rename(&new, cluster(root)).map_err(|error| format!("cannot rename {}: {error}", new.display()))?;
    step.done();
    Ok(())
}

/// Starts the server and waits until it takes connections.
pub(super) async fn start(root: &Path, order: &Order, reporter: &dyn Reporter) -> Result<Server, String> {
    let hba_file = root.join("pg_hba.conf");
    std::fs::write(&hba_file, HBA).map_err(|error| format!("cannot write {}: {error}", hba_file.display()))?;
    if !order.socket_dir.exists() {
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&order.socket_dir)
            .map_err(|error| format!("cannot make {}: {error}", order.socket_dir.display()))?;
    }
    check_private(&order.socket_dir)?;
    let port = choose_port(root, reporter)?;
    let log_path = root.join("postgres.log");
    let (log, log_start) =
        open_log(&log_path).map_err(|error| format!("cannot open {}: {error}", log_path.display()))?;
    let mut child = Command::new(order.bin.join("postgres"))
        .arg("-D")
        .arg(cluster(root))
        .args(arguments(order, &hba_file, port))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(|error| format!("cannot run postgres: {error}"))?;
    match until_ready(root, &mut child).await {
        Ok(()) => Ok(Server { child, port }),
        Err(error) => {
            let said = read_from(&log_path, log_start).unwrap_or_default();
            Err(format!("{error}: {}. Its log is {}", first_error(&said), log_path.display()))
        }
    }
}

fn arguments(order: &Order, hba_file: &Path, port: u16) -> Vec<OsString> {
    let mut settings: Vec<(&str, OsString)> = vec![
        ("port", port.to_string().into()),
        ("listen_addresses", "127.0.0.1".into()),
        ("unix_socket_directories", order.socket_dir.clone().into()),
        ("unix_socket_permissions", "0700".into()),
        ("hba_file", hba_file.into()),
        ("password_encryption", "scram-sha-256".into()),
        ("max_connections", order.max_connections.to_string().into()),
        ("shared_buffers", "128MB".into()),
        ("timezone", "UTC".into()),
        ("log_timezone", "UTC".into()),
        ("log_destination", "stderr".into()),
        ("logging_collector", "off".into()),
        ("log_line_prefix", "%m [%p] %q%u@%d ".into()),
        // A word in a statement may be a secret; the log file must hold none.
        ("log_min_error_statement", "panic".into()),
        ("cluster_name", NAME.into()),
        // Our statements are short: compiling them costs more than it saves.
        ("jit", "off".into()),
    ];
    if !order.durable {
        settings.extend(["fsync", "synchronous_commit", "full_page_writes"].map(|name| (name, "off".into())));
    }
    let mut arguments = Vec::with_capacity(2 * settings.len());
    for (name, value) in settings {
        let mut setting = OsString::from(name);
        setting.push("=");
        setting.push(value);
        arguments.extend(["-c".into(), setting]);
    }
    arguments
}

/// The socket's folder must be ours alone: in `/tmp` another user could have made it first.
fn check_private(folder: &Path) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata =
        folder.symlink_metadata().map_err(|error| format!("cannot look at {}: {error}", folder.display()))?;
    let ours = metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw();
    if ours && metadata.mode() & 0o777 == 0o700 {
        return Ok(());
    }
    Err(format!("the folder {} does not belong to us alone", folder.display()))
}

/// The port of the last start, else a free one.
fn choose_port(root: &Path, reporter: &dyn Reporter) -> Result<u16, String> {
    let last = read_port(root);
    if let Some(port) = last
        && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
    {
        return Ok(port);
    }
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    let port = free.map_err(|error| format!("there is no free port on loopback: {error}"))?.port();
    if let Some(last) = last {
        reporter.line(&format!(
            "Postgres: another program has taken port {last}, so databases are at port {port} from now on"
        ));
    }
    let file = port_file(root);
    std::fs::write(&file, format!("{port}\n")).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    Ok(port)
}

/// The last line of `postmaster.pid` tells when the server takes connections: what `pg_ctl` reads.
async fn until_ready(root: &Path, child: &mut Child) -> Result<(), String> {
    let file = cluster(root).join("postmaster.pid");
    let deadline = Instant::now() + READY_PATIENCE;
    while Instant::now() < deadline {
        tokio::select! {
            ended = child.wait() => {
                let how = ended.map(|status| status.to_string()).unwrap_or_default();
                return Err(format!("the server ended while starting ({how})"));
            }
            () = tokio::time::sleep(Duration::from_millis(10)) => {}
        }
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let mut lines = text.lines();
        let of_child = lines.next().and_then(|pid| pid.trim().parse().ok()) == child.id();
        if of_child && lines.nth(6).is_some_and(|status| status.trim() == "ready") {
            return Ok(());
        }
    }
    child.start_kill().ok();
    Err(format!("the server was not ready after {} s", READY_PATIENCE.as_secs()))
}

fn open_log(path: &PathBuf) -> std::io::Result<(File, u64)> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    let length = log.metadata()?.len();
    if length > LONGEST_LOG {
        log.set_len(0)?;
        return Ok((log, 0));
    }
    Ok((log, length))
}

fn read_from(path: &Path, start: u64) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
    let mut text = String::new();
    file.take(64 * 1024).read_to_string(&mut text)?;
    Ok(text)
}

/// The first line that tells of an error, without the prefix of the log.
fn first_error(text: &str) -> &str {
    for mark in ["FATAL:", "PANIC:", "error:", "ERROR:"] {
        if let Some(line) = text.lines().find_map(|line| line.split_once(mark)) {
            return line.1.trim();
        }
    }
    text.lines().last().unwrap_or("it said nothing").trim()
}

#[cfg(test)]
mod tests {
    use super::first_error;

    #[test]
    fn the_first_real_error_is_told() {
        let log = "2026-01-01 [7] LOG:  starting\n2026-01-01 [7] FATAL:  lock file exists\n[7] HINT: x\n";
        assert_eq!(first_error(log), "lock file exists");
        assert_eq!(first_error("initdb: error: no space"), "no space");
        assert_eq!(first_error(""), "it said nothing");
    }
}
