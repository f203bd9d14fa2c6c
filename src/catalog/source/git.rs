//! One branch of a Git repository, read without a work tree.
//!
//! The rules of security.md 2.4. A remote branch is fetched one commit deep into a fresh folder
//! that is removed with the value; a repository on this machine is read in place. Files come
//! straight out of the object store: nothing is checked out, so there are no hooks, no filters, no
//! links and no submodules to fall for. No configuration of the machine is read; a credential is sent
//! only to the server that it is configured for ([`super::credentials`]). Time and size are bounded, also the size that a small pack may unfold to.
//!
//! Over https the address is resolved once, checked, and pinned; redirects are not followed. The
//! private ranges are allowed, since that is where self-hosted Git servers live; link-local (cloud
//! metadata), unspecified and multicast ones are not, nor loopback behind another name. Over ssh
//! the machine's `ssh` connects by itself: there the check comes before, without the pin.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use gix::object::tree::EntryKind as Mode;
use gix::protocol::transport::client::blocking_io::http;
use gix::remote::fetch::Shallow;
use tempfile::TempDir;

use super::credentials::{self, Credential};
use super::{Entry, EntryKind, Location, MAX_DEPTH, MAX_ENTRIES, MAX_PATH, SKIPPED, SourceError, Tree};
use super::{check_url, is_branch, is_plain_name, too_many};

/// How much a clone may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Time for the whole fetch.
    pub(super) time: Duration,
    /// Bytes on disk: one commit of a catalog has a few MiB.
    pub(super) bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_secs(120), bytes: 256 * 1024 * 1024 }
    }
}

/// Largest object that is unfolded in memory: 32 times what a template's file may have.
const MAX_OBJECT: u64 = 32 * 1024 * 1024;

/// How often time and size are looked at while a fetch runs.
const WATCH_EVERY: Duration = Duration::from_millis(50);

/// A commit, opened.
pub(super) struct GitTree {
    repository: gix::Repository,
    root: Option<gix::ObjectId>,
    commit: String,
    _clone: Option<Arc<TempDir>>,
}

impl GitTree {
    /// Fetches or opens the branch. Blocks, at most the time limit.
    pub(super) fn open(source: &Location, limits: &Limits) -> Result<Self, SourceError> {
        let address = source.location.as_str();
        check_url(address).map_err(|reason| SourceError::Unreadable(format!("The address “{address}” {reason}.")))?;
        if let Some(branch) = source.branch.as_deref().filter(|branch| !is_branch(branch)) {
            return Err(SourceError::Unreadable(format!("“{branch}” is not the name of a branch.")));
        }
        let (folder, clone) = match local_path(address) {
            Some(path) => (path, None),
            None => {
                let clone = fetch(address, source.branch.as_deref(), *limits)?;
                (clone.path().join("repository"), Some(clone))
            }
        };
        let repository = gix::open_opts(&folder, options()).map_err(|error| {
            let why = chain(&error);
            SourceError::Unreadable(format!("There is no Git repository at “{address}”: {why}. Check the address."))
        })?;
        let (commit, root) = find_root(&repository, source)?;
        Ok(Self { repository, root, commit, _clone: clone })
    }

    fn walk(&self, tree: gix::ObjectId, prefix: &str, depth: usize, found: &mut Vec<Entry>) -> Result<(), SourceError> {
        let tree = self.repository.find_tree(tree).map_err(|error| broken(&error))?;
        for entry in tree.iter() {
            let entry = entry.map_err(|error| broken(&error))?;
            let lossy = entry.filename().to_string();
            let path = if prefix.is_empty() { lossy.clone() } else { format!("{prefix}/{lossy}") };
            let name = std::str::from_utf8(entry.filename()).ok().filter(|name| is_plain_name(name));
            let kind = match (name, entry.mode().kind()) {
                (None, _) => EntryKind::Unreadable(
                    "Its name has characters that no template file may have. Rename it.".to_owned(),
                ),
                (Some(_), _) if path.len() > MAX_PATH => {
                    EntryKind::Unreadable(format!("Its path is longer than {MAX_PATH} bytes. Shorten it."))
                }
                (Some(name), Mode::Tree) if SKIPPED.contains(&name) => continue,
                (Some(_), Mode::Tree) if depth < MAX_DEPTH => {
                    self.walk(entry.object_id(), &path, depth + 1, found)?;
                    continue;
                }
                (Some(_), Mode::Tree) => EntryKind::Unreadable(format!(
                    "Folders are read {MAX_DEPTH} deep; this one lies deeper. Move it up."
                )),
                (Some(_), mode @ (Mode::Blob | Mode::BlobExecutable)) => {
                    let header = self.repository.find_header(entry.object_id()).map_err(|error| broken(&error))?;
                    EntryKind::File { executable: mode == Mode::BlobExecutable, size: header.size() }
                }
                (Some(_), Mode::Link) => EntryKind::Symlink,
                (Some(_), Mode::Commit) => EntryKind::Unreadable(
                    "This is a submodule. Submodules are not fetched: put the files themselves here.".to_owned(),
                ),
            };
            found.push(Entry { path: path.chars().filter(|c| !c.is_control()).collect(), kind });
            if found.len() > MAX_ENTRIES {
                return Err(too_many());
            }
        }
        Ok(())
    }
}

