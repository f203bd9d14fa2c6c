//! What is sent to a host and what comes back, as archives.

use std::collections::BTreeSet;
use std::io::{Cursor, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use tar::{Archive, Builder, EntryType, Header};

use crate::providers::scripts::{DIFFERENCES, ERRORS, OUTPUTS, RESULT_CODE, STORAGE};
use crate::providers::workspace::{Workspace, write_files, write_private};
use crate::providers::{ProviderError, TemplateFile};

/// What of the workspace goes to the host, where it is there.
const SENT: [&str; 8] = ["files", "bin", "tmp", STORAGE, "inputs.json", "action.json", OUTPUTS, ERRORS];
/// The last file of an archive: when it has arrived, all has.
const WHOLE: &str = "whole";

/// The workspace, with `launch` as the script that starts the template's.
pub fn pack(workspace: &Workspace, launch: &str) -> Result<Vec<u8>, ProviderError> {
    let mut archive = Builder::new(Vec::new());
    for name in SENT {
        let path = workspace.path(name);
        if path.symlink_metadata().is_ok() {
            add(&mut archive, &path, Path::new(name))?;
        }
    }
    for (name, text) in [("launch", launch), (WHOLE, "")] {
        append(&mut archive, Path::new(name), EntryType::Regular, 0o600, text.as_bytes())?;
    }
    archive.into_inner().map_err(ProviderError::internal)
}

fn add(archive: &mut Builder<Vec<u8>>, path: &Path, name: &Path) -> Result<(), ProviderError> {
    let data = path.symlink_metadata().map_err(ProviderError::internal)?;
    if data.is_dir() {
        append(archive, name, EntryType::Directory, 0o700, &[])?;
        let entries = std::fs::read_dir(path).map_err(ProviderError::internal)?;
        let names: Result<BTreeSet<_>, _> = entries.map(|entry| entry.map(|entry| entry.file_name())).collect();
        for inner in names.map_err(ProviderError::internal)? {
            add(archive, &path.join(&inner), &name.join(&inner))?;
        }
    } else if data.is_file() {
        let mode = if data.permissions().mode() & 0o100 != 0 { 0o700 } else { 0o600 };
        let content = std::fs::read(path).map_err(ProviderError::internal)?;
        append(archive, name, EntryType::Regular, mode, &content)?;
    }
    Ok(())
}

fn append(
    archive: &mut Builder<Vec<u8>>,
    name: &Path,
    kind: EntryType,
    mode: u32,
    content: &[u8],
) -> Result<(), ProviderError> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(content.len() as u64);
    // An old day: a host's clock may be behind, and warns of files of the future.
    header.set_mtime(1_000_000_000);
    archive.append_data(&mut header, name, content).map_err(ProviderError::internal)
}

/// Brings what a script left on the host into the workspace; of one that only looked, what it said.
pub fn unpack(workspace: &Workspace, archive: &[u8], looks: bool) -> Result<(), ProviderError> {
    let wrong = |_| ProviderError::failed("what the host sent back cannot be read");
    if !looks {
        workspace.empty_folder(STORAGE)?;
    }
    let mut archive = Archive::new(Cursor::new(archive));
    for entry in archive.entries().map_err(wrong)? {
        let mut entry = entry.map_err(wrong)?;
        let path: PathBuf = entry.path().map_err(wrong)?.components().filter(|c| *c != Component::CurDir).collect();
        let first = path.iter().next().and_then(|first| first.to_str()).unwrap_or_default().to_owned();
        if entry.header().entry_type() != EntryType::Regular {
            continue;
        }
        let mode = entry.header().mode().map_err(wrong)?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(wrong)?;
        match (first.as_str(), path.strip_prefix(STORAGE)) {
            (STORAGE, Ok(inner)) if !looks => {
                let Some(inner) = inner.to_str() else { continue };
                let file = TemplateFile { path: inner.to_owned(), executable: mode & 0o100 != 0, content };
                write_files(&workspace.path(STORAGE), [&file])?;
            }
            (ERRORS | RESULT_CODE | DIFFERENCES, _) => write_private(&workspace.path(&first), &content)?,
            (OUTPUTS, _) if !looks => write_private(&workspace.path(&first), &content)?,
            _ => {}
        }
    }
    Ok(())
}
