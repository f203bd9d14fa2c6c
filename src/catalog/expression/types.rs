//! Types of expressions, by the JSON Schema of the inputs.
//!
//! CEL does not mix whole numbers and fractions, and fails when an input is absent; so that no request meets
//! that, it is found here, before a template is imported.

use std::collections::{BTreeSet, HashMap};

use cel::common::ast::operators as op;
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, SelectExpr};
use cel::objects::Key;
use cel::{Program, Value as Cel};
use serde_json::{Map, Value};

use super::Fault;
use crate::catalog::manifest::{closest, list_words};

/// What an expression gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// A whole number.
    Int,
    /// A number with a fraction.
    Double,
    /// True or false.
    Bool,
    /// Text.
    Text,
    /// A list.
    List(Box<Self>),
    /// What this schema describes.
    Object(Value),
    /// Nobody knows before it is evaluated.
    Any,
}

impl Type {
    fn of(schema: &Value) -> Self {
        let name = match schema.get("type") {
            Some(Value::String(name)) => name.as_str(),
            Some(Value::Array(names)) => {
                let mut real = names.iter().filter_map(Value::as_str).filter(|name| *name != "null");
                match (real.next(), real.next()) {
                    (Some(name), None) => name,
                    _ => return Self::Any,
                }
            }
            _ => return by_values(schema),
        };
        match name {
            "integer" => Self::Int,
            "number" => Self::Double,
            "boolean" => Self::Bool,
            "string" => Self::Text,
            "array" => Self::List(Box::new(schema.get("items").map_or(Self::Any, Self::of))),
            "object" => Self::Object(schema.clone()),
            _ => Self::Any,
        }
    }

    /// The type in a sentence.
    pub fn words(&self) -> &'static str {
        match self {
            Self::Int => "a whole number",
            Self::Double => "a number with a fraction",
            Self::Bool => "true or false",
            Self::Text => "text",
            Self::List(_) => "a list",
            Self::Object(_) => "a group",
            Self::Any => "anything",
        }
    }

    fn fits(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) | (Self::Object(_), Self::Object(_)) => true,
            (Self::List(one), Self::List(other)) => one.fits(other),
            (one, other) => one == other,
        }
    }
}

/// A schema without a type may still list its values.
fn by_values(schema: &Value) -> Type {
    match schema.get("enum").and_then(Value::as_array).map(Vec::as_slice) {
        Some(values) if !values.is_empty() && values.iter().all(Value::is_string) => Type::Text,
        _ => Type::Any,
    }
}

/// The inputs as CEL has them, each by the type of its schema.
pub(super) fn object(schema: &Value, inputs: &Map<String, Value>) -> Cel {
    let none = Value::Null;
    let of = |name: &str| schema.get("properties").and_then(|all| all.get(name)).unwrap_or(&none);
    let given = inputs.iter().filter(|(_, value)| !value.is_null());
    let entries: HashMap<Key, Cel> = given.map(|(name, one)| (Key::from(name.clone()), value(of(name), one))).collect();
    Cel::Map(entries.into())
}

