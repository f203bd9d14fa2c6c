//! `cloudformation`: a stack of AWS CloudFormation, by the official SDK.
//!
//! Target. A region of an account and a credential for it: see [`target`] and [`access`].
//! Config: `template` (the file; `template.yaml`, `.yml` or `.json` when it is left out),
//! `capabilities` (what the author acknowledges, `CAPABILITY_IAM` and the like) and `deadline_seconds`.
//! Every input becomes the parameter of its name. Outputs are the stack's; one that shows a secret input
//! is secret too. Resources are the stack and what it holds.
//!
//! Repeat safety. The stack's name follows from the environment, and its mark is the tag
//! `paddock:environment`: a stack of that name without it is never touched. A plan is a change set named
//! after its run, and apply executes exactly that one, with a token that follows from run and generation:
//! AWS carries out a repeated token once. A further attempt looks whether the change set was executed, and
//! then only watches. What is removed is addressed by the stack's ARN, so a late attempt cannot remove the
//! next stack of that name. Executing a change set makes all others of the stack worthless: a zombie with
//! an old plan is refused by AWS.
//!
//! A plan writes nothing that costs or works, but the change set of a *new* stack leaves an empty stack
//! in `REVIEW_IN_PROGRESS`, by which the change set is found. It counts as nothing there. Apply makes it
//! the real one, and destroy removes it; when a request is rejected before that, it stays until AWS or a
//! person removes it. A failed creation leaves an empty stack in `ROLLBACK_COMPLETE`, which the next plan
//! removes, because CloudFormation cannot change it.
//!
//! Drift is what CloudFormation's own detection finds, orphans are the stacks with our tag.
//!
//! A run that is canceled stops watching: AWS goes on, and the next run finds the stack as it is.

mod access;
mod cloud;
mod drift;
mod follow;
mod inventory;
mod names;
mod plan;
mod remove;
mod status;
mod target;
mod template;
mod words;

use async_trait::async_trait;
use aws_sdk_cloudformation::types::ExecutionStatus;
use serde_json::Value;

use self::cloud::{Cloud, standing};
use self::follow::Operation;
use self::plan::{Saved, stale};
use self::status::Standing;
use super::{
    Drift, Finding, Host, Inventory, Job, Marked, Output, Plan, Provider, ProviderError, Resource, Stream, Target,
    TargetForm,
};
use crate::base::failpoint::reach;

/// The provider of CloudFormation stacks.
#[derive(Debug, Clone, Copy, Default)]
pub struct CloudFormationProvider;

#[async_trait]
impl Provider for CloudFormationProvider {
    fn name(&self) -> &'static str {
        "cloudformation"
    }

    async fn check(&self) -> Result<(), String> {
        Ok(())
    }

    fn target_form(&self) -> &'static TargetForm {
        &target::FORM
    }

    async fn check_target(&self, target: &Target) -> Vec<Finding> {
        target::look_at(target).await
    }

    async fn plan(&self, job: &Job, host: &dyn Host) -> Result<Plan, ProviderError> {
        let cloud = Cloud::open(job).await?;
        if job.operation == "delete" { plan::away(&cloud).await } else { plan::toward(&cloud, host).await }
    }

    async fn apply(&self, job: &Job, host: &dyn Host) -> Result<(), ProviderError> {
        let cloud = Cloud::open(job).await?;
        let saved = Saved::of(job)?;
        let id = match &saved {
            Some(saved) => saved.change_set.clone(),
            None => plan::make(&cloud, host).await?.map(|set| set.id),
        };
        match id {
            Some(id) => execute(&cloud, host, &id, saved.as_ref()).await,
            None => host.log(Stream::Paddock, "Nothing to change").await,
        }
    }

    async fn collect(&self, job: &Job, _host: &dyn Host) -> Result<(Vec<Output>, Vec<Resource>), ProviderError> {
        let cloud = Cloud::open(job).await?;
        let stack = cloud.ours().await?.filter(|stack| standing(stack) != Standing::Review);
        let stack = stack.ok_or_else(|| ProviderError::failed(format!("there is no stack {}", cloud.name)))?;
        let outputs = stack.outputs().iter().map(|output| {
            let value = output.output_value().unwrap_or_default();
            let name = output.output_key().unwrap_or_default().to_owned();
            Output { name, sensitive: shows_a_secret(job, value), value: Value::from(value) }
        });
        let outputs = outputs.collect();
        Ok((outputs, there(&cloud, &stack).await?))
    }

    async fn destroy(&self, job: &Job, host: &dyn Host) -> Result<(), ProviderError> {
        remove::destroy(&Cloud::open(job).await?, host).await
    }

    async fn read_back(&self, job: &Job, _host: &dyn Host) -> Result<Vec<Resource>, ProviderError> {
        let cloud = Cloud::open(job).await?;
        match cloud.ours().await? {
            Some(stack) if standing(&stack) != Standing::Review => there(&cloud, &stack).await,
            Some(_) | None => Ok(Vec::new()),
        }
    }

    async fn drift(&self, job: &Job, _host: &dyn Host) -> Result<Drift, ProviderError> {
        drift::look(&Cloud::open(job).await?).await
    }

    async fn inventory(&self, target: &Target) -> Result<Inventory, ProviderError> {
        Ok(Inventory::Listed(inventory::list(target).await?))
    }

    async fn remove_marked(&self, target: &Target, marked: &Marked, host: &dyn Host) -> Result<(), ProviderError> {
        let name = marked.address.as_deref().unwrap_or(&marked.id);
        host.log(Stream::Paddock, &format!("Removing the stack {name}")).await?;
        inventory::remove(target, marked).await
    }
}

