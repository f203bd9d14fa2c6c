//! Folders, owners and locks.
//!
//! ```text
//! DATA_DIR/              ours; others may pass through (mode 0711)
//!   paddock.lock         held by the Paddock that runs here
//!   paddock.key          the encryption key (config)
//!   postgres/            the owner's alone (mode 0700)
//!     data/              the cluster
//!     run/               the socket, unless its path would be too long
//!     port  pg_hba.conf  keeper.lock  postgres.log
//! ```

use std::ffi::OsStr;
use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use super::{EmbeddedError, Result};

/// The kernel takes 107 bytes for a socket's path; the file in the folder needs 20 of them.
const LONGEST_SOCKET_DIR: usize = 85;

/// Who runs Postgres.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    name: String,
    uid: u32,
    gid: u32,
    /// False when that is who we are.
    change: bool,
}

/// Where everything is.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    data_dir: PathBuf,
    root: PathBuf,
    socket_dir: PathBuf,
    owner: Owner,
}

impl Layout {
    /// Makes the folders, with their owners and modes.
    pub(super) fn prepare(data_dir: &Path) -> Result<Self> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o711)
            .create(data_dir)
            .map_err(|source| EmbeddedError::io("make", data_dir.display(), source))?;
        let data_dir =
            data_dir.canonicalize().map_err(|source| EmbeddedError::io("open", data_dir.display(), source))?;
        let root = data_dir.join("postgres");
        let owner = Owner::choose(&root)?;
        if owner.change {
            // The owner must pass through; the key in it has a mode of its own.
            set_mode(&data_dir, mode_of(&data_dir)? | 0o001)?;
            owner.check_can_enter(&data_dir)?;
        }
        if !root.exists() {
            std::fs::DirBuilder::new()
                .mode(0o700)
                .create(&root)
                .map_err(|source| EmbeddedError::io("make", root.display(), source))?;
            std::os::unix::fs::chown(&root, Some(owner.uid), Some(owner.gid))
                .map_err(|source| EmbeddedError::io("hand over", root.display(), source))?;
        }
        set_mode(&root, 0o700)?;
        let socket_dir = socket_dir(&root, owner.uid);
        Ok(Self { data_dir, root, socket_dir, owner })
    }

    /// Takes the lock of the data directory; it is free again when the file is dropped or we die.
    pub(super) fn lock(&self) -> Result<File> {
        let path = self.data_dir.join("paddock.lock");
        let failed = |source| EmbeddedError::io("open", path.display(), source);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                file.read_to_string(&mut text).ok();
                return Err(EmbeddedError::Taken { data_dir: self.data_dir.clone(), holder: text.trim().parse().ok() });
            }
            Err(TryLockError::Error(source)) => return Err(EmbeddedError::io("lock", path.display(), source)),
        }
        file.set_len(0).map_err(failed)?;
        write!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(file)
    }

    pub(super) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    pub(super) fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The port of the last start.
    pub(super) fn read_port(&self) -> Option<u16> {
        read_port(&self.root)
    }

    /// The major version that made the cluster, if there is a cluster.
    pub(super) fn cluster_major(&self) -> Option<u32> {
        std::fs::read_to_string(cluster(&self.root).join("PG_VERSION")).ok()?.trim().parse().ok()
    }
}

/// The cluster in the keeper's folder.
pub(super) fn cluster(root: &Path) -> PathBuf {
    root.join("data")
}

pub(super) fn port_file(root: &Path) -> PathBuf {
    root.join("port")
}

pub(super) fn read_port(root: &Path) -> Option<u16> {
    std::fs::read_to_string(port_file(root)).ok()?.trim().parse().ok()
}

/// The same folder at every start: below the keeper's folder, or, where that path is too long for a
/// socket, a folder of the owner's alone in `/tmp` whose name follows from the path.
fn socket_dir(root: &Path, uid: u32) -> PathBuf {
    let near = root.join("run");
    if near.as_os_str().len() <= LONGEST_SOCKET_DIR {
        return near;
    }
    let digest = hex::encode(Sha256::digest(root.as_os_str().as_encoded_bytes()));
    let short: String = digest.chars().take(16).collect();
    Path::new("/tmp").join(format!("paddock-{uid}-{short}"))
}

impl Owner {
    /// Ourselves; for root the owner of the existing folder, else `postgres`, else `nobody`.
    fn choose(root: &Path) -> Result<Self> {
        let us = rustix::process::geteuid();
        if !us.is_root() {
            let gid = rustix::process::getegid().as_raw();
            return Ok(Self { name: "that runs Paddock".to_owned(), uid: us.as_raw(), gid, change: false });
        }
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let users: Vec<Self> = passwd.lines().filter_map(Self::parse).collect();
        if let Ok(metadata) = root.metadata()
            && metadata.uid() != 0
            && let Some(user) = users.iter().find(|user| user.uid == metadata.uid())
        {
            return Ok(user.clone());
        }
        let named = |name: &str| users.iter().find(|user| user.name == name && user.uid != 0).cloned();
        named("postgres").or_else(|| named("nobody")).ok_or(EmbeddedError::NoOwner)
    }

    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Self { name, uid, gid, change: true })
    }

    /// Makes the command run as this owner.
    pub(super) fn apply_to(&self, command: &mut Command) {
        if self.change {
            command.uid(self.uid).gid(self.gid);
        }
    }

    fn check_can_enter(&self, folder: &Path) -> Result<()> {
        for ancestor in folder.ancestors() {
            let metadata =
                ancestor.metadata().map_err(|source| EmbeddedError::io("look at", ancestor.display(), source))?;
            let bit = if metadata.uid() == self.uid {
                0o100
            } else if metadata.gid() == self.gid {
                0o010
            } else {
                0o001
            };
            if metadata.mode() & bit == 0 {
                return Err(EmbeddedError::Closed { user: self.name.clone(), folder: ancestor.to_owned() });
            }
        }
        Ok(())
    }

    /// True when this owner can execute files in the folder.
    pub(super) fn can_use(&self, folder: &Path) -> bool {
        !self.change || folder.canonicalize().is_ok_and(|folder| self.check_can_enter(&folder).is_ok())
    }
}

/// The running program, also after its file was replaced by a new version.
pub(super) fn own_program() -> std::io::Result<PathBuf> {
    let itself = PathBuf::from("/proc/self/exe");
    if itself.exists() { Ok(itself) } else { std::env::current_exe() }
}

/// A path that a process of another user can execute: through the open file where the system
/// offers that.
pub(super) fn executable_path(open: &File, path: &Path) -> PathBuf {
    if cfg!(target_os = "linux") {
        PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd()))
    } else {
        path.to_owned()
    }
}

/// The children of a folder whose name begins with `prefix`, in no order.
pub(super) fn children(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let starts = |path: &PathBuf| path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with(prefix));
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(starts).collect()
}

fn mode_of(path: &Path) -> Result<u32> {
    Ok(path.metadata().map_err(|source| EmbeddedError::io("look at", path.display(), source))?.mode() & 0o7777)
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    if mode_of(path)? == mode {
        return Ok(());
    }
    std::fs::set_permissions(path, Permissions::from_mode(mode))
        .map_err(|source| EmbeddedError::io("set the mode of", path.display(), source))
}
