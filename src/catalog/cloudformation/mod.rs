//! The `Parameters` of a CloudFormation template as the JSON Schema of a template's inputs, and its
//! `Outputs` as what an environment gives, for manifests that declare none themselves.
//!
//! The file is parsed, never evaluated: YAML with the short forms of functions (`!Ref`), or JSON. Types,
//! defaults, allowed values, patterns and bounds are taken over ([`parameter`]), `NoEcho` makes a secret,
//! and `AWS::CloudFormation::Interface` gives labels and order. What depends on the account (whether a key
//! pair exists) CloudFormation checks when the change set is made.

mod parameter;

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::manifest::{Manifest, Node, Place, Yaml, is_identifier, normalise};
use super::model::{OutputSpec, Problem};
use crate::providers::{TemplateFile, stack_body};

/// The names that are looked for where the manifest names no file.
const NAMES: [&str; 3] = ["template.yaml", "template.yml", "template.json"];

/// Completes a manifest from the template that it names. `folder` is where it lies in its source, `path`
/// the manifest itself.
pub(super) fn complete(folder: &str, path: &str, manifest: &mut Manifest, files: &[TemplateFile]) -> Vec<Problem> {
    let named = manifest.config.get("template").and_then(Value::as_str);
    let found = match named {
        Some(name) => files.iter().find(|file| file.path == name),
        None => NAMES.iter().find_map(|name| files.iter().find(|file| file.path == *name)),
    };
    let Some(file) = found else {
        let message = match named {
            Some(name) => format!("There is no file “{name}” in this folder. Add it, or correct the path."),
            None => "Say which file is the CloudFormation template, or name it “template.yaml”.".to_owned(),
        };
        return vec![Problem { key: Some("config.template".to_owned()), ..Problem::error(path, message) }];
    };
    let path = if folder == "." { file.path.clone() } else { format!("{folder}/{}", file.path) };
    let mut template = match Template::parse(path, &file.content) {
        Ok(template) => template,
        Err(problem) => return vec![problem],
    };
    let (inputs, outputs) = (template.inputs(), template.outputs());
    if says(manifest, "inputs") || says(manifest, "parameters") {
        template.compare(manifest, &inputs);
    } else {
        manifest.inputs = normalise(inputs);
    }
    if !says(manifest, "outputs") {
        manifest.outputs = outputs;
    }
    template.problems
}

fn says(manifest: &Manifest, key: &str) -> bool {
    manifest.raw.get(key).is_some_and(|value| !value.is_null())
}

/// A template on its way.
struct Template {
    path: String,
    text: String,
    root: Node,
    problems: Vec<Problem>,
}

impl Template {
    fn parse(path: String, content: &[u8]) -> Result<Self, Problem> {
        let Ok(text) = std::str::from_utf8(content) else {
            return Err(Problem::error(path, "The file is not UTF-8. Save it as UTF-8."));
        };
        let text = text.trim_start_matches('\u{feff}').to_owned();
        // Tabs may stand between the values of JSON, and not of YAML.
        let readable = if text.trim_start().starts_with('{') { text.replace('\t', " ") } else { text.clone() };
        let root = Node::parse(&readable).map_err(|error| Problem {
            line: error.at.map(|at| at.line),
            col: error.at.map(|at| at.col),
            ..Problem::error(&path, error.message)
        })?;
        let too_large = stack_body(&text).err();
        let mut template = Self { path, text: readable, root, problems: Vec::new() };
        if let Some(why) = too_large {
            template.problem(Place { line: 1, col: 1 }, "template", format!("The template {why}"));
        }
        let resources =
            template.root.get("Resources").is_some_and(|node| matches!(&node.value, Yaml::Map(map) if !map.is_empty()));
        if !resources {
            let at = template.root.place_of("/Resources");
            template.problem(at, "Resources", "This is not a CloudFormation template: it has no “Resources”.");
        }
        Ok(template)
    }

    fn problem(&mut self, at: Place, key: &str, message: impl Into<String>) {
        self.problems.push(Problem {
            line: Some(at.line.max(1)),
            col: Some(at.col.max(1)),
            key: Some(key.to_owned()),
            ..Problem::error(&self.path, message)
        });
    }

