//! The calls of CloudFormation that the provider makes. Each has an end in time, stops when the run is
//! canceled, and gives all pages.

use std::time::Duration;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::config::http::HttpResponse;
use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudformation::types::{
    Change, ChangeSetStatus, ChangeSetType, ExecutionStatus, Stack, StackDriftDetectionStatus, StackEvent,
    StackResourceDrift, StackResourceSummary,
};
use tokio::time::Instant;

use super::access::Access;
use super::template::{self, Wish};
use super::words::{Refusal, explain};
use super::{names, status};
use crate::providers::{Job, ProviderError};

/// The pause after the first look; each is half as long again, up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(200);
/// CloudFormation answers a few looks in a second, for all that look in an account.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// CloudFormation, as one job sees it.
pub struct Cloud<'a> {
    /// The job.
    pub job: &'a Job,
    /// The name of its stack.
    pub name: String,
    access: Access,
    deadline: Duration,
}

/// A change set.
#[derive(Debug, Clone)]
pub struct ChangeSet {
    /// Its ARN.
    pub id: String,
    /// The ARN of its stack.
    pub stack: String,
    /// How far it is made.
    pub status: ChangeSetStatus,
    /// And why.
    pub reason: String,
    /// Whether it can be, or was, executed.
    pub execution: ExecutionStatus,
    /// What it does.
    pub changes: Vec<Change>,
}

impl<'a> Cloud<'a> {
    /// Finds the credential of the job's target.
    pub async fn open(job: &'a Job) -> Result<Self, ProviderError> {
        if job.cancel.is_cancelled() {
            return Err(ProviderError::Canceled);
        }
        let target = job.target.as_ref().ok_or_else(|| {
            ProviderError::failed(format!("no AWS account is bound to {} for this project", job.environment_type))
        })?;
        let access = tokio::select! {
            biased;
            () = job.cancel.cancelled() => return Err(ProviderError::Canceled),
            access = Box::pin(Access::open(target)) => access?,
        };
        let deadline = template::deadline(job)?.unwrap_or_else(|| access.settings.deadline());
        Ok(Self { job, name: names::stack(job), access, deadline })
    }

    fn client(&self) -> &Client {
        &self.access.cloudformation
    }

