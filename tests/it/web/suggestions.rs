//! Approve with changes, on the pages of both sides.

use axum::http::StatusCode;

use crate::api::{create, text};
use crate::support::app::TestApp;
use crate::support::http::Site;

#[tokio::test]
async fn a_reviewer_changes_the_form_and_the_requester_accepts() {
    let site = Site::serve(TestApp::start().await).await;
    let developer = site.client("developer").await;
    let request = developer.post("/api/v1/requests", &create("prod", "orders")).await.expect(StatusCode::CREATED);
    let (id, lifetime) = (text(&request, "/id"), request["lifetime_seconds"].as_i64().unwrap());
    site.test.plan().await;
    let (mut lead, mut asks) = (site.test.browser_of("lead").await, site.test.browser_of("developer").await);
    let (review, page) = (format!("/approvals/{id}"), format!("/requests/{id}"));
    let form = format!("{review}/changes");
    lead.get(&review).await.shows(&["Approve with changes", &form]);
    assert_eq!(asks.get(&form).await.status, StatusCode::SEE_OTHER);
    let shown = lead.get(&form).await;
    shown.shows(&["as asked for", "value=\"small\"", "Nothing is altered without them."]);
    shown.hides(&["value=\"3650d\""]);

    let unchanged = lead.post(&form, &[("inputs/size", "small"), ("lifetime", ""), ("reason", "so")]).await;
    assert_eq!(unchanged.status, StatusCode::UNPROCESSABLE_ENTITY);
    unchanged.shows(&["Nothing is changed"]);
    let wrong = lead.post(&form, &[("inputs/size", "small"), ("inputs/connection_limit", "900"), ("reason", "")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    wrong.shows(&["id=\"f-reason-error\"", "value=\"900\""]);
    assert!(lifetime > 86_400);
    let fields = [("inputs/size", "medium"), ("lifetime", "1d"), ("reason", "A day of medium is better")];
    let sent = lead.post(&form, &fields).await;
    assert_eq!((sent.status, sent.location()), (StatusCode::SEE_OTHER, page.as_str()));

    let theirs = lead.get(&page).await;
    theirs.shows(&["would agree with changes", "accepts them or not."]);
    theirs.hides(&["Accept the changes", "or for you"]);
    asks.get("/").await.shows(&["suggests changes"]);
    let mine = asks.get(&page).await;
    mine.shows(&[
        "would agree with changes",
        "A day of medium is better",
        "Small",
        "Medium",
        "1 day",
        "Accept the changes",
        "or for you: changes are suggested",
    ]);
    let action =
        mine.text.split("/accept\"").next().unwrap().rsplit("action=\"").next().unwrap().to_owned() + "/accept";
    assert_eq!(lead.post(&action, &[]).await.status, StatusCode::FORBIDDEN);
    let accepted = asks.post(&action, &[]).await;
    assert_eq!(accepted.status, StatusCode::SEE_OTHER);
    let second = accepted.location().to_owned();
    assert_ne!(second, page);
    asks.get(&second).await.shows(&["Medium", "1 day", "It took the place of an earlier request"]);
    asks.get(&page).await.shows(&["another request took its place", &second]);
    assert_eq!(asks.post(&action, &[]).await.status, StatusCode::CONFLICT);
    let mut auditor = site.test.browser_of("auditor").await;
    auditor.get("/audit").await.shows(&["would agree to the request", "accepted the changes of"]);
}

#[tokio::test]
async fn what_was_declined_waits_as_it_was() {
    let site = Site::serve(TestApp::start().await).await;
    let developer = site.client("developer").await;
    let request = developer.post("/api/v1/requests", &create("prod", "orders")).await.expect(StatusCode::CREATED);
    let id = text(&request, "/id");
    let (mut lead, mut asks) = (site.test.browser_of("lead").await, site.test.browser_of("developer").await);
    lead.post(&format!("/approvals/{id}/changes"), &[("inputs/size", "medium"), ("reason", "so")]).await;
    let page = asks.get(&format!("/requests/{id}")).await;
    let action =
        page.text.split("/decline\"").next().unwrap().rsplit("action=\"").next().unwrap().to_owned() + "/decline";
    assert_eq!(asks.post(&action, &[]).await.status, StatusCode::SEE_OTHER);
    let page = asks.get(&format!("/requests/{id}")).await;
    page.shows(&["declined the changes of", "Awaiting approval"]);
    page.hides(&["Accept the changes"]);
    asks.get("/").await.hides(&["suggests changes"]);
}
