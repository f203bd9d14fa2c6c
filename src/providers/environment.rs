//! The environment variables of programs: nothing of the worker's own gets in.
//!
//! A target may bring variables: the object `environment` of its settings, and its secret when that
//! is a JSON object of texts, for example `{"AWS_ACCESS_KEY_ID": "…"}`. It may also open folders of this
//! machine to programs that are walled in (`writable_folders`).

use std::ffi::OsString;
use std::path::PathBuf;

use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::{Job, ProviderError};

/// Variables for one program.
#[derive(Debug, Clone, Default)]
pub struct Environment(Vec<(OsString, OsString)>);

impl Environment {
    /// Sets a variable; a later one of the same name wins.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        let name = name.into();
        self.0.retain(|(there, _)| *there != name);
        self.0.push((name, value.into()));
    }

    /// Sets a variable, unless there is one of that name.
    pub fn set_unless_there(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        let name = name.into();
        if !self.0.iter().any(|(there, _)| *there == name) {
            self.0.push((name, value.into()));
        }
    }

    /// What the target brings.
    pub fn set_from_target(&mut self, job: &Job) -> Result<(), ProviderError> {
        let Some(target) = &job.target else { return Ok(()) };
        let secret = target.secret.as_ref().and_then(|secret| serde_json::from_str(secret.expose_secret()).ok());
        let sources = [target.settings.get("environment").cloned(), secret];
        for variables in sources.iter().flatten().filter_map(Value::as_object) {
            for (name, value) in variables {
                if !is_free(name) {
                    let slug = &target.slug;
                    return Err(ProviderError::failed(format!(
                        "the target {slug} sets the variable {name}, which is not for targets to set"
                    )));
                }
                self.set(name, text(value));
            }
        }
        Ok(())
    }

    /// All of them.
    pub fn into_vec(self) -> Vec<(OsString, OsString)> {
        self.0
    }
}

/// The folders that the target opens to programs for writing: `writable_folders` of its settings.
pub fn doors(job: &Job) -> Result<Vec<PathBuf>, ProviderError> {
    let Some(target) = &job.target else { return Ok(Vec::new()) };
    let Some(folders) = target.settings.get("writable_folders") else { return Ok(Vec::new()) };
    let read = |folder: &Value| folder.as_str().map(PathBuf::from).filter(|path| path.is_absolute());
    let folders = folders.as_array().and_then(|all| all.iter().map(read).collect::<Option<Vec<_>>>());
    folders.ok_or_else(|| {
        let slug = &target.slug;
        ProviderError::failed(format!("the target {slug} sets writable_folders, which must be a list of whole paths"))
    })
}

/// What the runners of Azure Deployment Environments know of where they work.
const OF_ADE_TARGETS: [&str; 7] = [
    "ADE_CLIENT_ID",
    "ADE_ENABLE_CUSTOM_DEPLOY",
    "ADE_ENVIRONMENT_LOCATION",
    "ADE_HTTP__DEVCENTERID",
    "ADE_RESOURCE_GROUP_NAME",
    "ADE_SUBSCRIPTION_ID",
    "ADE_TENANT_ID",
];

/// Upper-case names, without those that steer the program itself or the loader.
pub fn is_free(name: &str) -> bool {
    if OF_ADE_TARGETS.contains(&name) {
        return true;
    }
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    // Of Terraform's own: values of variables and credentials of registries, nothing that steers it.
    let terraform = name.starts_with("TF_") && !name.starts_with("TF_VAR_") && !name.starts_with("TF_TOKEN_");
    let reserved = ["LD_", "PADDOCK_", "ADE_"];
    plain
        && !terraform
        && !matches!(name, "PATH" | "HOME" | "TMPDIR" | "IFS" | "ENV" | "BASH_ENV")
        && !reserved.iter().any(|prefix| name.starts_with(prefix))
}

/// A value as a program takes it: texts as they are, lists of plain values as lines, all else JSON.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            items.iter().map(text).collect::<Vec<_>>().join("\n")
        }
        other => other.to_string(),
    }
}

/// `serviceName` and `service-name` both become `SERVICE_NAME`.
pub fn variable_name(key: &str) -> String {
    let mut name = String::with_capacity(key.len() + 4);
    let mut after_lower = false;
    for c in key.chars() {
        if c.is_ascii_uppercase() && after_lower {
            name.push('_');
        }
        after_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        name.push(if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_become_texts() {
        assert_eq!(text(&json!("a b")), "a b");
        assert_eq!(text(&json!(["@a", "@b"])), "@a\n@b");
        assert_eq!(text(&json!({"a": 1})), r#"{"a":1}"#);
        assert_eq!(text(&json!(true)), "true");
    }

    #[test]
    fn names_become_variables() {
        for (key, name) in [("serviceName", "SERVICE_NAME"), ("clone-base", "CLONE_BASE"), ("port2Http", "PORT2_HTTP")]
        {
            assert_eq!(variable_name(key), name);
        }
        assert!(
            is_free("AWS_REGION") && is_free("TF_VAR_x") && is_free("TF_TOKEN_example_com") && is_free("https_proxy")
        );
        for bad in [
            "PATH",
            "LD_PRELOAD",
            "TF_CLI_CONFIG_FILE",
            "TF_HTTP_ADDRESS",
            "TF_PLUGIN_CACHE_DIR",
            "PADDOCK_RUN_ID",
            "A=B",
            "",
            "1A",
        ] {
            assert!(!is_free(bad), "{bad}");
        }
    }
}
