//! Roles that are held in one environment type of a project: they count there, and nowhere else.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use paddock::base::id::{PersonId, ProjectEnvironmentTypeId, ProjectId, RequestId};
use paddock::identity::{self, Access, Source};
use paddock::policy::{Action, Context, Question, Resource, ResourceKind, Role};
use paddock::projects;
use paddock::requests::{Caller, Filter, Mine};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::api::{create, text};
use crate::support::app::TestApp;
use crate::support::http::{Answer, Client, Site};
use crate::support::pages::Browser;

async fn site() -> Site {
    Site::serve(TestApp::start().await).await
}

/// Gives a role in one environment type of payments, as an admin does.
async fn give(site: &Site, who: &str, role: &str, kind: &str) -> Value {
    if !who.starts_with("team:") {
        site.person(who).await;
    }
    let new = json!({"who": who, "role": role, "project": "payments", "environment_type": kind});
    site.client("admin").await.post("/api/v1/roles", &new).await.expect(StatusCode::CREATED)
}

async fn ask(client: &Client, kind: &str, name: &str) -> Value {
    client.post("/api/v1/requests", &create(kind, name)).await.expect(StatusCode::CREATED)
}

/// The names in a list of the API.
async fn names(client: &Client, path: &str, pointer: &str) -> BTreeSet<String> {
    let items = client.json(path).await["items"].as_array().unwrap().clone();
    items.iter().map(|one| text(one, pointer).to_owned()).collect()
}

