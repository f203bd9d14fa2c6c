//! Calls of the Terraform (or OpenTofu) command line in one workspace.
//!
//! Layout: `files/` the template and the inputs, `state/` the state file, `data/` what `init`
//! fetches, `home/` and `tmp/` for the program, `plan.bin` the saved plan.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::messages::{self, Message};
use super::state::{self, State, Sync};
use crate::base::failpoint::reach;
use crate::providers::environment::Environment;
use crate::providers::guard::Stop;
use crate::providers::process::{self, Program, Settings, Watcher, plain};
use crate::providers::workspace::{Workspace, read, remove, write_files, write_private};
use crate::providers::{Host, Job, ProviderError, Stream};

/// Sorts behind every file of a template: override files are merged in order of their names.
const OVERRIDE: &str = "zzz_paddock_override.tf.json";

/// Names the providers with their digests.
const LOCK_FILE: &str = "files/.terraform.lock.hcl";

/// Terraform in a workspace that is prepared and held.
pub struct Cli<'a> {
    settings: &'a Settings,
    executable: PathBuf,
    workspace: Workspace,
    job: &'a Job,
    host: &'a dyn Host,
    environment: Environment,
    /// What Paddock has of the state.
    saved: Option<Vec<u8>>,
}

impl<'a> Cli<'a> {
    /// Waits for the workspace and makes it ready: the newest state, and the job's files and inputs.
    pub async fn open(
        settings: &'a Settings,
        executable: PathBuf,
        job: &'a Job,
        host: &'a dyn Host,
    ) -> Result<Self, ProviderError> {
        let workspace = Workspace::open(&settings.work_root, job).await?;
        workspace.folder("state")?;
        let state_path = workspace.path("state/terraform.tfstate");
        let saved = host.load_state().await?;
        let mut left = read(&state_path)?;
        // Written by Terraform when it could not write the state where it belongs.
        if let Some(rescued) = read(&workspace.path("files/errored.tfstate"))? {
            left = state::newest(left, Some(rescued));
        }
        let state = state::newest(saved.clone(), left);
        match &state {
            Some(state) => write_private(&state_path, state)?,
            None => remove(&state_path)?,
        }
        if state.is_some() && state != saved {
            host.log(Stream::Paddock, "Going on from the state that an earlier attempt left on this machine").await?;
            host.save_state(state.as_deref().unwrap_or_default()).await?;
        }
        let mut cli =
            Self { settings, executable, workspace, job, host, environment: Environment::default(), saved: state };
        cli.write_inputs()?;
        cli.set_environment()?;
        reach("terraform.opened");
        Ok(cli)
    }

    fn write_inputs(&self) -> Result<(), ProviderError> {
        let folder = self.workspace.empty_folder("files")?;
        write_files(&folder, self.job.files.iter())?;
        let inputs = Value::Object(self.job.inputs.clone());
        write_private(&folder.join("terraform.tfvars.json"), inputs.to_string().as_bytes())?;
        // The state is Paddock's to keep, whatever backend the template names.
        // It becomes part of a saved plan: relative, so that the plan can be applied elsewhere.
        let path = "../state/terraform.tfstate";
        let backend = json!({"terraform": {"backend": {"local": {"path": path}}}});
        write_private(&folder.join(OVERRIDE), backend.to_string().as_bytes())
    }

    fn set_environment(&mut self) -> Result<(), ProviderError> {
        let config = self.workspace.path("terraformrc");
        let more = self.settings.terraform_config.as_deref().unwrap_or_default();
        write_private(&config, format!("disable_checkpoint = true\n{more}\n").as_bytes())?;
        let environment = &mut self.environment;
        environment.set_from_target(self.job)?;
        environment.set("PATH", &self.settings.path);
        environment.set("HOME", self.workspace.empty_folder("home")?);
        environment.set("TMPDIR", self.workspace.empty_folder("tmp")?);
        environment.set("LANG", "C.UTF-8");
        environment.set("TF_CLI_CONFIG_FILE", config);
        environment.set("TF_DATA_DIR", self.workspace.folder("data")?);
        environment.set("TF_IN_AUTOMATION", "1");
        environment.set("TF_INPUT", "0");
        environment.set("CHECKPOINT_DISABLE", "1");
        Ok(())
    }

    /// The file of the saved plan.
    pub fn plan_file(&self) -> PathBuf {
        self.workspace.path("plan.bin")
    }

    /// What the file of the saved plan holds.
    pub fn plan_bytes(&self) -> Result<Vec<u8>, ProviderError> {
        read(&self.plan_file())?.ok_or_else(|| ProviderError::failed("Terraform saved no plan"))
    }

    /// The dependency lock file, if the template or `init` made one.
    pub fn lock_file(&self) -> Result<Option<Vec<u8>>, ProviderError> {
        read(&self.workspace.path(LOCK_FILE))
    }

    /// What Paddock has of the state by now.
    pub fn saved_state(&self) -> Option<&[u8]> {
        self.saved.as_deref()
    }

    /// The state on disk.
    pub fn state(&self) -> Result<Option<State>, ProviderError> {
        let Some(bytes) = read(&self.workspace.path("state/terraform.tfstate"))? else { return Ok(None) };
        let state = State::parse(&bytes);
        state.map(Some).ok_or_else(|| ProviderError::failed("Terraform left a state that cannot be read"))
    }

