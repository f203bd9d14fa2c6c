//! A folder on this machine for one environment, used by one attempt at a time.
//!
//! Two locks. `owner.lock` is held by the attempt that uses the folder and falls with its process.
//! `guard.lock` is held by the guard while a program runs (see [`super::guard`]), which may outlive
//! the attempt for a grace. Whoever opens the folder waits for both, so files are never changed
//! under a program that still runs.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{Job, ProviderError, TemplateFile};
use crate::base::id::EnvironmentId;

/// How long to wait for an earlier attempt: its grace, and some more.
const WAIT: Duration = Duration::from_mins(2);
/// The guard's file, in which it also says what became of the last program.
pub const LOCK: &str = "guard.lock";
const POLL: Duration = Duration::from_millis(50);

/// The folder, held.
#[derive(Debug)]
pub struct Workspace {
    root: PathBuf,
    _owner: File,
    idle: Option<File>,
    cancel: CancellationToken,
}

impl Workspace {
    /// Opens the environment's folder below `work_root`, and waits until nothing uses it any more.
    pub async fn open(work_root: &Path, job: &Job) -> Result<Self, ProviderError> {
        let mut workspace = Self::own(work_root, job).await?;
        workspace.hold().await?;
        Ok(workspace)
    }

    /// The same without waiting for programs: what an earlier attempt started may still run in it.
    pub async fn own(work_root: &Path, job: &Job) -> Result<Self, ProviderError> {
        let root = work_root.join(job.environment.to_string());
        let owner = acquire(&root, "owner.lock", &job.cancel).await?;
        Ok(Self { root, _owner: owner, idle: None, cancel: job.cancel.clone() })
    }

    /// Waits until no program runs in it.
    pub async fn hold(&mut self) -> Result<(), ProviderError> {
        if self.idle.is_none() {
            self.idle = Some(acquire(&self.root, LOCK, &self.cancel).await?);
        }
        Ok(())
    }

    /// Hands the guard's lock over to the program about to be started: its path.
    pub fn release(&mut self) -> PathBuf {
        self.idle = None;
        self.root.join(LOCK)
    }

    /// A path inside.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// An empty folder inside; what was in it before is gone.
    pub fn empty_folder(&self, name: &str) -> Result<PathBuf, ProviderError> {
        let folder = self.path(name);
        remove(&folder)?;
        self.folder(name)
    }

    /// A folder inside; what was in it before stays.
    pub fn folder(&self, name: &str) -> Result<PathBuf, ProviderError> {
        let folder = self.path(name);
        make_folder(&folder)?;
        Ok(folder)
    }

    /// Removes the folder and all secrets in it.
    pub fn remove(self) -> Result<(), ProviderError> {
        // Whoever waits for a lock in it finds out that the file is not there any more.
        remove(&self.root)
    }
}

/// What is left in an environment's folder when nothing else is: Paddock does not have it yet.
const KEPT: &str = "errored.tfstate";

/// The environments that have a folder below `work_root`.
pub fn environments(work_root: &Path) -> Vec<EnvironmentId> {
    let Ok(entries) = std::fs::read_dir(work_root) else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Removes what runs that are over left in the environment's folder, above all their secrets, but for
/// a state that was not handed over. `false`: somebody works there. Blocks.
pub fn tidy(work_root: &Path, environment: EnvironmentId) -> Result<bool, ProviderError> {
    let root = work_root.join(environment.to_string());
    let (Some(_owner), Some(_idle)) = (try_lock(&root.join("owner.lock")), try_lock(&root.join(LOCK))) else {
        return Ok(false);
    };
    let files = root.join("files");
    if !files.join(KEPT).exists() {
        return remove(&root).map(|()| true);
    }
    for (folder, kept) in [(&files, &[KEPT][..]), (&root, &["files", "owner.lock", LOCK])] {
        for entry in std::fs::read_dir(folder).map_err(|error| trouble(folder, &error))?.flatten() {
            if !kept.iter().any(|name| entry.file_name() == *name) {
                remove(&entry.path())?;
            }
        }
    }
    Ok(true)
}

fn try_lock(path: &Path) -> Option<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path).ok()?;
    (file.try_lock().is_ok() && is_still(&file, path)).then_some(file)
}

/// Opens and locks `root/name`, which somebody else may be removing.
async fn acquire(root: &Path, name: &str, cancel: &CancellationToken) -> Result<File, ProviderError> {
    let path = root.join(name);
    let until = Instant::now() + WAIT;
    loop {
        if cancel.is_cancelled() {
            return Err(ProviderError::Canceled);
        }
        make_folder(root)?;
        if let Ok(file) = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path)
            && file.try_lock().is_ok()
            && is_still(&file, &path)
        {
            return Ok(file);
        }
        if Instant::now() > until {
            return Err(ProviderError::retryable(
                "an earlier attempt still works in this environment's folder on this machine",
            ));
        }
        tokio::select! {
            () = cancel.cancelled() => return Err(ProviderError::Canceled),
            () = sleep(POLL) => {}
        }
    }
}

