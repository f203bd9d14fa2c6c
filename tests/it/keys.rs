//! The platform's encryption key is changed while environments live.

use std::collections::BTreeSet;

use paddock::app::rewrap_keys;
use paddock::base::{Actor, Sealer};
use paddock::environments::{self, State};
use paddock::requests::Intent;
use paddock::{projects, requests};
use serde_json::json;

use crate::support::app::{TestApp, inputs};
use crate::support::program::command;
use crate::support::workspace::submit;

const NEW: &str = "9797979797979797979797979797979797979797979797979797979797979797";

#[tokio::test(flavor = "multi_thread")]
async fn stored_secrets_go_under_the_new_key_and_open_with_it_alone() {
    let test = TestApp::start().await;
    test.work();
    let intent = Intent::Create {
        project: "payments".to_owned(),
        environment_type: "dev".to_owned(),
        template: "postgres-database".to_owned(),
        version: None,
        name: "orders".to_owned(),
        inputs: inputs(json!({"size": "small"})),
        lifetime: None,
    };
    let made = submit(&test, "developer", intent).await.unwrap();
    let request = test.app.requests.find(&mut test.app.db.acquire().await.unwrap(), made).await.unwrap().unwrap();
    let id = request.environment.unwrap();
    let environment = test.until_state(id, State::Ready).await;

    let keys = format!("{NEW},{}", "42".repeat(32));
    let rewrap = || {
        let done = command(&["admin", "rewrap-keys"])
            .envs([("DATABASE_URL", test.database.url()), ("PADDOCK_KEY", keys.clone())])
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    let said = rewrap();
    assert!(!said.starts_with("0 secrets") && said.contains("Nothing needs an older key."), "{said}");
    assert!(rewrap().starts_with("0 secrets"), "all of them are");
    let new = Sealer::from_hex([NEW]).unwrap();
    let mut tx = test.app.db.begin().await.unwrap();
    let developer = test.person("developer").await;
    let op = test.op_as(&developer);
    let permit = test.app.permit_on(&op, &developer, &environment).unwrap();
    let names = ["url".to_owned()];
    let shown = environments::reveal(&mut tx, &op, &new, &permit, &environment, &names).await.unwrap();
    let url = shown.iter().find(|output| output.name == "url").unwrap().value.as_ref().unwrap();
    assert!(url.as_str().unwrap().starts_with("postgres://"));
    tx.commit().await.unwrap();
    let told: i64 = sqlx::query_scalar("SELECT count(*) FROM audit_record WHERE action = 'keys.rewrapped'")
        .fetch_one(test.app.db.pool())
        .await
        .unwrap();
    assert_eq!(told, 2);

    // A key that is not there any more is told, and nothing is written.
    let op = test.op(Actor::Operator);
    let stranger = Sealer::from_hex(["55".repeat(32).as_str()]).unwrap();
    assert!(rewrap_keys(&test.app.db, &op, &stranger).await.is_err());
    assert!(rewrap().starts_with("0 secrets"));
}

/// Who adds a column of secrets adds it to the list, or says here what else it is.
#[tokio::test]
async fn every_column_of_bytes_is_known() {
    let test = TestApp::start().await;
    let columns: Vec<String> = sqlx::query_scalar(
        "SELECT table_name || '.' || column_name FROM information_schema.columns
         WHERE table_schema = 'public' AND data_type = 'bytea'
           AND column_name NOT LIKE '%digest' AND column_name NOT LIKE '%hash'",
    )
    .fetch_all(test.app.db.pool())
    .await
    .unwrap();
    let lists = [projects::SEALED, environments::SEALED, requests::SEALED];
    let kept = [environments::SEALED_FOR_GOOD, requests::SEALED_FOR_GOOD];
    let mut known: BTreeSet<String> = lists.into_iter().chain(kept).flatten().map(ToString::to_string).collect();
    known.remove("target.connect_digest");
    // A subject that is throttled, the files of templates, and checkpoints, which only an open run reads.
    known.extend(
        ["sign_in_throttle.subject", "template_file.content", "run_step.checkpoint", "_sqlx_migrations.checksum"]
            .map(str::to_owned),
    );
    assert_eq!(columns.into_iter().collect::<BTreeSet<_>>(), known);
}
