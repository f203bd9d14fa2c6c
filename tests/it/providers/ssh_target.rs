//! What a check of a runner host finds.

use paddock::providers::{Finding, Provider as _, SshProvider, Target, Verdict};
use serde_json::json;

use super::machine;
use crate::support::sshd::Sshd;

fn with(sshd: &Sshd, name: &str, value: serde_json::Value) -> Target {
    let mut target = sshd.target();
    target.settings[name] = value;
    target
}

async fn check(target: &Target) -> Vec<Finding> {
    let folder = tempfile::tempdir().unwrap();
    let findings = SshProvider::new(machine::settings(folder.path())).check_target(target).await;
    assert!(!format!("{findings:?}").contains("PRIVATE"), "no secret: {findings:?}");
    for finding in &findings {
        assert_eq!(finding.result == Verdict::Ok, finding.advice.is_none(), "{finding:?}");
    }
    findings
}

/// The only failure.
fn failed(findings: &[Finding]) -> (&str, &str, &str) {
    let failed: Vec<&Finding> = findings.iter().filter(|finding| finding.result == Verdict::Failed).collect();
    let [one] = failed.as_slice() else { panic!("{findings:#?}") };
    (&one.what, &one.detail, one.advice.as_deref().unwrap())
}

#[tokio::test]
async fn a_host_that_is_right_is_told_step_by_step() {
    let sshd = Sshd::start();
    let findings = check(&sshd.target()).await;
    assert!(findings.iter().all(|finding| finding.result < Verdict::Failed), "{findings:#?}");
    let what: Vec<&str> = findings.iter().map(|finding| finding.what.as_str()).collect();
    assert_eq!(what, ["Reach", "Host key", "Sign-in", "Tools", "Folder", "Room"]);
}

#[tokio::test]
async fn another_host_key_is_shown_and_never_taken() {
    let sshd = Sshd::start();
    let findings = check(&with(&sshd, "host_key", json!(sshd.public("other")))).await;
    let (what, detail, advice) = failed(&findings);
    assert_eq!(what, "Host key");
    let output = std::process::Command::new("sh")
        .args(["-c", "echo \"$1\" | ssh-keygen -lf - | cut -d ' ' -f 2", "sh", &sshd.public("host")])
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.starts_with("SHA256:") && detail.contains(shown.trim()), "{detail} {shown}");
    assert!(detail.contains("Nothing was sent to it") && advice.contains("Compare on the host itself"), "{advice}");
    assert!(!sshd.root().exists(), "nobody signed in");
}

#[tokio::test]
async fn what_is_wrong_is_told_with_what_to_do() {
    let sshd = Sshd::start();
    let wrong_key = Target { secret: Some(sshd.other_key().into()), ..sshd.target() };
    let broken_key = Target { secret: Some("-----BEGIN OPENSSH\nnonsense".to_owned().into()), ..sshd.target() };
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (target, what, detail, advice) in [
        (wrong_key, "Sign-in", "does not let", "authorized_keys"),
        (broken_key, "Private key", "cannot be read", "without a passphrase"),
        (with(&sshd, "port", json!(free)), "Reach", "refused", "runs sshd"),
        (with(&sshd, "host", json!("nowhere.invalid")), "Reach", "has no address", "Correct the host's name"),
        (with(&sshd, "host", json!("169.254.169.254")), "Reach", "where no server can be", "Correct the host's name"),
        (with(&sshd, "host", json!("-oProxyCommand=id")), "Settings", "no host", "Correct them"),
        (with(&sshd, "host_key", json!("ssh-ed25519 hello")), "Settings", "looks like", "Correct them"),
        (with(&sshd, "folder", json!("/dev/null/x")), "Folder", "cannot be written to", "name another folder"),
    ] {
        let findings = check(&target).await;
        let told = failed(&findings);
        assert!(told.0 == what && told.1.contains(detail) && told.2.contains(advice), "{findings:#?}");
    }
}
