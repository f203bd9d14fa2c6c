//! Plans before approval: made first by a run that writes nothing, seen by approvers, and applied
//! as approved or not at all.

use axum::http::StatusCode;
use paddock::base::id::EnvironmentId;
use paddock::environments::State;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use crate::api::{create, text};
use crate::support::app::TestApp;
use crate::support::http::{Client, Site};
use crate::support::server::Server;

/// A request in prod, by the developer.
struct Asked {
    site: Site,
    developer: Client,
    lead: Client,
    address: String,
    environment: EnvironmentId,
}

impl Asked {
    async fn of(site: Site, body: &Value) -> Self {
        let (developer, lead) = (site.client("developer").await, site.client("lead").await);
        let made = developer.post("/api/v1/requests", body).await.expect(StatusCode::CREATED);
        assert_eq!(text(&made, "/status"), "awaiting_approval", "{made:#}");
        let address = format!("/api/v1/requests/{}", text(&made, "/id"));
        let environment = text(&made, "/environment/id").parse().unwrap();
        Self { site, developer, lead, address, environment }
    }

    async fn create() -> Self {
        Self::of(Site::start().await, &create("prod", "orders")).await
    }

    async fn now(&self) -> Value {
        self.developer.json(&self.address).await
    }

    async fn approve(&self) -> Value {
        let body = json!({"verdict": "approved", "reason": "Fine"});
        self.lead.post(&format!("{}/reviews", self.address), &body).await.expect(StatusCode::CREATED)
    }

    /// Planned and approved; nobody carries it out yet.
    async fn approved() -> Self {
        let asked = Self::create().await;
        asked.site.test.plan().await;
        assert_eq!(text(&asked.approve().await, "/status"), "approved");
        asked
    }

