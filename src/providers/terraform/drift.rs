//! What others changed of a stack: what a refresh found to differ from the state, as far as an apply of
//! the same inputs would mend it.
//!
//! A provider may tell that values differ which nobody set, for example the time of its last look; those
//! an apply leaves alone, and so does this. What an apply would change without anybody having touched it,
//! for example a value made of the time, is no drift either.

use std::collections::BTreeSet;

use serde_json::Value;

use super::table;
use crate::base::digest::canonical_json;
use crate::providers::{Difference, DifferenceKind, Job};

/// Reads the differences from a plan with refresh; `None` when it is not a plan.
pub fn read(json: &str, job: &Job) -> Option<Vec<Difference>> {
    let plan: Value = serde_json::from_str(json).ok()?;
    plan.get("format_version")?;
    let mended: BTreeSet<&str> =
        all(&plan, "resource_changes").filter(|one| is_change(one)).filter_map(address).collect();
    let drifted = all(&plan, "resource_drift").filter(|one| address(one).is_some_and(|name| mended.contains(name)));
    Some(drifted.filter_map(|one| difference(one, job)).collect())
}

fn all<'a>(plan: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    let entries = plan.get(list).and_then(Value::as_array).into_iter().flatten();
    entries.filter(|one| one.get("mode").and_then(Value::as_str) != Some("data"))
}

fn address(one: &Value) -> Option<&str> {
    one.get("address")?.as_str()
}

fn actions(one: &Value) -> Vec<&str> {
    let actions = one.pointer("/change/actions").and_then(Value::as_array);
    actions.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn is_change(one: &Value) -> bool {
    actions(one).iter().any(|action| matches!(*action, "create" | "update" | "delete"))
}

fn difference(one: &Value, job: &Job) -> Option<Difference> {
    let (address, change) = (address(one)?, one.get("change")?);
    if actions(one) == ["delete"] {
        let id = change.pointer("/before/id").and_then(Value::as_str);
        let words =
            id.map_or_else(|| "it is not there any more".to_owned(), |id| format!("{id} is not there any more"));
        return Some(Difference::new(address, DifferenceKind::Missing, words));
    }
    let words = Some(table::values(change)).filter(|words| !words.is_empty());
    let words = words.unwrap_or_else(|| "values were taken away".to_owned());
    let found = canonical_json(change.get("after").unwrap_or(&Value::Null));
    Some(Difference::new(address, DifferenceKind::Changed, words).told_by(job, found.as_bytes()))
}
