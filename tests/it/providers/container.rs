//! Scripts in containers, with a real engine: what they get there, what they may, and that none outlives
//! its attempt unseen.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use paddock::providers::{
    CommandProvider, Engine, Job, Limits, Provider, ProviderError, Settings, Target, TemplateFile,
};
use serde_json::{Value, json};

use super::conformance::{self, actions, inputs, next_attempt, next_run};
use super::host::RecordingHost;
use super::machine::{self, is_alive, lines, until};
use super::victim;

const SECRET: &str = "hunter2-in-container";
const IMAGE: &str = "localhost/paddock-runner:1";

/// An engine with an image of its own: busybox, and a runner's scripts.
static WRAPPER: LazyLock<PathBuf> = LazyLock::new(|| {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    env!("CARGO_TARGET_TMPDIR").hash(&mut hasher);
    // Not below the target folder: engines put sockets there, whose paths must be short.
    let folder = std::env::temp_dir().join(format!("paddock-engine-{:016x}", hasher.finish()));
    fs::create_dir_all(&folder).unwrap();
    let wrapper = folder.join("podman-of-tests");
    let place = folder.display();
    executable(
        &wrapper,
        &format!(
            "#!/bin/sh\nverb=$1\nshift\n\
             if [ \"$verb\" = run ]; then set -- --ulimit nofile=1024:1024 --ulimit nproc=1000:1000 \"$@\"; fi\n\
             exec podman --runtime \"$(command -v runc || echo /usr/sbin/runc)\" --storage-driver vfs \
             --root {place}/root --runroot {place}/run \"$verb\" \"$@\"\n"
        ),
    );
    let root = folder.join(format!("image-{}", std::process::id()));
    for folder in ["bin", "scripts", "tmp"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
    fs::copy(busybox.expect("busybox (scripts/setup test)"), root.join("bin/busybox")).unwrap();
    let applets = Command::new(root.join("bin/busybox")).arg("--list").output().unwrap();
    for applet in String::from_utf8(applets.stdout).unwrap().lines().filter(|name| *name != "busybox") {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    executable(&root.join("scripts/deploy.sh"), DEPLOY);
    executable(&root.join("scripts/delete.sh"), DELETE);
    let tar = folder.join(format!("image-{}.tar", std::process::id()));
    run(Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&tar).arg("."));
    run(Command::new(&wrapper).args(["import", "--change", "ENV FROM_IMAGE=yes"]).arg(&tar).arg(IMAGE));
    fs::remove_dir_all(&root).unwrap();
    fs::remove_file(&tar).unwrap();
    wrapper
});

const DEPLOY: &str = r#"#!/bin/sh
set -e
eval "$(ade init)"
for pair in "$PWD=/ade/repository/conf" "$ADE_TEMPLATE_FILE=/ade/repository/conf/main.conf" \
    "$ADE_OUTPUTS=/ade/temp/output.json" "$ADE_ERROR_LOG=/ade/temp/error.log" "$ADE_STORAGE=/ade/storage" \
    "$ADE_OPERATION_NAME=deploy" "$FROM_IMAGE=yes"; do
    if [ "${pair%%=*}" != "${pair#*=}" ]; then echo "$pair" >&2; exit 1; fi
done
cmp main.conf "$ADE_TEMPLATE_FILE"
case "$ADE_OPERATION_PARAMETERS" in *broken*)
    ade operation-result --code 15 --message "the image says no"
    exit 1
    ;;
esac
runs=$(cat "$ADE_STORAGE/runs" 2>/dev/null || echo 0)
echo $((runs + 1)) >"$ADE_STORAGE/runs"
echo "by the image for $ADE_HTTP__DEVCENTERID"
echo "{\"outputs\": {\"runs\": {\"type\": \"number\", \"value\": $((runs + 1))}}}" >"$TMPDIR/out"
ade outputs upload --file "$TMPDIR/out"
"#;

const DELETE: &str = "#!/bin/sh\ntest \"$(cat \"$ADE_STORAGE/runs\")\" = 2 && echo removed by the image\n";

