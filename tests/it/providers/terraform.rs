//! The provider of Terraform stacks, with the real command line.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use paddock::providers::{
    Job, PlanAction, Provider, ProviderError, Sandbox, Settings, StateOrigin, Target, TemplateFile, TerraformProvider,
};
use serde_json::json;

use super::conformance::{self, actions, files, inputs, next_attempt, next_run};
use super::host::RecordingHost;
use super::machine::{catalog, is_alive, lines, settings, until};
use super::victim;

pub fn stack() -> Job {
    Job {
        files: files(&catalog("terraform-stack")),
        inputs: inputs(json!({"service_name": "checkout", "replicas": 2, "memory": 256, "labels": {"team": "pay"}})),
        ..conformance::job()
    }
}

pub fn template(main: &str) -> Job {
    let main = TemplateFile { path: "main.tf".into(), executable: false, content: main.as_bytes().to_vec() };
    Job { files: Arc::new(vec![main]), ..conformance::job() }
}

/// Two resources; the second one waits, after it wrote its process id, until `release` is there.
fn slow(folder: &Path) -> Job {
    let folder = folder.display();
    template(&format!(
        r#"
        terraform {{
          backend "http" {{
            address = "http://127.0.0.1:1/never"
          }}
        }}
        resource "terraform_data" "first" {{ input = "kept" }}
        resource "terraform_data" "slow" {{
          input = terraform_data.first.id
          provisioner "local-exec" {{
            command = "echo $$ >> {folder}/started; while [ ! -e {folder}/release ]; do sleep 0.05; done; echo $$ >> {folder}/ended"
          }}
        }}
        output "first" {{ value = terraform_data.first.id }}
        "#
    ))
}

/// Whoever may write into a shared cache runs in all environments that use it.
#[tokio::test]
async fn a_plugin_cache_is_not_shared() {
    let folder = tempfile::tempdir().unwrap();
    let with = |config: &str| {
        TerraformProvider::new(Settings { terraform_config: Some(config.to_owned()), ..settings(folder.path()) })
    };
    with("disable_checkpoint = true").check().await.unwrap();
    let refused = with("disable_checkpoint = true\n  plugin_cache_dir = \"/var/cache/plugins\"").check().await;
    assert!(refused.unwrap_err().contains("plugin_cache_dir"));
}

#[tokio::test]
async fn lives_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let provider = TerraformProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let job = stack();
    conformance::lives_and_ends(&provider, &job, &host).await;
    let left: Vec<_> = std::fs::read_dir(folder.path().join("work")).unwrap().collect();
    assert!(left.is_empty(), "no inputs and no state stay on the machine: {left:?}");
}

#[tokio::test]
async fn stops_without_lease() {
    let folder = tempfile::tempdir().unwrap();
    let provider = TerraformProvider::new(settings(folder.path()));
    conformance::stops_without_lease(&provider, &stack(), &RecordingHost::new(folder.path())).await;
}

#[tokio::test]
async fn an_update_shows_what_changes_and_keeps_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let provider = TerraformProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let mut job = stack();
    let plan = provider.plan(&job, &host).await.unwrap();
    assert_eq!(plan.changes.len(), 5, "{plan:?}");
    provider.apply(&job, &host).await.unwrap();
    assert!(host.text().contains("terraform_data.network: Creation complete"), "{}", host.text());
    let (outputs, resources) = provider.collect(&job, &host).await.unwrap();
    assert_eq!(resources.len(), 5);
    assert!(resources.iter().all(|resource| resource.provider_id.is_some()));
    let token = outputs.iter().find(|output| output.name == "api_token").unwrap();
    assert!(token.sensitive && !host.text().contains(token.value.as_str().unwrap()));
    let endpoint = outputs.iter().find(|output| output.name == "endpoint").unwrap();
    assert_eq!(endpoint.value, "https://checkout.internal.example.com");

    job = next_run(&job, "update");
    job.inputs.insert("memory".into(), json!(512));
    job.inputs.insert("replicas".into(), json!(3));
    let plan = provider.plan(&job, &host).await.unwrap();
    assert_eq!(
        actions(&plan),
        [
            ("terraform_data.endpoint", PlanAction::Change),
            ("terraform_data.replica[0]", PlanAction::Change),
            ("terraform_data.replica[1]", PlanAction::Change),
            ("terraform_data.replica[2]", PlanAction::Create),
        ]
    );
    assert_eq!(plan.changes[1].summary, "input.memory 256 → 512");
    provider.apply(&job, &host).await.unwrap();
    let (after, _) = provider.collect(&job, &host).await.unwrap();
    let kept = after.iter().find(|output| output.name == "api_token").unwrap();
    assert_eq!(kept.value, token.value);

    let away = next_run(&job, "delete");
    assert_eq!(provider.plan(&away, &host).await.unwrap().changes.len(), 6);
    provider.destroy(&away, &host).await.unwrap();
    assert_eq!(provider.read_back(&away, &host).await.unwrap(), []);
}