fn value(schema: &Value, given: &Value) -> Cel {
    match given {
        Value::Null => Cel::Null,
        Value::Bool(given) => Cel::Bool(*given),
        Value::String(given) => Cel::from(given.as_str()),
        Value::Number(number) => match (number.as_i64(), Type::of(schema)) {
            (_, Type::Double) | (None, Type::Any) => Cel::Float(number.as_f64().unwrap_or(f64::NAN)),
            (Some(number), _) => Cel::Int(number),
            (None, _) => whole(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::Array(items) => {
            let of = schema.get("items").unwrap_or(&Value::Null);
            Cel::List(items.iter().map(|item| value(of, item)).collect::<Vec<_>>().into())
        }
        Value::Object(given) => object(schema, given),
    }
}

/// JSON Schema takes `2.0` for an integer.
fn whole(number: f64) -> Cel {
    if number.fract() == 0.0 && number.abs() < 9.0e15 {
        format!("{number:.0}").parse().map_or(Cel::Float(number), Cel::Int)
    } else {
        Cel::Float(number)
    }
}

/// Finds what is wrong with an expression before it is ever evaluated.
pub(super) struct Checker<'a> {
    program: &'a Program,
    schema: &'a Value,
    /// The inputs that `has` is asked about somewhere.
    guarded: BTreeSet<String>,
}

type Found = Result<Type, Fault>;

impl<'a> Checker<'a> {
    pub(super) fn new(program: &'a Program, schema: &'a Value) -> Self {
        let mut guarded = BTreeSet::new();
        collect_guarded(program.expression(), &mut guarded);
        Self { program, schema, guarded }
    }

    pub(super) fn check(&self) -> Found {
        self.of(self.program.expression())
    }

    fn fault<T>(&self, at: &IdedExpr, message: impl Into<String>) -> Result<T, Fault> {
        let offset = self.program.source_info().offset_for(at.id).map_or(0, |(start, _)| start);
        Err(Fault { offset: usize::try_from(offset).unwrap_or_default(), message: message.into() })
    }

    fn of(&self, at: &IdedExpr) -> Found {
        match &at.expr {
            Expr::Literal(literal) => self.literal(at, literal),
            Expr::Ident(name) if name == "inputs" => Ok(Type::Object(self.schema.clone())),
            Expr::Ident(name) => {
                let message = format!("There is nothing called “{name}” here: write “inputs.{name}” for an input.");
                self.fault(at, message)
            }
            Expr::Select(select) => self.select(at, select),
            Expr::Call(call) => self.call(at, call),
            Expr::List(list) => {
                let mut items = Type::Any;
                for element in &list.elements {
                    let found = self.of(element)?;
                    if !found.fits(&items) {
                        return self.fault(element, "The items of a list are of one kind.");
                    }
                    items = found;
                }
                Ok(Type::List(Box::new(items)))
            }
            Expr::Comprehension(_) => {
                self.fault(at, "Nothing that repeats can be used here (all, exists, map, filter).")
            }
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => self.fault(at, "This cannot be used here."),
        }
    }

    fn literal(&self, at: &IdedExpr, literal: &LiteralValue) -> Found {
        Ok(match literal {
            LiteralValue::Boolean(_) => Type::Bool,
            LiteralValue::Double(_) => Type::Double,
            LiteralValue::Int(_) => Type::Int,
            LiteralValue::String(_) => Type::Text,
            LiteralValue::UInt(_) | LiteralValue::Bytes(_) | LiteralValue::Null => {
                return self.fault(at, "Literals are whole numbers, fractions, texts, true and false.");
            }
        })
    }

    fn select(&self, at: &IdedExpr, select: &SelectExpr) -> Found {
        let outer = self.of(&select.operand)?;
        let found = match &outer {
            Type::Object(schema) => self.property(at, select, schema)?,
            Type::Any => Type::Any,
            other => return self.fault(at, format!("“.{}” of {} is nothing.", select.field, other.words())),
        };
        Ok(if select.test { Type::Bool } else { found })
    }

    fn property(&self, at: &IdedExpr, select: &SelectExpr, schema: &Value) -> Found {
        let name = &select.field;
        let properties = schema.get("properties").and_then(Value::as_object);
        let Some(property) = properties.and_then(|all| all.get(name)) else {
            let names = || properties.into_iter().flat_map(Map::keys).map(String::as_str);
            let advice = match (closest(name, names()), names().next()) {
                (Some(meant), _) => format!("Did you mean “{meant}”?"),
                (None, Some(_)) => format!("There are {}.", list_words(names(), "and")),
                (None, None) => "There are none.".to_owned(),
            };
            return self.fault(at, format!("There is no input “{name}”. {advice}"));
        };
        if property.get("writeOnly") == Some(&Value::Bool(true)) {
            return self.fault(at, format!("“{name}” is a secret: what something takes cannot follow from it."));
        }
        let required = schema.get("required").and_then(Value::as_array);
        let always = required.is_some_and(|all| all.iter().any(|one| one == name)) || property.get("default").is_some();
        if !always && !select.test && !self.guarded.contains(name) {
            let message = format!(
                "“{name}” may be left out: give it a default, or write “has(inputs.{name}) ? inputs.{name} : …”."
            );
            return self.fault(at, message);
        }
        Ok(Type::of(property))
    }

    fn call(&self, at: &IdedExpr, call: &CallExpr) -> Found {
        let mut types = Vec::new();
        for part in call.target.iter().map(AsRef::as_ref).chain(&call.args) {
            types.push((part, self.of(part)?));
        }
        let all = |wanted: &[Type]| types.iter().all(|(_, found)| wanted.iter().any(|one| one.fits(found)));
        let same = || types.windows(2).all(|pair| matches!(pair, [(_, one), (_, other)] if one.fits(other)));
        let first = || types.iter().map(|(_, found)| found).find(|found| **found != Type::Any).cloned();
        let refused = || {
            let kinds: Vec<&str> = types.iter().map(|(_, found)| found.words()).collect();
            let advice = if types.iter().any(|(_, one)| *one == Type::Int)
                && types.iter().any(|(_, one)| *one == Type::Double)
            {
                " Write int(…) or double(…) around one of them."
            } else {
                ""
            };
            format!("“{}” does not go with {}.{advice}", sign(&call.func_name), kinds.join(" and "))
        };
        let found = match (call.func_name.as_str(), types.as_slice()) {
            (op::CONDITIONAL, [(_, when), (_, then), (_, other)]) => (Type::Bool.fits(when) && then.fits(other))
                .then(|| if *then == Type::Any { other.clone() } else { then.clone() }),
            (op::LOGICAL_AND | op::LOGICAL_OR, [_, _]) | (op::LOGICAL_NOT, [_]) => {
                all(&[Type::Bool]).then_some(Type::Bool)
            }
            (op::ADD, [_, _]) if all(&[Type::Text]) => Some(Type::Text),
            (op::ADD | op::SUBSTRACT | op::MULTIPLY | op::DIVIDE, [_, _]) | (op::NEGATE, [_]) => {
                (all(&[Type::Int, Type::Double]) && same()).then(|| first().unwrap_or(Type::Any))
            }
            (op::MODULO, [_, _]) => all(&[Type::Int]).then_some(Type::Int),
            (op::EQUALS | op::NOT_EQUALS, [_, _]) => same().then_some(Type::Bool),
            (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, [_, _]) => {
                (all(&[Type::Int, Type::Double, Type::Text]) && same()).then_some(Type::Bool)
            }
            (op::IN, [(_, item), (_, list)]) => Type::List(Box::new(item.clone())).fits(list).then_some(Type::Bool),
            (op::INDEX, [(_, Type::List(item)), (_, at)]) => Type::Int.fits(at).then(|| item.as_ref().clone()),
            ("size", [(_, of)]) => {
                matches!(of, Type::Text | Type::List(_) | Type::Object(_) | Type::Any).then_some(Type::Int)
            }
            ("int", [_]) if call.target.is_none() => all(&[Type::Int, Type::Double, Type::Text]).then_some(Type::Int),
            ("double", [_]) if call.target.is_none() => {
                all(&[Type::Int, Type::Double, Type::Text]).then_some(Type::Double)
            }
            ("contains" | "startsWith" | "endsWith", [_, _]) if call.target.is_some() => {
                all(&[Type::Text]).then_some(Type::Bool)
            }
            (name, _) => {
                let message = format!(
                    "“{}” cannot be used here. There are operators, has, size, int, double, contains, startsWith and \
                     endsWith.",
                    sign(name)
                );
                return self.fault(at, message);
            }
        };
        found.map_or_else(|| self.fault(at, refused()), Ok)
    }
}

/// An operator as it is written.
fn sign(name: &str) -> &str {
    match name {
        op::CONDITIONAL => "? :",
        op::IN => "in",
        other => other.trim_matches('_'),
    }
}

fn collect_guarded(at: &IdedExpr, found: &mut BTreeSet<String>) {
    match &at.expr {
        Expr::Select(select) => {
            if select.test {
                found.insert(select.field.clone());
            }
            collect_guarded(&select.operand, found);
        }
        Expr::Call(call) => {
            call.target.iter().for_each(|target| collect_guarded(target, found));
            call.args.iter().for_each(|part| collect_guarded(part, found));
        }
        Expr::List(list) => list.elements.iter().for_each(|part| collect_guarded(part, found)),
        Expr::Comprehension(_)
        | Expr::Ident(_)
        | Expr::Literal(_)
        | Expr::Map(_)
        | Expr::Struct(_)
        | Expr::Unspecified => {}
    }
}
