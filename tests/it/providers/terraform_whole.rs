//! Terraform in the whole: real workers, the lab's provider, and three books that must agree in the
//! end: the cloud's ledger, the state, and the tables.

use std::collections::BTreeMap;
use std::time::Duration;

use paddock::base::id::EnvironmentId;
use paddock::environments::{self, State};
use paddock::orchestrator;
use paddock::policy::ability;
use paddock::requests::{Caller, Draft, Intent};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::machine::until;
use super::terraform_lab::Lab;
use crate::support::app::{TestApp, inputs};
use crate::support::catalog::add_template;
use crate::support::program::{Program, command};

struct Scene {
    test: TestApp,
    lab: Lab,
}

impl Scene {
    async fn new(names: &[&str]) -> Self {
        let test = TestApp::start().await;
        let lab = Lab::new(&test.folder.path().join("lab"));
        let token = "variable \"token\" {\n  type = string\n  sensitive = true\n  default = null\n}\n";
        let main = lab.stack(names) + token;
        let files = [("paddock.yaml", "name: Lab\nprovider: terraform\n"), ("main.tf", main.as_str())];
        add_template(&test, "lab-stack", &files).await;
        Self { test, lab }
    }

    fn data(&self) -> std::path::PathBuf {
        self.test.folder.path().join("data")
    }

    fn worker(&self) -> Program {
        self.worker_set(&[])
    }

    fn worker_set(&self, settings: &[&str]) -> Program {
        let config = self.test.folder.path().join("terraformrc");
        std::fs::write(&config, self.lab.cli_config()).unwrap();
        let mut command = command(&["worker", "--lease", "2s"]);
        command.args(settings);
        command
            .env("DATABASE_URL", self.test.database.url())
            .env("PADDOCK_KEY", "42".repeat(32))
            .env("PADDOCK_DATA_DIR", self.data())
            .env("PADDOCK_TERRAFORM_CONFIG_FILE", config)
            .env("PADDOCK_PROGRAM_FOLDERS", self.lab.cloud());
        let mut program = Program::start(command);
        program.wait_for("ready");
        program
    }

    async fn ask(&self, intent: Intent) -> EnvironmentId {
        let developer = self.test.person("developer").await;
        let op = self.test.op_as(&developer);
        let draft = Draft { intent, reason: "A test".to_owned(), exception: false };
        let id = self.test.app.requests.submit(&op, Caller::Person(&developer), &draft, None).await.unwrap().id;
        let mut connection = self.test.app.db.acquire().await.unwrap();
        self.test.app.requests.find(&mut connection, id).await.unwrap().unwrap().environment.unwrap()
    }

    async fn create(&self, environment_type: &str, values: Value) -> EnvironmentId {
        self.ask(Intent::Create {
            project: "payments".to_owned(),
            environment_type: environment_type.to_owned(),
            template: "lab-stack".to_owned(),
            version: None,
            name: "stack".to_owned(),
            inputs: inputs(values),
            lifetime: None,
        })
        .await
    }