#[tokio::test]
async fn the_first_real_error_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let provider = TerraformProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let error = async |main: &str| provider.apply(&template(main), &host).await.unwrap_err().to_string();

    let failing = r#"resource "terraform_data" "x" {
        provisioner "local-exec" { command = "echo the disk is full >&2; exit 3" }
    }"#;
    assert_eq!(
        error(failing).await,
        "terraform_data.x: local-exec provisioner error (main.tf, line 2): Error running command \
         'echo the disk is full >&2; exit 3': exit status 3. Output: the disk is full"
    );
    let unknown = error("nonsense \"x\" {}").await;
    assert!(unknown.contains("Unsupported block type on main.tf line 1"), "{unknown}");
    let missing = error("variable \"needed\" { type = string }").await;
    assert!(missing.starts_with("No value for required variable (main.tf, line 1): "), "{missing}");
    let outside = Job {
        files: Arc::new(vec![TemplateFile { path: "../x.tf".into(), executable: false, content: vec![] }]),
        ..conformance::job()
    };
    let refused = provider.apply(&outside, &host).await.unwrap_err().to_string();
    assert_eq!(refused, "the template's file “../x.tf” leaves its folder");
}

#[tokio::test]
async fn what_failed_half_way_is_kept_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let provider = TerraformProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let job = template(
        r#"resource "terraform_data" "first" {}
        resource "terraform_data" "x" {
            input = terraform_data.first.id
            provisioner "local-exec" { command = "exit 3" }
        }"#,
    );
    provider.apply(&job, &host).await.unwrap_err();
    assert_eq!(provider.read_back(&job, &host).await.unwrap().len(), 2, "the state is with Paddock");
    assert!(!folder.path().join("work").join(job.environment.to_string()).exists());
    let away = next_run(&job, "delete");
    provider.destroy(&away, &host).await.unwrap();
    assert_eq!(provider.read_back(&away, &host).await.unwrap(), []);
}

#[tokio::test]
async fn a_cancel_stops_terraform_and_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let provider = TerraformProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let job = slow(folder.path());
    let started = folder.path().join("started");
    let cancel = async {
        until("local-exec runs", || !lines(&started).is_empty()).await;
        job.cancel.cancel();
    };
    let (result, ()) = tokio::join!(provider.apply(&job, &host), cancel);
    assert!(matches!(result, Err(ProviderError::Canceled)), "{result:?}");
    assert!(!is_alive(&lines(&started)[0]), "the shell of local-exec is gone");
    let left = provider.read_back(&next_attempt(&job), &host).await.unwrap();
    assert_eq!(left.len(), 2, "what was made is known: {left:?}");
    let away = next_run(&job, "delete");
    provider.destroy(&away, &host).await.unwrap();
    assert_eq!(provider.read_back(&away, &host).await.unwrap(), []);
}

#[tokio::test]
async fn a_lost_lease_stops_terraform() {
    let folder = tempfile::tempdir().unwrap();
    let provider = TerraformProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let job = slow(folder.path());
    let started = folder.path().join("started");
    let lose = async {
        until("local-exec runs", || !lines(&started).is_empty()).await;
        host.take_lease_away();
        // What a worker does that cannot renew its lease.
        job.cancel.cancel();
    };
    let (result, ()) = tokio::join!(provider.apply(&job, &host), lose);
    assert!(matches!(result, Err(ProviderError::LeaseLost | ProviderError::Canceled)), "{result:?}");
    assert!(!is_alive(&lines(&started)[0]));
}

