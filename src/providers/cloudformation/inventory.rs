//! All stacks of an account that carry Paddock's mark, whoever owns them.
//!
//! A stack that is only under review may show no tags: there its name is the mark, which ends with the
//! environment's id, and it holds nothing.

use std::time::Duration;

use aws_sdk_cloudformation::types::{Stack, StackStatus};
use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::access::Access;
use super::cloud::standing;
use super::names;
use super::status::Standing;
use super::words::{Refusal, explain};
use crate::base::id::EnvironmentId;
use crate::providers::{Marked, ProviderError, Target};

const STACK: &str = "AWS::CloudFormation::Stack";
/// The pause between two looks at a stack that is being removed.
const PAUSE: Duration = Duration::from_secs(1);

/// Every stack with our mark.
pub async fn list(target: &Target) -> Result<Vec<Marked>, ProviderError> {
    let access = Box::pin(Access::open(target)).await?;
    let (mut found, mut token) = (Vec::new(), None);
    loop {
        let call = access.cloudformation.describe_stacks().set_next_token(token);
        let answer = Box::pin(call.send()).await.map_err(|error| explain(&error).reading())?;
        found.extend(answer.stacks().iter().filter_map(marked));
        token = answer.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(found);
        }
    }
}

fn marked(stack: &Stack) -> Option<Marked> {
    let standing = standing(stack);
    if standing == Standing::Gone {
        return None;
    }
    let name = stack.stack_name().unwrap_or_default();
    let environment = match names::mark(stack.tags()) {
        Some(mark) => mark.parse::<EnvironmentId>().ok(),
        None if standing == Standing::Review => Some(names::environment(name)?),
        None => return None,
    };
    Some(Marked {
        r#type: STACK.to_owned(),
        id: stack.stack_id().unwrap_or_default().to_owned(),
        address: Some(name.to_owned()),
        environment,
        since: stack.creation_time().and_then(|time| Timestamp::from_second(time.secs()).ok()),
        cost: None,
        // One that is only planned is no resource of its environment.
        is_resource: standing != Standing::Review,
    })
}

/// Removes the stack, if it still is as it was listed.
pub async fn remove(target: &Target, listed: &Marked) -> Result<(), ProviderError> {
    let access = Box::pin(Access::open(target)).await?;
    let Some(stack) = find(&access, &listed.id).await? else { return Ok(()) };
    match marked(&stack) {
        None if standing(&stack) == Standing::Gone => return Ok(()),
        Some(now) if now.environment == listed.environment => {}
        Some(_) | None => return Err(names::foreign(&stack)),
    }
    let call = access.cloudformation.delete_stack().stack_name(&listed.id);
    let call = call.set_role_arn(access.settings.service_role_arn.clone());
    Box::pin(call.send()).await.map_err(|error| explain(&error).changing())?;
    let ends = Instant::now() + access.settings.deadline();
    loop {
        match find(&access, &listed.id).await? {
            None => return Ok(()),
            Some(stack) if standing(&stack) == Standing::Gone => return Ok(()),
            Some(stack) if stack.stack_status() == Some(&StackStatus::DeleteFailed) => {
                let why = stack.stack_status_reason().unwrap_or("AWS does not say why");
                return Err(ProviderError::failed(format!("{why} The stack is DELETE_FAILED.")));
            }
            Some(_) if Instant::now() >= ends => {
                return Err(ProviderError::unknown("the stack is still being removed; AWS goes on with it"));
            }
            Some(_) => sleep(PAUSE).await,
        }
    }
}

async fn find(access: &Access, id: &str) -> Result<Option<Stack>, ProviderError> {
    let call = access.cloudformation.describe_stacks().stack_name(id);
    match Box::pin(call.send()).await.map_err(|error| explain(&error)) {
        Ok(answer) => Ok(answer.stacks.unwrap_or_default().into_iter().next()),
        Err(refusal) if refusal.is("ValidationError", "does not exist") => Ok(None),
        Err(refusal @ (Refusal::Said { .. } | Refusal::Silent(_) | Refusal::Canceled)) => Err(refusal.reading()),
    }
}
