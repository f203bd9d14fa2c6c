//! Budgets: what a verdict says a submit meets, nobody gets past one in a crowd, and only admins change them.

use axum::http::{Method, StatusCode};
use futures_util::future::join_all;
use paddock::environments::State;
use paddock::policy::Role;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::accrued::{create, done, site};
use crate::api::text;
use crate::support::app::TestApp;
use crate::support::http::{Client, Site, send};
use crate::support::wait::until_true;

const BUDGET: &str = "/api/v1/projects/payments/budget";

/// A machine costs 1 a second.
async fn priced() -> Site {
    let site = site().await;
    site.sql("INSERT INTO price (item, amount, valid_from, added_by) VALUES ('m.vm', 3600, current_date - 90, 'test')")
        .await;
    site
}

fn machine(name: &str, count: u32) -> Value {
    json!({"operation": "create", "project": "payments", "environment_type": "dev", "template": "machines",
           "name": name, "inputs": {"count": count}})
}

async fn verdict(client: &Client, body: &Value) -> Value {
    client.post("/api/v1/verdicts", body).await.expect(StatusCode::OK)
}

async fn set(admin: &Client, terms: &Value) -> Value {
    admin.put(BUDGET, terms).await.expect(StatusCode::OK)
}

fn amount(value: &Value, pointer: &str) -> Decimal {
    text(value, pointer).parse().unwrap()
}

/// What one machine adds to the month.
async fn one(admin: &Client, developer: &Client) -> Decimal {
    set(admin, &json!({"amount": "1000000000", "deny_above": 100})).await;
    let told = verdict(developer, &machine("probe", 1)).await;
    assert_eq!(told["budget"]["level"], "within", "{told:#}");
    amount(&told, "/budget/adds")
}

#[tokio::test]
async fn a_budget_warns_asks_and_denies_as_the_verdict_says() {
    let site = priced().await;
    let (admin, developer, lead) =
        (site.client("admin").await, site.client("developer").await, site.client("lead").await);
    let one = one(&admin, &developer).await;
    let terms = json!({"amount": one.to_string(), "warn_above": 50, "approve_above": 150, "deny_above": 250});
    set(&admin, &terms).await;
    let mut asked = Vec::new();
    for (name, level, outcome, status) in [
        ("first", "warned", "allowed", "approved"),
        ("second", "needs_approval", "needs_approval", "awaiting_approval"),
        ("third", "denied", "denied", "denied"),
    ] {
        let told = verdict(&developer, &machine(name, 1)).await;
        assert_eq!(
            (&told["budget"]["level"], &told["decision"]["outcome"]),
            (&json!(level), &json!(outcome)),
            "{told:#}"
        );
        assert_eq!(told["can_submit"], outcome != "denied");
        let made = developer.post("/api/v1/requests", &machine(name, 1)).await.expect(StatusCode::CREATED);
        assert_eq!((&made["decision"]["outcome"], &made["status"]), (&json!(outcome), &json!(status)), "{made:#}");
        let kept = developer.json(&format!("/api/v1/requests/{}", text(&made, "/id"))).await;
        assert_eq!(kept["budget"]["level"], level, "{kept:#}");
        asked.push(kept);
    }
    let requirements = asked[1]["decision"]["requirements"].as_array().unwrap();
    assert_eq!(requirements.len(), 1);
    assert!(requirements[0].to_string().contains("a lead of payments"), "{requirements:#?}");
    assert_eq!(asked[2]["decision"]["rules"][0]["id"], "project.budget");
    assert!(text(&asked[2], "/decision/sentence").contains("above 250 % of the budget"), "{:#}", asked[2]);
    // What is asked for and waits is under way; what was denied is not.
    let counted = verdict(&developer, &machine("fourth", 1)).await;
    assert_eq!(counted["budget"]["under_way"], asked[1]["budget"]["adds"]);
    // What adds nothing passes nothing.
    let nothing = verdict(&developer, &machine("empty", 0)).await;
    assert_eq!((&nothing["budget"]["level"], &nothing["can_submit"]), (&json!("within"), &json!(true)), "{nothing:#}");
    // Somebody else agrees, and it is made.
    site.test.plan().await;
    let review = format!("/api/v1/requests/{}/reviews", text(&asked[1], "/id"));
    let agrees = json!({"verdict": "approved", "reason": "Needed."});
    assert_eq!(developer.post(&review, &agrees).await.status, StatusCode::FORBIDDEN);
    let agreed = lead.post(&review, &agrees).await.expect(StatusCode::CREATED);
    assert_eq!(agreed["status"], "approved", "{agreed:#}");
    site.test.work();
    let environment = text(&asked[1], "/environment/id").parse().unwrap();
    site.test.until_state(environment, State::Ready).await;
    // What was told stays, whatever the budget is later.
    set(&admin, &json!({"amount": "1", "warn_above": 1})).await;
    for kept in &asked {
        let now = developer.json(&format!("/api/v1/requests/{}", text(kept, "/id"))).await;
        assert_eq!(now["budget"], kept["budget"]);
    }
    let mut page = site.test.browser_of("developer").await;
    page.get(&format!("/requests/{}", text(&asked[2], "/id"))).await.shows(&["above 250 % of the budget", "So far "]);
}

