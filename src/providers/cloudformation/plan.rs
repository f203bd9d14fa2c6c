//! A change set as the plan of a run.
//!
//! It is named after the run, so that a further attempt finds the one that is there. The artifact names
//! it and says what it does; apply executes exactly that one, or refuses.

use aws_sdk_cloudformation::types::{
    ChangeAction, ChangeSetStatus, ChangeSetType, ExecutionStatus, PolicyAction, Replacement, ResourceAttribute,
    ResourceChange, Stack,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::cloud::{ChangeSet, Cloud, standing};
use super::status::Standing;
use super::{follow, names, template};
use crate::base::Digest;
use crate::base::failpoint::reach;
use crate::base::id::EnvironmentId;
use crate::providers::{Host, Job, Plan, PlanAction, PlanChange, ProviderError, Stream};

/// What a plan leaves for apply and destroy.
#[derive(Debug, Serialize, Deserialize)]
pub struct Saved {
    format: u8,
    environment: EnvironmentId,
    /// The digest of operation, inputs and files.
    work: String,
    /// What is executed; nothing for a removal, and where nothing changes.
    pub change_set: Option<String>,
    /// The stack that it was made for, by its ARN.
    pub stack: Option<String>,
    /// The digest of what the change set does.
    changes: String,
}

impl Saved {
    fn new(job: &Job, set: Option<&ChangeSet>, stack: Option<String>, changes: &[PlanChange]) -> Self {
        let change_set = set.map(|set| set.id.clone());
        Self { format: 1, environment: job.environment, work: work(job), change_set, stack, changes: digest(changes) }
    }

    /// The artifact of a job's plan, if it has one, for this job.
    pub fn of(job: &Job) -> Result<Option<Self>, ProviderError> {
        let Some(bytes) = job.plan.as_ref().and_then(|plan| plan.artifact.as_deref()) else { return Ok(None) };
        let saved: Self = serde_json::from_slice(bytes)
            .map_err(|_| ProviderError::failed("The saved plan cannot be read. Plan again."))?;
        if saved.format != 1 {
            return Err(ProviderError::failed("The saved plan cannot be read. Plan again."));
        }
        if saved.environment != job.environment {
            return Err(stale("it belongs to another environment"));
        }
        if saved.work != work(job) {
            return Err(stale("the template or the inputs have changed since it was made"));
        }
        Ok(Some(saved))
    }

    /// Whether the change set does what the plan says.
    pub fn covers(&self, set: &ChangeSet) -> bool {
        self.changes == digest(&changes(set))
    }

    fn into_plan(self, changes: Vec<PlanChange>) -> Result<Plan, ProviderError> {
        let artifact = serde_json::to_vec(&self).map_err(ProviderError::internal)?;
        Ok(Plan { changes, artifact: Some(artifact) })
    }
}

/// The refusal.
pub fn stale(why: &str) -> ProviderError {
    ProviderError::failed(format!("{}: {why}. Plan again.", Plan::STALE))
}

fn digest(changes: &[PlanChange]) -> String {
    Digest::of_json(&json!(changes)).to_string()
}

fn work(job: &Job) -> String {
    let files: Vec<Value> = job.files.iter().map(|file| json!([file.path, Digest::of(&file.content)])).collect();
    let (inputs, config) = (&job.inputs, &job.config);
    Digest::of_json(&json!({"operation": job.operation, "inputs": inputs, "config": config, "files": files}))
        .to_string()
}

/// The plan of a create or an update.
pub async fn toward(cloud: &Cloud<'_>, host: &dyn Host) -> Result<Plan, ProviderError> {
    match make(cloud, host).await? {
        Some(set) => {
            let changes = changes(&set);
            Saved::new(cloud.job, Some(&set), Some(set.stack.clone()), &changes).into_plan(changes)
        }
        None => {
            let stack = cloud.ours().await?.and_then(|stack| stack.stack_id);
            Saved::new(cloud.job, None, stack, &[]).into_plan(Vec::new())
        }
    }
}

/// The plan of a removal.
pub async fn away(cloud: &Cloud<'_>) -> Result<Plan, ProviderError> {
    let Some(stack) = cloud.ours().await? else {
        return Saved::new(cloud.job, None, None, &[]).into_plan(Vec::new());
    };
    let id = stack.stack_id.clone().unwrap_or_default();
    let mut changes = Vec::new();
    if standing(&stack) != Standing::Review {
        let stays = template::kept(&cloud.template(&id).await?);
        for resource in follow::living(cloud, &id).await? {
            let what = format!("{} {}", resource.r#type, resource.provider_id.unwrap_or_default());
            let summary = if stays.contains(&resource.address) {
                format!("leave {} in the account: its deletion policy keeps it", what.trim_end())
            } else {
                format!("remove {}", what.trim_end())
            };
            changes.push(PlanChange { address: resource.address, action: PlanAction::Destroy, summary });
        }
        changes.push(PlanChange {
            address: cloud.name.clone(),
            action: PlanAction::Destroy,
            summary: "remove the stack".to_owned(),
        });
    }
    Saved::new(cloud.job, None, Some(id), &changes).into_plan(changes)
}

/// Makes the change set of the run, or finds it. `None`: nothing would change.
pub async fn make(cloud: &Cloud<'_>, host: &dyn Host) -> Result<Option<ChangeSet>, ProviderError> {
    let wish = template::wish(cloud.job)?;
    let stack = cloud.ours().await?;
    if stack.is_some()
        && let Some(set) = cloud.change_set(&names::change_set(cloud.job)).await?
        && was_executed(&set)
    {
        return Ok(Some(set));
    }
    let kind = kind(cloud, stack.as_ref(), host).await?;
    // Asks whether this attempt still holds the run.
    let word = if kind == ChangeSetType::Create { "a new stack" } else { "the stack" };
    host.log(Stream::Paddock, &format!("Asking for a change set of {word} {}", cloud.name)).await?;
    for _ in 0..2 {
        // An earlier attempt may have asked for it.
        if stack.is_none() || cloud.change_set(&names::change_set(cloud.job)).await?.is_none() {
            reach("cloudformation.plan");
            cloud.create_change_set(&wish, kind.clone()).await?;
            reach("cloudformation.planned");
        }
        let set = made(cloud).await?;
        match set.status {
            ChangeSetStatus::CreateComplete => return Ok(Some(set)),
            _ if says_no_change(&set.reason) => {
                cloud.delete_change_set(&set.id).await?;
                return Ok(None);
            }
            ChangeSetStatus::Failed => {
                // It was never more than a question; its name must be free for the next one.
                cloud.delete_change_set(&set.id).await?;
                return Err(ProviderError::failed(format!("AWS said: {}", set.reason)));
            }
            // It is being removed, by an earlier attempt that is not: ask again.
            _ => {}
        }
    }
    Err(ProviderError::retryable("the change set is not made"))
}

/// Whether somebody asked for its execution.
pub fn was_executed(set: &ChangeSet) -> bool {
    use ExecutionStatus::{ExecuteComplete, ExecuteFailed, ExecuteInProgress};
    matches!(set.execution, ExecuteInProgress | ExecuteComplete | ExecuteFailed)
}

/// Whether the stack is to be made or changed; why neither can be.
async fn kind(cloud: &Cloud<'_>, stack: Option<&Stack>, host: &dyn Host) -> Result<ChangeSetType, ProviderError> {
    let Some(stack) = stack else { return Ok(ChangeSetType::Create) };
    let word = stack.stack_status().map_or("", |status| status.as_str());
    let name = &cloud.name;
    match standing(stack) {
        Standing::Gone | Standing::Review => Ok(ChangeSetType::Create),
        Standing::Good | Standing::PutBack => Ok(ChangeSetType::Update),
        Standing::Moving => {
            Err(ProviderError::retryable(format!("the stack {name} is {word}: an earlier change is not at its end")))
        }
        Standing::Broken => Err(ProviderError::failed(format!(
            "The stack {name} is {word}: CloudFormation does not change it any more. Delete the environment, or mend the \
             stack in AWS."
        ))),
        Standing::Husk => {
            let id = stack.stack_id().unwrap_or_default();
            if let Some(left) = follow::living(cloud, id).await?.first() {
                return Err(ProviderError::failed(format!(
                    "The stack {name} is {word} and still has {left}. Delete the environment, and request it anew."
                )));
            }
            let line = format!("Removing what a failed creation left: the stack {name}, which holds nothing");
            host.log(Stream::Paddock, &line).await?;
            super::remove::remove(cloud, host, id, &names::token(cloud.job, "clear")).await?;
            Ok(ChangeSetType::Create)
        }
    }
}

/// Waits until the change set of the run is made, or is not.
async fn made(cloud: &Cloud<'_>) -> Result<ChangeSet, ProviderError> {
    let name = names::change_set(cloud.job);
    let mut patience = cloud.patience();
    loop {
        match cloud.change_set(&name).await? {
            None => return Err(ProviderError::retryable("the change set was asked for and is not there")),
            Some(set) => match (&set.status, &set.execution) {
                (ChangeSetStatus::CreatePending | ChangeSetStatus::CreateInProgress, _) => {}
                (ChangeSetStatus::CreateComplete, ExecutionStatus::Unavailable) => {}
                _ => return Ok(set),
            },
        }
        if !patience.wait().await? {
            return Err(ProviderError::retryable(format!("the change set was not made in {}", patience.limit())));
        }
    }
}

/// How CloudFormation says that nothing would change.
fn says_no_change(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
}

/// What a change set does.
pub fn changes(set: &ChangeSet) -> Vec<PlanChange> {
    let mut changes: Vec<PlanChange> =
        set.changes.iter().filter_map(|change| change.resource_change.as_ref()).map(change).collect();
    if changes.is_empty() {
        changes.push(PlanChange {
            address: "stack".to_owned(),
            action: PlanAction::Change,
            summary: "outputs, tags or settings of the stack; no resource".to_owned(),
        });
    }
    changes
}

fn change(change: &ResourceChange) -> PlanChange {
    let kind = change.resource_type().unwrap_or_default();
    let stays = matches!(
        change.policy_action(),
        Some(PolicyAction::Retain | PolicyAction::ReplaceAndRetain | PolicyAction::ReplaceAndSnapshot)
    );
    let (action, words) = match (change.action(), change.replacement()) {
        (Some(ChangeAction::Add), _) => (PlanAction::Create, kind.to_owned()),
        (Some(ChangeAction::Import), _) => (PlanAction::Change, format!("{kind}: take it into the stack")),
        (Some(ChangeAction::Remove), _) if stays => (PlanAction::Destroy, format!("{kind}: leave it in the account")),
        (Some(ChangeAction::Remove), _) => (PlanAction::Destroy, kind.to_owned()),
        (_, Some(Replacement::True)) => (PlanAction::Replace, format!("{kind}{}", what(change))),
        // Whoever approves must know the worst.
        (_, Some(Replacement::Conditional)) => {
            (PlanAction::Replace, format!("{kind}{}; maybe in place, AWS decides at work", what(change)))
        }
        _ => (PlanAction::Change, format!("{kind}{}", what(change))),
    };
    let words = if stays && action == PlanAction::Replace { format!("{words}; the old one stays") } else { words };
    PlanChange { address: change.logical_resource_id().unwrap_or_default().to_owned(), action, summary: words }
}

/// The properties that change.
fn what(change: &ResourceChange) -> String {
    let mut names: Vec<&str> = Vec::new();
    for target in change.details().iter().filter_map(|detail| detail.target.as_ref()) {
        if let Some(name) = target.name().or_else(|| target.attribute().map(ResourceAttribute::as_str))
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) }
}
