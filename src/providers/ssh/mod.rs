//! `ssh`: scripts of the template, run on a *runner host*: a machine that is reached over SSH.
//!
//! What they get and what they may say: see [`super::scripts`]. Beside that, `PADDOCK_HOST_FOLDER` is a folder of
//! the environment's own on the host, which stays until the environment is deleted, and
//! `PADDOCK_SHARED_FOLDER` one for what all environments there share. `HOME` is that of the host's user. The
//! target's private key is not for scripts.
//!
//! A script that is cut off is ended on the host too: what Paddock runs there (`remote.sh`) hears when
//! nobody listens any more. What a script started in a session of its own (`setsid`) stays, and is what a
//! workspace lives from. After a delete nothing of the environment is left there, running or not.
//!
//! Repeat safety. `remote.sh` lets one attempt work at a time, refuses those that come late, ends what an
//! earlier one left running, and notes the end of a script with its exit code: an attempt whose script
//! ended unseen is taken over by the next one. Beyond that it is the template's promise (`repeat`).

mod check;
mod ears;
mod inventory;
mod link;
mod local;
mod order;
mod parcel;
mod question;
mod target;

use std::ffi::OsString;
use std::path::PathBuf;

use async_trait::async_trait;

use self::ears::Ears;
use self::link::Link;
pub use self::local::LocalHost;
use self::order::{Order, launch};
use super::guard::Stop;
use super::process::{self, Program, Settings, Watcher};
use super::scripts::{Machine, ScriptProvider, Task};
use super::workspace::{Workspace, remove, write_private};
use super::{Finding, Host, Inventory, Job, Marked, ProviderError, Stream, Target, TargetForm, address};
use crate::base::failpoint::reach;

/// Keeps the input of the client open until it ends.
const CARRY: &str = include_str!("carry.sh");

/// The provider of scripts on runner hosts.
pub type SshProvider = ScriptProvider<RunnerHosts>;

/// The machines that targets name.
#[derive(Debug, Clone)]
pub struct RunnerHosts {
    settings: Settings,
}

impl SshProvider {
    /// A provider that keeps its workspaces, and runs the client, as `settings` say.
    pub fn new(settings: Settings) -> Self {
        Self { machine: RunnerHosts { settings } }
    }
}

impl RunnerHosts {
    fn client(&self) -> Result<PathBuf, ProviderError> {
        let found = self.settings.find_program(&["ssh"]);
        found.ok_or_else(|| ProviderError::failed("the worker has no program “ssh” on its path (--program-path)"))
    }

    /// Has the host do what `order` says, and brings back what a script left there. `None`: no script ended.
    async fn converse(
        &self,
        job: &Job,
        order: &Order,
        archive: &[u8],
        workspace: &mut Workspace,
        watcher: &mut dyn Watcher,
    ) -> Result<Option<i32>, ProviderError> {
        let link = link(job)?;
        address::refuse_special(&link.host, link.port).await?;
        let client = self.client()?;
        let folder = workspace.empty_folder("ssh")?;
        let (command, input) = order.input(archive);
        let first = folder.join("input");
        write_private(&first, &input)?;
        let mut args: Vec<OsString> = ["-c", CARRY, "paddock-carry"].map(OsString::from).into();
        args.extend([folder.join("pipe").into(), first.into(), client.into()]);
        args.extend(link.equip(&folder)?);
        args.push(command);
        let program = Program {
            path: "/bin/sh".into(),
            args,
            folder: workspace.path(""),
            environment: vec![("PATH".into(), self.settings.path.clone()), ("LANG".into(), "C.UTF-8".into())],
            lock: workspace.release(),
            mark: format!("{}.{}", job.run, job.attempt),
            // To the shell alone, which then ends the input: the host hears of it, and the client waits for it.
            stop: Stop::Interrupt,
            kept: workspace.path(""),
            doors: Vec::new(),
        };
        let mut ears = Ears::new(watcher, &order.token);
        let outcome = process::run(&self.settings, &program, &job.cancel, &mut ears).await;
        reach("ssh.answered");
        // The key and the secrets in what was sent have done their work.
        remove(&folder)?;
        if let Err(error) = outcome {
            return Err(if ears.has_begun() { error } else { error.without_effect() });
        }
        workspace.hold().await?;
        let (code, back) = ears.outcome(&link)?;
        if let Some(back) = back {
            parcel::unpack(workspace, &back, order.looks)?;
        }
        Ok(code)
    }

    fn order(&self, verb: &'static str, job: &Job, looks: bool) -> Result<Order, ProviderError> {
        // The client must live to hear how the script ended.
        let grace = self.settings.grace.as_secs() / 2;
        Ok(Order::of(verb, &link(job)?.folder, job, looks, grace))
    }
}

/// The way to the job's host.
fn link(job: &Job) -> Result<Link, ProviderError> {
    let none = || ProviderError::failed("this environment type has no runner host: bind a target of the provider ssh");
    Link::of(job.target.as_ref().ok_or_else(none)?)
}

#[async_trait]
impl Machine for RunnerHosts {
    fn name(&self) -> &'static str {
        "ssh"
    }

    fn settings(&self) -> &Settings {
        &self.settings
    }

    async fn check(&self) -> Result<(), String> {
        self.client().map(drop).map_err(|error| error.to_string())
    }

    fn target_form(&self) -> &'static TargetForm {
        &target::FORM
    }

    async fn check_target(&self, target: &Target) -> Vec<Finding> {
        match self.client() {
            Ok(client) => check::look_at(&client, target).await,
            Err(error) => {
                vec![Finding::failed("Client", format!("{error}."), "Install OpenSSH's client (openssh-client).")]
            }
        }
    }

    fn hands_over_credential(&self) -> bool {
        false
    }

    async fn run(
        &self,
        task: Task<'_>,
        workspace: &mut Workspace,
        watcher: &mut dyn Watcher,
    ) -> Result<i32, ProviderError> {
        let order = self.order("run", task.job, task.looks)?;
        let archive = parcel::pack(workspace, &launch(task.variables, &task.folder, &task.script))?;
        let code = self.converse(task.job, &order, &archive, workspace, watcher).await?;
        code.ok_or_else(|| ProviderError::unknown("the host did not say how the script ended"))
    }

    async fn recall(
        &self,
        job: &Job,
        workspace: &mut Workspace,
        watcher: &mut dyn Watcher,
    ) -> Result<Option<i32>, ProviderError> {
        let order = self.order("recall", job, false)?;
        self.converse(job, &order, &[], workspace, watcher).await
    }

    async fn forget(
        &self,
        job: &Job,
        workspace: &mut Workspace,
        watcher: &mut dyn Watcher,
    ) -> Result<(), ProviderError> {
        reach("ssh.forget");
        let order = self.order("forget", job, false)?;
        self.converse(job, &order, &[], workspace, watcher).await?;
        reach("ssh.forgotten");
        Ok(())
    }

    async fn inventory(&self, target: &Target) -> Result<Inventory, ProviderError> {
        inventory::list(&self.client()?, target).await.map(Inventory::Listed)
    }

    async fn remove_marked(&self, target: &Target, marked: &Marked, host: &dyn Host) -> Result<(), ProviderError> {
        inventory::remove(&self.client()?, target, marked).await?;
        host.log(Stream::Paddock, &format!("Removed the folder of {} from the host, with what ran there", marked.id))
            .await
    }
}