    /// Fetches providers and modules; with `lock` exactly the providers that it names.
    pub async fn init(&mut self, lock: Option<&[u8]>) -> Result<(), ProviderError> {
        let mut args = vec!["init", "-input=false", "-no-color", "-reconfigure"];
        if let Some(lock) = lock {
            write_private(&self.workspace.path(LOCK_FILE), lock)?;
            args.push("-lockfile=readonly");
        }
        let mut watcher = Text { host: self.host, lines: Vec::new() };
        let code = self.run(&args, &mut watcher).await?;
        if code == 0 {
            reach("terraform.initialized");
            return Ok(());
        }
        let error = messages::first_error_of_text(&watcher.lines);
        let error = error.unwrap_or_else(|| format!("terraform init ended with code {code}"));
        // A registry that does not answer is not the template's fault.
        let busy = ["could not connect", "connection refused", "timeout", "timed out", "no such host", "EOF"];
        Err(if busy.iter().any(|word| error.contains(word)) {
            ProviderError::retryable(error)
        } else {
            ProviderError::failed(error)
        })
    }

    /// Runs a verb with `-json`, tells the host each line, and keeps the state safe on the way.
    pub async fn json(&mut self, args: &[&str]) -> Result<(), ProviderError> {
        let sync = Sync::new(self.workspace.path("state/terraform.tfstate"), self.saved.as_deref());
        let mut watcher = Json { host: self.host, sync, first_error: None, last_text: None };
        let outcome = self.run(args, &mut watcher).await;
        let Json { first_error, last_text, mut sync, .. } = watcher;
        if !matches!(outcome, Err(ProviderError::LeaseLost)) && !sync.finish(self.host).await? {
            self.host.log(Stream::Paddock, "The state file is half written: keeping the last whole one").await?;
        }
        let code = outcome?;
        self.saved = self.host.load_state().await?;
        match code {
            0 => Ok(()),
            code => Err(ProviderError::failed(
                first_error.or(last_text).unwrap_or_else(|| format!("terraform ended with code {code}")),
            )),
        }
    }

    /// The saved plan as JSON.
    pub async fn show_plan(&mut self) -> Result<String, ProviderError> {
        let mut watcher = Capture(String::new());
        let plan = self.plan_file();
        let code = self.run(&["show", "-json", &plan.to_string_lossy()], &mut watcher).await?;
        if code == 0 { Ok(watcher.0) } else { Err(ProviderError::failed("terraform cannot show its own plan")) }
    }

    async fn run(&mut self, args: &[&str], watcher: &mut dyn Watcher) -> Result<i32, ProviderError> {
        let program = Program {
            path: self.executable.clone(),
            args: args.iter().map(OsString::from).collect(),
            folder: self.workspace.path("files"),
            environment: self.environment.clone().into_vec(),
            lock: self.workspace.release(),
            stop: Stop::Interrupt,
        };
        let outcome = process::run(self.settings, &program, &self.job.cancel, watcher).await;
        if outcome.is_ok() {
            self.workspace.hold().await?;
        }
        outcome
    }

    /// Removes the workspace with its secrets, if Paddock has the state that is in it.
    pub async fn close(self) -> Result<(), ProviderError> {
        let left = read(&self.workspace.path("state/terraform.tfstate"))?;
        if left.is_none() || left == self.host.load_state().await? {
            self.workspace.remove()?;
        }
        Ok(())
    }
}

/// Removes the environment's folder on this machine, once nobody uses it.
pub async fn forget(work_root: &Path, job: &Job) -> Result<(), ProviderError> {
    if work_root.join(job.environment.to_string()).exists() {
        Workspace::open(work_root, job).await?.remove()?;
    }
    Ok(())
}

/// Whether an attempt left a state on this machine.
pub fn has_leftover(work_root: &Path, job: &Job) -> bool {
    work_root.join(job.environment.to_string()).join("state/terraform.tfstate").exists()
}

struct Text<'a> {
    host: &'a dyn Host,
    lines: Vec<String>,
}

#[async_trait]
impl Watcher for Text<'_> {
    async fn line(&mut self, stream: Stream, line: &str) -> Result<(), ProviderError> {
        let line = plain(line);
        if line.trim().is_empty() {
            return Ok(());
        }
        self.host.log(stream, &line).await?;
        self.lines.push(line);
        Ok(())
    }
}

struct Json<'a> {
    host: &'a dyn Host,
    sync: Sync,
    first_error: Option<String>,
    last_text: Option<String>,
}

#[async_trait]
impl Watcher for Json<'_> {
    async fn line(&mut self, stream: Stream, line: &str) -> Result<(), ProviderError> {
        let (stream, lines) = match messages::parse(line) {
            Message::Nothing => return Ok(()),
            Message::Say(lines) => (stream, lines),
            Message::Error { lines, text, follows } => {
                if follows {
                    self.last_text.get_or_insert(text);
                } else {
                    self.first_error.get_or_insert(text);
                }
                (Stream::Stderr, lines)
            }
        };
        if stream == Stream::Stderr && self.last_text.is_none() {
            self.last_text = lines.last().cloned();
        }
        for line in lines {
            self.host.log(stream, &line).await?;
        }
        Ok(())
    }

    async fn tick(&mut self) -> Result<(), ProviderError> {
        self.sync.tick(self.host).await.map(drop)
    }
}

struct Capture(String);

#[async_trait]
impl Watcher for Capture {
    async fn line(&mut self, stream: Stream, line: &str) -> Result<(), ProviderError> {
        if stream == Stream::Stdout {
            self.0.push_str(line);
        }
        Ok(())
    }
}
