//! `environment.yaml` and `manifest.yaml` of Azure Deployment Environments, unchanged.
//!
//! Catalogs in the wild are looser than the published schema, so almost everything here is a
//! warning: `required` beside a default, defaults that are not allowed, missing versions, ARM
//! expressions as defaults, keys of other tools. Our own settings stand under `x-paddock`.

use serde_json::{Map, Value, json};

use super::ade_parameters as parameters;
use super::inputs::{self, Origin};
use super::node::{Node, Yaml};
use super::reader::{Reader, closest};
use super::{Manifest, TemplatePath, actions, paddock};
use crate::catalog::model::{Format, Severity};

const KEYS: [&str; 9] =
    ["name", "version", "summary", "description", "runner", "templatePath", "parameters", "x-paddock", "$schema"];

const OWN_KEYS: [&str; 15] = [
    "slug",
    "icon",
    "kind",
    "tags",
    "provider",
    "config",
    "inputs",
    "outputs",
    "summary",
    "worker_labels",
    "actions",
    "connect",
    "auto_stop",
    "quotas",
    "prices",
];

pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Manifest> {
    let engine = node.get("engine");
    let known: Vec<&str> = KEYS.into_iter().chain(engine.map(|_| "engine")).collect();
    reader.known_keys(node, "", &known, &[], Severity::Warning);
    let name = reader.required_text(node, "name", "", "Give the definition a name.");
    let version = reader.text(node, "version", "").unwrap_or_default();
    let summary = reader.text(node, "summary", "").unwrap_or_default();
    let description = reader.text(node, "description", "").unwrap_or_default();
    let own = own_settings(reader, node);
    let template_path = template_path(reader, node, engine);
    let runner = runner(reader, node, engine, template_path.as_ref());
    let schema = schema(reader, node, own.as_ref());
    let (provider, mut config) = provider(&runner, template_path.as_ref());

    let empty = Node::empty(node.at);
    let own = own.as_ref().unwrap_or(&empty);
    paddock::check_worker_labels(reader, own, "x-paddock.");
    let outputs = paddock::outputs(reader, own, "x-paddock.");
    actions::check(reader, own, "x-paddock.", &outputs);
    let chosen = reader.text(own, "provider", "x-paddock.").filter(|provider| !provider.is_empty());
    if let (Value::Object(config), Value::Object(more)) = (&mut config, reader.object(own, "config", "x-paddock.")) {
        config.extend(more);
    }
    let provider = chosen.unwrap_or(provider);
    if provider != "azure" {
        paddock::check_provider(reader, own, "x-paddock.", &provider);
    }
    let one_line = reader.text(own, "summary", "x-paddock.").unwrap_or(summary);
    Some(Manifest {
        format: Format::Ade,
        name: name?,
        slug: paddock::slug(reader, own, "slug", "x-paddock."),
        version,
        summary: if one_line.is_empty() { description.clone() } else { one_line },
        description,
        icon: paddock::icon(reader, own, "x-paddock.").unwrap_or_else(|| icon(&provider, &config).to_owned()),
        kind: paddock::kind(reader, own, "x-paddock."),
        tags: paddock::tags(reader, own, "x-paddock."),
        outputs,
        provider,
        config,
        inputs: schema,
        template_path: Some(template_path?),
        raw: node.to_json(),
    })
}

fn icon(provider: &str, config: &Value) -> &'static str {
    match provider {
        "azure" => "cloud",
        "command" if config.get("image").is_some() => "container",
        _ => "box",
    }
}

fn own_settings(reader: &mut Reader<'_>, node: &Node) -> Option<Node> {
    let own = node.get("x-paddock")?;
    match own.value {
        Yaml::Map(_) => {
            reader.known_keys(own, "x-paddock.", &OWN_KEYS, &[], Severity::Error);
            Some(own.clone())
        }
        Yaml::Null => None,
        _ => {
            reader.error(
                own.at,
                "x-paddock",
                format!("“x-paddock” is a mapping of our own settings, not {}.", own.kind()),
            );
            None
        }
    }
}

fn template_path(reader: &mut Reader<'_>, node: &Node, engine: Option<&Node>) -> Option<TemplatePath> {
    let value = node.get("templatePath").or_else(|| engine.and_then(|engine| engine.get("templatePath")));
    let Some(value) = value.filter(|value| value.value != Yaml::Null) else {
        let message = "“templatePath” is missing. Name the file that the template starts from, such as “main.bicep”.";
        reader.error(node.at, "templatePath", message);
        return None;
    };
    reader.template_path(value, "templatePath")
}