    async fn until_ended(&self, environment: EnvironmentId, states: &[State]) -> environments::Environment {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        loop {
            let now = self.test.environment(environment).await;
            if states.contains(&now.state) {
                return now;
            }
            assert!(tokio::time::Instant::now() < deadline, "{:?}\n{}", now.state, self.test.log(environment).await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ledger, state and tables agree.
    async fn agrees(&self, environment: EnvironmentId) -> usize {
        let there = self.lab.objects();
        let mut connection = self.test.app.db.acquire().await.unwrap();
        let rows: Vec<(Option<String>, String)> =
            sqlx::query_as("SELECT provider_id, address FROM environment_resource WHERE environment_id = $1")
                .bind(environment.0)
                .fetch_all(&mut *connection)
                .await
                .unwrap();
        let table: BTreeMap<String, String> = rows
            .into_iter()
            .map(|(id, address)| (id.unwrap(), address.trim_start_matches("lab_object.").to_owned()))
            .collect();
        assert_eq!(table, there, "tables and ledger");
        there.len()
    }
}

#[tokio::test]
async fn a_killed_worker_is_replaced_and_all_books_agree() {
    let scene = Scene::new(&["a", "b", "c"]).await;
    scene.lab.order("b create wait");
    let first = scene.worker();
    let environment = scene.create("dev", json!({})).await;
    until("the provider waits", || scene.lab.is_at("b")).await;
    first.signal(Signal::KILL);
    let _second = scene.worker();
    scene.test.until_state(environment, State::Ready).await;
    assert_eq!(scene.lab.all("effect"), ["create a", "create b", "create c"]);
    assert_eq!(scene.agrees(environment).await, 3);

    // The newest version of the state has the same, and says for whom it was written.
    let (developer, now) = (scene.test.person("developer").await, scene.test.environment(environment).await);
    let op = scene.test.op_as(&developer);
    let permit = scene.test.app.permit_on::<ability::RevealOutput>(&op, &developer, &now).unwrap();
    let mut connection = scene.test.app.db.acquire().await.unwrap();
    let versions =
        environments::list_versions(&mut connection, &scene.test.app.sealer, &permit, None, 100).await.unwrap();
    let known: std::collections::BTreeSet<String> =
        versions.iter().flat_map(|version| version.changes.iter().map(|change| change.address.clone())).collect();
    assert_eq!(known.len(), 3, "{versions:?}");
    drop(connection);
    let page = scene.test.browser_of("developer").await.get(&format!("/environments/{environment}")).await;
    let name = &developer.person.display_name;
    page.shows(&["State versions", &format!("for {name}")]);

    scene.ask(Intent::Delete { environment }).await;
    scene.test.until_state(environment, State::Deleted).await;
    assert_eq!(scene.agrees(environment).await, 0);
}

#[tokio::test]
async fn what_nobody_knows_stops_the_run_once_and_is_told() {
    let scene = Scene::new(&["a", "b"]).await;
    scene.lab.order("b create kill_after");
    let _worker = scene.worker();
    let environment = scene.create("dev", json!({})).await;
    let failed = scene.until_ended(environment, &[State::Failed]).await;
    let error = failed.last_error.unwrap();
    assert!(error.starts_with("Terraform was killed"), "{error}");
    assert!(error.contains("made lab_object.a (obj-") && error.contains("while it made lab_object.b"), "{error}");
    assert_eq!(scene.lab.all("effect"), ["create a", "create b"], "nothing was tried again by itself");
}

#[tokio::test]
async fn what_was_made_before_time_was_up_is_found_and_not_made_again() {
    let scene = Scene::new(&["a", "b", "c"]).await;
    scene.lab.order("b create wait");
    let _worker = scene.worker_set(&["--program-time", "10s"]);
    let environment = scene.create("dev", json!({})).await;
    scene.test.until_state(environment, State::Ready).await;
    assert_eq!(scene.lab.all("effect"), ["create a", "create b", "create c"]);
    assert_eq!(scene.agrees(environment).await, 3);
    let log = scene.test.log(environment).await;
    for words in [
        "the program did not end within 10 seconds and was stopped",
        "Looked first, because an earlier attempt began this: there is lab_object.a (",
    ] {
        assert!(log.contains(words), "{words}\n{log}");
    }
}

#[tokio::test]
async fn a_hanging_provider_is_canceled_into_a_known_state() {
    let scene = Scene::new(&["a", "b"]).await;
    scene.lab.order("b create wait");
    let _worker = scene.worker();
    let environment = scene.create("dev", json!({})).await;
    until("the provider waits", || scene.lab.is_at("b")).await;
    let (app, developer) = (&scene.test.app, scene.test.person("developer").await);
    let run = orchestrator::runs_of(&mut app.db.acquire().await.unwrap(), environment.0, 1).await.unwrap().remove(0);
    let (op, now) = (scene.test.op_as(&developer), scene.test.environment(environment).await);
    let permit = app.permit_on::<ability::CancelRun>(&op, &developer, &now).unwrap();
    app.cancel_run(&op, &permit, run.id).await.unwrap();
    scene.until_ended(environment, &[State::Failed]).await;
    assert_eq!(scene.lab.all("effect"), ["create a"]);
    scene.lab.let_go("b");
    scene.ask(Intent::Delete { environment }).await;
    scene.test.until_state(environment, State::Deleted).await;
    assert_eq!(scene.agrees(environment).await, 0);
}

#[tokio::test]
async fn a_plan_that_nobody_carries_out_leaves_nothing_on_the_machine() {
    let scene = Scene::new(&["a"]).await;
    let secret = "a-secret-of-this-test";
    // What a worker that died long ago left: no run wants it.
    let stale = scene.data().join("work").join(EnvironmentId(uuid::Uuid::from_u128(77)).to_string());
    std::fs::create_dir_all(stale.join("files")).unwrap();
    std::fs::write(stale.join("files/terraform.tfvars.json"), secret).unwrap();
    let _worker = scene.worker();
    let environment = scene.create("prod", json!({"token": secret})).await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let open = "SELECT count(*) FROM run WHERE kind LIKE 'plan.%' AND state = 'succeeded'";
    while sqlx::query_scalar::<_, i64>(open).fetch_one(scene.test.app.db.pool()).await.unwrap() == 0 {
        assert!(tokio::time::Instant::now() < deadline, "{}", scene.test.log(environment).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let work = scene.data().join("work");
    until("nothing is left", || !work.join(environment.to_string()).exists() && !stale.exists()).await;
    let found = std::process::Command::new("grep").args(["-r", "-l", secret]).arg(scene.data()).output().unwrap();
    assert!(found.stdout.is_empty(), "{}", String::from_utf8_lossy(&found.stdout));
}
