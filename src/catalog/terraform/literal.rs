//! HCL expressions that are values already.

use hcl_edit::expr::{Expression, ObjectKey, UnaryOperator};
use serde_json::{Map, Number, Value};

/// The value, when nothing has to be worked out for it.
pub(super) fn value(expression: &Expression) -> Option<Value> {
    match expression {
        Expression::Null(_) => Some(Value::Null),
        Expression::Bool(value) => Some(Value::Bool(*value.value())),
        Expression::Number(value) => number(value.value()).map(Value::Number),
        Expression::String(value) => Some(Value::String(value.value().clone())),
        Expression::Array(items) => items.iter().map(value).collect::<Option<Vec<_>>>().map(Value::Array),
        Expression::Object(entries) => {
            let mut map = Map::new();
            for (key, entry) in entries {
                map.insert(name(key)?, value(entry.expr())?);
            }
            Some(Value::Object(map))
        }
        Expression::Parenthesis(inner) => value(inner.inner()),
        Expression::UnaryOp(operation) if *operation.operator.value() == UnaryOperator::Neg => {
            let number = value(&operation.expr)?;
            let negative = match number.as_i64() {
                Some(whole) => Some(Number::from(-whole)),
                None => Number::from_f64(-number.as_f64()?),
            };
            negative.map(Value::Number)
        }
        Expression::StringTemplate(_)
        | Expression::HeredocTemplate(_)
        | Expression::Variable(_)
        | Expression::Conditional(_)
        | Expression::FuncCall(_)
        | Expression::Traversal(_)
        | Expression::UnaryOp(_)
        | Expression::BinaryOp(_)
        | Expression::ForExpr(_) => None,
    }
}

/// A key of an object.
pub(super) fn name(key: &ObjectKey) -> Option<String> {
    match key {
        ObjectKey::Ident(ident) => Some(ident.as_str().to_owned()),
        ObjectKey::Expression(expression) => match value(expression)? {
            Value::String(text) => Some(text),
            _ => None,
        },
    }
}

fn number(number: &hcl_edit::Number) -> Option<Number> {
    match (number.as_i64(), number.as_u64()) {
        (Some(whole), _) => Some(whole.into()),
        (None, Some(whole)) => Some(whole.into()),
        (None, None) => number.as_f64().and_then(Number::from_f64),
    }
}
