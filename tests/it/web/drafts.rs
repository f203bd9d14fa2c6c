//! What was typed and not sent: kept for its person without secrets, given away as a link or a command.

use std::process::Command;

use axum::http::StatusCode;
use paddock::base::{Actor, Op};
use paddock::catalog::{self, NewSource, SourceKind};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::http::Site;
use crate::support::pages::Answer;

const FORM: &str = "/catalog/vault/request";

const MANIFEST: &str = "
name: Vault
slug: vault
version: 1.0.0
provider: postgres
config: { sizes: { small: { connection_limit: 10, statement_timeout_seconds: 30 } } }
inputs:
  type: object
  additionalProperties: false
  required: [size, token]
  properties:
    size: { type: string, enum: [small], default: small }
    token: { type: string, writeOnly: true }
    label: { type: string, default: plain }
    public: { type: boolean, default: true }
    words: { type: array, items: { type: string }, default: [a] }
    admin: { type: object, properties: { user: { type: string }, password: { type: string, writeOnly: true } } }
";

/// With a template that asks for secrets.
async fn start() -> (TestApp, tempfile::TempDir) {
    let test = TestApp::start().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("vault")).unwrap();
    std::fs::write(folder.path().join("vault/paddock.yaml"), MANIFEST).unwrap();
    let op: Op = test.op(Actor::Operator);
    let source = NewSource {
        slug: "vaults".to_owned(),
        kind: SourceKind::Folder,
        location: folder.path().display().to_string(),
        branch: None,
        folder: String::new(),
    };
    let id = catalog::add_source(&test.app.db, &op, source).await.unwrap();
    catalog::sync(&test.app.db, &op, id).await.unwrap();
    (test, folder)
}

const NASTY: &str = "it's \"$HOME\" `id` \\ & 100% <b>\nsecond line";

/// Everything typed; the unticked box posts nothing.
fn typed(key: &str) -> Vec<(&str, &str)> {
    vec![
        ("_key", key),
        ("_link", "project=storefront"),
        ("project", "storefront"),
        ("environment_type", "test"),
        ("name", "vault-1"),
        ("lifetime", "2d"),
        ("reason", NASTY),
        ("inputs/size", "small"),
        ("inputs/token", "hunter2-token"),
        ("inputs/label", ""),
        ("inputs/words/0", "first"),
        ("inputs/words/1", "it's"),
        ("inputs/admin/user", "root"),
        ("inputs/admin/password", "hunter2-password"),
    ]
}

fn with<'a>(mut fields: Vec<(&'a str, &'a str)>, name: &'a str) -> Vec<(&'a str, &'a str)> {
    fields.push((name, "1"));
    fields
}

#[track_caller]
fn shows_all(page: &Answer) {
    page.shows(&[
        "<option value=\"storefront\" selected>",
        "value=\"test\" checked",
        "value=\"vault-1\"",
        "<option value=\"2d\" selected>",
        "`id`",
        "second line",
        "value=\"first\"",
        "value=\"root\"",
    ]);
    assert_eq!((page.value_of("inputs/label"), page.value_of("inputs/token")), (String::new(), String::new()));
    let public = page.text.split("name=\"inputs/public\"").nth(1).unwrap().split('>').next().unwrap();
    assert!(!public.contains("checked"), "a box that was unticked is ticked again");
    page.hides(&["hunter2"]);
}

