//! Rules by form: offered is what there is, what is wrong is told beside its field, and what is added is text.

use axum::http::StatusCode;
use serde_json::json;

use super::{publish, site, verdict, with};

const RULE: [(&str, &str); 6] = [
    ("kind", "among"),
    ("input", "size"),
    ("values", "small\r\nmedium\r\n"),
    ("id", "No large databases"),
    ("reason", "Large databases are not made here."),
    ("owner", "platform team"),
];

#[tokio::test]
async fn a_rule_is_added_to_the_draft_and_holds_once_it_is_published() {
    let site = site().await;
    site.sql("INSERT INTO team (id, slug, name) VALUES (gen_random_uuid(), 'sre', 'Site reliability')").await;
    let api = site.client("admin").await;
    let made = api.post("/api/v1/policies", &json!({"source": with("")})).await.expect(StatusCode::CREATED);
    let number = made["number"].as_i64().unwrap();
    let path = format!("/admin/policies/{number}/rule");
    let mut admin = site.test.browser_of("admin").await;
    admin.get(&format!("/admin/policies/{number}")).await.shows(&[&path, "Add a rule by form"]);

    // What there is, and nothing else. Nothing is wrong before anybody typed.
    let empty = admin.get(&path).await;
    empty.shows(&["Payments", "Postgres", "Site reliability", ">Lead<", "value=\"prod\"", "Create an environment"]);
    empty.hides(&["needs a change", "need a change"]);
    let approval = admin.get(&format!("{path}?kind=approval")).await;
    approval.shows(&["Who approves"]);
    let approvers = approval.text.split("id=\"f-approver\"").nth(1).unwrap().split("</select>").next().unwrap();
    assert!(approvers.contains(">Lead<") && approvers.contains("value=\"team:sre\""), "{approvers}");
    admin.get(&format!("{path}?kind=among")).await.shows(&["size: Postgres"]);
    let freeze = [("do", "preview"), ("kind", "freeze"), ("actions", "create_environment"), ("id", "year-end")];
    let soon = [&freeze[..], &[("reason", "The year ends."), ("from", "soon"), ("to", "2027-01-04 08:00")]].concat();
    admin.post(&path, &soon).await.shows(&["day and a time such as 2026-12-20 18:00", "value=\"soon\""]);
    let dates =
        [&freeze[..], &[("reason", "The year ends."), ("from", "2026-12-20 18:00"), ("to", "2027-01-04 08:00")]];
    let shown = admin.post(&path, &dates.concat()).await;
    shown.shows(&["from 20 Dec 2026, 18:00 to 4 Jan 2027, 08:00 UTC.", "2026-12-20T18:00:00Z"]);
    let cost = [("do", "preview"), ("kind", "cost"), ("most", "500"), ("id", "not-too-much"), ("reason", "Money.")];
    admin.post(&path, &cost).await.shows(&["cost at most 500 a month while they run.", "500.0"]);

    // A form with mistakes keeps what was typed and tells them by field; nothing is written.
    let before = site.number("SELECT max(generation) FROM policy_version").await;
    let generation = empty.value_of("generation");
    let wrong = [
        ("do", "add"),
        ("generation", &generation),
        ("kind", "among"),
        ("input", "password"),
        ("values", ""),
        ("id", "leads-review-requests"),
        ("reason", ""),
        ("project", "none"),
    ];
    let refused = admin.post(&path, &wrong).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.shows(&["taken by another rule", "one of the list", "Lists 1 to 100 values", "leads-review-requests"]);
    let shown = admin.post(&path, &[[("do", "preview")].as_slice(), &RULE].concat()).await;
    assert_eq!(shown.status, StatusCode::OK);
    shown.shows(&["The input size of environments is “small” or “medium”.", "no-large-databases", "platform team"]);
    assert_eq!(site.number("SELECT max(generation) FROM policy_version").await, before);

    let add = [[("do", "add"), ("generation", generation.as_str())].as_slice(), &RULE].concat();
    assert_eq!(admin.post(&path, &add).await.location(), format!("/admin/policies/{number}"));
    admin.get(&format!("/admin/policies/{number}")).await.shows(&["Added", "no-large-databases", "platform team"]);
    // Who looked before that adds nothing, and not twice.
    let late = admin.post(&path, &[&add[..5], &[("id", "another")], &add[6..]].concat()).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    late.shows(&["in the meantime"]);
    assert_eq!(admin.post(&path, &add).await.status, StatusCode::UNPROCESSABLE_ENTITY);

    api.post_nothing(&format!("/api/v1/policies/{number}/propose")).await.expect(StatusCode::OK);
    assert_eq!(admin.post(&path, &add).await.status, StatusCode::CONFLICT);
    publish(&site.client("second").await, number, 1).await.expect(StatusCode::OK);
    let developer = site.client("developer").await;
    let met = verdict(&developer, "large").await;
    assert_eq!(met["decision"]["rules"][0]["id"], "no-large-databases");
    assert_eq!(verdict(&developer, "medium").await["decision"]["outcome"], "allowed");
}

#[tokio::test]
async fn only_who_writes_policies_sees_the_forms() {
    let site = site().await;
    let api = site.client("admin").await;
    let made = api.post("/api/v1/policies", &json!({"source": with("")})).await.expect(StatusCode::CREATED);
    let path = format!("/admin/policies/{}/rule", made["number"]);
    for login in ["developer", "lead", "auditor"] {
        let mut browser = site.test.browser_of(login).await;
        assert_eq!(browser.get(&path).await.status, StatusCode::FORBIDDEN);
        let add = [[("do", "add")].as_slice(), &RULE].concat();
        assert_eq!(browser.post(&path, &add).await.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(site.number("SELECT max(generation) FROM policy_version WHERE state = 'draft'").await, 1);
}