#[tokio::test]
async fn a_crowd_does_not_get_past_a_budget() {
    let site = priced().await;
    let (admin, developer) = (site.client("admin").await, site.client("developer").await);
    let one = one(&admin, &developer).await;
    set(&admin, &json!({"amount": (one * Decimal::from(7) / Decimal::TWO).round_dp(2).to_string(), "deny_above": 100}))
        .await;
    let bodies: Vec<Value> = (0..12).map(|number| machine(&format!("crowd-{number}"), 1)).collect();
    let answers = join_all(bodies.iter().map(|body| developer.post("/api/v1/requests", body))).await;
    let outcomes: Vec<String> = answers
        .iter()
        .map(|answer| text(&answer.expect(StatusCode::CREATED), "/decision/outcome").to_owned())
        .collect();
    let allowed = outcomes.iter().filter(|outcome| *outcome == "allowed").count();
    assert_eq!(allowed, 3, "{outcomes:?}");
    let over = "SELECT count(*) FROM request_budget b JOIN request r ON r.id = b.request_id WHERE r.status <> 'denied'
                AND (b.told->>'forecast')::numeric + (b.told->>'adds')::numeric > (b.told->'terms'->>'amount')::numeric";
    assert_eq!(site.number(over).await, 0);
}

#[tokio::test]
async fn what_is_there_stays_and_only_what_adds_is_held_back() {
    let site = priced().await;
    let (admin, developer) = (site.client("admin").await, site.client("developer").await);
    site.test.work();
    let id = create(&developer, "payments", "lives", &json!({"count": 2})).await;
    site.test.until_state(id, State::Ready).await;
    set(&admin, &json!({"amount": "0.01", "deny_above": 100})).await;
    let update = |count: u32| json!({"operation": "update", "environment": id, "inputs": {"count": count}});
    let smaller = verdict(&developer, &update(1)).await;
    assert_eq!((&smaller["budget"]["level"], &smaller["can_submit"]), (&json!("within"), &json!(true)), "{smaller:#}");
    assert_eq!(verdict(&developer, &update(3)).await["decision"]["rules"][0]["id"], "project.budget");
    let stop = json!({"operation": "stop", "environment": id});
    assert_eq!(verdict(&developer, &stop).await["budget"], Value::Null);
    done(&developer, &stop).await;
    let start = json!({"operation": "start", "environment": id});
    let told = verdict(&developer, &start).await;
    assert_eq!(
        (&told["decision"]["outcome"], &told["budget"]["level"]),
        (&json!("denied"), &json!("denied")),
        "{told:#}"
    );
    let denied = developer.post("/api/v1/requests", &start).await.expect(StatusCode::CREATED);
    assert_eq!(denied["status"], "denied");
    done(&developer, &json!({"operation": "delete", "environment": id})).await;
}

