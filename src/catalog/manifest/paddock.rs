//! `paddock.yaml`, our own format. `docs/TEMPLATES.md` is its reference.

use super::Manifest;
use super::actions;
use super::inputs;
use super::node::{Node, Yaml};
use super::reader::{Reader, closest, list_words};
use super::webhook;
use crate::base::text::{LABEL_RULE, is_label};
use crate::catalog::model::{Format, Kind, OutputSpec, PROVIDERS, Severity};

const KEYS: [&str; 18] = [
    "name",
    "slug",
    "version",
    "summary",
    "icon",
    "kind",
    "tags",
    "provider",
    "config",
    "inputs",
    "outputs",
    "worker_labels",
    "actions",
    "connect",
    "auto_stop",
    "quotas",
    "prices",
    "$schema",
];

/// What people write who come from other formats.
const HINTS: [(&str, &str); 7] = [
    ("parameters", "Write “inputs”: a JSON Schema of type object with “properties”."),
    ("properties", "It belongs under “inputs”."),
    ("required", "It belongs under “inputs”, beside “properties”."),
    ("runner", "Write “provider”."),
    ("templatePath", "Write what the provider needs under “config”."),
    ("description", "Write one line as “summary”, and more into README.md beside this file."),
    ("type", "Write “kind”: environment or workspace."),
];

pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Manifest> {
    reader.known_keys(node, "", &KEYS, &HINTS, Severity::Error);
    let name = reader.required_text(node, "name", "", "Give the template a name for people.");
    let name = name.inspect(|name| check_length(reader, node, "name", name, 80));
    let slug = slug(reader, node, "slug", "");
    let version = reader.text(node, "version", "").unwrap_or_default();
    check_length(reader, node, "version", &version, 40);
    let summary = reader.text(node, "summary", "").unwrap_or_default();
    check_length(reader, node, "summary", &summary, 300);
    let icon = icon(reader, node, "");
    let kind = kind(reader, node, "");
    let tags = tags(reader, node, "");
    let provider = reader.required_text(
        node,
        "provider",
        "",
        &format!("Say what makes it: {}.", list_words(PROVIDERS.into_iter(), "or")),
    );
    if let Some(provider) = &provider {
        check_provider(reader, node, "", provider);
    }
    let config = reader.object(node, "config", "");
    if provider.as_deref() == Some("webhook") {
        webhook::check(reader, node);
    }
    let inputs = inputs::read(reader, node.get("inputs"), "inputs", Severity::Error);
    let outputs = outputs(reader, node, "");
    check_worker_labels(reader, node, "");
    actions::check(reader, node, "", &outputs);
    Some(Manifest {
        format: Format::Paddock,
        name: name?,
        slug,
        version,
        summary,
        description: String::new(),
        icon: icon.unwrap_or_else(|| "box".to_owned()),
        kind,
        tags,
        provider: provider?,
        config,
        inputs,
        outputs,
        template_path: None,
        raw: node.to_json(),
    })
}

fn check_length(reader: &mut Reader<'_>, node: &Node, key: &str, text: &str, most: usize) {
    let length = text.chars().count();
    if let Some(value) = node.get(key).filter(|_| length > most) {
        reader.error(value.at, key, format!("“{key}” has {length} characters; at most {most} fit."));
    }
}

pub(super) fn slug(reader: &mut Reader<'_>, node: &Node, key: &str, prefix: &str) -> Option<String> {
    let slug = reader.text(node, key, prefix).filter(|slug| !slug.is_empty())?;
    if !is_slug(&slug)
        && let Some(value) = node.get(key)
    {
        let better = crate::base::text::slugify(&slug);
        let message = format!(
            "“{slug}” cannot stand in an address: use lower-case letters, digits and dashes, at most 63, such as “{better}”."
        );
        reader.error(value.at, &format!("{prefix}{key}"), message);
    }
    Some(slug)
}

/// Lower-case letters, digits and inner dashes, at most 63.
pub(in crate::catalog) fn is_slug(text: &str) -> bool {
    text.len() <= 63 && !text.is_empty() && crate::base::text::slugify(text) == text
}

pub(super) fn icon(reader: &mut Reader<'_>, node: &Node, prefix: &str) -> Option<String> {
    let icon = reader.text(node, "icon", prefix).filter(|icon| !icon.is_empty())?;
    if icon.len() <= 60 && icon.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        return Some(icon);
    }
    if let Some(value) = node.get("icon") {
        reader.error(
            value.at,
            &format!("{prefix}icon"),
            format!("“{icon}” is not the name of a Lucide icon; these look like “database” or “git-branch”."),
        );
    }
    None
}

