//! The real Terraform with a provider that is slow, fails, lies, hangs and dies
//! (`tests/tools/terraform-provider`). Its cloud keeps a ledger of its own: what is really there, and
//! what was asked of it. In the end the ledger and the state must agree, or people must have been told.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use paddock::providers::{Host as _, Job, Provider, ProviderError, Settings, StateOrigin, TerraformProvider};
use serde_json::Value;

use super::conformance::{next_attempt, next_run};
use super::host::RecordingHost;
use super::machine::{lines, settings, until};
use super::terraform::template;
use super::victim;

/// A cloud in a folder, and a machine whose Terraform finds the provider for it.
pub struct Lab {
    folder: PathBuf,
}

impl Lab {
    pub fn new(folder: &Path) -> Self {
        let folder = folder.to_owned();
        fs::create_dir_all(folder.join("cloud")).unwrap();
        let place = folder.join("mirror/lab.example.com/paddock/lab/0.1.0").join(platform());
        fs::create_dir_all(&place).unwrap();
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/terraform-provider/provider.mjs");
        let start = place.join("terraform-provider-lab_v0.1.0");
        fs::write(&start, format!("#!/bin/sh\nexec node '{}'\n", program.display())).unwrap();
        fs::set_permissions(&start, fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    /// More lines for Terraform's CLI configuration.
    pub fn cli_config(&self) -> String {
        let mirror = self.folder.join("mirror");
        format!("provider_installation {{\n  filesystem_mirror {{\n    path = \"{}\"\n  }}\n}}\n", mirror.display())
    }

    pub fn settings(&self) -> Settings {
        Settings { terraform_config: Some(self.cli_config()), ..settings(&self.folder) }
    }

    /// Objects in a row, each made after the one before.
    pub fn stack(&self, names: &[&str]) -> String {
        let mut text = format!(
            "terraform {{\n  required_providers {{\n    lab = {{ source = \"lab.example.com/paddock/lab\" }}\n  }}\n}}\n\
             provider \"lab\" {{ folder = \"{}\" }}\n",
            self.cloud().display()
        );
        let mut before = "null".to_owned();
        for name in names {
            text.push_str(&format!(
                "resource \"lab_object\" \"{name}\" {{\n  name = \"{name}\"\n  size = {before}\n}}\n"
            ));
            before = format!("lab_object.{name}.id");
        }
        text
    }

    pub fn job(&self, names: &[&str]) -> Job {
        template(&self.stack(names))
    }

    pub fn cloud(&self) -> PathBuf {
        self.folder.join("cloud")
    }

    /// Orders a fault, for one time.
    pub fn order(&self, fault: &str) {
        let path = self.cloud().join("faults");
        let all = fs::read_to_string(&path).unwrap_or_default();
        fs::write(path, format!("{all}{fault}\n")).unwrap();
    }

    /// Whether a call on the object waits or hangs.
    pub fn is_at(&self, name: &str) -> bool {
        self.cloud().join(format!("at-{name}")).exists()
    }

    pub fn let_go(&self, name: &str) {
        fs::write(self.cloud().join(format!("go-{name}")), "").unwrap();
    }

    fn ledger(&self) -> Vec<Value> {
        lines(&self.cloud().join("ledger")).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The calls or effects of the cloud: `create a`.
    pub fn all(&self, kind: &str) -> Vec<String> {
        let of = |entry: &Value| Some(format!("{} {}", entry.get(kind)?.as_str()?, entry["name"].as_str()?));
        self.ledger().iter().filter_map(of).collect()
    }

    /// What is really there: id and name.
    pub fn objects(&self) -> BTreeMap<String, String> {
        let mut there = BTreeMap::new();
        for entry in self.ledger() {
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            match text("effect").as_str() {
                "delete" => drop(there.remove(&text("id"))),
                "create" | "update" => drop(there.insert(text("id"), text("name"))),
                _ => {}
            }
        }
        there
    }
}

/// The name of this machine's kind in a provider mirror.
fn platform() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{}_{architecture}", std::env::consts::OS)
}

/// One environment in the lab.
struct Scene {
    lab: Lab,
    host: RecordingHost,
    provider: TerraformProvider,
    job: Job,
    _folder: tempfile::TempDir,
}

impl Scene {
    fn new(names: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lab = Lab::new(folder.path());
        // Who does not stop in time is killed: soon, because these never do.
        let settings = Settings { grace: Duration::from_secs(2), ..lab.settings() };
        let job = lab.job(names);
        let host = RecordingHost::new(folder.path()).of(&job);
        Self { provider: TerraformProvider::new(settings), host, job, lab, _folder: folder }
    }

    async fn apply(&self, job: &Job) -> Result<(), ProviderError> {
        self.provider.apply(job, &self.host).await
    }

    async fn fails(&self, job: &Job) -> String {
        match self.apply(job).await {
            Err(ProviderError::Failed { message }) => message,
            other => panic!("{other:?}\n{}", self.host.text()),
        }
    }

    /// The ledger and the state agree: the same objects under the same ids, none made twice.
    async fn agrees(&self, names: &[&str]) {
        let known = self.provider.read_back(&self.job, &self.host).await.unwrap();
        let known: BTreeMap<String, String> = known
            .into_iter()
            .map(|resource| {
                (resource.provider_id.unwrap(), resource.address.trim_start_matches("lab_object.").to_owned())
            })
            .collect();
        assert_eq!(known, self.lab.objects(), "{:?}", self.lab.all("effect"));
        assert_eq!(
            known.into_values().collect::<std::collections::BTreeSet<_>>(),
            names.iter().map(|&n| n.to_owned()).collect()
        );
    }

    /// Everything goes away, in the cloud too.
    async fn goes_away(&self) {
        let away = next_run(&next_run(&next_run(&self.job, "update"), "update"), "delete");
        self.provider.destroy(&away, &self.host).await.unwrap();
        self.agrees(&[]).await;
    }
}

#[tokio::test]
async fn lives_and_ends_with_a_real_provider() {
    let scene = Scene::new(&["a", "b"]);
    let plan = scene.provider.plan(&scene.job, &scene.host).await.unwrap();
    assert_eq!(plan.changes.len(), 2);
    assert_eq!(scene.lab.all("call"), [""; 0], "a plan makes nothing");
    scene.apply(&scene.job).await.unwrap();
    scene.agrees(&["a", "b"]).await;
    scene.apply(&next_attempt(&scene.job)).await.unwrap();
    assert_eq!(scene.lab.all("effect"), ["create a", "create b"]);
    scene.goes_away().await;
}

#[tokio::test]
async fn what_was_made_before_a_failure_is_not_made_again() {
    let scene = Scene::new(&["a", "b", "c"]);
    scene.lab.order("b create fail");
    let error = scene.fails(&scene.job).await;
    assert_eq!(error, "lab_object.b: Cannot create b (main.tf, line 11): the cloud answers 500");
    scene.agrees(&["a"]).await;
    scene.apply(&next_run(&scene.job, "create")).await.unwrap();
    scene.agrees(&["a", "b", "c"]).await;
    assert_eq!(scene.lab.all("effect"), ["create a", "create b", "create c"]);
    scene.goes_away().await;
}

#[tokio::test]
async fn what_was_left_half_made_is_replaced() {
    let scene = Scene::new(&["a", "b"]);
    scene.lab.order("b create partial");
    let error = scene.fails(&scene.job).await;
    assert!(error.ends_with("the cloud answers 500 half way"), "{error}");
    scene.agrees(&["a", "b"]).await;
    let again = next_run(&scene.job, "create");
    let plan = scene.provider.plan(&again, &scene.host).await.unwrap();
    assert_eq!(plan.changes[0].summary.split(';').next(), Some("was left half made"));
    scene.apply(&again).await.unwrap();
    scene.agrees(&["a", "b"]).await;
    assert_eq!(scene.lab.all("effect"), ["create a", "create b", "delete b", "create b"]);
    scene.goes_away().await;
}

#[tokio::test]
async fn a_failed_update_and_a_failed_removal_are_known() {
    let scene = Scene::new(&["a", "b"]);
    scene.apply(&scene.job).await.unwrap();
    scene.lab.order("b delete fail");
    let away = next_run(&scene.job, "delete");
    let error = scene.provider.destroy(&away, &scene.host).await.unwrap_err().to_string();
    assert!(error.starts_with("Cannot delete b") || error.contains(": Cannot delete b"), "{error}");
    scene.agrees(&["a", "b"]).await;
    scene.lab.order("a delete fail_after");
    let error = scene.provider.destroy(&next_run(&away, "delete"), &scene.host).await.unwrap_err().to_string();
    assert!(error.contains("Cannot delete a"), "{error}");
    // Gone, but said to be there: reading it tells.
    assert_eq!(scene.lab.objects().len(), 0);
    scene.goes_away().await;
}

#[tokio::test]
async fn a_failure_after_the_effect_makes_no_second_one() {
    let scene = Scene::new(&["a"]);
    scene.lab.order("a create fail_after");
    let error = scene.fails(&scene.job).await;
    assert!(error.ends_with("the cloud answers 500"), "{error}");
    // Neither Terraform nor Paddock can know it. The cloud does, and its word is what people see.
    let error = scene.fails(&next_run(&scene.job, "create")).await;
    assert!(error.contains("an object named a exists already"), "{error}");
    assert_eq!(scene.lab.all("effect"), ["create a"]);
}

#[tokio::test]
async fn a_provider_that_dies_leaves_a_warning() {
    let scene = Scene::new(&["a", "b"]);
    scene.lab.order("b create die_after");
    let error = scene.fails(&scene.job).await;
    // Terraform says "Plugin did not respond" or "Request cancelled": it depends on where the connection broke.
    assert!(error.contains("Whether it was done is not known: look at the target before you retry."), "{error}");
    assert_eq!(scene.lab.all("effect"), ["create a", "create b"]);
}

/// Terraform itself is killed, for example because the memory did not suffice.
#[tokio::test]
async fn what_a_killed_terraform_made_is_named_and_not_made_again() {
    for (fault, effects) in [("b create kill", 1), ("b create kill_after", 2)] {
        let scene = Scene::new(&["a", "b"]);
        scene.lab.order(fault);
        let error = scene.fails(&scene.job).await;
        assert!(error.starts_with("Terraform was killed"), "{error}");
        let id = scene.lab.objects().into_iter().find(|(_, name)| name == "a").unwrap().0;
        assert!(error.contains(&format!("An earlier attempt made lab_object.a ({id}), and the state")), "{error}");
        assert!(error.contains("Terraform was cut off while it made lab_object.b: whether that exists"), "{error}");
        assert_eq!(scene.lab.all("effect").len(), effects);
        // People know now. What they decide is theirs, and the cloud refuses a second one of a name.
        let error = scene.fails(&next_run(&scene.job, "create")).await;
        assert!(error.contains("an object named a exists already"), "{error}");
        assert_eq!(scene.lab.all("effect").len(), effects);
    }
}

#[tokio::test]
async fn a_cancel_ends_in_a_known_state_or_says_what_is_not_known() {
    // A provider that stops when it is asked to.
    let scene = Scene::new(&["a", "b"]);
    scene.lab.order("b create wait");
    let cancel = async {
        until("the provider waits", || scene.lab.is_at("b")).await;
        scene.job.cancel.cancel();
    };
    let (result, ()) = tokio::join!(scene.apply(&scene.job), cancel);
    assert!(matches!(result, Err(ProviderError::Canceled)), "{result:?}");
    scene.agrees(&["a"]).await;
    assert!(!scene.host.text().contains("is not known"), "{}", scene.host.text());
    scene.apply(&next_run(&scene.job, "create")).await.unwrap();
    scene.agrees(&["a", "b"]).await;
    scene.goes_away().await;

    // One that does not, in the middle of an effect.
    let scene = Scene::new(&["a", "b"]);
    scene.lab.order("b create hang_after");
    let cancel = async {
        until("the provider hangs", || scene.lab.is_at("b")).await;
        scene.job.cancel.cancel();
    };
    let (result, ()) = tokio::join!(scene.apply(&scene.job), cancel);
    assert!(matches!(result, Err(ProviderError::Canceled)), "{result:?}");
    assert!(scene.host.text().contains("cut off while it made lab_object.b"), "{}", scene.host.text());
    let error = scene.fails(&next_run(&scene.job, "create")).await;
    assert!(error.starts_with("Terraform was cut off while it made lab_object.b"), "{error}");
    assert_eq!(scene.lab.all("call"), ["create a", "create b"], "nobody asked for a second one");
    let known = scene.provider.read_back(&scene.job, &scene.host).await.unwrap();
    assert_eq!(known.len(), 1, "what was made before is known: {known:?}");
}

/// A Terraform whose provider hangs after the effect until its time is up, and does not stop when it is
/// asked to: nobody knows, so the next attempt tells, and asks for nothing.
#[tokio::test]
async fn what_was_cut_off_when_time_was_up_is_told_and_not_made_again() {
    let scene = Scene::new(&["a", "b"]);
    scene.lab.order("b create hang_after");
    let settings = Settings { grace: Duration::from_secs(2), limit: Duration::from_secs(10), ..scene.lab.settings() };
    let error = TerraformProvider::new(settings).apply(&scene.job, &scene.host).await.unwrap_err();
    assert!(
        matches!(&error, ProviderError::Unknown { message } if message.contains("did not end within 10 seconds")),
        "{error:?}"
    );
    let error = scene.fails(&next_attempt(&scene.job)).await;
    assert!(error.contains("Terraform was cut off while it made lab_object.b"), "{error}");
    assert_eq!(scene.lab.all("call"), ["create a", "create b"], "nobody asked for a second one");
}

/// The same job in the killed process and in the one that goes on.
pub fn victim(folder: &Path) -> (Box<dyn Provider>, Job) {
    let lab = Lab::new(folder);
    let ids = fs::read_to_string(folder.join("ids")).unwrap();
    let (environment, run) = ids.split_once(' ').unwrap();
    let settings = Settings { grace: Duration::from_secs(2), ..lab.settings() };
    let job = Job { environment: environment.parse().unwrap(), run: run.parse().unwrap(), ..lab.job(&["a", "b", "c"]) };
    (Box::new(TerraformProvider::new(settings)), job)
}

async fn killed_worker(fault: &str) -> Scene {
    let scene = Scene::new(&["a", "b", "c"]);
    let folder = scene.lab.folder.clone();
    fs::write(folder.join("ids"), format!("{} {}", scene.job.environment, scene.job.run)).unwrap();
    scene.lab.order(fault);
    let mut victim = victim::start("terraform-lab", &folder);
    until("the provider is at b", || scene.lab.is_at("b")).await;
    let told = folder.join("progress");
    until("the worker has heard of b", || lines(&told).iter().any(|line| line.contains("lab_object.b"))).await;
    victim.kill();
    scene
}

#[tokio::test]
async fn a_killed_worker_loses_nothing_and_makes_nothing_twice() {
    let scene = killed_worker("b create wait").await;
    scene.apply(&next_attempt(&scene.job)).await.unwrap();
    assert_eq!(scene.host.versions().remove(0).0, StateOrigin::Rescued, "what a knows was left on the machine");
    scene.agrees(&["a", "b", "c"]).await;
    assert_eq!(scene.lab.all("effect"), ["create a", "create b", "create c"]);
    scene.goes_away().await;
}

#[tokio::test]
async fn a_killed_worker_whose_provider_hangs_makes_nothing_twice() {
    let scene = killed_worker("b create hang_after").await;
    let error = scene.fails(&next_attempt(&scene.job)).await;
    assert!(error.contains("Terraform was cut off while it made lab_object.b"), "{error}");
    assert_eq!(scene.lab.all("call"), ["create a", "create b"], "nobody asked for a second one");
    assert!(scene.host.traces().await.unwrap().is_empty(), "people were told");
}

#[tokio::test]
async fn nothing_is_ready_or_gone_by_a_providers_word_alone() {
    let mut scene = Scene::new(&["a", "b"]);
    scene.provider = TerraformProvider::new(Settings { read_back: Duration::from_secs(1), ..scene.lab.settings() });
    scene.lab.order("b create pretend");
    let error = scene.fails(&scene.job).await;
    assert!(
        error.starts_with("The provider said that it made lab_object.b (obj-never), and it is not there"),
        "{error}"
    );
    scene.apply(&next_run(&scene.job, "create")).await.unwrap();
    scene.agrees(&["a", "b"]).await;
    assert_eq!(scene.lab.all("effect"), ["create a", "create b"]);

    scene.lab.order("a delete pretend");
    let away = next_run(&scene.job, "delete");
    let error = scene.provider.destroy(&away, &scene.host).await.unwrap_err().to_string();
    assert!(error.starts_with("The provider said that it destroyed lab_object.a (obj-"), "{error}");
    assert_eq!(scene.lab.objects().len(), 1);
    scene.goes_away().await;
    assert_eq!(scene.lab.all("effect"), ["create a", "create b", "delete b", "delete a"]);
}

#[tokio::test]
async fn what_cannot_be_seen_at_once_is_waited_for_and_not_made_again() {
    let scene = Scene::new(&["a", "b"]);
    scene.lab.order("b create invisible");
    scene.apply(&scene.job).await.unwrap();
    scene.agrees(&["a", "b"]).await;
    assert_eq!(scene.lab.all("effect"), ["create a", "create b"]);
    scene.goes_away().await;
}

#[tokio::test]
async fn a_state_that_cannot_be_read_back_after_a_destroy_is_believed_and_said() {
    let scene = Scene::new(&["a"]);
    scene.apply(&scene.job).await.unwrap();
    // The first read is the destroy's own; the second one is the look.
    scene.lab.order("a read seen");
    scene.lab.order("a read fail");
    let away = next_run(&scene.job, "delete");
    scene.provider.destroy(&away, &scene.host).await.unwrap();
    assert!(scene.host.text().contains("What was destroyed cannot be read back: "), "{}", scene.host.text());
    assert_eq!(scene.lab.objects().len(), 0);
}
