//! What checks of targets find on this machine, for the providers that run programs on it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use super::process::{Settings, plain};
use super::target::{Finding, Kind, TargetField};
use super::workspace::make_folder;
use super::{ProviderError, Target};

/// How long a program may take to say its version.
const VERSION: Duration = Duration::from_secs(10);
/// The longest version line that is shown, in characters.
const LONGEST: usize = 120;

/// Variables that every program of the target's runs sees; not the secret ones.
pub const ENVIRONMENT: TargetField = TargetField::new("environment", "Variables", Kind::Variables)
    .help("NAME=value, one in a line. Everybody who may look at targets sees these; secrets belong below.")
    .like("AWS_REGION=eu-west-1");

/// Folders that programs of templates may write to.
pub const WRITABLE_FOLDERS: TargetField =
    TargetField::new("writable_folders", "Folders that programs may write to", Kind::Folders)
        .help("Whole paths on the worker, one in a line. Programs write to nothing else but their own workspace.")
        .like("/srv/repositories");

/// The credential: variables of programs.
pub const SECRET_VARIABLES: TargetField = TargetField::new("variables", "Secret variables", Kind::Variables)
    .help("NAME=value, one in a line. They are encrypted, given to the programs of its runs, and never shown again.")
    .like("AWS_SECRET_ACCESS_KEY=…")
    .secret();

/// Whether the folder for workspaces can be written to.
pub fn workspaces(settings: &Settings) -> Finding {
    let what = "Workspaces";
    let root = &settings.work_root;
    match make_folder(root).and_then(|()| try_write(root)) {
        Ok(()) => Finding::ok(what, format!("{} can be written to.", root.display())),
        Err(error) => Finding::failed(
            what,
            format!("{error}."),
            "Give the user of Paddock the folder, and see that the disk is not full.",
        ),
    }
}

/// Whether programs of templates are walled in here.
pub fn walls(settings: &Settings) -> Finding {
    let what = "Walls";
    match &settings.sandbox {
        Some(sandbox) if sandbox.is_closed() => {
            Finding::ok(what, "Programs see nothing of Paddock's data, and write only where they may.")
        }
        Some(_) => Finding::warning(
            what,
            "Programs see nothing of Paddock's data, but can write elsewhere on the machine.",
            "`paddock doctor` on the worker says what is missing.",
        ),
        None => Finding::warning(
            what,
            "Programs of templates are not walled off from Paddock's data.",
            "Allow user namespaces on the worker (`paddock doctor` says what is missing), or trust every template.",
        ),
    }
}

/// Whether the folders that the target opens are there and can be written to.
pub fn folders(target: &Target) -> Vec<Finding> {
    let what = "Folder";
    let listed = target.settings.get("writable_folders").and_then(Value::as_array);
    let one = |path: &str| match try_write(Path::new(path)) {
        Ok(()) => Finding::ok(what, format!("{path} can be written to.")),
        Err(error) => Finding::failed(what, format!("{error}."), "Make it, and give it to the user of Paddock."),
    };
    listed.into_iter().flatten().filter_map(Value::as_str).map(one).collect()
}

/// Whether `folder` takes a file, which does not stay.
pub fn try_write(folder: &Path) -> Result<(), ProviderError> {
    tempfile(folder)
        .map_err(|error| ProviderError::failed(format!("{} cannot be written to: {error}", folder.display())))
}

fn tempfile(folder: &Path) -> std::io::Result<()> {
    let name = folder.join(format!(".paddock-check-{}", std::process::id()));
    // Not over a file that is there, and through no link.
    std::fs::OpenOptions::new().write(true).create_new(true).open(&name)?;
    std::fs::remove_file(&name)
}

/// What a program says of its version: the first line. It gets no variables but the path.
pub async fn version(settings: &Settings, program: &Path, argument: &str) -> Result<String, String> {
    let mut command = Command::new(program);
    command.arg(argument).env_clear().env("PATH", &settings.path).env("CHECKPOINT_DISABLE", "1").stdin(Stdio::null());
    command.kill_on_drop(true);
    let output = match timeout(VERSION, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(format!("{} cannot be started: {error}", program.display())),
        Err(_) => return Err(format!("{} said nothing within {} s", program.display(), VERSION.as_secs())),
    };
    if !output.status.success() {
        return Err(format!("{} {argument} ended with {}", program.display(), output.status));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(plain(text.lines().next().unwrap_or_default().trim()).chars().take(LONGEST).collect())
}