/// The runner as written; without one it follows from the template's file.
fn runner(reader: &mut Reader<'_>, node: &Node, engine: Option<&Node>, template: Option<&TemplatePath>) -> String {
    if let Some(runner) = reader.text(node, "runner", "").filter(|runner| !runner.is_empty()) {
        return runner;
    }
    if let Some(engine) = engine {
        reader.warn(engine.at, "engine", "“engine” is from an early preview. Write “runner” instead.");
        let text = reader.text(engine, "type", "engine.").or_else(|| engine.scalar(reader.source).map(Into::into));
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            return text;
        }
    }
    let ending =
        template.and_then(|template| template.path.rsplit_once('.')).map(|(_, ending)| ending.to_ascii_lowercase());
    let guess = match ending.as_deref() {
        Some("bicep") => "Bicep",
        Some("json") => "ARM",
        Some("tf") => "Terraform",
        _ => {
            let message = "“runner” is missing and does not follow from the template's file. Write “runner: ARM”, “Bicep”, “Terraform” or a container image.";
            reader.error(node.at, "runner", message);
            return String::new();
        }
    };
    reader.warn(node.at, "runner", format!("“runner” is missing; it is read as “{guess}” after the template's file."));
    guess.to_owned()
}

/// The provider that stands for a runner, and its settings.
fn provider(runner: &str, template: Option<&TemplatePath>) -> (String, Value) {
    let path = template.map(|template| template.path.as_str()).unwrap_or_default();
    match runner.to_ascii_lowercase().as_str() {
        "arm" | "bicep" => ("azure".to_owned(), json!({"runner": runner, "template": path})),
        "terraform" | "opentofu" | "tofu" => {
            let folder = path.rsplit_once('/').map_or(".", |(folder, _)| folder);
            ("terraform".to_owned(), json!({"directory": folder}))
        }
        _ => ("command".to_owned(), json!({"image": runner, "template": path})),
    }
}

fn schema(reader: &mut Reader<'_>, node: &Node, own: Option<&Node>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    let mut places = Vec::new();
    for (index, item) in reader.list(node, "parameters", "").iter().enumerate() {
        let key = format!("parameters.{index}");
        let Some(parameter) = parameters::read(reader, item, &key) else { continue };
        if properties.contains_key(&parameter.id) {
            let message = format!("There are two parameters with the id “{}”. Rename or remove one.", parameter.id);
            reader.error(item.at, &format!("{key}.id"), message);
            continue;
        }
        if parameter.required {
            required.push(Value::String(parameter.id.clone()));
        }
        places.push((parameter.id.clone(), item.at));
        properties.insert(parameter.id, parameter.schema);
    }
    overlay(reader, own, &mut properties);
    let mut schema = json!({"type": "object", "properties": properties});
    if let (Value::Object(map), false) = (&mut schema, required.is_empty()) {
        map.insert("required".to_owned(), Value::Array(required));
    }
    let place = |pointer: &str| {
        let id = pointer.split('/').nth(2).unwrap_or_default();
        places.iter().find(|(known, _)| known == id).map_or(node.at, |(_, at)| *at)
    };
    inputs::check(reader, &schema, &Origin { place: &place, prefix: "parameters", bad_default: Severity::Warning });
    inputs::normalise(schema)
}

/// `x-paddock.inputs.<id>` adds to a parameter what the format cannot say: `writeOnly`, `pattern`.
fn overlay(reader: &mut Reader<'_>, own: Option<&Node>, properties: &mut Map<String, Value>) {
    let Some(extra) = own.and_then(|own| own.get("inputs")) else { return };
    let Yaml::Map(entries) = &extra.value else {
        let message = "“inputs” maps ids of parameters to more JSON Schema, such as “password: {writeOnly: true}”.";
        reader.error(extra.at, "x-paddock.inputs", message);
        return;
    };
    for (key, more) in entries {
        let name = format!("x-paddock.inputs.{}", key.text);
        match (properties.get_mut(&key.text), more.to_json()) {
            (Some(Value::Object(property)), Value::Object(more)) => property.extend(more),
            (Some(_), _) => reader.error(more.at, &name, "Write a mapping of JSON Schema keywords."),
            (None, _) => {
                let meant = closest(&key.text, properties.keys().map(String::as_str));
                let meant = meant.map(|meant| format!(" Did you mean “{meant}”?")).unwrap_or_default();
                reader.error(key.at, &name, format!("There is no parameter with the id “{}”.{meant}", key.text));
            }
        }
    }
}