/// Somebody who is no demo person, signed in.
async fn browser(site: &Site, login: &str) -> Browser {
    let (person, op) = (site.person(login).await, site.test.op(paddock::base::Actor::Operator));
    let password = "a long horse in a short stable";
    identity::set_password(&site.test.app.db, &op, &person, &password.into()).await.unwrap();
    let mut browser = site.test.browser();
    let answer = browser.post("/sign-in", &[("user", login), ("password", password)]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    browser
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Environments in dev and prod of payments, the latter approved, with the paths of both in the API.
async fn both(site: &Site) -> (String, String) {
    let developer = site.client("developer").await;
    let dev = ask(&developer, "dev", "dev-db").await;
    let prod = ask(&developer, "prod", "prod-db").await;
    let path = |request: &Value| format!("/api/v1/environments/{}", text(request, "/environment/id"));
    (path(&dev), path(&prod))
}

#[tokio::test]
async fn who_is_developer_in_dev_alone_asks_in_dev_and_sees_dev() {
    let site = site().await;
    let (dev, prod) = both(&site).await;
    give(&site, "ben", "developer", "dev").await;
    let ben = site.client("ben").await;
    assert_eq!(text(&ask(&ben, "dev", "his").await, "/status"), "approved");
    let refused = ask(&ben, "prod", "hers").await;
    assert_eq!(text(&refused, "/status"), "denied");
    let verdict = ben.post("/api/v1/verdicts", &create("prod", "third")).await.expect(StatusCode::OK);
    assert_eq!(text(&verdict, "/decision/outcome"), "denied");
    assert!(verdict["decision"]["would_be_allowed"].to_string().contains("The same in dev."), "{verdict:#}");

    // He sees the project, and what is in dev of it.
    assert_eq!(names(&ben, "/api/v1/projects", "/slug").await, set(&["payments"]));
    ben.get("/api/v1/projects/payments").await.expect(StatusCode::OK);
    ben.get("/api/v1/projects/storefront").await.expect(StatusCode::FORBIDDEN);
    for path in ["/api/v1/environments", "/api/v1/environments?project=payments"] {
        assert_eq!(names(&ben, path, "/name").await, set(&["dev-db", "his"]), "{path}");
    }
    assert_eq!(names(&ben, "/api/v1/requests", "/name").await, set(&["dev-db", "his", "hers"]));
    ben.get(&dev).await.expect(StatusCode::OK);
    ben.get(&prod).await.expect(StatusCode::FORBIDDEN);
    let developer = site.client("developer").await;
    let all = set(&["dev-db", "his", "prod-db"]);
    assert_eq!(names(&developer, "/api/v1/environments", "/name").await, all);

    // The pages agree with it.
    let mut browser = self::browser(&site, "ben").await;
    for path in ["/environments", "/environments?project=payments", "/search?q=db", "/requests?view=all"] {
        let page = browser.get(path).await;
        page.shows(&["dev-db"]);
        page.hides(&["prod-db"]);
    }
    browser.get("/environments").await.hides(&["value=\"prod\""]);
    browser.get("/requests?view=all&project=payments").await.hides(&["prod-db"]);
    browser.get("/environments.csv").await.hides(&["prod-db"]);
    assert_eq!(browser.get(&prod.replace("/api/v1", "")).await.status, StatusCode::FORBIDDEN);
    browser.get("/catalog").await.shows(&["Developer in dev of payments"]);
    browser.get("/catalog/postgres-database").await.shows(&[
        "payments, dev",
        "payments, prod",
        "No rule lets ben create an environment of the type prod in project payments",
    ]);
    let form = "/catalog/postgres-database/request?project=payments&environment_type=prod";
    assert_eq!(browser.get(form).await.status, StatusCode::OK);
    browser.get("/why?project=payments").await.shows(&["Approve or reject requests of others in dev"]);
    browser.get("/preferences/roles").await.shows(&["Payments, only dev"]);

    let me = ben.json("/api/v1/me").await;
    assert_eq!(me["roles"][0]["scope"], "environment_type");
    assert_eq!((text(&me, "/roles/0/project"), text(&me, "/roles/0/environment_type")), ("payments", "dev"));
    let abilities = &me["abilities"]["projects"][0];
    assert_eq!(abilities["actions"], json!(["read_project"]));
    let types = abilities["environment_types"].as_array().unwrap();
    for one in types {
        let here = one["environment_type"] == "dev";
        assert_eq!(one["operations"]["create"], if here { "allowed" } else { "denied" }, "{one:#}");
        assert_eq!(one["actions"], if here { json!(["read_environment", "read_request"]) } else { json!([]) });
    }
}

#[tokio::test]
async fn costs_are_told_of_his_types_alone() {
    let site = site().await;
    let developer = site.client("developer").await;
    let mut made = Vec::new();
    for (kind, name) in [("dev", "dev-db"), ("test", "test-db")] {
        made.push(ask(&developer, kind, name).await);
    }
    site.test.work();
    for request in &made {
        let path = format!("/api/v1/requests/{}", text(request, "/id"));
        let done = async || developer.json(&path).await["status"] == "succeeded";
        crate::support::wait::until_true("it is made", done).await;
    }
    give(&site, "ben", "developer", "dev").await;
    let kinds = async |login: &str, path: &str| -> BTreeSet<String> {
        let found = site.client(login).await.json(path).await;
        found["environment_types"].as_array().unwrap().iter().map(|one| text(one, "/key").to_owned()).collect()
    };
    for path in ["/api/v1/costs", "/api/v1/costs?project=payments"] {
        assert_eq!(kinds("ben", path).await, set(&["dev"]), "{path}");
        assert_eq!(kinds("developer", path).await, set(&["dev", "test"]), "{path}");
    }
    assert!(kinds("ben", "/api/v1/costs?project=storefront").await.is_empty());
    // The budget is one of the whole project.
    let budget = json!({"amount": "1000", "deny_above": 100});
    site.client("admin").await.put("/api/v1/projects/payments/budget", &budget).await.expect(StatusCode::OK);
    let asked = format!("/api/v1/requests/{}", text(&ask(&developer, "dev", "third").await, "/id"));
    for (login, sees) in [("ben", false), ("developer", true)] {
        let client = site.client(login).await;
        let verdict = client.post("/api/v1/verdicts", &create("dev", "other")).await.expect(StatusCode::OK);
        assert_eq!(verdict["budget"].is_object(), sees, "{login}: {verdict:#}");
        assert_eq!(client.json(&asked).await["budget"].is_object(), sees, "{login}");
    }
    let mut browser = self::browser(&site, "ben").await;
    browser.get("/costs?project=payments").await.hides(&["Budget"]);
    for path in ["/costs?by=environment", "/costs?project=payments"] {
        let page = browser.get(path).await;
        page.shows(&["dev-db"]);
        page.hides(&["test-db"]);
    }
}

#[tokio::test]
async fn who_leads_prod_alone_decides_there_and_nowhere_else() {
    let rules = r#"@id("dev-too") @reason("Dev waits, too.") @approval("lead")
        permit (principal, action == Action::"CreateEnvironment", resource)
        when { resource has environment_type && resource.environment_type == "dev" };"#;
    let site = Site::serve(TestApp::start_with(TestApp::policies_and(rules)).await).await;
    let given = give(&site, "nora", "lead", "prod").await;
    let (nora, developer) = (site.client("nora").await, site.client("developer").await);
    let dev = format!("/api/v1/requests/{}", text(&ask(&developer, "dev", "dev-db").await, "/id"));
    let prod = format!("/api/v1/requests/{}", text(&ask(&developer, "prod", "prod-db").await, "/id"));
    site.test.plan().await;
    let inbox = "/api/v1/requests?to_review=true";
    assert_eq!(names(&nora, inbox, "/name").await, set(&["prod-db"]));
    let mut browser = self::browser(&site, "nora").await;
    let page = browser.get("/approvals").await;
    page.shows(&["prod-db", "Approvals"]);
    page.hides(&["dev-db"]);
    let all = browser.get("/approvals?view=all&project=payments").await;
    all.shows(&["prod-db"]);
    all.hides(&["dev-db"]);
    let page = |path: &str| path.trim_start_matches("/api/v1").to_owned();
    let mut asks = site.test.browser_of("developer").await;
    asks.get(&page(&prod)).await.shows(&["NORA"]);
    asks.get(&page(&dev)).await.hides(&["NORA"]);
    for (kind, by_name) in [("dev", false), ("prod", true)] {
        let verdict = developer.post("/api/v1/verdicts", &create(kind, "other")).await.expect(StatusCode::OK);
        let who = verdict["decision"]["requirements"][0]["approvers"].to_string();
        assert_eq!(who.contains("NORA"), by_name, "{kind}: {who}");
    }

    let yes = json!({"verdict": "approved", "reason": "Fine"});
    let review = async |path: &str| -> Answer { nora.post(&format!("{path}/reviews"), &yes).await };
    review(&dev).await.expect(StatusCode::FORBIDDEN);
    nora.get(&dev).await.expect(StatusCode::FORBIDDEN);
    let whole = review(&prod).await.expect(StatusCode::CREATED);
    assert_eq!(text(&whole, "/status"), "approved");
    // A lead of another type would not have agreed.
    let agreed = async || developer.json(&prod).await["decision"]["requirements"][0]["approvals"].clone();
    for (kind, approvals) in [("dev", 0), ("prod", 1)] {
        site.sql(&format!(
            "UPDATE role_binding SET project_environment_type_id = (
                 SELECT w.id FROM project_environment_type w JOIN environment_type y ON y.id = w.environment_type_id
                 WHERE y.slug = '{kind}' AND w.project_id = role_binding.project_id)
             WHERE project_environment_type_id IS NOT NULL"
        ))
        .await;
        assert_eq!(agreed().await, approvals, "{kind}");
    }
    // Taken away, her approval counts for nothing, and what was approved by it does not begin.
    let role = format!("/api/v1/roles/{}", text(&given, "/id"));
    let admin = site.client("admin").await;
    crate::support::http::send(admin.request(reqwest::Method::DELETE, &role)).await.expect(StatusCode::NO_CONTENT);
    site.test.work();
    let again = async || developer.json(&prod).await["status"] == "awaiting_approval";
    crate::support::wait::until_true("it asks again", again).await;
    assert_eq!(agreed().await, 0);
}

#[tokio::test]
async fn somebody_decides_for_a_lead_of_prod_in_prod_alone() {
    let rules = r#"@id("dev-too") @reason("Dev waits, too.") @approval("lead")
        permit (principal, action == Action::"CreateEnvironment", resource)
        when { resource has environment_type && resource.environment_type == "dev" };"#;
    let site = Site::serve(TestApp::start_with(TestApp::policies_and(rules)).await).await;
    give(&site, "nora", "lead", "prod").await;
    site.person("deputy").await;
    let developer = site.client("developer").await;
    ask(&developer, "dev", "dev-db").await;
    ask(&developer, "prod", "prod-db").await;
    site.test.plan().await;
    let until = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(48)).to_string();
    let new = json!({"to": "deputy", "until": until, "note": "Away"});
    site.client("nora").await.post("/api/v1/me/delegations", &new).await.expect(StatusCode::CREATED);
    let inbox = "/api/v1/requests?to_review=true";
    assert_eq!(names(&site.client("deputy").await, inbox, "/name").await, set(&["prod-db"]));
}

