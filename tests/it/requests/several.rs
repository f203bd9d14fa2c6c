//! Several approvals: each by somebody else, in their order, and none that counts for nothing.

use axum::http::StatusCode;
use paddock::policy::Role;
use serde_json::{Value, json};

use crate::api::{create, text};
use crate::support::app::TestApp;
use crate::support::http::{Client, Site};
use crate::support::wait::until_true;

const ADMINS_REVIEW: &str = r#"
@id("admins-review") @reason("Admins review requests.")
permit (principal, action == Action::"ReviewRequest", resource) when { context.roles.contains(Role::"admin") };
"#;

/// Beside the lead that production takes anyway.
fn also(id: &str, annotations: &str) -> String {
    format!(
        r#"@id("{id}") @reason("More have to agree.") {annotations}
        permit (principal, action == Action::"CreateEnvironment", resource)
        when {{ resource has environment_type && resource.environment_type == "prod" }};
        {ADMINS_REVIEW}"#
    )
}

struct Asked {
    site: Site,
    address: String,
    reviews: String,
}

impl Asked {
    async fn with(rules: &str) -> Self {
        let site = Site::serve(TestApp::start_with(TestApp::policies_and(rules)).await).await;
        let developer = site.client("developer").await;
        let request = developer.post("/api/v1/requests", &create("prod", "orders")).await.expect(StatusCode::CREATED);
        site.test.plan().await;
        let address = format!("/api/v1/requests/{}", text(&request, "/id"));
        let reviews = format!("{address}/reviews");
        Self { site, address, reviews }
    }

    async fn approves(&self, login: &str, status: StatusCode) -> Value {
        let yes = json!({"verdict": "approved", "reason": "Fine"});
        self.site.client(login).await.post(&self.reviews, &yes).await.expect(status)
    }

    /// How many have agreed, by requirement.
    async fn agreed(&self) -> Vec<i64> {
        let request = self.site.client("developer").await.json(&self.address).await;
        let requirements = request["decision"]["requirements"].as_array().unwrap().clone();
        requirements.iter().map(|one| one["approvals"].as_i64().unwrap()).collect()
    }

    async fn listed_for(&self, client: &Client) -> usize {
        client.json("/api/v1/requests?to_review=true").await["items"].as_array().unwrap().len()
    }
}