    async fn until(&self, pointer: &str, value: &str) -> Value {
        let deadline = std::time::Instant::now() + crate::support::wait::PATIENCE;
        loop {
            let now = self.now().await;
            if now.pointer(pointer).and_then(Value::as_str) == Some(value) {
                return now;
            }
            let log = self.site.test.log(self.environment).await;
            assert!(std::time::Instant::now() < deadline, "{pointer} is not {value}: {now:#}\n{log}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// How many databases and roles of the environment are on the server.
    async fn made(&self) -> i64 {
        let id = self.environment.0.simple().to_string();
        let like = format!("%{}", &id[id.len() - 12..]);
        let mut server = PgConnection::connect_with(&Server::get().options("postgres")).await.unwrap();
        let query = "SELECT (SELECT count(*) FROM pg_database WHERE datname LIKE $1)
                          + (SELECT count(*) FROM pg_roles WHERE rolname LIKE $1)";
        sqlx::query_scalar(query).bind(like).fetch_one(&mut server).await.unwrap()
    }

    /// The run met something else than what was approved: nothing is done, and the request asks
    /// again. The same lead approves the new plan, and that is carried out.
    async fn asks_again(&self, why: &str) {
        let now = self.until("/status", "awaiting_approval").await;
        let before = self.site.number("SELECT count(*) FROM run WHERE kind LIKE 'plan.%'").await;
        assert_eq!(before, 2, "another plan is asked for: {now:#}");
        let environment = self.site.test.environment(self.environment).await;
        let error = environment.last_error.clone().unwrap_or_default();
        assert!(error.contains(why), "“{why}” is not in “{error}”");
        assert_eq!(environment.state, State::Failed);
        let log = self.site.test.log(self.environment).await;
        assert!(!log.contains(" apply:") && !log.contains(" destroy:"), "{log}");
        let requirement = &now["decision"]["requirements"][0];
        assert_eq!(requirement["approvals"], 0, "an approval of something else does not count: {now:#}");
    }
}

#[tokio::test]
async fn approvers_see_the_plan_and_nothing_is_made_before_they_agree() {
    let asked = Asked::create().await;
    let id = asked.address.trim_start_matches("/api/v1/requests/").to_owned();
    let now = asked.now().await;
    assert_eq!(
        (text(&now, "/plan/state"), &now["approval_digest"], &now["run"]),
        ("queued", &Value::Null, &Value::Null)
    );
    let early = json!({"verdict": "approved", "reason": "Whatever it is"});
    let refused = asked.lead.post(&format!("{}/reviews", asked.address), &early).await.expect(StatusCode::CONFLICT);
    assert!(text(&refused, "/detail").contains("plan"), "{refused:#}");
    assert_eq!(asked.lead.json("/api/v1/requests?to_review=true").await["items"], json!([]));
    let mut browser = asked.site.test.browser_of("lead").await;
    let page = browser.get(&format!("/approvals/{id}")).await;
    page.shows(&["The plan waits for a worker", "There is no plan to see yet.", "every 2s"]);
    page.hides(&["value=\"approve\""]);

    asked.site.test.plan().await;
    let now = asked.now().await;
    assert_eq!(text(&now, "/plan/state"), "made", "{now:#}");
    let actions: Vec<(&str, &str)> = now["plan"]["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (text(change, "/address"), text(change, "/action")))
        .collect();
    assert_eq!(actions, [("role", "create"), ("database", "create")]);
    assert_eq!(asked.made().await, 0, "planning made something");
    let environment = asked.site.test.environment(asked.environment).await;
    assert_eq!(environment.state, State::Requested);
    assert_eq!(asked.site.number("SELECT count(*) FROM state_version").await, 0);
    let page = browser.get(&format!("/approvals/{id}")).await;
    page.shows(&["2 create", "id=\"plan\"", "login role payments_orders_", "value=\"approve\""]);
    browser.get(&format!("/requests/{id}")).await.shows(&["2 create", "Paddock planned what would be done"]);
    assert_eq!(asked.lead.json("/api/v1/requests?to_review=true").await["items"].as_array().unwrap().len(), 1);
    let told = asked.site.client("auditor").await.json("/api/v1/audit?action=request.planned").await;
    assert_eq!((text(&told, "/items/0/outcome"), &told["items"][0]["detail"]["create"]), ("succeeded", &json!(2)));

    let other = json!({"verdict": "approved", "approval_digest": "00"});
    asked.lead.post(&format!("{}/reviews", asked.address), &other).await.expect(StatusCode::CONFLICT);
    let stale = [("verdict", "approve"), ("reason", ""), ("seen", "00")];
    let stale = browser.post(&format!("/approvals/{id}"), &stale).await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
    stale.shows(&["not what you looked at any more"]);
    assert_eq!(asked.site.number("SELECT count(*) FROM review").await, 0);
    let seen = page.value_of("seen");
    assert_eq!(seen, text(&now, "/approval_digest"));
    let fields = [("verdict", "approve"), ("reason", ""), ("seen", seen.as_str())];
    assert_eq!(browser.post(&format!("/approvals/{id}"), &fields).await.location(), "/approvals");
    asked.site.test.work();
    asked.until("/status", "succeeded").await;
    assert_eq!(asked.made().await, 2);
}

#[tokio::test]
async fn other_inputs_than_approved_are_not_applied() {
    let asked = Asked::approved().await;
    asked.site.sql("UPDATE environment SET inputs = jsonb_set(inputs, '{size}', '\"large\"')").await;
    asked.site.test.work();
    asked.asks_again("the inputs, the template or the target").await;
    // What was asked for is what is planned, approved and made, and nothing else.
    asked.site.test.plan().await;
    asked.approve().await;
    asked.until("/status", "succeeded").await;
    assert_eq!(asked.site.number("SELECT count(DISTINCT request_digest) FROM review").await, 2);
    let ready = asked.site.test.until_state(asked.environment, State::Ready).await;
    assert_eq!(ready.inputs["size"], "small");
    assert_eq!(asked.site.number("SELECT count(*) FROM review").await, 2);
}

#[tokio::test]
async fn another_template_than_approved_is_not_applied() {
    let asked = Asked::approved().await;
    asked
        .site
        .sql(
            "WITH copy AS (
             INSERT INTO template_version (id, template_id, version, number, state, digest, format, manifest,
                 inputs_schema, outputs, provider, provider_config, readme)
             SELECT gen_random_uuid(), v.template_id, 'other', 99, 'draft', sha256('other'), v.format, v.manifest,
                 v.inputs_schema, v.outputs, v.provider, v.provider_config, v.readme
             FROM template_version v JOIN environment e ON e.template_version_id = v.id RETURNING id),
         file AS (INSERT INTO template_file SELECT id, 'new.sh', true, 'x'::bytea FROM copy)
         UPDATE environment SET template_version_id = copy.id FROM copy",
        )
        .await;
    asked.site.test.work();
    asked.asks_again("the inputs, the template or the target").await;
}

#[tokio::test]
async fn another_plan_than_approved_is_not_applied() {
    let asked = Asked::approved().await;
    asked
        .site
        .sql(
            "ALTER TABLE request_plan DISABLE TRIGGER USER; UPDATE request_plan SET plan_digest = sha256('x');
        ALTER TABLE request_plan ENABLE TRIGGER USER",
        )
        .await;
    asked.site.test.work();
    asked.asks_again("the plan is not the one that was approved").await;
    assert_eq!(asked.made().await, 0);
}

#[tokio::test]
async fn a_target_that_moved_on_asks_again() {
    let asked = Asked::approved().await;
    asked.site.test.work();
    asked.until("/status", "succeeded").await;
    let update =
        json!({"operation": "update", "environment": asked.environment.to_string(), "inputs": {"size": "large"}});
    let Asked { site, .. } = asked;
    let asked = Asked::of(site, &update).await;
    asked.site.test.plan().await;
    let planned = asked.now().await;
    assert_eq!(text(&planned, "/plan/changes/0/action"), "change", "{planned:#}");
    let id = asked.environment.0.simple().to_string();
    let name = format!("payments_orders_{}", &id[id.len() - 12..]);
    Server::get().execute(format!("ALTER ROLE {name} CONNECTION LIMIT 3")).await.unwrap();
    asked.approve().await;
    let now = asked.until("/status", "awaiting_approval").await;
    assert_eq!(now["decision"]["requirements"][0]["approvals"], 0);
    asked.site.test.plan().await;
    let again = asked.now().await;
    assert!(text(&again, "/plan/changes/0/summary").contains("connections 3 → "), "{again:#}");
    assert_ne!(again["approval_digest"], planned["approval_digest"]);
    asked.approve().await;
    asked.until("/status", "succeeded").await;
    assert_eq!(asked.site.test.environment(asked.environment).await.inputs["size"], "large");
}

/// The plan of a change to another version needs what that version needs, as its apply will.
#[tokio::test]
async fn a_plan_waits_for_the_labels_of_the_version_that_is_wished_for() {
    let asked = Asked::approved().await;
    asked.site.test.work();
    asked.until("/status", "succeeded").await;
    asked.site.sql("UPDATE template_version SET state = 'deprecated'").await;
    asked
        .site
        .sql(
            "INSERT INTO template_version SELECT (jsonb_populate_record(v, jsonb_build_object('id', gen_random_uuid(),
                 'number', 2, 'version', '2.0.0', 'state', 'published', 'digest', '\\x' || repeat('42', 32),
                 'manifest', v.manifest || '{\"worker_labels\": [\"gpu\"]}'))).*
             FROM template_version AS v JOIN template AS t ON t.id = v.template_id WHERE t.slug = 'postgres-database'",
        )
        .await;
    let update = json!({"operation": "update", "environment": asked.environment.to_string(), "version": "2.0.0",
        "inputs": {"size": "large"}});
    let Asked { site, .. } = asked;
    let asked = Asked::of(site, &update).await;
    let labels = "SELECT count(*) FROM run WHERE kind LIKE 'plan.%' AND state = 'queued' AND labels = '{gpu}'";
    assert_eq!(asked.site.number(labels).await, 1);
}

