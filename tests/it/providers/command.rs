//! The provider of scripts, with the sample catalog's template and with small ones.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use paddock::providers::{CommandProvider, Job, JobAction, Provider, ProviderError, Settings, Target, TemplateFile};
use serde_json::json;

use super::conformance::{self, files, inputs, next_attempt, next_run};
use super::host::RecordingHost;
use super::machine::{catalog, is_alive, lines, settings, until};
use super::victim;

fn target(folder: &Path) -> Target {
    Target { slug: "git".into(), settings: json!({"folder": folder.join("git")}), ..Target::default() }
}

fn repository(folder: &Path) -> Job {
    Job {
        files: files(&catalog("service-repository")),
        config: json!({"deploy": "deploy.sh", "delete": "delete.sh", "probe": "probe.sh", "repeat": "idempotent"}),
        inputs: inputs(json!({
            "service_name": "pay-api", "language": "rust", "description": "Takes \"money\" & gives it back",
            "owners": ["@pay/leads", "@ada"], "network": {"port": 9000, "public": false},
        })),
        target: Some(target(folder)),
        ..conformance::job()
    }
}

/// A job with these scripts.
pub fn scripts(deploy: &str, delete: &str, probe: &str, repeat: &str) -> Job {
    let file = |path: &str, text: &str| TemplateFile {
        path: path.into(),
        executable: false,
        content: format!("#!/bin/sh\n{text}\n").into_bytes(),
    };
    Job {
        files: Arc::new(vec![file("up.sh", deploy), file("down.sh", delete), file("look.sh", probe)]),
        config: json!({"deploy": "up.sh", "delete": "down.sh", "probe": "look.sh", "repeat": repeat}),
        ..conformance::job()
    }
}

#[tokio::test]
async fn lives_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let provider = CommandProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    conformance::lives_and_ends(&provider, &repository(folder.path()), &host).await;
}

#[tokio::test]
async fn survives_a_crash_at_every_call() {
    let folder = tempfile::tempdir().unwrap();
    let provider = CommandProvider::new(settings(folder.path()));
    let names = std::sync::atomic::AtomicUsize::new(0);
    conformance::survives_a_crash_at_every_call(&provider, || {
        let mut job = repository(folder.path());
        let name = format!("pay-{}", names.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
        job.inputs.insert("service_name".into(), json!(name));
        job
    })
    .await;
}

#[tokio::test]
async fn stops_without_lease() {
    let folder = tempfile::tempdir().unwrap();
    let provider = CommandProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    conformance::stops_without_lease(&provider, &repository(folder.path()), &host).await;
    assert!(!folder.path().join("git").exists(), "nothing was begun");
}

#[tokio::test]
async fn what_ended_well_is_not_run_again_for_the_same_run() {
    let folder = tempfile::tempdir().unwrap();
    let provider = CommandProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let runs = folder.path().join("runs");
    let job = scripts(&format!("echo x >> '{}'", runs.display()), "true", "exit 1", "idempotent");
    for attempt in [job.clone(), next_attempt(&job)] {
        provider.apply(&attempt, &host).await.unwrap();
    }
    assert_eq!(lines(&runs).len(), 1);
    provider.apply(&next_run(&job, "update"), &host).await.unwrap();
    assert_eq!(lines(&runs).len(), 2, "a new run does");
}

#[tokio::test]
async fn a_program_that_takes_too_long_is_stopped_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let limit = Duration::from_secs(2);
    let provider = CommandProvider::new(Settings { limit, ..settings(folder.path()) });
    let host = RecordingHost::new(folder.path());
    let started = folder.path().join("started");
    let deploy = format!("echo $$ >> '{0}'; sleep 60 & echo $! >> '{0}'; wait", started.display());
    let job = scripts(&deploy, "true", "exit 1", "idempotent");
    let error = provider.apply(&job, &host).await.unwrap_err();
    assert!(
        matches!(&error, ProviderError::Unknown { message } if message.contains("did not end within 2 seconds")),
        "{error:?}"
    );
    let pids = lines(&started);
    assert_eq!(pids.len(), 2);
    until("all of it has ended", || !pids.iter().any(|pid| is_alive(pid))).await;
}

