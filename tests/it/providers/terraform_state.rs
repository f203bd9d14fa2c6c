//! Paddock as Terraform's state backend: the real Terraform on one side, and on the other a client
//! that holds the credential of a running attempt and misbehaves with it.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paddock::audit::{self, Filter};
use paddock::base::id::EnvironmentId;
use paddock::environments::State;
use paddock::providers::{Host as _, Phase, PlanAction, Progress, Provider as _, StateOrigin, TerraformProvider};
use paddock::requests::{Caller, Draft, Intent};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::conformance::{next_attempt, next_run};
use super::host::RecordingHost;
use super::machine::{settings, until};
use super::terraform::{stack, template};
use crate::support::app::{TestApp, inputs};
use crate::support::catalog::add_template;
use crate::support::http::Site;

/// Tells its state backend to the test, and waits.
const WAITING: &str = r#"
variable "folder" { type = string }
variable "memory" {
  type    = number
  default = 1
}
resource "terraform_data" "size" { input = var.memory }
resource "terraform_data" "waits" {
  provisioner "local-exec" {
    command = "env | grep ^TF_HTTP > ${var.folder}/new; mv ${var.folder}/new ${var.folder}/backend; until test -e ${var.folder}/go; do sleep 0.05; done"
  }
}
"#;

const MANIFEST: &str = "
name: Waiting
provider: terraform
inputs:
  type: object
  properties: { folder: { type: string }, memory: { type: integer } }
  required: [folder]
";

struct Scene {
    test: TestApp,
    environment: EnvironmentId,
    work: tempfile::TempDir,
}

async fn scene(go: bool) -> Scene {
    let test = TestApp::start().await;
    add_template(&test, "waiting", &[("paddock.yaml", MANIFEST), ("main.tf", WAITING)]).await;
    let work = tempfile::tempdir().unwrap();
    if go {
        std::fs::write(work.path().join("go"), "").unwrap();
    }
    let intent = Intent::Create {
        project: "payments".to_owned(),
        environment_type: "dev".to_owned(),
        template: "waiting".to_owned(),
        version: None,
        name: "stack".to_owned(),
        inputs: inputs(json!({"folder": work.path()})),
        lifetime: None,
    };
    let environment = submit(&test, intent).await.unwrap();
    test.work();
    Scene { test, environment, work }
}

async fn submit(test: &TestApp, intent: Intent) -> Option<EnvironmentId> {
    let developer = test.person("developer").await;
    let draft = Draft { intent, reason: "A test".to_owned(), exception: false };
    let op = test.op_as(&developer);
    let id = test.app.requests.submit(&op, Caller::Person(&developer), &draft, None).await.unwrap().id;
    let mut connection = test.app.db.acquire().await.unwrap();
    test.app.requests.find(&mut connection, id).await.unwrap().unwrap().environment
}

/// The backend of a running attempt, as its own programs see it.
struct Backend {
    address: String,
    user: String,
    password: String,
}

impl Backend {
    fn read(folder: &Path) -> Self {
        let text = std::fs::read_to_string(folder.join("backend")).unwrap();
        let find = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}="))).unwrap();
            line.to_owned()
        };
        Self { address: find("TF_HTTP_ADDRESS"), user: find("TF_HTTP_USERNAME"), password: find("TF_HTTP_PASSWORD") }
    }

    async fn call(&self, method: &str, query: &str, body: &str) -> (StatusCode, String) {
        self.call_as(&self.password, method, query, body, "").await
    }

    async fn call_as(&self, password: &str, method: &str, query: &str, body: &str, md5: &str) -> (StatusCode, String) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = client.request(method, format!("{}{query}", self.address)).body(body.to_owned());
        request = request.basic_auth(&self.user, Some(password));
        if !md5.is_empty() {
            request = request.header("content-md5", md5);
        }
        let response = request.send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }
}