/// The same job in the killed process and in the one that goes on.
pub fn victim(folder: &Path) -> (Box<dyn Provider>, Job) {
    let ids = std::fs::read_to_string(folder.join("ids")).unwrap();
    let (environment, run) = ids.split_once(' ').unwrap();
    let job = Job { environment: environment.parse().unwrap(), run: run.parse().unwrap(), ..slow(folder) };
    (Box::new(TerraformProvider::new(settings(folder))), job)
}

#[tokio::test]
async fn an_apply_goes_on_after_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let provider = TerraformProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let job = slow(folder.path());
    std::fs::write(folder.path().join("ids"), format!("{} {}", job.environment, job.run)).unwrap();
    let (started, ended) = (folder.path().join("started"), folder.path().join("ended"));

    let mut victim = victim::start("terraform", folder.path());
    until("local-exec runs", || !lines(&started).is_empty()).await;
    victim.kill();

    // The next attempt starts at once, while Terraform of the first one may still be stopping.
    let second = next_attempt(&job);
    let release = async {
        until("the second attempt runs local-exec", || lines(&started).len() == 2).await;
        let pids = lines(&started);
        assert!(!is_alive(&pids[0]), "the first attempt's command is gone before the second one's starts");
        std::fs::write(folder.path().join("release"), "").unwrap();
    };
    let (result, ()) = tokio::join!(provider.apply(&second, &host), release);
    result.unwrap();

    assert_eq!(lines(&ended).len(), 1, "only the second one came to its end");
    // Terraform lost its backend with the worker and left its state; that came first.
    let (origin, rescued) = host.versions().remove(0);
    assert_eq!(origin, StateOrigin::Rescued);
    let first = first_id(&rescued);
    assert!(host.text().contains("Released the lock that an earlier attempt left on the state"), "{}", host.text());
    let (outputs, resources) = provider.collect(&second, &host).await.unwrap();
    assert_eq!(resources.len(), 2, "nothing twice: {resources:?}");
    assert_eq!(outputs[0].value, first, "what the first attempt made is kept");
    provider.destroy(&next_run(&job, "delete"), &host).await.unwrap();
    assert_eq!(provider.read_back(&second, &host).await.unwrap(), []);
}

fn first_id(state: &serde_json::Value) -> serde_json::Value {
    let resources = state["resources"].as_array().unwrap();
    let first = resources.iter().find(|resource| resource["name"] == "first").unwrap();
    first["instances"][0]["attributes"]["id"].clone()
}

#[tokio::test]
async fn what_a_template_runs_is_limited_and_sees_nothing_of_the_worker() {
    let folder = tempfile::tempdir().unwrap();
    let provider = TerraformProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let job = template(
        r#"resource "terraform_data" "x" {
            provisioner "local-exec" { command = "echo core $(ulimit -Hc) file $(ulimit -Hf); env | cut -d= -f1 | sort | tr '\n' ' '" }
        }"#,
    );
    provider.apply(&job, &host).await.unwrap();
    let text = host.text();
    assert!(text.contains("core 0 file 33554432") || text.contains("core 0 file 16777216"), "{text}");
    assert!(text.contains("HOME LANG"), "{text}");
    for name in ["DATABASE_URL", "PADDOCK_KEY", "CARGO_"] {
        assert!(!text.contains(name), "{name} is the worker's own: {text}");
    }
}

