//! The difference between what is there and what the job wishes, in words.

use super::inspect::{Database, Found, Role};
use super::settings::Wish;
use crate::providers::{Difference, DifferenceKind, Plan, PlanAction, PlanChange};

/// What an apply would do.
pub fn toward(wish: &Wish, found: &Found) -> Plan {
    let mut changes = Vec::new();
    match &found.role {
        None => changes.push(change("role", PlanAction::Create, format!("login role {}", wish.name))),
        Some(role) => {
            let parts = parts(wish, role, |what, wished, found| format!("{what} {found} → {wished}"));
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
        Some(database) if database.public => {
            changes.push(change("database", PlanAction::Change, "close it to other roles".to_owned()));
        }
        Some(_) => {}
    }
    Plan::of(changes)
}

/// What of a role is not as wished: what, wished, found.
fn parts(wish: &Wish, role: &Role, words: impl Fn(&str, &str, &str) -> String) -> Vec<String> {
    let mut parts = Vec::new();
    let mut compare = |what: &str, wished: &str, found: &str| {
        if wished != found {
            parts.push(words(what, wished, found));
        }
    };
    let may = |flag| if flag { "allowed" } else { "refused" };
    compare("connections", &connections(wish.connection_limit), &connections(role.connection_limit));
    let wished = timeout_setting(wish).unwrap_or_else(|| "none".to_owned());
    compare("statement time-out", &wished, role.statement_timeout.as_deref().unwrap_or("none"));
    compare("log-in", may(true), may(role.login));
    compare("making databases and roles", may(false), may(role.maker));
    parts
}

/// What is not as an apply of the wish left it.
pub fn differences(wish: &Wish, found: &Found) -> Vec<Difference> {
    use DifferenceKind::{Added, Changed, Missing};
    let mut all = Vec::new();
    match &found.role {
        None => all.push(Difference::new("role", Missing, format!("the role {} is not on the server", wish.name))),
        Some(role) => {
            let mut words = parts(wish, role, |what, wished, found| format!("{what} {wished} → {found}"));
            if role.name != wish.name {
                words.insert(0, format!("name {} → {}", wish.name, role.name));
            }
            if !words.is_empty() {
                all.push(Difference::new("role", Changed, words.join(", ")));
            }
        }
    }
    match found.database(wish) {
        None => {
            all.push(Difference::new("database", Missing, format!("the database {} is not on the server", wish.name)));
        }
        Some(database) => {
            let words = unlike(wish, database);
            if !words.is_empty() {
                all.push(Difference::new("database", Changed, words.join(", ")));
            }
        }
    }
    for other in found.databases.iter().filter(|database| database.name != wish.name) {
        let words = "a database that belongs to the role of this environment";
        all.push(Difference::new(format!("database {}", other.name), Added, words));
    }
    all
}

fn unlike(wish: &Wish, database: &Database) -> Vec<String> {
    if database.broken {
        return vec!["it was dropped half-way".to_owned()];
    }
    let mut words = Vec::new();
    if !database.open {
        words.push("it takes no connections".to_owned());
    }
    if database.public {
        words.push("every role of the server may connect".to_owned());
    }
    if database.comment.as_deref() != Some(wish.marker.as_str()) {
        words.push("it lost the mark of this environment".to_owned());
    }
    if database.owner != wish.name {
        words.push(format!("owner {} → {}", wish.name, database.owner));
    }
    words
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