fn executable(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn podman(args: &[&str]) -> String {
    let output = Command::new(&*WRAPPER).args(args).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn name(job: &Job) -> String {
    format!("paddock-{}", job.environment)
}

/// The containers of the job's environment.
fn containers(job: &Job) -> String {
    podman(&["ps", "--all", "--quiet", "--filter", &format!("name=^{}$", name(job))])
}

fn settings(folder: &Path) -> Settings {
    let plain = machine::settings(folder);
    let variable = |name: &str| std::env::var_os(name).map(|value| (name.into(), value));
    let engine = Engine {
        program: WRAPPER.clone(),
        pull: "never".to_owned(),
        network: Some("host".to_owned()),
        environment: ["PATH", "HOME"].into_iter().filter_map(variable).collect(),
    };
    Settings { engine: Some(engine), grace: Duration::from_secs(4), ..plain }
}

fn files(all: &[(&str, &str)]) -> Arc<Vec<TemplateFile>> {
    let file = |(path, text): &(&str, &str)| TemplateFile {
        path: (*path).to_owned(),
        executable: false,
        content: text.as_bytes().to_vec(),
    };
    Arc::new(all.iter().map(file).collect())
}

/// Scripts of the template in the image.
fn scripts(deploy: &str) -> Job {
    let script = |text: &str| format!("#!/bin/sh\n{text}\n");
    Job {
        files: files(&[("up.sh", &script(deploy)), ("down.sh", &script("true")), ("look.sh", &script("exit 1"))]),
        config: json!({"deploy": "up.sh", "delete": "down.sh", "image": IMAGE}),
        inputs: inputs(json!({"key": SECRET, "text": "it's\n\"two\" lines $HOME"})),
        ..conformance::job()
    }
}

/// A definition whose scripts are those of its image.
fn runner() -> Job {
    Job {
        files: files(&[("conf/main.conf", "x\n"), ("environment.yaml", "name: x\n")]),
        config: json!({"image": IMAGE, "template": "conf/main.conf"}),
        inputs: inputs(json!({"greeting": "hello"})),
        ..conformance::job()
    }
}

#[tokio::test]
async fn lives_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let host = RecordingHost::new(folder.path());
    let job = scripts("test \"$PADDOCK_INPUT_TEXT\" = \"$(printf 'it'\"'\"'s\\n\"two\" lines $HOME')\"");
    conformance::lives_and_ends(&CommandProvider::new(settings(folder.path())), &job, &host).await;
}

#[tokio::test]
async fn survives_a_crash_at_every_call() {
    let folder = tempfile::tempdir().unwrap();
    let provider = CommandProvider::new(settings(folder.path()));
    conformance::survives_a_crash_at_every_call(&provider, || scripts("true")).await;
}

#[tokio::test]
async fn an_image_with_scripts_of_its_own_works_by_the_contract_of_runners() {
    let folder = tempfile::tempdir().unwrap();
    let (provider, host) = (CommandProvider::new(settings(folder.path())), RecordingHost::new(folder.path()));
    let first = runner();
    let plan = provider.plan(&first, &host).await.unwrap();
    assert_eq!(plan.changes[0].summary, format!("runs /scripts/deploy.sh in {IMAGE}"), "{:?}", actions(&plan));
    provider.apply(&first, &host).await.unwrap();
    assert!(host.text().contains("by the image for paddock"), "{}", host.text());
    let again = next_run(&first, "update");
    provider.apply(&again, &host).await.unwrap();
    let (outputs, _) = provider.collect(&again, &host).await.unwrap();
    assert_eq!(outputs[0].value, json!(2), "storage is kept between operations");
    let broken = Job { inputs: inputs(json!({"greeting": "broken"})), ..next_run(&again, "update") };
    let error = provider.apply(&broken, &host).await.unwrap_err().to_string();
    assert_eq!(error, "SecurityError: the image says no", "the code that the script told, not the one it ended with");
    provider.destroy(&next_run(&again, "delete"), &host).await.unwrap();
    assert!(host.text().contains("removed by the image"), "{}", host.text());
    assert_eq!(containers(&first), "");
}

#[tokio::test]
async fn the_images_script_comes_first_unless_custom_deployment_is_on() {
    let folder = tempfile::tempdir().unwrap();
    let (provider, host) = (CommandProvider::new(settings(folder.path())), RecordingHost::new(folder.path()));
    let own = "#!/bin/sh\necho by the definition for $ADE_HTTP__DEVCENTERID\n";
    let mut job = runner();
    job.files = files(&[("conf/main.conf", "x\n"), ("deploy.sh", own), ("delete.sh", own)]);
    job.config = json!({"image": IMAGE, "template": "conf/main.conf", "deploy": "deploy.sh", "delete": "delete.sh"});
    provider.apply(&job, &host).await.unwrap();
    assert!(host.text().contains("by the image for paddock"), "{}", host.text());
    let variables = json!({"ADE_ENABLE_CUSTOM_DEPLOY": "true", "ADE_HTTP__DEVCENTERID": "former"});
    let target = Target { slug: "t".into(), settings: json!({"environment": variables}), ..Target::default() };
    let custom = Job { target: Some(target), ..next_run(&job, "update") };
    provider.apply(&custom, &host).await.unwrap();
    assert!(host.text().contains("by the definition for former"), "{}", host.text());
}

#[tokio::test]
async fn a_container_may_little() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    settings.limits = Limits { memory: 256 * 1024 * 1024, processes: 60, ..Limits::default() };
    let (provider, host) = (CommandProvider::new(settings.clone()), RecordingHost::new(folder.path()));
    let look = "for at in / /etc /ade/bin /scripts; do touch $at/x 2>/dev/null && echo can write to $at; done\n\
                grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status\n\
                cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null\n\
                cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null\n\
                ulimit -c; touch /tmp/x $HOME/x $TMPDIR/x $ADE_STORAGE/x && echo own places";
    provider.apply(&scripts(look), &host).await.unwrap();
    let text = host.text();
    assert!(!text.contains("can write to"), "{text}");
    for told in ["CapEff:    0000000000000000", "CapBnd:    0000000000000000", "NoNewPrivs:    1", "own places"] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let said: Vec<&str> = text.lines().collect();
    assert!(said.contains(&"268435456") && said.contains(&"60") && said.contains(&"0"), "{text}");

    let hog = scripts("dd if=/dev/zero of=/dev/null bs=500M count=1");
    let error = provider.apply(&hog, &host).await.unwrap_err().to_string();
    assert!(error.contains("--program-memory"), "{error}");
    let missing = Job { config: json!({"image": "localhost/not-there:1"}), ..scripts("true") };
    let error = provider.apply(&missing, &host).await.unwrap_err().to_string();
    assert!(error.contains("localhost/not-there:1"), "{error}");
}

