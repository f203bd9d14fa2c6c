//! The book of the simulated cloud, as its oracle reads it.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::wait::lines;

/// Everything that may go wrong with a call and that a second look heals.
pub const LIES: [&str; 8] = [
    "throttle",
    "partial",
    "effect_then_500",
    "200_no_effect",
    "invisible",
    "wrong_id",
    "drop_response",
    "drop_request",
];

/// What the book says of one environment.
#[derive(Debug, Default)]
pub struct Account {
    /// How often each object was made, changed and removed.
    pub effects: BTreeMap<(String, String), usize>,
    /// The ids of what is there.
    pub there: BTreeMap<String, String>,
    /// Calls of replaced attempts, all refused.
    pub stale: usize,
    /// How often each fault hit.
    pub faults: BTreeMap<String, usize>,
    /// Calls that were answered.
    pub answered: usize,
}

/// Reads the book.
pub fn account(book: &Path, environment: &str) -> Account {
    let mut account = Account::default();
    let mut mine = Vec::new();
    for line in lines(book) {
        let line: Value = serde_json::from_str(&line).unwrap();
        if line["line"] == "answer" {
            account.answered += usize::from(mine.contains(&line["call"]));
            continue;
        }
        if line["environment"] != environment {
            continue;
        }
        mine.push(line["number"].clone());
        if line["stale"] == true {
            account.stale += 1;
            assert!(line["effect"].is_null(), "a replaced attempt changed something: {line}");
        }
        if let Some(fault) = line["fault"].as_str() {
            *account.faults.entry(fault.to_owned()).or_default() += 1;
        }
        let object = line["object"].as_str().unwrap().to_owned();
        let Some(effect) = line["effect"]["effect"].as_str() else { continue };
        if effect == "overlooked" {
            continue;
        }
        match effect {
            "made" => {
                let id = line["effect"]["id"].as_str().unwrap().to_owned();
                assert!(account.there.insert(object.clone(), id).is_none(), "{object} was made while it was there");
            }
            "removed" => drop(account.there.remove(&object).unwrap()),
            _ => {}
        }
        *account.effects.entry((object, effect.to_owned())).or_default() += 1;
    }
    account
}
