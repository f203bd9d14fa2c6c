//! What checks of targets find, provider by provider, and what every form of a target keeps to.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use paddock::providers::{
    CommandProvider, Finding, PostgresProvider, Provider, Registry, Settings, SimulatedProvider, Target,
    TerraformProvider, Verdict,
};
use serde_json::{Value, json};

use super::machine;
use crate::api::targets::Admin;

fn target(settings: Value) -> Target {
    Target { slug: "there".to_owned(), settings, ..Target::default() }
}

/// The results by what was tried; the worst where something was tried several times.
fn told(findings: &[Finding], what: &str) -> Option<Verdict> {
    findings.iter().filter(|finding| finding.what == what).map(|finding| finding.result).max()
}

#[test]
fn every_form_can_be_filled_in_and_says_what_it_asks() {
    let folder = tempfile::tempdir().unwrap();
    for provider in Registry::standard(&machine::settings(folder.path())).all() {
        let form = provider.target_form();
        let names: BTreeSet<&str> = form.fields.iter().map(|field| field.name).collect();
        assert_eq!(names.len(), form.fields.len(), "{}: names are unique", provider.name());
        for field in form.fields {
            assert!(!field.label.is_empty() && !form.about.is_empty(), "{} {}", provider.name(), field.name);
            assert!(!(field.secret && field.binds), "a secret says nothing of where it goes: {}", field.name);
        }
    }
}

#[tokio::test]
async fn a_servers_rights_are_told_one_by_one() {
    let server = Admin::make("hunter2").await;
    let right = Target { secret: Some("hunter2".to_owned().into()), ..target(server.settings()) };
    let findings = PostgresProvider.check_target(&right).await;
    let odd: Vec<&str> = findings.iter().filter(|one| one.result != Verdict::Ok).map(|one| one.what.as_str()).collect();
    assert_eq!(odd, ["Other databases"], "{findings:#?}");

    server.execute("NOCREATEDB").await;
    let findings = PostgresProvider.check_target(&right).await;
    assert_eq!(told(&findings, "Make databases"), Some(Verdict::Failed), "{findings:#?}");
    assert_eq!(told(&findings, "Make roles"), Some(Verdict::Ok));
    server.execute("SUPERUSER").await;
    let findings = PostgresProvider.check_target(&right).await;
    assert_eq!(
        (told(&findings, "Make databases"), told(&findings, "Least rights")),
        (Some(Verdict::Ok), Some(Verdict::Warning))
    );
    server.execute("NOSUPERUSER").await;

    let wrong = Target { secret: Some("hunter3-wrong".to_owned().into()), ..right.clone() };
    let findings = PostgresProvider.check_target(&wrong).await;
    assert_eq!(told(&findings, "Reach"), Some(Verdict::Failed));
    assert!(!format!("{findings:?}").contains("hunter3"), "{findings:?}");
    let mut nobody = server.settings();
    // Nothing listens on a port that was just given back.
    nobody["server_port"] = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().into();
    let findings = PostgresProvider.check_target(&target(nobody)).await;
    assert!(findings[0].detail.contains("cannot be reached"), "{findings:?}");
    server.remove().await;
}

#[tokio::test]
async fn programs_and_folders_are_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (tools, open) = (folder.path().join("tools"), folder.path().join("open"));
    std::fs::create_dir(&tools).unwrap();
    std::fs::create_dir(&open).unwrap();
    let settings = Settings { path: tools.clone().into_os_string(), ..machine::settings(folder.path()) };
    let terraform = TerraformProvider::new(settings.clone());
    let findings = terraform.check_target(&target(json!({}))).await;
    assert_eq!(told(&findings, "Program"), Some(Verdict::Failed), "{findings:#?}");

    let tofu = tools.join("tofu");
    std::fs::write(&tofu, "#!/bin/sh\necho \"OpenTofu v9.9.9 $AWS_SECRET\"\n").unwrap();
    std::fs::set_permissions(&tofu, std::fs::Permissions::from_mode(0o755)).unwrap();
    let secret = Some(r#"{"AWS_SECRET": "hunter2"}"#.to_owned().into());
    let findings = terraform.check_target(&Target { secret, ..target(json!({"program": "tofu"})) }).await;
    assert!(findings[0].detail.starts_with("OpenTofu v9.9.9 ("), "{findings:#?}");
    assert_eq!(
        (told(&findings, "Plugin cache"), told(&findings, "Walls")),
        (Some(Verdict::Ok), Some(Verdict::Warning))
    );
    let other = terraform.check_target(&target(json!({"program": "terraform"}))).await;
    assert_eq!(told(&other, "Program"), Some(Verdict::Failed));
    let shared = Settings { terraform_config: Some("plugin_cache_dir = \"/x\"".to_owned()), ..settings.clone() };
    let findings = TerraformProvider::new(shared).check_target(&target(json!({}))).await;
    assert_eq!(told(&findings, "Plugin cache"), Some(Verdict::Failed));

    let command = CommandProvider::new(machine::settings(folder.path()));
    let findings = command.check_target(&target(json!({"writable_folders": [open]}))).await;
    assert_eq!((told(&findings, "Shell"), told(&findings, "Folder")), (Some(Verdict::Ok), Some(Verdict::Ok)));
    let gone = folder.path().join("gone");
    let findings = command.check_target(&target(json!({"folder": gone, "writable_folders": [open, gone]}))).await;
    assert_eq!(told(&findings, "Folder"), Some(Verdict::Failed));
    assert_eq!(std::fs::read_dir(&open).unwrap().count(), 0, "nothing of the check stays");

    let simulated = SimulatedProvider::new(folder.path().join("books"));
    assert_eq!(Finding::worst(&simulated.check_target(&target(json!({}))).await), Verdict::Ok);
    let findings = simulated.check_target(&target(json!({"folder": tofu}))).await;
    assert_eq!(told(&findings, "Book"), Some(Verdict::Failed));
}
