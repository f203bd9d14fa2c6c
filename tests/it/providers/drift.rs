//! Whether a target is still as the last run left it, by each provider: told in words, without secrets,
//! and without writing anything.

use std::fs;
use std::sync::Arc;

use paddock::providers::{
    CommandProvider, Difference, DifferenceKind, Drift, Job, PostgresProvider, Provider, SimulatedProvider,
    TemplateFile, TerraformProvider,
};
use serde_json::{Value, json};

use super::conformance::{self, inputs, next_run};
use super::host::RecordingHost;
use super::machine::settings;
use super::postgres::job_on;
use super::terraform_lab::Lab;
use crate::support::server::Server;

fn look(job: &Job) -> Job {
    Job { operation: "drift", ..next_run(job, "update") }
}

async fn found(provider: &impl Provider, job: &Job, host: &RecordingHost) -> Vec<(String, DifferenceKind, String)> {
    match provider.drift(&look(job), host).await.unwrap() {
        Drift::Looked { differences } => {
            differences.into_iter().map(|Difference { address, kind, summary, .. }| (address, kind, summary)).collect()
        }
        Drift::CannotTell { reason } => panic!("{reason}"),
    }
}

fn one(address: &str, kind: DifferenceKind, words: &str) -> Vec<(String, DifferenceKind, String)> {
    vec![(address.to_owned(), kind, words.to_owned())]
}

#[tokio::test]
async fn postgres_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let host = RecordingHost::new(folder.path());
    let job = job_on(&Server::get().url("postgres"));
    PostgresProvider.apply(&job, &host).await.unwrap();
    assert_eq!(found(&PostgresProvider, &job, &host).await, []);
    let (_, resources) = PostgresProvider.collect(&job, &host).await.unwrap();
    let name = resources[0].provider_id.clone().unwrap();
    let server = Server::get();
    for (statement, address, words) in [
        (format!("ALTER ROLE \"{name}\" CONNECTION LIMIT 9"), "role", "connections 2 → 9"),
        (format!("ALTER ROLE \"{name}\" SET statement_timeout = '5s'"), "role", "statement time-out 30s → 5s"),
        (format!("ALTER ROLE \"{name}\" NOLOGIN"), "role", "log-in allowed → refused"),
        (format!("ALTER ROLE \"{name}\" CREATEDB"), "role", "making databases and roles refused → allowed"),
        (format!("GRANT CONNECT ON DATABASE \"{name}\" TO PUBLIC"), "database", "every role of the server may connect"),
        (format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS false"), "database", "it takes no connections"),
    ] {
        server.execute(statement.clone()).await.unwrap();
        assert_eq!(
            found(&PostgresProvider, &job, &host).await,
            one(address, DifferenceKind::Changed, words),
            "{statement}"
        );
        let plan = PostgresProvider.plan(&next_run(&job, "update"), &host).await.unwrap();
        assert_eq!(plan.changes.len(), 1, "the plan of a re-apply has it too");
        PostgresProvider.apply(&next_run(&job, "update"), &host).await.unwrap();
        assert_eq!(found(&PostgresProvider, &job, &host).await, [], "{statement} is mended by a re-apply");
    }
    server.execute(format!("CREATE DATABASE \"{name}_more\" OWNER \"{name}\"")).await.unwrap();
    let more = found(&PostgresProvider, &job, &host).await;
    assert_eq!((more.len(), more[0].1), (1, DifferenceKind::Added), "{more:?}");
    server.execute(format!("DROP DATABASE \"{name}_more\"")).await.unwrap();
    server.execute(format!("DROP DATABASE \"{name}\"")).await.unwrap();
    let missing = found(&PostgresProvider, &job, &host).await;
    assert_eq!(missing, one("database", DifferenceKind::Missing, &format!("the database {name} is not on the server")));
    PostgresProvider.destroy(&next_run(&job, "delete"), &host).await.unwrap();
}

#[tokio::test]
async fn the_simulated_cloud_reads_its_book() {
    let folder = tempfile::tempdir().unwrap();
    let provider = SimulatedProvider::new(folder.path().to_owned());
    let host = RecordingHost::new(folder.path());
    let job = Job {
        config: json!({"objects": ["network", "disk"], "timeout_ms": 20}),
        inputs: inputs(json!({"size": "small"})),
        ..conformance::job()
    };
    provider.apply(&job, &host).await.unwrap();
    assert_eq!(found(&provider, &job, &host).await, []);
    let stopped = Job { stopped: true, ..job.clone() };
    let told = found(&provider, &stopped, &host).await;
    assert!(told.len() == 2 && told[0].2.contains(", off → "), "what is stopped is not meant to run: {told:?}");
    let ledger = folder.path().join("default.ledger");
    let book = fs::read_to_string(&ledger).unwrap();
    let lines: Vec<Value> = book.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut line = lines.iter().find(|line| line["object"] == "disk" && !line["effect"].is_null()).unwrap().clone();
    line["number"] = json!(1000);
    line["effect"] = json!({"effect": "removed"});
    let mut other = line.clone();
    other["number"] = json!(1001);
    other["object"] = json!("stray");
    other["token"] = json!("by hand");
    other["effect"] = json!({"effect": "made", "id": "stray-9", "spec": "{}", "whole": true, "hidden": 0});
    fs::write(&ledger, format!("{book}{line}\n{other}\n")).unwrap();
    let told = found(&provider, &job, &host).await;
    let told: Vec<_> = told.iter().map(|(address, kind, _)| (address.as_str(), *kind)).collect();
    assert_eq!(told, [("disk", DifferenceKind::Missing), ("stray", DifferenceKind::Added)]);
}

