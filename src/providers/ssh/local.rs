//! This machine as a runner host, for `--demo`: OpenSSH's server, one process for each connection that
//! Paddock itself takes on loopback. It listens nowhere by itself, knows one key, and ends with Paddock.
//!
//! Where programs of templates are walled in on this machine, so is every session: it writes to the folder
//! of the host and nowhere else, and sees nothing of Paddock's data.

use std::ffi::{OsStr, OsString};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use super::link::HostKey;
use super::order::quoted;
use crate::providers::process::{Settings, is_executable};
use crate::providers::sandbox::Walled;
use crate::providers::workspace::{make_folder, write_private};

/// Where the server's program is, beside the path of programs.
const PLACES: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/sbin"];
/// Where a server that runs as root keeps a part of itself (Debian's `--with-privsep-path`).
const OF_ROOT: &str = "/run/sshd";

/// A server that is ready to take connections.
#[derive(Debug, Clone)]
pub struct LocalHost {
    program: PathBuf,
    config: PathBuf,
    user: String,
    folder: PathBuf,
    host_key: HostKey,
    key: SecretString,
}

impl LocalHost {
    /// Makes keys and settings below `data_dir` where they are missing. `Err`: why there is no such host
    /// here, in words.
    pub fn prepare(settings: &Settings, data_dir: &Path) -> Result<Self, String> {
        let places = PLACES.map(|place| Path::new(place).join("sshd"));
        let found = settings.find_program(&["sshd"]).or_else(|| places.into_iter().find(|path| is_executable(path)));
        let program = found.ok_or("OpenSSH's server is not installed (the package openssh-server)")?;
        let keygen = settings.find_program(&["ssh-keygen"]);
        let keygen = keygen.ok_or("OpenSSH's client is not installed (the package openssh-client)")?;
        if rustix::process::geteuid().is_root() {
            std::fs::create_dir_all(OF_ROOT).map_err(|error| format!("{OF_ROOT}: {error}"))?;
        }
        let words = |error: crate::providers::ProviderError| error.to_string();
        let (keys, folder) = (data_dir.join("ssh"), data_dir.join("runner"));
        make_folder(&keys).map_err(words)?;
        make_folder(&folder).map_err(words)?;
        for name in ["host", "client"] {
            let path = keys.join(name);
            if !path.exists() {
                let mut command = std::process::Command::new(&keygen);
                command.args(["-q", "-t", "ed25519", "-N", "", "-C", "paddock-demo", "-f"]).arg(&path);
                let made = command.stdin(Stdio::null()).status().map_err(|error| format!("ssh-keygen: {error}"))?;
                if !made.success() {
                    return Err(format!("ssh-keygen ended with {made}"));
                }
            }
        }
        let read = |name: &str| std::fs::read_to_string(keys.join(name)).map_err(|error| format!("{name}: {error}"));
        let host_key = HostKey::parse(&read("host.pub")?).ok_or("host.pub is no public key")?;
        let key = SecretString::from(read("client")?);
        let session = keys.join("session.sh");
        write_private(&session, session_script(settings, &folder)?.as_bytes()).map_err(words)?;
        let (user, config) = (user()?, keys.join("sshd_config"));
        write_private(&config, server_settings(&keys, &session, &user, &settings.path).as_bytes()).map_err(words)?;
        Ok(Self { program, config, user, folder, host_key, key })
    }

    /// The settings and the credential of a target for it, reached at `port` of loopback.
    pub fn target(&self, port: u16) -> (Value, &SecretString) {
        let settings = json!({
            "host": "127.0.0.1",
            "port": port,
            "user": self.user,
            "host_key": self.host_key.to_string(),
            "folder": self.folder,
        });
        (settings, &self.key)
    }

    /// Serves one connection. The child is killed when it is dropped; what it detached stays.
    pub fn serve(&self, connection: TcpStream) -> std::io::Result<Child> {
        connection.set_nonblocking(false)?;
        let connection = OwnedFd::from(connection);
        Command::new(&self.program)
            .args(["-i", "-f"])
            .arg(&self.config)
            .env_clear()
            .stdin(Stdio::from(connection.try_clone()?))
            .stdout(Stdio::from(connection))
            .stderr(Stdio::null())
            // An interrupt from the terminal is for Paddock, which then lets its runs end.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }
}

/// What every session runs in place of what it asked for: the same, behind the walls.
fn session_script(settings: &Settings, folder: &Path) -> Result<String, String> {
    let asked = "\"${SSH_ORIGINAL_COMMAND:-exit 1}\"";
    let Some(sandbox) = &settings.sandbox else { return Ok(format!("exec /bin/sh -c {asked}\n")) };
    let walled = Walled { kept: folder, doors: &[], folder, processes: settings.limits.processes };
    let (program, args) = sandbox.wrap(walled, Path::new("/bin/sh"), [OsString::from("-c")])?;
    let words: Vec<String> =
        std::iter::once(program.as_os_str()).chain(args.iter().map(OsString::as_os_str)).map(quoted).collect();
    Ok(format!("exec {} {asked}\n", words.join(" ")))
}

fn server_settings(keys: &Path, session: &Path, user: &str, path: &OsStr) -> String {
    let (keys, path) = (keys.display(), path.to_string_lossy().replace('"', ""));
    format!(
        "HostKey \"{keys}/host\"\n\
         AuthorizedKeysFile \"{keys}/client.pub\"\n\
         # It is private by its own folder; above that the data directory may be anywhere.\n\
         StrictModes no\n\
         AllowUsers {user}\n\
         PermitRootLogin prohibit-password\n\
         PasswordAuthentication no\n\
         KbdInteractiveAuthentication no\n\
         UsePAM no\n\
         UseDNS no\n\
         PidFile none\n\
         PrintMotd no\n\
         PermitUserRC no\n\
         PermitTTY no\n\
         DisableForwarding yes\n\
         SetEnv \"PATH={path}\"\n\
         ForceCommand /bin/sh {}\n",
        quoted(session.as_os_str())
    )
}

/// The user of this process, the only one that a server without privileges can let in.
fn user() -> Result<String, String> {
    let output = std::process::Command::new("id").arg("-un").output().map_err(|error| format!("id: {error}"))?;
    let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if name.is_empty() { Err("this user has no name".to_owned()) } else { Ok(name) }
}
