//! Where policy sets come from: the binary, a folder, or texts.

use std::path::Path;

use rust_embed::RustEmbed;

use super::Error;
use super::compile::{File, compile};
use super::engine::Compiled;

#[derive(RustEmbed)]
#[folder = "policies/"]
struct DefaultSet;

const SCHEMA_FILE: &str = "schema.cedarschema";
const EXTENSION: &str = ".cedar";

pub(super) fn embedded() -> Result<Compiled, Error> {
    let files = DefaultSet::iter().filter(|name| name.ends_with(EXTENSION));
    compile(&default_schema(), files.filter_map(|name| embedded_file(&name)).collect())
}

fn embedded_file(name: &str) -> Option<File> {
    let file = DefaultSet::get(name)?;
    Some(File { name: name.to_owned(), text: String::from_utf8_lossy(&file.data).into_owned() })
}

fn default_schema() -> File {
    embedded_file(SCHEMA_FILE).unwrap_or_else(|| File { name: SCHEMA_FILE.to_owned(), text: String::new() })
}

pub(super) fn folder(folder: &Path) -> Result<Compiled, Error> {
    let mut schema = default_schema();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|source| unreadable(folder, source))? {
        let path = entry.map_err(|source| unreadable(folder, source))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).map(str::to_owned) else { continue };
        if name != SCHEMA_FILE && !name.ends_with(EXTENSION) {
            continue;
        }
        let text = std::fs::read_to_string(&path).map_err(|source| unreadable(&path, source))?;
        if name == SCHEMA_FILE {
            schema.text = text;
        } else {
            files.push(File { name, text });
        }
    }
    if files.is_empty() {
        return Err(Error::Empty(folder.display().to_string()));
    }
    compile(&schema, files)
}

fn unreadable(path: &Path, source: std::io::Error) -> Error {
    Error::Unreadable { path: path.to_owned(), source }
}

/// The files of the default set that change nothing but the platform itself, and let people read.
const REPAIR: [&str; 2] = ["platform.cedar", "read.cedar"];

pub(super) fn for_repair() -> Result<Compiled, Error> {
    compile(&default_schema(), REPAIR.into_iter().filter_map(embedded_file).collect())
}

pub(super) fn source(policies: &str) -> Result<Compiled, Error> {
    text(&default_schema().text, policies)
}

pub(super) fn text(schema: &str, policies: &str) -> Result<Compiled, Error> {
    let schema = File { name: SCHEMA_FILE.to_owned(), text: schema.to_owned() };
    compile(&schema, vec![File { name: "policies".to_owned(), text: policies.to_owned() }])
}
