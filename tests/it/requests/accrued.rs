//! What environments have cost: intervals follow their states, sums and export are those of whole numbers, and
//! nobody sees what a project costs that they may not see.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::http::StatusCode;
use jiff::Timestamp;
use paddock::base::csv;
use paddock::base::id::EnvironmentId;
use paddock::cost::Month;
use paddock::environments::{State, costs};
use paddock::projects;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::api::text;
use crate::support::app::TestApp;
use crate::support::catalog::add_template;
use crate::support::http::{Client, Site};
use crate::support::wait::until_true;

const MANIFEST: &str = "name: Machines
provider: simulated
config: {objects: [server], latency_ms: 0, timeout_ms: 2000, scenarios: {broken: [{kind: refuse}]}}
prices:
  - {item: m.vm, quantity: inputs.count, while: running}
  - {item: m.disk, quantity: inputs.disk}
  - {item: m.odd, quantity: inputs.odd}
inputs:
  type: object
  properties:
    count: {type: integer, default: 1}
    disk: {type: integer, default: 0}
    odd: {type: integer, default: 0}
    scenario: {type: string}
actions:
  start: {run: 'on'}
  stop: {run: 'off'}
";

/// What `m.vm` (an hour) and `m.disk` (a month) cost, in millionths, from which day on. `m.odd` has no price.
const PRICES: [(&str, &str, i128); 6] = [
    ("m.vm", "2025-12-01", 41_600),
    ("m.vm", "2026-01-15", 333_333),
    ("m.vm", "2026-02-01", 7),
    ("m.disk", "2025-12-20", 100_003),
    ("m.disk", "2026-01-02", 3_999_999),
    ("m.disk", "2026-02-28", 1),
];

pub(super) async fn site() -> Site {
    let site = Site::start().await;
    add_template(&site.test, "machines", &[("paddock.yaml", MANIFEST)]).await;
    site.sql("UPDATE quota SET maximum = 10000").await;
    let mut sql = "INSERT INTO price_item VALUES ('m.vm', 'Machine', 'hour'), ('m.disk', 'Disk', 'month');".to_owned();
    for (item, day, micro) in PRICES {
        let amount = format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000);
        write!(
            sql,
            "INSERT INTO price (item, amount, valid_from, added_by) VALUES ('{item}', {amount}, '{day}', 'test');"
        )
        .unwrap();
    }
    site.sql(&sql).await;
    site
}

pub(super) async fn create(client: &Client, project: &str, name: &str, inputs: &Value) -> EnvironmentId {
    let body = json!({"operation": "create", "project": project, "environment_type": "dev", "template": "machines",
                      "name": name, "inputs": inputs});
    let made = client.post("/api/v1/requests", &body).await.expect(StatusCode::CREATED);
    text(&made, "/environment/id").parse().unwrap()
}

/// Asks for an operation and waits until its request has ended.
pub(super) async fn done(client: &Client, body: &Value) {
    let asked = client.post("/api/v1/requests", body).await.expect(StatusCode::CREATED);
    let address = format!("/api/v1/requests/{}", text(&asked, "/id"));
    until_true("the request ends", async || !client.json(&address).await["finished_at"].is_null()).await;
}

/// One made up: seconds since 1970.
#[derive(Debug, Clone)]
struct Span {
    environment: usize,
    running: bool,
    count: i128,
    disk: i128,
    from: i64,
    to: i64,
}

fn second(text: &str) -> i64 {
    format!("{text}T00:00:00Z").parse::<Timestamp>().unwrap().as_second()
}

/// What a span costs between two moments, in hundred-millionths: each piece between changes of its price rounded,
/// halves up.
fn oracle(span: &Span, from: i64, to: i64) -> i128 {
    let mut sum = 0;
    for (item, quantity, length) in [("m.vm", span.count, 3_600), ("m.disk", span.disk, 730 * 3_600)] {
        if item == "m.vm" && !span.running {
            continue;
        }
        let prices: Vec<(i64, i128)> =
            PRICES.iter().filter(|one| one.0 == item).map(|one| (second(one.1), one.2)).collect();
        for (index, (begins, micro)) in prices.iter().enumerate() {
            let ends = prices.get(index + 1).map_or(i64::MAX, |next| next.0);
            let seconds = i128::from(span.to.min(to).min(ends) - span.from.max(from).max(*begins));
            if seconds > 0 {
                sum += (2 * micro * 100 * quantity * seconds + length) / (2 * length);
            }
        }
    }
    sum
}

