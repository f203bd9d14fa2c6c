//! Role × action × resource over HTTP, as one table.

use std::fmt::Write as _;

use axum::http::StatusCode;
use paddock::policy::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::document::operations;
use super::{create, text};
use crate::support::http::{Answer, Client, Site, send};

/// One of each kind of thing.
pub struct Things {
    environment: String,
    run: String,
    request: String,
    record: String,
}

impl Things {
    /// Ids of nothing.
    pub fn any() -> Self {
        let id = |prefix: &str| format!("{prefix}_0193c3f2000070008000000000000000");
        Self { environment: id("env"), run: id("run"), request: id("req"), record: id("aud") }
    }

    /// The address that a path of the document means.
    pub fn address(&self, path: &str) -> String {
        let id: &str = match path {
            _ if path.contains("/environments/") => &self.environment,
            _ if path.contains("/runs/") => &self.run,
            _ if path.contains("/requests/") => &self.request,
            _ if path.contains("/orphans/") => "orp_0193c3f2000070008000000000000000",
            _ if path.contains("/elevations/") => "elv_0193c3f2000070008000000000000000",
            _ if path.contains("/delegations/") => "dlg_0193c3f2000070008000000000000000",
            _ if path.contains("/roles/") => "rol_0193c3f2000070008000000000000000",
            _ if path.contains("/quotas/") => "quo_0193c3f2000070008000000000000000",
            _ if path.contains("/targets/") => "tgt_0193c3f2000070008000000000000000",
            _ if path.contains("/freezes/") => "frz_0193c3f2000070008000000000000000",
            _ if path.contains("/circuits/") => "cir_0193c3f2000070008000000000000000",
            _ => &self.record,
        };
        path.replace("{id}", id)
            .replace("{slug}", "payments")
            .replace("{template}", "postgres-database")
            .replace("{version}", "1")
            .replace("{number}", "1")
            .replace("{item}", "repository")
            .replace("{name}", "nobody")
            .replace("{suggestion}", "sug_0193c3f2000070008000000000000000")
    }
}

/// An environment of the demo developer that is being made, and a request that waits for approval.
async fn things(site: &Site, owner: &Client, name: &str) -> Things {
    let made = owner.post("/api/v1/requests", &create("dev", name)).await.expect(StatusCode::CREATED);
    let waits = owner.post("/api/v1/requests", &create("prod", &format!("{name}-p"))).await.expect(StatusCode::CREATED);
    site.test.plan().await;
    let record: uuid::Uuid =
        sqlx::query_scalar("SELECT id FROM audit_record WHERE action = 'request.submitted' LIMIT 1")
            .fetch_one(site.test.app.db.pool())
            .await
            .unwrap();
    Things {
        environment: text(&made, "/environment/id").to_owned(),
        run: text(&made, "/run/id").to_owned(),
        request: text(&waits, "/id").to_owned(),
        record: format!("aud_{}", record.simple()),
    }
}

/// What one person meets at one route.
async fn cell(client: &Client, things: &Things, method: &str, path: &str, name: &str) -> String {
    let address = things.address(path);
    let request = client.request(Method::from_bytes(method.as_bytes()).unwrap(), &address);
    let request = match (method, path) {
        ("POST", "/api/v1/requests" | "/api/v1/verdicts") => request.json(&create("dev", name)),
        ("POST", "/api/v1/freezes") => request.json(&json!({"reason": "Later", "starts_at": "2099-01-01T00:00:00Z"})),
        ("POST", "/api/v1/policies" | "/api/v1/policies/check") | ("PUT", "/api/v1/policies/{number}") => {
            request.json(&json!({"source": "// none"}))
        }
        ("POST", "/api/v1/policies/{number}/try") => request.json(&json!({
            "person": "developer", "project": "payments", "environment_type": "dev", "template": "postgres-database",
            "operation": "create",
        })),
        ("POST", "/api/v1/policies/{number}/publish") => request.json(&json!({"in_force": 1})),
        ("PUT", "/api/v1/targets/{id}/limits") => request.json(&json!({"run_limit": 1, "labels": []})),
        ("POST", "/api/v1/targets") => request.json(&json!({"slug": name, "name": name, "provider": "simulated"})),
        ("PUT", "/api/v1/projects/{slug}/budget") => request.json(&json!({"amount": "1000000", "deny_above": 100})),
        ("PUT", "/api/v1/price-book") => request.json(&json!({"currency": "EUR"})),
        ("POST", "/api/v1/price-book/import") => request.json(&json!({"csv": "item,unit,price\nvm.imported,hour,1\n"})),
        ("POST", "/api/v1/prices") => request.json(&json!({"item": name, "unit": "hour", "price": "1"})),
        ("POST", "/api/v1/prices/{item}") => request.json(&json!({"price": "1"})),
        ("POST", "/api/v1/me/delegations") => request.json(&json!({"to": name, "until": "2099-01-01T00:00:00Z"})),
        ("POST", "/api/v1/roles") => request.json(&json!({"who": name, "role": "developer"})),
        ("POST", "/api/v1/elevations") => request.json(&json!({"role": "admin", "lifetime": "1h", "reason": name})),
        ("POST", "/api/v1/elevations/{id}/decision") => request.json(&json!({"grant": true})),
        ("POST", "/api/v1/elevations/{id}/review") => request.json(&json!({"justified": true, "review": "so"})),
        ("PATCH", "/api/v1/roles/{id}") => request.json(&json!({"lifetime": "1h"})),
        ("POST", "/api/v1/quotas") => {
            request.json(&json!({"scope": "organisation", "dimension": name.replace('-', "_"), "limit": 1000}))
        }
        ("PATCH", "/api/v1/quotas/{id}" | "/api/v1/targets/{id}") | ("POST", "/api/v1/targets/{id}/rotate") => {
            request.json(&json!({}))
        }
        ("POST", "/api/v1/environments/{id}/hand-over") => request.json(&json!({"to": "lead", "reason": "so"})),
        ("POST", "/api/v1/environments/{id}/drift/accept") => request.json(&json!({"digest": "0", "reason": "so"})),
        ("POST", "/api/v1/orphans/{id}/adopt" | "/api/v1/orphans/{id}/destroy") => {
            request.json(&json!({"reason": "so"}))
        }
        ("POST", "/api/v1/targets/{id}/bind" | "/api/v1/targets/{id}/unbind") => {
            request.json(&json!({"place": "pet_0193c3f2000070008000000000000000"}))
        }
        ("PUT", "/api/v1/environments/{id}/schedule") => {
            request.json(&json!({"zone": "UTC", "days": ["mo"], "stop": "19:00"}))
        }
        ("POST", "/api/v1/environments/{id}/schedule/delay") => request.json(&json!({"seconds": 60})),
        ("POST", "/api/v1/requests/{id}/suggestions") => request.json(&json!({"lifetime": "1h", "reason": "so"})),
        ("POST", "/api/v1/requests/{id}/reviews") => request.json(&json!({"verdict": "approved", "reason": "yes"})),
        _ => request,
    };
    // The events of a run that waits do not end: the status says enough.
    if path.ends_with("/events") {
        return request.send().await.unwrap().status().as_u16().to_string();
    }
    describe(&send(request).await)
}