#[tokio::test]
async fn two_rules_that_ask_for_a_lead_take_two_leads() {
    let asked = Asked::with(&also("a-second-lead", r#"@approval("lead")"#)).await;
    let half = asked.approves("lead", StatusCode::CREATED).await;
    assert_eq!(text(&half, "/status"), "awaiting_approval");
    assert_eq!(asked.agreed().await, [1, 0]);
    asked.site.grant("second", Role::Lead, Some("payments")).await;
    let whole = asked.approves("second", StatusCode::CREATED).await;
    assert_eq!(text(&whole, "/status"), "approved");
    asked.site.test.work();
    let reader = asked.site.client("lead").await;
    until_true("it is made", async || reader.json(&asked.address).await["status"] == "succeeded").await;
}

#[tokio::test]
async fn whoever_counts_for_both_makes_room_for_whoever_counts_for_one() {
    let asked = Asked::with(&also("an-admin-too", r#"@approval("admin")"#)).await;
    asked.site.grant("both", Role::Lead, Some("payments")).await;
    asked.site.grant("both", Role::Admin, None).await;
    asked.approves("both", StatusCode::CREATED).await;
    // The admin's seat comes first, by the id of its rule.
    assert_eq!(asked.agreed().await, [1, 0]);
    let whole = asked.approves("admin", StatusCode::CREATED).await;
    assert_eq!((text(&whole, "/status"), asked.agreed().await), ("approved", vec![1, 1]));
}

#[tokio::test]
async fn an_approval_that_counts_for_nothing_is_refused() {
    let asked = Asked::with(ADMINS_REVIEW).await;
    let refused = asked.approves("admin", StatusCode::CONFLICT).await;
    assert_eq!(text(&refused, "/detail"), "It needs a lead of payments, and your approval would not count for that.");
    assert_eq!(asked.site.number("SELECT count(*) FROM review").await, 0);
}

#[tokio::test]
async fn those_of_a_later_step_are_asked_after_the_others() {
    let asked = Asked::with(&also("admins-at-last", r#"@approval("admin") @approval_step("2")"#)).await;
    let (lead, admin) = (asked.site.client("lead").await, asked.site.client("admin").await);
    let request = lead.json(&asked.address).await;
    let asks = |index: usize| {
        let requirement = &request["decision"]["requirements"][index];
        (text(requirement, "/rule_id").to_owned(), requirement["step"].as_i64().unwrap())
    };
    assert_eq!(asks(0), ("leads-approve-outside-dev-and-test".to_owned(), 1));
    assert_eq!(asks(1), ("admins-at-last".to_owned(), 2));
    assert!(text(&request, "/decision/sentence").contains("of payments, then by an admin"), "{request:#}");

    assert_eq!((asked.listed_for(&lead).await, asked.listed_for(&admin).await), (1, 0));
    let early = asked.approves("admin", StatusCode::CONFLICT).await;
    assert_eq!(text(&early, "/detail"), "It is not your turn yet: first it needs a lead of payments.");
    assert_eq!(asked.site.number("SELECT count(*) FROM review").await, 0);

    let half = asked.approves("lead", StatusCode::CREATED).await;
    assert_eq!(text(&half, "/status"), "awaiting_approval");
    asked.site.grant("second", Role::Lead, Some("payments")).await;
    let second = asked.site.client("second").await;
    assert_eq!((asked.listed_for(&second).await, asked.listed_for(&admin).await), (0, 1));
    let whole = asked.approves("admin", StatusCode::CREATED).await;
    assert_eq!(text(&whole, "/status"), "approved");
}

#[tokio::test]
async fn one_rejection_ends_it_whosever_turn_it_is() {
    let asked = Asked::with(&also("admins-at-last", r#"@approval("admin") @approval_step("2")"#)).await;
    let no = json!({"verdict": "rejected", "reason": "Too large"});
    let admin = asked.site.client("admin").await;
    let after = admin.post(&asked.reviews, &no).await.expect(StatusCode::CREATED);
    assert_eq!(text(&after, "/status"), "rejected");
}

#[tokio::test]
async fn another_order_than_was_asked_for_asks_again() {
    let asked = Asked::with("").await;
    asked.approves("lead", StatusCode::CREATED).await;
    asked.site.sql("UPDATE approval_requirement SET step = 2").await;
    asked.site.test.work();
    let reader = asked.site.client("lead").await;
    until_true("it asks again", async || reader.json(&asked.address).await["status"] == "awaiting_approval").await;
    until_true("whoever was asked is asked", async || asked.listed_for(&reader).await == 1).await;
}

#[tokio::test]
async fn the_verdict_says_when_there_are_not_enough_people() {
    let asked = Asked::with(&also("a-second-lead", r#"@approval("lead")"#)).await;
    let developer = asked.site.client("developer").await;
    let draft = create("prod", "billing");
    let verdict = async || developer.post("/api/v1/verdicts", &draft).await.expect(StatusCode::OK);
    let leads = "SELECT count(DISTINCT person_id) FROM role_binding WHERE role = 'lead'";
    assert_eq!(asked.site.number(leads).await, 1, "each rule finds a lead, and both find the same");
    assert_eq!(verdict().await["can_be_approved"], false);
    let browser = asked.site.browser("developer").await;
    let form = "/catalog/postgres-database/request?project=payments&environment_type=prod&name=billing";
    let few = browser.get(form).await.text;
    assert!(few.contains("nobody who could is left at the moment"), "{few}");
    asked.site.grant("second", Role::Lead, Some("payments")).await;
    assert_eq!(verdict().await["can_be_approved"], true);
    let enough = browser.get(form).await.text;
    assert!(enough.contains("a lead of payments: different people."), "{enough}");
}
