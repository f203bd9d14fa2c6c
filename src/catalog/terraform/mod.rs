//! The `variable` blocks of a Terraform root module as the JSON Schema of a template's inputs, for
//! templates that declare none themselves.
//!
//! Type, default, description, sensitivity and the validations that JSON Schema can say are taken
//! over ([`types`], [`conditions`]); what it cannot say stands in the help of the field, and
//! Terraform checks it at the plan. Files are only parsed, never evaluated. Override files and
//! `*.tf.json` are not read: who uses those writes `inputs` into the manifest.

mod conditions;
mod literal;
mod types;

use hcl_edit::Span as _;
use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, Body};
use serde_json::{Map, Value, json};

use super::manifest::{is_identifier, normalise};
use super::model::Problem;
use super::schema;
use crate::providers::TemplateFile;

/// The schema, and what is wrong. `folder` is where the template lies in its source.
pub(super) fn inputs(folder: &str, files: &[TemplateFile]) -> (Value, Vec<Problem>) {
    let mut reading = Reading { properties: Map::new(), required: Vec::new(), problems: Vec::new() };
    // Terraform knows the ending in small letters only.
    let is_root = |path: &str| {
        path.strip_suffix(".tf")
            .is_some_and(|stem| !stem.contains('/') && stem != "override" && !stem.ends_with("_override"))
    };
    for file in files.iter().filter(|file| is_root(&file.path)) {
        let path = if folder == "." { file.path.clone() } else { format!("{folder}/{}", file.path) };
        let Ok(text) = std::str::from_utf8(&file.content) else { continue };
        // Whatever else is wrong in a file is Terraform's to tell.
        if text.contains("variable") {
            reading.file(&Source { path, text });
        }
    }
    let Reading { properties, required, problems } = reading;
    let schema = json!({"type": "object", "properties": properties, "required": required});
    (normalise(schema), problems)
}

struct Source<'a> {
    path: String,
    text: &'a str,
}

impl Source<'_> {
    /// A problem at a byte of the file.
    fn problem(&self, at: Option<usize>, key: &str, message: String) -> Problem {
        let before = self.text.get(..at.unwrap_or(0)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Problem {
            line: u32::try_from(line).ok(),
            col: u32::try_from(column).ok(),
            key: Some(key.to_owned()),
            ..Problem::error(&self.path, message)
        }
    }
}

struct Reading {
    properties: Map<String, Value>,
    required: Vec<String>,
    problems: Vec<Problem>,
}

impl Reading {
    fn file(&mut self, source: &Source<'_>) {
        let body: Body = match hcl_edit::parser::parse_body(source.text) {
            Ok(body) => body,
            Err(error) => {
                let message = format!("This is not HCL that can be read: {}.", error.message().replace('\n', "; "));
                self.problems.push(Problem {
                    line: u32::try_from(error.location().line()).ok(),
                    col: u32::try_from(error.location().column()).ok(),
                    ..Problem::error(&source.path, message)
                });
                return;
            }
        };
        for block in body.get_blocks("variable") {
            self.variable(source, block);
        }
    }

    fn variable(&mut self, source: &Source<'_>, block: &Block) {
        let at = block.span().map(|span| span.start);
        let [label] = block.labels.as_slice() else {
            let message = "A variable has one name: write “variable \"name\" { … }”.".to_owned();
            self.problems.push(source.problem(at, "variable", message));
            return;
        };
        let name = label.as_str();
        let key = format!("variable.{name}");
        if !is_identifier(name) {
            let message = format!("“{name}” cannot name an input: use letters, digits, “_” and “-”, at most 63.");
            self.problems.push(source.problem(at, &key, message));
            return;
        }
        if self.properties.contains_key(name) {
            let message = format!("There are two variables “{name}”. Remove one.");
            self.problems.push(source.problem(at, &key, message));
            return;
        }
        match property(name, &block.body) {
            Ok((schema, required)) => {
                if required {
                    self.required.push(name.to_owned());
                }
                self.properties.insert(name.to_owned(), schema);
            }
            Err((place, message)) => {
                self.problems.push(source.problem(place.or(at), &key, message));
            }
        }
    }
}

/// Where and what is wrong.
type Wrong = (Option<usize>, String);

