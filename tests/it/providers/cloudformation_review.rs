//! What a plan leaves in an account when nothing comes of it: an empty stack under review, which goes
//! with the request.

use axum::http::StatusCode;

use crate::matrix::subject::CLOUDFORMATION;
use crate::matrix::world::World;
use crate::support::app::TestApp;
use crate::support::aws::Aws;
use crate::support::http::Site;

async fn world(aws: &Aws) -> World {
    let world = World::of(TestApp::start().await, &CLOUDFORMATION).await;
    world.execute(&format!("UPDATE target SET settings = '{}' WHERE slug = 'lab'", aws.settings())).await;
    world
}

fn status(aws: &Aws, part: &str) -> Option<String> {
    aws.account().stack(part).map(|stack| stack.status.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stack_under_review_goes_with_a_rejected_create() {
    let aws = Aws::start();
    let world = world(&aws).await;
    let _worker = world.worker(&[], None);
    let rejected = world.create_in("prod", "rejected", (world.subject.create)(&world)).await;
    let waiting = world.create_in("prod", "waiting", (world.subject.create)(&world)).await;
    world.rest().await;
    let (rejected_stack, waiting_stack) = (rejected.0.simple().to_string(), waiting.0.simple().to_string());
    assert_eq!(status(&aws, &rejected_stack).as_deref(), Some("REVIEW_IN_PROGRESS"));
    world.reject(rejected).await;
    world.rest().await;
    assert_eq!(status(&aws, &rejected_stack), None, "{}", world.said());
    assert_eq!(status(&aws, &waiting_stack).as_deref(), Some("REVIEW_IN_PROGRESS"), "that of another stays");

    let runs = world.rows("SELECT label, state FROM run WHERE kind = 'discard.cloudformation'").await;
    assert_eq!(runs, [("Discard the plan of rejected".to_owned(), "succeeded".to_owned())]);
    let told = "SELECT object_label, outcome FROM audit_record WHERE action = 'environment.plan_discarded'";
    assert_eq!(world.rows(told).await, [("rejected".to_owned(), "succeeded".to_owned())]);
    let gone = format!("SELECT count(*) FROM environment WHERE id = '{}' AND state = 'deleted'", rejected.0);
    assert_eq!(world.number(&gone).await, 1);
    let made = format!("SELECT count(*) FROM run WHERE subject_id = '{}' AND kind LIKE 'create.%'", rejected.0);
    assert_eq!(world.number(&made).await, 0);
}

/// Taken back before a worker came to plan it: whatever order they work in, nothing is there at the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_is_taken_back_before_its_plan_leaves_no_stack() {
    let aws = Aws::start();
    let world = world(&aws).await;
    let id = world.create_in("prod", "early", (world.subject.create)(&world)).await;
    world.withdraw(id).await;
    let _worker = world.worker(&[], None);
    world.rest().await;
    assert_eq!(status(&aws, &id.0.simple().to_string()), None, "{}", world.said());
    let ends = "SELECT kind, state FROM run ORDER BY kind";
    let expected = [("discard.cloudformation", "succeeded"), ("plan.cloudformation", "failed")];
    assert_eq!(world.rows(ends).await, expected.map(|(kind, state)| (kind.to_owned(), state.to_owned())));
}

/// Where planning leaves nothing, there is nothing to do.
#[tokio::test(flavor = "multi_thread")]
async fn others_have_nothing_to_discard() {
    let site = Site::start().await;
    let (developer, lead) = (site.client("developer").await, site.client("lead").await);
    let made = developer.post("/api/v1/requests", &crate::api::create("prod", "orders")).await;
    let made = made.expect(StatusCode::CREATED);
    site.test.plan().await;
    let address = format!("/api/v1/requests/{}/reviews", crate::api::text(&made, "/id"));
    let body = serde_json::json!({"verdict": "rejected", "reason": "No"});
    lead.post(&address, &body).await.expect(StatusCode::CREATED);
    assert_eq!(site.number("SELECT count(*) FROM run WHERE kind LIKE 'discard.%'").await, 0);
}
