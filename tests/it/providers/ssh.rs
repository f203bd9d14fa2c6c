//! Scripts on a runner host: a real OpenSSH server on loopback, connections that are lost, workers that are
//! killed, and what is left there.

use std::path::{Path, PathBuf};

use paddock::providers::{Inventory, Job, Provider, ProviderError, SshProvider, Target};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::command::{scripts, waiting};
use super::conformance::{self, inputs, next_attempt, next_run};
use super::host::{MortalHost, RecordingHost};
use super::machine::{is_alive, lines, settings, until};
use super::victim;
use crate::support::sshd::Sshd;

/// Keeps a file on the host.
fn keeper(sshd: &Sshd) -> Job {
    let file = "\"$PADDOCK_HOST_FOLDER/file\"";
    let deploy = format!(
        "echo here > {file}; echo '{{\"outputs\": {{\"at\": {{\"type\": \"string\", \"value\": \"x\"}}}}}}' > \"$PADDOCK_OUTPUTS\""
    );
    on(sshd, scripts(&deploy, &format!("rm -f {file}"), &format!("test -e {file}"), "idempotent"))
}

fn on(sshd: &Sshd, job: Job) -> Job {
    Job { target: Some(sshd.target()), ..job }
}

/// A script that leaves a program running which writes its number to `pid`.
fn leaving(pid: &Path) -> String {
    format!(
        "setsid sh -c 'echo $$ > {0}; exec sleep 600' </dev/null >/dev/null 2>&1 &\nwhile [ ! -s {0} ]; do sleep 0.05; done",
        pid.display()
    )
}

fn folder_on(sshd: &Sshd, job: &Job) -> PathBuf {
    sshd.root().join(job.environment.to_string())
}

