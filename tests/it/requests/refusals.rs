//! Refusals say what is wrong, to everybody and in words: texts that cannot be stored, an outage
//! that is not “no such template”, a conflict without names of the database, a secret not shown.

use axum::http::StatusCode;
use paddock::base::Actor;
use paddock::catalog::{self, NewSource, SourceKind};
use paddock::environments::State;
use serde_json::{Value, json};

use crate::api::{create, text};
use crate::support::catalog::add_template;
use crate::support::http::{Answer, Site};

fn with(pointer: &str, value: Value) -> Value {
    let mut body = create("dev", "orders");
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[last] = value;
    body
}

fn is_refused(answer: &Answer, what: &str) {
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{what}: {}", answer.text);
    assert!(answer.text.contains("NUL"), "{what} does not say why: {}", answer.text);
}

#[tokio::test]
async fn a_text_with_nul_is_refused_wherever_it_arrives() {
    let site = Site::start().await;
    let (client, auditor) = (site.client("developer").await, site.client("auditor").await);
    for pointer in ["/name", "/reason", "/inputs/size", "/project", "/template", "/environment_type"] {
        let body = with(pointer, json!("a\0b"));
        for address in ["/api/v1/requests", "/api/v1/verdicts"] {
            let answer = client.post(address, &body).await;
            is_refused(&answer, pointer);
            assert_eq!(answer.pointers(), [pointer]);
        }
    }
    let lists = [
        "/api/v1/templates?query=%00",
        "/api/v1/environments?template=a%00",
        "/api/v1/environments?environment_type=%00x",
        "/api/v1/environments?project=%00",
        "/api/v1/templates/%00",
        "/api/v1/projects/a%00b",
    ];
    for address in lists {
        is_refused(&client.get(address).await, address);
    }
    for name in ["actor", "action", "project"] {
        is_refused(&auditor.get(&format!("/api/v1/audit?{name}=%00")).await, name);
    }
    // A cursor is bytes of ours: any others are no cursor.
    for address in ["/api/v1/audit?cursor=AAAA", "/api/v1/audit?cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let answer = auditor.get(address).await;
        assert!(answer.status.is_success() || answer.status.is_client_error(), "{address}: {}", answer.text);
    }
    let made = client.post("/api/v1/requests", &create("prod", "orders")).await.expect(StatusCode::CREATED);
    let reviews = format!("/api/v1/requests/{}/reviews", text(&made, "/id"));
    let lead = site.client("lead").await;
    is_refused(&lead.post(&reviews, &json!({"verdict": "rejected", "reason": "\0"})).await, "reason of a review");
    assert_eq!(site.number("SELECT count(*) FROM review").await, 0);
}

const SCRIPTED: &str = "
name: Scripted
slug: scripted
version: 1.0.0
provider: command
config: { deploy: up.sh, delete: down.sh, repeat: idempotent }
inputs: { type: object, additionalProperties: false, properties: { file: { type: string } } }
outputs: [{ name: greeting, description: What it says }]
";

