//! Targets of Terraform: what an admin fills in, and what a check looks at.

use serde_json::Value;

use super::TerraformProvider;
use crate::providers::machine;
use crate::providers::target::{Finding, Kind, TargetField, TargetForm};
use crate::providers::{Provider as _, Target};

pub static FORM: TargetForm = TargetForm {
    about: "A cloud account that Terraform or OpenTofu works in, by the variables that its providers read.",
    fields: &[
        TargetField::new(
            "program",
            "Program",
            Kind::Choice(&[("", "What the template asks for"), ("tofu", "OpenTofu"), ("terraform", "Terraform")]),
        ),
        machine::ENVIRONMENT,
        machine::WRITABLE_FOLDERS,
        machine::SECRET_VARIABLES,
    ],
    sets_credential: false,
};

impl TerraformProvider {
    pub(super) async fn look_at(&self, target: &Target) -> Vec<Finding> {
        let mut findings = vec![self.program_found(target).await, self.cache().await];
        findings.push(machine::workspaces(&self.settings));
        findings.push(machine::walls(&self.settings));
        findings.extend(machine::folders(target));
        findings.push(credential(target));
        findings
    }

    async fn program_found(&self, target: &Target) -> Finding {
        let what = "Program";
        let wanted = target.settings.get("program").and_then(Value::as_str).filter(|word| !word.is_empty());
        let found = match self.executable(wanted) {
            Ok(program) => machine::version(&self.settings, &program, "version").await.map(|line| (line, program)),
            Err(why) => Err(why),
        };
        match found {
            Ok((line, program)) => Finding::ok(what, format!("{line} ({}).", program.display())),
            Err(why) => Finding::failed(
                what,
                format!("{why}."),
                "Install OpenTofu or Terraform on the worker, or name it with --terraform.",
            ),
        }
    }

    async fn cache(&self) -> Finding {
        match self.check().await {
            Err(why) if why.contains("plugin_cache_dir") => Finding::failed(
                "Plugin cache",
                format!("{why}."),
                "Take plugin_cache_dir out of the CLI configuration; a mirror of providers serves as well.",
            ),
            _ => Finding::ok("Plugin cache", "Every environment has its own."),
        }
    }
}

/// What can be said of the credential without asking a cloud: only Terraform's providers know it.
fn credential(target: &Target) -> Finding {
    match &target.secret {
        Some(_) => Finding::ok(
            "Credential",
            "There are secret variables. Whether the cloud takes them, the plan of the first run tells.",
        ),
        None => Finding::ok("Credential", "None: the worker's own identity is used, if it has one."),
    }
}
