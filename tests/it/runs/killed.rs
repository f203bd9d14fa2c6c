//! `kill -9` of the worker in the middle of the work: the run goes on with the next attempt, ends
//! ready, and nothing was made twice. Real processes, real Terraform, real Postgres.

use std::path::Path;
use std::time::Duration;

use paddock::base::id::EnvironmentId;
use paddock::environments::State;
use paddock::orchestrator;
use paddock::requests::Caller;
use rustix::process::Signal;
use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection};

use super::journey::create;
use crate::support::app::TestApp;
use crate::support::catalog::add_template;
use crate::support::program::{Program, command};
use crate::support::server::Server;

const TEMPLATE: &str = r#"
variable "folder" { type = string }
resource "terraform_data" "one" {
  provisioner "local-exec" { command = "echo one >> ${var.folder}/made" }
}
resource "terraform_data" "two" {
  depends_on = [terraform_data.one]
  provisioner "local-exec" {
    command = "echo > ${var.folder}/waiting; until test -e ${var.folder}/go; do sleep 0.05; done; echo two >> ${var.folder}/made"
  }
}
output "folder" { value = var.folder }
"#;

const MANIFEST: &str = "
name: Two steps
provider: terraform
inputs:
  type: object
  properties: { folder: { type: string } }
  required: [folder]
";

fn worker(test: &TestApp) -> Program {
    let mut command = command(&["worker"]);
    command.env("DATABASE_URL", test.database.url()).env("PADDOCK_KEY", "42".repeat(32));
    command.env("PADDOCK_DATA_DIR", test.folder.path().join("data"));
    // What the template writes to, beside its own workspace.
    let open = test.folder.path().join("open");
    std::fs::create_dir_all(&open).unwrap();
    command.env("PADDOCK_PROGRAM_FOLDERS", open);
    let mut program = Program::start(command);
    program.wait_for("ready");
    program
}

async fn submit(test: &TestApp, template: &str, name: &str, values: serde_json::Value) -> EnvironmentId {
    let developer = test.person("developer").await;
    let draft = create("payments", "dev", template, name, values);
    let op = test.op_as(&developer);
    let id = test.app.requests.submit(&op, Caller::Person(&developer), &draft, None).await.unwrap().id;
    let mut connection = test.app.db.acquire().await.unwrap();
    test.app.requests.find(&mut connection, id).await.unwrap().unwrap().environment.unwrap()
}

async fn until_file(path: &Path) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while !path.exists() {
        assert!(tokio::time::Instant::now() < deadline, "{} did not appear", path.display());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn attempts(test: &TestApp, environment: EnvironmentId) -> i32 {
    let mut connection = test.app.db.acquire().await.unwrap();
    orchestrator::runs_of(&mut connection, environment.0, 1).await.unwrap()[0].attempt
}

#[tokio::test]
async fn in_the_middle_of_a_terraform_apply() {
    let test = TestApp::start().await;
    add_template(&test, "two-steps", &[("paddock.yaml", MANIFEST), ("main.tf", TEMPLATE)]).await;
    let first = worker(&test);
    let work = test.folder.path().join("open");
    let environment = submit(&test, "two-steps", "stack", json!({"folder": work})).await;
    until_file(&work.join("waiting")).await;
    first.signal(Signal::KILL);
    let _second = worker(&test);
    std::fs::write(work.join("go"), "").unwrap();
    test.until_state(environment, State::Ready).await;

    assert_eq!(std::fs::read_to_string(work.join("made")).unwrap(), "one\ntwo\n", "nothing twice");
    assert_eq!(attempts(&test, environment).await, 2);
}

#[tokio::test]
async fn in_the_middle_of_a_database_creation() {
    let test = TestApp::start().await;
    let first = worker(&test);
    // CREATE DATABASE waits for this lock: the worker is killed in the middle of it.
    let mut locker = PgConnection::connect_with(&Server::get().options("postgres")).await.unwrap();
    locker.execute("BEGIN").await.unwrap();
    locker.execute("LOCK TABLE pg_catalog.pg_database IN SHARE MODE").await.unwrap();
    let environment = submit(&test, "postgres-database", "killed-db", json!({"size": "small"})).await;
    let mut watcher = PgConnection::connect_with(&Server::get().options("postgres")).await.unwrap();
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'CREATE DATABASE%killed%'";
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut watcher).await.unwrap() == 0 {
        assert!(tokio::time::Instant::now() < deadline, "no CREATE DATABASE waits\n{}", test.log(environment).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    first.signal(Signal::KILL);
    locker.execute("ROLLBACK").await.unwrap();
    let _second = worker(&test);
    test.until_state(environment, State::Ready).await;

    // The provider ends names with the last digits of the environment's id.
    let id = environment.to_string();
    let names = "SELECT datname FROM pg_database WHERE datname LIKE '%' || $1";
    let mine = sqlx::query_scalar::<_, String>(names).bind(&id[id.len() - 12..]).fetch_all(&mut watcher).await.unwrap();
    assert_eq!(mine.len(), 1, "nothing twice: {mine:?}");
    assert_eq!(attempts(&test, environment).await, 2);

    for name in mine {
        Server::get().execute(format!("DROP DATABASE \"{name}\" WITH (FORCE)")).await.unwrap();
        Server::get().execute(format!("DROP ROLE \"{name}\"")).await.unwrap();
    }
}
