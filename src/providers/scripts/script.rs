//! Runs one script of the template: its folder, its variables, what it says.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tokio::time::timeout;

use super::config::{Config, is_of_image};
use super::record::{LARGEST, Record};
use super::{DIFFERENCES, ERRORS, Machine, OUTPUTS, RESULT_CODE, STORAGE, Task, Variables, ade};
use crate::base::Digest;
use crate::providers::guard::BURIAL;
use crate::providers::process::{Watcher, plain};
use crate::providers::workspace::{Workspace, read, remove, write_files, write_private};
use crate::providers::{Host, Job, ProviderError, Stream};

/// How many lines of errors are kept for the message.
const MOST_LINES: usize = 200;

/// How a script ended: its exit code and, if it is not 0, the first real error.
pub type Ended = (i32, Option<String>);

/// The environment's workspace, ready for scripts.
pub struct Scripts<'a> {
    machine: &'a dyn Machine,
    workspace: Workspace,
    job: &'a Job,
    config: &'a Config,
    host: &'a dyn Host,
}

impl<'a> Scripts<'a> {
    /// Waits for the workspace and writes the template's files into it.
    pub async fn open(
        machine: &'a dyn Machine,
        job: &'a Job,
        config: &'a Config,
        host: &'a dyn Host,
    ) -> Result<Self, ProviderError> {
        let settings = machine.settings();
        let mut workspace = Workspace::own(&settings.work_root, job).await?;
        if config.image.is_some() {
            // An engine's monitor inherits the guard's lock and holds it as long as the container lives, guard
            // or not. Whoever is in its grace is waited for first.
            if let Ok(held) = timeout(settings.grace + BURIAL, workspace.hold()).await {
                held?;
            }
            machine.make_way(job).await?;
        }
        workspace.hold().await?;
        let folder = workspace.empty_folder("files")?;
        write_files(&folder, job.files.iter())?;
        Ok(Self { machine, workspace, job, config, host })
    }

    /// Puts the storage folder back as `record` has it, unless an attempt at the same work left a
    /// later one on this machine.
    pub fn restore(&self, record: &Record) -> Result<(), ProviderError> {
        let mark = self.workspace.path("storage.mark");
        let begun = record.begun.as_ref().map(|begun| format!("{} {}", begun.run, begun.operation));
        let left = read(&mark)?;
        if begun.is_none() || left.as_deref() != begun.as_deref().map(str::as_bytes) {
            record.unpack(&self.workspace.empty_folder(STORAGE)?)?;
        }
        let ours = format!("{} {}", self.job.run, self.job.operation);
        write_private(&mark, ours.as_bytes())?;
        self.workspace.folder(STORAGE).map(drop)
    }

    /// Runs a script.
    pub async fn run(&mut self, script: &str, operation: &str) -> Result<Ended, ProviderError> {
        let path = Path::new("files").join(script);
        if !is_of_image(script) {
            make_executable(&self.workspace.path("files").join(script))?;
        }
        remove(&self.workspace.path(DIFFERENCES))?;
        let looks = matches!(operation, "probe" | "drift");
        if !looks {
            // What a probe finds done has written its outputs before it died.
            remove(&self.workspace.path(OUTPUTS))?;
        }
        remove(&self.workspace.path(RESULT_CODE))?;
        write_private(&self.workspace.path(ERRORS), b"")?;
        let variables = self.variables(operation)?;
        let task = Task {
            job: self.job,
            script: path,
            image: self.config.image.as_deref(),
            operation,
            of_ade: self.config.template.is_some(),
            folder: self.folder(),
            looks,
            variables,
        };
        let mut watcher = Listener { host: self.host, errors: Vec::new() };
        let code = self.machine.run(task, &mut self.workspace, &mut watcher).await?;
        self.ended(script, code, &watcher)
    }

    /// How the script of this work ended, where the machine noted it and the attempt that ran it did not
    /// see it.
    pub async fn recall(&mut self, script: &str) -> Result<Option<Ended>, ProviderError> {
        let mut watcher = Listener { host: self.host, errors: Vec::new() };
        let code = self.machine.recall(self.job, &mut self.workspace, &mut watcher).await?;
        code.map(|code| self.ended(script, code, &watcher)).transpose()
    }

    /// Has the machine forget the environment, which is gone.
    pub async fn forget(&mut self) -> Result<(), ProviderError> {
        let mut watcher = Listener { host: self.host, errors: Vec::new() };
        self.machine.forget(self.job, &mut self.workspace, &mut watcher).await
    }

