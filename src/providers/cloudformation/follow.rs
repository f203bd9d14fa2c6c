//! Watching a stack until its operation is over: its events as log and progress, its end told truly.
//!
//! The events of an operation begin with one of the stack itself and carry the token that it was asked
//! for with. What is over is only believed when it is known to have begun: a look that comes too early
//! sees the end of the operation before.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_cloudformation::types::{ExecutionStatus, ResourceStatus, Stack, StackEvent, StackStatus};
use tokio::time::Instant;

use super::cloud::{Cloud, standing};
use super::status::{Standing, aftermath};
use super::words::unwrapped;
use crate::providers::{Host, Phase, Progress, ProviderError, Resource, Stream};

/// How long an end that nothing proves to be ours must last: emulators tell neither tokens nor states
/// on the way.
const QUIET: Duration = Duration::from_secs(20);
/// How deep the first failure is looked for in nested stacks.
const DEEPEST: usize = 3;
const STACK: &str = "AWS::CloudFormation::Stack";

/// An operation that was asked for.
pub struct Operation<'a> {
    /// The ARN of its stack.
    pub stack: &'a str,
    /// What it was asked for with.
    pub token: &'a str,
    /// The change set that it executes; none for a removal.
    pub change_set: Option<&'a str>,
}

/// How an operation ended.
pub struct End {
    /// The stack; none when it is gone without a trace.
    pub stack: Option<Stack>,
    /// Its events, the earliest first.
    pub events: Vec<StackEvent>,
    /// What was said of a change set that could not be executed.
    pub refused: Option<String>,
}

/// Watches until the operation is over.
pub async fn until_its_end(
    cloud: &Cloud<'_>,
    host: &dyn Host,
    operation: &Operation<'_>,
) -> Result<End, ProviderError> {
    let mut patience = cloud.patience();
    let mut watch = Watch { cloud, host, operation, told: BTreeSet::new(), events: Vec::new(), begun: false };
    let mut quiet_since = None;
    loop {
        // The state first: whatever led to it is among the events that are read then.
        let stack = cloud.stack(operation.stack).await?;
        if watch.read().await? {
            patience.moved();
        }
        let Some(stack) = stack else {
            return Ok(End { stack: None, events: watch.events, refused: None });
        };
        let removal = operation.change_set.is_none();
        match standing(&stack) {
            Standing::Moving => watch.begun = true,
            Standing::Gone => {
                watch.begun = true;
                watch.read().await?;
                return Ok(End { stack: Some(stack), events: watch.events, refused: None });
            }
            Standing::Review if removal => {}
            _ => {
                let execution = watch.execution().await?;
                let over = watch.begun || matches!(execution, Execution::Over | Execution::Refused(_));
                // A removal ends with the stack gone, or in a state of its own.
                let fits = !removal || stack.stack_status() == Some(&StackStatus::DeleteFailed);
                let quiet = quiet_since.get_or_insert_with(Instant::now).elapsed() >= QUIET;
                if (over && fits) || (quiet && execution != Execution::Waiting) {
                    // Emulators give their events no token.
                    watch.begun = true;
                    watch.read().await?;
                    let refused = match execution {
                        Execution::Refused(words) => Some(words),
                        Execution::Over | Execution::Waiting | Execution::Untold => None,
                    };
                    return Ok(End { stack: Some(stack), events: watch.events, refused });
                }
            }
        }
        if !patience.wait().await? {
            let status = stack.stack_status().map_or("", |status| status.as_str());
            return Err(ProviderError::unknown(format!(
                "the stack {} is still {status} after {}; AWS goes on with it",
                cloud.name,
                patience.limit()
            )));
        }
    }
}

/// What a change set says of its execution.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Execution {
    /// It has not begun.
    Waiting,
    /// It was executed.
    Over,
    /// It could not be executed: why.
    Refused(String),
    /// Nobody knows: it is gone, or there is none.
    Untold,
}

struct Watch<'a> {
    cloud: &'a Cloud<'a>,
    host: &'a dyn Host,
    operation: &'a Operation<'a>,
    told: BTreeSet<String>,
    events: Vec<StackEvent>,
    begun: bool,
}

