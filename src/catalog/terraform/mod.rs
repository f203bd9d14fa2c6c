//! The `variable` blocks of a Terraform root module as the JSON Schema of a template's inputs, for
//! templates that declare none themselves.
//!
//! Type, default, description, sensitivity and the validations that JSON Schema can say are taken
//! over ([`types`], [`conditions`]); what it cannot say stands in the help of the field, and
//! Terraform checks it at the plan. Files are only parsed, never evaluated. `*.tf.json` files say the
//! same in JSON ([`mod@json`]); override files change variables that others declare.

mod conditions;
mod json;
mod literal;
mod types;

use hcl_edit::Span as _;
use hcl_edit::expr::Expression;
use hcl_edit::structure::Body;
use serde_json::{Map, Value, json};

use super::manifest::{is_identifier, normalise};
use super::model::Problem;
use super::schema;
use crate::providers::TemplateFile;

/// The schema, and what is wrong. `folder` is where the template lies in its source.
pub(super) fn inputs(folder: &str, files: &[TemplateFile]) -> (Value, Vec<Problem>) {
    let mut reading = Reading { variables: Vec::new(), problems: Vec::new() };
    let mut ours: Vec<(&TemplateFile, Kind)> =
        files.iter().filter_map(|file| Some((file, Kind::of(&file.path)?))).collect();
    // As Terraform merges them: the override files last, in the order of their names.
    ours.sort_by(|(a, a_kind), (b, b_kind)| (a_kind.overrides, &a.path).cmp(&(b_kind.overrides, &b.path)));
    for (file, kind) in ours {
        let path = if folder == "." { file.path.clone() } else { format!("{folder}/{}", file.path) };
        let Ok(text) = std::str::from_utf8(&file.content) else { continue };
        // Whatever else is wrong in a file is Terraform's to tell.
        if text.contains("variable") {
            reading.file(&Source { path, text }, kind);
        }
    }
    let (schema, problems) = reading.end();
    (normalise(schema), problems)
}

/// How a file of the root module is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    json: bool,
    overrides: bool,
}

impl Kind {
    /// `None`: not a file of the root module. Terraform knows the endings in small letters only.
    fn of(path: &str) -> Option<Self> {
        let (stem, json) = match path.strip_suffix(".tf.json") {
            Some(stem) => (stem, true),
            None => (path.strip_suffix(".tf")?, false),
        };
        let overrides = stem == "override" || stem.ends_with("_override");
        (!stem.contains('/')).then_some(Self { json, overrides })
    }
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

/// A variable on its way: an override file may still change it.
struct Variable {
    name: String,
    body: Body,
    /// What is wrong with it.
    wrong: Option<Problem>,
}

struct Reading {
    variables: Vec<Variable>,
    problems: Vec<Problem>,
}

impl Reading {
    fn file(&mut self, source: &Source<'_>, kind: Kind) {
        if kind.json {
            match json::variables(source.text) {
                Ok(variables) => {
                    for (at, name, body) in variables {
                        // The body was not written by a person: its places mean nothing.
                        self.variable(source, at, &name, &body, kind.overrides, false);
                    }
                }
                Err((line, column, message)) => self.problems.push(Problem {
                    line: u32::try_from(line).ok(),
                    col: u32::try_from(column).ok(),
                    ..Problem::error(&source.path, message)
                }),
            }
            return;
        }
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
            let at = block.span().map(|span| span.start);
            let [label] = block.labels.as_slice() else {
                let message = "A variable has one name: write “variable \"name\" { … }”.".to_owned();
                self.problems.push(source.problem(at, "variable", message));
                continue;
            };
            self.variable(source, at, label.as_str(), &block.body, kind.overrides, true);
        }
    }

