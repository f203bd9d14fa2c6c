//! Removing a stack, and telling what stays behind.

use aws_sdk_cloudformation::types::{Stack, StackStatus};

use super::cloud::{Cloud, standing};
use super::follow::{self, Operation};
use super::names;
use super::plan::{Saved, stale};
use super::status::Standing;
use super::words::Refusal;
use crate::base::failpoint::reach;
use crate::providers::{Host, ProviderError, Resource, Stream};

/// Removes the job's stack, whatever state it is in.
pub async fn destroy(cloud: &Cloud<'_>, host: &dyn Host) -> Result<(), ProviderError> {
    let saved = Saved::of(cloud.job)?;
    let planned = saved.as_ref().and_then(|saved| saved.stack.as_deref());
    let Some(stack) = cloud.ours().await? else {
        host.log(Stream::Paddock, &format!("Nothing to remove: there is no stack {}", cloud.name)).await?;
        // An earlier attempt may have ended before it could tell.
        return match planned {
            Some(id) => tell_kept(host, &follow::kept_of(cloud, id).await?).await,
            None => Ok(()),
        };
    };
    let id = stack.stack_id().unwrap_or_default().to_owned();
    if saved.is_some() && planned != Some(id.as_str()) {
        return Err(stale("another stack is there now"));
    }
    wait_until_it_may(cloud, host, stack).await?;
    host.log(Stream::Paddock, &format!("Removing the stack {}", cloud.name)).await?;
    remove(cloud, host, &id, &names::token(cloud.job, "destroy")).await
}

/// A stack that is being updated is not removed until that is over; one that is being made is.
async fn wait_until_it_may(cloud: &Cloud<'_>, host: &dyn Host, stack: Stack) -> Result<(), ProviderError> {
    let mut patience = cloud.patience();
    let (id, mut seen, mut told) = (stack.stack_id().unwrap_or_default().to_owned(), Some(stack), false);
    while let Some(stack) = seen {
        let status = stack.stack_status().cloned();
        let may = matches!(status, Some(StackStatus::CreateInProgress | StackStatus::DeleteInProgress));
        if may || standing(&stack) != Standing::Moving {
            return Ok(());
        }
        let word = status.as_ref().map_or("", |status| status.as_str());
        if !told {
            host.log(Stream::Paddock, &format!("Waiting: the stack {} is {word}", cloud.name)).await?;
            told = true;
        }
        if !patience.wait().await? {
            let limit = patience.limit();
            return Err(ProviderError::retryable(format!("the stack {} is still {word} after {limit}", cloud.name)));
        }
        seen = cloud.stack(&id).await?;
    }
    Ok(())
}

/// Asks for the removal of a stack, and watches it.
pub async fn remove(cloud: &Cloud<'_>, host: &dyn Host, id: &str, token: &str) -> Result<(), ProviderError> {
    reach("cloudformation.remove");
    cloud.delete_stack(id, token).await.map_err(Refusal::changing)?;
    reach("cloudformation.removing");
    let operation = Operation { stack: id, token, change_set: None };
    let end = follow::until_its_end(cloud, host, &operation).await?;
    end.removed(cloud)?;
    reach("cloudformation.removed");
    tell_kept(host, &end.kept()).await
}

async fn tell_kept(host: &dyn Host, kept: &[Resource]) -> Result<(), ProviderError> {
    if kept.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = kept.iter().map(|one| format!("{one}, {}", one.r#type)).collect();
    let line = format!("These stay in the account, and Paddock looks after them no more: {}", names.join("; "));
    host.log(Stream::Paddock, &line).await
}