/// Cents, halves up, of hundred-millionths.
fn cents(amount: i128) -> String {
    let cents = (amount + 500_000) / 1_000_000;
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn hundred_millionths(text: &str) -> i128 {
    let (whole, rest) = text.split_once('.').unwrap();
    assert_eq!(rest.len(), 8, "{text}");
    whole.parse::<i128>().unwrap() * 100_000_000 + rest.parse::<i128>().unwrap()
}

fn histories(random: &mut StdRng, environments: usize) -> Vec<Span> {
    let mut spans = Vec::new();
    for environment in 0..environments {
        let mut at = second("2025-11-20") + random.random_range(0..40 * 86_400);
        for _ in 0..random.random_range(1..6) {
            let to = at + random.random_range(1..30 * 86_400);
            spans.push(Span {
                environment,
                running: random.random_bool(0.6),
                count: random.random_range(0..5),
                disk: random.random_range(0..2_000),
                from: at,
                to,
            });
            at = to;
        }
    }
    spans
}

async fn store(site: &Site, ids: &[EnvironmentId], spans: &[Span]) {
    let mut sql = String::new();
    for span in spans {
        let (id, phase) = (ids[span.environment].0, if span.running { "running" } else { "stopped" });
        let inputs = json!({"count": i64::try_from(span.count).unwrap(), "disk": i64::try_from(span.disk).unwrap(),
                            "odd": i64::from(span.environment == 0)});
        write!(
            sql,
            "INSERT INTO environment_interval
                 (environment_id, project_id, phase, template_version_id, inputs, began_at, ended_at)
             SELECT id, project_id, '{phase}', template_version_id, '{inputs}', to_timestamp({}), to_timestamp({})
             FROM environment WHERE id = '{id}';",
            span.from, span.to
        )
        .unwrap();
    }
    site.sql(&sql).await;
}

/// What requests are held against is what the page of costs shows, to the last digit.
async fn totals_agree(site: &Site, month: Month) {
    let mut tx = site.test.app.db.begin().await.unwrap();
    for project in projects::list(&mut tx, None).await.unwrap() {
        let wanted = costs::Wanted { projects: Some(vec![project.id]), parts: Vec::new() };
        let whole = costs::month(&mut tx, month, &wanted).await.unwrap();
        let quick = costs::project_total(&mut tx, project.id, month).await.unwrap();
        let total = whole.total();
        assert_eq!((quick.so_far, quick.forecast), (total.so_far, total.forecast), "{} {month:?}", project.slug);
        assert_eq!(quick.until, whole.until);
    }
}

/// The rows of a file by their columns.
fn rows(file: &str) -> Vec<BTreeMap<String, String>> {
    let mut lines = csv::read(file).unwrap().into_iter().map(|(_, cells)| cells);
    let head = lines.next().unwrap();
    lines.map(|cells| head.iter().cloned().zip(cells).collect()).collect()
}

#[tokio::test]
async fn page_api_and_export_of_generated_histories_are_what_whole_numbers_give() {
    let site = site().await;
    let (admin, auditor) = (site.client("admin").await, site.client("auditor").await);
    let mut pages = site.test.browser_of("auditor").await;
    let developer = site.client("developer").await;
    let mut random = StdRng::seed_from_u64(20_261_123);
    let mut ids = Vec::new();
    for number in 0..12 {
        let project = if number % 3 == 0 { "storefront" } else { "payments" };
        site.grant("developer", paddock::policy::Role::Developer, Some("storefront")).await;
        ids.push(create(&developer, project, &format!("made-{number}"), &json!({})).await);
    }
    let spans = histories(&mut random, ids.len());
    store(&site, &ids, &spans).await;
    for (month, next) in [("2025-12", "2026-01"), ("2026-01", "2026-02"), ("2026-02", "2026-03")] {
        let time = (second(&format!("{month}-01")), second(&format!("{next}-01")));
        let sum = |spans: &mut dyn Iterator<Item = &Span>| spans.map(|span| oracle(span, time.0, time.1)).sum::<i128>();
        let wanted = sum(&mut spans.iter());
        assert!(wanted > 0);
        let told = admin.json(&format!("/api/v1/costs?month={month}")).await;
        assert_eq!(told["total"]["so_far"], cents(wanted), "{month}");
        assert_eq!(told["total"]["forecast"], Value::Null);
        totals_agree(&site, Month::of(format!("{month}-01T00:00:00Z").parse().unwrap())).await;
        for project in ["payments", "storefront"] {
            let of = |span: &&Span| span.environment.is_multiple_of(3) == (project == "storefront");
            let part = told["projects"].as_array().unwrap().iter().find(|part| part["key"] == project).unwrap();
            assert_eq!(part["so_far"], cents(sum(&mut spans.iter().filter(of))), "{month} {project}");
        }
        let of = developer.json(&format!("/api/v1/costs?month={month}&project=payments")).await;
        for part in of["environments"].as_array().unwrap() {
            let index = ids.iter().position(|id| id.to_string() == text(part, "/key")).unwrap();
            let one = sum(&mut spans.iter().filter(|span| span.environment == index));
            assert_eq!(part["so_far"], cents(one), "{month} {part}");
        }
        let pager = pages.get(&format!("/costs?month={month}")).await;
        let (whole, rest) = cents(wanted).split_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert!(whole.len() <= 6, "the page groups thousands once here");
        let grouped = if whole.len() > 3 {
            format!("{},{}", &whole[..whole.len() - 3], &whole[whole.len() - 3..])
        } else {
            whole
        };
        pager.shows(&[&format!("at least {grouped}.{rest} EUR"), "m.odd"]);

        let file = admin.get(&format!("/api/v1/cost-lines?month={month}")).await;
        let lines: Vec<Value> = file.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let exported = pages.get(&format!("/costs.csv?month={month}")).await;
        assert_eq!(exported.header("content-type"), "text/csv; charset=utf-8; header=present");
        let table = rows(&exported.text);
        assert_eq!(table.len(), lines.len());
        let mut billed = 0;
        for (row, line) in table.iter().zip(&lines) {
            for (column, cell) in row {
                let same = match &line[column] {
                    Value::Null => cell.is_empty(),
                    Value::String(text) => text == cell,
                    tags => serde_json::from_str::<Value>(cell).is_ok_and(|cell| cell == *tags),
                };
                assert!(same, "{column}: {row:?} {line}");
            }
            assert_eq!(row["BilledCost"], row["EffectiveCost"]);
            assert_eq!(row["BilledCost"], row["ListCost"]);
            assert_eq!((row["BillingCurrency"].as_str(), row["ChargeCategory"].as_str()), ("EUR", "Usage"));
            assert_eq!(row["BillingPeriodStart"], format!("{month}-01T00:00:00Z"));
            assert_eq!(row["BillingPeriodEnd"], format!("{next}-01T00:00:00Z"));
            assert!(row["ChargePeriodStart"] >= row["BillingPeriodStart"]);
            assert!(row["ChargePeriodEnd"] <= row["BillingPeriodEnd"]);
            if row["BilledCost"].is_empty() {
                assert!(row["ChargeDescription"].ends_with("not priced"), "{row:?}");
                assert!(row["ListUnitPrice"].is_empty());
            } else {
                billed += hundred_millionths(&row["BilledCost"]);
            }
        }
        assert_eq!(billed, wanted, "{month}: to the last digit");
        assert!(table.iter().any(|row| row["SkuId"] == "m.odd"), "what is not priced stands in the file");
    }
    auditor.get("/api/v1/costs?month=2026-13").await.expect(StatusCode::BAD_REQUEST);
    assert_eq!(auditor.json("/api/v1/costs?month=2020-01").await["total"]["so_far"], "0.00");
    assert_eq!(auditor.json("/api/v1/costs?month=2200-01").await["total"]["so_far"], "0.00");
}

#[tokio::test]
async fn the_rest_of_the_month_is_told_until_the_end_of_life() {
    let site = site().await;
    let (admin, developer) = (site.client("admin").await, site.client("developer").await);
    site.sql("INSERT INTO price (item, amount, valid_from, added_by) VALUES ('m.vm', 3600, current_date - 90, 'test')")
        .await;
    let id = create(&developer, "payments", "lives", &json!({"count": 2})).await;
    // What is being made counts as if it ran from now on; the demo's usual lifetime ends after the month, or before.
    let making = admin.json("/api/v1/costs").await;
    let until: Timestamp = text(&making, "/until").parse().unwrap();
    let end = Month::of(until).end();
    let life = site.number("SELECT lifetime_seconds FROM environment").await;
    let rest = |until: Timestamp, life: i64| (end.as_second() - until.as_second()).min(life) * 2;
    assert_eq!(making["total"]["so_far"], "0.00");
    totals_agree(&site, Month::of(until)).await;
    assert_eq!(making["total"]["forecast"], format!("{}.00", rest(until, life)));
    site.test.work();
    site.test.until_state(id, State::Ready).await;
    site.sql("UPDATE environment SET expires_at = date_trunc('second', now()) + interval '100 seconds'").await;
    let ends = site.number("SELECT extract(epoch FROM expires_at) FROM environment").await;
    let began = site.number("SELECT extract(epoch FROM began_at) FROM environment_interval").await;
    let told = admin.json("/api/v1/costs").await;
    let until: Timestamp = text(&told, "/until").parse().unwrap();
    assert_eq!(told["total"]["so_far"], format!("{}.00", (until.as_second() - began) * 2));
    let whole = ends.min(end.as_second()).max(until.as_second()) - began;
    assert_eq!(told["total"]["forecast"], format!("{}.00", whole * 2), "{told:#}");
    totals_agree(&site, Month::of(until)).await;
    let one = developer.json(&format!("/api/v1/environments/{id}/cost")).await;
    assert_eq!(one["known_since"], Value::Null);
    assert_eq!((&one["so_far"]["forecast"], &one["so_far"]["currency"]), (&Value::Null, &json!("EUR")));
    assert_eq!(one["this_month"]["forecast"], told["total"]["forecast"]);
}

/// Phases and how many disks, one after another.
async fn intervals(site: &Site, id: EnvironmentId) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT phase || ' ' || (inputs->>'disk') || CASE WHEN ended_at IS NULL THEN ' goes on' ELSE '' END
         FROM environment_interval WHERE environment_id = $1 ORDER BY id",
    )
    .bind(id.0)
    .fetch_all(site.test.app.db.pool())
    .await
    .unwrap()
}

