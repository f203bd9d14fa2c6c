//! The way to a runner host: its address, the key that it must show, and how OpenSSH's client is told to use
//! nothing but that.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::providers::workspace::write_private;
use crate::providers::{ProviderError, Target};

/// What the host is called in the file of known hosts, so that neither name nor port stand there.
const ALIAS: &str = "runner-host";
/// Where everything is kept on a host whose target names no folder; below the home.
const FOLDER: &str = ".paddock";

/// The client's settings. Nothing of the worker's own configuration counts, nothing is asked, nothing is
/// forwarded, and a host that falls silent is given up after 15 s.
const OPTIONS: [&str; 21] = [
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "UpdateHostKeys=no",
    "VerifyHostKeyDNS=no",
    "GlobalKnownHostsFile=/dev/null",
    "IdentitiesOnly=yes",
    "IdentityAgent=none",
    "PreferredAuthentications=publickey",
    "PubkeyAuthentication=yes",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "ControlPath=none",
    "RequestTTY=no",
    "EscapeChar=none",
    "LogLevel=ERROR",
    "ConnectTimeout=10",
    "ConnectionAttempts=1",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
];

/// A host's public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey {
    kind: String,
    blob: String,
}

impl HostKey {
    /// Reads `ssh-ed25519 AAAA…`, with a name in front or a comment behind it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace().skip_while(|word| !is_kind(word));
        let (kind, blob) = (words.next()?, words.next()?);
        // It begins with the length and the name of its kind (RFC 4253, 6.6).
        let bytes = STANDARD.decode(blob).ok()?;
        let named = bytes.get(4..4 + kind.len())? == kind.as_bytes();
        named.then(|| Self { kind: kind.to_owned(), blob: blob.to_owned() })
    }

    /// What people compare: `SHA256:…`, as `ssh-keygen -l` shows it.
    pub fn fingerprint(&self) -> String {
        let bytes = STANDARD.decode(&self.blob).unwrap_or_default();
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(bytes)))
    }

    /// Its kind, as the protocol calls it.
    pub fn kind(&self) -> &str {
        &self.kind
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.blob)
    }
}

fn is_kind(word: &str) -> bool {
    word.starts_with("ssh-") || word.starts_with("ecdsa-sha2-") || word.starts_with("sk-")
}

/// The way to the host of a target.
#[derive(Debug, Clone)]
pub struct Link {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub host_key: HostKey,
    pub folder: String,
    key: SecretString,
}

impl Link {
    /// Reads settings and credential of the target.
    pub fn of(target: &Target) -> Result<Self, ProviderError> {
        let slug = &target.slug;
        let wrong = |what: &str| ProviderError::failed(format!("the target {slug} {what}"));
        let text = |name: &str| target.settings.get(name).and_then(Value::as_str).map(str::trim).unwrap_or_default();
        let (host, user, folder) = (text("host"), text("user"), text("folder"));
        if !is_word(host, ".-:_%") {
            return Err(wrong("names no host that a connection can be made to"));
        }
        if !is_word(user, "._-@+\\") {
            return Err(wrong("names no user of the host"));
        }
        let host_key = HostKey::parse(text("host_key"))
            .ok_or_else(|| wrong("has a host key that is not one: it looks like “ssh-ed25519 AAAA…”"))?;
        let key = target.secret.as_ref().map(|secret| secret.expose_secret().trim()).unwrap_or_default();
        if key.is_empty() {
            return Err(wrong("has no private key yet"));
        }
        if folder.contains(['\0', '\n']) {
            return Err(wrong("has a folder that is no path"));
        }
        let port = target.settings.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: port.unwrap_or(22),
            user: user.to_owned(),
            host_key,
            folder: if folder.is_empty() { FOLDER } else { folder }.to_owned(),
            key: format!("{}\n", key.replace("\r\n", "\n")).into(),
        })
    }

    /// Writes what the client needs into `folder`, and returns its arguments up to the command. The folder
    /// holds the private key from then on.
    pub fn equip(&self, folder: &Path) -> Result<Vec<OsString>, ProviderError> {
        let (key, known): (PathBuf, PathBuf) = (folder.join("key"), folder.join("known_hosts"));
        write_private(&key, self.key.expose_secret().as_bytes())?;
        write_private(&known, format!("{ALIAS} {}\n", self.host_key).as_bytes())?;
        let mut args: Vec<OsString> = ["-F", "/dev/null", "-T", "-x", "-a"].map(OsString::from).into();
        let file = |name: &str, path: &Path| {
            let mut option = OsString::from(format!("{name}="));
            // A percent sign begins a name that is replaced (ssh_config(5), TOKENS).
            option.push(format!("\"{}\"", path.display().to_string().replace('%', "%%")));
            option
        };
        let files = [file("IdentityFile", &key), file("UserKnownHostsFile", &known)];
        let options = OPTIONS.iter().map(OsString::from).chain(files).chain([format!("HostKeyAlias={ALIAS}").into()]);
        for option in options {
            args.extend(["-o".into(), option]);
        }
        args.extend(["-p".into(), self.port.to_string().into(), "-l".into(), self.user.clone().into()]);
        args.extend(["--".into(), self.host.clone().into()]);
        Ok(args)
    }

    /// Why no connection came about, by what the client said.
    pub fn refusal(&self, said: &[String]) -> ProviderError {
        let at = format!("{}:{}", self.host, self.port);
        let has = |words: &[&str]| said.iter().any(|line| words.iter().any(|word| line.contains(word)));
        if has(&["Host key verification failed", "HOST IDENTIFICATION HAS CHANGED", "no matching host key type"]) {
            return ProviderError::failed(format!(
                "{at} shows another host key than the target's: nothing was sent to it"
            ));
        }
        if has(&["Load key", "invalid format", "error in libcrypto", "passphrase"]) {
            return ProviderError::failed("the target's private key cannot be read: it must have no passphrase");
        }
        if has(&["Permission denied"]) {
            return ProviderError::failed(format!("{at} does not let {} in with the target's key", self.user));
        }
        let why = said.iter().rev().find(|line| !line.trim().is_empty());
        ProviderError::retryable(match why {
            Some(why) => format!("there is no connection to {at}: {}", why.trim()),
            None => format!("there is no connection to {at}"),
        })
    }
}

