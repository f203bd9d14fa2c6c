//! Where things lie unless told otherwise (XDG base directories; `/var` for root).

use std::path::PathBuf;

/// The data directory: `/var/lib/paddock` for root, else `$XDG_DATA_HOME/paddock`.
pub fn default_data_dir() -> PathBuf {
    base("/var/lib", "XDG_DATA_HOME", ".local/share")
}

/// The cache directory: `/var/cache/paddock` for root, else `$XDG_CACHE_HOME/paddock`.
pub fn default_cache_dir() -> PathBuf {
    base("/var/cache", "XDG_CACHE_HOME", ".cache")
}

fn base(system: &str, variable: &str, in_home: &str) -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from(system).join("paddock");
    }
    // XDG: a relative path is to be ignored.
    let set = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = set.unwrap_or_else(|| std::env::home_dir().unwrap_or_else(std::env::temp_dir).join(in_home));
    base.join("paddock")
}
