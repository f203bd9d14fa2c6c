//! What the scripts of a definition of Azure Deployment Environments expect beside the variables that
//! every script gets: its runners' helper `ade`, and the names of their exit codes.

use serde_json::json;

use super::Variables;
use crate::providers::workspace::{Workspace, write_files, write_private};
use crate::providers::{Job, ProviderError, TemplateFile};

/// The helper, a shell script.
const HELPER: &str = include_str!("ade.sh");

/// What scripts get as the id of their dev center (`ADE_HTTP__DEVCENTERID`), unless their target says another
/// one. It means nothing here: to a runner it is where to report, and the helper reports to Paddock.
pub const DEV_CENTER: &str = "paddock";

/// Puts the helper on the path, with what it tells of environment and definition.
pub fn equip(variables: &mut Variables, workspace: &Workspace, job: &Job, template: &str) -> Result<(), ProviderError> {
    let folder = workspace.empty_folder("bin")?;
    let helper = TemplateFile { path: "ade".to_owned(), executable: true, content: HELPER.as_bytes().to_vec() };
    write_files(&folder, [&helper])?;
    let about = json!({
        "name": job.environment_name,
        "environmentType": job.environment_type,
        "parameters": job.inputs,
    });
    write_private(&folder.join("environment.json"), about.to_string().as_bytes())?;
    let about = json!({"templatePath": template, "contentSourcePath": "."});
    write_private(&folder.join("definition.json"), about.to_string().as_bytes())?;
    variables.with_bin = true;
    variables.place("ADE_TEMPLATE_FILE", format!("files/{template}"));
    variables.place("ADE_MANIFEST_FOLDER", "files");
    Ok(())
}

/// The name of an exit code of a runner that failed.
pub fn name_of(code: i32) -> &'static str {
    match code {
        1 => "DeploymentError",
        7 => "InvalidEndpoint",
        8 => "InvalidDevCenterId",
        9 => "CliSetupError",
        10 => "InvalidOperationId",
        11 => "RequestFailed",
        12 => "InvalidCliInput",
        13 => "FileOperationError",
        14 => "EnvironmentStorageExceeded",
        15 => "SecurityError",
        16 => "DeploymentIdentitySignInError",
        17 => "CliUpgradeError",
        _ => "UnknownError",
    }
}
