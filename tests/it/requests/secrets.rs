//! Secret inputs: what an update does not mention stays.

use axum::http::StatusCode;
use paddock::base::Actor;
use paddock::base::id::EnvironmentId;
use paddock::catalog::{self, NewSource, SourceKind};
use paddock::environments::{self, State};
use serde_json::{Value, json};

use crate::api::text;
use crate::support::http::Site;
use crate::support::wait::until_true;

const MANIFEST: &str = "
name: Vault
slug: vault
version: 1.0.0
provider: command
config: { deploy: deploy.sh, delete: delete.sh, repeat: idempotent }
inputs:
  type: object
  properties:
    token: { type: string, writeOnly: true }
    login:
      type: object
      properties:
        user: { type: string }
        password: { type: string, writeOnly: true }
        more: { type: object, properties: { pin: { type: string, writeOnly: true }, note: { type: string } } }
";

/// A template of its own, from a folder that lives as long as the answer.
async fn vault(site: &Site, deploy: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("vault")).unwrap();
    std::fs::write(folder.path().join("vault/paddock.yaml"), MANIFEST).unwrap();
    for (script, does) in [("deploy.sh", deploy), ("delete.sh", "exit 0")] {
        std::fs::write(folder.path().join("vault").join(script), format!("#!/bin/sh\n{does}\n")).unwrap();
    }
    let (db, op) = (&site.test.app.db, site.test.op(Actor::Operator));
    let location = folder.path().to_str().unwrap().to_owned();
    let source =
        NewSource { slug: "own".to_owned(), kind: SourceKind::Folder, location, branch: None, folder: String::new() };
    let id = catalog::add_source(db, &op, source).await.unwrap();
    let counts = catalog::sync(db, &op, id).await.unwrap();
    assert_eq!(counts.added, 1);
    folder
}

#[tokio::test]
async fn what_a_script_prints_of_its_secrets_is_nowhere_to_be_read() {
    let site = Site::start().await;
    site.test.work();
    let prints = r#"
        echo "the token is $PADDOCK_INPUT_TOKEN."
        printf '%8184s%s\n' long "$PADDOCK_INPUT_TOKEN"
        printf '%s' "$PADDOCK_INPUT_LOGIN_PASSWORD" >&2
        echo "wrong: $PADDOCK_INPUT_LOGIN_MORE_PIN ($PADDOCK_INPUT_TOKEN)" >&2
        exit 1"#;
    let _folder = vault(&site, prints).await;
    let client = site.client("developer").await;
    let inputs = json!({"token": "hunter2-token", "login": {"user": "plain-user",
        "password": "hunter2-first-line\nhunter2-second-line\n", "more": {"pin": "hunter2-pin", "note": "n"}}});
    let body = json!({"operation": "create", "project": "payments", "environment_type": "dev", "template": "vault",
        "name": "vault", "inputs": inputs});
    let made = client.post("/api/v1/requests", &body).await.expect(StatusCode::CREATED);
    let id: EnvironmentId = text(&made, "/environment/id").parse().unwrap();
    until_true("the run has failed", async || site.test.environment(id).await.state == State::Failed).await;
    let log = site.test.log(id).await;
    assert!(log.contains("the token is ••••••.") && log.contains("wrong: ••••••"), "{log}");
    let everything = "SELECT coalesce(string_agg(row, ' '), '') FROM (
        SELECT log_line::text AS row FROM log_line UNION ALL SELECT run::text FROM run UNION ALL SELECT run_step::text FROM run_step
        UNION ALL SELECT audit_record::text FROM audit_record UNION ALL SELECT request::text FROM request
        UNION ALL SELECT environment::text FROM environment UNION ALL SELECT decision::text FROM decision) AS rows";
    let everything: String = sqlx::query_scalar(everything).fetch_one(site.test.app.db.pool()).await.unwrap();
    assert!(everything.contains("plain-user"), "what is no secret is stored readable");
    let found =
        everything.find("hunter2").map(|at| everything[at.saturating_sub(200)..].chars().take(300).collect::<String>());
    assert_eq!(found, None);
}

#[tokio::test]
async fn an_update_keeps_the_secrets_that_it_does_not_mention() {
    let site = Site::start().await;
    site.test.work();
    let _folder = vault(&site, "exit 0").await;
    let client = site.client("developer").await;
    let inputs = json!({"token": "t", "login": {"user": "a", "password": "p", "more": {"pin": "1", "note": "n"}}});
    let body = json!({"operation": "create", "project": "payments", "environment_type": "dev", "template": "vault",
        "name": "vault", "inputs": inputs});
    let made = client.post("/api/v1/requests", &body).await.expect(StatusCode::CREATED);
    let id: EnvironmentId = text(&made, "/environment/id").parse().unwrap();
    let steps = [
        (
            json!({"login": {"user": "b", "more": {"note": "o"}}}),
            json!({"token": "t", "login": {"password": "p", "more": {"pin": "1"}}}),
        ),
        (
            json!({"login": {"user": "b", "password": "q"}}),
            json!({"token": "t", "login": {"password": "q", "more": {"pin": "1"}}}),
        ),
        (json!({"token": null, "login": {"user": "b", "password": null}}), json!({"login": {"more": {"pin": "1"}}})),
    ];
    for (changes, kept) in steps {
        site.test.until_state(id, State::Ready).await;
        let body = json!({"operation": "update", "environment": id.to_string(), "inputs": changes});
        client.post("/api/v1/requests", &body).await.expect(StatusCode::CREATED);
        let mut connection = site.test.app.db.acquire().await.unwrap();
        let stored = environments::secret_inputs(&mut connection, &site.test.app.sealer, id).await.unwrap();
        assert_eq!(Value::Object(stored), kept, "after {changes}");
    }
    let ready = site.test.until_state(id, State::Ready).await;
    assert!(!Value::Object(ready.inputs).to_string().contains("pin"), "secrets are not stored readable");
}

/// What a target brings is as secret as what a person types.
#[tokio::test]
async fn what_a_script_prints_of_its_targets_credential_is_nowhere_to_be_read() {
    let site = Site::start().await;
    site.test.work();
    let prints = r#"
        echo "the key is $DEPLOY_KEY."
        cat "$PADDOCK_TARGET_SECRET_FILE"
        exit 1"#;
    let _folder = vault(&site, prints).await;
    let (client, admin) = (site.client("developer").await, site.client("admin").await);
    let target = json!({"slug": "runner", "name": "Runner", "provider": "command",
        "credential": {"variables": {"DEPLOY_KEY": "hunter2-key"}}});
    admin.post("/api/v1/targets", &target).await.expect(StatusCode::CREATED);
    let project = admin.json("/api/v1/projects/payments").await;
    let place = json!({"place": project["environment_types"][0]["id"]});
    admin.post("/api/v1/targets/runner/bind", &place).await.expect(StatusCode::OK);
    let inputs = json!({"token": "some-token", "login": {"user": "plain-user"}});
    let body = json!({"operation": "create", "project": "payments", "environment_type": "dev", "template": "vault",
        "name": "vault", "inputs": inputs});
    let made = client.post("/api/v1/requests", &body).await.expect(StatusCode::CREATED);
    let id: EnvironmentId = text(&made, "/environment/id").parse().unwrap();
    until_true("the run has failed", async || site.test.environment(id).await.state == State::Failed).await;
    let log = site.test.log(id).await;
    assert!(log.contains("the key is ••••••.") && !log.contains("hunter2"), "{log}");
}