#[tokio::test]
async fn what_a_provider_gives_with_nul_fails_its_run_in_words() {
    let site = Site::start().await;
    let folder = tempfile::tempdir().unwrap();
    let template = folder.path().join("scripted");
    std::fs::create_dir(&template).unwrap();
    std::fs::write(template.join("paddock.yaml"), SCRIPTED).unwrap();
    // What is printed may hold anything, too.
    let up = "#!/bin/sh\nprintf 'a\\000b\\n'\nprintf %s \"$PADDOCK_INPUT_FILE\" > \"$PADDOCK_OUTPUTS\"\n";
    std::fs::write(template.join("up.sh"), up).unwrap();
    std::fs::write(template.join("down.sh"), "#!/bin/sh\n").unwrap();
    let op = site.test.op(Actor::Operator);
    let source = NewSource {
        slug: "scripts".to_owned(),
        kind: SourceKind::Folder,
        location: folder.path().display().to_string(),
        branch: None,
        folder: String::new(),
    };
    let id = catalog::add_source(&site.test.app.db, &op, source).await.unwrap();
    catalog::sync(&site.test.app.db, &op, id).await.unwrap();
    site.test.work();
    let client = site.client("developer").await;
    let file = |outputs: Value, resources: Value| json!({"outputs": outputs, "resources": resources}).to_string();
    let value = |value: Value| json!({"greeting": {"type": "string", "value": value}});
    for (index, (file, told)) in [
        (file(value(json!("a\0b")), json!([])), "The output greeting has the character U+0000 (NUL)"),
        (file(value(json!({"deep": ["x", "\0"]})), json!([])), "The output greeting/deep/1 has"),
        (
            file(value(json!("fine")), json!([{"address": "one", "type": "t", "id": "i\0d"}])),
            "The resource one has the character U+0000 (NUL)",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = create("dev", &format!("scripted-{index}"));
        (body["template"], body["inputs"]) = (json!("scripted"), json!({"file": file}));
        let made = client.post("/api/v1/requests", &body).await.expect(StatusCode::CREATED);
        let id = text(&made, "/environment/id").parse().unwrap();
        let failed = site.test.until_state(id, State::Failed).await;
        let error = failed.last_error.clone().unwrap_or_default();
        assert!(error.contains(told), "{error}");
    }
}

#[tokio::test]
async fn an_extension_that_the_target_does_not_list_is_refused_before_the_submit() {
    let site = Site::start().await;
    let manifest = "name: Searching\nprovider: postgres\nconfig: {extensions: [pg_trgm]}\ninputs:\n  type: object\n  \
                    properties: {extensions: {type: array, items: {type: string}}}\n";
    add_template(&site.test, "searching", &[("paddock.yaml", manifest)]).await;
    let client = site.client("developer").await;
    let mut body = create("dev", "search");
    for (inputs, pointer, names) in [
        (json!({}), "/template", "pg_trgm"),
        (json!({"extensions": ["hstore"]}), "/inputs/extensions", "pg_trgm, hstore"),
    ] {
        (body["template"], body["inputs"]) = (json!("searching"), inputs);
        for address in ["/api/v1/verdicts", "/api/v1/requests"] {
            let answer = client.post(address, &body).await;
            assert_eq!(answer.pointers(), [pointer], "{}", answer.text);
            assert!(answer.text.contains(&format!("lists no extensions that environments may have, so not {names}")));
        }
    }
    assert_eq!(site.number("SELECT count(*) FROM environment").await, 0);
    let list = "UPDATE target SET settings = settings || '{\"extensions\": [\"pg_trgm\", \"hstore\"]}' WHERE provider = 'postgres'";
    site.sql(list).await;
    let verdict = client.post("/api/v1/verdicts", &body).await;
    assert_eq!(verdict.pointers(), [""; 0], "{}", verdict.text);
}

#[tokio::test]
async fn pages_refuse_nul_beside_the_field_or_in_a_sentence() {
    let site = Site::start().await;
    let mut browser = site.test.browser_of("developer").await;
    let form = "/catalog/postgres-database/request";
    let fields = [
        ("project", "payments"),
        ("environment_type", "dev"),
        ("name", "orders"),
        ("inputs/size", "small"),
        ("inputs/purpose", "pay\0ments"),
        ("reason", "be\0cause"),
    ];
    let answer = browser.post(form, &fields).await;
    assert!(answer.status == StatusCode::UNPROCESSABLE_ENTITY, "{} {}", answer.status, answer.text);
    answer.shows(&["U+0000", "id=\"f-inputs-purpose-error\"", "id=\"f-reason-error\""]);
    let mut auditor = site.test.browser_of("auditor").await;
    for address in [
        "/audit?actor=%00",
        "/audit?action=%00",
        "/requests?q=%00",
        "/environments?q=%00",
        "/catalog?q=%00",
        "/environments?type=%00",
        "/catalog/%00",
    ] {
        let answer = auditor.get(address).await;
        assert!(!answer.status.is_server_error(), "{address}: {} {}", answer.status, answer.text);
    }
    let mut nobody = site.test.browser();
    let answer = nobody.post("/sign-in", &[("user", "a\0"), ("password", "b\0")]).await;
    assert!(!answer.status.is_server_error(), "{}", answer.text);
    assert_eq!(site.number("SELECT count(*) FROM request").await, 0);

    let waits = [("environment_type", "prod"), ("name", "orders"), ("project", "payments"), ("inputs/size", "small")];
    let asked = browser.post(form, &waits).await;
    let review = asked.location().replace("/requests/", "/approvals/");
    let mut lead = site.test.browser_of("lead").await;
    let answer = lead.post(&review, &[("verdict", "reject"), ("reason", "no\0")]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text);
    answer.shows(&["U+0000", "href=\"#f-reason\""]);
    assert_eq!(site.number("SELECT count(*) FROM review").await, 0);
}

#[tokio::test]
async fn an_outage_is_not_told_as_a_mistake_of_the_asker() {
    let site = Site::start().await;
    let client = site.client("developer").await;
    for (table, address) in [
        ("template", "/api/v1/requests"),
        ("template", "/api/v1/verdicts"),
        ("project_environment_type", "/api/v1/requests"),
    ] {
        site.sql(&format!("ALTER TABLE {table} RENAME TO gone")).await;
        let answer = client.post(address, &create("dev", "orders")).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{table}: {}", answer.text);
        site.sql(&format!("ALTER TABLE gone RENAME TO {table}")).await;
    }
    let answer = client.post("/api/v1/requests", &with("/template", json!("nothing"))).await;
    assert_eq!((answer.status, answer.pointers()), (StatusCode::UNPROCESSABLE_ENTITY, vec!["/template".to_owned()]));
}

#[tokio::test]
async fn a_conflict_is_told_without_the_names_of_the_database() {
    let site = Site::start().await;
    let client = site.client("developer").await;
    site.sql("ALTER TABLE request ADD CONSTRAINT secret_name CHECK (reason <> 'A test')").await;
    let answer = client.post("/api/v1/requests", &create("dev", "orders")).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
    assert!(!answer.text.contains("secret_name") && !answer.text.contains("constraint"), "{}", answer.text);
}

#[tokio::test]
async fn a_refused_look_at_a_secret_is_recorded() {
    let site = Site::start().await;
    site.test.work();
    let (client, auditor) = (site.client("developer").await, site.client("auditor").await);
    let made = client.post("/api/v1/requests", &create("dev", "orders")).await.expect(StatusCode::CREATED);
    let id = text(&made, "/environment/id");
    site.test.until_state(id.parse().unwrap(), State::Ready).await;
    let outputs = format!("/api/v1/environments/{id}/outputs");
    auditor.get(&outputs).await.expect(StatusCode::OK);
    auditor.get(&format!("{outputs}?reveal=password,nonsense")).await.expect(StatusCode::FORBIDDEN);
    let mut browser = site.test.browser_of("auditor").await;
    let answer = browser.post(&format!("/environments/{id}/reveal"), &[("name", "url")]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let found = auditor.json(&format!("/api/v1/audit?object={id}&action=output.revealed&outcome=denied")).await;
    let told: Vec<&Value> = found["items"].as_array().unwrap().iter().map(|one| &one["detail"]["outputs"]).collect();
    assert_eq!(told, [&json!(["url"]), &json!(["password"])]);
    client.get(&format!("{outputs}?reveal=password")).await.expect(StatusCode::OK);
    let found = auditor.json(&format!("/api/v1/audit?object={id}&action=output.revealed")).await;
    assert_eq!(found["items"].as_array().unwrap().len(), 3);
}

/// Nobody waits for a run to hear that its environment type has no machine for it.
#[tokio::test]
async fn a_workspace_without_a_runner_host_is_refused_before_anything_is_asked_for() {
    let site = Site::start().await;
    let client = site.client("developer").await;
    let mut body = with("/template", json!("dev-workspace"));
    body["inputs"] = json!({"memory": 2});
    let verdict = client.post("/api/v1/verdicts", &body).await.expect(StatusCode::OK);
    assert_eq!(
        (&verdict["can_submit"], &verdict["errors"][0]["pointer"]),
        (&json!(false), &json!("/environment_type"))
    );
    let answer = client.post("/api/v1/requests", &body).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text);
    assert_eq!(answer.pointers(), ["/environment_type"]);
    assert!(answer.text.contains("has no runner host: an admin binds"), "{}", answer.text);
}
