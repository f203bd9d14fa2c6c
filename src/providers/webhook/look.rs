//! How an environment is, by the word of a receiver that has an address for that.

use serde::Deserialize;
use serde_json::Value;

use super::config::Config;
use super::message;
use super::receiver::Receiver;
use super::record::Record;
use super::report::{Report, ReportedResource};
use crate::providers::{Difference, DifferenceKind, Job, ProviderError, Resource};

/// What a receiver says of an environment.
#[derive(Debug, Deserialize)]
struct Status {
    /// Whether there is anything of it.
    exists: Option<bool>,
    resources: Option<Vec<ReportedResource>>,
    differences: Option<Vec<Differs>>,
}

/// What is not as its last run left it.
#[derive(Debug, Deserialize)]
struct Differs {
    address: String,
    kind: DifferenceKind,
    #[serde(default)]
    summary: String,
}

/// Asks the receiver. `None`: the template names no address for that.
async fn ask(job: &Job, config: &Config, receiver: &Receiver) -> Result<Option<Status>, ProviderError> {
    let Some(url) = config.status.as_deref().and_then(|path| receiver.own(path)) else { return Ok(None) };
    let now = receiver.now();
    let body = message::status(job, config, None, now);
    let id = format!("{}_look_{}", message::id_of(job), now.as_millisecond());
    let answer = receiver.post_to(url, &id, &body).await;
    let answer = answer.map_err(|silence| ProviderError::from(silence).without_effect())?;
    let name = receiver.name();
    if !answer.status.is_success() {
        let why = answer.words().unwrap_or_default();
        return Err(ProviderError::retryable(format!("{name} does not say how it is ({}) {why}", answer.status)));
    }
    let status = serde_json::from_value(answer.json.unwrap_or(Value::Null));
    let wrong = |error| ProviderError::failed(format!("what {name} says of its status cannot be used: {error}"));
    status.map(Some).map_err(wrong)
}

/// What is there of the environment: by the receiver's word where it has one to say, else by the record.
pub async fn read_back(
    job: &Job,
    config: &Config,
    receiver: &Receiver,
    record: &Record,
) -> Result<Vec<Resource>, ProviderError> {
    let Some(status) = ask(job, config, receiver).await? else { return Ok(record.resources()) };
    if status.exists == Some(false) {
        return Ok(Vec::new());
    }
    if let Some(told) = status.resources {
        let told = Report { resources: Some(told), ..Report::of(super::report::ReportState::Running, None) };
        return Ok(told.resources().unwrap_or_default());
    }
    let known = record.resources();
    let whole = || Resource { address: "webhook".into(), r#type: "webhook".into(), provider_id: None };
    Ok(if known.is_empty() && status.exists == Some(true) { vec![whole()] } else { known })
}

/// What differs. `None`: nobody can look.
pub async fn differences(
    job: &Job,
    config: &Config,
    receiver: &Receiver,
    record: &Record,
) -> Result<Option<Vec<Difference>>, ProviderError> {
    let Some(status) = ask(job, config, receiver).await? else { return Ok(None) };
    if status.exists == Some(false) {
        let gone =
            |one: Resource| Difference::new(one.address, DifferenceKind::Missing, "the receiver does not have it");
        return Ok(Some(record.resources().into_iter().map(gone).collect()));
    }
    // Silence about differences is not a look.
    let told = status.differences;
    Ok(told.map(|all| all.into_iter().map(|one| Difference::new(one.address, one.kind, one.summary)).collect()))
}
