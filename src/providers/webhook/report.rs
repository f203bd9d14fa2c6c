//! What a receiver says of work: in a call-back, in its answer, at its status address.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::base::FieldError;
use crate::providers::{Output, Resource};

/// The longest message, in characters.
const LONGEST: usize = 4000;
/// The most outputs, and the most resources.
const MOST: usize = 500;

/// How far work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CallBackState)]
pub enum ReportState {
    /// It goes on.
    Running,
    /// It is done. The last word.
    Succeeded,
    /// It could not be done. The last word.
    Failed,
    /// The receiver does not know of it; at its status address only.
    Unknown,
}

/// What a receiver says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CallBackReport)]
pub struct Report {
    /// How far it is: `running` may come often, `succeeded` or `failed` comes once.
    pub state: ReportState,
    /// A line for people. For `failed` the first real error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How much is done, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<u8>,
    /// What the environment gives to its users, by name. They replace those of before; after an action
    /// those of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<BTreeMap<String, ReportedOutput>>,
    /// Everything that there is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Vec<ReportedResource>>,
    /// Anything that the receiver wants to be given again with the next request for this environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Value>,
}

/// An output, as a receiver tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportedOutput {
    /// The value, of any type.
    pub value: Value,
    /// Whether it is masked until revealed, and encrypted at rest.
    #[serde(default)]
    pub sensitive: bool,
}

/// A resource, as a receiver tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportedResource {
    /// Its name inside the environment, unique there.
    pub address: String,
    /// Its type.
    #[serde(default = "webhook")]
    pub r#type: String,
    /// Its id at the target.
    #[serde(default)]
    pub id: Option<String>,
}

fn webhook() -> String {
    "webhook".to_owned()
}

impl Report {
    /// One that says no more than this.
    pub fn of(state: ReportState, message: Option<String>) -> Self {
        Self { state, message, progress: None, outputs: None, resources: None, keep: None }
    }

    /// Reads what stands in an answer that may say more than this.
    pub fn in_answer(value: &Value) -> Result<Self, String> {
        let known = ["state", "message", "progress", "outputs", "resources", "keep"];
        let object = value.as_object().ok_or("it is no JSON object")?;
        let kept = object.iter().filter(|(name, _)| known.contains(&name.as_str()));
        let kept: Value = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        let report: Self = serde_json::from_value(kept).map_err(|error| error.to_string())?;
        match report.problem() {
            Some(wrong) => Err(format!("{} {}", wrong.pointer, wrong.detail)),
            None => Ok(report),
        }
    }

    /// Whether nothing follows it.
    pub fn is_last(&self) -> bool {
        match self.state {
            ReportState::Succeeded | ReportState::Failed => true,
            ReportState::Running | ReportState::Unknown => false,
        }
    }

    /// What cannot be used of it.
    pub fn problem(&self) -> Option<FieldError> {
        if self.message.as_ref().is_some_and(|message| message.chars().count() > LONGEST) {
            return Some(FieldError::new("/message", format!("has more than {LONGEST} characters")));
        }
        if self.progress.is_some_and(|progress| progress > 100) {
            return Some(FieldError::new("/progress", "must be a whole number from 0 to 100"));
        }
        let outputs = self.outputs.iter().flatten().map(|(name, _)| name.as_str());
        let resources = self.resources.iter().flatten().map(|one| one.address.as_str());
        if outputs.clone().any(|name| !is_name(name)) || outputs.count() > MOST {
            return Some(FieldError::new(
                "/outputs",
                format!("must be at most {MOST}, with names of 1 to 200 characters"),
            ));
        }
        let mut addresses: Vec<&str> = resources.collect();
        addresses.sort_unstable();
        if addresses.iter().any(|address| !is_name(address)) || addresses.len() > MOST {
            let words = format!("must be at most {MOST}, with addresses of 1 to 200 characters");
            return Some(FieldError::new("/resources", words));
        }
        let twice = addresses.windows(2).find(|pair| pair.first() == pair.last())?;
        let words = format!("has {} twice", twice.first().copied().unwrap_or_default());
        Some(FieldError::new("/resources", words))
    }

    /// What a log tells of it.
    pub fn line(&self) -> Option<String> {
        let message = self.message.as_deref().map(str::trim).filter(|message| !message.is_empty());
        match (self.progress, message) {
            (Some(progress), Some(message)) => Some(format!("{progress} %: {message}")),
            (Some(progress), None) => Some(format!("{progress} %")),
            (None, message) => message.map(str::to_owned),
        }
    }

    /// The outputs, if it tells any.
    pub fn outputs(&self) -> Option<Vec<Output>> {
        let output = |(name, one): (&String, &ReportedOutput)| Output {
            name: name.clone(),
            sensitive: one.sensitive,
            value: one.value.clone(),
        };
        self.outputs.as_ref().map(|all| all.iter().map(output).collect())
    }

    /// The resources, if it tells any.
    pub fn resources(&self) -> Option<Vec<Resource>> {
        let resource = |one: &ReportedResource| Resource {
            address: one.address.clone(),
            r#type: one.r#type.clone(),
            provider_id: one.id.clone(),
        };
        self.resources.as_ref().map(|all| all.iter().map(resource).collect())
    }
}

fn is_name(name: &str) -> bool {
    (1..=200).contains(&name.chars().count())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn outputs_of_every_type_are_read() {
        let report = Report::in_answer(&json!({
            "state": "succeeded", "more": 1, "progress": 100, "message": "done",
            "outputs": {"url": {"value": "http://x", "type": "string"}, "key": {"value": "s", "sensitive": true},
                        "ports": {"value": [1, 2]}, "nothing": {"value": null}, "map": {"value": {"a": 1.5}}},
            "resources": [{"address": "a"}, {"address": "b", "type": "t", "id": "1"}],
        }))
        .unwrap();
        assert!(report.is_last());
        assert_eq!(report.line().as_deref(), Some("100 %: done"));
        let outputs = report.outputs().unwrap();
        assert_eq!(outputs.len(), 5);
        assert!(outputs.iter().all(|output| output.sensitive == (output.name == "key")));
        assert_eq!(report.resources().unwrap()[0].r#type, "webhook");
    }

    #[test]
    fn what_is_no_report_is_told() {
        for (bad, words) in [
            (json!([]), "no JSON object"),
            (json!({"message": "x"}), "state"),
            (json!({"state": "done"}), "done"),
            (json!({"state": "running", "progress": 101}), "/progress"),
            (json!({"state": "running", "message": "x".repeat(4001)}), "/message"),
            (json!({"state": "succeeded", "outputs": {"": {"value": 1}}}), "/outputs"),
            (json!({"state": "succeeded", "outputs": {"a": {}}}), "value"),
            (json!({"state": "succeeded", "resources": [{"address": "a"}, {"address": "a"}]}), "a twice"),
        ] {
            let why = Report::in_answer(&bad).unwrap_err();
            assert!(why.contains(words), "{bad}: {why}");
        }
        assert!(serde_json::from_value::<Report>(json!({"state": "running", "output": {}})).is_err());
    }
}
