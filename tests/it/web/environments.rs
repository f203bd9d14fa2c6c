//! Environments: what may be seen and done by whom, secrets, filters, the end.

use axum::http::StatusCode;
use paddock::audit;
use paddock::environments::State;
use paddock::requests::{Caller, Draft, Intent};
use serde_json::json;

use crate::support::app::{TestApp, inputs};
use crate::support::pages::Browser;

/// The developer's database in payments, asked for and not yet made unless a worker runs.
async fn asked(test: &TestApp, kind: &str, name: &str) -> paddock::base::id::EnvironmentId {
    let developer = test.person("developer").await;
    let draft = Draft {
        exception: false,
        intent: Intent::Create {
            project: "payments".to_owned(),
            environment_type: kind.to_owned(),
            template: "postgres-database".to_owned(),
            version: None,
            name: name.to_owned(),
            inputs: inputs(json!({"size": "small"})),
            lifetime: None,
        },
        reason: String::new(),
    };
    let requests = &test.app.requests;
    let id = requests.submit(&test.op_as(&developer), Caller::Person(&developer), &draft, None).await.unwrap().id;
    let mut connection = test.app.db.acquire().await.unwrap();
    requests.find(&mut connection, id).await.unwrap().unwrap().environment.unwrap()
}

async fn records(test: &TestApp, action: &str) -> usize {
    let filter = audit::Filter { action: Some(action.to_owned()), ..audit::Filter::default() };
    audit::list(&mut test.app.db.acquire().await.unwrap(), &filter, None, 100).await.unwrap().items.len()
}

#[tokio::test]
async fn secrets_are_masked_and_showing_one_is_recorded() {
    let test = TestApp::start().await;
    test.work();
    let id = asked(&test, "dev", "orders-db").await;
    test.until_state(id, State::Ready).await;
    let path = format!("/environments/{id}");
    let mut developer = test.browser_of("developer").await;
    let page = developer.get(&path).await;
    page.shows(&[
        "orders-db",
        "Ready",
        "Deletes ",
        "requested orders-db in dev",
        "made orders-db: it is ready",
        "Extend",
    ]);
    page.hides(&["postgres://", "Cancel"]);
    assert_eq!(records(&test, "output.revealed").await, 0);

    let shown = developer.post(&format!("{path}/reveal"), &[("name", "url")]).await;
    assert_eq!((shown.status, shown.header("cache-control")), (StatusCode::OK, "no-store"));
    shown.shows(&["postgres://", "<h1>orders-db</h1>"]);
    assert_eq!(records(&test, "output.revealed").await, 1);
    developer.get(&path).await.shows(&["showed the secret output url of orders-db"]);
    let none = developer.post(&format!("{path}/reveal"), &[]).await;
    assert_eq!(none.status, StatusCode::UNPROCESSABLE_ENTITY);

    for (who, missing) in [("auditor", "Needs the role"), ("admin", "Needs the role")] {
        let mut other = test.browser_of(who).await;
        other.get(&path).await.shows(&["orders-db", "Secrets are shown to the owner", "Not possible for you now"]);
        let refused = other.post(&format!("{path}/reveal"), &[("name", "url")]).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{who}");
        refused.shows(&[missing]);
        refused.hides(&["postgres://"]);
        let delete = other.post(&format!("{path}/delete"), &[("name", "orders-db")]).await;
        assert_eq!(test.environment(id).await.state, State::Ready, "{who}: {}", delete.status);
    }
    assert_eq!(records(&test, "output.revealed").await, 3, "a refused look is recorded, too");
    developer.get(&path).await.shows(&["wanted to see the secret output url of orders-db and may not"]);
}

#[tokio::test]
async fn production_ends_only_when_its_name_is_typed() {
    let test = TestApp::start().await;
    let id = asked(&test, "prod", "ledger-db").await;
    let path = format!("/environments/{id}");
    let mut developer = test.browser_of("developer").await;
    developer.get(&path).await.shows(&["Requested", "It waits for approval"]);
    let page = developer.get(&format!("{path}/delete")).await;
    page.shows(&["Delete this environment?", "Type <span class=\"mono\">ledger-db</span> to confirm"]);
    let key = page.value_of("_key");
    for typed in ["", "ledger"] {
        let refused = developer.post(&format!("{path}/delete"), &[("_key", &key), ("name", typed)]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        refused.shows(&["Type the name ledger-db to confirm", "href=\"#f-name\""]);
    }
    assert_eq!(records(&test, "request.submitted").await, 1);
    let busy = developer.post(&format!("{path}/delete"), &[("_key", &key), ("name", "ledger-db")]).await;
    assert_eq!(busy.status, StatusCode::CONFLICT, "another request is open: {}", busy.text);

    let dev = asked(&test, "dev", "scratch").await;
    let page = format!("/environments/{dev}");
    developer.get(&page).await.shows(&["hx-trigger=\"load delay:400ms, every 2s\""]);
    test.work();
    test.until_state(dev, State::Ready).await;
    developer.get(&page).await.hides(&["every 2s"]);
    let page = developer.get(&format!("/environments/{dev}/delete")).await;
    page.hides(&["to confirm"]);
    let done = developer.post(&format!("/environments/{dev}/delete"), &[("_key", &page.value_of("_key"))]).await;
    assert_eq!(done.location(), format!("/environments/{dev}"));
    developer.get(done.location()).await.shows(&["This page shows how scratch is deleted."]);
    test.until_state(dev, State::Deleted).await;
}

async fn listed(browser: &mut Browser, query: &str) -> Vec<String> {
    let text = browser.get(&format!("/environments.csv{query}")).await.text;
    let mut names: Vec<String> = text.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn the_list_is_filtered_by_its_address_and_shows_what_one_may_see() {
    let test = TestApp::start().await;
    let mut developer = test.browser_of("developer").await;
    developer.get("/environments").await.shows(&["There are no environments yet", "Open the catalog"]);
    asked(&test, "dev", "orders-db").await;
    asked(&test, "test", "orders-test").await;
    asked(&test, "prod", "ledger-db").await;
    let page = developer.get("/environments").await;
    page.shows(&["3 environments", "orders-db", "ledger-db", "Download these rows as CSV"]);
    for (query, names) in [
        ("", &["ledger-db", "orders-db", "orders-test"][..]),
        ("?q=ORDERS", &["orders-db", "orders-test"]),
        ("?type=prod", &["ledger-db"]),
        ("?state=requested", &["ledger-db"]),
        ("?state=deleted", &[]),
        ("?project=payments&view=mine", &["ledger-db", "orders-db", "orders-test"]),
        ("?project=storefront", &[]),
        ("?project=none", &[]),
        ("?template=postgres-database&q=test", &["orders-test"]),
        ("?template=none", &[]),
    ] {
        assert_eq!(listed(&mut developer, query).await, names, "{query}");
    }
    let page = developer.get("/environments?type=prod&state=deleted").await;
    page.shows(&["No environment fits", "href=\"/environments?type=prod\"", "href=\"/environments?state=deleted\""]);
    let noise = developer.get("/environments?after=noise").await;
    assert_eq!(noise.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(listed(&mut test.browser_of("auditor").await, "").await.len(), 3);
    assert_eq!(listed(&mut test.browser_of("auditor").await, "?view=mine").await.len(), 0);
    let missing = developer.get("/environments/env_00000000000000000000000000000000").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}
