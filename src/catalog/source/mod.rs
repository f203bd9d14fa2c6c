//! Where templates come from: a folder, a Git branch, the sample catalog in the binary.
//!
//! Every source shows itself as a [`Tree`]: a list of what is in it, and bytes on demand. A tree
//! never follows a symbolic link and never leaves its root; what it cannot give safely stands in
//! the list as such, so that the loader can say so. Reading blocks: callers use a blocking thread.

#[cfg_attr(not(feature = "git"), allow(dead_code, reason = "nobody asks for a credential without Git"))]
mod credentials;
mod embedded;
mod folder;
#[cfg(feature = "git")]
mod git;

use super::model::SourceKind;
use crate::base::is_loopback;

pub use credentials::use_git_credentials;
pub use folder::FolderTree;

/// Most files and folders that a source may list: the largest public catalogs have some 2,000.
pub const MAX_ENTRIES: usize = 20_000;
/// Deepest folder that is looked into.
pub const MAX_DEPTH: usize = 16;
/// Longest path, in bytes.
pub const MAX_PATH: usize = 512;

/// Folders that belong to tools, not to templates: history, and downloaded Terraform providers.
const SKIPPED: [&str; 2] = [".git", ".terraform"];

/// One thing in a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the root, with `/`.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
}

/// What a thing in a source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A file.
    File {
        /// Whether its owner may execute it.
        executable: bool,
        /// Its size in bytes.
        size: u64,
    },
    /// A symbolic link: never followed.
    Symlink,
    /// Something that is not read, with the reason in words.
    Unreadable(String),
}

/// Why a source cannot be read as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It is wrong or refused: somebody has to change something.
    #[error("{0}")]
    Unreadable(String),
    /// Something did not answer: trying again may help.
    #[cfg_attr(not(feature = "git"), allow(dead_code, reason = "only Git asks somebody else"))]
    #[error("{0}")]
    Unavailable(String),
}

/// A source, opened.
pub trait Tree {
    /// Everything in it, sorted by path.
    fn entries(&self) -> Result<Vec<Entry>, SourceError>;

    /// The bytes of a file, at most `limit`; the reason in words when it cannot be read.
    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, String>;

    /// The commit that it shows, for Git.
    fn commit(&self) -> Option<String> {
        None
    }
}

/// What has to be opened.
#[derive(Debug, Clone)]
pub struct Location {
    /// Where templates come from.
    pub kind: SourceKind,
    /// Folder path or repository URL.
    pub location: String,
    /// The branch, for Git.
    #[cfg_attr(not(feature = "git"), allow(dead_code, reason = "only Git has branches"))]
    pub branch: Option<String>,
    /// The folder inside that holds the templates.
    pub folder: String,
}

/// Opens a source. Blocks, for Git up to its time limit.
pub fn open(source: &Location) -> Result<Box<dyn Tree>, SourceError> {
    match source.kind {
        SourceKind::Folder => {
            let root = std::path::Path::new(&source.location).join(&source.folder);
            Ok(Box::new(FolderTree::open(&root)?))
        }
        SourceKind::Embedded => Ok(Box::new(embedded::EmbeddedTree)),
        #[cfg(feature = "git")]
        SourceKind::Git => Ok(Box::new(git::GitTree::open(source, &git::Limits::default())?)),
        #[cfg(not(feature = "git"))]
        SourceKind::Git => Err(SourceError::Unreadable(
            "This build of Paddock cannot read Git repositories: it was made without the feature “git”.".to_owned(),
        )),
    }
}

/// Whether a repository's address may be used: https, ssh, or a repository on this machine.
///
/// No other transport (`ext::` runs commands), nothing that a Git client could take for an
/// option, and no credential inside: addresses are shown on pages and in the audit log.
pub fn check_url(text: &str) -> Result<(), &'static str> {
    if text.is_empty()
        || text.starts_with('-')
        || text.contains("::")
        || text.chars().any(|c| c.is_control() || c == ' ')
    {
        return Err("is not the address of a Git repository");
    }
    if text.starts_with('/') {
        return Ok(());
    }
    let url =
        url::Url::parse(text).map_err(|_| "must be an address such as https://git.example.com/team/catalog.git")?;
    if url.password().is_some() || (url.scheme() != "ssh" && !url.username().is_empty()) {
        return Err("must not carry a password or token: addresses are shown to people");
    }
    match url.scheme() {
        "https" | "ssh" | "http" if url.host_str().is_none_or(|host| host.is_empty() || host.starts_with('-')) => {
            Err("names no host")
        }
        "https" | "ssh" | "file" => Ok(()),
        "http" if is_loopback(&url) => Ok(()),
        "http" => Err("must use https: over http anybody on the way could change the templates"),
        _ => Err("must begin with https:// or ssh://"),
    }
}

/// Whether a text may name a branch (the rules of `git check-ref-format`, narrowed).
pub fn is_branch(text: &str) -> bool {
    let locked = text.rsplit('.').next() == Some("lock");
    !text.is_empty()
        && text.len() <= 200
        && !text.starts_with(['-', '/', '.'])
        && !text.ends_with(['/', '.'])
        && !locked
        && !text.contains("..")
        && !text.contains("//")
        && !text.contains("@{")
        && text.chars().all(|c| !c.is_control() && !c.is_whitespace() && !"~^:?*[\\".contains(c))
}

/// Whether a name may stand in a path: no separators, no way up, nothing invisible.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name != "."
        && name != ".."
        && !name.contains(['/', '\\', '\0'])
        && !name.chars().any(char::is_control)
}

fn too_many() -> SourceError {
    SourceError::Unreadable(format!(
        "The source holds more than {MAX_ENTRIES} files. Point it at the folder that holds the templates, or split it."
    ))
}
