//! The key `prices`: what an environment takes of the items of the price book. Whether an item has a price is
//! not a matter of the template: prices come and go without it.

use serde_json::Value;

use super::node::{Node, Yaml};
use super::quotas::amount_is_whole;
use super::reader::Reader;
use crate::base::During;
use crate::base::text::is_item;
use crate::catalog::model::Severity;

/// The most lines of a template.
const MOST: usize = 40;

/// Reports everything that is wrong with them.
pub(super) fn check(reader: &mut Reader<'_>, own: &Node, prefix: &str, schema: &Value) {
    let lines = reader.list(own, "prices", prefix);
    if lines.len() > MOST {
        reader.error(own.place_of("/prices"), &format!("{prefix}prices"), format!("At most {MOST} items fit."));
    }
    for (index, line) in lines.iter().enumerate() {
        one(reader, line, &format!("{prefix}prices.{index}"), schema);
    }
}

fn one(reader: &mut Reader<'_>, line: &Node, key: &str, schema: &Value) {
    if !matches!(line.value, Yaml::Map(_)) {
        let message = format!("A price is a mapping with “item”, not {}: write “- item: vm.small”.", line.kind());
        reader.error(line.at, key, message);
        return;
    }
    let inner = format!("{key}.");
    reader.known_keys(line, &inner, &["item", "quantity", "while"], &[], Severity::Error);
    let item = reader.required_text(line, "item", &inner, "Name an item of the price book, such as “vm.small”.");
    if let Some(item) = item.filter(|item| !is_item(item)) {
        let message = format!(
            "“{item}” cannot name an item: use lower-case letters, digits, “.”, “_” and “-”, at most 60, such as “vm.small”."
        );
        reader.error(line.place_of("/item"), &format!("{inner}item"), message);
    }
    if let Some(quantity) = line.get("quantity") {
        amount_is_whole(reader, quantity, &format!("{inner}quantity"), schema);
    }
    if let Some(during) = reader.text(line, "while", &inner).filter(|text| During::parse(text).is_none()) {
        let message = format!("“while” is “running” (not while it is stopped) or “exists”, not “{during}”.");
        reader.error(line.get("while").map_or(line.at, |value| value.at), &format!("{inner}while"), message);
    }
}
