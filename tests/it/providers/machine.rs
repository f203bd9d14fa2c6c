//! This machine, as the providers that run programs see it.

use std::path::{Path, PathBuf};

use paddock::providers::Settings;

use crate::support::program;
pub use crate::support::wait::lines;
use crate::support::wait::until_true;

pub fn settings(folder: &Path) -> Settings {
    let path = std::env::var_os("PATH").unwrap();
    Settings::new(folder.join("work"), program::path(), path)
}

/// A folder of the sample catalog.
pub fn catalog(template: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("catalog").join(template)
}

/// Waits for something that another process does.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    until_true(what, async || condition()).await;
}

/// Whether a process runs, by its id as text.
pub fn is_alive(pid: &str) -> bool {
    // A zombie has ended: only its parent has not looked yet.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}