#[tokio::test]
async fn what_a_template_runs_is_walled_off_from_paddocks_data() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    std::fs::create_dir(data.join("work")).unwrap();
    std::fs::write(data.join("key"), "the key").unwrap();
    let sandbox = match Sandbox::probe(data, &data.join("work"), &[]) {
        Ok(sandbox) => sandbox,
        // Said by `paddock doctor`; a kernel that forbids namespaces is nothing that a test can change.
        Err(why) => return assert!(!why.is_empty()),
    };
    let provider = TerraformProvider::new(Settings { sandbox: Some(sandbox), ..settings(data) });
    let host = RecordingHost::new(data);
    let job = template(&format!(
        r#"resource "terraform_data" "x" {{
            provisioner "local-exec" {{
                command = "echo data: $(ls {data}); cat {data}/key; touch {data}/made; grep NoNewPrivs /proc/self/status; wc -c /proc/{worker}/environ; echo user $(id -u)"
            }}
        }}"#,
        data = data.display(),
        worker = std::process::id(),
    ));
    provider.apply(&job, &host).await.unwrap();
    let text = host.text();
    for expected in [
        "data: work",
        "key: No such file or directory",
        "made': Read-only file system",
        "NoNewPrivs:    1",
        "environ: Permission denied",
        &format!("user {}", rustix::process::geteuid().as_raw()),
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert_eq!(provider.read_back(&job, &host).await.unwrap().len(), 1, "and it still works");
}

#[tokio::test]
async fn a_worker_without_terraform_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    settings.path = folder.path().as_os_str().to_owned();
    let provider = TerraformProvider::new(settings);
    assert_eq!(provider.check().await.unwrap_err(), "neither tofu nor terraform is installed on this worker");
    let result = provider.apply(&stack(), &RecordingHost::new(folder.path())).await;
    assert!(matches!(result, Err(ProviderError::Retryable { .. })), "another worker may have it");
}

/// Nothing is asked for before the apply itself, so nothing is unknown.
#[tokio::test]
async fn a_terraform_that_takes_too_long_to_begin_is_only_tried_again() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let terraform = folder.path().join("terraform");
    std::fs::write(&terraform, "#!/bin/sh\nsleep 1000\n").unwrap();
    std::fs::set_permissions(&terraform, std::fs::Permissions::from_mode(0o755)).unwrap();
    let settings = Settings {
        terraform: Some(terraform),
        limit: Duration::from_secs(1),
        grace: Duration::from_secs(1),
        ..settings(folder.path())
    };
    let result = TerraformProvider::new(settings).apply(&stack(), &RecordingHost::new(folder.path())).await;
    assert!(
        matches!(&result, Err(ProviderError::Retryable { message }) if message.contains("did not end within 1 second and")),
        "{result:?}"
    );
}

#[tokio::test]
async fn a_template_or_a_target_asks_for_tofu_or_terraform() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (bin, used) = (folder.path().join("bin"), folder.path().join("used"));
    std::fs::create_dir(&bin).unwrap();
    let real = settings(folder.path()).find_program(&["terraform", "tofu"]).unwrap();
    for name in ["tofu", "terraform"] {
        let text = format!("#!/bin/sh\necho {name} >> {}\nexec {} \"$@\"\n", used.display(), real.display());
        std::fs::write(bin.join(name), text).unwrap();
        std::fs::set_permissions(bin.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut settings = settings(folder.path());
    settings.path = std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&settings.path))).unwrap();
    let provider = TerraformProvider::new(settings.clone());
    let host = RecordingHost::new(folder.path());
    let job = template("output \"x\" { value = 1 }");
    let target = Target { settings: json!({"program": "terraform"}), ..Target::default() };
    let asked = Job { config: json!({"program": "tofu"}), ..job.clone() };
    for (job, program) in [
        (job.clone(), "tofu"),
        (Job { config: json!({"program": "terraform"}), ..job.clone() }, "terraform"),
        (asked.clone(), "tofu"),
        (Job { target: Some(target), ..asked.clone() }, "terraform"),
    ] {
        let _ = std::fs::remove_file(&used);
        provider.plan(&job, &host).await.unwrap();
        assert!(lines(&used).iter().all(|line| line == program) && used.exists(), "{program}: {:?}", lines(&used));
    }
    let error = provider.plan(&Job { config: json!({"program": "pulumi"}), ..job }, &host).await.unwrap_err();
    assert!(error.to_string().contains("which is “tofu” or “terraform”"), "{error}");
    let elsewhere = TerraformProvider::new(Settings { path: folder.path().as_os_str().to_owned(), ..settings });
    let result = elsewhere.plan(&asked, &host).await;
    assert!(
        matches!(&result, Err(ProviderError::Retryable { message }) if message.starts_with("tofu is not")),
        "{result:?}"
    );
}