#[tokio::test]
async fn another_policy_than_that_of_the_approval_asks_again() {
    let asked = Asked::approved().await;
    let policy = TestApp::policies_and(
        "@id(\"two-leads\") @reason(\"Two leads agree.\") @approval(\"lead\") @approval_count(\"2\")
         permit (principal, action == Action::\"CreateEnvironment\", resource)
         when { context.roles.contains(Role::\"developer\") };",
    );
    let other = asked.site.test.with_policies(policy);
    paddock::app::start_worker(&other, crate::support::app::worker_settings("other"));
    asked.asks_again("the policy has changed").await;
    let now = asked.now().await;
    assert_eq!(now["decision"]["requirements"].as_array().unwrap().len(), 2, "asked by the policy of now: {now:#}");
}

#[tokio::test]
async fn what_policy_denies_by_now_is_not_carried_out() {
    let asked = Asked::approved().await;
    let policy = TestApp::policies_and(
        "@id(\"closed\") @reason(\"Nothing is made this week.\")
         forbid (principal, action == Action::\"CreateEnvironment\", resource);",
    );
    let other = asked.site.test.with_policies(policy);
    paddock::app::start_worker(&other, crate::support::app::worker_settings("other"));
    asked.until("/status", "failed").await;
    let error = asked.site.test.environment(asked.environment).await.last_error.unwrap();
    assert!(error.contains("Nothing is made this week."), "{error}");
    assert_eq!(asked.made().await, 0);
}

#[tokio::test]
async fn an_approver_who_lost_the_role_has_not_approved() {
    let asked = Asked::approved().await;
    asked.site.sql("DELETE FROM role_binding WHERE role = 'lead'").await;
    asked.site.test.work();
    asked.asks_again("an approval does not count any more").await;
    assert_eq!(asked.made().await, 0);
}

#[tokio::test]
async fn other_approvers_than_were_asked_ask_again() {
    let asked = Asked::approved().await;
    asked.site.sql("UPDATE approval_requirement SET role = 'developer'").await;
    asked.site.test.work();
    asked.asks_again("who must agree").await;
    let now = asked.now().await;
    assert_eq!(now["decision"]["requirements"][0]["role"], "lead", "{now:#}");
}

#[tokio::test]
async fn a_plan_that_cannot_be_made_says_why_and_is_made_again() {
    let asked = Asked::of(Site::start().await, &create("prod", "orders")).await;
    let forget = "UPDATE target SET settings = '{}', secret = NULL";
    asked.site.sql(&format!("CREATE TABLE kept AS SELECT id, settings, secret FROM target; {forget}")).await;
    asked.site.test.plan().await;
    let now = asked.now().await;
    assert_eq!((text(&now, "/status"), text(&now, "/plan/state")), ("awaiting_approval", "failed"), "{now:#}");
    let error = text(&now, "/plan/error").to_owned();
    assert!(!error.is_empty());
    let id = text(&now, "/id");
    let mut browser = asked.site.test.browser_of("developer").await;
    browser.get(&format!("/requests/{id}")).await.shows(&["The plan could not be made", "Plan again", "Withdraw"]);
    asked
        .lead
        .post(&format!("{}/reviews", asked.address), &json!({"verdict": "approved"}))
        .await
        .expect(StatusCode::CONFLICT);
    let remember = "UPDATE target t SET settings = kept.settings, secret = kept.secret FROM kept WHERE kept.id = t.id";
    asked.site.sql(remember).await;
    let retry = format!("/api/v1/runs/{}/retry", text(&now, "/plan/run/id"));
    asked.site.client("outsider").await.post_nothing(&retry).await.expect(StatusCode::FORBIDDEN);
    asked.developer.post_nothing(&retry).await.expect(StatusCode::CREATED);
    let busy = asked.developer.post_nothing(&retry).await.expect(StatusCode::CONFLICT);
    assert!(text(&busy, "/detail").contains("being made"), "{busy:#}");
    asked.site.test.plan().await;
    assert_eq!(text(&asked.now().await, "/plan/state"), "made");
    asked.developer.post_nothing(&format!("{}/withdraw", asked.address)).await.expect(StatusCode::OK);
    asked.site.test.until_state(asked.environment, State::Deleted).await;
}

#[tokio::test]
async fn a_plan_run_whose_worker_died_goes_on() {
    let asked = Asked::create().await;
    asked
        .site
        .sql("UPDATE run SET state = 'running', attempt = 1, worker = 'dead', lease_until = now() - interval '1 s'")
        .await;
    asked.site.test.plan().await;
    assert_eq!(text(&asked.now().await, "/plan/state"), "made");
    assert_eq!(asked.site.number("SELECT attempt FROM run").await, 2);
    assert_eq!(asked.site.number("SELECT count(*) FROM request_plan").await, 1);
}

#[tokio::test]
async fn what_is_destroyed_stands_in_its_own_block_and_a_withdrawn_plan_is_not_kept() {
    let policy = TestApp::policies_and(
        "@id(\"leads-approve-ends\") @reason(\"A lead agrees to an end.\") @approval(\"lead\")
         permit (principal, action == Action::\"DeleteEnvironment\", resource)
         when { context.roles.contains(Role::\"developer\") };",
    );
    let site = Site::serve(TestApp::start_with(policy).await).await;
    site.test.work();
    let developer = site.client("developer").await;
    let made = developer.post("/api/v1/requests", &create("dev", "orders")).await.expect(StatusCode::CREATED);
    let environment = text(&made, "/environment/id").to_owned();
    site.test.until_state(environment.parse().unwrap(), State::Ready).await;
    let asked = Asked::of(site, &json!({"operation": "delete", "environment": environment})).await;
    asked.site.test.plan().await;
    let now = asked.now().await;
    let id = text(&now, "/id");
    let mut lead = asked.site.test.browser_of("lead").await;
    lead.get(&format!("/approvals/{id}")).await.shows(&[
        "class=\"plan-destroy\"",
        "Destroyed for good, 2 resources",
        "2 destroy",
    ]);
    assert_eq!(asked.made().await, 2);
    asked.approve().await;
    asked.site.test.until_state(asked.environment, State::Deleted).await;
    assert_eq!(asked.made().await, 0);
}

#[tokio::test]
async fn terraform_applies_the_bytes_that_were_approved() {
    let mut body = create("prod", "stack");
    body["template"] = json!("terraform-stack");
    body["inputs"] = json!({"service_name": "checkout"});
    let asked = Asked::of(Site::start().await, &body).await;
    asked.site.test.plan().await;
    let now = asked.now().await;
    assert_eq!(text(&now, "/plan/state"), "made", "{now:#}\n{}", asked.site.test.log(asked.environment).await);
    assert_eq!(asked.site.number("SELECT count(*) FROM state_version").await, 0);
    asked.approve().await;
    asked.site.test.work();
    asked.until("/status", "succeeded").await;
    let log = asked.site.test.log(asked.environment).await;
    let name: String = text(&now, "/plan/digest").chars().take(12).collect();
    assert!(log.contains(&format!("Taking the approved plan {name}")), "{log}");
    assert!(log.contains(&format!("Applying the saved plan {name}")), "{log}");

    // The state moves on between approval and apply: another plan, another approval.
    let update =
        json!({"operation": "update", "environment": asked.environment.to_string(), "inputs": {"replicas": 3}});
    let Asked { site, .. } = asked;
    let asked = Asked::of(site, &update).await;
    asked.site.test.plan().await;
    asked.site.sql("DELETE FROM state_version").await;
    std::fs::remove_dir_all(asked.site.test.folder.path().join("work")).unwrap();
    asked.approve().await;
    let now = asked.until("/status", "awaiting_approval").await;
    assert_eq!(now["decision"]["requirements"][0]["approvals"], 0, "{now:#}");
    let error = asked.site.test.environment(asked.environment).await.last_error.unwrap();
    assert!(error.contains("stale"), "{error}");
}
