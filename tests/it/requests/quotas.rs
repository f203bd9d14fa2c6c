//! Quotas: every scope is asked at once, the ledger follows what environments become, and no interleaving
//! admits more than there is.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::StatusCode;
use futures_util::future::join_all;
use paddock::app::App;
use paddock::base::id::EnvironmentId;
use paddock::base::{Actor, Origin};
use paddock::environments::{LINE, State};
use paddock::policy::PolicyEngine;
use paddock::projects;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::text;
use crate::matrix::fleet::Recipe;
use crate::matrix::world::long;
use crate::support::app::TestApp;
use crate::support::catalog::add_template;
use crate::support::http::{Client, Site, send};
use crate::support::program::Program;
use crate::support::wait::until_true;

const MANIFEST: &str = "name: Boxes
provider: simulated
config: {objects: [server], latency_ms: 0, timeout_ms: 2000}
quotas:
  vcpu: \"inputs.size == 'large' ? 8 : 2\"
  memory_gib: inputs.memory * 2
inputs:
  type: object
  properties:
    size: {type: string, enum: [small, large], default: small}
    memory: {type: integer, default: 2}
actions:
  start: {run: 'on'}
  stop: {run: 'off'}
";

pub(super) async fn site() -> Site {
    let site = Site::start().await;
    add_template(&site.test, "boxes", &[("paddock.yaml", MANIFEST)]).await;
    site
}

pub(super) fn boxes(environment_type: &str, name: &str, size: &str) -> Value {
    json!({"operation": "create", "project": "payments", "environment_type": environment_type, "template": "boxes",
           "name": name, "inputs": {"size": size}})
}

async fn add(admin: &Client, scope: &str, of: &str, dimension: &str, limit: i64) -> Value {
    let body = json!({"scope": scope, "of": of, "dimension": dimension, "limit": limit});
    admin.post("/api/v1/quotas", &body).await.expect(StatusCode::CREATED)
}

pub(super) async fn ask(client: &Client, body: &Value) -> Value {
    client.post("/api/v1/requests", body).await.expect(StatusCode::CREATED)
}

/// An environment that is ready.
pub(super) async fn ready(site: &Site, client: &Client, name: &str, size: &str) -> EnvironmentId {
    let made = ask(client, &boxes("dev", name, size)).await;
    let id: EnvironmentId = text(&made, "/environment/id").parse().unwrap();
    site.test.until_state(id, State::Ready).await;
    id
}

/// Asks for an operation and waits until its request has ended.
pub(super) async fn done(client: &Client, body: &Value) -> Value {
    let asked = ask(client, body).await;
    let address = format!("/api/v1/requests/{}", text(&asked, "/id"));
    until_true("the request ends", async || !client.json(&address).await["finished_at"].is_null()).await;
    client.json(&address).await
}

/// Reserved, used and stopped by the ledger itself.
pub(super) async fn held(site: &Site, dimension: &str) -> (i64, i64, i64) {
    let sum = |part: &str| format!("SELECT coalesce(sum({part}), 0) FROM quota_entry WHERE dimension = '{dimension}'");
    (site.number(&sum("reserved")).await, site.number(&sum("used")).await, site.number(&sum("stopped")).await)
}

/// Whether entries, holdings and counters agree.
pub(super) async fn adds_up(site: &Site) {
    let found = projects::ledger_discrepancies(&mut site.test.app.db.acquire().await.unwrap()).await.unwrap();
    assert_eq!(found, Vec::<String>::new());
}

/// Whether nothing is taken any more.
pub(super) async fn is_empty(site: &Site) {
    adds_up(site).await;
    for table in ["quota_entry", "quota_holding", "quota_counter"] {
        for part in ["reserved", "used", "stopped"] {
            assert_eq!(
                site.number(&format!("SELECT coalesce(sum({part}), 0) FROM {table}")).await,
                0,
                "{table} {part}"
            );
        }
    }
}