#[tokio::test]
async fn intervals_follow_states_inputs_and_ends() {
    let site = site().await;
    let developer = site.client("developer").await;
    let id = create(&developer, "payments", "lives", &json!({"disk": 1})).await;
    assert!(intervals(&site, id).await.is_empty(), "what is being made costs nothing");
    site.test.work();
    site.test.until_state(id, State::Ready).await;
    assert_eq!(intervals(&site, id).await, ["running 1 goes on"]);
    done(&developer, &json!({"operation": "update", "environment": id, "inputs": {"disk": 20}})).await;
    assert_eq!(intervals(&site, id).await, ["running 1", "running 20 goes on"]);
    done(&developer, &json!({"operation": "stop", "environment": id})).await;
    done(&developer, &json!({"operation": "start", "environment": id})).await;
    assert_eq!(intervals(&site, id).await, ["running 1", "running 20", "stopped 20", "running 20 goes on"]);
    done(&developer, &json!({"operation": "delete", "environment": id})).await;
    assert_eq!(intervals(&site, id).await, ["running 1", "running 20", "stopped 20", "running 20"]);
    let gaps = "SELECT count(*) FROM (SELECT began_at, lag(ended_at) OVER (ORDER BY id) AS before
                FROM environment_interval) i WHERE before <> began_at";
    assert_eq!(site.number(gaps).await, 0, "one begins when the one before it ends");
    let mut page = site.test.browser_of("developer").await;
    page.get(&format!("/environments/{id}")).await.shows(&["Cost so far", " EUR"]);
}

