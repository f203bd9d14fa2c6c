//! The audit pages: sentences, filters, one record, and for whom they are.

use axum::http::StatusCode;

use crate::support::app::TestApp;

async fn ask(test: &TestApp, name: &str) {
    let fields = [
        ("_key", name),
        ("project", "payments"),
        ("environment_type", "prod"),
        ("name", name),
        ("inputs/size", "small"),
        ("reason", ""),
    ];
    let answer = test.browser_of("developer").await.post("/catalog/postgres-database/request", &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
}

#[tokio::test]
async fn an_auditor_finds_what_happened_and_why() {
    let test = TestApp::start().await;
    ask(&test, "orders-db").await;
    let mut auditor = test.browser_of("auditor").await;
    let page = auditor.get("/audit").await;
    let name = test.person("developer").await.person.display_name;
    page.shows(&[&format!("{name} requested orders-db in prod"), "Today, ", "signed in", "request.submitted"]);
    page.hides(&["<h2 class=\"audit-day\"></h2>"]);

    let found = auditor.get("/audit?action=request.*&actor=developer&outcome=succeeded").await;
    found.shows(&["1 record", "requested orders-db", "Remove filter Who developer"]);
    found.hides(&["class=\"act mono\">session.signed_in"]);
    auditor.get("/audit?actor=nobody").await.shows(&["No record fits"]);
    auditor.get("/audit?object=orders").await.shows(&["“orders” is not an id"]);
    auditor.get("/audit?from=yesterday").await.shows(&["“yesterday” is not a date"]);
    auditor.get("/audit?to=2001-01-01").await.shows(&["No record fits"]);
    auditor.get("/audit?from=2001-01-01&action=request.*").await.shows(&["1 record"]);

    let link = found.text.split("href=\"/audit/aud_").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let record = auditor.get(&format!("/audit/aud_{link}")).await;
    record.shows(&[
        "requested orders-db in prod",
        "leads-approve-outside-dev-and-test",
        "Operation",
        "op_",
        "environment_type",
    ]);
    record.shows(&["Dana Reyes (developer)", "To what", "request Create orders-db"]);
    record.hides(&["Its id", "(developer) (developer)"]);
    auditor.get("/audit?action=role.granted").await.shows(&["gave Noor Haddad the role auditor"]);
    let operation = record.text.split("operation=").nth(1).unwrap().split('"').next().unwrap().to_owned();
    auditor.get(&format!("/audit?operation={operation}")).await.shows(&["requested orders-db", "reserved a place for"]);
}

#[tokio::test]
async fn the_log_is_for_those_whom_policy_lets_read_it() {
    let test = TestApp::start().await;
    ask(&test, "orders-db").await;
    let mut admin = test.browser_of("admin").await;
    let list = admin.get("/audit?action=request.submitted").await;
    let link = list.text.split("href=\"/audit/aud_").nth(1).unwrap().split('"').next().unwrap().to_owned();
    for who in ["developer", "lead"] {
        let mut other = test.browser_of(who).await;
        for path in ["/audit".to_owned(), format!("/audit/aud_{link}")] {
            let refused = other.get(&path).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{who} {path}");
            refused.shows(&["Needs the role admin or auditor on the platform."]);
        }
    }
    let missing = admin.get("/audit/aud_00000000000000000000000000000000").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn pages_follow_one_another_without_a_gap() {
    let test = TestApp::start().await;
    for _ in 0..60 {
        test.browser_of("developer").await;
    }
    let mut auditor = test.browser_of("auditor").await;
    let (mut path, mut seen) = ("/audit?action=session.*&actor=developer".to_owned(), Vec::new());
    loop {
        let page = auditor.get(&path).await.text.replace("&#38;", "&").replace("&amp;", "&");
        seen.extend(page.split("href=\"/audit/aud_").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
        let next = page.split("href=\"").find(|rest| rest.contains("rel=\"next\"") && rest.starts_with("/audit?"));
        match next {
            Some(rest) => path = rest.split('"').next().unwrap().to_owned(),
            None => break,
        }
    }
    let all = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((all, seen.len()), (60, 60));
}