fn state(serial: u64) -> String {
    let output = json!({"value": format!("version {serial}"), "type": "string"});
    json!({"version": 4, "terraform_version": "1.11.4", "lineage": "theirs", "serial": serial,
           "outputs": {"who": output}, "resources": []})
    .to_string()
}

async fn versions(test: &TestApp, environment: EnvironmentId) -> Vec<(String, i64, Option<i32>)> {
    let mut connection = PgConnection::connect(&test.database.url()).await.unwrap();
    sqlx::query_as("SELECT origin, serial, attempt FROM state_version WHERE environment_id = $1 ORDER BY version")
        .bind(environment.0)
        .fetch_all(&mut connection)
        .await
        .unwrap()
}

async fn recorded(test: &TestApp, environment: EnvironmentId, action: &str) -> usize {
    let filter = Filter { object: Some(environment.0), ..Filter::default() };
    let mut connection = test.app.db.acquire().await.unwrap();
    let records = audit::list(&mut connection, &filter, None, 100).await.unwrap().items;
    records.iter().filter(|record| record.action == action).count()
}

/// The API gives versions 3, 2 and 1 page by page, and to nobody who may not see secrets.
async fn pages_of_versions(site: &Site, environment: EnvironmentId) {
    let client = site.client("developer").await;
    let address = format!("/api/v1/environments/{environment}/state-versions");
    let page = async |query: &str| {
        let page = client.json(&format!("{address}{query}")).await;
        let numbers: Vec<i64> =
            page["items"].as_array().unwrap().iter().map(|item| item["version"].as_i64().unwrap()).collect();
        (numbers, page["next_cursor"].as_str().map(str::to_owned))
    };
    assert_eq!(page("").await, (vec![3, 2, 1], None));
    let (first, cursor) = page("?limit=2").await;
    assert_eq!((first, cursor.as_deref()), (vec![3, 2], Some("2")));
    assert_eq!(page("?limit=2&cursor=2").await, (vec![1], None));
    assert_eq!(page("?limit=1&cursor=3").await, (vec![2], Some("2".to_owned())));
    assert_eq!(page("?limit=3").await, (vec![3, 2, 1], None), "a full last page is the last");
    assert_eq!(page("?cursor=1").await, (vec![], None));
    let newest = client.json(&format!("{address}?limit=1")).await;
    assert_eq!(newest["items"][0]["serial"], 3, "{newest:#}");
    for bad in ["?limit=0", "?limit=101", "?cursor=x", "?before=2"] {
        let status = client.get(&format!("{address}{bad}")).await.status;
        assert!(status.is_client_error(), "{bad}: {status}");
    }
    let auditor = site.client("auditor").await.get(&address).await.status;
    assert!(matches!(auditor, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND), "{auditor}");
}