#[tokio::test]
async fn every_scope_is_asked_at_once_and_what_is_full_is_told() {
    let site = site().await;
    let (admin, developer) = (site.client("admin").await, site.client("developer").await);
    site.sql(
        "INSERT INTO team (id, slug, name) VALUES (gen_random_uuid(), 'ledger', 'Ledger');
         INSERT INTO team_member SELECT t.id, p.id, 'local' FROM team t, person p WHERE p.login = 'developer';
         INSERT INTO role_binding (id, role, team_id, project_id)
         SELECT gen_random_uuid(), 'developer', t.id, p.id FROM team t, project p WHERE p.slug = 'payments'",
    )
    .await;
    for (scope, of, limit) in [
        ("organisation", "", 100),
        ("environment_type", "dev", 90),
        ("project", "payments", 80),
        ("project_environment_type", "payments/dev", 10),
        ("team", "", 70),
        ("user", "", 12),
    ] {
        add(&admin, scope, of, "vcpu", limit).await;
    }
    let verdict = developer.post("/api/v1/verdicts", &boxes("dev", "one", "large")).await.expect(StatusCode::OK);
    let vcpu: Vec<&Value> =
        verdict["quotas"].as_array().unwrap().iter().filter(|one| one["dimension"] == "vcpu").collect();
    assert_eq!(vcpu.len(), 6, "{verdict:#}");
    assert!(vcpu.iter().all(|one| (one["before"].clone(), one["after"].clone()) == (json!(0), json!(8))), "{vcpu:#?}");
    assert_eq!(text(&ask(&developer, &boxes("dev", "one", "large")).await, "/status"), "approved");

    let refused = ask(&developer, &boxes("dev", "two", "large")).await;
    assert_eq!(text(&refused, "/status"), "denied", "{refused:#}");
    let rules = refused["decision"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 2, "both that are full are told: {rules:#?}");
    let said: Vec<&str> = rules.iter().map(|rule| text(rule, "/reason")).collect();
    assert!(said.iter().any(|one| one.contains("The quota of 10 vcpu in payments dev is used up")), "{said:?}");
    assert!(
        said.iter().any(|one| one.contains("The quota of 12 vcpu in everything that developer owns is used up")),
        "{said:?}"
    );
    let instead = refused["decision"]["would_be_allowed"].to_string();
    assert!(instead.contains("one in payments (yours, 8)"), "{instead}");
    let verdict = developer.post("/api/v1/verdicts", &boxes("dev", "two", "large")).await.expect(StatusCode::OK);
    assert_eq!((verdict["can_submit"].clone(), verdict["shortages"].as_array().unwrap().len()), (json!(false), 2));

    // None of it was taken, also where there was room; what fits still gets in.
    for quota in admin.json("/api/v1/quotas").await["items"].as_array().unwrap() {
        if quota["dimension"] == "vcpu" {
            assert_eq!((&quota["reserved"], &quota["used"]), (&json!(8), &json!(0)), "{quota:#}");
        }
    }
    assert_eq!(text(&ask(&developer, &boxes("dev", "two", "small")).await, "/status"), "approved");
    adds_up(&site).await;
}

#[tokio::test]
async fn the_names_of_others_are_told_only_to_those_who_may_see_them() {
    let site = site().await;
    site.grant("elsewhere", paddock::policy::Role::Developer, Some("storefront")).await;
    let (admin, developer) = (site.client("admin").await, site.client("developer").await);
    let stranger = site.client("elsewhere").await;
    add(&admin, "organisation", "", "vcpu", 9).await;
    ask(&developer, &boxes("dev", "secret-plan", "large")).await;
    let mut body = boxes("dev", "mine", "large");
    body["project"] = json!("storefront");
    let refused = ask(&stranger, &body).await.to_string();
    assert!(refused.contains("others that you may not see (8)") && !refused.contains("secret-plan"), "{refused}");
    // Also of the same project, whoever sees nothing but another environment type of it.
    site.person("tester").await;
    let part = json!({"who": "tester", "role": "developer", "project": "payments", "environment_type": "test"});
    admin.post("/api/v1/roles", &part).await.expect(StatusCode::CREATED);
    let refused = ask(&site.client("tester").await, &boxes("test", "mine", "large")).await.to_string();
    assert!(refused.contains("others that you may not see (8)") && !refused.contains("secret-plan"), "{refused}");
    let seen = ask(&site.client("lead").await, &boxes("dev", "more", "large")).await.to_string();
    assert!(seen.contains("secret-plan in payments (8)"), "{seen}");
}

