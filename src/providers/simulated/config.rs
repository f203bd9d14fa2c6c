//! What a template and its inputs ask of the simulated cloud: objects, waits, and what goes wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::base::digest::canonical_json;
use crate::providers::{Job, ProviderError};

/// The longest that one call may be made to take.
const LONGEST_MS: u64 = 60_000;
/// The most objects of one environment.
const MOST_OBJECTS: usize = 50;
/// Inputs that steer the simulation. All others are what the objects are like.
const CONTROLS: [&str; 7] = ["scenario", "seed", "latency_ms", "timeout_ms", "faults", "chaos_percent", "objects"];

/// A call of the cloud's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Makes an object; the idempotency token makes a repetition harmless.
    Create,
    /// Makes an object as it is wished now, and whole if it was half made.
    Update,
    /// Removes an object. Gone already is success.
    Delete,
    /// Looks for an object by its owner and name.
    Read,
}

/// What can go wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Refused for the moment: too many requests, no capacity. No effect.
    Throttle,
    /// Refused for good, for example by a quota. No effect.
    Refuse,
    /// The object is there and not whole, and the answer is an error.
    Partial,
    /// The effect happened, the answer is an error.
    #[serde(rename = "effect_then_500")]
    EffectThen500,
    /// The answer is success, and nothing happened.
    #[serde(rename = "200_no_effect")]
    OkNoEffect,
    /// Success, but reads do not find the object for a while.
    Invisible,
    /// Success, but the answer names something else.
    WrongId,
    /// The effect happened, and no answer ever comes.
    DropResponse,
    /// The call never arrives, and no answer comes.
    DropRequest,
}

impl FaultKind {
    /// The word in manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Throttle => "throttle",
            Self::Refuse => "refuse",
            Self::Partial => "partial",
            Self::EffectThen500 => "effect_then_500",
            Self::OkNoEffect => "200_no_effect",
            Self::Invisible => "invisible",
            Self::WrongId => "wrong_id",
            Self::DropResponse => "drop_response",
            Self::DropRequest => "drop_request",
        }
    }
}

/// What [`Config::chaos_percent`] draws from: everything that a second look heals.
pub const CHAOS: [FaultKind; 8] = [
    FaultKind::Throttle,
    FaultKind::Partial,
    FaultKind::EffectThen500,
    FaultKind::OkNoEffect,
    FaultKind::Invisible,
    FaultKind::WrongId,
    FaultKind::DropResponse,
    FaultKind::DropRequest,
];

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// In which calls; in `create` without it.
    #[serde(default)]
    pub verb: Option<Verb>,
    /// For which object; for all without it.
    #[serde(default)]
    pub object: Option<String>,
    /// How many times for each object and verb. Without it once, and `refuse` always.
    #[serde(default)]
    pub times: Option<u32>,
    /// `invisible`: how many reads do not find the object.
    #[serde(default)]
    pub reads: Option<u32>,
    /// What the cloud says.
    #[serde(default)]
    pub message: Option<String>,
}

/// The manifest's `config`, with what the inputs override.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Manifest {
    objects: Vec<String>,
    seed: u64,
    latency_ms: u64,
    timeout_ms: u64,
    faults: Vec<Fault>,
    chaos_percent: u8,
    scenarios: BTreeMap<String, Vec<Fault>>,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            objects: vec!["network".to_owned(), "disk".to_owned(), "server".to_owned()],
            seed: 0,
            latency_ms: 0,
            timeout_ms: 2_000,
            faults: Vec::new(),
            chaos_percent: 0,
            scenarios: BTreeMap::new(),
        }
    }
}

/// The inputs that steer the simulation.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Inputs {
    scenario: Option<String>,
    seed: Option<u64>,
    latency_ms: Option<u64>,
    timeout_ms: Option<u64>,
    faults: Option<Vec<Fault>>,
    chaos_percent: Option<u8>,
    objects: Option<usize>,
}

/// What is to be there, and how the cloud behaves meanwhile.
#[derive(Debug, Clone)]
pub struct Config {
    /// The objects, in the order in which they are made.
    pub objects: Vec<String>,
    /// What the objects are like: the inputs that do not steer, as canonical JSON.
    pub spec: String,
    /// How long each call takes.
    pub latency: Duration,
    /// How long an answer is waited for.
    pub timeout: Duration,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// How many calls of a hundred go wrong by chance, repeatably by [`Config::seed`].
    pub chaos_percent: u8,
    /// Where the chance begins.
    pub seed: u64,
}

/// Reads the job's config and inputs.
pub fn read(job: &Job) -> Result<Config, ProviderError> {
    let wrong = |what: &str, error: &dyn std::fmt::Display| {
        ProviderError::failed(format!("the {what} cannot be used by the simulated cloud: {error}"))
    };
    let manifest = match &job.config {
        Value::Null => Manifest::default(),
        config => Manifest::deserialize(config).map_err(|error| wrong("template's config", &error))?,
    };
    let inputs = Inputs::deserialize(Value::Object(job.inputs.clone())).map_err(|error| wrong("inputs", &error))?;
    let mut faults = inputs.faults.unwrap_or(manifest.faults);
    if let Some(name) = &inputs.scenario {
        let scenario = manifest.scenarios.get(name);
        faults.extend(scenario.cloned().ok_or_else(|| wrong("inputs", &format!("there is no scenario “{name}”")))?);
    }
    let objects = match inputs.objects {
        Some(count) if count <= MOST_OBJECTS => (1..=count).map(|number| format!("object-{number}")).collect(),
        Some(_) => return Err(wrong("inputs", &format!("at most {MOST_OBJECTS} objects"))),
        None => manifest.objects,
    };
    let plain: Map<String, Value> = job
        .inputs
        .iter()
        .filter(|(name, _)| !CONTROLS.contains(&name.as_str()) && !job.secret_inputs.contains(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Ok(Config {
        objects,
        spec: canonical_json(&Value::Object(plain)),
        latency: Duration::from_millis(inputs.latency_ms.unwrap_or(manifest.latency_ms).min(LONGEST_MS)),
        timeout: Duration::from_millis(inputs.timeout_ms.unwrap_or(manifest.timeout_ms).min(LONGEST_MS)),
        faults,
        chaos_percent: inputs.chaos_percent.unwrap_or(manifest.chaos_percent).min(90),
        seed: inputs.seed.unwrap_or(manifest.seed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_fault_has_one_word() {
        for kind in CHAOS.into_iter().chain([FaultKind::Refuse]) {
            assert_eq!(json!(kind), kind.name());
        }
    }

    #[test]
    fn faults_are_read_from_the_manifest() {
        let manifest: Manifest = serde_json::from_value(json!({
            "objects": ["disk"], "seed": 3, "latency_ms": 40,
            "faults": [{"kind": "200_no_effect", "verb": "delete"}, {"kind": "invisible", "reads": 4}],
            "scenarios": {"full": [{"kind": "refuse", "object": "disk", "message": "no room"}]},
        }))
        .unwrap();
        assert_eq!(manifest.faults[0].kind, FaultKind::OkNoEffect);
        assert_eq!(manifest.faults[1].reads, Some(4));
        assert_eq!(manifest.scenarios["full"][0].message.as_deref(), Some("no room"));
        for bad in [json!({"faults": [{"kind": "explode"}]}), json!({"surprise": 1})] {
            assert!(serde_json::from_value::<Manifest>(bad).is_err());
        }
    }
}
