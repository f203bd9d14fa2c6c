//! Decisions of the past made again: by other rules, to see what flips, and by their own.

use std::collections::BTreeSet;
use std::process::Output;
use std::time::Duration;

use axum::http::StatusCode;
use jiff::Timestamp;
use paddock::base::cursor::Cursor;
use paddock::base::id::DecisionId;
use paddock::identity::{self, Scope, Source, TokenScopes};
use paddock::policy::replay::{CHUNK, Replay, follows};
use paddock::policy::{self, PolicyEngine, Role};
use serde_json::{Value, json};

use super::{NO_LARGE, proposed, publish, site, with};
use crate::support::catalog::add_template;
use crate::support::http::Site;
use crate::support::pages::Answer;
use crate::support::program::command;

/// Everything that was ever decided.
const FIRST: Cursor = Cursor { at: Timestamp::UNIX_EPOCH, id: uuid::Uuid::nil() };

/// `paddock policy …`: exit code, and what it says.
async fn paddock(site: &Site, arguments: &[&str]) -> (i32, String) {
    let mut command = command(&[&["policy"], arguments].concat());
    command.env("DATABASE_URL", site.test.database.url());
    let output: Output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.code().unwrap(), text)
}

/// A request of this person for a database of this size, in this type: its id.
async fn ask(site: &Site, login: &str, kind: &str, name: &str, size: &str) -> String {
    let mut draft = crate::api::create(kind, name);
    draft["inputs"]["size"] = json!(size);
    let made = site.client(login).await.post("/api/v1/requests", &draft).await.expect(StatusCode::CREATED);
    made["id"].as_str().unwrap().to_owned()
}

