//! The difference between what is there and what the job wishes, in words.

use super::extensions::{SCHEMA, unwanted};
use super::inspect::{Database, Found, Role};
use super::limits::size_words;
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
        Some(database) => changes.extend(ownership(wish, database)),
    }
    let installed = found.installed.as_deref().unwrap_or_default();
    for name in wish.extensions.iter().filter(|name| !installed.iter().any(|there| there.name == **name)) {
        let words = format!("extension {name} in the schema {SCHEMA}");
        changes.push(change(&format!("extension {name}"), PlanAction::Create, words));
    }
    for there in unwanted(wish, installed) {
        let words = format!("extension {}; refused by the server while something uses it", there.name);
        changes.push(change(&format!("extension {}", there.name), PlanAction::Destroy, words));
    }
    Plan::of(changes)
}

/// What a change of the target's rule on extensions makes of a database that is there.
fn ownership(wish: &Wish, database: &Database) -> Option<PlanChange> {
    let words = match (wish.rule.closes(), has_right_owner(wish, database)) {
        (_, true) => return None,
        (true, false) => format!(
            "owner {} → {}: from now on only extensions that the target lists, and no further schemas",
            database.owner, wish.owner
        ),
        (false, false) => format!("owner {} → {}", database.owner, wish.owner),
    };
    Some(change("database", PlanAction::Change, words))
}

/// Whether it belongs to whom it should, and the role may what it should.
pub fn has_right_owner(wish: &Wish, database: &Database) -> bool {
    database.owner == wish.owner && database.reachable && database.extensible != wish.rule.closes()
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
    for wished in &wish.defaults {
        compare(
            wished.words,
            wished.value.as_deref().unwrap_or("none"),
            role.default(wished.setting).unwrap_or("none"),
        );
    }
    compare("log-in", may(true), may(role.login));
    compare("making databases and roles", may(false), may(role.maker));
    parts
}

/// What is not as an apply of the wish left it.
pub fn differences(wish: &Wish, found: &Found, size: Option<u64>) -> Vec<Difference> {
    use DifferenceKind::{Added, Changed, Missing};
    let mut all = Vec::new();
    match &found.role {
        None => all.push(Difference::new("role", Missing, format!("the role {} is not on the server", wish.name))),
        Some(role) => {
            let mut words = parts(wish, role, |what, wished, found| format!("{what} {wished} → {found}"));
            if role.name != wish.name {
                words.insert(0, format!("name {} → {}", wish.name, role.name));
            }
            if !role.powers.is_empty() {
                words.push(format!("more than its own database: {}", role.powers.join(", ")));
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
            let words = unlike(wish, database, size);
            if !words.is_empty() {
                all.push(Difference::new("database", Changed, words.join(", ")));
            }
        }
    }
    for (name, kind, words) in extensions_unlike(wish, found) {
        all.push(Difference::new(format!("extension {name}"), kind, words));
    }
    for other in found.databases.iter().filter(|database| database.name != wish.name) {
        let words = "a database that belongs to the role of this environment";
        all.push(Difference::new(format!("database {}", other.name), Added, words));
    }
    all
}

/// Which extensions are missing, and which are there that nobody asked for or the target does not list.
fn extensions_unlike<'a>(wish: &'a Wish, found: &'a Found) -> Vec<(&'a str, DifferenceKind, &'static str)> {
    let Some(installed) = &found.installed else { return Vec::new() };
    let missing = wish.extensions.iter().filter(|name| !installed.iter().any(|there| there.name == **name));
    let missing = missing.map(|name| (name.as_str(), DifferenceKind::Missing, "it is not installed"));
    let added = installed.iter().filter(|there| !wish.extensions.contains(&there.name)).filter_map(|there| {
        let words = match wish.rule.lists(&there.name) {
            false => "the target does not list it",
            true if there.schema == SCHEMA => "nobody asked for it",
            true => return None,
        };
        Some((there.name.as_str(), DifferenceKind::Added, words))
    });
    missing.chain(added).collect()
}

fn unlike(wish: &Wish, database: &Database, size: Option<u64>) -> Vec<String> {
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
    if database.owner != wish.owner {
        words.push(format!("owner {} → {}", wish.owner, database.owner));
    } else if !database.reachable {
        words.push("its role may not connect".to_owned());
    } else if database.extensible && wish.rule.closes() {
        words.push("its role may install extensions".to_owned());
    }
    if let (Some(size), Some(most)) = (size, wish.storage)
        && size > most
    {
        words.push(format!("it takes {} of {}", size_words(size), size_words(most)));
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

fn connections(limit: i32) -> String {
    if limit < 0 { "unlimited".to_owned() } else { limit.to_string() }
}

fn change(address: &str, action: PlanAction, summary: String) -> PlanChange {
    PlanChange { address: address.to_owned(), action, summary }
}
