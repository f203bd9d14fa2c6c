//! What differs between two versions of a state: resources by address, attributes by name. Values
//! are not told, because a state does not say of every secret that it is one.

use std::collections::BTreeMap;

use serde_json::Value;

use super::state::State;
use crate::providers::{PlanAction, PlanChange};

/// The resources that `after` has more, changed or less than `before`. `None`: not states.
pub fn changes(before: Option<&[u8]>, after: &[u8]) -> Option<Vec<PlanChange>> {
    let after = State::parse(after)?.attributes();
    let before = match before {
        Some(before) => State::parse(before)?.attributes(),
        None => BTreeMap::new(),
    };
    let mut found = Vec::new();
    for (address, now) in &after {
        let (action, summary) = match before.get(address) {
            None => (PlanAction::Create, String::new()),
            Some(was) if was == now => continue,
            Some(was) => (PlanAction::Change, differing(was, now)),
        };
        found.push(PlanChange { address: address.clone(), action, summary });
    }
    let gone = before.keys().filter(|address| !after.contains_key(*address));
    found.extend(gone.map(|address| PlanChange {
        address: address.clone(),
        action: PlanAction::Destroy,
        summary: String::new(),
    }));
    Some(found)
}

/// The names of the attributes that differ.
fn differing(was: &Value, now: &Value) -> String {
    let (Some(was), Some(now)) = (was.as_object(), now.as_object()) else { return String::new() };
    let mut names: Vec<&str> = was.keys().chain(now.keys()).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| was.get(*name) != now.get(*name));
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn resources_are_more_changed_or_less_and_values_are_not_told() {
        let state =
            |resources: Value| json!({"version": 4, "lineage": "a", "serial": 1, "resources": resources}).to_string();
        let one = |name: &str, attributes: Value| json!({"mode": "managed", "type": "t", "name": name, "instances": [{"attributes": attributes}]});
        let before = state(json!([
            one("kept", json!({"id": 1})),
            one("changed", json!({"key": "old", "id": 2})),
            one("gone", json!({}))
        ]));
        let after = state(json!([
            one("kept", json!({"id": 1})),
            one("changed", json!({"key": "new", "id": 2, "more": 1})),
            one("new", json!({}))
        ]));
        let found = changes(Some(before.as_bytes()), after.as_bytes()).unwrap();
        let lines: Vec<_> = found.iter().map(|c| (c.address.as_str(), c.action, c.summary.as_str())).collect();
        assert_eq!(
            lines,
            [
                ("t.changed", PlanAction::Change, "key, more"),
                ("t.new", PlanAction::Create, ""),
                ("t.gone", PlanAction::Destroy, "")
            ]
        );
        assert_eq!(changes(None, before.as_bytes()).unwrap().len(), 3);
        assert_eq!(changes(Some(b"{}"), after.as_bytes()), None);
    }
}
