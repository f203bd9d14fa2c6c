//! A script in a container, with what the runners of Azure Deployment Environments have at the same places:
//! `/ade/repository` is the template, `/ade/storage` what is kept, `/ade/temp` the rest of the workspace.
//!
//! The container has no more rights than the script would have on the worker, and fewer where engines can
//! take some: no capabilities, no new privileges, its file system only to be read, the limits of the worker.
//! Values go in by a file, never on a command line and never into what the engine keeps of a container.
//!
//! A container is not a child of the engine's client, so the guard alone cannot end it. `client.sh` does
//! when it is asked to stop; whoever opens the workspace next removes what is there by its name, before
//! anything else ([`super::Engine::remove`]).

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use super::Engine;
use super::engine::container_name;
use crate::providers::environment::Environment;
use crate::providers::guard::Stop;
use crate::providers::process::{self, Program, Settings, Watcher};
use crate::providers::scripts::{STORAGE, Task};
use crate::providers::workspace::{Workspace, write_files, write_private};
use crate::providers::{ProviderError, TemplateFile};

/// Runs on the worker.
const CLIENT: &str = include_str!("client.sh");
/// Runs in the container.
const INSIDE: &str = include_str!("inside.sh");

/// Runs the task in `image` and returns its exit code.
pub async fn run(
    settings: &Settings,
    engine: &Engine,
    image: &str,
    task: Task<'_>,
    workspace: &mut Workspace,
    watcher: &mut dyn Watcher,
) -> Result<i32, ProviderError> {
    let shell = settings.find_program(&["sh"]);
    let shell = shell.ok_or_else(|| ProviderError::failed("there is no sh on the path of programs"))?;
    let folder = workspace.folder("bin")?;
    let inside = TemplateFile { path: "inside".to_owned(), executable: true, content: INSIDE.as_bytes().to_vec() };
    write_files(&folder, [&inside])?;
    let lookup = task.looks_up();
    let Task { job, script, folder, operation, variables, .. } = task;
    write_private(&workspace.path("variables.sh"), &exports(variables.placed(place)))?;
    let patience = (settings.grace.as_secs() / 2).max(1);
    let mut args: Vec<OsString> = ["-c", CLIENT, "paddock-container"].map(OsString::from).into();
    args.extend([engine.word().to_owned(), container_name(job.environment).into(), patience.to_string().into()]);
    args.push("--rm".into());
    for (name, value) in [("environment", job.environment.to_string()), ("run", job.run.to_string())] {
        args.extend(["--label".to_owned(), format!("paddock.{name}={value}")].map(OsString::from));
    }
    args.extend(walls(settings, engine));
    for (from, to) in [(".", "/ade/temp"), ("files", "/ade/repository"), (STORAGE, "/ade/storage")] {
        args.extend(["--volume".into(), volume(&workspace.path(from), to)]);
    }
    args.extend(["--volume".into(), volume(&workspace.path("bin"), "/ade/bin:ro")]);
    args.extend(["--workdir", &place(&folder.to_string_lossy()), "--entrypoint", "/bin/sh"].map(OsString::from));
    let script = place(&script.to_string_lossy());
    let lookup = if lookup { "yes" } else { "no" };
    args.extend([image, "/ade/bin/inside", &script, operation, lookup].map(OsString::from));

    let root = workspace.path("");
    let program = Program {
        path: shell,
        args,
        folder: root.clone(),
        environment: engine.environment.clone(),
        lock: workspace.release(),
        mark: format!("{}.{}", job.run, job.attempt),
        stop: Stop::Terminate,
        kept: root,
        doors: Vec::new(),
    };
    // The engine makes walls of its own, which it cannot from behind ours.
    let settings = Settings { sandbox: None, ..settings.clone() };
    let ended = process::run(&settings, &program, &job.cancel, watcher).await;
    // Where the client was killed before it could see to that.
    engine.remove(job.environment).await?;
    let code = ended?;
    workspace.hold().await?;
    Ok(code)
}

/// What the container may, and what it may take.
fn walls(settings: &Settings, engine: &Engine) -> Vec<OsString> {
    let (memory, processes) = (settings.limits.memory.to_string(), settings.limits.processes.to_string());
    let time = format!("cpu={0}:{0}", settings.limits.cpu);
    let user = user(engine);
    let mut args = vec!["--pull", &engine.pull, "--user", &user, "--cap-drop", "all"];
    args.extend(["--security-opt", "no-new-privileges", "--read-only", "--tmpfs", "/tmp"]);
    args.extend(["--memory", &memory, "--pids-limit", &processes, "--ulimit", &time, "--ulimit", "core=0:0"]);
    if let Some(network) = &engine.network {
        args.extend(["--network", network]);
    }
    args.into_iter().map(OsString::from).collect()
}

/// Who reads the workspace in the container: the worker's own user, as whom it is written. Podman without
/// root maps that one to 0.
fn user(engine: &Engine) -> String {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let podman = engine.program.file_name().is_some_and(|name| name.to_string_lossy().contains("podman"));
    if user == 0 || podman { "0:0".to_owned() } else { format!("{user}:{group}") }
}

/// A place of the workspace, or a path of the image, as the container has it.
fn place(path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    let (first, rest) = path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let first = match first {
        "files" => "/ade/repository".to_owned(),
        STORAGE => "/ade/storage".to_owned(),
        other => format!("/ade/temp/{other}"),
    };
    rest.map_or_else(|| first.clone(), |rest| format!("{first}/{rest}"))
}

fn volume(from: &Path, to: &str) -> OsString {
    let mut volume = from.as_os_str().to_owned();
    volume.push(format!(":{to}"));
    volume
}

/// Variables as a shell reads them, whatever is in them.
fn exports(variables: Environment) -> Vec<u8> {
    let mut text = Vec::new();
    for (name, value) in variables.into_vec() {
        text.extend_from_slice(b"export ");
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(b"='");
        for byte in value.into_vec() {
            match byte {
                b'\'' => text.extend_from_slice(b"'\\''"),
                other => text.push(other),
            }
        }
        text.extend_from_slice(b"'\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_runners() {
        for (path, inside) in [
            ("files", "/ade/repository"),
            ("files/conf/main.tf", "/ade/repository/conf/main.tf"),
            ("storage", "/ade/storage"),
            ("output.json", "/ade/temp/output.json"),
            ("/scripts/deploy.sh", "/scripts/deploy.sh"),
        ] {
            assert_eq!(place(path), inside);
        }
    }

    #[test]
    fn a_value_cannot_leave_its_quotes() {
        let mut variables = Environment::default();
        variables.set("A", "it's\n$(x) `y` \"z\"");
        assert_eq!(exports(variables), b"export A='it'\\''s\n$(x) `y` \"z\"'\n");
    }
}
