//! A saved plan of Terraform: apply does exactly what it says, wherever, or refuses.

use std::path::Path;
use std::sync::Arc;

use paddock::base::id::EnvironmentId;
use paddock::providers::{Host, Job, Plan, Provider, ProviderError, TerraformProvider};
use serde_json::json;

use super::conformance::{next_attempt, next_run};
use super::host::RecordingHost;
use super::machine::settings;
use super::terraform::{stack, template};

fn with(job: &Job, plan: &Plan) -> Job {
    Job { plan: Some(Arc::new(plan.clone())), ..job.clone() }
}

fn refused(result: Result<(), ProviderError>) -> String {
    match result {
        Err(ProviderError::Failed { message }) => message,
        other => panic!("not refused: {other:?}"),
    }
}

/// The length of the line in front of Terraform's own bytes.
fn head(plan: &Plan) -> usize {
    plan.artifact.as_ref().unwrap().iter().position(|byte| *byte == b'\n').unwrap() + 1
}

#[tokio::test]
async fn is_applied_byte_by_byte_on_another_machine() {
    let folder = tempfile::tempdir().unwrap();
    let here = TerraformProvider::new(settings(&folder.path().join("here")));
    let there = TerraformProvider::new(settings(&folder.path().join("there")));
    let host = RecordingHost::new(folder.path());
    let job = template("output \"who\" { value = \"the job\" }\nresource \"terraform_data\" \"x\" {}");
    let plan = here.plan(&job, &host).await.unwrap();
    assert_eq!(plan.changes.len(), 1);

    // Other bytes of Terraform's under the same head: what comes out tells which were applied.
    let other = template("output \"who\" { value = \"the bytes\" }\nresource \"terraform_data\" \"x\" {}");
    let other = here.plan(&Job { environment: job.environment, ..other }, &host).await.unwrap();
    let mixed = [&plan.artifact.as_ref().unwrap()[..head(&plan)], &other.artifact.as_ref().unwrap()[head(&other)..]];
    let mixed = Plan { artifact: Some(mixed.concat()), ..plan.clone() };
    assert_ne!(mixed.digest(), plan.digest());
    there.apply(&with(&job, &mixed), &host).await.unwrap();
    let (outputs, resources) = there.collect(&job, &host).await.unwrap();
    assert_eq!((outputs[0].value.clone(), resources.len()), (json!("the bytes"), 1));
    assert!(host.text().contains("Applying the saved plan"), "{}", host.text());

    // The same on the way out.
    let away = next_run(&job, "delete");
    let plan = here.plan(&away, &host).await.unwrap();
    there.destroy(&with(&away, &plan), &host).await.unwrap();
    assert_eq!(here.read_back(&away, &host).await.unwrap(), []);
}

#[tokio::test]
async fn is_refused_once_the_work_or_the_state_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let provider = TerraformProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let job = stack();
    let plan = provider.plan(&job, &host).await.unwrap();

    let mut changed = with(&job, &plan);
    changed.inputs.insert("memory".into(), json!(512));
    let why = refused(provider.apply(&changed, &host).await);
    assert_eq!(why, "The plan is stale: the template or the inputs have changed since it was made. Plan again.");
    // The run that applies an approved plan is another one than the run that made it, but for the
    // same environment.
    let elsewhere = Job { environment: EnvironmentId(uuid::Uuid::from_u128(7)), ..next_run(&job, "create") };
    let why = refused(provider.apply(&with(&elsewhere, &plan), &host).await);
    assert!(why.contains("belongs to another environment"), "{why}");

    provider.apply(&job, &host).await.unwrap();
    let state = host.load_state().await.unwrap();
    let why = refused(provider.apply(&with(&job, &plan), &host).await);
    assert_eq!(why, "The plan is stale: the state has changed since it was made. Plan again.");
    let broken = Plan { artifact: Some(b"nonsense".to_vec()), ..plan };
    let why = refused(provider.apply(&with(&job, &broken), &host).await);
    assert_eq!(why, "The saved plan cannot be read. Plan again.");
    assert_eq!(host.load_state().await.unwrap(), state, "a refusal changes nothing");
}

/// Two resources; the second one fails until `go` is there.
fn half_way(folder: &Path) -> Job {
    template(&format!(
        r#"
        resource "terraform_data" "first" {{ input = "kept" }}
        resource "terraform_data" "second" {{
          input = terraform_data.first.id
          provisioner "local-exec" {{ command = "test -e {}/go" }}
        }}
        "#,
        folder.display()
    ))
}

#[tokio::test]
async fn that_was_begun_is_ended_but_not_widened() {
    let folder = tempfile::tempdir().unwrap();
    let provider = TerraformProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let job = half_way(folder.path());
    let plan = provider.plan(&job, &host).await.unwrap();
    provider.apply(&with(&job, &plan), &host).await.unwrap_err();
    std::fs::write(folder.path().join("go"), "").unwrap();
    provider.apply(&with(&next_attempt(&job), &plan), &host).await.unwrap();
    assert!(host.text().contains("planning what is left of it"), "{}", host.text());
    assert_eq!(provider.read_back(&job, &host).await.unwrap().len(), 2);

    // The next plan has nothing to do. Behind its back everything vanishes from the state.
    let job = next_run(&job, "update");
    let plan = provider.plan(&job, &host).await.unwrap();
    assert_eq!(plan.changes, []);
    let state = host.load_state().await.unwrap().unwrap();
    let mut state: serde_json::Value = serde_json::from_slice(&state).unwrap();
    state["resources"] = json!([]);
    state["serial"] = json!(state["serial"].as_u64().unwrap() + 1);
    host.save_state(state.to_string().as_bytes()).await.unwrap();
    let why = refused(provider.apply(&with(&next_attempt(&job), &plan), &host).await);
    assert_eq!(why, "The plan is stale: what is left would also touch terraform_data.first. Plan again.");
    assert_eq!(provider.read_back(&job, &host).await.unwrap(), []);
}
