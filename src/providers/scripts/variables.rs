//! What a script gets as variables: texts, and paths in its workspace, wherever that lies.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use serde_json::{Map, Value};

use crate::providers::environment::{Environment, text, variable_name};

/// Linux takes no longer variable (`MAX_ARG_STRLEN`).
const LONGEST: usize = 128 * 1024 - 1;

/// The variables of one script.
#[derive(Debug, Clone, Default)]
pub struct Variables {
    /// Those whose value is the same everywhere.
    pub texts: Environment,
    /// Those that name a place in the workspace: name and relative path.
    pub places: Vec<(&'static str, String)>,
    /// Whether the workspace's `bin` comes first on the path of programs.
    pub with_bin: bool,
}

impl Variables {
    /// Sets a text.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        self.texts.set(name, value);
    }

    /// Sets a text, unless it is too long for a variable; a NUL cannot be handed over either. Whatever is
    /// left out is in a file, too.
    pub fn set_if_short(&mut self, name: &str, value: String) {
        if value.len() + name.len() < LONGEST && !value.contains('\0') {
            self.set(name, value);
        }
    }

    /// Sets a path in the workspace.
    pub fn place(&mut self, name: &'static str, path: impl Into<String>) {
        self.places.push((name, path.into()));
    }

    /// One variable per value; objects also value by value, with the names joined.
    pub fn flatten(&mut self, prefix: &str, values: &Map<String, Value>) {
        for (key, value) in values {
            let name = format!("{prefix}{}", variable_name(key));
            if let Value::Object(inner) = value {
                self.flatten(&format!("{name}_"), inner);
            }
            self.set_if_short(&name, text(value));
        }
    }

    /// All of them but the path of programs, with places where `at` says.
    pub fn placed(self, at: impl Fn(&str) -> String) -> Environment {
        let mut all = self.texts;
        for (name, place) in self.places {
            all.set(name, at(&place));
        }
        all
    }

    /// All of them, for a workspace at `root` and programs on `path`.
    pub fn at(self, root: &Path, path: &OsStr) -> Environment {
        let mut all = self.texts;
        let mut whole = OsString::new();
        if self.with_bin {
            whole.push(root.join("bin"));
            whole.push(":");
        }
        whole.push(path);
        all.set("PATH", whole);
        for (name, place) in self.places {
            all.set(name, root.join(place));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_are_given_whole_and_in_parts() {
        let mut variables = Variables::default();
        let Value::Object(values) = json!({"network": {"port": 80, "publicName": "x"}, "owners": ["a", "b"]}) else {
            panic!()
        };
        variables.flatten("PADDOCK_INPUT_", &values);
        variables.place("PADDOCK_OUTPUTS", "outputs.json");
        variables.with_bin = true;
        let mut names: Vec<String> = variables
            .at(Path::new("/w"), OsStr::new("/usr/bin"))
            .into_vec()
            .into_iter()
            .map(|(name, value)| format!("{}={}", name.display(), value.display()))
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                "PADDOCK_INPUT_NETWORK={\"port\":80,\"publicName\":\"x\"}",
                "PADDOCK_INPUT_NETWORK_PORT=80",
                "PADDOCK_INPUT_NETWORK_PUBLIC_NAME=x",
                "PADDOCK_INPUT_OWNERS=a\nb",
                "PADDOCK_OUTPUTS=/w/outputs.json",
                "PATH=/w/bin:/usr/bin",
            ]
        );
    }
}