    fn ended(&self, script: &str, code: i32, watcher: &Listener<'_>) -> Result<Ended, ProviderError> {
        if code == 0 {
            return Ok((0, None));
        }
        let log = read(&self.workspace.path(ERRORS))?.unwrap_or_default();
        let written: Vec<String> = String::from_utf8_lossy(&log).lines().take(MOST_LINES).map(plain).collect();
        // What a shell says of a program that was killed says no more than the code does.
        let says = |message: &String| message != "Killed";
        let message = first_error(&written).or_else(|| first_error(&watcher.errors)).filter(says);
        let message = message.unwrap_or_else(|| silent(script, code, self.machine.settings().limits.memory));
        let told = match self.config.template {
            Some(_) => format!("{}: {message}", ade::name_of(self.told_code()?.unwrap_or(code))),
            None => message,
        };
        Ok((code, Some(told)))
    }

    /// The code that the script told of its failure, by `ade operation-result`.
    fn told_code(&self) -> Result<Option<i32>, ProviderError> {
        let text = read(&self.workspace.path(RESULT_CODE))?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&text).trim().parse().ok())
    }

    /// Where scripts start, in the workspace.
    fn folder(&self) -> PathBuf {
        let files = Path::new("files");
        let template = self.config.template.as_deref().and_then(|template| Path::new(template).parent());
        template.map_or_else(|| files.to_owned(), |folder| files.join(folder))
    }

    /// What the script said of differences, line by line.
    pub fn differences(&self) -> Result<Vec<String>, ProviderError> {
        let said = read(&self.workspace.path(DIFFERENCES))?.unwrap_or_default();
        let lines =
            String::from_utf8_lossy(&said).lines().map(|line| plain(line).trim().to_owned()).collect::<Vec<_>>();
        Ok(lines.into_iter().filter(|line| !line.is_empty()).take(MOST_LINES).collect())
    }

    /// Takes the storage folder over into the record.
    pub fn take_storage(&self, record: &mut Record) -> Result<(), ProviderError> {
        record.pack(&self.workspace.path(STORAGE))
    }

    /// Takes outputs and storage over into the record.
    pub fn take_over(&self, record: &mut Record) -> Result<(), ProviderError> {
        self.take_storage(record)?;
        let path = self.workspace.path(OUTPUTS);
        if path.symlink_metadata().is_ok_and(|data| data.len() > LARGEST as u64) {
            return Err(ProviderError::failed("the outputs file is larger than 16 MiB"));
        }
        match read(&path)? {
            Some(outputs) => record.read_outputs(&outputs),
            None => Ok(()),
        }
    }

    /// Removes the workspace with its secrets: Paddock has what counts.
    pub fn close(self) -> Result<(), ProviderError> {
        self.workspace.remove()
    }

    fn variables(&self, operation: &str) -> Result<Variables, ProviderError> {
        let job = self.job;
        let mut variables = Variables::default();
        variables.texts.set_from_target(job)?;
        for (name, folder) in [("HOME", "home"), ("TMPDIR", "tmp")] {
            self.workspace.empty_folder(folder)?;
            variables.place(name, folder);
        }
        let inputs = Value::Object(job.inputs.clone()).to_string();
        write_private(&self.workspace.path("inputs.json"), inputs.as_bytes())?;
        let key = Digest::of(format!("{}/{}/{}", job.run, job.generation, job.operation).as_bytes()).to_string();
        for (name, value) in [
            ("LANG", "C.UTF-8".to_owned()),
            ("PADDOCK_OPERATION", job.operation.to_owned()),
            ("PADDOCK_STOPPED", job.stopped.to_string()),
            ("PADDOCK_ENVIRONMENT_ID", job.environment.to_string()),
            ("PADDOCK_ENVIRONMENT_NAME", job.environment_name.clone()),
            ("PADDOCK_ENVIRONMENT_TYPE", job.environment_type.clone()),
            ("PADDOCK_PROJECT", job.project.clone()),
            ("PADDOCK_RUN_ID", job.run.to_string()),
            ("PADDOCK_ATTEMPT", job.attempt.to_string()),
            ("PADDOCK_GENERATION", job.generation.to_string()),
            ("PADDOCK_IDEMPOTENCY_KEY", key),
            ("ADE_ENVIRONMENT_NAME", job.environment_name.clone()),
            ("ADE_ENVIRONMENT_TYPE", job.environment_type.clone()),
            ("ADE_OPERATION_NAME", operation.to_owned()),
            ("ADE_HTTP__OPERATIONID", job.run.to_string()),
        ] {
            variables.set(name, value);
        }
        variables.texts.set_unless_there("ADE_HTTP__DEVCENTERID", ade::DEV_CENTER);
        variables.set_if_short("ADE_OPERATION_PARAMETERS", inputs);
        for (ours, theirs, file) in [
            ("PADDOCK_OUTPUTS", "ADE_OUTPUTS", OUTPUTS),
            ("PADDOCK_STORAGE", "ADE_STORAGE", STORAGE),
            ("PADDOCK_ERROR_LOG", "ADE_ERROR_LOG", ERRORS),
        ] {
            variables.place(ours, file);
            variables.place(theirs, file);
        }
        variables.place("PADDOCK_INPUTS", "inputs.json");
        variables.place("PADDOCK_DIFFERENCES", DIFFERENCES);
        if let Some(template) = &self.config.template {
            ade::equip(&mut variables, &self.workspace, job, template)?;
            if self.config.image.is_none() {
                // There are no scripts of an image: those of the definition are the ones.
                variables.set("ADE_ENABLE_CUSTOM_DEPLOY", "true");
            }
        }
        variables.flatten("PADDOCK_INPUT_", &job.inputs);
        if let Some(action) = &job.action {
            let inputs = Value::Object(action.inputs.clone()).to_string();
            write_private(&self.workspace.path("action.json"), inputs.as_bytes())?;
            variables.set("PADDOCK_ACTION", &action.name);
            variables.place("PADDOCK_ACTION_INPUTS", "action.json");
            variables.flatten("PADDOCK_ACTION_INPUT_", &action.inputs);
        }
        self.set_target(&mut variables)?;
        Ok(variables)
    }

    fn set_target(&self, variables: &mut Variables) -> Result<(), ProviderError> {
        let Some(target) = &self.job.target else { return Ok(()) };
        variables.set("PADDOCK_TARGET", &target.slug);
        if let Value::Object(settings) = &target.settings {
            variables.flatten("PADDOCK_TARGET_", settings);
        }
        if let Some(secret) = target.secret.as_ref().filter(|_| self.machine.hands_over_credential()) {
            write_private(&self.workspace.path("target.secret"), secret.expose_secret().as_bytes())?;
            variables.place("PADDOCK_TARGET_SECRET_FILE", "target.secret");
        }
        Ok(())
    }
}