#[tokio::test]
async fn what_failed_costs_only_when_something_may_be_there() {
    let site = site().await;
    let developer = site.client("developer").await;
    let early = create(&developer, "payments", "early", &json!({"disk": 1})).await;
    let forbids = TestApp::policies_and("@id(\"no\") @reason(\"Not now.\") forbid (principal, action, resource);");
    let worker = site.test.with_policies(forbids);
    paddock::app::start_worker(&worker, crate::support::app::worker_settings("forbids"));
    let failed = async |id| site.test.environment(id).await.state == State::Failed;
    until_true("the guard stops it", async || failed(early).await).await;
    assert!(intervals(&site, early).await.is_empty(), "nothing was begun");
    assert_eq!(site.number("SELECT count(*) FROM environment_interval").await, 0);
}

#[tokio::test]
async fn a_create_that_failed_in_the_middle_costs_from_then_on_until_it_is_deleted() {
    let site = site().await;
    let developer = site.client("developer").await;
    site.test.work();
    let id = create(&developer, "payments", "late", &json!({"disk": 1, "scenario": "broken"})).await;
    until_true("it fails", async || site.test.environment(id).await.state == State::Failed).await;
    assert_eq!(intervals(&site, id).await, ["running 1 goes on"]);
    done(&developer, &json!({"operation": "delete", "environment": id})).await;
    assert_eq!(intervals(&site, id).await, ["running 1"]);
    // What was asked for and given up was never there.
    let body = json!({"operation": "create", "project": "payments", "environment_type": "prod", "template": "machines",
                      "name": "given-up", "inputs": {}});
    let made = developer.post("/api/v1/requests", &body).await.expect(StatusCode::CREATED);
    developer.post_nothing(&format!("/api/v1/requests/{}/withdraw", text(&made, "/id"))).await.expect(StatusCode::OK);
    assert!(intervals(&site, text(&made, "/environment/id").parse().unwrap()).await.is_empty());
}

