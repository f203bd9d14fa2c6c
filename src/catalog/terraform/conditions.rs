//! Validations of a variable as keywords of JSON Schema, where there is one that says the same.

use hcl_edit::expr::{BinaryOp, BinaryOperator, Expression, FuncCall, TraversalOperator};
use serde_json::{Map, Value, json};

use super::literal;
use crate::catalog::schema as validator;

/// Adds what the condition says to the schema of the variable. False: it cannot be said; then
/// nothing is added.
pub(super) fn add(name: &str, condition: &Expression, schema: &mut Map<String, Value>) -> bool {
    let mut found = Vec::new();
    if !read(name, condition, schema, &mut found) {
        return false;
    }
    // Two of a kind would need an `allOf`, which no form shows.
    let mut together = schema.clone();
    for (keyword, value) in found {
        if together.insert(keyword.to_owned(), value).is_some() {
            return false;
        }
    }
    *schema = together;
    true
}

type Keywords = Vec<(&'static str, Value)>;

fn read(name: &str, condition: &Expression, schema: &Map<String, Value>, found: &mut Keywords) -> bool {
    match condition {
        Expression::Parenthesis(inner) => read(name, inner.inner(), schema, found),
        Expression::BinaryOp(operation) if *operation.operator.value() == BinaryOperator::And => {
            read(name, &operation.lhs_expr, schema, found) && read(name, &operation.rhs_expr, schema, found)
        }
        Expression::BinaryOp(operation) => comparison(name, operation, schema, found),
        Expression::FuncCall(call) => match call.name.name.as_str() {
            "contains" => choice(name, call, found),
            "can" => pattern(name, call, found),
            _ => false,
        },
        _ => false,
    }
}

/// `contains(["a", "b"], var.x)`
fn choice(name: &str, call: &FuncCall, found: &mut Keywords) -> bool {
    let (Some(choices), Some(subject)) = (call.args.get(0), call.args.get(1)) else { return false };
    let Some(Value::Array(choices)) = literal::value(choices) else { return false };
    if !is_variable(name, subject) || choices.is_empty() {
        return false;
    }
    found.push(("enum", Value::Array(choices)));
    true
}

/// `can(regex("…", var.x))`
fn pattern(name: &str, call: &FuncCall, found: &mut Keywords) -> bool {
    let Some(Expression::FuncCall(inner)) = call.args.get(0) else { return false };
    let (Some(pattern), Some(subject)) = (inner.args.get(0).and_then(Expression::as_str), inner.args.get(1)) else {
        return false;
    };
    let known = validator::compile(&json!({"pattern": pattern})).is_ok();
    if inner.name.name.as_str() != "regex" || !is_variable(name, subject) || !known {
        return false;
    }
    found.push(("pattern", pattern.into()));
    true
}

/// `var.x >= 1`, `length(var.x) < 20`, and the same the other way round.
fn comparison(name: &str, operation: &BinaryOp, schema: &Map<String, Value>, found: &mut Keywords) -> bool {
    use BinaryOperator::{Eq, Greater, GreaterEq, Less, LessEq};
    let operator = *operation.operator.value();
    let (subject, operator, limit) = match (literal::value(&operation.lhs_expr), literal::value(&operation.rhs_expr)) {
        (None, Some(limit)) => (&operation.lhs_expr, operator, limit),
        (Some(limit), None) => {
            let turned = match operator {
                Less => Greater,
                LessEq => GreaterEq,
                Greater => Less,
                GreaterEq => LessEq,
                other => other,
            };
            (&operation.rhs_expr, turned, limit)
        }
        _ => return false,
    };
    if is_variable(name, subject) && limit.is_number() {
        let keyword = match operator {
            GreaterEq => "minimum",
            Greater => "exclusiveMinimum",
            LessEq => "maximum",
            Less => "exclusiveMaximum",
            _ => return false,
        };
        found.push((keyword, limit));
        return true;
    }
    let Expression::FuncCall(call) = subject else { return false };
    if call.name.name.as_str() != "length" || !call.args.get(0).is_some_and(|of| is_variable(name, of)) {
        return false;
    }
    let Some(limit) = limit.as_u64() else { return false };
    let (least, most) = match schema.get("type").and_then(Value::as_str) {
        Some("string") => ("minLength", "maxLength"),
        Some("array") => ("minItems", "maxItems"),
        Some("object") => ("minProperties", "maxProperties"),
        _ => return false,
    };
    match operator {
        GreaterEq => found.push((least, limit.into())),
        Greater => found.push((least, (limit + 1).into())),
        LessEq => found.push((most, limit.into())),
        Less if limit > 0 => found.push((most, (limit - 1).into())),
        Eq => found.extend([(least, limit.into()), (most, limit.into())]),
        _ => return false,
    }
    true
}

/// Whether it is `var.NAME`.
fn is_variable(name: &str, expression: &Expression) -> bool {
    let Expression::Traversal(traversal) = expression else { return false };
    let Expression::Variable(root) = &traversal.expr else { return false };
    let [operator] = traversal.operators.as_slice() else { return false };
    match operator.value() {
        TraversalOperator::GetAttr(attribute) => root.as_str() == "var" && attribute.as_str() == name,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(kind: &str, condition: &str) -> Option<Value> {
        let mut schema = Map::new();
        schema.insert("type".to_owned(), kind.into());
        let added = add("x", &condition.parse().unwrap(), &mut schema);
        schema.shift_remove("type");
        assert!(added || schema.is_empty(), "half a condition: {schema:?}");
        added.then_some(Value::Object(schema))
    }

    #[test]
    fn conditions_become_keywords_or_nothing() {
        for (kind, condition, keywords) in [
            ("string", r#"contains(["a", "b"], var.x)"#, json!({"enum": ["a", "b"]})),
            ("string", r#"can(regex("^a\\d$", var.x))"#, json!({"pattern": "^a\\d$"})),
            ("string", "length(var.x) > 2 && (length(var.x) < 9)", json!({"minLength": 3, "maxLength": 8})),
            ("array", "length(var.x) == 2", json!({"minItems": 2, "maxItems": 2})),
            ("number", "var.x >= -1 && 10 > var.x", json!({"minimum": -1, "exclusiveMaximum": 10})),
        ] {
            assert_eq!(said(kind, condition), Some(keywords), "{condition}");
        }
        for condition in [
            "var.x > 1 || var.x == 0",
            "var.y > 1",
            "floor(var.x) == var.x",
            r#"can(regex("(?<", var.x))"#,
            "var.x > 1 && lower(var.x) == var.x",
            "var.x > 1 && var.x > 2",
            "!contains([1], var.x)",
        ] {
            assert_eq!(said("number", condition), None, "{condition}");
        }
    }
}