/// The template says that it must not be repeated, so a person decides.
#[tokio::test]
async fn a_program_whose_time_was_up_is_not_begun_again_where_it_must_not_be() {
    let folder = tempfile::tempdir().unwrap();
    let limit = Duration::from_secs(2);
    let provider = CommandProvider::new(Settings { limit, ..settings(folder.path()) });
    let host = RecordingHost::new(folder.path());
    let made = folder.path().join("made");
    let job = scripts(&format!("echo x >> '{}'; sleep 1000", made.display()), "true", "exit 1", "once");
    // One that is asked to stop and says that all is well has not said that it is done.
    for deploy in [
        &job,
        &scripts(&format!("trap 'exit 0' TERM; echo x >> '{}'; sleep 1000", made.display()), "true", "exit 1", "once"),
    ] {
        let error = provider.apply(deploy, &host).await.unwrap_err();
        assert!(matches!(error, ProviderError::Unknown { .. }), "{error:?}");
        let error = provider.apply(&next_attempt(deploy), &host).await.unwrap_err();
        assert!(error.to_string().starts_with("attempt 1 ran up.sh and did not see its end."), "{error}");
        assert_eq!(lines(&made).len(), 1);
        std::fs::remove_file(&made).unwrap();
    }
}

/// What a template says of its deploy script does not bind its actions, and the other way round.
#[tokio::test]
async fn an_action_whose_end_nobody_saw_is_repeated_only_where_it_may_be() {
    for (repeat, times) in [("idempotent", 2), ("once", 1)] {
        let folder = tempfile::tempdir().unwrap();
        let provider = CommandProvider::new(Settings { limit: Duration::from_secs(2), ..settings(folder.path()) });
        let host = RecordingHost::new(folder.path());
        let made = folder.path().join("made");
        let job = scripts("true", "true", "exit 1", if repeat == "once" { "idempotent" } else { "once" });
        provider.apply(&job, &host).await.unwrap();
        let hang = format!("#!/bin/sh\necho x >> '{}'; sleep 1000\n", made.display());
        let mut files = job.files.to_vec();
        files.push(TemplateFile { path: "act.sh".into(), executable: false, content: hang.into_bytes() });
        let once = repeat == "once";
        let action = JobAction { name: "reindex".into(), run: "act.sh".into(), once, inputs: inputs(json!({})) };
        let act = Job { files: Arc::new(files), action: Some(action), ..next_run(&job, "act") };
        let error = provider.act(&act, &host).await.unwrap_err();
        assert!(matches!(error, ProviderError::Unknown { .. }), "{error:?}");
        let error = provider.act(&next_attempt(&act), &host).await.unwrap_err();
        assert_eq!(lines(&made).len(), times, "{repeat}: {error}");
        if once {
            assert!(error.to_string().starts_with("attempt 1 ran act.sh and did not see its end."), "{error}");
        }
    }
}

/// Whoever killed it, the machine for want of memory perhaps: nobody knows how far it came.
#[tokio::test]
async fn a_program_that_was_killed_is_not_known_to_have_failed() {
    let folder = tempfile::tempdir().unwrap();
    let provider = CommandProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let job = scripts("kill -KILL $PPID", "true", "exit 1", "idempotent");
    let error = provider.apply(&job, &host).await.unwrap_err();
    assert!(
        matches!(&error, ProviderError::Unknown { message } if message.contains("killed from outside")),
        "{error:?}"
    );
}

#[tokio::test]
async fn what_a_script_leaves_has_a_largest_size() {
    for (place, words) in [
        ("STORAGE/big", "the storage folder holds more than 16 MiB"),
        ("OUTPUTS", "the outputs file is larger than 16 MiB"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let provider = CommandProvider::new(settings(folder.path()));
        let host = RecordingHost::new(folder.path());
        let (variable, rest) = place.split_once('/').map_or((place, ""), |(name, _)| (name, "/big"));
        let deploy = format!("head -c 17000000 /dev/zero > \"$PADDOCK_{variable}{rest}\"");
        let job = scripts(&deploy, "true", "exit 1", "idempotent");
        let error = provider.apply(&job, &host).await.unwrap_err();
        assert!(matches!(&error, ProviderError::Failed { message } if message == words), "{error:?}");
    }
}

#[tokio::test]
async fn what_no_variable_can_hold_is_in_the_file_of_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let provider = CommandProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let seen = folder.path().join("seen");
    let deploy = format!(
        "env | cut -d= -f1 | grep ^PADDOCK_INPUT_ > '{0}'; wc -c < \"$PADDOCK_INPUTS\" >> '{0}'",
        seen.display()
    );
    let mut job = scripts(&deploy, "true", "exit 1", "idempotent");
    job.inputs = inputs(json!({"plain": "x", "odd": "a\0b", "long": "y".repeat(200_000)}));
    provider.apply(&job, &host).await.unwrap();
    let seen = lines(&seen);
    assert_eq!(seen[0], "PADDOCK_INPUT_PLAIN");
    assert!(seen.len() == 2 && seen[1].trim().parse::<usize>().unwrap() > 200_000, "{seen:?}");
}

