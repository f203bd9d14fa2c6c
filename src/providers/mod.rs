//! The code that talks to one kind of target: a database server, Terraform, a command.
//!
//! Contract. A provider is called by the steps of a run and by nothing else. It never sees
//! Postgres: what it must keep between attempts goes through [`Host`]. Every call may be repeated
//! after a crash at any point, with the same [`Job`], and must then lead to the same effect once
//! (docs/ARCHITECTURE.md tells how each provider survives that). A time-out is *unknown*: read
//! back before trying again. Cancellation is the token in [`Job::cancel`]: stop soon, in a known
//! state, and return [`ProviderError::Canceled`].

mod address;
#[cfg(feature = "aws")]
mod cloudformation;
mod command;
mod drift;
mod environment;
mod error;
pub mod guard;
mod inventory;
mod kept;
mod machine;
mod model;
mod postgres;
mod process;
mod registry;
mod sandbox;
mod scripts;
mod simulated;
mod ssh;
mod stack_body;
pub mod target;
mod terraform;
mod wanted;
mod webhook;
mod workspace;

use std::time::Duration;

use async_trait::async_trait;
#[cfg(feature = "aws")]
pub use cloudformation::CloudFormationProvider;
pub use command::{CommandProvider, Engine};
pub use drift::{Difference, DifferenceKind, Drift};
pub use error::ProviderError;
pub use guard::Limits;
pub use inventory::{Inventory, Marked};
pub use kept::{Kept, NewState, StateLock, StateOrigin};
pub use model::{
    CallBack, Heard, Job, JobAction, Output, Phase, Plan, PlanAction, PlanChange, Progress, Resource, Stream, Target,
    TemplateFile, Trace, Turn,
};
pub use postgres::{PostgresProvider, from_connection_url as postgres_target};
pub use process::Settings;
pub use registry::Registry;
pub use sandbox::{Sandbox, close_to_others};
use secrecy::SecretString;
pub use simulated::SimulatedProvider;
pub use ssh::{LocalHost, SshProvider};
pub use stack_body::stack_body;
pub use target::{Finding, TargetForm, Verdict};
pub use terraform::{TerraformProvider, state_changes};
pub use wanted::{Wanted, leaves_plans, without_target};
pub use webhook::{
    BOUNDS as WEBHOOK_TIMES, Report, ReportState, ReportedOutput, ReportedResource, WebhookProvider, is_path,
};
pub use workspace::{environments as workspaces, make_folder, tidy as tidy_workspace};

/// What a provider may ask of the worker that runs it.
#[async_trait]
pub trait Host: Send + Sync {
    /// Writes one log line of the running step. Secrets that the job knows are masked first.
    async fn log(&self, stream: Stream, line: &str) -> Result<(), ProviderError>;

    /// Records how far the work on a resource is, for the page of the run and for [`Host::traces`].
    async fn progress(&self, progress: &Progress) -> Result<(), ProviderError>;

    /// What was begun or made on the environment and not removed since, as far as progress tells, and
    /// not accounted for.
    async fn traces(&self) -> Result<Vec<Trace>, ProviderError>;

    /// Everything of [`Host::traces`] is in the state now, or people were told of it.
    async fn account(&self) -> Result<(), ProviderError>;

    /// The environment's provider state as last saved or kept.
    async fn load_state(&self) -> Result<Option<Vec<u8>>, ProviderError>;

    /// Saves the environment's provider state, encrypted, under the attempt's fencing token: a
    /// worker that lost its lease gets [`ProviderError::LeaseLost`] and must stop its effects.
    async fn save_state(&self, state: &[u8]) -> Result<(), ProviderError>;

