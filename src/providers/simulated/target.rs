//! Targets of the simulated cloud: what an admin fills in, and what a check looks at.

use std::path::PathBuf;

use serde_json::Value;

use super::SimulatedProvider;
use crate::providers::Target;
use crate::providers::machine::try_write;
use crate::providers::target::{Finding, Kind, TargetField, TargetForm};
use crate::providers::workspace::make_folder;

pub static FORM: TargetForm = TargetForm {
    about: "A cloud for practice that exists only on this machine, with a book of everything that it was asked.",
    fields: &[TargetField::new("folder", "Folder of its book", Kind::Folder)
        .help("Where the book lies; with Paddock's own data when left empty.")
        .like("/srv/practice")],
    sets_credential: false,
};

impl SimulatedProvider {
    pub(super) fn folder(&self, target: Option<&Target>) -> PathBuf {
        let folder = target.and_then(|target| target.settings.get("folder")).and_then(Value::as_str);
        folder.map_or_else(|| self.root.clone(), PathBuf::from)
    }

    pub(super) fn look_at(&self, target: &Target) -> Vec<Finding> {
        let folder = self.folder(Some(target));
        vec![match make_folder(&folder).and_then(|()| try_write(&folder)) {
            Ok(()) => Finding::ok("Book", format!("{} can be written to.", folder.display())),
            Err(error) => Finding::failed("Book", format!("{error}."), "Give the user of Paddock the folder."),
        }]
    }
}