#[tokio::test]
async fn an_environment_changes_hands_within_its_type() {
    let site = site().await;
    let (dev, prod) = both(&site).await;
    give(&site, "ben", "developer", "dev").await;
    let lead = site.client("lead").await;
    let to = json!({"to": "ben", "reason": "He looks after it"});
    lead.post(&format!("{prod}/hand-over"), &to).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    lead.post(&format!("{dev}/hand-over"), &to).await.expect(StatusCode::OK);
    let mut browser = site.test.browser_of("lead").await;
    browser.get(&prod.replace("/api/v1", "")).await.hides(&["BEN"]);
    // He is no owner that is gone.
    assert_eq!(names(&lead, "/api/v1/environments?owner_gone=true", "/name").await, set(&[]));
    site.sql(
        "UPDATE role_binding SET project_environment_type_id = (SELECT w.id FROM project_environment_type w
                  JOIN environment_type y ON y.id = w.environment_type_id JOIN project p ON p.id = w.project_id
                  WHERE y.slug = 'prod' AND p.slug = 'payments') WHERE project_environment_type_id IS NOT NULL",
    )
    .await;
    assert_eq!(names(&lead, "/api/v1/environments?owner_gone=true", "/name").await, set(&["dev-db"]));
}

/// Who holds what where: of four people and a team of two of them.
#[derive(Debug, Clone)]
struct Given {
    /// 0 to 3: a person; 4: the team of the persons 0 and 1.
    holder: usize,
    role: Role,
    /// 0: the platform; 1 and 2: a project; 3 to 8: an environment type of one.
    at: usize,
}

