//! Expressions over inputs, in the Common Expression Language (CEL): pure, bounded, and checked against the
//! schema of the inputs before anybody meets them.
//!
//! A subset: `inputs.<name>`, literals, lists, operators, `has`, `size`, `int`, `double`, `contains`,
//! `startsWith` and `endsWith`. There is nothing that repeats, so that an expression takes no longer than it is
//! long. Source: <https://github.com/google/cel-spec/blob/master/doc/langdef.md>.

mod types;

use cel::common::ast::{Expr, IdedExpr};
use cel::{Context, Program, Value as Cel};
use serde_json::{Map, Value};

pub use types::Type;

/// The longest expression, in characters.
const LONGEST: usize = 1000;
/// How deep one may be nested.
const DEEPEST: usize = 48;

/// What is wrong with an expression, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Characters before it.
    pub offset: usize,
    /// What is wrong, in words.
    pub message: String,
}

/// An expression that can be evaluated.
#[derive(Debug)]
pub struct Expression {
    program: Program,
}

impl Expression {
    /// Reads an expression.
    pub fn parse(source: &str) -> Result<Self, Fault> {
        let length = source.chars().count();
        if length > LONGEST {
            let message = format!("The expression has {length} characters; at most {LONGEST} fit.");
            return Err(Fault { offset: 0, message });
        }
        if let Some(offset) = too_deep(source) {
            return Err(Fault { offset, message: format!("It is nested deeper than {DEEPEST}.") });
        }
        let program = Program::compile(source).map_err(|errors| {
            let first = errors.errors.first();
            let offset = first.and_then(|error| usize::try_from(error.pos.1 - 1).ok()).unwrap_or_default();
            let why = first.map_or("it cannot be read", |error| error.msg.as_str());
            let why = why.strip_prefix("Syntax error: ").unwrap_or(why);
            Fault { offset, message: format!("This is no expression: {why}.") }
        })?;
        if deeper_than(program.expression(), DEEPEST) {
            return Err(Fault { offset: 0, message: format!("It is nested deeper than {DEEPEST}.") });
        }
        Ok(Self { program })
    }

    /// What it gives, by the schema of the inputs: unknown inputs and values that do not fit are faults.
    pub fn check(&self, schema: &Value) -> Result<Type, Fault> {
        types::Checker::new(&self.program, schema).check()
    }

    /// Its value for these inputs.
    fn evaluate(&self, schema: &Value, inputs: &Map<String, Value>) -> Result<Cel, String> {
        let mut context = Context::default();
        context.add_variable_from_value("inputs", types::object(schema, inputs));
        self.program.execute(&context).map_err(|error| error.to_string())
    }

    /// Its value, which must be a whole number that is not negative.
    pub fn whole_number(&self, schema: &Value, inputs: &Map<String, Value>) -> Result<i64, String> {
        match self.evaluate(schema, inputs)? {
            Cel::Int(number) if number >= 0 => Ok(number),
            Cel::UInt(number) => i64::try_from(number).map_err(|_| format!("{number} is too large")),
            Cel::Int(number) => Err(format!("{number} is negative")),
            Cel::Float(number) => Err(format!("{number} is not a whole number")),
            other => Err(format!("it is {}, not a whole number", kind(&other))),
        }
    }
}

fn kind(value: &Cel) -> &'static str {
    match value {
        Cel::String(_) => "text",
        Cel::Bool(_) => "true or false",
        Cel::List(_) => "a list",
        Cel::Null => "nothing",
        _ => "something else",
    }
}

/// Where brackets are nested deeper than they may be; the parser would follow them.
fn too_deep(source: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (offset, character) in source.chars().enumerate() {
        match character {
            '(' | '[' | '{' | '?' | '!' | '-' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return Some(offset);
        }
    }
    None
}

fn deeper_than(expression: &IdedExpr, levels: usize) -> bool {
    let Some(left) = levels.checked_sub(1) else { return true };
    let any = |parts: &[IdedExpr]| parts.iter().any(|part| deeper_than(part, left));
    match &expression.expr {
        Expr::Call(call) => call.target.as_ref().is_some_and(|target| deeper_than(target, left)) || any(&call.args),
        Expr::Select(select) => deeper_than(&select.operand, left),
        Expr::List(list) => any(&list.elements),
        // What the checker refuses anyhow is not looked into.
        _ => false,
    }
}

#[cfg(test)]
mod tests;