fn is_still(file: &File, path: &Path) -> bool {
    match (file.metadata(), path.metadata()) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// Makes a folder that only our user can read.
pub fn make_folder(path: &Path) -> Result<(), ProviderError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| trouble(path, &error))
}

/// Removes a file or folder; gone already is fine.
pub fn remove(path: &Path) -> Result<(), ProviderError> {
    let result = match path.symlink_metadata() {
        Ok(data) if data.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(trouble(path, &error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes a file that only our user can read, whole or not at all.
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), ProviderError> {
    write(path, content, false).map_err(|error| trouble(path, &error))
}

fn write(path: &Path, content: &[u8], executable: bool) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mode = if executable { 0o700 } else { 0o600 };
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(mode).open(&beside)?;
    file.write_all(content)?;
    // The mode above is for a new file only.
    file.set_permissions(Permissions::from_mode(mode))?;
    std::fs::rename(&beside, path)
}

/// Writes the files below `folder`. Paths were checked when the catalog was read, and are again.
pub fn write_files<'a>(folder: &Path, files: impl IntoIterator<Item = &'a TemplateFile>) -> Result<(), ProviderError> {
    for file in files {
        let relative = Path::new(&file.path);
        let safe = !file.path.is_empty() && relative.components().all(|part| matches!(part, Component::Normal(_)));
        if !safe {
            return Err(ProviderError::failed(format!("the template's file “{}” leaves its folder", file.path)));
        }
        let path = folder.join(relative);
        if let Some(parent) = path.parent() {
            make_folder(parent)?;
        }
        write(&path, &file.content, file.executable).map_err(|error| trouble(&path, &error))?;
    }
    Ok(())
}

/// Reads a file; `None` when it is not there.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, ProviderError> {
    match std::fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(trouble(path, &error)),
    }
}

/// A full disk passes, and so may the rest: none of it is the template's fault.
fn trouble(path: &Path, error: &std::io::Error) -> ProviderError {
    ProviderError::retryable(format!("the worker cannot use its folder {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> TemplateFile {
        TemplateFile { path: path.to_owned(), executable: true, content: b"x".to_vec() }
    }

    #[test]
    fn files_stay_in_their_folder() {
        let folder = tempfile::tempdir().unwrap();
        write_files(folder.path(), [&file("a/b.sh"), &file("a/b.sh")]).unwrap();
        assert_eq!(folder.path().join("a/b.sh").metadata().unwrap().mode() & 0o777, 0o700);
        for bad in ["../x", "/etc/x", "a/../../x", ""] {
            let error = write_files(folder.path(), [&file(bad)]).unwrap_err();
            assert!(error.to_string().contains("leaves its folder"), "{bad}: {error}");
        }
    }

    #[test]
    fn what_is_over_goes_and_a_state_that_paddock_lacks_stays() {
        let work = tempfile::tempdir().unwrap();
        let environment = EnvironmentId(uuid::Uuid::from_u128(5));
        let root = work.path().join(environment.to_string());
        let fill = |name: &str| {
            make_folder(&root.join("files")).unwrap();
            write_private(&root.join(name), b"secret").unwrap();
        };
        fill("inputs.json");
        make_folder(&work.path().join("simulated")).unwrap();
        assert_eq!(environments(work.path()), [environment]);
        let used = try_lock(&root.join("owner.lock")).unwrap();
        assert!(!tidy(work.path(), environment).unwrap());
        assert!(root.join("inputs.json").exists(), "somebody works there");
        drop(used);
        assert!(tidy(work.path(), environment).unwrap());
        assert!(!root.exists());

        for name in ["inputs.json", "files/terraform.tfvars.json", "files/errored.tfstate"] {
            fill(name);
        }
        assert!(tidy(work.path(), environment).unwrap());
        assert!(root.join("files/errored.tfstate").exists());
        assert!(!root.join("inputs.json").exists() && !root.join("files/terraform.tfvars.json").exists());
    }

    #[tokio::test]
    async fn a_removed_lock_is_not_a_lock() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("env");
        let cancel = CancellationToken::new();
        let first = acquire(&root, "owner.lock", &cancel).await.unwrap();
        assert!(is_still(&first, &root.join("owner.lock")));
        remove(&root).unwrap();
        assert!(!is_still(&first, &root.join("owner.lock")));
        let second = acquire(&root, "owner.lock", &cancel).await.unwrap();
        assert!(is_still(&second, &root.join("owner.lock")));
        cancel.cancel();
        assert!(matches!(acquire(&root, "owner.lock", &cancel).await, Err(ProviderError::Canceled)));
    }
}