#[tokio::test]
async fn terraform_refreshes_and_keeps_no_state() {
    let folder = tempfile::tempdir().unwrap();
    let lab = Lab::new(folder.path());
    let provider = TerraformProvider::new(lab.settings());
    let job = lab.job(&["a", "b"]);
    let host = RecordingHost::new(folder.path()).of(&job);
    provider.apply(&job, &host).await.unwrap();
    let versions = host.versions();
    assert_eq!(found(&provider, &job, &host).await, []);
    // Somebody changes one in the cloud, and removes the other.
    let objects = lab.objects();
    let id = |name: &str| objects.iter().find(|(_, one)| *one == name).unwrap().0.clone();
    let ledger = lab.cloud().join("ledger");
    let mut book = fs::read_to_string(&ledger).unwrap();
    book.push_str(&format!("{}\n", json!({"effect": "update", "id": id("a"), "name": "a", "size": "huge"})));
    fs::write(&ledger, &book).unwrap();
    let (kind, words) = match &found(&provider, &job, &host).await[..] {
        [(address, kind, words)] if address == "lab_object.a" => (*kind, words.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(kind, DifferenceKind::Changed);
    assert!(words.contains("size") && words.contains("huge"), "{words}");
    book.push_str(&format!("{}\n", json!({"effect": "delete", "id": id("b"), "name": "b"})));
    fs::write(&ledger, &book).unwrap();
    let told = found(&provider, &job, &host).await;
    assert!(
        told.iter().any(|(address, kind, _)| address == "lab_object.b" && *kind == DifferenceKind::Missing),
        "{told:?}"
    );
    assert_eq!(host.versions(), versions, "a look keeps no version of the state");
    assert!(!folder.path().join("work").join(job.environment.to_string()).join("plan.bin").exists());
    assert_eq!(fs::read_to_string(&ledger).unwrap(), book, "nothing is asked of the cloud but reads");
}

fn scripts(drift: Option<&str>, probe: Option<&str>) -> Job {
    let mut config = json!({"deploy": "up.sh", "delete": "up.sh"});
    let mut files = vec![("up.sh", "echo made > \"$PADDOCK_STORAGE/made\"")];
    for (key, path, text) in [("drift", "drift.sh", drift), ("probe", "probe.sh", probe)] {
        if let Some(text) = text {
            config[key] = json!(path);
            files.push((path, text));
        }
    }
    let file = |(path, text): (&str, &str)| TemplateFile {
        path: path.into(),
        executable: false,
        content: format!("#!/bin/sh\n{text}\n").into_bytes(),
    };
    Job { files: Arc::new(files.into_iter().map(file).collect()), config, ..conformance::job() }
}

#[tokio::test]
async fn a_command_is_looked_at_by_its_templates_own_script() {
    let same = "test \"$ADE_OPERATION_NAME $PADDOCK_OPERATION\" = 'drift drift'; cat \"$PADDOCK_STORAGE/made\"";
    let differs = "echo more > \"$PADDOCK_STORAGE/made\"; printf 'queue: missing\\nit is larger\\n' > \"$PADDOCK_DIFFERENCES\"; exit 2";
    for (drift, probe, expected) in [
        (None, None, Err("The template declares neither")),
        (None, Some("exit 0"), Ok(vec![])),
        (None, Some("exit 1"), Ok(one("command", DifferenceKind::Missing, "the template's probe does not find it"))),
        (Some(same), Some("exit 1"), Ok(vec![])),
        (
            Some(differs),
            None,
            Ok([
                one("queue", DifferenceKind::Missing, "missing"),
                one("command", DifferenceKind::Changed, "it is larger"),
            ]
            .concat()),
        ),
        (
            Some("exit 2"),
            None,
            Ok(one("command", DifferenceKind::Changed, "drift.sh says that it differs, and not how")),
        ),
        (Some("echo no server >&2; exit 7"), None, Err("drift.sh ended with code 7: no server")),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (provider, host) = (CommandProvider::new(settings(folder.path())), RecordingHost::new(folder.path()));
        let job = scripts(drift, probe);
        provider.apply(&job, &host).await.unwrap();
        let state = fs::read(folder.path().join("state")).unwrap();
        let told = match provider.drift(&look(&job), &host).await {
            Ok(Drift::Looked { differences }) => {
                Ok(differences.into_iter().map(|one| (one.address, one.kind, one.summary)).collect::<Vec<_>>())
            }
            Ok(Drift::CannotTell { reason }) => Err(reason),
            Err(error) => Err(error.to_string()),
        };
        match (told, expected) {
            (Ok(told), Ok(expected)) => assert_eq!(told, expected, "{drift:?} {probe:?}"),
            (Err(told), Err(expected)) => assert!(told.starts_with(expected), "{told}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(fs::read(folder.path().join("state")).unwrap(), state, "nothing is kept of a look");
    }
}