pub(super) fn kind(reader: &mut Reader<'_>, node: &Node, prefix: &str) -> Kind {
    match reader.text(node, "kind", prefix).as_deref() {
        None | Some("environment") => Kind::Environment,
        Some("workspace") => Kind::Workspace,
        Some(other) => {
            let message = format!("“kind” is “environment” or “workspace”, not “{other}”.");
            reader.error(node.get("kind").map_or(node.at, |value| value.at), &format!("{prefix}kind"), message);
            Kind::Environment
        }
    }
}

pub(super) fn tags(reader: &mut Reader<'_>, node: &Node, prefix: &str) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for item in reader.list(node, "tags", prefix) {
        let key = format!("{prefix}tags");
        match item.scalar(reader.source) {
            Some(text) if is_slug(&text.to_lowercase()) => {
                let tag = text.to_lowercase();
                if !tags.contains(&tag) {
                    tags.push(tag);
                }
            }
            Some(text) => reader.error(
                item.at,
                &key,
                format!("The tag “{text}” has other characters than letters, digits and dashes."),
            ),
            None => reader.error(item.at, &key, format!("A tag is one word, not {}.", item.kind())),
        }
    }
    if tags.len() > 12 {
        reader.error(
            node.place_of("/tags"),
            &format!("{prefix}tags"),
            "At most 12 tags fit; keep those that people search for.",
        );
    }
    tags
}

/// What a worker must have for its runs. They are read where a run is queued, from the manifest as
/// it is stored ([`crate::catalog::worker_labels`]).
pub(super) fn check_worker_labels(reader: &mut Reader<'_>, node: &Node, prefix: &str) {
    let key = format!("{prefix}worker_labels");
    let labels = reader.list(node, "worker_labels", prefix);
    for item in labels {
        match item.scalar(reader.source) {
            Some(text) if is_label(&text) => {}
            Some(text) => reader.error(item.at, &key, format!("The label “{text}” {LABEL_RULE}.")),
            None => reader.error(item.at, &key, format!("A label is one word, not {}.", item.kind())),
        }
    }
    if labels.len() > 12 {
        reader.error(node.place_of("/worker_labels"), &key, "At most 12 labels fit.");
    }
}

pub(super) fn check_provider(reader: &mut Reader<'_>, node: &Node, prefix: &str, provider: &str) {
    if let (Err(words), Some(value)) = (crate::catalog::requestable(provider), node.get("provider")) {
        let meant = closest(provider, PROVIDERS.into_iter())
            .map(|meant| format!(" Did you mean “{meant}”?"))
            .unwrap_or_default();
        reader.warn(value.at, &format!("{prefix}provider"), format!("{words}{meant}"));
    }
}

pub(super) fn outputs(reader: &mut Reader<'_>, node: &Node, prefix: &str) -> Vec<OutputSpec> {
    let mut outputs: Vec<OutputSpec> = Vec::new();
    for (index, item) in reader.list(node, "outputs", prefix).iter().enumerate() {
        let key = format!("{prefix}outputs.{index}");
        if !matches!(item.value, Yaml::Map(_)) {
            let message = format!("An output is a mapping with “name”, not {}: write “- name: …”.", item.kind());
            reader.error(item.at, &key, message);
            continue;
        }
        let inner = format!("{key}.");
        reader.known_keys(item, &inner, &["name", "description", "sensitive"], &[], Severity::Error);
        let sensitive = reader.boolean(item, "sensitive", &inner);
        let description = reader.text(item, "description", &inner).unwrap_or_default();
        let Some(name) = reader.required_text(item, "name", &inner, "Name the output.") else { continue };
        if !inputs::is_identifier(&name) {
            reader.error(
                item.place_of("/name"),
                &format!("{inner}name"),
                format!("“{name}” cannot name an output: use letters, digits, “_”, “-” and “.”, at most 63."),
            );
        } else if outputs.iter().any(|output| output.name == name) {
            let message = format!("There are two outputs named “{name}”. Rename or remove one.");
            reader.error(item.place_of("/name"), &format!("{inner}name"), message);
        } else {
            outputs.push(OutputSpec { name, description, sensitive });
        }
    }
    outputs
}
