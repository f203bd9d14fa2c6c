//! What others changed of a stack, as CloudFormation itself finds it.
//!
//! Resources of types that it cannot look at are not told of. Values are shown where neither they nor the
//! name of their property can be secret.

use aws_sdk_cloudformation::types::{
    PropertyDifference, StackDriftDetectionStatus, StackResourceDrift, StackResourceDriftStatus,
};
use serde_json::Value;

use super::cloud::{Cloud, standing};
use super::status::Standing;
use super::words::Refusal;
use crate::providers::{Difference, DifferenceKind, Drift, Job, ProviderError};

/// The longest value that is shown, in characters.
const LONGEST: usize = 80;
/// Parts of the names of properties whose values are not shown.
const SECRET: [&str; 5] = ["password", "secret", "token", "credential", "key"];

/// Has CloudFormation look, and reads what it found.
pub async fn look(cloud: &Cloud<'_>) -> Result<Drift, ProviderError> {
    let missing = || Difference::new(&cloud.name, DifferenceKind::Missing, "the stack is not there any more");
    let Some(stack) = cloud.ours().await?.filter(|stack| standing(stack) != Standing::Review) else {
        return Ok(Drift::of(vec![missing()]));
    };
    let id = stack.stack_id().unwrap_or_default();
    let detection = match cloud.detect_drift(id).await {
        Ok(detection) => detection,
        Err(refusal) if refusal.is("InvalidAction", "") || refusal.is("NotImplemented", "") => {
            return Ok(Drift::cannot_tell("What answers in place of AWS cannot look for drift."));
        }
        // Somebody else has it look just now, or the stack is being changed.
        Err(Refusal::Said { code, message }) if code == "ValidationError" => {
            return Err(ProviderError::retryable(message));
        }
        Err(refusal) => return Err(refusal.reading()),
    };
    let mut patience = cloud.patience();
    let failed = loop {
        let (status, reason) = cloud.drift_detection(&detection).await?;
        match status {
            Some(StackDriftDetectionStatus::DetectionComplete) => break None,
            Some(StackDriftDetectionStatus::DetectionFailed) => break Some(reason),
            _ => {}
        }
        if !patience.wait().await? {
            return Err(ProviderError::retryable(format!("CloudFormation still looks after {}", patience.limit())));
        }
    };
    let drifts = cloud.drifts(id).await?;
    let differences: Vec<Difference> = drifts.iter().filter_map(|drift| difference(cloud.job, drift)).collect();
    match failed {
        // What was looked at is told; that nothing differs cannot be said of the rest.
        Some(reason) if differences.is_empty() => {
            Err(ProviderError::retryable(format!("CloudFormation could not look at all of the stack: {reason}")))
        }
        Some(_) | None => Ok(Drift::of(differences)),
    }
}

fn difference(job: &Job, drift: &StackResourceDrift) -> Option<Difference> {
    let (name, kind) = (drift.logical_resource_id().unwrap_or_default(), drift.resource_type().unwrap_or_default());
    match drift.stack_resource_drift_status() {
        Some(StackResourceDriftStatus::Deleted) => {
            let id = drift.physical_resource_id().unwrap_or_default();
            Some(Difference::new(name, DifferenceKind::Missing, format!("{kind} {id} is not there any more")))
        }
        Some(StackResourceDriftStatus::Modified) => {
            let properties = drift.property_differences();
            let words: Vec<String> = properties.iter().map(|one| property(job, one)).collect();
            let found: Vec<[&str; 2]> = properties
                .iter()
                .map(|one| [one.property_path(), one.actual_value()].map(Option::unwrap_or_default))
                .collect();
            let found = serde_json::to_vec(&found).unwrap_or_default();
            Some(Difference::new(name, DifferenceKind::Changed, words.join(", ")).told_by(job, &found))
        }
        _ => None,
    }
}

fn property(job: &Job, one: &PropertyDifference) -> String {
    let path = one.property_path().unwrap_or_default().trim_start_matches('/').replace('/', ".");
    let (before, after) = (one.expected_value().unwrap_or_default(), one.actual_value().unwrap_or_default());
    let lower = path.to_lowercase();
    let secrets = job.secret_inputs.iter().filter_map(|name| job.inputs.get(name)).filter_map(Value::as_str);
    let mut secrets = secrets.filter(|secret| !secret.is_empty());
    if SECRET.iter().any(|part| lower.contains(part))
        || secrets.any(|secret| before.contains(secret) || after.contains(secret))
    {
        return format!("{path} was changed");
    }
    format!("{path}: {} → {}", shown(before), shown(after))
}

fn shown(value: &str) -> String {
    match value {
        "" | "null" => "nothing".to_owned(),
        value if value.chars().count() > LONGEST => format!("{}…", value.chars().take(LONGEST).collect::<String>()),
        value => value.to_owned(),
    }
}