#[tokio::test]
async fn the_ledger_follows_what_an_environment_becomes() {
    let site = site().await;
    let (admin, developer) = (site.client("admin").await, site.client("developer").await);
    let quota = add(&admin, "project_environment_type", "payments/dev", "vcpu", 10).await;
    let address = format!("/api/v1/quotas/{}", text(&quota, "/id"));
    site.test.work();
    let id = ready(&site, &developer, "one", "small").await;
    assert_eq!((held(&site, "vcpu").await, held(&site, "memory_gib").await), ((0, 2, 0), (0, 4, 0)));

    // Growth is asked for before, and what is not needed any more is given back afterwards.
    let update = |size: &str| json!({"operation": "update", "environment": id, "inputs": {"size": size}});
    assert_eq!(text(&done(&developer, &update("large")).await, "/status"), "succeeded");
    assert_eq!(held(&site, "vcpu").await, (0, 8, 0));
    let second = ready(&site, &developer, "two", "small").await;
    let grown = json!({"operation": "update", "environment": second, "inputs": {"size": "large"}});
    assert_eq!(text(&ask(&developer, &grown).await, "/status"), "denied");
    assert_eq!(text(&done(&developer, &update("small")).await, "/status"), "succeeded");
    assert_eq!(held(&site, "vcpu").await, (0, 4, 0));

    // Below what is taken: nothing is touched, nothing more gets in, and less is always possible.
    let lowered = send(developer_patch(&admin, &address, &json!({"limit": 1}))).await.expect(StatusCode::OK);
    assert_eq!((&lowered["limit"], &lowered["used"]), (&json!(1), &json!(4)));
    assert_eq!(text(&ask(&developer, &boxes("dev", "three", "small")).await, "/status"), "denied");
    let kept = json!({"operation": "update", "environment": id, "inputs": {"memory": 3}});
    assert_eq!(text(&done(&developer, &kept).await, "/status"), "succeeded", "it takes no more of what is full");

    // What is stopped does not count where the quota says so, and a start asks for it again.
    let body = json!({"limit": 4, "count_stopped": false});
    send(developer_patch(&admin, &address, &body)).await.expect(StatusCode::OK);
    let power = |operation: &str| json!({"operation": operation, "environment": id});
    assert_eq!(text(&done(&developer, &power("stop")).await, "/status"), "succeeded");
    assert_eq!(held(&site, "vcpu").await, (0, 2, 2));
    let third = ready(&site, &developer, "three", "small").await;
    let verdict = developer.post("/api/v1/verdicts", &power("start")).await.expect(StatusCode::OK);
    assert_eq!(verdict["can_submit"], json!(false), "{verdict:#}");
    let refused = ask(&developer, &power("start")).await;
    assert_eq!((text(&refused, "/status"), text(&refused, "/decision/rules/0/id")), ("denied", "quota"));
    adds_up(&site).await;

    for id in [second, third] {
        let gone = json!({"operation": "delete", "environment": id});
        assert_eq!(text(&done(&developer, &gone).await, "/status"), "succeeded");
    }
    assert_eq!(text(&done(&developer, &power("start")).await, "/status"), "succeeded");
    assert_eq!(held(&site, "vcpu").await, (0, 2, 0));
    done(&developer, &json!({"operation": "delete", "environment": id})).await;
    is_empty(&site).await;
    assert!(site.number("SELECT count(*) FROM quota_entry WHERE request_id IS NULL").await == 0);
}

pub(super) fn developer_patch(client: &Client, address: &str, body: &Value) -> reqwest::RequestBuilder {
    client.request(Method::PATCH, address).json(body)
}

#[tokio::test]
async fn what_is_not_carried_out_is_given_back() {
    let site = site().await;
    let (developer, lead) = (site.client("developer").await, site.client("lead").await);
    site.test.work();
    let made = ask(&developer, &boxes("prod", "one", "small")).await;
    let address = format!("/api/v1/requests/{}", text(&made, "/id"));
    let planned = async |address: &str| {
        until_true("the plan is made", async || !developer.json(address).await["approval_digest"].is_null()).await;
    };
    planned(&address).await;
    let approved = json!({"verdict": "approved", "reason": "yes"});
    lead.post(&format!("{address}/reviews"), &approved).await.expect(StatusCode::CREATED);
    let id: EnvironmentId = text(&made, "/environment/id").parse().unwrap();
    site.test.until_state(id, State::Ready).await;
    let update = json!({"operation": "update", "environment": id, "inputs": {"size": "large"}});
    for end in ["withdraw", "reviews"] {
        let waits = ask(&developer, &update).await;
        assert_eq!(text(&waits, "/status"), "awaiting_approval", "{waits:#}");
        assert_eq!(held(&site, "vcpu").await, (6, 2, 0));
        let address = format!("/api/v1/requests/{}/{end}", text(&waits, "/id"));
        if end == "withdraw" {
            developer.post_nothing(&address).await.expect(StatusCode::OK);
        } else {
            let rejected = json!({"verdict": "rejected", "reason": "no"});
            lead.post(&address, &rejected).await.expect(StatusCode::CREATED);
        }
        assert_eq!(held(&site, "vcpu").await, (0, 2, 0), "{end}");
    }
    adds_up(&site).await;
}