#[tokio::test]
async fn lives_and_ends() {
    let (sshd, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
    let provider = SshProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let job = keeper(&sshd);
    conformance::lives_and_ends(&provider, &job, &host).await;
    assert!(!folder_on(&sshd, &job).exists(), "nothing of it is left on the host");
    assert!(!folder.path().join("work").join(job.environment.to_string()).exists(), "nor on the worker");
}

#[tokio::test]
async fn survives_a_crash_at_every_call() {
    let (sshd, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
    let provider = SshProvider::new(settings(folder.path()));
    conformance::survives_a_crash_at_every_call(&provider, || keeper(&sshd)).await;
    let left = std::fs::read_dir(sshd.root()).unwrap().flatten().map(|entry| entry.file_name());
    assert_eq!(left.collect::<Vec<_>>(), ["shared"]);
}

#[tokio::test]
async fn stops_without_lease() {
    let (sshd, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
    let provider = SshProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    conformance::stops_without_lease(&provider, &keeper(&sshd), &host).await;
    assert!(!sshd.root().exists(), "nothing was begun");
}

#[tokio::test]
async fn what_a_script_detached_stays_until_the_end_and_nothing_else_does() {
    let (sshd, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
    let provider = SshProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let (stays, goes) = (folder.path().join("stays"), folder.path().join("goes"));
    let deploy = format!("sleep 600 & echo $! > {}\n{}", goes.display(), leaving(&stays));
    let job = on(&sshd, scripts(&deploy, "true", "true", "idempotent"));
    provider.apply(&job, &host).await.unwrap();
    assert!(is_alive(&lines(&stays)[0]), "it has a session of its own");
    until("what it did not detach has ended", || !is_alive(&lines(&goes)[0])).await;
    // One that ended between being found and being noted.
    let left = folder_on(&sshd, &job).join("left");
    let noted = std::fs::read_to_string(&left).unwrap();
    std::fs::write(&left, format!("{noted}{} \n", i32::MAX)).unwrap();
    provider.destroy(&next_run(&job, "delete"), &host).await.unwrap();
    assert!(!is_alive(&lines(&stays)[0]), "what its delete script forgot");
    assert!(!folder_on(&sshd, &job).exists());
}

/// A process that has ended stays in the list of processes until its parent asks how, and not every parent does:
/// the first process of a container often is no init.
#[tokio::test]
async fn what_has_ended_without_its_parents_notice_is_not_waited_for() {
    let (sshd, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
    let provider = SshProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let at = |name: &str| folder.path().join(name);
    let deploy = format!(
        r#"env -u PADDOCK_ENVIRONMENT_ID setsid sh -c '
             echo $$ > {parent}
             PADDOCK_ENVIRONMENT_ID=$1 sh -c "echo \$\$ > {child}; while [ ! -e {end} ]; do sleep 0.05; done" &
             exec sleep 600' sh "$PADDOCK_ENVIRONMENT_ID" < /dev/null > /dev/null 2>&1 &
           while [ ! -s {child} ]; do sleep 0.05; done"#,
        parent = at("parent").display(),
        child = at("child").display(),
        end = at("end").display(),
    );
    let job = on(&sshd, scripts(&deploy, "true", "true", "idempotent"));
    provider.apply(&job, &host).await.unwrap();
    let (parent, child) = (lines(&at("parent")).remove(0), lines(&at("child")).remove(0));
    std::fs::write(at("end"), "").unwrap();
    let stat = || std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
    until("it has ended", || stat().contains(") Z ")).await;
    let deleted = provider.destroy(&next_run(&job, "delete"), &host).await;
    let noticed = stat();
    kill_process(Pid::from_raw(parent.parse().unwrap()).unwrap(), Signal::KILL).unwrap();
    deleted.unwrap();
    assert!(noticed.contains(") Z "), "nobody has noticed: {noticed}");
}

#[tokio::test]
async fn scripts_have_what_they_are_promised_and_no_secret_stays() {
    let (sshd, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
    let provider = SshProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let deploy = r#"
        count=$(cat "$PADDOCK_STORAGE/count" 2>/dev/null || echo 0)
        echo $((count + 1)) > "$PADDOCK_STORAGE/count"
        echo "again" >> "$PADDOCK_HOST_FOLDER/count"; echo "ours" > "$PADDOCK_SHARED_FOLDER/count"
        [ -z "$DATABASE_URL$CARGO_MANIFEST_DIR" ] || { echo "the worker's variables leak" >&2; exit 1; }
        [ -z "${PADDOCK_TARGET_SECRET_FILE-}" ] || { echo "the key leaks" >&2; exit 1; }
        [ "$HOME" = "$(echo ~)" ] && [ -d "$TMPDIR" ] && grep -q hunter2 "$PADDOCK_INPUTS" || exit 2
        cat > "$PADDOCK_OUTPUTS" <<JSON
        {"outputs": {"count": {"type": "int", "value": $((count + 1))},
                     "kept": {"type": "int", "value": $(wc -l < "$PADDOCK_HOST_FOLDER/count")},
                     "who": {"type": "string", "value": "$PADDOCK_INPUT_NAME $PADDOCK_TARGET_HOST $PADDOCK_TARGET"}}}
JSON"#;
    let mut job = on(&sshd, scripts(deploy, "true", "true", "idempotent"));
    job.inputs = inputs(json!({"name": "it's $HOME `id`", "word": "hunter2"}));
    provider.apply(&job, &host).await.unwrap();
    let job = next_run(&job, "update");
    provider.apply(&job, &host).await.unwrap();
    let (outputs, _) = provider.collect(&job, &host).await.unwrap();
    let seen: Vec<_> = outputs.iter().map(|output| (output.name.as_str(), output.value.clone())).collect();
    assert_eq!(
        seen,
        [("count", json!(2)), ("kept", json!(2)), ("who", json!("it's $HOME `id` 127.0.0.1 box"))],
        "what is stored here, and what stays there"
    );
    for place in [sshd.root(), folder.path().join("work")] {
        let found =
            std::process::Command::new("grep").args(["-rlE", "hunter2|PRIVATE KEY"]).arg(&place).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&found.stdout), "", "{}", place.display());
    }
}

#[tokio::test]
async fn the_first_real_error_is_told() {
    let (sshd, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
    let provider = SshProvider::new(settings(folder.path()));
    let failure = async |deploy: &str| {
        let host_folder = tempfile::tempdir().unwrap();
        let host = RecordingHost::new(host_folder.path());
        let job = on(&sshd, scripts(deploy, "true", "true", "idempotent"));
        provider.apply(&job, &host).await.unwrap_err().to_string()
    };
    assert_eq!(failure("echo fine; echo 'No room left.' >&2; exit 4").await, "No room left.");
    assert_eq!(
        failure("echo noise >&2; echo 'Quota is used up' > \"$PADDOCK_ERROR_LOG\"; exit 1").await,
        "Quota is used up"
    );
    assert_eq!(failure("exit 9").await, "up.sh ended with code 9 and said nothing");
    assert_eq!(
        failure("head -c 17000000 /dev/zero > \"$PADDOCK_STORAGE/big\"").await,
        "the storage folder holds more than 16 MiB"
    );
    assert_eq!(
        failure("head -c 99000000 /dev/zero > \"$PADDOCK_STORAGE/big\"").await,
        "the storage folder holds more than 16 MiB"
    );
}

#[tokio::test]
async fn a_cancel_ends_the_script_on_the_host() {
    let (sshd, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
    let provider = SshProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let job = on(&sshd, waiting(folder.path(), "idempotent"));
    let started = folder.path().join("started");
    let cancel = async {
        until("the script runs", || !lines(&started).is_empty()).await;
        job.cancel.cancel();
    };
    let (result, ()) = tokio::join!(provider.apply(&job, &host), cancel);
    assert!(matches!(result, Err(ProviderError::Canceled)), "{result:?}");
    assert!(!is_alive(&lines(&started)[0]), "before the worker says so");
}

/// What the worker does not hear of ends as unknown, and the host ends what nobody listens to.
#[tokio::test]
async fn a_connection_that_is_lost_leaves_nothing_running_and_nobody_guessing() {
    for repeat in ["idempotent", "once"] {
        let (sshd, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
        let provider = SshProvider::new(settings(folder.path()));
        let host = RecordingHost::new(folder.path());
        let job = on(&sshd, waiting(folder.path(), repeat));
        let started = folder.path().join("started");
        let cut = async {
            until("the script runs", || !lines(&started).is_empty()).await;
            sshd.cut();
        };
        let (result, ()) = tokio::join!(provider.apply(&job, &host), cut);
        let error = result.unwrap_err();
        assert!(
            matches!(&error, ProviderError::Unknown { message } if message.contains("the connection to 127.0.0.1 was lost")),
            "{error:?}"
        );
        std::fs::write(folder.path().join("release"), "").unwrap();
        let again = provider.apply(&next_attempt(&job), &host).await;
        assert!(!is_alive(&lines(&started)[0]), "the first one is ended before anything else is done");
        if repeat == "once" {
            let words = again.unwrap_err().to_string();
            assert!(words.starts_with("attempt 1 ran up.sh and did not see its end."), "{words}");
            assert_eq!(lines(&started).len(), 1);
        } else {
            again.unwrap();
            assert_eq!(lines(&started).len(), 2);
            assert_eq!(lines(&folder.path().join("ended")).len(), 1, "one effect");
        }
    }
}

/// The worker dies between the end of the script and its own record of it: the host has noted the end.
#[tokio::test]
async fn an_end_that_nobody_saw_is_taken_over() {
    for (repeat, code) in [("once", 0), ("idempotent", 0), ("idempotent", 3)] {
        let (sshd, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
        let provider = SshProvider::new(settings(folder.path()));
        let host = RecordingHost::new(folder.path());
        let runs = folder.path().join("runs");
        let outputs = r#"{"outputs": {"n": {"type": "int", "value": 7}}}"#;
        let deploy = format!("echo x >> {}; echo '{outputs}' > $PADDOCK_OUTPUTS; exit {code}", runs.display());
        let job = on(&sshd, scripts(&deploy, "true", "true", repeat));
        // Its calls: the record of the beginning, a line of log, the record of the end.
        let mortal = MortalHost::new(&host, 3);
        tokio::select! {
            result = provider.apply(&job, &mortal) => panic!("it was to die, but ended with {result:?}"),
            () = mortal.death() => {}
        }
        let again = next_attempt(&job);
        assert_eq!(provider.read_back(&again, &host).await.unwrap().len(), 1, "a look does not change that");
        let result = provider.apply(&again, &host).await;
        assert_eq!(lines(&runs).len(), 1, "{repeat} {code}: it is not run again");
        if code == 0 {
            result.unwrap();
            assert_eq!(provider.collect(&again, &host).await.unwrap().0[0].value, json!(7));
            assert!(host.text().contains("Attempt 1 ran up.sh to its end"), "{}", host.text());
        } else {
            assert_eq!(result.unwrap_err().to_string(), "up.sh ended with code 3 and said nothing");
        }
    }
}

/// A worker that hangs keeps its connection; the next attempt does not wait for it.
#[tokio::test]
async fn a_later_attempt_ends_an_earlier_one_and_a_late_one_is_refused() {
    let (sshd, folder, other) = (Sshd::start(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (provider, elsewhere) = (SshProvider::new(settings(folder.path())), SshProvider::new(settings(other.path())));
    let host = RecordingHost::new(folder.path());
    let started = folder.path().join("started");
    // The first one never ends by itself.
    let deploy = format!("echo $$ >> {0}; [ $(wc -l < {0}) -ge 2 ] || while :; do sleep 0.05; done", started.display());
    let job = on(&sshd, scripts(&deploy, "true", "true", "idempotent"));
    let later = next_attempt(&job);
    let overtake = async {
        until("the script runs", || !lines(&started).is_empty()).await;
        elsewhere.apply(&later, &host).await
    };
    let (first, second) = tokio::join!(provider.apply(&job, &host), overtake);
    second.unwrap();
    assert!(matches!(&first, Err(ProviderError::Unknown { message }) if message.contains("was stopped")), "{first:?}");
    assert!(!is_alive(&lines(&started)[0]));
    let late = provider.apply(&job, &RecordingHost::new(other.path())).await;
    assert!(matches!(late, Err(ProviderError::LeaseLost)), "{late:?}");
    assert_eq!(lines(&started).len(), 2, "a late one begins nothing");
}

pub fn victim(folder: &Path) -> (Box<dyn Provider>, Job) {
    let text = std::fs::read_to_string(folder.join("job")).unwrap();
    let (ids, target) = text.split_once('\n').unwrap();
    let (environment, run) = ids.split_once(' ').unwrap();
    let (target, key): (serde_json::Value, String) = serde_json::from_str(target).unwrap();
    let target = Target { settings: target, secret: Some(key.into()), ..Target::default() };
    let (environment, run) = (environment.parse().unwrap(), run.parse().unwrap());
    let job = Job { environment, run, target: Some(target), ..waiting(folder, "idempotent") };
    (Box::new(SshProvider::new(settings(folder))), job)
}

#[tokio::test]
async fn a_script_whose_worker_is_killed_ends_on_the_host() {
    let (sshd, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
    let job = on(&sshd, waiting(folder.path(), "idempotent"));
    let target = json!([sshd.settings(), sshd.key()]);
    std::fs::write(folder.path().join("job"), format!("{} {}\n{target}", job.environment, job.run)).unwrap();
    let started = folder.path().join("started");
    let mut victim = victim::start("ssh", folder.path());
    until("the script runs", || !lines(&started).is_empty()).await;
    victim.kill();
    until("the host has ended it", || !is_alive(&lines(&started)[0])).await;
    std::fs::write(folder.path().join("release"), "").unwrap();
    let provider = SshProvider::new(settings(folder.path()));
    // The victim was the first, by its own clock: this one is later than whatever that says.
    let later = Job { since: jiff::Timestamp::now(), ..next_attempt(&job) };
    provider.apply(&later, &RecordingHost::new(folder.path())).await.unwrap();
    assert_eq!(lines(&folder.path().join("ended")).len(), 1, "one effect");
}

/// What Paddock runs on the host can be killed there, and leave its script alone.
#[tokio::test]
async fn a_script_that_outlived_its_shell_ends_before_the_next_attempt() {
    let (sshd, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
    let provider = SshProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let started = folder.path().join("started");
    let deploy = format!("echo $$ >> {0}; [ $(wc -l < {0}) -ge 2 ] || while :; do sleep 0.05; done", started.display());
    let job = on(&sshd, scripts(&deploy, "true", "true", "idempotent"));
    let kill = async {
        until("the script runs", || !lines(&started).is_empty()).await;
        let holder = std::fs::read_to_string(folder_on(&sshd, &job).join("holder")).unwrap();
        let shell = Pid::from_raw(holder.split(' ').next().unwrap().parse().unwrap()).unwrap();
        kill_process(shell, Signal::KILL).unwrap();
    };
    tokio::select! {
        result = provider.apply(&job, &host) => panic!("it did not wait: {result:?}"),
        () = kill => {}
    }
    assert!(is_alive(&lines(&started)[0]), "nobody has told it");
    provider.apply(&next_attempt(&job), &host).await.unwrap();
    assert!(!is_alive(&lines(&started)[0]));
    assert_eq!(lines(&started).len(), 2);
}

#[tokio::test]
async fn folders_of_environments_are_listed_by_their_mark_and_removed_with_what_runs() {
    let (sshd, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
    let provider = SshProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let target = sshd.target();
    assert_eq!(provider.inventory(&target).await.unwrap(), Inventory::Listed(Vec::new()), "nobody was there yet");
    let stays = folder.path().join("stays");
    let job = on(&sshd, scripts(&leaving(&stays), "true", "true", "idempotent"));
    provider.apply(&job, &host).await.unwrap();
    // What does not carry the mark, or another's, is nobody's.
    let foreign = keeper(&sshd);
    for (name, mark) in
        [(foreign.environment.to_string(), job.environment.to_string()), ("env_x".into(), String::new())]
    {
        std::fs::create_dir_all(sshd.root().join(&name)).unwrap();
        std::fs::write(sshd.root().join(name).join("mark"), format!("{mark} 1\n")).unwrap();
    }
    let Inventory::Listed(listed) = provider.inventory(&target).await.unwrap() else { panic!("a host can be listed") };
    let [one] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!((one.environment, one.is_resource), (Some(job.environment), false));
    assert!(one.since.is_some());

    let mut other = one.clone();
    other.id = foreign.environment.to_string();
    other.environment = Some(foreign.environment);
    provider.remove_marked(&target, &other, &host).await.unwrap();
    assert!(folder_on(&sshd, &foreign).exists(), "its mark is not that");
    for _ in 0..2 {
        provider.remove_marked(&target, one, &host).await.unwrap();
        assert!(!folder_on(&sshd, &job).exists() && !is_alive(&lines(&stays)[0]));
    }
}
