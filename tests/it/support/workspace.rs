//! A template with power operations and actions, whose scripts count in their storage.

use super::app::{TestApp, inputs};
use paddock::base::id::{EnvironmentId, RequestId};
use paddock::environments::State;
use paddock::requests::{Caller, Draft, Intent};
use serde_json::json;

/// The template's slug.
pub const WORKSPACE: &str = "desk";

const MANIFEST: &str = r#"
name: Desk
slug: desk
version: "1"
kind: workspace
provider: command
config: { deploy: deploy.sh, delete: delete.sh }
actions:
  start: { run: start.sh }
  stop: { run: stop.sh }
  restart: { run: start.sh, title: Turn off and on }
  greet:
    title: Greet somebody
    description: Leaves a greeting.
    run: greet.sh
    inputs:
      type: object
      additionalProperties: false
      properties:
        name: { type: string, title: Whom, minLength: 2 }
        word: { type: string, title: Password, writeOnly: true }
      required: [name]
  boom: { run: boom.sh }
  once: { run: once.sh, repeat: once }
connect: { output: url, label: Open the desk }
inputs:
  type: object
  properties: { broken: { type: boolean, default: false } }
outputs:
  - { name: url }
  - { name: greeting }
"#;

const OUT: &str =
    r#"out() { printf '{"outputs": {"%s": {"type": "string", "value": "%s"}}}' "$1" "$2" > "$PADDOCK_OUTPUTS"; }"#;

/// Adds the template.
pub async fn add(test: &TestApp) {
    add_with(test, "").await;
}

/// Adds it with more in its manifest.
pub async fn add_with(test: &TestApp, more: &str) {
    let manifest = format!("{MANIFEST}{more}");
    let script = |body: &str| format!("#!/bin/sh\nset -eu\n{OUT}\n{body}\n");
    let deploy = script("echo 1 > \"$PADDOCK_STORAGE/boots\"\nout url https://desk.example/1");
    let delete = script("echo gone");
    let start = script(
        "n=$(cat \"$PADDOCK_STORAGE/boots\"); n=$((n + 1)); echo $n > \"$PADDOCK_STORAGE/boots\"
         out url https://desk.example/$n",
    );
    let stop = script(
        "test \"$PADDOCK_INPUT_BROKEN\" = false || test -e \"$PADDOCK_STORAGE/tried\" ||
         { touch \"$PADDOCK_STORAGE/tried\"; echo 'error: it does not stop' >&2; exit 3; }
         echo \"$PADDOCK_OPERATION $PADDOCK_ACTION\"",
    );
    let greet = script(
        "echo \"the word is ${PADDOCK_ACTION_INPUT_WORD:-none}\"; test -s \"$PADDOCK_ACTION_INPUTS\"
         out greeting \"hello $PADDOCK_ACTION_INPUT_NAME\"",
    );
    let boom = script("echo 'error: it went boom' >&2; exit 1");
    let once = script("echo done once");
    let files = [
        ("paddock.yaml", manifest.as_str()),
        ("deploy.sh", &deploy),
        ("delete.sh", &delete),
        ("start.sh", &start),
        ("stop.sh", &stop),
        ("greet.sh", &greet),
        ("boom.sh", &boom),
        ("once.sh", &once),
    ];
    super::catalog::add_template(test, WORKSPACE, &files).await;
}

/// The developer's desk in payments, dev; ready. A worker must be at work.
pub async fn ready(test: &TestApp, broken: bool) -> EnvironmentId {
    let intent = Intent::Create {
        project: "payments".to_owned(),
        environment_type: "dev".to_owned(),
        template: WORKSPACE.to_owned(),
        version: None,
        name: "my-desk".to_owned(),
        inputs: inputs(json!({"broken": broken})),
        lifetime: None,
    };
    let id = submit(test, "developer", intent).await.unwrap();
    let mut connection = test.app.db.acquire().await.unwrap();
    let environment = test.app.requests.find(&mut connection, id).await.unwrap().unwrap().environment.unwrap();
    test.until_state(environment, State::Ready).await;
    environment
}

/// Submits as that person.
pub async fn submit(test: &TestApp, login: &str, intent: Intent) -> Result<RequestId, paddock::requests::Error> {
    let person = test.person(login).await;
    let draft = Draft { intent, reason: String::new(), exception: false };
    let submitted = test.app.requests.submit(&test.op_as(&person), Caller::Person(&person), &draft, None).await?;
    Ok(submitted.id)
}