const PEOPLE: [&str; 4] = ["pia", "quin", "rolf", "sara"];
const ROLES: [&str; 4] = ["developer", "lead", "admin", "auditor"];

fn given() -> impl Strategy<Value = Vec<Given>> {
    let one = (0..5_usize, 0..4_usize, 0..9_usize);
    let one = one.prop_map(|(holder, role, at)| Given { holder, role: Role::parse(ROLES[role]).unwrap(), at });
    proptest::collection::vec(one, 0..8)
}

/// An environment type of a project, by what it is called.
struct Place {
    project: ProjectId,
    slug: String,
    id: ProjectEnvironmentTypeId,
    kind: String,
}

async fn places(site: &Site) -> Vec<Place> {
    let mut connection = site.test.app.db.acquire().await.unwrap();
    let mut found = Vec::new();
    for slug in ["payments", "storefront"] {
        let project = projects::find(&mut connection, slug).await.unwrap().unwrap().id;
        for place in projects::environment_types(&mut connection, project).await.unwrap() {
            found.push(Place { project, slug: slug.to_owned(), id: place.id, kind: place.slug });
        }
    }
    assert_eq!(found.len(), 6);
    found
}

/// What must count, said once more and in another way than anywhere in Paddock.
fn oracle(given: &[Given], person: usize, places: &[Place], here: usize) -> BTreeSet<Role> {
    let mine = |one: &&Given| one.holder == person || (one.holder == 4 && person < 2);
    let project = if places[here].slug == "payments" { 1 } else { 2 };
    let counts = |one: &&Given| one.at == 0 || one.at == project || one.at == here + 3;
    given.iter().filter(mine).filter(counts).map(|one| one.role).collect()
}

async fn bind(site: &Site, ids: &[String; 5], places: &[Place], given: &[Given]) {
    let mut sql = "DELETE FROM role_binding WHERE source = 'local' AND given_by = 'generated';".to_owned();
    for one in given {
        let column = if one.holder == 4 { "team_id" } else { "person_id" };
        let (project, place) = match one.at {
            0 => ("NULL".to_owned(), "NULL".to_owned()),
            1 => (format!("'{}'", places[0].project.0), "NULL".to_owned()),
            2 => (format!("'{}'", places[5].project.0), "NULL".to_owned()),
            at => (format!("'{}'", places[at - 3].project.0), format!("'{}'", places[at - 3].id.0)),
        };
        sql += &format!(
            "INSERT INTO role_binding (id, role, {column}, project_id, project_environment_type_id, given_by)
             VALUES (gen_random_uuid(), '{}', '{}', {project}, {place}, 'generated') ON CONFLICT DO NOTHING;",
            one.role, ids[one.holder]
        );
    }
    site.sql(&sql).await;
}

async fn access(site: &Site, id: PersonId) -> Access {
    identity::load_access(&mut site.test.app.db.acquire().await.unwrap(), id).await.unwrap()
}

/// The question about something in this environment type.
fn question(access: &Access, action: Action, place: &Place) -> Question {
    let resource = Resource {
        project: Some(place.slug.clone()),
        environment_type: Some(place.kind.clone()),
        ..Resource::new(ResourceKind::Environment, "")
    };
    Question { action, principal: access.principal(Some(place.project)), resource, context: Context::default() }
}

