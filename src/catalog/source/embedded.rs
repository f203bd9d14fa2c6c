//! The sample catalog, compiled into the binary.

use rust_embed::RustEmbed;

use super::{Entry, EntryKind, SourceError, Tree};

#[derive(RustEmbed)]
#[folder = "catalog/"]
struct Samples;

/// The sample catalog.
#[derive(Debug)]
pub(super) struct EmbeddedTree;

impl Tree for EmbeddedTree {
    fn entries(&self) -> Result<Vec<Entry>, SourceError> {
        let mut entries: Vec<Entry> = Samples::iter()
            .filter_map(|path| {
                let file = Samples::get(&path)?;
                // A binary keeps no permissions: a script says by its first line what it is.
                let executable = file.data.starts_with(b"#!");
                let size = file.data.len() as u64;
                Some(Entry { path: path.to_string(), kind: EntryKind::File { executable, size } })
            })
            .collect();
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, String> {
        let file = Samples::get(path).ok_or("It is not in the binary.")?;
        if file.data.len() as u64 > limit {
            return Err(format!("It is larger than {limit} bytes."));
        }
        Ok(file.data.into_owned())
    }
}