async fn stored(test: &TestApp) -> Vec<String> {
    let rows =
        sqlx::query_scalar::<_, String>("SELECT request_draft::text FROM request_draft WHERE fields IS NOT NULL");
    rows.fetch_all(&mut *test.app.db.acquire().await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_draft_outlives_the_session_and_holds_no_secret() {
    let (test, _folder) = start().await;
    let mut browser = test.browser_of("developer").await;
    let checked = browser.post(FORM, &with(typed("key-1"), "_check")).await;
    checked.shows(&["Draft saved", "hunter2-token"]);
    let rows = stored(&test).await;
    assert_eq!(rows.len(), 1);
    assert!(rows[0].contains("vault-1") && !rows[0].contains("hunter2"), "{rows:?}");

    // Signed in again, elsewhere: by the form's address, and by the link that it was opened with.
    let mut later = test.browser_of("developer").await;
    let page = later.get(FORM).await;
    shows_all(&page);
    page.shows(&["This is your draft", "Secrets are never kept", "Start over"]);
    assert_eq!(page.value_of("_link"), "project=storefront");
    shows_all(&later.get(&format!("{FORM}?project=storefront")).await);
    later.get("/").await.shows(&["Your drafts", "Request Vault", "href=\"/catalog/vault/request\""]);
    // Another link is what somebody wants to see now; the draft stays.
    let other = later.get(&format!("{FORM}?name=other-vault")).await;
    other.shows(&["value=\"other-vault\"", "You have a draft of this form", "Continue the draft"]);
    assert_eq!(stored(&test).await, rows);
    // It is nobody else's: not to read, not to be told of, not to throw away.
    let mut lead = test.browser_of("lead").await;
    lead.get(FORM).await.hides(&["vault-1", "draft-note"]);
    lead.get("/").await.hides(&["Your drafts", "Request Vault"]);
    lead.post(FORM, &with(typed("key-of-lead"), "_discard")).await;
    assert_eq!(stored(&test).await, rows);

    let over = later.post(FORM, &with(typed("key-1"), "_discard")).await;
    assert_eq!((over.status, over.location()), (StatusCode::SEE_OTHER, "/catalog/vault/request?project=storefront"));
    assert_eq!(stored(&test).await, Vec::<String>::new());
    // What the form still sends, for instance what its last field said when it was left, is not kept.
    let late = later.post(FORM, &with(typed("key-1"), "_check")).await;
    late.shows(&["vault-1"]);
    late.hides(&["Draft saved"]);
    assert_eq!(stored(&test).await, Vec::<String>::new());
    later.get(FORM).await.hides(&["vault-1", "draft-note"]);
    later.post(FORM, &with(typed("key-of-another-form"), "_check")).await.shows(&["Draft saved"]);
    assert_eq!(stored(&test).await.len(), 1);
    later.post(FORM, &with(vec![("_key", "key-1"), ("name", "too-late")], "_check")).await;
    assert!(!stored(&test).await.concat().contains("too-late"));
}

#[tokio::test]
async fn a_draft_is_there_after_a_refusal_and_gone_when_it_was_sent() {
    let (test, _folder) = start().await;
    let mut browser = test.browser_of("developer").await;
    let mut wrong = typed("key-2");
    wrong.retain(|(name, _)| *name != "inputs/token");
    let refused = browser.post(FORM, &wrong).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    shows_all(&browser.get(FORM).await);
    let sent = browser.post(FORM, &typed("key-2")).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
    assert_eq!(stored(&test).await, Vec::<String>::new());
    // A question of the same form that arrives after it was sent makes no new draft.
    browser.post(FORM, &with(typed("key-2"), "_check")).await;
    assert_eq!(stored(&test).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_person_keeps_so_many_drafts_and_no_more() {
    let (test, _folder) = start().await;
    let person = test.person("developer").await.person.id;
    let mut connection = test.app.db.acquire().await.unwrap();
    let fill = "INSERT INTO request_draft (person_id, form, title, fields, saved_at)
        SELECT $1, 'form-' || n, 'Form', '[]', now() - make_interval(hours => n) FROM generate_series(1, 60) AS n";
    sqlx::query(fill).bind(person.0).execute(&mut *connection).await.unwrap();
    test.browser_of("developer").await.post(FORM, &with(typed("key-3"), "_check")).await;
    let rows = stored(&test).await;
    assert_eq!(rows.len(), 20);
    assert!(rows.iter().any(|row| row.contains("vault-1")));
    // After a month it is not continued any more.
    let age = "UPDATE request_draft SET saved_at = now() - interval '31 days'";
    sqlx::query(age).execute(&mut *connection).await.unwrap();
    let mut browser = test.browser_of("developer").await;
    browser.get(FORM).await.hides(&["vault-1", "This is your draft"]);
    browser.get("/").await.hides(&["Your drafts"]);
}

#[tokio::test]
async fn a_link_and_a_command_give_the_form_away_without_its_secrets() {
    let (test, _folder) = start().await;
    let mut browser = test.browser_of("developer").await;
    let checked = browser.post(FORM, &with(typed("key-4"), "_check")).await;
    let link = unescaped(checked.text.split("data-copy=\"").nth(1).unwrap());
    assert!(link.starts_with("http://127.0.0.1:8400/catalog/vault/request?") && !link.contains("hunter2"), "{link}");
    let path = link.trim_start_matches("http://127.0.0.1:8400").to_owned();
    checked.shows(&[&format!("href=\"{}\"", path.replace('&', "&#38;"))]);
    shows_all(&test.browser_of("developer").await.get(&path).await);

    let command = unescaped(checked.text.split("aria-label=\"Command\">").nth(1).unwrap());
    assert!(!command.contains("hunter2"), "{command}");
    // What a shell makes of it: the words that curl gets.
    let script = format!("curl() {{ printf '%s\\0' \"$@\"; }}\n{command}");
    let output = Command::new("sh")
        .args(["-eu", "-c", &script])
        .envs([("PADDOCK_TOKEN", "pat"), ("INPUT_TOKEN", "s3 cret"), ("INPUT_ADMIN_PASSWORD", "$x")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}\n{command}", String::from_utf8_lossy(&output.stderr));
    let words: Vec<String> =
        output.stdout.split(|b| *b == 0).map(|word| String::from_utf8(word.to_vec()).unwrap()).collect();
    assert!(words.contains(&"http://127.0.0.1:8400/api/v1/requests".to_owned()), "{words:?}");
    assert!(words.contains(&"Authorization: Bearer pat".to_owned()), "{words:?}");
    let body: Value = serde_json::from_str(&words[words.len() - 2]).unwrap();
    assert_eq!(
        body["inputs"],
        json!({"size": "small", "token": "s3 cret", "label": "", "public": false, "words": ["first", "it's"],
            "admin": {"user": "root", "password": "$x"}})
    );
    assert_eq!(body["reason"], NASTY);
    // The API takes it as it is.
    let site = Site::serve(test).await;
    let developer = site.client("developer").await;
    let answer = developer.request(Method::POST, "/api/v1/requests").json(&body).send().await.unwrap();
    let status = answer.status();
    assert_eq!(status, StatusCode::CREATED, "{}", answer.text().await.unwrap());
}

#[tokio::test]
async fn a_file_is_taken_by_the_api_as_it_was_copied() {
    let (test, _folder) = start().await;
    let mut browser = test.browser_of("developer").await;
    let checked = browser.post(FORM, &with(typed("key-5"), "_check")).await;
    let yaml = unescaped(checked.text.split("aria-label=\"YAML\">").nth(1).unwrap());
    assert!(!yaml.contains("hunter2"), "{yaml}");
    let copied = checked.text.split("data-copy=\"").skip(1).map(unescaped).any(|text| text == yaml);
    assert!(copied, "the button copies something else");
    let send = unescaped(checked.text.split("aria-label=\"Command that sends the file\">").nth(1).unwrap());
    assert!(
        send.contains("'.inputs[\"admin\"][\"password\"] = strenv(INPUT_ADMIN_PASSWORD) | .inputs[\"token\"] = strenv(INPUT_TOKEN)' vault-1.yaml |")
            && send.contains("'Content-Type: application/yaml'")
            && send.ends_with("--data-binary @-"),
        "{send}"
    );
    let site = Site::serve(test).await;
    let developer = site.client("developer").await;
    let send = |body: String, kind: &'static str| {
        let request = developer.request(Method::POST, "/api/v1/requests").header("content-type", kind);
        crate::support::http::send(request.body(body))
    };
    // As it is, it lacks what is secret, and is refused for that alone.
    let refused = send(yaml.clone(), "application/yaml").await;
    refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.pointers(), ["/inputs/token"]);
    let whole = yaml.replace("inputs:\n", "inputs:\n  token: s3 cret\n");
    let made = send(whole.clone(), "application/yaml; charset=utf-8").await.expect(StatusCode::CREATED);
    assert_eq!(
        made["inputs"],
        json!({"size": "small", "label": "", "public": false, "words": ["first", "it's"], "admin": {"user": "root"}})
    );
    assert_eq!(
        (&made["reason"], &made["name"], &made["lifetime_seconds"]),
        (&json!(NASTY), &json!("vault-1"), &json!(172_800))
    );

    // Kept in Git and sent for what is there by now: no generation binds it to the day it was copied.
    let postgres = "/catalog/postgres-database/request";
    let mut browser = site.test.browser_of("developer").await;
    let fields = [
        ("project", "payments"),
        ("environment_type", "dev"),
        ("name", "orders-db"),
        ("inputs/size", "small"),
        ("_check", "1"),
    ];
    let checked = browser.post(postgres, &fields).await;
    let yaml = unescaped(checked.text.split("aria-label=\"YAML\">").nth(1).unwrap());
    let command = unescaped(checked.text.split("aria-label=\"Command that sends the file\">").nth(1).unwrap());
    assert!(command.starts_with("curl ") && command.ends_with("--data-binary @orders-db.yaml"), "{command}");
    let made = send(yaml, "application/yaml").await.expect(StatusCode::CREATED);
    let environment = made["environment"]["id"].as_str().unwrap();
    let update = browser
        .post(&format!("/environments/{environment}/update"), &[("inputs/size", "medium"), ("_check", "1")])
        .await;
    let yaml = unescaped(update.text.split("aria-label=\"YAML\">").nth(1).unwrap());
    assert!(yaml.contains(&format!("environment: {environment}")) && !yaml.contains("generation"), "{yaml}");
    assert!(unescaped(update.text.split("aria-label=\"Command\">").nth(1).unwrap()).contains("\"generation\""));

    // What cannot be read is told with its place, and YAML is for requests alone.
    for (body, kind, status, told) in [
        ("operation: create\noperation: delete\n", "application/yaml", 400, "(line 2, column 1)"),
        ("operation: create\ncolour: red\n", "application/yaml", 400, "unknown field `colour`"),
        ("a: &a [x]\nb: [*a, *a]\n---\nc: 1\n", "application/yaml", 400, "more than one document"),
        ("name: \"a\\0b\"\n", "application/yaml", 400, "NUL"),
        ("operation: create\n", "text/plain", 415, "application/json"),
    ] {
        let answer = send(body.to_owned(), kind).await;
        assert_eq!(answer.status.as_u16(), status, "{body} {}", answer.text);
        assert!(answer.text.contains(told), "{body}: {}", answer.text);
    }
}

/// An attribute's or an element's text up to its end, as a browser reads it.
fn unescaped(html: &str) -> String {
    let text = html.split(['"', '<']).next().unwrap();
    let mut out = text.to_owned();
    for (entity, plain) in [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")] {
        out = out.replace(entity, plain);
    }
    out
}
