//! A runner host of a test's own: OpenSSH's server on loopback, one process for each connection, with its own
//! keys and a folder of its own. Everything ends with the value.

use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use paddock::providers::Target;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::wait::lines;

/// The running host.
pub struct Sshd {
    folder: TempDir,
    port: u16,
    sessions: Arc<Mutex<Vec<(Child, TcpStream)>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sshd {
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("host").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        for key in ["host", "client", "other"] {
            keygen(&folder.path().join(key));
        }
        let program = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"].map(PathBuf::from);
        let program = program.into_iter().find(|path| path.exists()).expect("sshd: run scripts/setup test");
        let config = folder.path().join("sshd_config");
        std::fs::write(&config, settings(folder.path())).unwrap();
        if rustix::process::geteuid().is_root() {
            // As root the server keeps a part of itself there.
            std::fs::create_dir_all("/run/sshd").unwrap();
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sessions, stop) =
            (Arc::new(Mutex::new(Vec::<(Child, TcpStream)>::new())), Arc::new(AtomicBool::new(false)));
        let log = folder.path().join("log");
        let thread = {
            let (sessions, stop) = (Arc::clone(&sessions), Arc::clone(&stop));
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let stream = stream.unwrap();
                    let ours = stream.try_clone().unwrap();
                    let stream = OwnedFd::from(stream);
                    let said = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
                    let child = Command::new(&program)
                        .args(["-i", "-e", "-f"])
                        .arg(&config)
                        .stdin(Stdio::from(stream.try_clone().unwrap()))
                        .stdout(Stdio::from(stream))
                        .stderr(said)
                        .spawn()
                        .unwrap();
                    let mut sessions = sessions.lock().unwrap();
                    sessions.retain_mut(|(child, _)| child.try_wait().unwrap().is_none());
                    sessions.push((child, ours));
                }
            })
        };
        Self { folder, port, sessions, stop, thread: Some(thread) }
    }

    /// Where environments live on it.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("host-root")
    }

    /// Its target's settings.
    pub fn settings(&self) -> Value {
        json!({
            "host": "127.0.0.1", "port": self.port, "user": user(), "host_key": self.public("host"),
            "folder": self.root(),
        })
    }

    /// The private key that it lets in.
    pub fn key(&self) -> String {
        self.read("client")
    }

    /// One that it does not know.
    pub fn other_key(&self) -> String {
        self.read("other")
    }

    /// A public key, as a file of keys has it: `host`, `client`, `other`.
    pub fn public(&self, name: &str) -> String {
        self.read(&format!("{name}.pub")).trim().to_owned()
    }

    pub fn target(&self) -> Target {
        Target { slug: "box".into(), settings: self.settings(), secret: Some(self.key().into()), ..Target::default() }
    }

    /// Cuts all connections that there are, in the middle of whatever they carry.
    pub fn cut(&self) {
        for (_, stream) in self.sessions.lock().unwrap().iter() {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for a connection.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        let _ = self.thread.take().map(JoinHandle::join);
        self.cut();
        for (child, _) in self.sessions.lock().unwrap().iter_mut() {
            child.wait().ok();
        }
        end_all(&self.root());
    }
}

/// Ends what a failed test left running on a host whose environments live in `root`: it would outlive its files.
pub fn end_all(root: &Path) {
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        for line in lines(&entry.path().join("left")) {
            let pid = line.split(' ').next().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
            let _ = pid.map(|pid| kill_process(pid, Signal::KILL));
        }
    }
}

/// The user of this process: the only one that a server without privileges can let in.
fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn keygen(path: &Path) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"]).arg(path);
    assert!(command.status().unwrap().success());
}

fn settings(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "HostKey {folder}/host\nAuthorizedKeysFile {folder}/client.pub\nStrictModes no\nUsePAM no\nPidFile none\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n\
         AllowTcpForwarding no\nX11Forwarding no\nMaxStartups 100\n"
    )
}
