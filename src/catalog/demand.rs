//! What an environment takes: of quotas, the key `quotas` of a manifest, and of priced items, its key `prices`;
//! expressions over the inputs. They are used from the manifest as it is stored.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::TemplateVersion;
use super::actions::own;
use super::expression::Expression;
use crate::base::{Charge, During, FieldError};

/// The largest amount; sums of environments stay far from the end of 64 bits.
const MOST: i64 = 1_000_000_000;

/// What an environment of this version takes with these inputs, by dimension, without the one
/// environment that it is. An expression that gives no amount is an error with its dimension.
pub fn demand_of(
    version: &TemplateVersion,
    inputs: &Map<String, Value>,
) -> Result<BTreeMap<String, i64>, Vec<FieldError>> {
    let Some(declared) = own(&version.manifest).get("quotas").and_then(Value::as_object) else {
        return Ok(BTreeMap::new());
    };
    let mut demand = BTreeMap::new();
    let mut errors = Vec::new();
    for (dimension, source) in declared {
        match amount(&source_of(source), &version.inputs_schema, inputs) {
            Ok(amount) => drop(demand.insert(dimension.clone(), amount)),
            Err(why) => {
                let detail = format!("the template does not say how much {dimension} this takes: {why}");
                errors.push(FieldError::new("/inputs", detail));
            }
        }
    }
    if errors.is_empty() { Ok(demand) } else { Err(errors) }
}

/// What an environment of this version takes of priced items with these inputs, in the order of the template,
/// without those of which it takes none. `None`: the template says nothing about prices.
pub fn charges_of(
    version: &TemplateVersion,
    inputs: &Map<String, Value>,
) -> Result<Option<Vec<Charge>>, Vec<FieldError>> {
    let declared = own(&version.manifest).get("prices").and_then(Value::as_array);
    let Some(declared) = declared.filter(|lines| !lines.is_empty()) else { return Ok(None) };
    let mut charges = Vec::new();
    let mut errors = Vec::new();
    for line in declared {
        let text = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default();
        let item = text("item").to_owned();
        let during = During::parse(text("while")).unwrap_or(During::Exists);
        let source = line.get("quantity").filter(|value| !value.is_null()).map_or_else(|| "1".to_owned(), source_of);
        match amount(&source, &version.inputs_schema, inputs) {
            Ok(0) => {}
            Ok(quantity) => charges.push(Charge { item, quantity, during }),
            Err(why) => {
                let detail = format!("the template does not say how much “{item}” this takes: {why}");
                errors.push(FieldError::new("/inputs", detail));
            }
        }
    }
    if errors.is_empty() { Ok(Some(charges)) } else { Err(errors) }
}

fn amount(source: &str, schema: &Value, inputs: &Map<String, Value>) -> Result<i64, String> {
    let expression = Expression::parse(source).map_err(|fault| fault.message)?;
    let amount = expression.whole_number(schema, inputs)?;
    if amount > MOST { Err(format!("{amount} is too much")) } else { Ok(amount) }
}

/// The expression as text; a number stands for itself.
fn source_of(source: &Value) -> String {
    source.as_str().map_or_else(|| source.to_string(), str::to_owned)
}
