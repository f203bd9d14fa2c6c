//! What an environment takes of quotas: the key `quotas` of a manifest, expressions over the inputs by
//! dimension. They are used from the manifest as it is stored.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::TemplateVersion;
use super::actions::own;
use super::expression::Expression;
use crate::base::FieldError;

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

fn amount(source: &str, schema: &Value, inputs: &Map<String, Value>) -> Result<i64, String> {
    let expression = Expression::parse(source).map_err(|fault| fault.message)?;
    let amount = expression.whole_number(schema, inputs)?;
    if amount > MOST { Err(format!("{amount} is too much")) } else { Ok(amount) }
}

/// The expression as text; a number stands for itself.
fn source_of(source: &Value) -> String {
    source.as_str().map_or_else(|| source.to_string(), str::to_owned)
}