/// One request waits for a lead in every environment type of both projects.
async fn waiting(site: &Site) -> BTreeMap<RequestId, usize> {
    site.grant("asker", Role::Developer, None).await;
    let asker = site.client("asker").await;
    let mut found = BTreeMap::new();
    for (index, place) in places(site).await.iter().enumerate() {
        let mut draft = create(&place.kind, &format!("db-{index}"));
        draft["project"] = json!(place.slug);
        let request = asker.post("/api/v1/requests", &draft).await.expect(StatusCode::CREATED);
        assert_eq!(text(&request, "/status"), "awaiting_approval");
        found.insert(text(&request, "/id").parse().unwrap(), index);
    }
    site.test.plan().await;
    found
}

#[tokio::test]
async fn whatever_is_given_what_counts_is_what_an_oracle_says() {
    let rules = r#"@id("all-wait") @reason("All wait.") @approval("lead")
        permit (principal, action == Action::"CreateEnvironment", resource);"#;
    let site = Site::serve(TestApp::start_with(TestApp::policies_and(rules)).await).await;
    let (places, waiting) = (places(&site).await, waiting(&site).await);
    let op = site.test.op(paddock::base::Actor::System { part: "test" });
    let mut people = Vec::new();
    for login in PEOPLE {
        people.push(site.person(login).await);
    }
    let mut tx = site.test.app.db.begin().await.unwrap();
    let team = identity::ensure_team(&mut tx, &op, "both", "Both").await.unwrap();
    for person in &people[..2] {
        identity::join_team(&mut tx, &op, &team, person, Source::Local).await.unwrap();
    }
    tx.commit().await.unwrap();
    let id = |index: usize| people[index].id.0.to_string();
    let ids = [id(0), id(1), id(2), id(3), team.id.0.to_string()];
    let mut runner = TestRunner::deterministic();
    for _ in 0..40 {
        let all = given().new_tree(&mut runner).unwrap().current();
        bind(&site, &ids, &places, &all).await;
        for (index, person) in people.iter().enumerate() {
            let access = access(&site, person.id).await;
            what_counts(&site, &access, &places, |here| oracle(&all, index, &places, here)).await;
            let reviews = what_they_review(&site, &access, &waiting).await;
            let leads = |here: &usize| oracle(&all, index, &places, *here).contains(&Role::Lead);
            let expected: BTreeSet<usize> = (0..6).filter(leads).collect();
            assert_eq!(reviews, expected, "{} by {all:?}", person.login);
        }
    }
}

/// By the question to policy, by what is told of access, and by the database.
async fn what_counts(site: &Site, access: &Access, places: &[Place], oracle: impl Fn(usize) -> BTreeSet<Role>) {
    let mut connection = site.test.app.db.acquire().await.unwrap();
    for (here, place) in places.iter().enumerate() {
        let expected = oracle(here);
        for action in Action::ALL.iter().filter(|action| **action != Action::ReadProject) {
            assert_eq!(question(access, *action, place).roles(), expected, "{action} in {}", place.kind);
        }
        assert_eq!(access.roles_in(place.project, Some(place.id)), expected);
        for role in Role::ALL {
            let named = identity::people_with_role(&mut connection, (place.project, place.id), role).await.unwrap();
            assert_eq!(named.iter().any(|one| one.id == access.person.id), expected.contains(&role), "{role}");
        }
    }
}

/// By their inbox, which must be what policy lets them review.
async fn what_they_review(site: &Site, access: &Access, waiting: &BTreeMap<RequestId, usize>) -> BTreeSet<usize> {
    let (app, op) = (&site.test.app, site.test.op_as(access));
    let mut connection = app.db.acquire().await.unwrap();
    let every = app.requests.list(&mut connection, &Filter::default(), None, 50).await.unwrap().items;
    let inbox = Filter { to_review: Some(Mine::of(access)), ..Filter::default() };
    let inbox = app.requests.list(&mut connection, &inbox, None, 50).await.unwrap().items;
    let inbox: BTreeSet<usize> = inbox.iter().map(|request| waiting[&request.id]).collect();
    let may = |request: &&paddock::requests::Request| {
        let question = app.requests.question_about(&op, Caller::Person(access), Action::ReviewRequest, request);
        app.policy.allows(&question)
    };
    let allowed: BTreeSet<usize> = every.iter().filter(may).map(|request| waiting[&request.id]).collect();
    assert_eq!(inbox, allowed, "{}", access.person.login);
    inbox
}
