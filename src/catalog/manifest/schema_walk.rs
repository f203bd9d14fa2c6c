//! Walks the schemas inside a schema, and follows its references within bounds.

use serde_json::{Map, Value};

/// Keywords whose value maps names to schemas.
const NAMED: [&str; 5] = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];
/// Keywords whose value is a list of schemas.
const LISTED: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
/// Keywords whose value is a schema.
const SINGLE: [&str; 10] = [
    "items",
    "additionalProperties",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// Most schemas that a schema may unfold to: the validator would walk them all for every check.
const MAX_UNFOLDED: usize = 5_000;

/// Calls `visit` with the JSON pointer and the members of every schema, outer ones first.
pub(super) fn walk<'s>(schema: &'s Value, pointer: &str, visit: &mut dyn FnMut(&str, &'s Map<String, Value>)) {
    let Value::Object(map) = schema else { return };
    visit(pointer, map);
    each_child(map, pointer, &mut |pointer, child| walk(child, &pointer, visit));
}

fn each_child<'s>(map: &'s Map<String, Value>, pointer: &str, visit: &mut dyn FnMut(String, &'s Value)) {
    for keyword in NAMED {
        for (name, child) in map.get(keyword).and_then(Value::as_object).into_iter().flatten() {
            visit(format!("{pointer}/{keyword}/{}", crate::catalog::schema::escape(name)), child);
        }
    }
    for keyword in LISTED {
        for (index, child) in map.get(keyword).and_then(Value::as_array).into_iter().flatten().enumerate() {
            visit(format!("{pointer}/{keyword}/{index}"), child);
        }
    }
    for keyword in SINGLE {
        if let Some(child) = map.get(keyword) {
            visit(format!("{pointer}/{keyword}"), child);
        }
    }
}

/// Why the references of a schema cannot be followed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unfollowable {
    /// A schema contains itself.
    Cycle(String),
    /// It unfolds to too many schemas.
    TooLarge,
}

/// Follows every reference as the validator would.
pub(super) fn unfold(root: &Value) -> Result<(), Unfollowable> {
    let mut budget = MAX_UNFOLDED;
    follow(root, root, &mut Vec::new(), &mut budget)
}

fn follow<'s>(
    root: &'s Value,
    schema: &'s Value,
    above: &mut Vec<&'s str>,
    budget: &mut usize,
) -> Result<(), Unfollowable> {
    let Value::Object(map) = schema else { return Ok(()) };
    *budget = budget.checked_sub(1).ok_or(Unfollowable::TooLarge)?;
    if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
        if reference == "#" || above.contains(&reference) {
            return Err(Unfollowable::Cycle(reference.to_owned()));
        }
        if let Some(target) = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer)) {
            above.push(reference);
            follow(root, target, above, budget)?;
            above.pop();
        }
    }
    let mut children = Vec::new();
    each_child(map, "", &mut |_, child| children.push(child));
    // A definition that is used is followed from where it is used; the others are followed here.
    for child in children {
        follow(root, child, above, budget)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cycles_and_explosions_are_found() {
        let cycle = json!({"$defs": {"a": {"properties": {"b": {"$ref": "#/$defs/a"}}}}, "properties": {"x": {"$ref": "#/$defs/a"}}});
        assert_eq!(unfold(&cycle), Err(Unfollowable::Cycle("#/$defs/a".into())));
        assert!(unfold(&json!({"properties": {"x": {"$ref": "#"}}})).is_err());
        let mut defs = Map::new();
        for level in 0..20 {
            let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
            defs.insert(format!("d{level}"), json!({"allOf": [next, next]}));
        }
        assert_eq!(unfold(&json!({"$defs": defs})), Err(Unfollowable::TooLarge));
        assert_eq!(
            unfold(
                &json!({"$defs": {"a": {}}, "properties": {"x": {"$ref": "#/$defs/a"}, "y": {"$ref": "#/$defs/a"}}})
            ),
            Ok(())
        );
    }
}