#[tokio::test]
async fn without_an_engine_nothing_runs_outside_unseen() {
    let folder = tempfile::tempdir().unwrap();
    let host = RecordingHost::new(folder.path());
    let provider = CommandProvider::new(machine::settings(folder.path()));
    let made = folder.path().join("made");
    let job = scripts(&format!("echo x > {}", made.display()));
    let refused = format!("the template's scripts run in the image {IMAGE}, and this worker has no container engine");
    for (job, what) in [(&job, "scripts of the template"), (&runner(), "scripts of the image")] {
        for error in [
            provider.plan(job, &host).await.unwrap_err(),
            provider.apply(job, &host).await.unwrap_err(),
            provider.destroy(&next_run(job, "delete"), &host).await.unwrap_err(),
        ] {
            assert!(error.to_string().starts_with(&refused), "{what}: {error}");
        }
    }
    assert!(!made.exists());
    let mut optional = job.clone();
    optional.config["image_is_optional"] = true.into();
    provider.apply(&optional, &host).await.unwrap();
    assert!(made.exists());
    let told = format!("on the worker itself and not in {IMAGE}: it has no container engine");
    assert!(host.text().contains(&told), "{}", host.text());
}

/// A script that goes on for ever in its first attempt.
fn waiting() -> Job {
    scripts(
        "trap 'echo asked >> $ADE_STORAGE/asked; exit 3' TERM\necho x >> $ADE_STORAGE/started\n\
             while [ $PADDOCK_ATTEMPT = 1 ]; do sleep 0.1; done",
    )
}

fn storage(folder: &Path, job: &Job) -> PathBuf {
    folder.join("work").join(job.environment.to_string()).join("storage")
}

