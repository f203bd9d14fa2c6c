//! Runs one script of the template: its folder, its variables, what it says.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value};

use super::ade;
use super::config::Config;
use super::record::{LARGEST, Record};
use crate::base::Digest;
use crate::providers::environment::{Environment, doors, text, variable_name};
use crate::providers::guard::Stop;
use crate::providers::process::{self, Program, Settings, Watcher, plain};
use crate::providers::workspace::{Workspace, read, remove, write_files, write_private};
use crate::providers::{Host, Job, ProviderError, Stream};

/// Linux takes no longer variable (`MAX_ARG_STRLEN`).
const LONGEST_VARIABLE: usize = 128 * 1024 - 1;
/// Where a script says what differs.
const DIFFERENCES: &str = "differences.txt";
/// How many lines of errors are kept for the message.
const MOST_LINES: usize = 200;

/// The environment's workspace, ready for scripts.
pub struct Scripts<'a> {
    settings: &'a Settings,
    workspace: Workspace,
    job: &'a Job,
    config: &'a Config,
    host: &'a dyn Host,
}

impl<'a> Scripts<'a> {
    /// Waits for the workspace and writes the template's files into it.
    pub async fn open(
        settings: &'a Settings,
        job: &'a Job,
        config: &'a Config,
        host: &'a dyn Host,
    ) -> Result<Self, ProviderError> {
        let workspace = Workspace::open(&settings.work_root, job).await?;
        let folder = workspace.empty_folder("files")?;
        write_files(&folder, job.files.iter())?;
        Ok(Self { settings, workspace, job, config, host })
    }

    /// Puts the storage folder back as `record` has it, unless an attempt at the same work left a
    /// later one on this machine.
    pub fn restore(&self, record: &Record) -> Result<(), ProviderError> {
        let mark = self.workspace.path("storage.mark");
        let begun = record.begun.as_ref().map(|begun| format!("{} {}", begun.run, begun.operation));
        let left = read(&mark)?;
        if begun.is_none() || left.as_deref() != begun.as_deref().map(str::as_bytes) {
            record.unpack(&self.workspace.empty_folder("storage")?)?;
        }
        let ours = format!("{} {}", self.job.run, self.job.operation);
        write_private(&mark, ours.as_bytes())?;
        self.workspace.folder("storage").map(drop)
    }

    /// Runs a script. `Ok` holds its exit code and, if it is not 0, the first real error.
    pub async fn run(&mut self, script: &str, operation: &str) -> Result<(i32, Option<String>), ProviderError> {
        let path = self.workspace.path("files").join(script);
        make_executable(&path)?;
        remove(&self.workspace.path(DIFFERENCES))?;
        if !matches!(operation, "probe" | "drift") {
            // What a probe finds done has written its outputs before it died.
            remove(&self.workspace.path("outputs.json"))?;
        }
        write_private(&self.workspace.path("error.log"), b"")?;
        let environment = self.environment(operation)?;
        let program = Program {
            path,
            args: Vec::new(),
            folder: self.folder(),
            environment: environment.into_vec(),
            lock: self.workspace.release(),
            mark: format!("{}.{}", self.job.run, self.job.attempt),
            stop: Stop::Terminate,
            kept: self.workspace.path(""),
            doors: doors(self.job)?,
        };
        let mut watcher = Listener { host: self.host, errors: Vec::new() };
        let outcome = process::run(self.settings, &program, &self.job.cancel, &mut watcher).await;
        let code = outcome?;
        self.workspace.hold().await?;
        if code == 0 {
            return Ok((0, None));
        }
        let log = read(&self.workspace.path("error.log"))?.unwrap_or_default();
        let written: Vec<String> = String::from_utf8_lossy(&log).lines().take(MOST_LINES).map(plain).collect();
        let message = first_error(&written).or_else(|| first_error(&watcher.errors));
        let message = message.unwrap_or_else(|| silent(script, code, self.settings.limits.memory));
        let told = match self.config.template {
            Some(_) => format!("{}: {message}", ade::name_of(code)),
            None => message,
        };
        Ok((code, Some(told)))
    }

    /// Where scripts start.
    fn folder(&self) -> PathBuf {
        let files = self.workspace.path("files");
        let template = self.config.template.as_deref().and_then(|template| Path::new(template).parent());
        template.map_or_else(|| files.clone(), |folder| files.join(folder))
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
        record.pack(&self.workspace.path("storage"))
    }

