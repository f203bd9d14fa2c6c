//! Credentials of private Git servers over https, from the configuration of this process.
//!
//! One line each: the server's address without a path, a user, a token. A credential is sent to exactly
//! that scheme, host and port, never elsewhere: redirects are not followed, and the address of a source
//! cannot carry one itself. Nothing of it reaches the database, a page or a log.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

static KNOWN: OnceLock<Vec<Credential>> = OnceLock::new();

/// A user and a token for one server.
#[derive(Debug, Clone)]
pub(super) struct Credential {
    server: (String, String, Option<u16>),
    user: String,
    token: SecretString,
}

impl Credential {
    /// As a header of HTTP.
    pub(super) fn header(&self) -> String {
        let pair = STANDARD.encode(format!("{}:{}", self.user, self.token.expose_secret()));
        format!("Authorization: Basic {pair}")
    }
}

/// Reads credentials and uses them from now on, in this process, for every source. Once.
/// `Err`: what is wrong with which line, without its content.
pub fn use_git_credentials(lines: &SecretString) -> Result<(), String> {
    let credentials = read(lines.expose_secret())?;
    KNOWN.set(credentials).map_err(|_| "the credentials of Git servers were given already".to_owned())
}

/// The credential for an address.
pub(super) fn find(address: &str) -> Option<Credential> {
    of(KNOWN.get()?, address)
}

fn of(known: &[Credential], address: &str) -> Option<Credential> {
    let server = server(&Url::parse(address).ok()?)?;
    known.iter().find(|credential| credential.server == server).cloned()
}

fn server(url: &Url) -> Option<(String, String, Option<u16>)> {
    let web = matches!(url.scheme(), "https" | "http");
    Some((url.scheme().to_owned(), url.host_str().filter(|_| web)?.to_owned(), url.port_or_known_default()))
}

fn read(lines: &str) -> Result<Vec<Credential>, String> {
    let mut found: Vec<Credential> = Vec::new();
    for (index, line) in lines.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |why: &str| format!("line {}: {why}", index + 1);
        let [address, user, token] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            return Err(wrong("write “https://git.example.com USER TOKEN”"));
        };
        super::check_url(address).map_err(|why| wrong(&format!("the address {why}")))?;
        let url = Url::parse(address).map_err(|_| wrong("the address must begin with https://"))?;
        let server = server(&url).ok_or_else(|| wrong("only https:// servers take a user and a token"))?;
        if url.path() != "/" || url.query().is_some() {
            return Err(wrong("the address is that of the server, without a path"));
        }
        if found.iter().any(|known| known.server == server) {
            return Err(wrong("this server has a credential already"));
        }
        found.push(Credential { server, user: user.to_owned(), token: token.to_owned().into() });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_for_one_server_and_no_other() {
        let known = read("# ours\n\nhttps://git.example.com  reader t0ken\nhttp://127.0.0.1:8080 a b").unwrap();
        for good in ["https://git.example.com/team/catalog.git", "https://git.example.com:443/x"] {
            assert_eq!(of(&known, good).unwrap().user, "reader", "{good}");
        }
        for bad in [
            "http://git.example.com/x",
            "https://git.example.com:8443/x",
            "https://git.example.com.evil.example/x",
            "https://evil.example/git.example.com",
            "https://xgit.example.com/x",
            "ssh://git.example.com/x",
            "/git.example.com",
        ] {
            assert!(of(&known, bad).is_none(), "{bad}");
        }
        assert!(!format!("{known:?}").contains("t0ken"));
    }

    #[test]
    fn what_is_wrong_is_told_without_the_secret() {
        for bad in [
            "https://git.example.com s3cret",
            "https://user:s3cret@git.example.com a b",
            "http://git.example.com reader s3cret",
            "https://git.example.com/team reader s3cret",
            "ssh://git.example.com reader s3cret",
            "https://git.example.com a s3cret\nhttps://git.example.com b s3cret",
        ] {
            let why = read(bad).unwrap_err();
            assert!(why.starts_with("line ") && !why.contains("s3cret"), "{bad}: {why}");
        }
    }
}
