//! Whether a runner host can be reached, is the one that it should be, lets us in, and has what is needed.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::link::{HostKey, Link};
use super::order::Order;
use super::question::ask;
use crate::providers::target::Finding;
use crate::providers::{ProviderError, Target, address};

/// How long the questions may take.
const WITHIN: Duration = Duration::from_secs(25);
/// How long it may take to hear which keys a host shows.
const SCAN: Duration = Duration::from_secs(10);
/// Less free room than this is little, in KiB.
const LITTLE: u64 = 1024 * 1024;

/// What a check finds.
pub async fn look_at(client: &Path, target: &Target) -> Vec<Finding> {
    let link = match Link::of(target) {
        Ok(link) => link,
        Err(error) => return vec![Finding::failed("Settings", error.sentence(), "Correct them, or the private key.")],
    };
    if let Err(error) = address::refuse_special(&link.host, link.port).await {
        return vec![Finding::failed("Reach", error.sentence(), "Correct the host's name or address.")];
    }
    let order = Order::question("check", &link.folder, String::new());
    match ask(client, &link, &order, WITHIN).await {
        Ok(said) => {
            let mut findings = vec![
                Finding::ok("Reach", format!("Connected to {}:{}.", link.host, link.port)),
                host_key_is_right(&link),
            ];
            findings.extend(facts(&link, &said));
            findings
        }
        Err(error) => refused(client, &link, &error).await,
    }
}

fn host_key_is_right(link: &Link) -> Finding {
    Finding::ok("Host key", format!("The host shows the target's key, {}.", link.host_key.fingerprint()))
}

async fn refused(client: &Path, link: &Link, error: &ProviderError) -> Vec<Finding> {
    let words = error.to_string();
    let reached = Finding::ok("Reach", format!("Something answers at {}:{}.", link.host, link.port));
    if words.contains("another host key") {
        return vec![reached, other_key(client, link).await];
    }
    if words.contains("does not let") {
        let login = Finding::failed(
            "Sign-in",
            error.sentence(),
            "Add the public half of the private key to the user's ~/.ssh/authorized_keys, and see that nobody else \
             may write to that file or its folders.",
        );
        return vec![reached, host_key_is_right(link), login];
    }
    if words.contains("private key cannot be read") {
        let advice = "Bring the private key again, whole and without a passphrase (ssh-keygen -p takes it off).";
        return vec![Finding::failed("Private key", error.sentence(), advice)];
    }
    if words.contains("does not run what it is told") {
        let advice = "Give the user /bin/sh or another usual shell, and no command that its key is bound to.";
        return vec![reached, host_key_is_right(link), Finding::failed("Shell", error.sentence(), advice)];
    }
    let advice =
        "See that the host runs sshd, that name and port are right, and that a firewall lets this machine through.";
    vec![Finding::failed("Reach", error.sentence(), advice)]
}

/// The host shows another key: which one, for somebody to compare. It is never taken over by itself.
async fn other_key(client: &Path, link: &Link) -> Finding {
    let what = "Host key";
    let expected = link.host_key.fingerprint();
    match shown(client, link).await {
        Some(key) => {
            let detail = format!(
                "The host shows the {} key {}; the target's is {} {expected}. Nothing was sent to it.",
                key.kind(),
                key.fingerprint(),
                link.host_key.kind()
            );
            let advice = format!(
                "Compare on the host itself: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub. If it is the first one, \
                 enter that file's line as the host key ({key}); otherwise somebody stands between."
            );
            Finding::failed(what, detail, &advice)
        }
        None => Finding::failed(
            what,
            format!("The host does not show the target's key {expected}. Nothing was sent to it."),
            "Enter the line of /etc/ssh/ssh_host_ed25519_key.pub on the host as the host key.",
        ),
    }
}

/// The key that the host shows: of the kind that the target names, else any.
async fn shown(client: &Path, link: &Link) -> Option<HostKey> {
    let scanner = client.with_file_name("ssh-keyscan");
    let mut scan = Command::new(scanner);
    scan.args(["-T", "5", "-p", &link.port.to_string(), "--", &link.host]).env_clear().kill_on_drop(true);
    scan.stdin(Stdio::null());
    let output = timeout(SCAN, scan.output()).await.ok()?.ok()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let keys: Vec<HostKey> = said.lines().filter(|line| !line.starts_with('#')).filter_map(HostKey::parse).collect();
    keys.iter().find(|key| key.kind() == link.host_key.kind()).or(keys.first()).cloned()
}

fn facts(link: &Link, said: &[String]) -> Vec<Finding> {
    let all = |word: &str| -> Vec<&str> {
        let prefix = format!("{word} ");
        said.iter().filter_map(|line| line.strip_prefix(prefix.as_str())).collect()
    };
    let one = |word: &str| all(word).first().copied().unwrap_or_default();
    let mut findings = Vec::new();
    let user = one("user");
    findings.push(if user == "root" {
        Finding::warning(
            "Sign-in",
            "Signed in as root: every template that runs there owns the whole host.",
            "Make a user of its own on the host, and connect the target with it.",
        )
    } else {
        Finding::ok("Sign-in", format!("Signed in as {user}."))
    });
    let missing = all("missing");
    findings.push(if one("system") != "Linux" {
        let advice = "Connect a Linux machine: attempts are told apart by what its /proc says.";
        Finding::failed("Tools", format!("The host runs {}.", one("system")), advice)
    } else if missing.is_empty() {
        Finding::ok("Tools", "Everything that Paddock's script needs is there.")
    } else {
        let advice = "Install them; most systems have them in coreutils, util-linux and tar.";
        Finding::failed("Tools", format!("The host has no {}.", missing.join(", ")), advice)
    });
    if let Some(folder) = all("closed").first() {
        let advice = format!("Make it and give it to {user}, or name another folder.");
        findings.push(Finding::failed("Folder", format!("{folder} cannot be written to."), &advice));
        return findings;
    }
    findings.push(Finding::ok("Folder", format!("{} can be written to.", one("writable"))));
    if let Ok(room) = one("room").parse::<u64>() {
        let words = format!("{:.1} GiB are free there.", gibibytes(room));
        findings.push(if room < LITTLE {
            Finding::warning("Room", words, "Make room on the host: environments will not fit.")
        } else {
            Finding::ok("Room", words)
        });
    }
    if !link.folder.starts_with('/') && link.folder.split('/').any(|part| part == "..") {
        findings.push(Finding::warning("Folder", "The folder leaves the user's home.", "Name it by its whole path."));
    }
    findings
}

#[allow(clippy::cast_precision_loss, reason = "one place behind the point is shown")]
fn gibibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / (1024.0 * 1024.0)
}
