//! Requests that need an approval: who sees them, who decides, who does not.

use axum::http::StatusCode;

use crate::support::app::TestApp;
use crate::support::pages::Browser;

/// The developer asks for a database in prod; gives the id.
async fn ask(browser: &mut Browser, name: &str) -> String {
    let fields = [
        ("_key", name),
        ("project", "payments"),
        ("environment_type", "prod"),
        ("name", name),
        ("inputs/size", "small"),
        ("reason", "We need <it>"),
    ];
    let answer = browser.post("/catalog/postgres-database/request", &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    answer.location().trim_start_matches("/requests/").to_owned()
}

#[tokio::test]
async fn a_lead_decides_and_the_requester_watches() {
    let test = TestApp::start().await;
    let (mut developer, mut lead) = (test.browser_of("developer").await, test.browser_of("lead").await);
    let id = ask(&mut developer, "orders-db").await;
    test.plan().await;
    let page = developer.get(&format!("/requests/{id}")).await;
    page.shows(&[
        "Sent. It waits for approval now.",
        "Create orders-db",
        "Waits for Lee Okafor",
        "Awaiting approval",
        "leads-approve-outside-dev-and-test",
        "We need &#60;it&#62;",
        "Withdraw",
        "hx-trigger=\"load delay:400ms, every 2s\"",
    ]);
    developer.get(&format!("/requests/{id}")).await.hides(&["Sent. It waits"]);
    developer.get("/requests").await.shows(&["Create orders-db", "Lee Okafor"]);
    developer.get("/").await.shows(&["Your open requests", "Create orders-db"]);

    lead.get("/").await.shows(&["Waiting for you", "Create orders-db"]);
    lead.get("/approvals").await.shows(&["Create orders-db", &format!("/approvals/{id}")]);
    let review = lead.get(&format!("/approvals/{id}")).await;
    review.shows(&["Approve", "Reject", "developer in payments", "Small", "Environments in payments prod"]);
    let empty = lead.post(&format!("/approvals/{id}"), &[("verdict", "reject"), ("reason", " ")]).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    empty.shows(&["say why", "href=\"#f-reason\""]);
    let done = lead.post(&format!("/approvals/{id}"), &[("verdict", "approve"), ("reason", "go on")]).await;
    assert_eq!(done.location(), "/approvals");
    lead.get("/approvals").await.shows(&["Approved: Create orders-db. It is carried out now.", "Nothing waits"]);
    let again = lead.post(&format!("/approvals/{id}"), &[("verdict", "approve")]).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    developer.get(&format!("/requests/{id}")).await.shows(&["Lee Okafor approved it", "go on", "Approved"]);
}

#[tokio::test]
async fn nobody_decides_on_their_own_or_without_the_role() {
    let test = TestApp::start().await;
    let mut lead = test.browser_of("lead").await;
    let id = ask(&mut lead, "leads-db").await;
    test.plan().await;
    lead.get(&format!("/approvals/{id}")).await.shows(&["Nobody approves their own request."]);
    let own = lead.post(&format!("/approvals/{id}"), &[("verdict", "approve")]).await;
    assert_eq!(own.status, StatusCode::FORBIDDEN);
    let mut developer = test.browser_of("developer").await;
    developer.get(&format!("/approvals/{id}")).await.shows(&["You may see it, but not decide it."]);
    let other = developer.post(&format!("/approvals/{id}"), &[("verdict", "approve")]).await;
    assert_eq!(other.status, StatusCode::FORBIDDEN);
    other.shows(&["Needs the role lead in project payments."]);
    let foreign = developer.post(&format!("/requests/{id}/withdraw"), &[]).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    lead.get(&format!("/requests/{id}")).await.shows(&["Awaiting approval"]);
    let answer = lead.post(&format!("/requests/{id}/withdraw"), &[]).await;
    assert_eq!(answer.location(), format!("/requests/{id}"));
    let page = lead.get(&format!("/requests/{id}")).await;
    page.shows(&["Withdrawn", "You took the request for leads-db back."]);
    page.hides(&["every 2s"]);
}

#[tokio::test]
async fn pages_say_whose_turn_it_is_and_refuse_what_would_not_count() {
    let rules = r#"
        @id("admins-at-last") @reason("An admin looks at it at last.") @approval("admin") @approval_step("2")
        permit (principal, action == Action::"CreateEnvironment", resource)
        when { resource has environment_type && resource.environment_type == "prod" };
        @id("admins-review") @reason("Admins review requests.")
        permit (principal, action == Action::"ReviewRequest", resource) when { context.roles.contains(Role::"admin") };"#;
    let test = TestApp::start_with(TestApp::policies_and(rules)).await;
    let (mut developer, mut lead) = (test.browser_of("developer").await, test.browser_of("lead").await);
    let mut admin = test.browser_of("admin").await;
    let id = ask(&mut developer, "orders-db").await;
    test.plan().await;
    let (page, review) = (format!("/requests/{id}"), format!("/approvals/{id}"));
    developer.get(&page).await.shows(&["Waits for Lee Okafor, then an admin", "asked after the others"]);
    admin.get("/approvals").await.hides(&["orders-db"]);
    let early = admin.post(&review, &[("verdict", "approve"), ("reason", "I would")]).await;
    assert_eq!(early.status, StatusCode::CONFLICT);
    early.shows(&["It is not your turn yet: first it needs a lead of payments", "I would"]);
    lead.post(&review, &[("verdict", "approve")]).await;
    developer.get(&page).await.hides(&["Waits for Lee Okafor", "asked after the others"]);
    admin.get("/approvals").await.shows(&["orders-db"]);
    lead.get("/approvals").await.hides(&["href=\"/approvals/"]);
}