    fn variable(
        &mut self,
        source: &Source<'_>,
        at: Option<usize>,
        name: &str,
        body: &Body,
        overrides: bool,
        has_places: bool,
    ) {
        let key = format!("variable.{name}");
        let known = self.variables.iter_mut().find(|variable| variable.name == name);
        let (mut variable, message) = match (known, overrides) {
            _ if !is_identifier(name) => {
                let words = "use letters, digits, “_” and “-”, at most 63";
                (None, format!("“{name}” cannot name an input: {words}."))
            }
            (Some(_), false) => (None, format!("There are two variables “{name}”. Remove one.")),
            (None, true) => (None, format!("This overrides the variable “{name}”, which no other file declares.")),
            (Some(known), true) => {
                // Attribute by attribute; blocks of an override file do not count here.
                for attribute in body.attributes() {
                    known.body.remove_attribute(attribute.key.as_str());
                    known.body.push(attribute.clone());
                }
                (Some(known), String::new())
            }
            (None, false) => {
                self.variables.push(Variable { name: name.to_owned(), body: body.clone(), wrong: None });
                (self.variables.last_mut(), String::new())
            }
        };
        let Some(variable) = &mut variable else {
            self.problems.push(source.problem(at, &key, message));
            return;
        };
        variable.wrong = property(name, &variable.body).err().map(|(place, message)| {
            let place = if has_places && !overrides { place.or(at) } else { at };
            source.problem(place, &key, message)
        });
    }

    fn end(self) -> (Value, Vec<Problem>) {
        let (mut properties, mut required, mut problems) = (Map::new(), Vec::new(), self.problems);
        for Variable { name, body, wrong } in self.variables {
            match (wrong, property(&name, &body)) {
                (Some(problem), _) => problems.push(problem),
                (None, Ok((schema, needed))) => {
                    if needed {
                        required.push(name.clone());
                    }
                    properties.insert(name, schema);
                }
                (None, Err(_)) => {}
            }
        }
        (json!({"type": "object", "properties": properties, "required": required}), problems)
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
    fn json_says_the_same_and_overrides_come_last() {
        let file = |path: &str, text: &str| TemplateFile {
            path: path.into(),
            executable: false,
            content: text.as_bytes().to_vec(),
        };
        let files = [
            file("a_override.tf", "variable \"size\" {\n  default = \"large\"\n}\n"),
            file("b_override.tf.json", r#"{"variable": {"count": {"default": 5, "description": "How many."}}}"#),
            file("main.tf", "variable \"size\" {\n  type = string\n  description = \"How large.\"\n}\n"),
            file(
                "variables.tf.json",
                r#"{"variable": {
                    "count": {"type": "number", "default": 2,
                        "validation": {"condition": "${var.count >= 1}", "error_message": "One or more."}},
                    "labels": [{"type": "map(string)", "default": {"a": "${x}"}}],
                    "token": {"type": "string", "sensitive": true}}}"#,
            ),
            file("modules/x.tf.json", r#"{"variable": {"inner": {}}}"#),
        ];
        let (schema, problems) = inputs("stack", &files);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(
            schema["properties"],
            json!({
                "size": {"type": "string", "title": "Size", "description": "How large.", "default": "large"},
                "count": {"type": "number", "title": "Count", "minimum": 1, "description": "How many.", "default": 5},
                "labels": {"type": "object", "title": "Labels", "additionalProperties": {"type": "string"},
                    "default": {"a": "${x}"}},
                "token": {"type": "string", "title": "Token", "writeOnly": true},
            })
        );
        assert_eq!(schema["required"], json!(["token"]), "an override gave size a default");
        let told = |path: &str, text: &str| inputs("stack", &[file(path, text)]).1[0].to_string();
        let broken = told("x.tf.json", "{\n  \"variable\": {\n");
        assert!(broken.starts_with("stack/x.tf.json:3"), "{broken}");
        let wrong = told("x.tf.json", "{\"variable\": {\n  \"n\": {\"type\": \"numbr\"}}}");
        assert!(wrong.starts_with("stack/x.tf.json:2:3: error: variable.n: “numbr” is not a type"), "{wrong}");
        let alone = told("override.tf", "variable \"x\" {}\n");
        assert!(alone.contains("which no other file declares"), "{alone}");
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