/// What can be said of a script that said nothing. Codes above 128 are signals: a shell that the
/// kernel gives no more memory ends by ABRT, KILL or SEGV, without a word.
fn silent(script: &str, code: i32, memory: u64) -> String {
    let ended = format!("{script} ended with code {code} and said nothing");
    if matches!(code, 134 | 137 | 139) {
        let limit = memory / (1024 * 1024);
        return format!("{ended}; it may have reached its limit of memory, {limit} MiB (--program-memory)");
    }
    ended
}

fn make_executable(path: &Path) -> Result<(), ProviderError> {
    use std::os::unix::fs::PermissionsExt as _;
    // Not every catalog source keeps the mark.
    let mode = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(path, mode).map_err(|error| {
        let path: PathBuf = path.to_owned();
        ProviderError::retryable(format!("{} cannot be made executable: {error}", path.display()))
    })
}

/// The line that says what went wrong: the first that sounds like it, else the last.
fn first_error(lines: &[String]) -> Option<String> {
    let said: Vec<&String> = lines.iter().filter(|line| !line.trim().is_empty()).collect();
    let sounds = |line: &&&String| {
        let line = line.to_lowercase();
        ["error", "fatal", "fail", "cannot", "denied", "refused", "not found", "no such"]
            .iter()
            .any(|w| line.contains(w))
    };
    match said.as_slice() {
        [] => None,
        few if few.len() <= 3 => Some(few.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")),
        many => many.iter().find(sounds).or(many.last()).map(|line| line.trim().to_owned()),
    }
}

struct Listener<'a> {
    host: &'a dyn Host,
    errors: Vec<String>,
}

#[async_trait]
impl Watcher for Listener<'_> {
    async fn line(&mut self, stream: Stream, line: &str) -> Result<(), ProviderError> {
        let line = plain(line);
        self.host.log(stream, &line).await?;
        if stream == Stream::Stderr && self.errors.len() < MOST_LINES {
            self.errors.push(line);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_found_among_the_noise() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(first_error(&lines("\nName is taken.\n\n")).unwrap(), "Name is taken.");
        let noisy = "Cloning into x\nremote: 1\nfatal: no access\nremote: 2\nbye";
        assert_eq!(first_error(&lines(noisy)).unwrap(), "fatal: no access");
        assert_eq!(first_error(&lines("a\nb\nc\nd")).unwrap(), "d");
        assert_eq!(first_error(&[]), None);
    }
}
