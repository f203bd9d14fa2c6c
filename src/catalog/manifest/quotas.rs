//! The keys `quotas` and `prices`: what an environment takes, as expressions over its inputs. They are checked
//! once the inputs are known, which for some providers stand in files of their own.

use serde_json::Value;

use super::node::{Node, Place, Yaml};
use super::prices;
use super::reader::Reader;
use crate::base::text::is_dimension;
use crate::catalog::expression::{Expression, Fault, Type};
use crate::catalog::model::{Format, Problem};

/// The most dimensions of a template.
const MOST: usize = 20;

/// What is wrong with the expressions of a manifest that was read, by the schema of its inputs.
pub fn check_expressions(path: &str, format: Format, bytes: &[u8], schema: &Value) -> Vec<Problem> {
    let Ok(text) = std::str::from_utf8(bytes) else { return Vec::new() };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Ok(node) = Node::parse(text) else { return Vec::new() };
    let (own, prefix) = match format {
        Format::Paddock => (Some(&node), ""),
        Format::Ade => (node.get("x-paddock"), "x-paddock."),
    };
    let mut reader = Reader::new(path, text);
    if let Some(quotas) = own.and_then(|own| own.get("quotas")) {
        check(&mut reader, quotas, prefix, schema);
    }
    if let Some(own) = own {
        prices::check(&mut reader, own, prefix, schema);
    }
    reader.into_problems()
}

fn check(reader: &mut Reader<'_>, quotas: &Node, prefix: &str, schema: &Value) {
    let key = format!("{prefix}quotas");
    let entries = match &quotas.value {
        Yaml::Map(entries) => entries,
        Yaml::Null => return,
        _ => {
            let message =
                format!("“quotas” is a mapping from dimensions to amounts, not {}: write “vcpu: 2”.", quotas.kind());
            reader.error(quotas.at, &key, message);
            return;
        }
    };
    if entries.len() > MOST {
        reader.error(quotas.at, &key, format!("At most {MOST} dimensions fit."));
    }
    for (name, amount) in entries {
        let key = format!("{key}.{}", name.text);
        if name.text == "environments" {
            reader.error(name.at, &key, "“environments” is counted by itself: every environment is one.");
        } else if !is_dimension(&name.text) {
            let message = format!(
                "“{}” cannot name a dimension: use lower-case letters, digits and “_”, at most 40, such as “memory_gib”.",
                name.text
            );
            reader.error(name.at, &key, message);
        }
        amount_is_whole(reader, amount, &key, schema);
    }
}

/// Reports an amount that is no whole number and no expression that gives one.
pub(super) fn amount_is_whole(reader: &mut Reader<'_>, amount: &Node, key: &str, schema: &Value) {
    let Some(source) = amount.scalar(reader.source) else {
        let message = format!("An amount is a whole number or an expression, not {}.", amount.kind());
        reader.error(amount.at, key, message);
        return;
    };
    if let Err(fault) = whole_number(&source, schema) {
        let at = amount.within(reader.source, fault.offset);
        reader.error(at, key, fault.message);
    }
}

fn whole_number(source: &str, schema: &Value) -> Result<(), Fault> {
    match Expression::parse(source)?.check(schema)? {
        Type::Int | Type::Any => Ok(()),
        Type::Double => {
            let message =
                "It gives a number with a fraction, and an amount is a whole number: write int(…).".to_owned();
            Err(Fault { offset: 0, message })
        }
        other => {
            let message = format!("It gives {}; an amount is a whole number.", other.words());
            Err(Fault { offset: 0, message })
        }
    }
}

impl Node {
    /// The place of a character of a text: exact where the text stands on one line as it is.
    fn within(&self, source: &str, offset: usize) -> Place {
        let Some(written) = self.written(source) else { return self.at };
        let quoted = usize::from(written.starts_with(['\'', '"']));
        if written.contains('\n') || written.contains('\\') || written.contains("''") {
            return self.at;
        }
        Place { line: self.at.line, col: self.at.col.saturating_add(u32::try_from(offset + quoted).unwrap_or(0)) }
    }
}
