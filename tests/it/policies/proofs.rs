//! The standing proofs on a version's way: a broken one is told, and goes no further.

use axum::http::StatusCode;
use serde_json::json;

use super::{NO_LARGE, proposed, publish, site, with};

/// Whoever leads reviews their own requests.
fn own_reviews() -> String {
    with("").replace("@id(\"nobody-reviews-their-own\")", "@id(\"nobody-reviews-their-own\") @mode(\"observe\")")
}

const CLAIM: &str = "it does not hold that: nobody approves their own request";

#[tokio::test]
async fn a_version_with_a_broken_proof_is_neither_proposed_nor_published() {
    let site = site().await;
    let (admin, second) = (site.client("admin").await, site.client("second").await);
    let source = json!({"source": own_reviews()});
    let checked = admin.post("/api/v1/policies/check", &source).await.expect(StatusCode::OK);
    assert_eq!((&checked["valid"], &checked["problems"][0]["message"]), (&json!(false), &json!(CLAIM)), "{checked:#}");
    // A draft may be anything.
    let draft = admin.post("/api/v1/policies", &json!({"source": own_reviews(), "note": "Mine"})).await;
    let number = draft.expect(StatusCode::CREATED)["number"].as_i64().unwrap();
    let propose = format!("/api/v1/policies/{number}/propose");
    let refused = admin.post_nothing(&propose).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains(CLAIM), "{}", refused.text);
    // Proposed under another Paddock, whose proofs were others.
    site.sql(&format!("UPDATE policy_version SET state = 'proposed', proposed_at = now(), proposer_label = 'admin' WHERE number = {number}")).await;
    let refused = publish(&second, number, 1).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    assert!(refused.text.contains(CLAIM), "{}", refused.text);
    assert_eq!(site.number("SELECT number::bigint FROM policy_version WHERE state = 'published'").await, 1);
}

#[tokio::test]
async fn its_page_says_what_holds_and_what_does_not() {
    let site = site().await;
    let mut admin = site.test.browser_of("admin").await;
    let holds = admin.get("/admin/policies/1/proofs").await;
    holds.shows(&["Nobody approves their own request", "Holds", "questions asked", "No rule fails"]);
    holds.hides(&["Broken"]);
    let client = site.client("admin").await;
    let draft = client.post("/api/v1/policies", &json!({"source": own_reviews(), "note": ""})).await;
    let number = draft.expect(StatusCode::CREATED)["number"].as_i64().unwrap();
    admin.get(&format!("/admin/policies/{number}")).await.shows(&[&format!("/admin/policies/{number}/proofs")]);
    let broken = admin.get(&format!("/admin/policies/{number}/proofs")).await;
    broken.shows(&["Broken", "with the role lead: approve or reject a request", "It cannot be published like this."]);
    let mut developer = site.test.browser_of("developer").await;
    assert_eq!(developer.get("/admin/policies/1/proofs").await.status, StatusCode::FORBIDDEN);
    assert_eq!(admin.get("/admin/policies/99/proofs").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_in_force_names_what_it_lets_nobody_do() {
    let site = site().await;
    let (admin, second) = (site.client("admin").await, site.client("second").await);
    let mut browser = site.test.browser_of("admin").await;
    browser.get("/admin/policies/1").await.hides(&["No rule lets anybody"]);
    let old = with(NO_LARGE).replace("@id(\"admins-set-prices\")", "@id(\"admins-set-prices\") @mode(\"observe\")");
    let number = proposed(&admin, &old).await;
    publish(&second, number, 1).await.expect(StatusCode::OK);
    browser.get(&format!("/admin/policies/{number}")).await.shows(&["No rule lets anybody manage prices"]);
}