/// The same job in the killed process and in the one that goes on.
pub fn victim(folder: &Path) -> (Box<dyn Provider>, Job) {
    let ids = fs::read_to_string(folder.join("ids")).unwrap();
    let [environment, run] = ids.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let job = Job { environment: environment.parse().unwrap(), run: run.parse().unwrap(), ..waiting() };
    (Box::new(CommandProvider::new(settings(folder))), job)
}

/// A worker in the middle of the script, and the script's process on this machine.
async fn begun(folder: &Path, job: &Job) -> (victim::Victim, String) {
    fs::write(folder.join("ids"), format!("{} {}", job.environment, job.run)).unwrap();
    let victim = victim::start("container", folder);
    let started = storage(folder, job).join("started");
    until("the script runs", || !lines(&started).is_empty()).await;
    (victim, podman(&["inspect", "--format", "{{.State.Pid}}", &name(job)]))
}

/// What runs on this machine with the container's name in its command line.
fn clients(job: &Job) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let pid = entry.file_name().to_string_lossy().into_owned();
        let read =
            |file: &str| String::from_utf8_lossy(&fs::read(entry.path().join(file)).unwrap_or_default()).into_owned();
        if pid.parse::<u32>().is_ok() && read("cmdline").contains(&name(job)) {
            found.push((pid, read("comm").trim().to_owned()));
        }
    }
    found
}

#[tokio::test]
async fn a_container_ends_with_its_worker_and_shows_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let job = waiting();
    let (mut victim, pid) = begun(folder.path(), &job).await;
    assert!(is_alive(&pid) && !clients(&job).is_empty());
    let shown = podman(&["inspect", &name(&job)]);
    assert!(shown.contains(IMAGE) && !shown.contains(SECRET), "what the engine keeps of it");
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&line).contains(SECRET), "a command line");
    }
    victim.kill();
    until("the container is gone", || containers(&job).is_empty()).await;
    assert!(!is_alive(&pid));
    assert_eq!(lines(&storage(folder.path(), &job).join("asked")), ["asked"], "it was asked to stop");
    let provider = CommandProvider::new(settings(folder.path()));
    provider.apply(&next_attempt(&job), &RecordingHost::new(folder.path())).await.unwrap();
}

#[tokio::test]
async fn what_outlived_everybody_is_ended_before_the_next_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let job = waiting();
    let (mut victim, pid) = begun(folder.path(), &job).await;
    // The worker is held, so that it sees nothing; then the guard and all clients go at once.
    victim.signal("STOP");
    for (client, comm) in clients(&job) {
        if comm != "conmon" {
            let _ = Command::new("kill").args(["-9", &client]).status();
        }
    }
    victim.kill();
    assert!(is_alive(&pid), "the engine's container goes on without them");
    let (provider, host) = (CommandProvider::new(settings(folder.path())), RecordingHost::new(folder.path()));
    provider.apply(&next_attempt(&job), &host).await.unwrap();
    assert!(!is_alive(&pid) && containers(&job).is_empty());

    // The template's word on repeating holds as everywhere.
    let mut once = waiting();
    once.config["repeat"] = Value::from("once");
    let record = json!({"version": 1, "begun": {"run": once.run, "operation": "create", "attempt": 1}});
    fs::write(folder.path().join("state"), record.to_string()).unwrap();
    let error = provider.apply(&next_attempt(&once), &host).await.unwrap_err().to_string();
    assert!(error.starts_with("attempt 1 ran up.sh and did not see its end."), "{error}");
}

#[tokio::test]
async fn a_canceled_run_leaves_no_container() {
    let folder = tempfile::tempdir().unwrap();
    let (provider, host) = (CommandProvider::new(settings(folder.path())), RecordingHost::new(folder.path()));
    let job = waiting();
    let started = storage(folder.path(), &job).join("started");
    let cancel = async {
        until("the script runs", || !lines(&started).is_empty()).await;
        let pid = podman(&["inspect", "--format", "{{.State.Pid}}", &name(&job)]);
        job.cancel.cancel();
        pid
    };
    let (result, pid) = tokio::join!(provider.apply(&job, &host), cancel);
    assert!(matches!(result, Err(ProviderError::Canceled)), "{result:?}");
    assert!(!is_alive(&pid) && containers(&job).is_empty());
}
