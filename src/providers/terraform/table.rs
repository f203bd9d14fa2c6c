//! The plan as a table, from `terraform show -json plan.bin`.

use serde_json::Value;

use crate::providers::process::plain;
use crate::providers::{Plan, PlanAction, PlanChange};

/// How many changed values one line names.
const MOST_VALUES: usize = 4;
/// How much of one value is shown, in characters.
const LONGEST_VALUE: usize = 40;

/// Reads the plan; `None` when it is not one.
pub fn read(json: &str) -> Option<Plan> {
    let value: Value = serde_json::from_str(json).ok()?;
    value.get("format_version")?;
    let changes = value.get("resource_changes").and_then(Value::as_array);
    Some(Plan::of(changes.into_iter().flatten().filter_map(line).collect()))
}

fn line(resource: &Value) -> Option<PlanChange> {
    let change = resource.get("change")?;
    let actions: Vec<&str> = change.get("actions")?.as_array()?.iter().filter_map(Value::as_str).collect();
    let action = match actions.as_slice() {
        ["create"] => PlanAction::Create,
        ["update"] => PlanAction::Change,
        ["delete"] => PlanAction::Destroy,
        ["delete", "create"] | ["create", "delete"] => PlanAction::Replace,
        // no-op, read, forget
        _ => return None,
    };
    let summary = match action {
        PlanAction::Destroy => String::new(),
        PlanAction::Create | PlanAction::Change | PlanAction::Replace => values(change),
    };
    let reason = match resource.get("action_reason").and_then(Value::as_str) {
        Some("replace_because_tainted") => "was left half made",
        Some("replace_because_cannot_update") => "cannot be changed in place",
        Some("replace_triggered_by") => "something that it depends on is replaced",
        Some("delete_because_no_resource_config") => "is no longer in the template",
        Some(_) | None => "",
    };
    let summary = [reason, &summary].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
    Some(PlanChange { address: resource.get("address")?.as_str()?.to_owned(), action, summary })
}

/// The values that differ, in words.
pub fn values(change: &Value) -> String {
    let null = Value::Null;
    let part = |name: &str| change.get(name).unwrap_or(&null);
    let mut found = Vec::new();
    let hidden = (part("before_sensitive"), part("after_sensitive"));
    differences("", part("before"), part("after"), hidden, &mut found);
    let more = found.len().saturating_sub(MOST_VALUES);
    found.truncate(MOST_VALUES);
    if more > 0 {
        found.push(format!("{more} more"));
    }
    found.join(", ")
}

fn differences(path: &str, before: &Value, after: &Value, hidden: (&Value, &Value), found: &mut Vec<String>) {
    // An attribute that is known only after the apply is missing here, not null.
    if before == after || after.is_null() {
        return;
    }
    if hidden.0 == &Value::Bool(true) || hidden.1 == &Value::Bool(true) {
        found.push(format!("{path} (sensitive)"));
        return;
    }
    match after {
        Value::Object(map) if before.is_null() || before.is_object() => {
            for (name, value) in map {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let inner = |value: &Value| value.get(name).cloned().unwrap_or(Value::Null);
                let hidden = (inner(hidden.0), inner(hidden.1));
                differences(&path, &inner(before), value, (&hidden.0, &hidden.1), found);
            }
        }
        _ if before.is_null() => found.push(format!("{path} = {}", short(after))),
        _ => found.push(format!("{path} {} → {}", short(before), short(after))),
    }
}

fn short(value: &Value) -> String {
    let text = match value {
        Value::String(text) => plain(text),
        other => other.to_string(),
    };
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(&text)),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plan(changes: &Value) -> Plan {
        read(&json!({"format_version": "1.2", "resource_changes": changes}).to_string()).unwrap()
    }

    #[test]
    fn a_plan_tells_what_changes_and_hides_what_is_secret() {
        let plan = plan(&json!([
            {"address": "a", "change": {"actions": ["update"],
                "before": {"input": {"memory": 256, "key": "old", "same": 1}},
                "after": {"input": {"memory": 512, "key": "new", "same": 1}},
                "before_sensitive": {}, "after_sensitive": {"input": {"key": true}}}},
            {"address": "b", "change": {"actions": ["no-op"], "before": {}, "after": {}}},
            {"address": "c", "action_reason": "replace_because_tainted",
                "change": {"actions": ["delete", "create"], "before": {"id": "x"}, "after": {}}},
            {"address": "d", "change": {"actions": ["delete"], "before": {"id": "x"}, "after": null}},
        ]));
        let lines: Vec<_> = plan.changes.iter().map(|c| (c.address.as_str(), c.action, c.summary.as_str())).collect();
        assert_eq!(
            lines,
            [
                ("a", PlanAction::Change, "input.memory 256 → 512, input.key (sensitive)"),
                ("c", PlanAction::Replace, "was left half made"),
                ("d", PlanAction::Destroy, ""),
            ]
        );
    }

    #[test]
    fn a_long_list_is_cut() {
        let after: Value = (0..9).map(|i| (format!("k{i}"), json!(i))).collect();
        let plan = plan(&json!([{"address": "a", "change": {"actions": ["create"], "before": null, "after": after}}]));
        assert_eq!(plan.changes[0].summary, "k0 = 0, k1 = 1, k2 = 2, k3 = 3, 5 more");
        assert_eq!(read("{}"), None);
    }
}