/// Whether that is nothing, or what everybody who is known may have: themselves and the catalog.
fn nothing(path: &str, met: &str) -> bool {
    let everybodys = path.starts_with("/api/v1/me") || path.starts_with("/api/v1/templates");
    // Everybody may ask for a role; deciding on it is not everybody's.
    let asking = path.starts_with("/api/v1/elevations") && !path.ends_with("/decision") && !path.ends_with("/review");
    everybodys || asking || met.starts_with("403") || met == "200 none" || met == "201 denied"
}

fn describe(answer: &Answer) -> String {
    let value = answer.value();
    let mut text = answer.status.as_u16().to_string();
    // What environments cost is no list, but has parts by project.
    let parts = value["total"].is_object().then_some(&value["projects"]);
    if let Some(items) = parts.unwrap_or(&value["items"]).as_array() {
        text.push_str(if items.is_empty() { " none" } else { " some" });
    }
    let outcome = value.pointer("/decision/outcome").and_then(Value::as_str);
    if answer.status.is_success()
        && let Some(outcome) = outcome
    {
        write!(text, " {outcome}").unwrap();
    }
    if let Some(roles) = value.pointer("/missing/roles").and_then(Value::as_array) {
        let roles: Vec<&str> = roles.iter().filter_map(Value::as_str).collect();
        write!(text, " needs {}", if roles.is_empty() { "-".to_owned() } else { roles.join("/") }).unwrap();
    }
    text
}

#[tokio::test]
async fn who_may_do_what_over_http() {
    let site = Site::start().await;
    site.sql("UPDATE quota SET maximum = 10000").await;
    site.grant("colleague", Role::Developer, Some("payments")).await;
    site.grant("elsewhere", Role::Lead, Some("storefront")).await;
    let owner = site.client("developer").await;
    let people = ["developer", "colleague", "lead", "admin", "auditor", "elsewhere", "outsider"];
    let mut clients = Vec::new();
    for login in people {
        clients.push(site.client(login).await);
    }
    let mut table = String::new();
    let shared = things(&site, &owner, "shared").await;
    for (route, (method, path, operation)) in operations().into_iter().enumerate() {
        if operation["security"].as_array().is_none_or(|entries| entries.contains(&json!({}))) {
            continue;
        }
        writeln!(table, "{method} {path}").unwrap();
        for (login, client) in people.iter().zip(&clients) {
            let name = format!("r{route}-{login}");
            let own =
                if method == "POST" && path.contains("{id}") { Some(things(&site, &owner, &name).await) } else { None };
            let things = own.as_ref().unwrap_or(&shared);
            if path.ends_with("/retry") {
                owner.post_nothing(&format!("/api/v1/runs/{}/cancel", things.run)).await.expect(StatusCode::ACCEPTED);
            }
            let met = cell(client, things, &method, &path, &format!("{name}-own")).await;
            if *login == "outsider" {
                assert!(nothing(&path, &met), "somebody without any role: {method} {path}: {met}");
            }
            writeln!(table, "    {login:<10} {met}").unwrap();
        }
    }
    insta::assert_snapshot!("roles_routes", table);
}
