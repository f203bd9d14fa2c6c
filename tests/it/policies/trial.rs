//! A request that nobody makes, under a version and under what is in force.

use axum::http::StatusCode;
use serde_json::json;

use super::{NO_LARGE, proposed, site, with};

#[tokio::test]
async fn both_sets_answer_side_by_side_and_as_the_verdict_does() {
    let site = site().await;
    let admin = site.client("admin").await;
    let number = proposed(&admin, &with(NO_LARGE)).await;
    let path = format!("/api/v1/policies/{number}/try");
    for login in ["developer", "lead", "auditor"] {
        let client = site.client(login).await;
        for kind in ["dev", "test", "prod"] {
            for size in ["small", "large"] {
                let mut draft = crate::api::create(kind, "orders");
                draft["inputs"]["size"] = json!(size);
                let verdict = client.post("/api/v1/verdicts", &draft).await.value()["decision"].clone();
                let body = json!({
                    "person": login, "project": "payments", "environment_type": kind, "operation": "create",
                    "template": "postgres-database", "inputs": {"size": size},
                });
                let tried = admin.post(&path, &body).await.expect(StatusCode::OK);
                for part in ["outcome", "rules", "sentence"] {
                    assert_eq!(tried["before"][part], verdict[part], "{login} {kind} {size}");
                }
                let flips = size == "large" && verdict["outcome"] != "denied";
                assert_eq!(tried["flip"], if flips { json!("newly_denied") } else { json!(null) }, "{login} {kind}");
                if size == "large" {
                    assert_eq!(tried["after"]["rules"][0]["id"], "no-large-databases");
                }
            }
        }
    }
    assert_eq!(site.number("SELECT count(*) FROM request").await, 0);

    // What is somebody else's, and what lives too long.
    let mut body = json!({
        "person": "developer", "project": "payments", "environment_type": "dev", "operation": "delete",
        "template": "postgres-database", "inputs": {"size": "small"},
    });
    assert_eq!(admin.post(&path, &body).await.value()["before"]["outcome"], "allowed");
    body["of_somebody_else"] = json!(true);
    assert_eq!(admin.post(&path, &body).await.value()["before"]["outcome"], "denied");
    body["operation"] = json!("create");
    body["lifetime"] = json!("3000d");
    assert_eq!(admin.post(&path, &body).await.value()["before"]["outcome"], "denied");
    // What is wrong is told by field.
    for (field, value) in
        [("person", "nobody"), ("project", "none"), ("environment_type", "none"), ("template", "none")]
    {
        let mut wrong = body.clone();
        wrong[field] = json!(value);
        let refused = admin.post(&path, &wrong).await;
        refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.pointers(), [format!("/{field}")]);
    }
    for (field, value) in [("inputs", json!({"size": "gigantic"})), ("lifetime", json!("1m"))] {
        let mut wrong = body.clone();
        wrong[field] = value;
        admin.post(&path, &wrong).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    }
    let developer = site.client("developer").await;
    developer.post(&path, &body).await.expect(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_page_keeps_what_was_typed_in_its_address() {
    let site = site().await;
    let number = proposed(&site.client("admin").await, &with(NO_LARGE)).await;
    let path = format!("/admin/policies/{number}/try");
    let mut admin = site.test.browser_of("admin").await;
    let empty = admin.get(&path).await;
    empty.shows(&["Who asks", "Postgres", "payments"]);
    empty.hides(&["id=\"tried\"", "need a change", "needs a change"]);
    let asked =
        "?person=developer&project=payments&environment_type=dev&template=postgres-database&operation=create&owner=own";
    let page = admin.get(&format!("{path}{asked}&inputs=%7B%22size%22%3A%22large%22%7D")).await;
    page.shows(&[
        "Newly denied",
        "developer: create an environment of the type dev in project payments",
        "Large databases are not made here.",
        "no-large-databases",
        "Developers and leads create",
        "{&#34;size&#34;:&#34;large&#34;}",
    ]);
    admin.get(&format!("{path}{asked}")).await.shows(&["Nothing changes"]);
    let wrong = admin.get(&format!("{path}{asked}&inputs=size")).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    wrong.shows(&["Is a JSON object", "One thing needs a change"]);
    let wrong = admin.get(&format!("{path}{asked}&inputs=%7B%22size%22%3A%22gigantic%22%7D")).await;
    wrong.shows(&["The input size "]);
    let mut developer = site.test.browser_of("developer").await;
    assert_eq!(developer.get(&format!("{path}{asked}")).await.status, StatusCode::FORBIDDEN);
}
