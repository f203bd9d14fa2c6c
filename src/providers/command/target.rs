//! Targets of scripts: what an admin fills in, and what a check looks at.

use std::path::Path;

use serde_json::Value;

use super::ThisMachine;
use crate::providers::Target;
use crate::providers::machine;
use crate::providers::target::{Finding, Kind, TargetField, TargetForm};

pub static FORM: TargetForm = TargetForm {
    about: "A place that scripts of templates work on: a folder, a Git server, anything with a command line.",
    fields: &[
        TargetField::new("folder", "Folder", Kind::Folder)
            .help("Scripts get it as PADDOCK_TARGET_FOLDER.")
            .like("/srv/repositories"),
        machine::ENVIRONMENT,
        machine::WRITABLE_FOLDERS,
        machine::SECRET_VARIABLES,
    ],
    sets_credential: false,
};

impl ThisMachine {
    pub(super) async fn look_at(&self, target: &Target) -> Vec<Finding> {
        let what = "Shell";
        let mut findings = vec![match self.settings.find_program(&["sh"]) {
            Some(path) => Finding::ok(what, format!("{} is there.", path.display())),
            None => {
                Finding::failed(what, "There is no sh on the path of programs.", "Set --program-path on the worker.")
            }
        }];
        findings.push(machine::workspaces(&self.settings));
        findings.push(machine::walls(&self.settings));
        if let Some(engine) = &self.settings.engine {
            let program = engine.program.display();
            findings.push(match engine.check().await {
                Ok(()) => Finding::ok("Container engine", format!("{program} answers.")),
                Err(why) => Finding::failed("Container engine", why, "See --container-engine of the worker."),
            });
        }
        findings.extend(folder(target));
        findings.extend(machine::folders(target));
        findings
    }
}

/// A folder that is only read, or made by the script, need not be writable.
fn folder(target: &Target) -> Option<Finding> {
    let folder = target.settings.get("folder").and_then(Value::as_str)?;
    if Path::new(folder).is_dir() {
        return Some(Finding::ok("Folder", format!("{folder} is there.")));
    }
    Some(Finding::warning("Folder", format!("{folder} is not there."), "Make it, unless the template's script does."))
}