#[tokio::test]
async fn a_create_that_left_nothing_holds_nothing_and_asks_again_when_it_is_retried() {
    let site = site().await;
    let (admin, developer) = (site.client("admin").await, site.client("developer").await);
    add(&admin, "project", "payments", "vcpu", 8).await;
    let made = ask(&developer, &boxes("dev", "one", "large")).await;
    let id: EnvironmentId = text(&made, "/environment/id").parse().unwrap();
    // Another process whose policy does not want it any more: its guard stops the run.
    let forbids = TestApp::policies_and("@id(\"no\") @reason(\"Not now.\") forbid (principal, action, resource);");
    paddock::app::start_worker(&site.test.with_policies(forbids), crate::support::app::worker_settings("forbids"));
    until_true("the run is stopped", async || site.test.environment(id).await.state == State::Failed).await;
    assert_eq!(held(&site, "vcpu").await, (0, 0, 0));
    adds_up(&site).await;
    assert_eq!(text(&ask(&developer, &boxes("prod", "two", "large")).await, "/status"), "awaiting_approval");
    let run = text(&developer.json(&format!("/api/v1/requests/{}", text(&made, "/id"))).await, "/run/id").to_owned();
    let refused = developer.post_nothing(&format!("/api/v1/runs/{run}/retry")).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{}", refused.text);
    assert!(refused.text.contains("quota of 8 vcpu of payments is used up"), "{}", refused.text);
}

#[tokio::test]
async fn one_of_their_own_stands_before_the_one_for_each() {
    let site = site().await;
    let (admin, developer) = (site.client("admin").await, site.client("developer").await);
    let each = add(&admin, "user", "", "vcpu", 2).await;
    assert_eq!(text(&ask(&developer, &boxes("dev", "one", "small")).await, "/status"), "approved");
    assert_eq!(text(&ask(&developer, &boxes("dev", "two", "small")).await, "/status"), "denied");
    let own = add(&admin, "user", "developer", "vcpu", 4).await;
    assert_eq!(own["reserved"], json!(2), "what is there counts from the beginning: {own:#}");
    let address = format!("/api/v1/quotas/{}", text(&each, "/id"));
    assert_eq!(admin.json(&address).await["fullest"], Value::Null, "it holds nobody any more");
    assert_eq!(text(&ask(&developer, &boxes("dev", "two", "small")).await, "/status"), "approved");
    assert_eq!(text(&ask(&developer, &boxes("dev", "three", "small")).await, "/status"), "denied");
    let gone = send(admin.request(Method::DELETE, &format!("/api/v1/quotas/{}", text(&own, "/id")))).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    let now = admin.json(&address).await;
    assert_eq!((&now["fullest"], &now["reserved"]), (&json!("developer"), &json!(4)));

    // Handed over, it counts for who has it.
    let environment = site.number("SELECT 1 FROM environment WHERE name = 'one'").await;
    assert_eq!(environment, 1);
    let listed = developer.json("/api/v1/environments").await;
    let one = listed["items"].as_array().unwrap().iter().find(|one| one["name"] == "one").unwrap().clone();
    let address = format!("/api/v1/environments/{}/hand-over", text(&one, "/id"));
    admin.post(&address, &json!({"to": "lead", "reason": "Holidays"})).await.expect(StatusCode::OK);
    let of = |login: &str| {
        format!(
            "SELECT coalesce(sum(c.reserved), 0) FROM quota_counter c JOIN person p ON p.id = c.subject
             WHERE p.login = '{login}'"
        )
    };
    assert_eq!((site.number(&of("developer")).await, site.number(&of("lead")).await), (2, 2));
    adds_up(&site).await;
}

