//! Secret inputs: what an update does not mention stays.

use axum::http::StatusCode;
use paddock::base::Actor;
use paddock::base::id::EnvironmentId;
use paddock::catalog::{self, NewSource, SourceKind};
use paddock::environments::{self, State};
use serde_json::{Value, json};

use crate::api::text;
use crate::support::http::Site;

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
async fn vault(site: &Site) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("vault")).unwrap();
    std::fs::write(folder.path().join("vault/paddock.yaml"), MANIFEST).unwrap();
    for script in ["deploy.sh", "delete.sh"] {
        std::fs::write(folder.path().join("vault").join(script), "#!/bin/sh\nexit 0\n").unwrap();
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
async fn an_update_keeps_the_secrets_that_it_does_not_mention() {
    let site = Site::start().await;
    site.test.work();
    let _folder = vault(&site).await;
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
