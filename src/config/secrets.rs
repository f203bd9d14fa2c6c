//! Encryption keys and other secrets from files.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};

use super::{ConfigError, Result, StoreConfig};
use crate::base::{Entropy, Sealer};

const KEY_FILE_NAME: &str = "paddock.key";

/// How to name the keys.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Encryption of secrets")]
pub struct KeyArgs {
    /// 64 hex digits; several, separated by commas, while a key is being changed: the first one seals
    // An environment variable only: a flag's value would stand in the list of processes.
    #[arg(long, global = true, env = "PADDOCK_KEY", hide_env_values = true, hide = true)]
    key: Option<String>,
    /// A file with the key, 64 hex digits; one key a line while a key is being changed: the first one seals
    /// [default: paddock.key in the data directory, made at the first start, when Postgres is the private one]
    #[arg(long, global = true, env = "PADDOCK_KEY_FILE", value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// Where the encryption keys are.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// These, from this setting.
    Given {
        /// The keys, separated by commas or white space. The first one seals.
        keys: SecretString,
        /// The setting that they came from.
        from: String,
    },
    /// This file in the data directory, which may not be there yet.
    File(PathBuf),
}

impl KeyArgs {
    pub(super) fn check(self, data_dir: &Path) -> Result<KeySource> {
        if let Some(keys) = self.key.filter(|keys| !keys.trim().is_empty()) {
            return Ok(KeySource::Given { keys: keys.into(), from: "PADDOCK_KEY".to_owned() });
        }
        if let Some(file) = self.key_file {
            let keys = read_secret_file("--key-file (PADDOCK_KEY_FILE)", &file)?;
            return Ok(KeySource::Given { keys, from: file.display().to_string() });
        }
        Ok(KeySource::File(data_dir.join(KEY_FILE_NAME)))
    }
}

impl StoreConfig {
    /// The sealer of this installation. `may_create` makes the key file at the first start, for
    /// `up`, which is alone; otherwise a missing key is an error.
    pub fn sealer(&self, entropy: &dyn Entropy, may_create: bool) -> Result<Sealer> {
        let file = match &self.keys {
            KeySource::Given { keys, from } => return parse(keys, from.clone()),
            KeySource::File(file) => file,
        };
        let from = file.display().to_string();
        match read_secret_file("the encryption key", file) {
            Ok(keys) => parse(&keys, from),
            Err(ConfigError::Unreadable { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                if !may_create {
                    return Err(ConfigError::NoKey);
                }
                parse(&create(file, entropy)?, from)
            }
            Err(error) => Err(error),
        }
    }
}

fn parse(keys: &SecretString, from: String) -> Result<Sealer> {
    let parts = keys.expose_secret().split([',', '\n', ' ']).map(str::trim).filter(|part| !part.is_empty());
    Sealer::from_hex(parts).map_err(|source| ConfigError::BadKey { from, source })
}

/// Makes the key file: the whole key or nothing, readable by its owner only, never over another.
fn create(file: &Path, entropy: &dyn Entropy) -> Result<SecretString> {
    let unwritable = |source| ConfigError::Unwritable { path: file.to_owned(), source };
    let folder = file.parent().unwrap_or(Path::new("."));
    // As the embedded server wants it: its owner passes through, and nobody lists it.
    DirBuilder::new().recursive(true).mode(0o711).create(folder).map_err(unwritable)?;
    let key = SecretString::from(hex::encode(entropy.bytes32()));
    let new = file.with_extension("key.new");
    let mut handle =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new).map_err(unwritable)?;
    handle.write_all(format!("{}\n", key.expose_secret()).as_bytes()).map_err(unwritable)?;
    handle.sync_all().map_err(unwritable)?;
    // A link, not a rename: it fails when another process was first.
    let linked = std::fs::hard_link(&new, file);
    std::fs::remove_file(&new).map_err(unwritable)?;
    match linked {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => read_secret_file("the encryption key", file),
        Err(error) => Err(unwritable(error)),
    }
}

/// The text of a file that holds one secret, without the white space around it.
pub fn read_secret_file(flag: &'static str, path: &Path) -> Result<SecretString> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        flag,
        path: path.to_owned(),
        source,
    })?;
    if text.trim().is_empty() {
        return Err(ConfigError::invalid(flag, format!("{} is empty", path.display())));
    }
    Ok(SecretString::from(text.trim()))
}