#[tokio::test]
async fn a_repository_can_be_cloned_and_follows_its_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let provider = CommandProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let mut job = repository(folder.path());
    provider.apply(&job, &host).await.unwrap();
    let (outputs, resources) = provider.collect(&job, &host).await.unwrap();
    let url = outputs.iter().find(|output| output.name == "clone_url").unwrap().value.as_str().unwrap().to_owned();
    assert_eq!(resources[0].r#type, "git_repository");

    let clone = |name: &str| {
        let tree = folder.path().join(name);
        let status = Command::new("git").args(["clone", "--quiet", &url]).arg(&tree).status().unwrap();
        assert!(status.success());
        tree
    };
    let tree = clone("one");
    let read = |path: &str| std::fs::read_to_string(tree.join(path)).unwrap();
    assert!(read("Cargo.toml").contains("name = \"pay-api\""));
    assert!(read("service.yaml").contains("  Takes \"money\" & gives it back\n"));
    assert!(read("service.yaml").contains("port: 9000\n"));
    assert_eq!(read("CODEOWNERS"), "* @pay/leads @ada\n");

    job = next_run(&job, "update");
    job.inputs.insert("owners".into(), json!(["@grace"]));
    provider.apply(&job, &host).await.unwrap();
    assert_eq!(std::fs::read_to_string(clone("two").join("CODEOWNERS")).unwrap(), "* @grace\n");

    // The same name again, for somebody else.
    let other = repository(folder.path());
    let other_folder = tempfile::tempdir().unwrap();
    let refused = provider.apply(&other, &RecordingHost::new(other_folder.path())).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "A repository named pay-api is there already and belongs to somebody else. Choose another name."
    );
    let away = next_run(&other, "delete");
    provider.destroy(&away, &RecordingHost::new(other_folder.path())).await.unwrap();
    assert!(folder.path().join("git/pay-api.git").exists(), "what is not ours is left alone");

    provider.destroy(&next_run(&job, "delete"), &host).await.unwrap();
    assert!(!folder.path().join("git/pay-api.git").exists());
}

#[tokio::test]
async fn the_first_real_error_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let provider = CommandProvider::new(settings(folder.path()));
    let failure = async |deploy: &str| {
        let host_folder = tempfile::tempdir().unwrap();
        let host = RecordingHost::new(host_folder.path());
        provider.apply(&scripts(deploy, "true", "true", "idempotent"), &host).await.unwrap_err().to_string()
    };
    assert_eq!(failure("echo fine; echo 'No room left.' >&2; exit 4").await, "No room left.");
    assert_eq!(
        failure("echo noise >&2; echo 'Quota is used up' > \"$ADE_ERROR_LOG\"; exit 1").await,
        "Quota is used up"
    );
    assert_eq!(failure("exit 9").await, "up.sh ended with code 9 and said nothing");
    let outputs = failure("echo '{\"outputs\": 1}' > \"$PADDOCK_OUTPUTS\"").await;
    assert_eq!(outputs, "the outputs file cannot be used: it has no object “outputs”");

    let mut missing = scripts("true", "true", "true", "idempotent");
    missing.config = json!({"deploy": "other.sh", "delete": "down.sh"});
    let host = RecordingHost::new(folder.path());
    let message = provider.apply(&missing, &host).await.unwrap_err().to_string();
    assert_eq!(message, "the template has no file other.sh, which its config names");
}

#[tokio::test]
async fn storage_outputs_and_variables_keep_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let provider = CommandProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let deploy = r#"
        count=$(cat "$ADE_STORAGE/count" 2>/dev/null || echo 0)
        echo $((count + 1)) > "$PADDOCK_STORAGE/count"
        [ -z "$DATABASE_URL$CARGO_MANIFEST_DIR" ] || { echo "the worker's variables leak" >&2; exit 1; }
        [ "$(cat "$PADDOCK_TARGET_SECRET_FILE")" = hunter2 ] || exit 2
        cat > "$ADE_OUTPUTS" <<JSON
        {"outputs": {"count": {"type": "int", "value": $((count + 1))},
                     "who": {"type": "string", "value": "$PADDOCK_INPUT_NAME $ADE_ENVIRONMENT_TYPE", "sensitive": true}}}
JSON"#;
    let mut job = scripts(deploy, "test \"$(cat $PADDOCK_STORAGE/count)\" = 2", "true", "idempotent");
    job.inputs = inputs(json!({"name": "ada"}));
    job.target = Some(Target { secret: Some("hunter2".to_owned().into()), ..target(folder.path()) });
    provider.apply(&job, &host).await.unwrap();
    let job = next_run(&job, "update");
    provider.apply(&job, &host).await.unwrap();
    let (outputs, _) = provider.collect(&job, &host).await.unwrap();
    let seen: Vec<_> = outputs.iter().map(|o| (o.name.as_str(), o.value.clone(), o.sensitive)).collect();
    assert_eq!(seen, [("count", json!(2), false), ("who", json!("ada dev"), true)]);
    provider.destroy(&next_run(&job, "delete"), &host).await.unwrap();
}