#[tokio::test]
async fn only_admins_change_a_budget_and_nobody_over_another() {
    let site = priced().await;
    let admin = site.client("admin").await;
    assert_eq!(admin.get(BUDGET).await.status, StatusCode::NOT_FOUND);
    let terms = json!({"amount": "100.50", "warn_above": 80, "deny_above": 100});
    for login in ["lead", "developer", "auditor"] {
        let refused = site.client(login).await.put(BUDGET, &terms).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{login}");
    }
    let tried = "SELECT count(*) FROM audit_record WHERE action = 'budget.changed' AND outcome = 'denied'";
    assert_eq!(site.number(tried).await, 3);
    assert_eq!(
        admin.with_header("if-match", "\"3\"").put(BUDGET, &terms).await.status,
        StatusCode::PRECONDITION_FAILED
    );
    let made = admin.with_header("if-match", "\"0\"").put(BUDGET, &terms).await;
    assert_eq!(made.header("etag"), "\"1\"");
    assert_eq!(made.value()["amount"], "100.50");
    for stale in ["\"0\"", "\"2\""] {
        let refused = admin.with_header("if-match", stale).put(BUDGET, &terms).await;
        assert_eq!(refused.status, StatusCode::PRECONDITION_FAILED, "{stale}");
    }
    assert_eq!(admin.with_header("if-match", "\"1\"").put(BUDGET, &terms).await.header("etag"), "\"2\"");
    for (wrong, pointers) in [
        (json!({"amount": "0", "deny_above": 100}), vec!["/amount"]),
        (json!({"amount": "1.001", "deny_above": 100}), vec!["/amount"]),
        (json!({"amount": "5"}), vec!["/deny_above"]),
        (
            json!({"amount": "5", "warn_above": 90, "approve_above": 90, "deny_above": 1001}),
            vec!["/approve_above", "/deny_above"],
        ),
    ] {
        let refused = admin.put(BUDGET, &wrong).await;
        refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.pointers(), pointers, "{wrong}");
    }
    // Members see it, others do not.
    assert_eq!(site.client("developer").await.json(BUDGET).await["generation"], 2);
    site.grant("stranger", Role::Developer, Some("storefront")).await;
    assert_eq!(site.client("stranger").await.get(BUDGET).await.status, StatusCode::FORBIDDEN);
    let mut page = site.test.browser_of("developer").await;
    let shown = page.get("/costs?project=payments").await;
    shown.shows(&["100.50 EUR", "above 80 % of it"]);
    shown.hides(&["/costs/budget/"]);
    assert_eq!(page.get("/costs/budget/payments").await.status, StatusCode::FORBIDDEN);

    let mut page = site.test.browser_of("admin").await;
    page.get("/costs?project=payments").await.shows(&["/costs/budget/payments"]);
    let form = page.get("/costs/budget/payments").await;
    form.shows(&["value=\"100.50\"", "value=\"80\"", "Remove it"]);
    let generation = form.value_of("generation");
    let mut fields = [
        ("amount", "200,5"),
        ("warn_above", ""),
        ("approve_above", "90"),
        ("deny_above", "many"),
        ("generation", generation.as_str()),
    ];
    let refused = page.post("/costs/budget/payments", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.shows(&["value=\"200,5\"", "such as 2000.00", "whole number"]);
    (fields[0].1, fields[3].1) = ("200", "");
    assert_eq!(page.post("/costs/budget/payments", &fields).await.location(), "/costs?project=payments");
    let stale = page.post("/costs/budget/payments", &fields).await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
    stale.shows(&["Somebody has changed the budget since"]);
    page.get("/costs?project=payments").await.shows(&["200.00 EUR", "above 90 % of it"]);
    assert_eq!(send(admin.request(Method::DELETE, BUDGET)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(admin.get(BUDGET).await.status, StatusCode::NOT_FOUND);
    page.get("/audit?action=budget.removed").await.shows(&["removed the budget of payments"]);
    let changed = "SELECT count(*) FROM audit_record WHERE action = 'budget.changed' AND outcome = 'succeeded'";
    assert_eq!(site.number(changed).await, 3);
}

#[tokio::test]
async fn what_a_budget_asks_for_stays_when_a_request_asks_again() {
    let site = priced().await;
    let (admin, developer, lead) =
        (site.client("admin").await, site.client("developer").await, site.client("lead").await);
    set(&admin, &json!({"amount": "0.01", "approve_above": 100})).await;
    let mut body = machine("again", 1);
    body["environment_type"] = json!("prod");
    let made = developer.post("/api/v1/requests", &body).await.expect(StatusCode::CREATED);
    assert_eq!(
        made["decision"]["requirements"].as_array().unwrap().len(),
        2,
        "of the rule and of the budget: {made:#}"
    );
    site.test.plan().await;
    let address = format!("/api/v1/requests/{}", text(&made, "/id"));
    let agrees = json!({"verdict": "approved", "reason": "Needed."});
    let half = lead.post(&format!("{address}/reviews"), &agrees).await.expect(StatusCode::CREATED);
    assert_eq!(half["status"], "awaiting_approval", "one lead for each: {half:#}");
    site.grant("second", Role::Lead, Some("payments")).await;
    let second = site.client("second").await;
    let agreed = second.post(&format!("{address}/reviews"), &agrees).await.expect(StatusCode::CREATED);
    assert_eq!(agreed["status"], "approved", "{agreed:#}");
    let policy = TestApp::policies_and(
        "@id(\"two-leads\") @reason(\"Two leads agree.\") @approval(\"lead\") @approval_count(\"2\")
         permit (principal, action == Action::\"CreateEnvironment\", resource)
         when { context.roles.contains(Role::\"developer\") };",
    );
    let other = site.test.with_policies(policy);
    paddock::app::start_worker(&other, crate::support::app::worker_settings("other"));
    until_true("it asks again", async || developer.json(&address).await["status"] == "awaiting_approval").await;
    let kept = "SELECT count(*) FROM approval_requirement WHERE rule_id IN ('project.budget', 'two-leads')";
    assert_eq!(site.number(kept).await, 2);
}