fn is_word(text: &str, more: &str) -> bool {
    let inner = text.trim_matches(['[', ']']);
    !inner.is_empty() && !inner.starts_with('-') && inner.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    #[test]
    fn a_host_key_is_read_in_the_shapes_that_people_copy() {
        let key = HostKey::parse(KEY).unwrap();
        assert_eq!(key.to_string(), KEY);
        // GitHub's, as its documentation tells it.
        assert_eq!(key.fingerprint(), "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU");
        for same in [format!("  {KEY} root@host\n"), format!("[host]:2222 {KEY}"), format!("host,10.0.0.1 {KEY}")] {
            assert_eq!(HostKey::parse(&same).as_ref(), Some(&key), "{same}");
        }
        for bad in ["", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6", "x y"] {
            assert_eq!(HostKey::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn nothing_of_a_target_becomes_an_option_of_the_client() {
        let target = |host: &str, user: &str| Target {
            settings: json!({"host": host, "user": user, "host_key": KEY}),
            secret: Some("key".to_owned().into()),
            ..Target::default()
        };
        for (host, user) in [("-oProxyCommand=x", "a"), ("a b", "a"), ("h", "-x"), ("h", "a b"), ("", "a"), ("h", "")] {
            assert!(Link::of(&target(host, user)).is_err(), "{host} {user}");
        }
        for (host, user) in [("10.0.0.1", "dev"), ("[fd12::1]", "dev.one"), ("box.example.com", "DOM\\dev")] {
            let link = Link::of(&target(host, user)).unwrap();
            let folder = tempfile::tempdir().unwrap();
            let args = link.equip(folder.path()).unwrap();
            let tail: Vec<String> = args[args.len() - 4..].iter().map(|arg| arg.display().to_string()).collect();
            assert_eq!(tail, ["-l", user, "--", host.trim_matches(['[', ']'])]);
        }
    }

    #[test]
    fn why_there_was_no_connection_is_told_in_words() {
        let target = Target {
            settings: json!({"host": "h", "user": "u", "host_key": KEY}),
            secret: Some("key".to_owned().into()),
            ..Target::default()
        };
        let link = Link::of(&target).unwrap();
        let refusal = |line: &str| link.refusal(&[line.to_owned()]);
        assert!(matches!(refusal("Host key verification failed."), ProviderError::Failed { .. }));
        assert!(matches!(refusal("u@h: Permission denied (publickey)."), ProviderError::Failed { .. }));
        let gone = refusal("ssh: connect to host h port 22: Connection refused");
        assert!(matches!(&gone, ProviderError::Retryable { message } if message.contains("refused")), "{gone}");
    }
}