/// Executes the change set, unless an earlier attempt has, and watches the stack until it is at rest.
async fn execute(cloud: &Cloud<'_>, host: &dyn Host, id: &str, saved: Option<&Saved>) -> Result<(), ProviderError> {
    let ours = cloud.ours().await?;
    let set = cloud.change_set(id).await?;
    let was_executed =
        ours.as_ref().is_some_and(|stack| stack.change_set_id() == Some(id) && standing(stack) != Standing::Review);
    let (stack, begun) = match (set, ours) {
        (Some(set), _) if plan::was_executed(&set) => (set.stack, true),
        (Some(set), _) if set.execution == ExecutionStatus::Available => {
            if saved.is_some_and(|saved| !saved.covers(&set)) {
                return Err(stale("the change set does something else"));
            }
            (set.stack, false)
        }
        // Some forget a change set once it is executed.
        (_, Some(stack)) if was_executed => (stack.stack_id.unwrap_or_default(), true),
        (Some(_), _) => return Err(stale("the stack has changed since it was made")),
        (None, _) => return Err(stale("its change set is not there any more")),
    };
    let token = names::token(cloud.job, "apply");
    if begun {
        let line = format!("An earlier attempt has begun the change of the stack {}: watching it", cloud.name);
        host.log(Stream::Paddock, &line).await?;
    } else {
        // Asks whether this attempt still holds the run.
        host.log(Stream::Paddock, &format!("Executing the change set of the stack {}", cloud.name)).await?;
        reach("cloudformation.execute");
        cloud.execute(id, &token).await.map_err(words::Refusal::changing)?;
        reach("cloudformation.executed");
    }
    let operation = Operation { stack: &stack, token: &token, change_set: Some(id) };
    let end = follow::until_its_end(cloud, host, &operation).await?;
    end.made(cloud).await?;
    reach("cloudformation.made");
    Ok(())
}

/// The stack and what it holds.
async fn there(
    cloud: &Cloud<'_>,
    stack: &aws_sdk_cloudformation::types::Stack,
) -> Result<Vec<Resource>, ProviderError> {
    let id = stack.stack_id().unwrap_or_default();
    let mut found = vec![Resource {
        // No logical id has a dash.
        address: cloud.name.clone(),
        r#type: "AWS::CloudFormation::Stack".to_owned(),
        provider_id: Some(id.to_owned()),
    }];
    found.extend(follow::living(cloud, id).await?);
    Ok(found)
}

fn shows_a_secret(job: &Job, value: &str) -> bool {
    let secrets = job.secret_inputs.iter().filter_map(|name| job.inputs.get(name)).filter_map(Value::as_str);
    secrets.filter(|secret| !secret.is_empty()).any(|secret| value.contains(secret))
}