#[tokio::test]
async fn nobody_sees_what_a_project_costs_that_they_may_not_see() {
    let site = site().await;
    site.grant("developer", paddock::policy::Role::Developer, Some("storefront")).await;
    site.grant("stranger", paddock::policy::Role::Developer, Some("storefront")).await;
    let (developer, stranger) = (site.client("developer").await, site.client("stranger").await);
    let ids = [
        create(&developer, "payments", "ours", &json!({})).await,
        create(&developer, "storefront", "theirs", &json!({})).await,
    ];
    let span = |environment| Span {
        environment,
        running: true,
        count: 1,
        disk: 0,
        from: second("2026-01-20"),
        to: second("2026-01-21"),
    };
    store(&site, &ids, &[span(0), span(1)]).await;
    let told = stranger.json("/api/v1/costs?month=2026-01").await;
    assert_eq!(told["total"]["so_far"], "8.00", "{told:#}");
    assert_eq!(told["projects"].as_array().unwrap().len(), 1);
    let other = stranger.json("/api/v1/costs?month=2026-01&project=payments").await;
    assert_eq!((&other["total"]["so_far"], &other["environments"]), (&json!("0.00"), &json!([])));
    assert_eq!(developer.json("/api/v1/costs?month=2026-01").await["total"]["so_far"], "16.00");
    for client in [&developer, &stranger] {
        assert_eq!(client.get("/api/v1/cost-lines?month=2026-01").await.status, StatusCode::FORBIDDEN);
    }
    site.client("auditor").await.get("/api/v1/cost-lines?month=2026-01").await.expect(StatusCode::OK);
    let mut page = site.test.browser_of("developer").await;
    assert_eq!(page.get("/costs.csv?month=2026-01").await.status, StatusCode::FORBIDDEN);
    let shown = page.get("/costs?month=2026-01&by=environment").await;
    shown.shows(&["ours", "theirs", "8.00 EUR"]);
    assert!(!shown.text.contains("/costs.csv"));
}