    /// Waits for an answer, unless the run is canceled meanwhile.
    pub async fn ask<T, E>(
        &self,
        call: std::pin::Pin<Box<impl Future<Output = Result<T, SdkError<E, HttpResponse>>>>>,
    ) -> Result<T, Refusal>
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        tokio::select! {
            biased;
            () = self.job.cancel.cancelled() => Err(Refusal::Canceled),
            answer = call => answer.map_err(|error| explain(&error)),
        }
    }

    /// The stack of that name or ARN. By its ARN, also one that is removed.
    pub async fn stack(&self, name: &str) -> Result<Option<Stack>, ProviderError> {
        match self.ask(Box::pin(self.client().describe_stacks().stack_name(name).send())).await {
            Ok(answer) => Ok(answer.stacks.unwrap_or_default().into_iter().next()),
            Err(refusal) if refusal.is("ValidationError", "does not exist") => Ok(None),
            Err(refusal) => Err(refusal.reading()),
        }
    }

    /// The job's stack, if there is one. One of its name that is somebody else's is refused.
    pub async fn ours(&self) -> Result<Option<Stack>, ProviderError> {
        let stack = self.stack(&self.name).await?;
        let Some(stack) = stack.filter(|stack| standing(stack) != status::Standing::Gone) else { return Ok(None) };
        // A stack that is only under review may show its tags in its change set alone, and holds nothing.
        let unmarked = standing(&stack) == status::Standing::Review && names::mark(stack.tags()).is_none();
        if unmarked || names::is_marked(stack.tags(), self.job) { Ok(Some(stack)) } else { Err(names::foreign(&stack)) }
    }

    /// Asks for a change set of the run. `None`: there is one of its name.
    pub async fn create_change_set(&self, wish: &Wish, kind: ChangeSetType) -> Result<Option<String>, ProviderError> {
        let job = self.job;
        let call = self
            .client()
            .create_change_set()
            .stack_name(&self.name)
            .change_set_name(names::change_set(job))
            .change_set_type(kind)
            .client_token(names::token(job, "plan"))
            .description(format!("{} of {} by {}", job.operation, job.environment_name, job.run))
            .template_body(&wish.body)
            .set_parameters(Some(wish.parameters.clone()))
            .set_capabilities(Some(wish.capabilities.clone()))
            .set_tags(Some(names::tags(job)))
            .set_role_arn(self.access.settings.service_role_arn.clone());
        match self.ask(Box::pin(call.send())).await {
            Ok(answer) => answer.id.map(Some).ok_or_else(|| ProviderError::retryable("AWS named no change set")),
            Err(refusal) if refusal.is("AlreadyExistsException", "") => Ok(None),
            // A plan is no change: whatever came of it is found under its name.
            Err(refusal) => Err(refusal.reading()),
        }
    }

    /// A change set, by its ARN or by its name in the job's stack.
    pub async fn change_set(&self, name: &str) -> Result<Option<ChangeSet>, ProviderError> {
        let (mut changes, mut token) = (Vec::new(), None);
        loop {
            let mut call = self.client().describe_change_set().change_set_name(name).set_next_token(token);
            if !name.starts_with("arn:") {
                call = call.stack_name(&self.name);
            }
            let answer = match self.ask(Box::pin(call.send())).await {
                Ok(answer) => answer,
                Err(refusal)
                    if refusal.is("ChangeSetNotFound", "") || refusal.is("ValidationError", "does not exist") =>
                {
                    return Ok(None);
                }
                Err(refusal) => return Err(refusal.reading()),
            };
            changes.extend(answer.changes.unwrap_or_default());
            token = answer.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(Some(ChangeSet {
                    id: answer.change_set_id.unwrap_or_else(|| name.to_owned()),
                    stack: answer.stack_id.unwrap_or_else(|| self.name.clone()),
                    status: answer.status.unwrap_or_else(|| ChangeSetStatus::from("UNKNOWN")),
                    reason: answer.status_reason.unwrap_or_default(),
                    execution: answer.execution_status.unwrap_or(ExecutionStatus::Unavailable),
                    changes,
                }));
            }
        }
    }

    /// Removes a change set that nobody will execute.
    pub async fn delete_change_set(&self, id: &str) -> Result<(), ProviderError> {
        let call = self.client().delete_change_set().change_set_name(id);
        match self.ask(Box::pin(call.send())).await {
            Ok(_) => Ok(()),
            Err(refusal) if refusal.is("ChangeSetNotFound", "") => Ok(()),
            Err(refusal) => Err(refusal.reading()),
        }
    }

    /// Asks for a change set to be executed.
    pub async fn execute(&self, id: &str, token: &str) -> Result<(), Refusal> {
        let call = self.client().execute_change_set().change_set_name(id).client_request_token(token);
        self.ask(Box::pin(call.send())).await.map(drop)
    }

    /// Asks for a stack to be removed.
    pub async fn delete_stack(&self, id: &str, token: &str) -> Result<(), Refusal> {
        let call = self.client().delete_stack().stack_name(id).client_request_token(token);
        let call = call.set_role_arn(self.access.settings.service_role_arn.clone());
        self.ask(Box::pin(call.send())).await.map(drop)
    }

    /// The events of a stack, the latest first, as long as `wanted` says.
    pub async fn events(
        &self,
        stack: &str,
        mut wanted: impl FnMut(&StackEvent) -> bool,
    ) -> Result<Vec<StackEvent>, ProviderError> {
        let (mut events, mut token) = (Vec::new(), None);
        loop {
            let call = self.client().describe_stack_events().stack_name(stack).set_next_token(token);
            let answer = match self.ask(Box::pin(call.send())).await {
                Ok(answer) => answer,
                Err(refusal) if refusal.is("ValidationError", "does not exist") => return Ok(events),
                Err(refusal) => return Err(refusal.reading()),
            };
            for event in answer.stack_events.unwrap_or_default() {
                if !wanted(&event) {
                    return Ok(events);
                }
                events.push(event);
            }
            token = answer.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(events);
            }
        }
    }

    /// What a stack holds, as its template orders it.
    pub async fn resources(&self, stack: &str) -> Result<Vec<StackResourceSummary>, ProviderError> {
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let call = self.client().list_stack_resources().stack_name(stack).set_next_token(token);
            let answer = match self.ask(Box::pin(call.send())).await {
                Ok(answer) => answer,
                Err(refusal) if refusal.is("ValidationError", "does not exist") => return Ok(found),
                Err(refusal) => return Err(refusal.reading()),
            };
            found.extend(answer.stack_resource_summaries.unwrap_or_default());
            token = answer.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// The template of a stack, as it was given.
    pub async fn template(&self, stack: &str) -> Result<String, ProviderError> {
        let call = self.client().get_template().stack_name(stack);
        let answer = self.ask(Box::pin(call.send())).await.map_err(Refusal::reading)?;
        Ok(answer.template_body.unwrap_or_default())
    }

    /// Asks for a look at what others changed of a stack.
    pub async fn detect_drift(&self, stack: &str) -> Result<String, Refusal> {
        let call = self.client().detect_stack_drift().stack_name(stack);
        let answer = self.ask(Box::pin(call.send())).await?;
        Ok(answer.stack_drift_detection_id.unwrap_or_default())
    }

    /// How far that look is, and why it failed.
    pub async fn drift_detection(
        &self,
        id: &str,
    ) -> Result<(Option<StackDriftDetectionStatus>, String), ProviderError> {
        let call = self.client().describe_stack_drift_detection_status().stack_drift_detection_id(id);
        let answer = self.ask(Box::pin(call.send())).await.map_err(Refusal::reading)?;
        Ok((answer.detection_status, answer.detection_status_reason.unwrap_or_default()))
    }

    /// What that look found, resource by resource.
    pub async fn drifts(&self, stack: &str) -> Result<Vec<StackResourceDrift>, ProviderError> {
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let call = self.client().describe_stack_resource_drifts().stack_name(stack).set_next_token(token);
            let answer = self.ask(Box::pin(call.send())).await.map_err(Refusal::reading)?;
            found.extend(answer.stack_resource_drifts.unwrap_or_default());
            token = answer.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// A time to wait in, until the deadline of the job.
    pub fn patience(&self) -> Patience<'_> {
        Patience { job: self.job, limit: self.deadline, ends: Instant::now() + self.deadline, pause: PAUSE }
    }
}

/// What the state of a stack means.
pub fn standing(stack: &Stack) -> status::Standing {
    stack.stack_status().map_or(status::Standing::Moving, status::standing)
}

/// How long something is waited for.
pub struct Patience<'a> {
    job: &'a Job,
    limit: Duration,
    ends: Instant,
    pause: Duration,
}

impl Patience<'_> {
    /// Waits for the next look. `false`: the time is up.
    pub async fn wait(&mut self) -> Result<bool, ProviderError> {
        let now = Instant::now();
        if now >= self.ends {
            return Ok(false);
        }
        let pause = self.pause.min(self.ends - now);
        self.pause = (self.pause * 3 / 2).min(LONGEST_PAUSE);
        tokio::select! {
            biased;
            () = self.job.cancel.cancelled() => Err(ProviderError::Canceled),
            () = tokio::time::sleep(pause) => Ok(true),
        }
    }

    /// Something moved: the next look comes soon.
    pub fn moved(&mut self) {
        self.pause = PAUSE;
    }

    /// How long it was, in words.
    pub fn limit(&self) -> String {
        let seconds = self.limit.as_secs();
        if seconds >= 120 { format!("{} minutes", seconds / 60) } else { format!("{seconds} s") }
    }
}
