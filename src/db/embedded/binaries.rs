//! Finding a Postgres: an installed one, then one in our cache, then a download.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::layout::{self, Layout};
use super::{EmbeddedError, Reporter, Result, download};

/// The oldest major version whose SQL we speak.
const OLDEST: u32 = 15;

#[derive(Debug)]
struct Found {
    bin: PathBuf,
    major: u32,
    version: String,
}

/// The folder with `postgres` and `initdb`: of the major version that made the existing cluster,
/// else of the newest one.
pub(super) async fn find(cache_dir: &Path, layout: &Layout, reporter: &dyn Reporter) -> Result<PathBuf> {
    let wanted = layout.cluster_major();
    for folders in [installed().await, cached(cache_dir)] {
        if let Some(found) = best(folders, wanted, layout).await {
            reporter.line(&format!("Using PostgreSQL {} in {}", found.version, found.bin.display()));
            return Ok(found.bin);
        }
    }
    let why = download::fetch(cache_dir, wanted, reporter).await.err().unwrap_or_default();
    match best(cached(cache_dir), wanted, layout).await {
        Some(found) => {
            reporter.line(&format!("Using PostgreSQL {} in {}", found.version, found.bin.display()));
            Ok(found.bin)
        }
        None => Err(EmbeddedError::NoPostgres { wanted, why }),
    }
}

async fn best(folders: Vec<PathBuf>, wanted: Option<u32>, layout: &Layout) -> Option<Found> {
    let mut best: Option<Found> = None;
    for folder in folders {
        let Some(found) = look(&folder, layout).await else { continue };
        let fits = wanted.map_or(found.major >= OLDEST, |wanted| found.major == wanted);
        if fits && best.as_ref().is_none_or(|best| found.major > best.major) {
            best = Some(found);
        }
    }
    best
}

async fn look(folder: &Path, layout: &Layout) -> Option<Found> {
    let postgres = folder.join("postgres");
    if !postgres.is_file() || !folder.join("initdb").is_file() || !layout.owner().can_use(folder) {
        return None;
    }
    let output = Command::new(postgres).arg("--version").output().await.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    // postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)
    let version = text.split_whitespace().nth(2)?.to_owned();
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    Some(Found { bin: folder.to_owned(), major: digits.parse().ok()?, version })
}

async fn installed() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output().await
        && let Ok(text) = String::from_utf8(output.stdout)
        && !text.trim().is_empty()
    {
        folders.push(PathBuf::from(text.trim()));
    }
    // Debian, Red Hat, Homebrew on both processors, Postgres.app: one folder for each version.
    for (parent, prefix) in [
        ("/usr/lib/postgresql", ""),
        ("/usr", "pgsql-"),
        ("/usr/libexec", "postgresql"),
        ("/opt/homebrew/opt", "postgresql"),
        ("/usr/local/opt", "postgresql"),
        ("/Applications/Postgres.app/Contents/Versions", ""),
    ] {
        for folder in layout::children(Path::new(parent), prefix) {
            folders.push(folder.join("bin"));
            folders.push(folder);
        }
    }
    folders.extend(["/usr/local/pgsql/bin", "/usr/bin", "/usr/local/bin"].map(PathBuf::from));
    folders
}

fn cached(cache_dir: &Path) -> Vec<PathBuf> {
    layout::children(&download::folder(cache_dir), "").into_iter().map(|folder| folder.join("bin")).collect()
}