#[tokio::test]
async fn a_zombie_and_strangers_are_refused_and_nothing_is_made_twice() {
    let Scene { test, environment, work } = scene(false).await;
    let site = Site::serve(test).await;
    let test = &site.test;
    let told = work.path().join("backend");
    until("Terraform tells its backend", || told.exists()).await;
    let backend = Backend::read(work.path());

    // The lock is Terraform's own, and whoever comes second is told so.
    let (status, holder) = backend.call("LOCK", "", r#"{"ID":"mine","Who":"me"}"#).await;
    assert_eq!(status, StatusCode::LOCKED);
    let holder: Value = serde_json::from_str(&holder).unwrap();
    assert_eq!(holder["Operation"], "OperationTypeApply", "{holder}");
    let lock = holder["ID"].as_str().unwrap();
    // What `force-unlock` sends, and somebody else's lock.
    assert_eq!(backend.call("UNLOCK", "", "").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(backend.call("UNLOCK", "", r#"{"ID":"mine"}"#).await.0, StatusCode::CONFLICT);
    assert_eq!(backend.call("POST", "", &state(1)).await.0, StatusCode::LOCKED);
    assert_eq!(backend.call("POST", "?ID=mine", &state(1)).await.0, StatusCode::LOCKED);
    assert_eq!(backend.call("DELETE", "", "").await.0, StatusCode::METHOD_NOT_ALLOWED);
    let ours = format!("?ID={lock}");
    assert_eq!(backend.call("POST", &ours, "<html>").await.0, StatusCode::BAD_REQUEST);
    let wrong = STANDARD.encode([7; 16]);
    let bent = backend.call_as(&backend.password, "POST", &ours, &state(1), &wrong).await;
    assert_eq!(bent.0, StatusCode::BAD_REQUEST, "{}", bent.1);
    assert_eq!(versions(test, environment).await, []);

    // Another password: refused and recorded.
    assert_eq!(backend.call_as("guess", "GET", "", "", "").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(recorded(test, environment, "state.access_refused").await, 1);

    // Every write is kept, the same one once, an older one never.
    for serial in [1, 2, 2, 3] {
        assert_eq!(backend.call("POST", &ours, &state(serial)).await.0, StatusCode::OK);
    }
    assert_eq!(backend.call("POST", &ours, &state(2)).await.0, StatusCode::CONFLICT);
    let written = |serial| ("written".to_owned(), serial, Some(1));
    assert_eq!(versions(test, environment).await, [written(1), written(2), written(3)]);
    assert_eq!(backend.call("GET", "", "").await, (StatusCode::OK, state(3)));

    pages_of_versions(&site, environment).await;

    // Another attempt takes the run: from here on this one is a zombie.
    let mut connection = PgConnection::connect(&test.database.url()).await.unwrap();
    let steal = "UPDATE run SET attempt = attempt + 1 WHERE subject_id = $1";
    sqlx::query(steal).bind(environment.0).execute(&mut connection).await.unwrap();
    assert_eq!(backend.call("POST", &ours, &state(4)).await.0, StatusCode::CONFLICT);
    assert!(recorded(test, environment, "state.write_refused").await >= 1);
    assert_eq!(versions(test, environment).await.len(), 3, "nothing of it is kept");

    // Terraform of the zombie leaves what it made on this machine, and the lock in the database. The
    // state that the client made up counts, so what was really made is named and not made again.
    std::fs::write(work.path().join("go"), "").unwrap();
    crate::support::wait::until_true("the next attempt ends", async || {
        matches!(test.environment(environment).await.state, State::Failed | State::Ready)
    })
    .await;
    let (ended, log) = (test.environment(environment).await, test.log(environment).await);
    assert!(log.contains("Released the lock that an earlier attempt left on the state"), "{log}");
    assert_eq!(log.matches("terraform_data.size: Creation complete").count(), 1, "{log}");
    if ended.state == State::Ready {
        // Terraform was stopped so late that what it left goes on from the kept history.
        assert!(log.contains("Going on from the state that an earlier attempt left on this machine"), "{log}");
        return;
    }
    let error = ended.last_error.unwrap();
    assert!(error.starts_with("An earlier attempt made terraform_data.size ("), "{error}");
    assert!(log.contains("stored, not used. Only in it: terraform_data.size"), "{log}");
    let origins: Vec<String> = versions(test, environment).await.into_iter().map(|(origin, ..)| origin).collect();
    assert_eq!(origins.last().unwrap(), "stray", "{origins:?}");
}

#[tokio::test]
async fn a_state_saved_before_there_were_versions_becomes_the_first() {
    let Scene { test, environment, work } = scene(true).await;
    test.until_state(environment, State::Ready).await;
    // What the version has, by name, for those who may see secrets; how long it took, for the run.
    let environment_now = test.environment(environment).await;
    let (developer, mut app) = (test.person("developer").await, test.app.db.acquire().await.unwrap());
    let op = test.op_as(&developer);
    let permit = test.app.permit_on(&op, &developer, &environment_now).unwrap();
    let told = paddock::environments::list_versions(&mut app, &test.app.sealer, &permit, None, 10).await.unwrap();
    let changes: Vec<_> = told[0].changes.iter().map(|change| (change.address.as_str(), change.action)).collect();
    assert_eq!(changes, [("terraform_data.size", PlanAction::Create), ("terraform_data.waits", PlanAction::Create)]);
    let (run, attempt) = told[0].by.unwrap();
    assert_eq!((told.len(), told[0].version, attempt), (1, 1, 1));
    let timings = paddock::environments::resource_timings(&mut app, run).await.unwrap();
    let ended: Vec<_> = timings.iter().map(|t| (t.address.as_str(), t.action.as_str(), t.ended_at.is_some())).collect();
    assert_eq!(ended.len(), 2);
    assert!(ended.contains(&("terraform_data.size", "create", true)), "{ended:?}");

    let path = format!("/environments/{environment}");
    let page = test.browser_of("developer").await.get(&path).await;
    page.shows(&["State versions", "created terraform_data.size, terraform_data.waits", "attempt 1"]);
    test.browser_of("auditor").await.get(&path).await.hides(&["State versions"]);

    let mut connection = PgConnection::connect(&test.database.url()).await.unwrap();
    let row: (i32, Vec<u8>) =
        sqlx::query_as("SELECT version, sealed FROM state_version WHERE environment_id = $1 ORDER BY version DESC")
            .bind(environment.0)
            .fetch_one(&mut connection)
            .await
            .unwrap();
    let sealer = &test.app.sealer;
    let state = sealer.open(&format!("state_version/{environment}/{}", row.0), &row.1).unwrap();
    assert!(!row.1.windows(14).any(|window| window == b"terraform_data"), "sealed at rest");
    let old = sealer.seal(&paddock::base::OsEntropy, &format!("environment/{environment}/provider_state"), &state);
    sqlx::query("UPDATE environment SET provider_state = $2 WHERE id = $1")
        .bind(environment.0)
        .bind(old.unwrap())
        .execute(&mut connection)
        .await
        .unwrap();
    sqlx::query("DELETE FROM state_version").execute(&mut connection).await.unwrap();

    let change = Intent::Update {
        environment,
        version: None,
        inputs: inputs(json!({"folder": work.path(), "memory": 2})),
        generation: None,
    };
    submit(&test, change).await;
    test.until_state(environment, State::Ready).await;
    let log = test.log(environment).await;
    assert!(log.contains("Plan: 1 to change."), "nothing is made anew: {log}");
    let all = versions(&test, environment).await;
    assert_eq!((all[0].0.as_str(), all[1].0.as_str(), all.len()), ("migrated", "written", 2), "{all:?}");
    let told = paddock::environments::list_versions(&mut app, &test.app.sealer, &permit, None, 10).await.unwrap();
    let change = &told[0].changes[0];
    assert_eq!((change.address.as_str(), change.summary.as_str()), ("terraform_data.size", "input, output"));

    submit(&test, Intent::Delete { environment }).await;
    test.until_state(environment, State::Deleted).await;
    assert_eq!(versions(&test, environment).await, [], "states hold secrets and go with it");
}

#[tokio::test]
async fn a_state_left_on_the_machine_is_rescued_or_kept_as_a_stray() {
    let folder = tempfile::tempdir().unwrap();
    let provider = TerraformProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let job = template("resource \"terraform_data\" \"x\" {}");
    provider.apply(&job, &host).await.unwrap();
    let kept = host.load_state().await.unwrap().unwrap();
    let left = folder.path().join("work").join(job.environment.to_string()).join("files/errored.tfstate");
    let leave = |change: &dyn Fn(&mut Value)| {
        let mut state: Value = serde_json::from_slice(&kept).unwrap();
        change(&mut state);
        std::fs::create_dir_all(left.parent().unwrap()).unwrap();
        std::fs::write(&left, state.to_string()).unwrap();
    };

    // Of another history: stored and named, but what counts is what was kept.
    leave(&|state| {
        state["lineage"] = json!("other");
        state["resources"][0]["name"] = json!("lost");
    });
    let job = next_attempt(&job);
    let known = provider.read_back(&job, &host).await.unwrap();
    assert_eq!(known.iter().map(|resource| resource.address.as_str()).collect::<Vec<_>>(), ["terraform_data.x"]);
    assert!(host.text().contains("Only in it: terraform_data.lost"), "{}", host.text());
    assert_eq!(host.load_state().await.unwrap().unwrap(), kept);
    assert_eq!(host.versions().last().unwrap().0, StateOrigin::Stray);

    // What was handed over after all is nothing new.
    leave(&|_| {});
    provider.read_back(&job, &host).await.unwrap();
    assert_eq!(host.versions().len(), 2);

    // Its continuation counts from now on, before anything else happens.
    leave(&|state| {
        state["serial"] = json!(state["serial"].as_u64().unwrap() + 1);
        state["resources"][0]["instances"][0]["status"] = json!("tainted");
    });
    let plan = provider.plan(&next_run(&job, "update"), &host).await.unwrap();
    assert_eq!(plan.changes[0].summary, "was left half made");
    assert_eq!(host.versions().last().unwrap().0, StateOrigin::Rescued);
    assert!(!left.exists());
}

/// Whoever looks first brings the stray in; who then works, on the same machine, must know of it.
#[tokio::test]
async fn a_stray_that_was_brought_in_by_a_look_is_still_asked_about() {
    let folder = tempfile::tempdir().unwrap();
    let provider = TerraformProvider::new(settings(folder.path()));
    let job = template("resource \"terraform_data\" \"x\" {}");
    let host = RecordingHost::new(folder.path()).of(&job);
    provider.apply(&job, &host).await.unwrap();
    let mut state: Value = serde_json::from_slice(&host.load_state().await.unwrap().unwrap()).unwrap();

    // Another attempt's Terraform made something, ended by itself, and left a state of its own history.
    let job = next_attempt(&job);
    let host = RecordingHost::new(folder.path()).of(&job);
    let (address, action) = ("terraform_data.lost".to_owned(), "create".to_owned());
    let made = Progress { address, action, phase: Phase::Done, provider_id: Some("9".to_owned()) };
    host.progress(&made).await.unwrap();
    let root = folder.path().join("work").join(job.environment.to_string());
    std::fs::create_dir_all(root.join("files")).unwrap();
    std::fs::write(root.join("guard.lock"), format!("{}.{} ended", job.run, job.attempt)).unwrap();
    state["lineage"] = json!("other");
    state["resources"][0]["name"] = json!("lost");
    std::fs::write(root.join("files/errored.tfstate"), state.to_string()).unwrap();

    let job = next_attempt(&job);
    provider.read_back(&job, &host).await.unwrap();
    let error = provider.apply(&job, &host).await.unwrap_err().to_string();
    assert!(error.starts_with("An earlier attempt made terraform_data.lost (9)"), "{error}");
}

#[tokio::test]
async fn a_lock_is_given_back_after_every_program() {
    let folder = tempfile::tempdir().unwrap();
    let provider = TerraformProvider::new(settings(folder.path()));
    let host = RecordingHost::new(folder.path());
    let job = stack();
    provider.plan(&job, &host).await.unwrap();
    assert!(!folder.path().join("lock").exists());
    provider.apply(&job, &host).await.unwrap();
    assert!(!folder.path().join("lock").exists());
    let serials: Vec<u64> = host.versions().iter().map(|(_, state)| state["serial"].as_u64().unwrap()).collect();
    assert!(!serials.is_empty() && serials.is_sorted(), "{serials:?}");
    assert!(!folder.path().join("work").join(job.environment.to_string()).exists(), "no state stays on the machine");
}