    /// Keeps a further version of the state, under its lock and the attempt's fencing token. The
    /// same version once more is fine. A refused zombie leaves an audit record.
    async fn keep_state(&self, state: NewState<'_>) -> Result<Kept, ProviderError>;

    /// Takes the lock of the state for this attempt; what a dead attempt holds is released first.
    /// `Some`: this attempt has it already, and the holder is told.
    async fn lock_state(&self, lock: &StateLock) -> Result<Option<StateLock>, ProviderError>;

    /// Gives the lock back; free already is fine. `Some`: another one holds it.
    async fn unlock_state(&self, id: &str) -> Result<Option<StateLock>, ProviderError>;

    /// Releases the lock that is there, when nothing of this attempt can hold it: who held it.
    async fn free_state(&self) -> Result<Option<StateLock>, ProviderError>;

    /// Leaves an audit record: somebody asked for the state with a credential that is not valid.
    async fn refused_state(&self, who: &str) -> Result<(), ProviderError>;

    /// The address at which somebody else can say how the work of this run goes, for so long from now:
    /// the same for every attempt. Its token works for one last word; who has the address may speak.
    async fn call_back(&self, lasts: Duration) -> Result<CallBack, ProviderError>;

    /// What came in there after the report of this number, waiting for at most so long when there is
    /// nothing. Reports up to that number are forgotten; the last word stays until the run ends.
    async fn heard(&self, after: i64, wait: Duration) -> Result<Heard, ProviderError>;

    /// Whether somebody asked for the run to be canceled: [`Job::cancel`] has other reasons too.
    async fn is_canceled(&self) -> Result<bool, ProviderError>;
}

/// One kind of target. All methods may be called again after a crash.
#[async_trait]
pub trait Provider: Send + Sync {
    /// The word in manifests: `postgres`, `terraform`, `command`.
    fn name(&self) -> &'static str;

    /// Whether this process can run it at the moment, for example whether the CLI is installed:
    /// the reason in words when it cannot.
    async fn check(&self) -> Result<(), String>;

    /// What an admin fills in to connect a target.
    fn target_form(&self) -> &'static TargetForm;

    /// Whether the target can be reached from this process, and used with its credential. Changes
    /// nothing there, gives up within seconds, and puts nothing secret into what it found.
    async fn check_target(&self, target: &Target) -> Vec<Finding>;

    /// Makes the target take `new` in place of its credential, where [`TargetForm::sets_credential`].
    /// `salt` is random, for what the target stores of it.
    async fn set_credential(&self, target: &Target, new: &SecretString, salt: [u8; 32]) -> Result<(), ProviderError> {
        let _ = (new, salt);
        Err(ProviderError::failed(format!("Paddock cannot set the credential of the target {} there", target.slug)))
    }

    /// What apply would do. Writes nothing to the target.
    async fn plan(&self, job: &Job, host: &dyn Host) -> Result<Plan, ProviderError>;

    /// Makes the target as the job says: create and update.
    async fn apply(&self, job: &Job, host: &dyn Host) -> Result<(), ProviderError>;

    /// Does what [`Job::action`] says with what is there: starts, stops, restarts it, or an action of
    /// the template's own.
    async fn act(&self, job: &Job, host: &dyn Host) -> Result<(), ProviderError> {
        let _ = (job, host);
        Err(ProviderError::failed(format!("{} knows no actions", self.name())))
    }

    /// Reads outputs and resources back from the target, after an apply.
    async fn collect(&self, job: &Job, host: &dyn Host) -> Result<(Vec<Output>, Vec<Resource>), ProviderError>;

    /// Removes everything that the environment made. Gone already is success.
    async fn destroy(&self, job: &Job, host: &dyn Host) -> Result<(), ProviderError>;

    /// What is still there of the environment, by read-back: empty when it is really gone.
    async fn read_back(&self, job: &Job, host: &dyn Host) -> Result<Vec<Resource>, ProviderError>;

    /// Whether the target is still as the last run left it, for the inputs of that run. Writes nothing, to
    /// the target or through `host`; no summary tells a secret.
    async fn drift(&self, job: &Job, host: &dyn Host) -> Result<Drift, ProviderError> {
        let _ = (job, host);
        Ok(Drift::cannot_tell(format!("Paddock cannot look for drift with {}.", self.name())))
    }

    /// Everything on the target that carries Paddock's mark, of all environments. Changes nothing.
    async fn inventory(&self, target: &Target) -> Result<Inventory, ProviderError> {
        Ok(Inventory::CannotTell(format!("Paddock cannot list what {} made on {}.", self.name(), target.slug)))
    }

    /// Removes one thing that [`Provider::inventory`] listed, and nothing that does not carry the mark that
    /// `marked` tells of. Gone already is success.
    async fn remove_marked(&self, target: &Target, marked: &Marked, host: &dyn Host) -> Result<(), ProviderError> {
        let _ = (marked, host);
        Err(ProviderError::failed(format!("Paddock cannot remove single things on {}", target.slug)))
    }
}
