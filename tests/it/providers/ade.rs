//! A definition of Azure Deployment Environments for a custom runner, as it is: its scripts use the
//! contract's variables, folders, exit codes and the helper `ade`.

use paddock::providers::{CommandProvider, Job, Provider, Target};
use serde_json::json;

use super::conformance::{self, files, inputs, next_run};
use super::host::RecordingHost;
use super::machine::settings;

fn job() -> Job {
    let definition = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/ade-runner-catalog/Environments/Notes");
    Job {
        files: files(definition.as_ref()),
        config: json!({"deploy": "deploy.sh", "delete": "delete.sh", "template": "conf/main.conf"}),
        inputs: inputs(json!({"greeting": "hello"})),
        target: Some(Target {
            slug: "subscription".into(),
            settings: json!({"environment": {"ADE_SUBSCRIPTION_ID": "4711"}}),
            ..Target::default()
        }),
        ..conformance::job()
    }
}

#[tokio::test]
async fn scripts_of_a_custom_runner_work_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let provider = CommandProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let first = job();
    provider.apply(&first, &host).await.unwrap();
    assert!(host.text().contains("made in 4711"), "{}", host.text());
    // Deploying again is the same operation to a runner; what it stored is there.
    let again = next_run(&first, "update");
    provider.apply(&again, &host).await.unwrap();
    let (outputs, _) = provider.collect(&again, &host).await.unwrap();
    let outputs: Vec<_> =
        outputs.iter().map(|output| (output.name.as_str(), output.value.clone(), output.sensitive)).collect();
    for expected in [
        ("runs", json!(2), false),
        ("greeting", json!("hello"), false),
        ("open", json!(true), false),
        ("ports", json!([80, 443]), false),
        ("owner", json!({"name": first.environment_name}), false),
        ("key", json!("k-4711"), true),
    ] {
        assert!(outputs.contains(&expected), "{expected:?} in {outputs:?}");
    }
    provider.destroy(&next_run(&again, "delete"), &host).await.unwrap();
    // Its last words; what it wrote to the error stream may come later.
    assert!(host.text().lines().any(|line| line == "removed"), "{}", host.text());
}

#[tokio::test]
async fn a_failure_has_the_name_of_its_code_and_the_text_of_the_error_log() {
    let folder = tempfile::tempdir().unwrap();
    let provider = CommandProvider::new(settings(folder.path()));
    let job = Job { inputs: inputs(json!({"greeting": "broken"})), ..job() };
    let error = provider.apply(&job, &RecordingHost::new(folder.path())).await.unwrap_err().to_string();
    assert_eq!(error, r#"SecurityError: the greeting \"c:\new\" cannot be said"#);
}