#[tokio::test]
async fn an_amount_that_is_none_is_told_before_anything_is_stored() {
    let site = site().await;
    let developer = site.client("developer").await;
    let mut body = boxes("dev", "one", "small");
    body["inputs"]["memory"] = json!(-1);
    let refused = developer.post("/api/v1/requests", &body).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("does not say how much memory_gib this takes: -2 is negative"), "{}", refused.text);
    let verdict = developer.post("/api/v1/verdicts", &body).await.expect(StatusCode::OK);
    assert_eq!(verdict["can_submit"], json!(false));
    assert_eq!(site.number("SELECT count(*) FROM request").await, 0);
}

/// A `serve` process of its own on the database of the site.
pub(super) fn serve(site: &Site) -> Program {
    let folder = site.test.folder.path();
    let recipe = Recipe {
        url: site.test.database.url(),
        data: folder.join("data"),
        made: folder.join("made"),
        log: folder.join("failpoints.log"),
        policies: None,
        public_url: "http://127.0.0.1:8400".to_owned(),
        arms: String::new(),
        connections: 8,
    };
    let mut command = recipe.command("serve");
    command.args(["--listen", "127.0.0.1:0"]);
    Program::start(command)
}

pub(super) fn address(server: &mut Program) -> SocketAddr {
    let line = server.wait_for("Paddock is ready: ");
    line.trim_end_matches('/').rsplit('/').next().unwrap().parse().unwrap()
}

/// A site with little room, and quotas of four kinds.
async fn little_room(when_full: &str) -> Site {
    let site = site().await;
    let admin = site.client("admin").await;
    let raise = "UPDATE quota SET maximum = 30 WHERE dimension = 'environments'";
    site.sql(raise).await;
    for (scope, of, dimension, limit) in [
        ("organisation", "", "vcpu", 60),
        ("project", "payments", "vcpu", 40),
        ("user", "", "vcpu", 34),
        ("project_environment_type", "payments/prod", "memory_gib", 60),
    ] {
        add(&admin, scope, of, dimension, limit).await;
    }
    site.sql(&format!("UPDATE quota SET when_full = '{when_full}'")).await;
    site
}

/// How much of each quota is taken beyond what it lets.
async fn beyond(site: &Site) -> i64 {
    let over = "SELECT count(*) FROM quota q JOIN quota_counter c ON c.quota_id = q.id
                WHERE c.reserved + c.used + c.stopped > q.maximum";
    site.number(over).await
}

/// A connection that was cut in the middle is given up by the server a moment later.
async fn calm(site: &Site) {
    until_true("nothing is under way", async || {
        let busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                    AND state LIKE 'idle in transaction%'";
        site.number(busy).await == 0
    })
    .await;
}

/// Takes back everything that waits for approval. Returns how much that was.
async fn take_back(site: &Site, clients: &[Client; 2]) -> usize {
    let waiting: Vec<(uuid::Uuid, String)> = sqlx::query_as(
        "SELECT r.id, p.login FROM request r JOIN person p ON p.id = r.requester_id WHERE r.status = 'awaiting_approval'",
    )
    .fetch_all(site.test.app.db.pool())
    .await
    .unwrap();
    for (id, login) in &waiting {
        let client = if login == "lead" { &clients[1] } else { &clients[0] };
        let id = paddock::base::id::RequestId(*id);
        client.post_nothing(&format!("/api/v1/requests/{id}/withdraw")).await.expect(StatusCode::OK);
    }
    waiting.len()
}

/// Many submits at once over two `serve` processes on one database; some of the callers go away in the middle, some
/// take back what they asked for.
async fn rush(
    (clients, second): (&[Client; 2], &[Client; 2]),
    random: &mut rand::rngs::StdRng,
    round: usize,
    many: usize,
) {
    let mut work = Vec::new();
    for number in 0..many {
        let (who, where_, aborts) = (number % 2, random.random_range(0..2), random.random_range(0..10) < 2);
        let client = if where_ == 0 { clients[who].clone() } else { second[who].clone() };
        let size = if random.random_range(0..3) == 0 { "large" } else { "small" };
        let body = boxes("prod", &format!("box-{round}-{number}"), size);
        let (patience, regrets) = (random.random_range(1..200), random.random_range(0..4) == 0);
        work.push(async move {
            let asks = client.post("/api/v1/requests", &body);
            let patience = if aborts { Duration::from_millis(patience) } else { Duration::from_secs(60) };
            let Ok(answer) = tokio::time::timeout(patience, asks).await else { return };
            let request = answer.expect(StatusCode::CREATED);
            if regrets && matches!(text(&request, "/status"), "awaiting_approval" | "awaiting_quota") {
                let take_back = format!("/api/v1/requests/{}/withdraw", text(&request, "/id"));
                client.post_nothing(&take_back).await.expect(StatusCode::OK);
            }
        });
    }
    join_all(work).await;
}