    /// Takes outputs and storage over into the record.
    pub fn take_over(&self, record: &mut Record) -> Result<(), ProviderError> {
        self.take_storage(record)?;
        let path = self.workspace.path("outputs.json");
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

    fn environment(&self, operation: &str) -> Result<Environment, ProviderError> {
        let job = self.job;
        let mut environment = Environment::default();
        environment.set_from_target(job)?;
        environment.set("PATH", &self.settings.path);
        environment.set("HOME", self.workspace.empty_folder("home")?);
        environment.set("TMPDIR", self.workspace.empty_folder("tmp")?);
        environment.set("LANG", "C.UTF-8");
        let inputs = Value::Object(job.inputs.clone()).to_string();
        let inputs_file = self.workspace.path("inputs.json");
        write_private(&inputs_file, inputs.as_bytes())?;
        let key = Digest::of(format!("{}/{}/{}", job.run, job.generation, job.operation).as_bytes()).to_string();
        for (name, value) in [
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
            environment.set(name, value);
        }
        if inputs.len() <= LONGEST_VARIABLE - "ADE_OPERATION_PARAMETERS=".len() {
            environment.set("ADE_OPERATION_PARAMETERS", inputs);
        }
        for (ours, theirs, file) in [
            ("PADDOCK_OUTPUTS", "ADE_OUTPUTS", "outputs.json"),
            ("PADDOCK_STORAGE", "ADE_STORAGE", "storage"),
            ("PADDOCK_ERROR_LOG", "ADE_ERROR_LOG", "error.log"),
        ] {
            environment.set(ours, self.workspace.path(file));
            environment.set(theirs, self.workspace.path(file));
        }
        environment.set("PADDOCK_INPUTS", inputs_file);
        environment.set("PADDOCK_DIFFERENCES", self.workspace.path(DIFFERENCES));
        if let Some(template) = &self.config.template {
            ade::equip(&mut environment, &self.workspace, &self.settings.path, job, template)?;
        }
        flatten(&mut environment, "PADDOCK_INPUT_", &job.inputs);
        if let Some(action) = &job.action {
            let file = self.workspace.path("action.json");
            write_private(&file, Value::Object(action.inputs.clone()).to_string().as_bytes())?;
            environment.set("PADDOCK_ACTION", &action.name);
            environment.set("PADDOCK_ACTION_INPUTS", file);
            flatten(&mut environment, "PADDOCK_ACTION_INPUT_", &action.inputs);
        }
        self.set_target(&mut environment)?;
        Ok(environment)
    }

    fn set_target(&self, environment: &mut Environment) -> Result<(), ProviderError> {
        let Some(target) = &self.job.target else { return Ok(()) };
        environment.set("PADDOCK_TARGET", &target.slug);
        if let Value::Object(settings) = &target.settings {
            flatten(environment, "PADDOCK_TARGET_", settings);
        }
        if let Some(secret) = &target.secret {
            let path = self.workspace.path("target.secret");
            write_private(&path, secret.expose_secret().as_bytes())?;
            environment.set("PADDOCK_TARGET_SECRET_FILE", path);
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

/// One variable per value; objects also value by value, with the names joined.
fn flatten(environment: &mut Environment, prefix: &str, values: &Map<String, Value>) {
    for (key, value) in values {
        let name = format!("{prefix}{}", variable_name(key));
        if let Value::Object(inner) = value {
            flatten(environment, &format!("{name}_"), inner);
        }
        let value = text(value);
        // A NUL cannot be handed over, and the file of all inputs has it anyway.
        if value.len() + name.len() < LONGEST_VARIABLE && !value.contains('\0') {
            environment.set(name, value);
        }
    }
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
    use serde_json::json;

    #[test]
    fn objects_are_given_whole_and_in_parts() {
        let mut environment = Environment::default();
        let Value::Object(values) = json!({"network": {"port": 80, "publicName": "x"}, "owners": ["a", "b"]}) else {
            panic!()
        };
        flatten(&mut environment, "PADDOCK_INPUT_", &values);
        let mut names: Vec<String> = environment
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
            ]
        );
    }

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