/// One variable's schema, and whether a value must be given.
fn property(name: &str, body: &Body) -> Result<(Value, bool), Wrong> {
    let value = |attribute: &str| body.get_attribute(attribute).map(|attribute| &attribute.value);
    let mut schema = match value("type") {
        Some(constraint) => types::schema(constraint).map_err(|message| (start(constraint), message))?,
        None => Map::new(),
    };
    schema.insert("title".to_owned(), title(name).into());
    let is = |attribute: &str| value(attribute).and_then(Expression::as_bool).unwrap_or(false);
    let secret = is("sensitive") || is("ephemeral");
    if secret {
        schema.insert("writeOnly".to_owned(), Value::Bool(true));
    }
    let mut help: Vec<String> =
        value("description").and_then(Expression::as_str).map(str::to_owned).into_iter().collect();
    for validation in body.get_blocks("validation") {
        let condition = validation.body.get_attribute("condition").map(|condition| &condition.value);
        if condition.is_some_and(|condition| conditions::add(name, condition, &mut schema)) {
            continue;
        }
        let words = validation.body.get_attribute("error_message").and_then(|words| words.value.as_str());
        help.extend(words.map(str::to_owned));
    }
    if !help.is_empty() {
        schema.insert("description".to_owned(), help.join(" ").into());
    }
    let Some(default) = value("default") else { return Ok((Value::Object(schema), true)) };
    // A secret's default stays where it is, and so does what only Terraform can work out.
    if let Some(value) = literal::value(default).filter(|value| !value.is_null() && !secret) {
        let value = types::converted(value, &schema);
        check_default(&schema, &value).map_err(|message| (start(default), message))?;
        schema.insert("default".to_owned(), value);
    }
    Ok((Value::Object(schema), false))
}

fn check_default(property: &Map<String, Value>, value: &Value) -> Result<(), String> {
    let mut alone = property.clone();
    alone.shift_remove("writeOnly");
    let alone = Value::Object(alone);
    let Ok(validator) = schema::compile(&alone) else { return Ok(()) };
    let Some(error) = validator.iter_errors(value).next() else { return Ok(()) };
    let words = schema::explain(&alone, &error).into_iter().next().map(|error| error.detail);
    Err(format!("The default is not a value that this variable takes: it {}.", words.unwrap_or_default()))
}

fn start(expression: &Expression) -> Option<usize> {
    expression.span().map(|span| span.start)
}

/// `service_name` as people read it.
fn title(name: &str) -> String {
    let words = name.replace(['_', '-'], " ");
    let mut chars = words.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Value, Vec<String>) {
        let file = TemplateFile { path: "variables.tf".into(), executable: false, content: text.as_bytes().to_vec() };
        let (schema, problems) = inputs("stack", &[file]);
        (schema, problems.iter().map(ToString::to_string).collect())
    }

    fn property_of(text: &str) -> Value {
        let (schema, problems) = read(&format!("variable \"x\" {{\n{text}\n}}"));
        assert_eq!(problems, Vec::<String>::new(), "{text}");
        schema["properties"]["x"].clone()
    }

    #[test]
    fn a_module_becomes_a_form() {
        let (schema, problems) = read(
            r#"
            variable "service_name" {
              type        = string
              description = "Part of every name."
              validation {
                condition     = can(regex("^[a-z]+$", var.service_name)) && length(var.service_name) <= 20
                error_message = "Small letters."
              }
            }
            variable "replicas" {
              type    = number
              default = 2
              validation {
                condition     = var.replicas >= 1 && var.replicas < 10
                error_message = "One to nine."
              }
            }
            variable "password" {
              type      = string
              sensitive = true
              default   = "not for the catalog"
            }
            resource "terraform_data" "x" {}
            "#,
        );
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(
            schema["properties"],
            json!({
                "service_name": {"type": "string", "title": "Service name", "pattern": "^[a-z]+$", "maxLength": 20,
                    "description": "Part of every name."},
                "replicas": {"type": "number", "title": "Replicas", "minimum": 1, "exclusiveMaximum": 10, "default": 2},
                "password": {"type": "string", "title": "Password", "writeOnly": true},
            })
        );
        assert_eq!(schema["required"], json!(["service_name"]));
        assert_eq!(schema["additionalProperties"], json!(false));
        assert!(schema::compile(&schema).is_ok());
    }

    #[test]
    fn what_a_schema_cannot_say_stands_in_the_help() {
        let x = property_of(
            "type = string\ndescription = \"A name.\"\nvalidation {\ncondition = lower(var.x) == var.x\nerror_message = \"No capitals.\"\n}",
        );
        assert_eq!(x["description"], "A name. No capitals.");
        let x = property_of("type = string\ndefault = null");
        assert_eq!(x, json!({"type": "string", "title": "X"}), "left out is null");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let told = |text: &str| read(text).1.join("\n");
        assert!(
            told("variable \"x\" {\n  type = strin\n}")
                .starts_with("stack/variables.tf:2:10: error: variable.x: “strin” is not a type"),
            "{}",
            told("variable \"x\" {\n  type = strin\n}")
        );
        assert!(
            told("variable \"x\" {\n  type = number\n  default = \"many\"\n}")
                .starts_with("stack/variables.tf:3:13: error: variable.x: The default")
        );
        assert!(
            told("variable \"x\" {}\n\nvariable \"x\" {}")
                .starts_with("stack/variables.tf:3:1: error: variable.x: There are two")
        );
        assert!(told("variable \"x\" {").starts_with("stack/variables.tf:1"));
        assert!(told("variable {}").contains("A variable has one name"));
        assert_eq!(told("resource {{{"), "", "only variables are ours");
    }
}
