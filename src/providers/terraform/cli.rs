//! Calls of the Terraform (or OpenTofu) command line in one workspace.
//!
//! Layout: `files/` the template and the inputs, `data/` what `init` fetches, `home/` and `tmp/` for
//! the program, `plan.bin` the saved plan. The state is not here, unless Terraform could not hand it
//! over ([`ERRORED`]).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::backend::{self, Backend, Credential, Left};
use super::messages::{self, Message};
use super::state::State;
use super::traces;
use crate::base::failpoint::reach;
use crate::base::id::RunId;
use crate::providers::environment::{Environment, doors};
use crate::providers::guard::{End, Stop};
use crate::providers::process::{self, Program, Settings, Watcher, plain};
use crate::providers::workspace::{LOCK, Workspace, read, remove, write_files, write_private};
use crate::providers::{Host, Job, ProviderError, Stream};

/// Sorts behind every file of a template: override files are merged in order of their names.
const OVERRIDE: &str = "zzz_paddock_override.tf.json";

/// Names the providers with their digests.
const LOCK_FILE: &str = "files/.terraform.lock.hcl";

/// What Terraform writes when it cannot hand its state over.
const ERRORED: &str = "files/errored.tfstate";

/// Terraform in a workspace that is prepared and held.
pub struct Cli<'a> {
    settings: &'a Settings,
    executable: PathBuf,
    workspace: Workspace,
    job: &'a Job,
    host: &'a dyn Host,
    environment: Environment,
    credential: Credential,
    /// What Paddock has of the state.
    saved: Option<Vec<u8>>,
    /// Whether Terraform left a state here that was not taken.
    stray: bool,
}

impl<'a> Cli<'a> {
    /// Waits for the workspace and makes it ready: brings in a state that was left here, releases the
    /// lock of a dead attempt, and writes the job's files and inputs.
    pub async fn open(
        settings: &'a Settings,
        executable: PathBuf,
        job: &'a Job,
        host: &'a dyn Host,
    ) -> Result<Self, ProviderError> {
        let workspace = Workspace::open(&settings.work_root, job).await?;
        // Nothing runs in the workspace, and no other attempt holds the run.
        if let Some(dead) = host.free_state().await? {
            let who = dead.info.get("Who").and_then(Value::as_str).unwrap_or_default();
            let line = format!("Released the lock that an earlier attempt left on the state ({who})");
            host.log(Stream::Paddock, &line).await?;
        }
        let credential = Credential::new(job);
        let environment = Environment::default();
        let mut cli =
            Self { settings, executable, workspace, job, host, environment, credential, saved: None, stray: false };
        cli.rescue().await?;
        cli.account_for_earlier_ones().await?;
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
        // The state is Paddock's to keep, whatever backend the template names. Where the backend is
        // comes by variables: what stands here becomes part of a saved plan.
        let backend = json!({"terraform": {"backend": {"http": {}}}});
        write_private(&folder.join(OVERRIDE), backend.to_string().as_bytes())
    }

    /// Brings in the state that Terraform could not hand over, and reads the one that counts.
    async fn rescue(&mut self) -> Result<(), ProviderError> {
        self.saved = self.host.load_state().await?;
        let path = self.workspace.path(ERRORED);
        if let Some(left) = read(&path)? {
            match backend::rescue(self.host, self.job, self.saved.as_deref(), &left).await? {
                Left::Taken => self.saved = Some(left),
                Left::Known => {}
                Left::Stray => {
                    self.stray = true;
                    // Also for whoever opens the workspace next, who does not find this state any more.
                    End::doubt(&self.workspace.path(LOCK)).map_err(ProviderError::internal)?;
                }
            }
            remove(&path)?;
        }
        Ok(())
    }

