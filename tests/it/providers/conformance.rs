//! What every provider must do, whatever its target.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use paddock::base::id::{EnvironmentId, RunId};
use paddock::base::{Clock as _, ManualClock, SeededEntropy};
use paddock::providers::{Host, Job, Plan, PlanAction, Provider, ProviderError, TemplateFile};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::host::{MortalHost, RecordingHost};

static SEED: AtomicU64 = AtomicU64::new(0);

/// A job with ids of its own and nothing else in it.
pub fn job() -> Job {
    let clock = ManualClock::new(jiff::Timestamp::now());
    let seed = u64::from(std::process::id()) << 32 | SEED.fetch_add(1, Ordering::Relaxed);
    let entropy = SeededEntropy::new(seed);
    Job {
        action: None,
        stopped: false,
        environment: EnvironmentId::new(&clock, &entropy),
        environment_name: "conformance".to_owned(),
        environment_type: "dev".to_owned(),
        project: "test".to_owned(),
        run: RunId::new(&clock, &entropy),
        since: clock.now(),
        attempt: 1,
        generation: 1,
        operation: "create",
        inputs: Map::new(),
        secret_inputs: Vec::new(),
        config: Value::Null,
        files: Arc::default(),
        plan: None,
        target: None,
        seed: [7; 32],
        cancel: CancellationToken::new(),
    }
}

pub fn inputs(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("inputs are an object, not {other}"),
    }
}

/// The files below `folder`, as the catalog would give them.
pub fn files(folder: &Path) -> Arc<Vec<TemplateFile>> {
    fn walk(root: &Path, folder: &Path, files: &mut Vec<TemplateFile>) {
        use std::os::unix::fs::PermissionsExt as _;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, files);
            } else {
                files.push(TemplateFile {
                    path: path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(),
                    executable: path.metadata().unwrap().permissions().mode() & 0o100 != 0,
                    content: std::fs::read(&path).unwrap(),
                });
            }
        }
    }
    let mut files = Vec::new();
    walk(folder, folder, &mut files);
    Arc::new(files)
}

/// The job for another run on the same environment.
pub fn next_run(job: &Job, operation: &'static str) -> Job {
    // Made on a machine whose clock is behind: its id is smaller.
    let run = RunId(uuid::Uuid::from_u128(job.run.0.as_u128() - 1));
    let since = job.since.checked_add(jiff::SignedDuration::from_secs(1)).unwrap();
    Job {
        run,
        since,
        attempt: 1,
        operation,
        generation: job.generation + 1,
        cancel: CancellationToken::new(),
        ..job.clone()
    }
}

pub fn next_attempt(job: &Job) -> Job {
    Job { attempt: job.attempt + 1, cancel: CancellationToken::new(), ..job.clone() }
}

/// The whole life, with every step done twice.
pub async fn lives_and_ends(provider: &dyn Provider, job: &Job, host: &RecordingHost) {
    provider.check().await.unwrap();
    assert_eq!(provider.read_back(job, host).await.unwrap(), [], "nothing is there before");

    let plan = provider.plan(job, host).await.unwrap();
    assert!(plan.changes.iter().all(|change| change.action == PlanAction::Create), "{plan:?}");
    assert_eq!(provider.read_back(job, host).await.unwrap(), [], "a plan makes nothing");

    provider.apply(job, host).await.unwrap();
    let (first_outputs, first_resources) = provider.collect(job, host).await.unwrap();
    provider.apply(&next_attempt(job), host).await.unwrap();
    let (outputs, resources) = provider.collect(job, host).await.unwrap();
    assert_eq!(values(&first_outputs), values(&outputs), "a second apply changes no output");
    assert_eq!(first_resources, resources, "a second apply makes nothing twice");
    assert!(!resources.is_empty());
    assert!(!provider.read_back(job, host).await.unwrap().is_empty());

    let away = next_run(job, "delete");
    provider.destroy(&away, host).await.unwrap();
    assert_eq!(provider.read_back(&away, host).await.unwrap(), [], "really gone");
    provider.destroy(&next_attempt(&away), host).await.unwrap();
    assert_eq!(provider.read_back(&away, host).await.unwrap(), []);

    let canceled = next_run(&away, "create");
    canceled.cancel.cancel();
    assert!(matches!(provider.apply(&canceled, host).await, Err(ProviderError::Canceled)));
    assert_eq!(provider.read_back(&away, host).await.unwrap(), [], "a canceled apply begins nothing");
}

fn values(outputs: &[paddock::providers::Output]) -> Value {
    outputs.iter().map(|output| (output.name.clone(), json!([output.sensitive, output.value]))).collect()
}

/// Dies at each call that the provider makes to its worker, goes on with the next attempt, and ends:
/// never two of anything, nothing left. `job` makes a new environment each time.
pub async fn survives_a_crash_at_every_call(provider: &dyn Provider, job: impl Fn() -> Job) {
    let mut deaths = 0;
    for operation in ["apply", "destroy"] {
        for turn in 1.. {
            let folder = tempfile::tempdir().unwrap();
            let host = RecordingHost::new(folder.path());
            let mut work = job();
            if operation == "destroy" {
                provider.apply(&work, &host).await.unwrap();
                work = next_run(&work, "delete");
            }
            let mortal = MortalHost::new(&host, turn);
            let died = tokio::select! {
                result = call(provider, operation, &work, &mortal) => { result.unwrap(); false }
                () = mortal.death() => true,
            };
            deaths += usize::from(died);
            let again = next_attempt(&work);
            call(provider, operation, &again, &host).await.unwrap();
            if operation == "apply" {
                let (_, resources) = provider.collect(&again, &host).await.unwrap();
                assert_eq!(provider.read_back(&again, &host).await.unwrap().len(), resources.len());
                provider.destroy(&next_run(&again, "delete"), &host).await.unwrap();
            }
            assert_eq!(provider.read_back(&again, &host).await.unwrap(), [], "{operation}, death {turn}");
            if !died {
                break;
            }
        }
    }
    assert!(deaths > 1, "the provider never asked whether it still holds the run");
}

async fn call(provider: &dyn Provider, operation: &str, job: &Job, host: &dyn Host) -> Result<(), ProviderError> {
    if operation == "apply" { provider.apply(job, host).await } else { provider.destroy(job, host).await }
}

/// What cannot be made says so in the words of whoever refused it, and leaves nothing after a destroy.
pub async fn fails_with_the_first_real_error(provider: &dyn Provider, job: &Job, host: &RecordingHost, words: &str) {
    let error = provider.apply(job, host).await.unwrap_err();
    assert!(matches!(&error, ProviderError::Failed { message } if message.contains(words)), "{error:?}");
    let away = next_run(job, "delete");
    provider.destroy(&away, host).await.unwrap();
    assert_eq!(provider.read_back(&away, host).await.unwrap(), []);
}

/// A worker that lost its lease makes nothing.
pub async fn stops_without_lease(provider: &dyn Provider, job: &Job, host: &RecordingHost) {
    host.take_lease_away();
    let result = provider.apply(job, host).await;
    assert!(matches!(result, Err(ProviderError::LeaseLost)), "{result:?}");
}

pub fn actions(plan: &Plan) -> Vec<(&str, PlanAction)> {
    plan.changes.iter().map(|change| (change.address.as_str(), change.action)).collect()
}
