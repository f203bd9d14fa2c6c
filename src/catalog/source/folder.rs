//! A folder of this machine, read through handles so that no name can lead out of it.
//!
//! Every step is `openat` with `O_NOFOLLOW` below the handle of the folder above (security.md
//! 2.8, rows 1 and 3): a symbolic link is refused even when it appears between listing and reading.

use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, openat, statat};

use super::{Entry, EntryKind, MAX_DEPTH, MAX_ENTRIES, MAX_PATH, SKIPPED, SourceError, Tree, is_plain_name, too_many};

/// An opened folder.
#[derive(Debug)]
pub struct FolderTree {
    root: OwnedFd,
}

impl FolderTree {
    /// Opens the folder. The path itself is the operator's and may be a link.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| {
            SourceError::Unreadable(format!(
                "The folder {} cannot be opened: {}. Check the path and that the server may read it.",
                path.display(),
                std::io::Error::from(error)
            ))
        })?;
        Ok(Self { root })
    }

    fn list(&self, folder: &OwnedFd, prefix: &str, depth: usize, found: &mut Vec<Entry>) -> Result<(), SourceError> {
        let mut names = Vec::new();
        let dir = Dir::read_from(folder).map_err(|error| unreadable(prefix, error))?;
        for entry in dir {
            let entry = entry.map_err(|error| unreadable(prefix, error))?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(name.to_vec());
            }
            if names.len() + found.len() > MAX_ENTRIES {
                return Err(too_many());
            }
        }
        names.sort();
        for name in names {
            self.add(folder, prefix, &name, depth, found)?;
        }
        Ok(())
    }

    fn add(
        &self,
        folder: &OwnedFd,
        prefix: &str,
        bytes: &[u8],
        depth: usize,
        found: &mut Vec<Entry>,
    ) -> Result<(), SourceError> {
        let lossy = String::from_utf8_lossy(bytes);
        let path = if prefix.is_empty() { lossy.to_string() } else { format!("{prefix}/{lossy}") };
        let mut push = |kind| {
            found.push(Entry { path: path.chars().filter(|c| !c.is_control()).collect(), kind });
            if found.len() > MAX_ENTRIES { Err(too_many()) } else { Ok(()) }
        };
        let Some(name) = std::str::from_utf8(bytes).ok().filter(|name| is_plain_name(name)) else {
            return push(EntryKind::Unreadable(
                "Its name has characters that no template file may have. Rename it.".into(),
            ));
        };
        if path.len() > MAX_PATH {
            return push(EntryKind::Unreadable(format!("Its path is longer than {MAX_PATH} bytes. Shorten it.")));
        }
        let stat = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(error) => return push(EntryKind::Unreadable(cannot_read(error))),
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => push(EntryKind::File {
                executable: stat.st_mode & 0o100 != 0,
                size: u64::try_from(stat.st_size).unwrap_or(u64::MAX),
            }),
            FileType::Symlink => push(EntryKind::Symlink),
            FileType::Directory if SKIPPED.contains(&name) => Ok(()),
            FileType::Directory if depth >= MAX_DEPTH => push(EntryKind::Unreadable(format!(
                "Folders are read {MAX_DEPTH} deep; this one lies deeper. Move it up."
            ))),
            FileType::Directory => match openat(folder, name, below(OFlags::DIRECTORY), Mode::empty()) {
                Ok(inner) => self.list(&inner, &path, depth + 1, found),
                Err(error) => push(EntryKind::Unreadable(cannot_read(error))),
            },
            _ => push(EntryKind::Unreadable("It is neither a file nor a folder. Remove it.".into())),
        }
    }

    fn read_file(&self, path: &str, limit: u64) -> Result<Vec<u8>, rustix::io::Errno> {
        let mut steps: Vec<&str> = path.split('/').collect();
        let name = steps.pop().unwrap_or_default();
        let mut above: Option<OwnedFd> = None;
        for step in steps {
            let inner = openat(above.as_ref().unwrap_or(&self.root), step, below(OFlags::DIRECTORY), Mode::empty())?;
            above = Some(inner);
        }
        // NONBLOCK: a pipe that took the file's place must not hold us up.
        let file = openat(above.as_ref().unwrap_or(&self.root), name, below(OFlags::NONBLOCK), Mode::empty())?;
        if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
            return Err(rustix::io::Errno::NOTSUP);
        }
        let mut content = Vec::new();
        std::fs::File::from(file)
            .take(limit.saturating_add(1))
            .read_to_end(&mut content)
            .map_err(|error| rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO))?;
        if content.len() as u64 > limit {
            return Err(rustix::io::Errno::FBIG);
        }
        Ok(content)
    }
}

impl Tree for FolderTree {
    fn entries(&self) -> Result<Vec<Entry>, SourceError> {
        let mut found = Vec::new();
        self.list(&self.root, "", 0, &mut found)?;
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, String> {
        if !path.split('/').all(is_plain_name) {
            return Err("Its path leaves the source.".to_owned());
        }
        self.read_file(path, limit).map_err(cannot_read)
    }
}

fn below(flags: OFlags) -> OFlags {
    flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

fn cannot_read(error: rustix::io::Errno) -> String {
    match error {
        rustix::io::Errno::LOOP => "It became a symbolic link while it was read. Links are never followed.".to_owned(),
        rustix::io::Errno::FBIG => "It grew beyond the limit while it was read.".to_owned(),
        rustix::io::Errno::ACCESS | rustix::io::Errno::PERM => {
            "The server may not read it. Change its permissions.".to_owned()
        }
        other => format!("It cannot be read: {}.", std::io::Error::from(other)),
    }
}

fn unreadable(prefix: &str, error: rustix::io::Errno) -> SourceError {
    let place = if prefix.is_empty() { "The source's folder" } else { prefix };
    SourceError::Unreadable(format!("{place} cannot be listed: {}.", std::io::Error::from(error)))
}