impl Watch<'_> {
    /// Reads the events that are new, and tells them. Whether there were any.
    async fn read(&mut self) -> Result<bool, ProviderError> {
        let mut over = false;
        let events = self
            .cloud
            .events(self.operation.stack, |event| {
                let known = self.told.contains(event.event_id().unwrap_or_default());
                let other = event.client_request_token().is_some_and(|token| token != self.operation.token);
                let wanted = !over && !known && !other;
                over = begins(event);
                wanted
            })
            .await?;
        // An event without a token is ours only behind the one that began the operation, which has it.
        let ours = self.begun || events.iter().any(|event| event.client_request_token() == Some(self.operation.token));
        if !ours {
            return Ok(false);
        }
        self.begun = true;
        let any = !events.is_empty();
        for event in events.into_iter().rev() {
            self.tell(&event).await?;
            self.told.insert(event.event_id().unwrap_or_default().to_owned());
            self.events.push(event);
        }
        Ok(any)
    }

    async fn tell(&self, event: &StackEvent) -> Result<(), ProviderError> {
        let word = event.resource_status().map_or("", |status| status.as_str());
        let (name, kind) = (event.logical_resource_id().unwrap_or_default(), event.resource_type().unwrap_or_default());
        let reason =
            event.resource_status_reason().map(|reason| format!(": {}", unwrapped(reason))).unwrap_or_default();
        self.host.log(Stream::Stdout, &format!("{word} {name} ({kind}){reason}")).await?;
        if is_of_the_stack(event) {
            return Ok(());
        }
        if event.resource_status() == Some(&ResourceStatus::DeleteSkipped) {
            let id = event.physical_resource_id().unwrap_or_default();
            let line = format!("{name} ({kind}) {id} stays in the account, as its deletion policy says");
            return self.host.log(Stream::Paddock, &line).await;
        }
        let Some((action, phase)) = phase(word) else { return Ok(()) };
        let provider_id = event.physical_resource_id().filter(|id| !id.is_empty()).map(str::to_owned);
        self.host.progress(&Progress { address: name.to_owned(), action: action.to_owned(), phase, provider_id }).await
    }

    async fn execution(&self) -> Result<Execution, ProviderError> {
        let Some(id) = self.operation.change_set else { return Ok(Execution::Untold) };
        let Some(set) = self.cloud.change_set(id).await? else { return Ok(Execution::Untold) };
        Ok(match set.execution {
            ExecutionStatus::ExecuteComplete => Execution::Over,
            ExecutionStatus::ExecuteFailed => Execution::Refused(set.reason),
            _ => Execution::Waiting,
        })
    }
}

/// Whether it is the first event of an operation.
fn begins(event: &StackEvent) -> bool {
    use ResourceStatus::{CreateInProgress, DeleteInProgress, UpdateInProgress};
    let first = matches!(event.resource_status(), Some(CreateInProgress | DeleteInProgress | UpdateInProgress));
    first && is_of_the_stack(event)
}

fn is_of_the_stack(event: &StackEvent) -> bool {
    event.physical_resource_id() == event.stack_id()
}

/// `UPDATE_IN_PROGRESS` as what is done, and how far.
fn phase(word: &str) -> Option<(&'static str, Phase)> {
    let (verb, rest) = word.split_once('_')?;
    let action = match verb {
        "CREATE" => "create",
        "UPDATE" => "update",
        "DELETE" => "delete",
        "IMPORT" => "import",
        _ => return None,
    };
    let phase = match rest {
        "IN_PROGRESS" => Phase::Begun,
        "COMPLETE" => Phase::Done,
        "FAILED" => Phase::Failed,
        _ => return None,
    };
    Some((action, phase))
}

impl End {
    /// Whether the stack is as its change set wished; otherwise the first real reason, in words.
    pub async fn made(&self, cloud: &Cloud<'_>) -> Result<(), ProviderError> {
        let Some(stack) = &self.stack else {
            return Err(ProviderError::failed(format!("the stack {} was removed meanwhile", cloud.name)));
        };
        if standing(stack) == Standing::Good && self.refused.is_none() {
            return Ok(());
        }
        let reason = match first_failure(cloud, &self.events, DEEPEST).await? {
            Some(reason) => Some(reason),
            None => self.refused.clone().or_else(|| stack.stack_status_reason().map(str::to_owned)),
        };
        let after = stack.stack_status().map(aftermath).unwrap_or_default();
        Err(ProviderError::failed(match reason {
            Some(reason) => format!("{}. {after}", reason.trim_end_matches('.')),
            None => after,
        }))
    }

