//! Manifests: `paddock.yaml`, and `environment.yaml` / `manifest.yaml` of Azure Deployment
//! Environments, unchanged.
//!
//! Both become one [`Manifest`]. Reading goes on after a problem, so that an author sees all of
//! them at once; each has line, column and key. An unknown key is an error in `paddock.yaml`
//! (with the key that was probably meant) and a warning in the others, which are not ours.

mod actions;
mod ade;
mod ade_parameters;
mod inputs;
mod node;
mod paddock;
mod prices;
mod quotas;
mod reader;
mod schema_walk;
mod webhook;

use serde_json::Value;

use super::model::{Format, Kind, OutputSpec, Problem};
pub(super) use inputs::{is_identifier, normalise};
pub use node::YamlError;
pub(super) use node::{Node, Place, Yaml};
pub(super) use paddock::is_slug;
pub(super) use quotas::check_expressions;
use reader::Reader;
pub(super) use reader::{closest, inner_path, list_words};

/// The largest manifest that is read: the largest real one seen has 20 KB.
pub const MAX_MANIFEST: u64 = 256 * 1024;

/// One YAML document as JSON, read within the budget of a manifest.
pub fn yaml_to_json(text: &str) -> Result<Value, YamlError> {
    Ok(Node::parse(text)?.to_json())
}

/// What a manifest says.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Who wrote its rules.
    pub format: Format,
    /// The name for people.
    pub name: String,
    /// The name in URLs; without it the folder's name is used.
    pub slug: Option<String>,
    /// The version as its author writes it; empty when there is none.
    pub version: String,
    /// One line about it.
    pub summary: String,
    /// More about it, where there is no `README.md`.
    pub description: String,
    /// A Lucide icon name.
    pub icon: String,
    /// What it makes.
    pub kind: Kind,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// The provider that makes it.
    pub provider: String,
    /// The provider's settings.
    pub config: Value,
    /// JSON Schema 2020-12 of the inputs, always of type object.
    pub inputs: Value,
    /// What an environment gives.
    pub outputs: Vec<OutputSpec>,
    /// The file that the template starts from, where the format names one.
    pub template_path: Option<TemplatePath>,
    /// The whole manifest as JSON.
    pub raw: Value,
}

/// A file that the manifest names, inside its own folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplatePath {
    /// Relative, with `/`.
    pub path: String,
    /// The line that names it.
    pub line: u32,
    /// The column.
    pub col: u32,
}

/// The manifest's file names, the strongest first.
pub const FILE_NAMES: [(&str, Format); 3] =
    [("paddock.yaml", Format::Paddock), ("environment.yaml", Format::Ade), ("manifest.yaml", Format::Ade)];

/// Reads a manifest; `path` is where it lies, for the problems. `None` when it has errors.
pub fn read(path: &str, format: Format, bytes: &[u8]) -> (Option<Manifest>, Vec<Problem>) {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let line = bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count() + 1;
            let mut problem = Problem::error(
                path,
                format!("The file is not UTF-8: byte {} does not fit. Save it as UTF-8.", error.valid_up_to() + 1),
            );
            problem.line = u32::try_from(line).ok();
            problem.col = Some(1);
            return (None, vec![problem]);
        }
    };
    let node = match Node::parse(text) {
        Ok(node) => node,
        Err(error) => {
            let mut problem = Problem::error(path, error.message);
            problem.line = error.at.map(|at| at.line);
            problem.col = error.at.map(|at| at.col);
            return (None, vec![problem]);
        }
    };
    let mut reader = Reader::new(path, text);
    let manifest = match &node.value {
        node::Yaml::Map(_) => match format {
            Format::Paddock => paddock::read(&mut reader, &node),
            Format::Ade => ade::read(&mut reader, &node),
        },
        node::Yaml::Null => {
            reader.error(node.at, "", "The file is empty. Write the manifest into it: at least “name”.");
            None
        }
        _ => {
            let message = format!("A manifest is a mapping of keys such as “name: …”; this is {}.", node.kind());
            reader.error(node.at, "", message);
            None
        }
    };
    let problems = reader.into_problems();
    let broken = problems.iter().any(Problem::is_error);
    (manifest.filter(|_| !broken), problems)
}