    /// The schema of the parameters.
    fn inputs(&mut self) -> Value {
        let parameters = self.members("Parameters");
        let labels = Interface::read(&self.root);
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for (at, name, node) in labels.ordered(parameters) {
            let key = format!("Parameters.{name}");
            if !is_identifier(&name) {
                let words = "use letters and digits, at most 63";
                self.problem(at, &key, format!("“{name}” cannot name an input: {words}."));
                continue;
            }
            match parameter::property(&name, labels.label(&name), &node, &self.text) {
                Ok((schema, needed)) => {
                    if needed {
                        required.push(Value::from(name.as_str()));
                    }
                    properties.insert(name, schema);
                }
                Err((place, message)) => self.problem(place.unwrap_or(at), &key, message),
            }
        }
        json!({"type": "object", "properties": properties, "required": required})
    }

    /// The outputs, with what they are for.
    fn outputs(&mut self) -> Vec<OutputSpec> {
        let mut outputs = Vec::new();
        for (at, name, node) in self.members("Outputs") {
            if is_identifier(&name) {
                let description = node.get("Description").and_then(|words| words.scalar(&self.text));
                let description = description.map(Cow::into_owned).unwrap_or_default();
                outputs.push(OutputSpec { name, description, sensitive: false });
            } else {
                let words = "use letters and digits, at most 63";
                self.problem(at, &format!("Outputs.{name}"), format!("“{name}” cannot name an output: {words}."));
            }
        }
        outputs
    }

    /// The entries of a section, with their places.
    fn members(&mut self, section: &str) -> Vec<(Place, String, Node)> {
        match self.root.get(section).map(|node| (node.at, node.value.clone())) {
            None | Some((_, Yaml::Null)) => Vec::new(),
            Some((_, Yaml::Map(entries))) => entries.into_iter().map(|(key, node)| (key.at, key.text, node)).collect(),
            Some((at, _)) => {
                self.problem(at, section, format!("“{section}” maps names to what they are."));
                Vec::new()
            }
        }
    }

    /// CloudFormation refuses a parameter that the template does not have, and one that is lacking.
    fn compare(&mut self, manifest: &Manifest, ours: &Value) {
        let names = |schema: &Value| -> Vec<String> {
            let properties = schema.get("properties").and_then(Value::as_object);
            properties.into_iter().flatten().map(|(name, _)| name.clone()).collect()
        };
        let (wished, there) = (names(&manifest.inputs), names(ours));
        for name in wished.iter().filter(|name| !there.contains(name)) {
            let message = format!("The manifest has an input “{name}”, and the template no such parameter.");
            self.problem(self.root.place_of("/Parameters"), "Parameters", message);
        }
        let required = ours.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        for name in required.filter(|name| !wished.iter().any(|wish| wish == name)) {
            let message = format!("The parameter “{name}” has no default, and the manifest no such input.");
            self.problems.push(Problem {
                line: Some(self.root.place_of(&format!("/Parameters/{name}")).line),
                key: Some(format!("Parameters.{name}")),
                ..Problem::error(&self.path, message)
            });
        }
    }
}

/// `Metadata: AWS::CloudFormation::Interface`: how the console shows the parameters.
#[derive(Default)]
struct Interface {
    order: Vec<String>,
    labels: Vec<(String, String)>,
}

impl Interface {
    fn read(root: &Node) -> Self {
        let shown = root.get("Metadata").and_then(|metadata| metadata.get("AWS::CloudFormation::Interface"));
        let shown = shown.map(Node::to_json).unwrap_or_default();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let groups = list(shown.get("ParameterGroups").unwrap_or(&Value::Null));
        let order = groups.iter().filter_map(|group| group.get("Parameters")).flat_map(list);
        let labels = shown.get("ParameterLabels").and_then(Value::as_object).into_iter().flatten();
        Self {
            order: order.filter_map(|name| text(&name)).collect(),
            labels: labels.filter_map(|(name, label)| Some((name.clone(), text(label.get("default")?)?))).collect(),
        }
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(known, _)| known == name).map(|(_, label)| label.as_str())
    }

    /// Those of the groups first, in their order.
    fn ordered(&self, mut parameters: Vec<(Place, String, Node)>) -> Vec<(Place, String, Node)> {
        let rank = |name: &str| self.order.iter().position(|known| known == name).unwrap_or(self.order.len());
        parameters.sort_by_key(|(_, name, _)| rank(name));
        parameters
    }
}

#[cfg(test)]
mod tests;