#[tokio::test]
async fn intervals_are_never_changed_and_a_month_is_found_by_its_index() {
    let site = site().await;
    let developer = site.client("developer").await;
    let id = create(&developer, "payments", "kept", &json!({})).await;
    let span =
        Span { environment: 0, running: true, count: 1, disk: 0, from: second("2026-01-20"), to: second("2026-01-21") };
    store(&site, &[id], &[span]).await;
    use sqlx::Connection as _;
    let mut owner = sqlx::PgConnection::connect_with(&site.test.database.options()).await.unwrap();
    for statement in [
        "UPDATE environment_interval SET ended_at = NULL",
        "UPDATE environment_interval SET inputs = '{\"count\": 0}'",
        "DELETE FROM environment_interval",
    ] {
        let refused = sqlx::query(statement).execute(&mut owner).await.unwrap_err().to_string();
        assert!(refused.contains("rows are never changed"), "{statement}: {refused}");
    }
    site.sql(&format!(
        "INSERT INTO environment_interval
             (environment_id, project_id, phase, template_version_id, inputs, began_at, ended_at)
         SELECT id, project_id, 'running', template_version_id, '{{}}', t, t + interval '1 hour'
         FROM environment, generate_series('2005-01-01'::timestamptz, '2010-01-01', '2 hours') t WHERE id = '{}';
         ANALYZE environment_interval",
        id.0
    ))
    .await;
    let plan: Vec<String> = sqlx::query_scalar(
        "EXPLAIN SELECT id FROM environment_interval i WHERE tstzrange(i.began_at, i.ended_at) &&
             tstzrange('2009-12-01', '2010-01-01') AND (i.environment_id, i.id) > ('00000000-0000-0000-0000-000000000000', 0)
         ORDER BY i.environment_id, i.id LIMIT 5000",
    )
    .fetch_all(site.test.app.db.pool())
    .await
    .unwrap();
    assert!(plan.iter().any(|line| line.contains("environment_interval_time")), "{plan:#?}");
}

#[tokio::test]
async fn what_was_there_before_is_counted_from_the_migration_on() {
    let site = site().await;
    let developer = site.client("developer").await;
    let made = create(&developer, "payments", "old", &json!({"disk": 3})).await;
    let waits = create(&developer, "payments", "waits", &json!({})).await;
    site.test.work();
    site.test.until_state(made, State::Ready).await;
    site.test.until_state(waits, State::Ready).await;
    site.sql(&format!(
        "UPDATE environment SET state = 'stopping' WHERE id = '{0}'; UPDATE environment SET state = 'stopped' WHERE id = '{0}';
         DROP TABLE environment_interval; DROP FUNCTION follow_environment CASCADE; DROP FUNCTION environment_was_begun;
         DROP INDEX environment_making;",
        waits.0
    ))
    .await;
    site.sql(include_str!("../../../migrations/0031_environment_intervals.sql")).await;
    assert_eq!(intervals(&site, made).await, ["running 3 goes on"]);
    assert_eq!(intervals(&site, waits).await, ["stopped 0 goes on"]);
    let one = developer.json(&format!("/api/v1/environments/{made}/cost")).await;
    assert!(one["known_since"].is_string(), "{one:#}");
    let mut page = site.test.browser_of("developer").await;
    page.get(&format!("/environments/{made}")).await.shows(&["Known since"]);
    page.get("/costs").await.shows(&["Costs are known since"]);
    done(&developer, &json!({"operation": "delete", "environment": made})).await;
    assert_eq!(intervals(&site, made).await, ["running 3"]);
}