/// What is admitted, by what was asked for.
const ADMITTED: &str =
    "SELECT coalesce(sum(CASE WHEN e.inputs->>'size' = 'large' THEN 8 ELSE 2 END), 0) FROM environment e
    WHERE e.state <> 'deleted' AND NOT EXISTS (
        SELECT FROM request r WHERE r.environment_id = e.id AND r.status = 'awaiting_quota')";

/// 200 submits at once, in rounds (100 in the long mode). Never is more admitted than there is, and in the end
/// nothing is left in the ledger.
#[tokio::test]
async fn no_interleaving_admits_more_than_the_quota() {
    let site = little_room("deny").await;
    // Demo people have no tokens outside of the demo.
    site.sql("UPDATE person SET demo = false").await;
    let mut servers = [serve(&site), serve(&site)];
    let [first, second] = servers.each_mut().map(address);
    let people = [site.client("developer").await, site.client("lead").await];
    let (clients, second) = (people.each_ref().map(|who| who.at(first)), people.each_ref().map(|who| who.at(second)));
    let mut random = rand::rngs::StdRng::seed_from_u64(7);
    let rounds = if long() { 100 } else { 3 };
    for round in 0..rounds {
        rush((&clients, &second), &mut random, round, 200).await;
        calm(&site).await;
        adds_up(&site).await;
        assert_eq!(beyond(&site).await, 0, "round {round}");
        let admitted = site.number(ADMITTED).await;
        assert!((1..=40).contains(&admitted), "round {round}: {admitted} admitted");
        assert_eq!(held(&site, "vcpu").await, (admitted, 0, 0), "round {round}");
        take_back(&site, &clients).await;
        is_empty(&site).await;
    }
}

/// Two processes look at the line at once.
async fn look(processes: &[App; 2]) {
    let one = async |app: &App| {
        let op = app.op(Actor::System { part: LINE }, Origin::internal("reconciler"));
        app.requests.admit(&op).await.unwrap();
    };
    tokio::join!(one(&processes[0]), one(&processes[1]));
}

/// The same where quotas let wait, with two more processes that look at the line: the large are let in like the
/// small, never more than there is, until nobody waits any more.
#[tokio::test]
async fn no_interleaving_lets_in_more_than_the_quota() {
    let site = little_room("wait").await;
    site.sql("UPDATE person SET demo = false").await;
    let mut servers = [serve(&site), serve(&site)];
    let [first, second] = servers.each_mut().map(address);
    let people = [site.client("developer").await, site.client("lead").await];
    let (clients, second) = (people.each_ref().map(|who| who.at(first)), people.each_ref().map(|who| who.at(second)));
    let processes = [site.test.app.clone(), site.test.with_policies(PolicyEngine::embedded().unwrap())];
    let mut random = rand::rngs::StdRng::seed_from_u64(8);
    let rounds = if long() { 30 } else { 1 };
    for round in 0..rounds {
        tokio::select! {
            () = rush((&clients, &second), &mut random, round, 60) => {}
            () = async { loop { look(&processes).await } } => {}
        }
        calm(&site).await;
        let waiting = "SELECT count(*) FROM request WHERE status = 'awaiting_quota'";
        assert!(site.number(waiting).await > 0, "round {round}: nobody waits");
        until_true("nobody waits any more", async || {
            look(&processes).await;
            adds_up(&site).await;
            assert_eq!(beyond(&site).await, 0, "round {round}");
            take_back(&site, &clients).await == 0 && site.number(waiting).await == 0
        })
        .await;
        let denied = "SELECT count(*) FROM request WHERE status IN ('denied', 'lapsed')";
        assert_eq!((site.number(denied).await, site.number("SELECT count(*) FROM quota_line").await), (0, 0));
        is_empty(&site).await;
    }
}