/// Large ones are denied, small ones need a lead, and the rule that asks for one in prod is only watched.
fn others() -> String {
    let watched = "@id(\"leads-approve-outside-dev-and-test\") @mode(\"observe\")";
    let small = "@id(\"small-ask\") @reason(\"Small ones wait.\") @approval(\"lead\")
        permit (principal, action == Action::\"CreateEnvironment\", resource)
        when { context.inputs.texts.hasTag(\"size\") && context.inputs.texts.getTag(\"size\") == \"small\" };";
    format!("{}\n{small}", with(NO_LARGE).replace("@id(\"leads-approve-outside-dev-and-test\")", watched))
}

#[tokio::test]
async fn what_flips_is_shown_by_project_with_its_rules_and_requests() {
    let site = site().await;
    let large = ask(&site, "developer", "dev", "one", "large").await;
    let small = ask(&site, "developer", "dev", "two", "small").await;
    let prod = ask(&site, "developer", "prod", "three", "small").await;
    let api = site.client("admin").await;
    let number = proposed(&api, &others()).await;
    let path = format!("/admin/policies/{number}/replay");

    let mut admin = site.test.browser_of("admin").await;
    admin.get(&format!("/admin/policies/{number}")).await.shows(&[&path]);
    let asked = admin.get(&path).await;
    asked.shows(&["the last 90 days", "Quotas are no part of it."]);
    asked.hides(&["id=\"replay\""]);
    let page = admin.get(&format!("{path}?days=7")).await;
    page.shows(&[
        "2 of 3 decisions flip",
        "Against version 1, which is in force",
        "payments",
        "Newly denied",
        "Approval added",
        &format!("/requests/{large}"),
        &format!("/requests/{small}"),
        "developer: create an environment of the type dev in project payments",
        "Denied by the rule no-large-databases: Large databases are not made here.",
        "small-ask",
    ]);
    // A lead's approval is a lead's approval, whichever rule asks.
    page.hides(&[&format!("/requests/{prod}"), "Go on"]);
    // By a date: the future has no decisions, and what is no date is told.
    admin.get(&format!("{path}?from=2999-01-01")).await.shows(&["Nothing flips: 0 decisions"]);
    admin.get(&format!("{path}?from=yesterday")).await.shows(&["The date is not a date"]);
    admin.get("/admin/policies/1/replay?days=90").await.shows(&["Nothing flips: 3 decisions", "compared with itself"]);

    // The same by API; those who may not read everybody's decisions see nothing.
    let found = api.json(&format!("/api/v1/policies/{number}/replay")).await;
    let flips = found["flips"].as_array().unwrap();
    let brief: Vec<(&str, &str)> =
        flips.iter().map(|flip| (flip["flip"].as_str().unwrap(), flip["request_id"].as_str().unwrap())).collect();
    assert_eq!(brief, [("newly_denied", &*large), ("approval_added", &*small)]);
    assert_eq!((&flips[0]["before"]["outcome"], &flips[0]["after"]["outcome"]), (&json!("allowed"), &json!("denied")));
    assert_eq!(flips[0]["after"]["rules"][0]["id"], "no-large-databases");
    assert_eq!((&found["decisions"], &found["next_cursor"]), (&json!(3), &Value::Null));
    let late = api.json(&format!("/api/v1/policies/{number}/replay?since=2999-01-01T00:00:00Z")).await;
    assert_eq!(late["decisions"], 0);
    for login in ["developer", "lead"] {
        let client = site.client(login).await;
        client.get(&format!("/api/v1/policies/{number}/replay")).await.expect(StatusCode::FORBIDDEN);
        let mut browser = site.test.browser_of(login).await;
        assert_eq!(browser.get(&format!("{path}?days=7")).await.status, StatusCode::FORBIDDEN);
        assert_eq!(browser.post(&path, &[("so_far", "{}")]).await.status, StatusCode::FORBIDDEN);
    }

    let narrow = site.with_token("admin", TokenScopes::new([Scope::Admin])).await;
    let refused = narrow.get(&format!("/api/v1/policies/{number}/replay")).await.expect(StatusCode::FORBIDDEN);
    assert_eq!(refused["missing"]["token_scope"], "audit");

    // What is wrong decides nothing.
    let wrong = json!({"source": with("permit (principal, action, resource);")});
    let draft = api.post("/api/v1/policies", &wrong).await.expect(StatusCode::CREATED)["number"].as_i64().unwrap();
    api.get(&format!("/api/v1/policies/{draft}/replay")).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let led = admin.get(&format!("/admin/policies/{draft}/replay?days=7")).await;
    assert_eq!(led.location(), format!("/admin/policies/{draft}"));
    api.get("/api/v1/policies/99/replay").await.expect(StatusCode::NOT_FOUND);
}

const MACHINES: &str = "name: Machines
provider: simulated
config: {objects: [server], latency_ms: 0, timeout_ms: 2000}
prices:
  - {item: m.large, quantity: inputs.count, while: running}
  - {item: m.unheard_of, quantity: \"inputs.gpu ? 1 : 0\"}
inputs:
  type: object
  properties:
    count: {type: integer, default: 1}
    gpu: {type: boolean, default: false}
";

/// Requests for machines: by whom, in which project, how many, and whether with what has no price.
async fn ask_for_machines(site: &Site, asked: &[(&str, &str, u32, bool)]) {
    add_template(&site.test, "machines", &[("paddock.yaml", MACHINES)]).await;
    site.sql("UPDATE quota SET maximum = 10000").await;
    let price = json!({"item": "m.large", "title": "", "unit": "month", "price": "10.25", "valid_from": "2026-01-01"});
    site.client("admin").await.post("/api/v1/prices", &price).await.expect(StatusCode::CREATED);
    for (number, (login, project, count, gpu)) in asked.iter().enumerate() {
        let draft = json!({"operation": "create", "project": project, "environment_type": "dev",
                           "template": "machines", "name": format!("m-{number}"),
                           "inputs": {"count": count, "gpu": gpu}});
        site.client(login).await.post("/api/v1/requests", &draft).await.expect(StatusCode::CREATED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_flips_is_told_with_its_cost_by_project_and_team() {
    let site = site().await;
    // Of the teams one and two, of one, and of none.
    let op = site.test.op(paddock::base::Actor::System { part: "test" });
    for (login, teams) in [("both", &["one", "two"][..]), ("single", &["one"]), ("none", &[])] {
        let person = site.person(login).await;
        for project in ["payments", "storefront"] {
            site.grant(login, Role::Developer, Some(project)).await;
        }
        for slug in teams {
            let mut tx = site.test.app.db.begin().await.unwrap();
            let team = identity::ensure_team(&mut tx, &op, slug, slug).await.unwrap();
            identity::join_team(&mut tx, &op, &team, &person, Source::Local).await.unwrap();
            tx.commit().await.unwrap();
        }
    }
    ask_for_machines(
        &site,
        &[
            ("both", "payments", 2, false),
            ("single", "payments", 1, false),
            ("single", "storefront", 4, true),
            // Nothing of these has a price.
            ("none", "payments", 0, true),
            ("single", "payments", 0, false),
        ],
    )
    .await;
    let none = r#"@id("no-machines") @reason("No machines.") forbid (principal, action == Action::"CreateEnvironment",
        resource) when { context.inputs.numbers.hasTag("count") };"#;
    let admin = site.client("admin").await;
    let number = proposed(&admin, &with(none)).await;
    let found = admin.json(&format!("/api/v1/policies/{number}/replay")).await;
    let sums = |key: &str| -> Vec<(Value, u64, u64, String)> {
        let rows = found[key].as_array().unwrap().iter();
        let row = |row: &Value| {
            assert_eq!(row["flip"], "newly_denied");
            let number = |key: &str| row[key].as_u64().unwrap();
            (row["slug"].clone(), number("flips"), number("without_price"), row["cost_per_month"].to_string())
        };
        rows.map(row).collect()
    };
    let row = |slug: Value, flips, without, cost: &str| (slug, flips, without, format!("{cost:?}"));
    assert_eq!(
        sums("by_project"),
        [row(json!("payments"), 4, 2, "30.75"), row(json!("storefront"), 1, 0, "41.00")],
        "{found:#}"
    );
    let teams = [row(Value::Null, 1, 1, "0.00"), row(json!("one"), 4, 1, "71.75"), row(json!("two"), 1, 0, "20.50")];
    assert_eq!(sums("by_team"), teams);
    assert_eq!(found["currency"], "EUR");
    let each: Vec<&Value> = found["flips"].as_array().unwrap().iter().map(|flip| &flip["cost_per_month"]).collect();
    assert_eq!(each, [&json!("20.50"), &json!("10.25"), &json!("41.00"), &Value::Null, &Value::Null]);

    let mut browser = site.test.browser_of("admin").await;
    let page = browser.get(&format!("/admin/policies/{number}/replay?days=7")).await;
    page.shows(&[
        "30.75 EUR a month; of 4, 2 had no price",
        "41.00 EUR a month",
        "71.75 EUR a month; of 5, 2 had no price",
        "71.75 EUR a month; of 4, 1 had no price",
        "In no team",
        "no price is known",
    ]);

    let (code, text) = paddock(&site, &["replay", "--version", &number.to_string()]).await;
    assert_eq!(code, 1, "{text}");
    for part in [
        "By project:\n  payments\n    newly denied           4  30.75 EUR a month; of 4, 2 had no price\n  storefront\n",
        "  in no team\n    newly denied           1  no price is known\n",
        "  two\n    newly denied           1  20.50 EUR a month\n",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let (_, text) = paddock(&site, &["replay", "--version", &number.to_string(), "--json"]).await;
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!((&last["by_project"], &last["by_team"]), (&found["by_project"], &found["by_team"]));
    assert_eq!(last["currency"], "EUR");

    // What is summed is of one currency: it cannot change while there are prices.
    let other = admin.put("/api/v1/price-book", &json!({"currency": "USD"})).await;
    assert_eq!(other.status, StatusCode::CONFLICT, "{}", other.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn ci_asks_by_exit_code() {
    let site = site().await;
    let large = ask(&site, "developer", "dev", "one", "large").await;
    let small = ask(&site, "developer", "dev", "two", "small").await;
    let prod = ask(&site, "developer", "prod", "three", "small").await;
    let admin = site.client("admin").await;
    let (code, text) = paddock(&site, &["replay", "--version", "1"]).await;
    assert!(code == 0 && text.starts_with("0 of 3 decisions since "), "{text}");
    let number = proposed(&admin, &others()).await.to_string();
    let (code, text) = paddock(&site, &["replay", "--version", &number]).await;
    assert_eq!(code, 1, "{text}");
    for part in [
        "payments\n".to_owned(),
        format!("newly denied      {large}"),
        "Denied by the rule no-large-databases: Large databases are not made here.".to_owned(),
        format!("approval added    {small}"),
        "2 of 3 decisions".to_owned(),
        "1 newly denied, 0 newly allowed, 1 approval added, 0 approval dropped.".to_owned(),
    ] {
        assert!(text.contains(&part), "{part} is not in\n{text}");
    }

    // A folder, and lines of JSON.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    std::fs::write(folder.path().join("all.cedar"), with("").replace("@approval(\"lead\")", "")).unwrap();
    let (code, text) = paddock(&site, &["replay", "--since", "1h", "--policies", &path, "--json"]).await;
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, lines.len()), (1, 2), "{text}");
    assert_eq!((lines[0]["flip"].as_str(), lines[0]["request"].as_str()), (Some("approval_dropped"), Some(&*prod)));
    let kinds = json!({"newly_denied": 0, "newly_allowed": 0, "approval_added": 0, "approval_dropped": 1});
    assert_eq!((&lines[1]["kinds"], &lines[1]["decisions"]), (&kinds, &json!(3)));

    // What cannot be found out is another code.
    for arguments in [&["replay", "--version", "99"][..], &["replay", "--policies", "/nowhere"], &["replay"]] {
        assert_eq!(paddock(&site, arguments).await.0, 2, "{arguments:?}");
    }
    let (code, text) = paddock(&site, &["check", &path]).await;
    assert!(code == 0 && text.ends_with("\nThe policies are valid.\n"), "{text}");
    assert_eq!(text.matches("proved over ").count(), 4, "{text}");
    std::fs::write(folder.path().join("b.cedar"), "\npermit (principal, action, resource);").unwrap();
    let (code, text) = paddock(&site, &["check", &path]).await;
    assert!(code == 1 && text.contains("b.cedar:2:1: the rule has no @id") && text.contains("(an id is"), "{text}");
    assert_eq!(paddock(&site, &["check", "/nowhere"]).await.0, 2);
}

#[tokio::test]
async fn a_long_time_goes_on_in_parts_and_nothing_is_skipped_in_silence() {
    let site = site().await;
    ask(&site, "developer", "dev", "one", "large").await;
    let app = &site.test.app;
    let mut connection = app.db.acquire().await.unwrap();
    let id: uuid::Uuid = sqlx::query_scalar("SELECT id FROM decision").fetch_one(app.db.pool()).await.unwrap();
    let stored = policy::find_decision(&mut connection, DecisionId(id)).await.unwrap().unwrap();
    // All of one transaction, so of one moment: the id tells them apart.
    let op = site.test.op(paddock::base::Actor::Operator);
    let mut tx = app.db.begin().await.unwrap();
    for _ in 0..CHUNK * 6 {
        let decision = app.policy.decide(&stored.question);
        policy::record(&mut tx, &op, &stored.question, &decision).await.unwrap();
    }
    tx.commit().await.unwrap();
    // One that asks for what this Paddock does not know, and one that the rules cannot be asked.
    for broken in ["jsonb_set(input, '{action}', '\"fly\"')", "jsonb_set(input, '{resource,kind}', '\"platform\"')"] {
        site.sql(&format!(
            "INSERT INTO decision (id, outcome, input, policy_digest, rules, requirements, sentence, would_be_allowed)
             SELECT gen_random_uuid(), outcome, {broken}, policy_digest, rules, requirements, sentence, would_be_allowed
             FROM decision LIMIT 1"
        ))
        .await;
    }
    let engine = PolicyEngine::from_source(&with(NO_LARGE)).unwrap();
    let replay = Replay::new(&app.policy, &engine);
    let (mut from, mut parts, mut seen, mut lost, mut found) = (Some(FIRST), 0, 0, 0, BTreeSet::new());
    while let Some(after) = from {
        let part = replay.part(&mut connection, after, Duration::ZERO).await.unwrap();
        assert!(i64::try_from(part.seen).unwrap() <= CHUNK);
        found.extend(part.flips.iter().map(|flip| flip.id));
        (parts, seen, lost, from) = (parts + 1, seen + part.seen, lost + part.lost, part.next);
    }
    assert_eq!((parts, seen, lost, found.len()), (7, 1203, 2, 1201));

    // The walk reads the index, however long the table is.
    site.sql("ANALYZE decision").await;
    let plan: Vec<String> = sqlx::query_scalar(
        "EXPLAIN SELECT * FROM decision WHERE (created_at, id) > ('-infinity', '00000000-0000-0000-0000-000000000000')
         ORDER BY created_at, id LIMIT 200",
    )
    .fetch_all(app.db.pool())
    .await
    .unwrap();
    assert!(plan.concat().contains("decision_oldest") && !plan.concat().contains("Sort"), "{plan:?}");

    // The page stops and goes on, by a button where no script does it.
    let number = proposed(&site.client("admin").await, &with(NO_LARGE)).await;
    let path = format!("/admin/policies/{number}/replay");
    let mut admin = site.test.browser_of("admin").await;
    let page = admin.get(&format!("{path}?days=7")).await;
    page.shows(&["decisions flip so far", "Go on", "decisions more"]);
    let so_far = |page: &Answer| page.value_of("so_far").replace("&#34;", "\"");
    let first = so_far(&page);
    let partial = [("sec-fetch-site", "same-origin"), ("hx-request", "true"), ("hx-request-type", "partial")];
    let mut part = admin.post_with(&path, &[("so_far", &first)], &partial).await;
    part.hides(&["<title"]);
    while part.text.contains("Go on") {
        part = admin.post(&path, &[("so_far", &so_far(&part))]).await;
        part.shows(&["<title"]);
    }
    part.shows(&["1201 of 1203 decisions flip", "2 decisions cannot be made again", "1101 decisions more"]);
    // Another version in force meanwhile is another comparison.
    let other = proposed(&site.client("admin").await, &others()).await;
    publish(&site.client("second").await, other, 1).await.expect(StatusCode::OK);
    assert_eq!(admin.post(&path, &[("so_far", &first)]).await.location(), path);
    assert_eq!(admin.post(&path, &[("so_far", "nonsense")]).await.location(), path);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stored_decision_follows_from_its_record() {
    let site = site().await;
    // Quotas are no part of the rules.
    site.sql("UPDATE quota SET maximum = 1000").await;
    let mut last = String::new();
    let mut count = 0;
    for round in 0..2 {
        for login in ["developer", "lead", "admin"] {
            for kind in ["dev", "test", "prod"] {
                for size in ["small", "large"] {
                    count += 1;
                    last = ask(&site, login, kind, &format!("env-{count}"), size).await;
                }
            }
        }
        if round == 0 {
            let watched = NO_LARGE.replace("@owner", "@mode(\"observe\")\n@owner");
            let forbids = NO_LARGE.replace("no-large", "no-small").replace("\"large\"", "\"small\"");
            let admin = site.client("admin").await;
            let number = proposed(&admin, &with(&format!("{watched}\n{forbids}"))).await;
            publish(&site.client("second").await, number, 1).await.expect(StatusCode::OK);
        }
    }
    let app = &site.test.app;
    let ids: Vec<uuid::Uuid> = sqlx::query_scalar("SELECT id FROM decision").fetch_all(app.db.pool()).await.unwrap();
    let ids: Vec<DecisionId> = ids.into_iter().map(DecisionId).collect();
    let mut connection = app.db.acquire().await.unwrap();
    let all = policy::find_decisions(&mut connection, &ids).await.unwrap();
    assert_eq!(all.len(), count);
    let (mut sets, mut outcomes) = (BTreeSet::new(), BTreeSet::new());
    for stored in all.values() {
        let digest = stored.decision.policy_digest;
        let text = policy::find_policy_set(&mut connection, digest).await.unwrap().unwrap();
        let again = PolicyEngine::from_text(&text.schema, &text.source).unwrap().decide(&stored.question);
        assert!(follows(&stored.decision, &again), "{stored:?}\n{again:?}");
        let mut stored = stored.decision.clone();
        stored.would_be_allowed.clear();
        assert_eq!(serde_json::to_string(&again).unwrap(), serde_json::to_string(&stored).unwrap());
        sets.insert(digest.to_string());
        outcomes.insert(again.outcome.as_str());
    }
    assert_eq!((sets.len(), outcomes.len()), (2, 3));

    // The same from the terminal, which also says when it is not so.
    let (code, text) = paddock(&site, &["explain", &last]).await;
    assert!(code == 0 && text.contains("It follows from its record."), "{text}");
    let id = ids[0].to_string();
    assert_eq!(paddock(&site, &["explain", &id]).await.0, 0);
    let forged = DecisionId(uuid::Uuid::from_u128(7));
    site.sql(&format!(
        "INSERT INTO decision (id, outcome, input, policy_digest, rules, requirements, sentence, would_be_allowed)
         SELECT '{}', 'allowed', input, policy_digest, rules, requirements, sentence, would_be_allowed
         FROM decision WHERE outcome = 'denied' LIMIT 1",
        forged.0
    ))
    .await;
    let (code, text) = paddock(&site, &["explain", &forged.to_string()]).await;
    assert!(code == 1 && text.contains("It does not follow from its record."), "{text}");
    for unknown in ["dec_0193c3f2000070008000000000000000", "req_0193c3f2000070008000000000000000", "env_1"] {
        assert_eq!(paddock(&site, &["explain", unknown]).await.0, 2, "{unknown}");
    }
}