impl Tree for GitTree {
    fn entries(&self) -> Result<Vec<Entry>, SourceError> {
        let mut found = Vec::new();
        if let Some(root) = self.root {
            self.walk(root, "", 0, &mut found)?;
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, String> {
        let cannot = |error: &dyn std::error::Error| format!("It cannot be read: {}.", chain(error));
        let root = self.root.ok_or("It is not in the repository.")?;
        let tree = self.repository.find_tree(root).map_err(|error| cannot(&error))?;
        let entry =
            tree.lookup_entry_by_path(path).map_err(|error| cannot(&error))?.ok_or("It is not in the repository.")?;
        if !entry.mode().is_blob() {
            return Err("It is not a file.".to_owned());
        }
        if self.repository.find_header(entry.object_id()).map_err(|error| cannot(&error))?.size() > limit {
            return Err(format!("It is larger than {limit} bytes."));
        }
        let mut object = entry.object().map_err(|error| cannot(&error))?;
        Ok(std::mem::take(&mut object.data))
    }

    fn commit(&self) -> Option<String> {
        Some(self.commit.clone())
    }
}

/// The folder of a repository on this machine.
fn local_path(address: &str) -> Option<std::path::PathBuf> {
    if address.starts_with('/') {
        return Some(address.into());
    }
    let url = url::Url::parse(address).ok().filter(|url| url.scheme() == "file")?;
    url.to_file_path().ok()
}

/// No configuration of the machine, no credential helper, bounded objects.
fn options() -> gix::open::Options {
    gix::open::Options::isolated().config_overrides([
        format!("gitoxide.objects.allocLimit={MAX_OBJECT}"),
        "core.sshCommand=ssh -o BatchMode=yes -o ConnectTimeout=20".to_owned(),
        "protocol.ext.allow=never".to_owned(),
    ])
}

/// The commit of the branch, and the tree of the source's folder; none when the folder is not there.
fn find_root(repository: &gix::Repository, source: &Location) -> Result<(String, Option<gix::ObjectId>), SourceError> {
    let commit = match source.branch.as_deref() {
        Some(branch) => {
            let name = format!("refs/heads/{branch}");
            let mut found = repository
                .try_find_reference(name.as_str())
                .map_err(|error| broken(&error))?
                .ok_or_else(|| SourceError::Unreadable(format!("The repository has no branch “{branch}”.")))?;
            found.peel_to_commit().map_err(|error| broken(&error))?
        }
        None => repository.head_commit().map_err(|error| {
            let why = chain(&error);
            SourceError::Unreadable(format!("The repository's default branch has no commit: {why}."))
        })?,
    };
    let tree = commit.tree().map_err(|error| broken(&error))?;
    let folder = source.folder.trim_matches('/');
    let root = if folder.is_empty() || folder == "." {
        tree.id
    } else {
        let entry = tree.lookup_entry_by_path(folder).map_err(|error| broken(&error))?;
        let entry = entry.filter(|entry| entry.mode().is_tree()).ok_or_else(|| {
            SourceError::Unreadable(format!("The repository has no folder “{folder}” on this branch."))
        })?;
        entry.object_id()
    };
    Ok((commit.id.to_string(), Some(root)))
}

/// Fetches in a thread of its own and watches it: a server that falls silent must not hold us.
fn fetch(address: &str, branch: Option<&str>, limits: Limits) -> Result<Arc<TempDir>, SourceError> {
    let pinned = resolve(address)?;
    let folder = Arc::new(tempfile::tempdir().map_err(|error| {
        SourceError::Unavailable(format!("No folder for the clone can be made: {error}. Is the disk full?"))
    })?);
    let stop = Arc::new(AtomicBool::new(false));
    let (done, result) = mpsc::channel();
    let work = {
        let (folder, stop) = (Arc::clone(&folder), Arc::clone(&stop));
        let (address, branch) = (address.to_owned(), branch.map(str::to_owned));
        move || done.send(clone(&address, branch.as_deref(), pinned, folder.path(), &stop, limits.time)).ok()
    };
    std::thread::Builder::new()
        .name("catalog-git".to_owned())
        .spawn(work)
        .map_err(|error| SourceError::Unavailable(format!("No thread for the clone can be started: {error}.")))?;
    let start = Instant::now();
    loop {
        match result.recv_timeout(WATCH_EVERY) {
            Ok(Ok(())) => return Ok(folder),
            Ok(Err(error)) => return Err(error),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(SourceError::Unavailable(format!("Fetching “{address}” ended without a result.")));
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
        // The thread notices the flag at its next step, and removes the folder with its last hold on it.
        if size_of(folder.path()) > limits.bytes {
            stop.store(true, Ordering::SeqCst);
            let most = limits.bytes / 1024 / 1024;
            return Err(SourceError::Unreadable(format!(
                "One commit of “{address}” is larger than {most} MiB. A catalog belongs into a repository of its own."
            )));
        }
        if start.elapsed() > limits.time {
            stop.store(true, Ordering::SeqCst);
            let seconds = limits.time.as_secs();
            return Err(SourceError::Unavailable(format!("“{address}” was not fetched within {seconds} seconds.")));
        }
    }
}

fn clone(
    address: &str,
    branch: Option<&str>,
    pinned: Option<(String, Vec<SocketAddr>)>,
    folder: &Path,
    stop: &AtomicBool,
    time: Duration,
) -> Result<(), SourceError> {
    let failed = |error: &dyn std::error::Error| {
        let branch = branch.map(|branch| format!(", branch “{branch}”")).unwrap_or_default();
        SourceError::Unavailable(format!(
            "“{address}”{branch} cannot be fetched: {}. Check address and branch, and that the server may read it.",
            chain(error)
        ))
    };
    let credential = credentials::find(address);
    let full = branch.map(|branch| format!("refs/heads/{branch}"));
    let kind = gix::create::Kind::Bare;
    let mut prepared = gix::clone::PrepareFetch::new(
        address,
        folder.join("repository"),
        kind,
        gix::create::Options::default(),
        options(),
    )
    .map_err(|error| failed(&error))?
    .with_shallow(Shallow::DepthAtRemote(NonZeroU32::MIN))
    .with_ref_name(full.as_deref())
    .map_err(|error| failed(&error))?
    .configure_connection(move |connection| {
        // Nothing of the machine's; ours goes as a header, to this address only: redirects are not followed.
        connection.set_credentials(|_| Ok(None));
        if let Some((host, addresses)) = pinned.clone() {
            connection.set_transport_options(Box::new(transport(host, addresses, time, credential.as_ref())));
        }
        Ok(())
    });
    prepared.fetch_only(gix::progress::Discard, stop).map(drop).map_err(|error| failed(&error))
}

/// HTTP as we want it: pinned addresses, no proxy of the environment, no redirects.
fn transport(
    host: String,
    addresses: Vec<SocketAddr>,
    time: Duration,
    credential: Option<&Credential>,
) -> http::Options {
    let backend = http::reqwest::Options {
        configure_client: Some(Box::new(move |builder| {
            Ok(builder.resolve_to_addrs(&host, &addresses).no_proxy().timeout(time))
        })),
        configure_request: None,
    };
    http::Options {
        extra_headers: credential.map(Credential::header).into_iter().collect(),
        follow_redirects: http::options::FollowRedirects::None,
        backend: Some(Arc::new(Mutex::new(backend))),
        ..http::Options::default()
    }
}

/// Resolves the host once and checks every address; for http the result is what is connected to.
fn resolve(address: &str) -> Result<Option<(String, Vec<SocketAddr>)>, SourceError> {
    let url =
        url::Url::parse(address).map_err(|_| SourceError::Unreadable(format!("“{address}” is not an address.")))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(22);
    let addresses: Vec<SocketAddr> = (host.as_str(), port)
        .to_socket_addrs()
        .map_err(|error| SourceError::Unavailable(format!("The host “{host}” cannot be found: {error}.")))?
        .collect();
    let is_local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if let Some(bad) = addresses.iter().find(|address| !is_allowed(address.ip(), is_local)) {
        return Err(SourceError::Unreadable(format!(
            "The host “{host}” has the address {}, from which no catalog is read.",
            bad.ip()
        )));
    }
    Ok(Some((host, addresses)).filter(|_| url.scheme().starts_with("http")))
}

/// Whether a catalog may be read from an address.
fn is_allowed(ip: IpAddr, is_local: bool) -> bool {
    let v4 = match ip {
        IpAddr::V4(v4) => Some(v4),
        // Mapped (::ffff:a.b.c.d) and NAT64 (64:ff9b::a.b.c.d, RFC 6052) carry an IPv4 address.
        IpAddr::V6(v6) => v6.to_ipv4_mapped().or_else(|| match v6.segments() {
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                let [a, b] = high.to_be_bytes();
                let [c, d] = low.to_be_bytes();
                Some([a, b, c, d].into())
            }
            _ => None,
        }),
    };
    match (v4, ip) {
        (Some(v4), _) if v4.is_loopback() => is_local,
        (Some(v4), _) => {
            let first = v4.octets().first().copied().unwrap_or_default();
            // 0/8 is this network, 240/4 reserved and broadcast.
            !(v4.is_link_local() || v4.is_multicast() || v4.is_unspecified() || first == 0 || first >= 240)
        }
        (None, IpAddr::V6(v6)) if v6.is_loopback() => is_local,
        (None, IpAddr::V6(v6)) => {
            let metadata = v6.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254];
            !(v6.is_unicast_link_local() || v6.is_multicast() || v6.is_unspecified() || metadata)
        }
        (None, IpAddr::V4(_)) => false,
    }
}

fn size_of(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => size_of(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

fn broken(error: &dyn std::error::Error) -> SourceError {
    SourceError::Unreadable(format!("The repository is damaged or incomplete: {}.", chain(error)))
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        let text = text.lines().next().unwrap_or_default().trim().trim_end_matches('.').to_owned();
        if !text.is_empty() && !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        next = error.source();
    }
    parts.join(": ").chars().take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_and_disguised_addresses_are_refused() {
        for bad in [
            "169.254.169.254",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "fe80::1",
            "::",
            "ff02::1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "fd00:ec2::254",
            "127.0.0.1",
            "::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
        ] {
            assert!(!is_allowed(bad.parse().unwrap(), false), "{bad}");
        }
        for good in ["10.1.2.3", "192.168.1.1", "140.82.121.4", "2a00::1", "fd12::1"] {
            assert!(is_allowed(good.parse().unwrap(), false), "{good}");
        }
        assert!(is_allowed("127.0.0.1".parse().unwrap(), true));
        assert!(resolve("https://2852039166/x.git").is_err(), "decimal form of 169.254.169.254");
        assert!(resolve("https://[::ffff:a9fe:a9fe]/x.git").is_err());
    }

    fn remote(address: String) -> Location {
        Location { kind: crate::catalog::SourceKind::Git, location: address, branch: None, folder: String::new() }
    }

    /// A server that takes connections and says nothing.
    fn silent_server() -> (std::net::TcpListener, String) {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/x.git", server.local_addr().unwrap());
        (server, address)
    }

    #[test]
    fn a_silent_server_holds_nobody() {
        let (_server, address) = silent_server();
        let limits = Limits { time: Duration::from_millis(300), ..Limits::default() };
        let error = GitTree::open(&remote(address), &limits).err().unwrap();
        assert!(matches!(&error, SourceError::Unavailable(_)), "{error}");
    }

    #[test]
    fn a_clone_that_grows_too_large_is_stopped() {
        let (_server, address) = silent_server();
        let limits = Limits { bytes: 10, ..Limits::default() };
        let error = GitTree::open(&remote(address), &limits).err().unwrap();
        assert!(error.to_string().contains("is larger than"), "{error}");
    }
}