    /// What told the traces that there are: when it came to its end by itself, here, and its state is
    /// with us, then nothing of it is unknown.
    async fn account_for_earlier_ones(&self) -> Result<(), ProviderError> {
        let traces = self.host.traces().await?;
        let Some(end) = End::read(&self.workspace.path(LOCK)) else { return Ok(()) };
        let theirs = traces.iter().all(|trace| end.mark == mark(trace.run, trace.attempt));
        if !traces.is_empty() && theirs && end.by_itself && !self.stray {
            self.host.account().await?;
        }
        Ok(())
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

    /// The state that counts.
    pub fn state(&self) -> Result<Option<State>, ProviderError> {
        let Some(bytes) = &self.saved else { return Ok(None) };
        let state = State::parse(bytes);
        state.map(Some).ok_or_else(|| ProviderError::failed("the saved Terraform state cannot be read"))
    }

    /// Fetches providers and modules; with `lock` exactly the providers that it names.
    pub async fn init(&mut self, lock: Option<&[u8]>) -> Result<(), ProviderError> {
        let mut args = vec!["init", "-input=false", "-no-color", "-reconfigure"];
        if let Some(lock) = lock {
            write_private(&self.workspace.path(LOCK_FILE), lock)?;
            args.push("-lockfile=readonly");
        }
        let mut watcher = Text { host: self.host, lines: Vec::new() };
        let code = self.run(&args, &mut watcher).await.map_err(ProviderError::without_effect)?;
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

    /// Runs a verb that changes the target, and accounts for what it told of resources.
    pub async fn change(&mut self, args: &[&str]) -> Result<(), ProviderError> {
        let outcome = self.json(args).await;
        if matches!(outcome, Err(ProviderError::LeaseLost)) {
            return outcome;
        }
        let by_itself = End::read(&self.workspace.path(LOCK)).is_some_and(|end| end.by_itself);
        if by_itself && !self.stray {
            self.host.account().await?;
            reach("terraform.accounted");
            return outcome;
        }
        let Some(words) = traces::lost(self.host, self.state()?.as_ref()).await? else { return outcome };
        match outcome {
            Err(ProviderError::Failed { message }) => {
                self.host.account().await?;
                Err(ProviderError::failed(format!("{}. {words}", message.trim_end_matches('.'))))
            }
            // The next run stops at it.
            other => self.host.log(Stream::Stderr, &words).await.and(other),
        }
    }

    /// Runs a verb with `-json` and tells the host each line.
    pub async fn json(&mut self, args: &[&str]) -> Result<(), ProviderError> {
        let mut watcher = Json { host: self.host, first_error: None, last_text: None };
        let outcome = self.run(args, &mut watcher).await;
        let Json { first_error, last_text, .. } = watcher;
        // A canceled attempt still holds its run; one that lost it leaves the state to the next.
        if !matches!(outcome, Err(ProviderError::LeaseLost)) {
            self.rescue().await?;
        }
        let code = outcome?;
        match code {
            0 => Ok(()),
            // A shell's way to say which signal it was; Terraform's own codes are small.
            137 => Err(ProviderError::failed("Terraform was killed, perhaps because the memory did not suffice")),
            code => Err(ProviderError::failed(
                first_error.or(last_text).unwrap_or_else(|| format!("terraform ended with code {code}")),
            )),
        }
    }

    /// Refreshes, and tells which resources are not there: of the state that counts, or of `pinned`.
    pub async fn gone(&mut self, pinned: Option<&[u8]>) -> Result<Vec<String>, ProviderError> {
        let mut watcher = Drift::default();
        let args = ["plan", "-refresh-only", "-json", "-input=false", "-lock=false"];
        match self.run_with(&args, &mut watcher, pinned).await.map_err(ProviderError::without_effect)? {
            0 => Ok(watcher.gone),
            code => Err(ProviderError::failed(
                watcher.first_error.unwrap_or_else(|| format!("terraform plan -refresh-only ended with code {code}")),
            )),
        }
    }

    /// The saved plan as JSON.
    pub async fn show_plan(&mut self) -> Result<String, ProviderError> {
        let mut watcher = Capture(String::new());
        let plan = self.plan_file();
        let code = self.run(&["show", "-json", &plan.to_string_lossy()], &mut watcher).await;
        let code = code.map_err(ProviderError::without_effect)?;
        if code == 0 { Ok(watcher.0) } else { Err(ProviderError::failed("terraform cannot show its own plan")) }
    }

    async fn run(&mut self, args: &[&str], watcher: &mut dyn Watcher) -> Result<i32, ProviderError> {
        self.run_with(args, watcher, None).await
    }

    async fn run_with(
        &mut self,
        args: &[&str],
        watcher: &mut dyn Watcher,
        pinned: Option<&[u8]>,
    ) -> Result<i32, ProviderError> {
        let backend = Backend::open(&self.credential).await?;
        let mut environment = self.environment.clone();
        for (name, value) in backend.variables(&self.credential) {
            environment.set(name, value);
        }
        let program = Program {
            path: self.executable.clone(),
            args: args.iter().map(OsString::from).collect(),
            folder: self.workspace.path("files"),
            environment: environment.into_vec(),
            lock: self.workspace.release(),
            mark: mark(self.job.run, self.job.attempt),
            stop: Stop::Interrupt,
            kept: self.workspace.path(""),
            doors: doors(self.job)?,
        };
        let outcome = tokio::select! {
            outcome = process::run(self.settings, &program, &self.job.cancel, watcher) => outcome,
            never = backend.serve(self.host, pinned) => match never {},
        };
        if outcome.is_ok() {
            self.workspace.hold().await?;
        }
        outcome
    }

    /// Removes the workspace with its secrets, unless a state is left in it.
    pub fn close(self) -> Result<(), ProviderError> {
        if self.workspace.path(ERRORED).exists() { Ok(()) } else { self.workspace.remove() }
    }
}

/// Whose program it is.
fn mark(run: RunId, attempt: i32) -> String {
    format!("{run}.{attempt}")
}

/// Removes the environment's folder on this machine, once nobody uses it.
pub async fn forget(work_root: &Path, job: &Job) -> Result<(), ProviderError> {
    if work_root.join(job.environment.to_string()).exists() {
        Workspace::open(work_root, job).await?.remove()?;
    }
    Ok(())
}

/// Whether an attempt left a state on this machine that Paddock does not have.
pub fn has_leftover(work_root: &Path, job: &Job) -> bool {
    work_root.join(job.environment.to_string()).join(ERRORED).exists()
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
    first_error: Option<String>,
    last_text: Option<String>,
}

#[async_trait]
impl Watcher for Json<'_> {
    async fn line(&mut self, stream: Stream, line: &str) -> Result<(), ProviderError> {
        if let Some(progress) = messages::progress(line) {
            self.host.progress(&progress).await?;
        }
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
}

#[derive(Default)]
struct Drift {
    gone: Vec<String>,
    first_error: Option<String>,
}

#[async_trait]
impl Watcher for Drift {
    async fn line(&mut self, _: Stream, line: &str) -> Result<(), ProviderError> {
        self.gone.extend(messages::gone(line));
        if let Message::Error { text, .. } = messages::parse(line) {
            self.first_error.get_or_insert(text);
        }
        Ok(())
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