    /// Whether the stack is gone; otherwise what could not be removed.
    pub fn removed(&self, cloud: &Cloud<'_>) -> Result<(), ProviderError> {
        let Some(stack) = self.stack.as_ref().filter(|stack| standing(stack) != Standing::Gone) else { return Ok(()) };
        let mut failed: Vec<String> = Vec::new();
        for event in &self.events {
            if event.resource_status() == Some(&ResourceStatus::DeleteFailed) && !is_of_the_stack(event) {
                failed.push(reason(event));
            }
        }
        if failed.is_empty() {
            failed.extend(stack.stack_status_reason().map(str::to_owned));
        }
        let word = stack.stack_status().map_or("", |status| status.as_str());
        let what = failed.join("; ");
        Err(ProviderError::failed(format!("{}. The stack {} is {word}.", what.trim_end_matches('.'), cloud.name)))
    }

    /// What was not removed, because its deletion policy keeps it.
    pub fn kept(&self) -> Vec<Resource> {
        kept(&self.events)
    }
}

/// What the removal of a stack that is gone has left.
pub async fn kept_of(cloud: &Cloud<'_>, stack: &str) -> Result<Vec<Resource>, ProviderError> {
    Ok(kept(&last_operation(cloud, stack).await?))
}

/// The events of a stack back to the beginning of its last operation, the newest first.
async fn last_operation(cloud: &Cloud<'_>, stack: &str) -> Result<Vec<StackEvent>, ProviderError> {
    let mut over = false;
    cloud.events(stack, |event| !std::mem::replace(&mut over, begins(event))).await
}

fn kept(events: &[StackEvent]) -> Vec<Resource> {
    let skipped = events.iter().filter(|event| event.resource_status() == Some(&ResourceStatus::DeleteSkipped));
    skipped
        .map(|event| Resource {
            address: event.logical_resource_id().unwrap_or_default().to_owned(),
            r#type: event.resource_type().unwrap_or_default().to_owned(),
            provider_id: event.physical_resource_id().map(str::to_owned),
        })
        .collect()
}

/// `Queue (AWS::SQS::Queue): why`.
fn reason(event: &StackEvent) -> String {
    let why = unwrapped(event.resource_status_reason().unwrap_or("no reason was given"));
    let (name, kind) = (event.logical_resource_id().unwrap_or_default(), event.resource_type().unwrap_or_default());
    format!("{name} ({kind}): {}", why.trim_end_matches('.'))
}

/// The first thing that really failed: not what was given up because of it, and in a nested stack what
/// failed there.
async fn first_failure(
    cloud: &Cloud<'_>,
    events: &[StackEvent],
    depth: usize,
) -> Result<Option<String>, ProviderError> {
    let failed = |event: &&StackEvent| {
        let word = event.resource_status().map_or("", |status| status.as_str());
        let given_up = event.resource_status_reason().is_some_and(|why| why.contains("cancelled"));
        word.ends_with("_FAILED") && !is_of_the_stack(event) && !given_up
    };
    let Some(event) = events.iter().find(failed) else { return Ok(None) };
    if event.resource_type() == Some(STACK)
        && let Some(nested) = event.physical_resource_id().filter(|id| id.starts_with("arn:"))
        && depth > 0
    {
        let mut inner = last_operation(cloud, nested).await?;
        inner.reverse();
        if let Some(reason) = Box::pin(first_failure(cloud, &inner, depth - 1)).await? {
            return Ok(Some(format!("{}: {reason}", event.logical_resource_id().unwrap_or_default())));
        }
    }
    Ok(Some(reason(event)))
}

/// What a stack holds now.
pub async fn living(cloud: &Cloud<'_>, stack: &str) -> Result<Vec<Resource>, ProviderError> {
    let all = cloud.resources(stack).await?;
    Ok(all
        .into_iter()
        .filter(|one| {
            // Not begun, or not any more, or left to itself.
            let word = one.resource_status().map_or("", |status| status.as_str());
            !matches!(word, "DELETE_COMPLETE" | "DELETE_SKIPPED")
                && (one.physical_resource_id().is_some_and(|id| !id.is_empty()) || word == "CREATE_IN_PROGRESS")
        })
        .map(|one| Resource {
            address: one.logical_resource_id.unwrap_or_default(),
            r#type: one.resource_type.unwrap_or_default(),
            provider_id: one.physical_resource_id.filter(|id| !id.is_empty()),
        })
        .collect())
}
