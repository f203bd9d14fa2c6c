//! The difference between what is there and what the job wishes, in words.

use super::inspect::Found;
use super::settings::Wish;
use crate::providers::{Plan, PlanAction, PlanChange};

/// What an apply would do.
pub fn toward(wish: &Wish, found: &Found) -> Plan {
    let mut changes = Vec::new();
    match &found.role {
        None => changes.push(change("role", PlanAction::Create, format!("login role {}", wish.name))),
        Some(role) => {
            let mut parts = Vec::new();
            if role.connection_limit != wish.connection_limit {
                parts.push(format!(
                    "connections {} → {}",
                    connections(role.connection_limit),
                    connections(wish.connection_limit)
                ));
            }
            let before = role.statement_timeout.as_deref().unwrap_or("none");
            let after = timeout_setting(wish).unwrap_or_else(|| "none".to_owned());
            if before != after {
                parts.push(format!("statement time-out {before} → {after}"));
            }
            if !parts.is_empty() {
                changes.push(change("role", PlanAction::Change, parts.join(", ")));
            }
        }
    }
    match found.database(wish) {
        None => changes.push(change(
            "database",
            PlanAction::Create,
            format!("database {}, up to {} connections", wish.name, connections(wish.connection_limit)),
        )),
        Some(database) if database.broken => {
            changes.push(change("database", PlanAction::Replace, "was dropped half-way".to_owned()));
        }
        Some(database) if !database.open || database.comment.as_deref() != Some(wish.marker.as_str()) => {
            changes.push(change("database", PlanAction::Change, "finish what was begun".to_owned()));
        }
        Some(_) => {}
    }
    Plan::of(changes)
}

/// What a destroy would do.
pub fn away(found: &Found) -> Plan {
    let changes = found
        .resources()
        .into_iter()
        .map(|resource| {
            let name = resource.provider_id.unwrap_or_default();
            PlanChange { address: resource.address, action: PlanAction::Destroy, summary: format!("remove {name}") }
        })
        .collect();
    Plan::of(changes)
}

/// The role's `statement_timeout`, as the server keeps it.
pub fn timeout_setting(wish: &Wish) -> Option<String> {
    (wish.statement_timeout_seconds > 0).then(|| format!("{}s", wish.statement_timeout_seconds))
}

fn connections(limit: i32) -> String {
    if limit < 0 { "unlimited".to_owned() } else { limit.to_string() }
}

fn change(address: &str, action: PlanAction, summary: String) -> PlanChange {
    PlanChange { address: address.to_owned(), action, summary }
}
