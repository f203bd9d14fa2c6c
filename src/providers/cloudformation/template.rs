//! What the manifest and the inputs ask for: the template's text, its parameters, and how it is made.

use std::str::FromStr as _;
use std::time::Duration;

use aws_sdk_cloudformation::types::{Capability, Parameter};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::providers::{Job, ProviderError, stack_body};

/// The names that are looked for where the manifest names no file.
pub const NAMES: [&str; 3] = ["template.yaml", "template.yml", "template.json"];

/// The manifest's `config`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// The file with the template.
    template: Option<String>,
    /// What the author knows that the template does: `CAPABILITY_IAM` and the like.
    capabilities: Vec<String>,
    /// How long it may take; wins over the target's.
    deadline_seconds: Option<u64>,
}

/// What is to be there after an apply.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The template's text.
    pub body: String,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// What is acknowledged.
    pub capabilities: Vec<Capability>,
}

/// Reads what the job wishes.
pub fn wish(job: &Job) -> Result<Wish, ProviderError> {
    let config = config(job)?;
    let file = match &config.template {
        Some(path) => job.files.iter().find(|file| file.path == *path),
        None => NAMES.iter().find_map(|name| job.files.iter().find(|file| file.path == *name)),
    };
    let file = file.ok_or_else(|| {
        let name = config.template.unwrap_or_else(|| NAMES.join(", "));
        ProviderError::failed(format!("the template has no file {name}"))
    })?;
    let text =
        std::str::from_utf8(&file.content).map_err(|_| ProviderError::failed(format!("{} is not UTF-8", file.path)))?;
    let text = text.trim_start_matches('\u{feff}');
    let body = stack_body(text).map_err(|why| ProviderError::failed(format!("{} {why}", file.path)))?.into_owned();
    let capabilities = config.capabilities.iter().map(|word| {
        Capability::from_str(word)
            .ok()
            .filter(|capability| Capability::values().contains(&capability.as_str()))
            .ok_or_else(|| {
                let known = Capability::values().join(", ");
                ProviderError::failed(format!(
                    "the template's config has the capability “{word}”, which is not one of {known}"
                ))
            })
    });
    let capabilities = capabilities.collect::<Result<_, _>>()?;
    Ok(Wish { body, parameters: parameters(&job.inputs), capabilities })
}

/// How long the template says that it may take.
pub fn deadline(job: &Job) -> Result<Option<Duration>, ProviderError> {
    Ok(config(job)?.deadline_seconds.map(Duration::from_secs))
}

fn config(job: &Job) -> Result<Config, ProviderError> {
    if job.config.is_null() {
        return Ok(Config::default());
    }
    Config::deserialize(&job.config)
        .map_err(|error| ProviderError::failed(format!("the template's config cannot be used: {error}")))
}

/// Every input is the parameter of its name; null leaves it to the template's default.
fn parameters(inputs: &Map<String, Value>) -> Vec<Parameter> {
    inputs
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| Parameter::builder().parameter_key(name).parameter_value(text(value)).build())
        .collect()
}

/// Parameters are texts; a list is one text with commas.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        Value::Null => String::new(),
        // A whole number that a form has as 5.0 is 5 for CloudFormation.
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15 => format!("{float:.0}"),
            _ => number.to_string(),
        },
        Value::Bool(_) | Value::Object(_) => value.to_string(),
    }
}

/// The logical ids in a template's text that stay when their stack is removed.
pub fn kept(body: &str) -> Vec<String> {
    let template: Value = serde_json::from_str(body).or_else(|_| serde_saphyr::from_str(body)).unwrap_or_default();
    let resources = template.get("Resources").and_then(Value::as_object);
    resources
        .into_iter()
        .flatten()
        .filter(|(_, resource)| {
            let policy = resource.get("DeletionPolicy").and_then(Value::as_str);
            matches!(policy, Some("Retain" | "RetainExceptOnCreate"))
        })
        .map(|(name, _)| name.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn inputs_become_texts() {
        let inputs = json!({"a": "x", "b": 5, "c": 5.0, "d": 0.5, "e": true, "f": ["x", 2], "g": null});
        let found = parameters(inputs.as_object().unwrap());
        let found: Vec<_> =
            found.iter().map(|one| (one.parameter_key().unwrap(), one.parameter_value().unwrap())).collect();
        assert_eq!(found, [("a", "x"), ("b", "5"), ("c", "5"), ("d", "0.5"), ("e", "true"), ("f", "x,2")]);
    }

    #[test]
    fn what_stays_is_read_out_of_yaml_with_short_tags_and_out_of_json() {
        let yaml = "Resources:\n  A:\n    Type: T\n    DeletionPolicy: Retain\n    Properties:\n      X: !Sub '${Y}-x'\n      \
                    Z: !If [C, !GetAtt A.Arn, !Ref AWS::NoValue]\n  B:\n    Type: T\n    DeletionPolicy: Delete\n";
        assert_eq!(kept(yaml), ["A"]);
        let json =
            r#"{"Resources": {"A": {"DeletionPolicy": "RetainExceptOnCreate"}, "B": {"DeletionPolicy": "Snapshot"}}}"#;
        assert_eq!(kept(json), ["A"]);
        assert_eq!(kept("{"), Vec::<String>::new());
    }
}