#[tokio::test]
async fn nothing_that_a_script_leaves_behind_lives_on() {
    let folder = tempfile::tempdir().unwrap();
    let provider = CommandProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let pid = folder.path().join("pid");
    let deploy = format!(
        "setsid sh -c 'echo $$ > {}; exec sleep 600' >/dev/null 2>&1 &\nwhile [ ! -s {0} ]; do :; done",
        pid.display()
    );
    provider.apply(&scripts(&deploy, "true", "true", "idempotent"), &host).await.unwrap();
    assert!(!is_alive(&lines(&pid)[0]));
}

#[tokio::test]
async fn a_cancel_stops_the_script_and_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let provider = CommandProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let job = waiting(folder.path(), "idempotent");
    let started = folder.path().join("started");
    let cancel = async {
        until("the script runs", || !lines(&started).is_empty()).await;
        job.cancel.cancel();
    };
    let (result, ()) = tokio::join!(provider.apply(&job, &host), cancel);
    assert!(matches!(result, Err(ProviderError::Canceled)), "{result:?}");
    assert!(!is_alive(&lines(&started)[0]));
}

/// Writes its process id, waits for `release`, then writes `ended`; the probe looks for that.
pub fn waiting(folder: &Path, repeat: &str) -> Job {
    let folder = folder.display();
    scripts(
        &format!(
            "echo $$ >> {folder}/started; while [ ! -e {folder}/release ]; do sleep 0.05; done; echo $$ >> {folder}/ended"
        ),
        "true",
        &format!("test -e {folder}/ended"),
        repeat,
    )
}

/// The same job in the killed process and in the one that goes on.
pub fn victim(folder: &Path) -> (Box<dyn Provider>, Job) {
    let ids = std::fs::read_to_string(folder.join("ids")).unwrap();
    let [environment, run, repeat] = ids.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let job = Job { environment: environment.parse().unwrap(), run: run.parse().unwrap(), ..waiting(folder, repeat) };
    (Box::new(CommandProvider::new(settings(folder))), job)
}

/// Kills a worker in the middle of the script, and lets the next attempt go on.
async fn killed_in_the_middle(folder: &Path, repeat: &str) -> (Job, Result<(), ProviderError>) {
    let provider = CommandProvider::new(settings(folder));
    let host = RecordingHost::new(folder);
    let job = waiting(folder, repeat);
    std::fs::write(folder.join("ids"), format!("{} {} {repeat}", job.environment, job.run)).unwrap();
    let started = folder.join("started");
    let mut victim = victim::start("command", folder);
    until("the script runs", || !lines(&started).is_empty()).await;
    victim.kill();
    until("the guard has ended it", || !is_alive(&lines(&started)[0])).await;
    std::fs::write(folder.join("release"), "").unwrap();
    let second = next_attempt(&job);
    let result = provider.apply(&second, &host).await;
    (second, result)
}

#[tokio::test]
async fn a_script_that_may_be_repeated_goes_on_after_kill_9() {
    for repeat in ["idempotent", "probe"] {
        let folder = tempfile::tempdir().unwrap();
        let (_, result) = killed_in_the_middle(folder.path(), repeat).await;
        result.unwrap();
        assert_eq!(lines(&folder.path().join("started")).len(), 2);
        assert_eq!(lines(&folder.path().join("ended")).len(), 1, "one effect");
    }
}

#[tokio::test]
async fn a_script_that_must_not_be_repeated_waits_for_a_person() {
    let folder = tempfile::tempdir().unwrap();
    let (job, result) = killed_in_the_middle(folder.path(), "once").await;
    let message = result.unwrap_err().to_string();
    assert!(message.starts_with("attempt 1 ran up.sh and did not see its end."), "{message}");
    assert_eq!(lines(&folder.path().join("started")).len(), 1);
    // A new run is a person's decision.
    let provider = CommandProvider::new(settings(folder.path()));
    provider.apply(&next_run(&job, "update"), &RecordingHost::new(folder.path())).await.unwrap();
}

#[tokio::test]
async fn what_the_probe_finds_is_not_made_again() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ended"), "by the first attempt, just before it died\n").unwrap();
    let (_, result) = killed_in_the_middle(folder.path(), "probe").await;
    result.unwrap();
    assert_eq!(lines(&folder.path().join("started")).len(), 1, "not run again");
}
