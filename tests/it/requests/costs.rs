//! What requests cost: the verdict tells what is kept, what was told stays, and what has no price is never free.

use axum::http::StatusCode;
use paddock::base::id::EnvironmentId;
use paddock::environments::State;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::api::text;
use crate::support::catalog::add_template;
use crate::support::http::{Client, Site};

const MANIFEST: &str = "name: Machines
provider: simulated
config: {objects: [server], latency_ms: 0, timeout_ms: 2000}
prices:
  - {item: m.small, quantity: \"inputs.size == 'small' ? inputs.count : 0\", while: running}
  - {item: m.large, quantity: \"inputs.size == 'large' ? inputs.count : 0\", while: running}
  - {item: m.disk, quantity: inputs.disk * inputs.count}
  - {item: m.odd, quantity: inputs.odd}
  - {item: m.unheard_of, quantity: \"inputs.gpu ? 1 : 0\"}
inputs:
  type: object
  properties:
    size: {type: string, enum: [small, large], default: small}
    count: {type: integer, default: 1}
    disk: {type: integer, default: 0}
    odd: {type: integer, default: 0}
    gpu: {type: boolean, default: false}
actions:
  start: {run: 'on'}
  stop: {run: 'off'}
";

/// Prices in millionths, and whether they are for an hour.
const PRICES: [(&str, i128, bool); 4] =
    [("m.small", 41_600, true), ("m.large", 333_333, true), ("m.disk", 100_000, false), ("m.odd", 5_000, false)];

async fn site() -> Site {
    let site = Site::start().await;
    add_template(&site.test, "machines", &[("paddock.yaml", MANIFEST)]).await;
    site.sql("UPDATE quota SET maximum = 10000").await;
    let admin = site.client("admin").await;
    for (item, micro, hourly) in PRICES {
        let body = json!({"item": item, "title": "", "unit": if hourly { "hour" } else { "month" },
                          "price": decimal(micro), "valid_from": "2026-01-01"});
        admin.post("/api/v1/prices", &body).await.expect(StatusCode::CREATED);
    }
    site
}

fn decimal(micro: i128) -> String {
    format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000)
}

fn draft(name: &str, inputs: &Value, lifetime: i64) -> Value {
    json!({"operation": "create", "project": "payments", "environment_type": "dev", "template": "machines",
           "name": name, "inputs": inputs, "lifetime": lifetime})
}

async fn verdict(client: &Client, draft: &Value) -> Value {
    client.post("/api/v1/verdicts", draft).await.expect(StatusCode::OK)["cost"].clone()
}

/// Cents, halves up, of millionths over a divisor.
fn cents(micro: i128, by: i128) -> String {
    let divisor = 10_000 * by;
    let cents = (2 * micro + divisor) / (2 * divisor);
    format!("{}.{:02}", cents / 100, cents % 100)
}

#[tokio::test]
async fn the_verdict_of_generated_inputs_is_what_is_kept_and_what_whole_numbers_give() {
    let site = site().await;
    let developer = site.client("developer").await;
    let mut random = rand::rngs::StdRng::seed_from_u64(20_261_122);
    for round in 0..40 {
        let (count, disk, odd) =
            (random.random_range(0..2000_i128), random.random_range(0..5000), random.random_range(0..9));
        let (large, gpu) = (random.random_bool(0.5), random.random_bool(0.3));
        // Longer than policy allows, now and then: what is denied is kept as well.
        let lifetime = random.random_range(300..4_000_000_i64);
        let size = if large { "large" } else { "small" };
        let inputs = json!({"size": size, "count": i64::try_from(count).unwrap(), "disk": i64::try_from(disk).unwrap(),
                            "odd": i64::try_from(odd).unwrap(), "gpu": gpu});
        let draft = draft(&format!("made-{round}"), &inputs, lifetime);
        let told = verdict(&developer, &draft).await;
        let made = developer.post("/api/v1/requests", &draft).await.expect(StatusCode::CREATED);
        assert_eq!(told, made["cost"], "{draft}");
        let read = developer.json(&format!("/api/v1/requests/{}", text(&made, "/id"))).await;
        assert_eq!(told, read["cost"], "{draft}");
        let running = 730 * count * if large { 333_333 } else { 41_600 };
        let there = disk * count * 100_000 + odd * 5_000;
        assert_eq!(told["month_running"], cents(running + there, 1), "{draft}");
        assert_eq!(told["month_stopped"], cents(there, 1), "{draft}");
        assert_eq!(told["until_end"], cents((running + there) * i128::from(lifetime), 730 * 3600), "{draft}");
        assert_eq!(told["not_priced"], if gpu { json!(["m.unheard_of"]) } else { json!([]) }, "{draft}");
    }
    assert!(site.number("SELECT count(*) FROM request WHERE status = 'denied'").await > 0);
    let kept = site.number("SELECT count(*) FROM request_estimate").await;
    assert_eq!(kept, site.number("SELECT count(*) FROM request").await);
}

#[tokio::test]
async fn what_was_told_stays_and_what_is_asked_later_is_by_the_new_price() {
    let site = site().await;
    let (admin, developer) = (site.client("admin").await, site.client("developer").await);
    site.test.work();
    let inputs = json!({"disk": 10});
    let made = developer.post("/api/v1/requests", &draft("kept", &inputs, 86_400)).await.expect(StatusCode::CREATED);
    assert_eq!(made["cost"]["month_running"], "31.37");
    let id: EnvironmentId = text(&made, "/environment/id").parse().unwrap();
    site.test.until_state(id, State::Ready).await;
    admin.post("/api/v1/prices/m.disk", &json!({"price": "0.2"})).await.expect(StatusCode::CREATED);
    let read = developer.json(&format!("/api/v1/requests/{}", text(&made, "/id"))).await;
    assert_eq!(read["cost"], made["cost"]);
    assert_eq!(verdict(&developer, &draft("later", &inputs, 86_400)).await["month_running"], "32.37");
    let now = developer.json(&format!("/api/v1/environments/{id}/cost")).await;
    assert_eq!(now["estimate"]["month_stopped"], "2.00");

    // An update is told with its own inputs, an extension with those that are, and a stop changes nothing.
    let update = json!({"operation": "update", "environment": id, "inputs": {"disk": 20}});
    assert_eq!(verdict(&developer, &update).await["month_stopped"], "4.00");
    let extend = json!({"operation": "extend", "environment": id, "lifetime": 262_800});
    let extended = developer.post("/api/v1/requests", &extend).await.expect(StatusCode::CREATED);
    assert_eq!(extended["cost"]["until_end"], "3.24");
    let stop = json!({"operation": "stop", "environment": id});
    assert_eq!(verdict(&developer, &stop).await, Value::Null);

    // A price that begins later is not valid yet; one for today that was wrong is replaced.
    admin
        .post("/api/v1/prices/m.disk", &json!({"price": "9", "valid_from": "2100-01-01"}))
        .await
        .expect(StatusCode::CREATED);
    admin.post("/api/v1/prices/m.disk", &json!({"price": "0.3"})).await.expect(StatusCode::CREATED);
    assert_eq!(verdict(&developer, &draft("later", &inputs, 86_400)).await["month_stopped"], "3.00");
    let item = admin.json("/api/v1/prices/m.disk").await;
    assert_eq!((&item["today"]["price"], &item["next"]["price"]), (&json!("0.3"), &json!("9")));
    assert_eq!(item["prices"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn what_nobody_knows_is_told_as_such() {
    let site = site().await;
    let developer = site.client("developer").await;
    let free = "name: Free\nprovider: simulated\nconfig: {objects: [server]}\n";
    add_template(&site.test, "free", &[("paddock.yaml", free)]).await;
    let mut without = draft("nothing", &json!({}), 86_400);
    without["template"] = json!("free");
    assert_eq!(verdict(&developer, &without).await, Value::Null);
    let made = developer.post("/api/v1/requests", &without).await.expect(StatusCode::CREATED);
    assert_eq!(made["cost"], Value::Null);

    let cost = verdict(&developer, &draft("gpu", &json!({"count": 0, "gpu": true}), 86_400)).await;
    assert_eq!(
        cost["lines"],
        json!([{"item": "m.unheard_of", "title": "m.unheard_of", "quantity": 1,
        "while": "exists", "unit": null, "unit_price": null, "month": null}])
    );
    assert_eq!(cost["not_priced"], json!(["m.unheard_of"]));

    // What gives no quantity is an error of the values, in the verdict and at the submit.
    let wrong = draft("wrong", &json!({"disk": -1}), 86_400);
    let told = developer.post("/api/v1/verdicts", &wrong).await.expect(StatusCode::OK);
    assert!(text(&told, "/errors/0/detail").contains("does not say how much “m.disk” this takes: -1 is negative"));
    assert_eq!((&told["cost"], &told["can_submit"]), (&Value::Null, &json!(false)));
    developer.post("/api/v1/requests", &wrong).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn prices_and_estimates_are_never_changed() {
    let site = site().await;
    let developer = site.client("developer").await;
    developer.post("/api/v1/requests", &draft("kept", &json!({}), 86_400)).await.expect(StatusCode::CREATED);
    for statement in [
        "UPDATE price SET amount = 0",
        "DELETE FROM price",
        "UPDATE price_item SET unit = 'month'",
        "DELETE FROM price_item",
        "UPDATE request_estimate SET estimate = '{}'",
        "DELETE FROM request_estimate",
    ] {
        // As the application, which has no right to, and as the owner, whom the trigger stops.
        let refused = sqlx::query(statement).execute(site.test.app.db.pool()).await.unwrap_err().to_string();
        assert!(refused.contains("permission denied"), "{statement}: {refused}");
        use sqlx::Connection as _;
        let mut owner = sqlx::PgConnection::connect_with(&site.test.database.options()).await.unwrap();
        let refused = sqlx::query(statement).execute(&mut owner).await.unwrap_err().to_string();
        assert!(refused.contains("rows are never changed"), "{statement}: {refused}");
    }
}
