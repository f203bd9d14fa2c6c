//! What goes into a provider and what comes out.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::Report;
use crate::base::Digest;
use crate::base::id::{EnvironmentId, RunId};

/// A file of the template version.
#[derive(Debug, Clone)]
pub struct TemplateFile {
    /// Relative path with `/`, never leaving the folder.
    pub path: String,
    /// Whether the owner may execute it.
    pub executable: bool,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// Where things are made: settings of the target and its opened credential.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// The target's slug, for messages.
    pub slug: String,
    /// Settings without secrets, as the provider defines them.
    pub settings: Value,
    /// The credential, as the provider defines it.
    pub secret: Option<SecretString>,
    /// The one that is about to replace it, while nobody knows which of the two the target takes: tried
    /// when it refuses the other.
    pub next_secret: Option<SecretString>,
}

impl Target {
    /// Every text that tells something of the credential: the whole, the values of an object, the
    /// password of a URL. They are masked wherever something about the target is written down.
    pub fn secret_texts(&self) -> Vec<SecretString> {
        let mut found = Vec::new();
        for secret in [&self.secret, &self.next_secret].into_iter().flatten() {
            let text = secret.expose_secret();
            if let Ok(Value::Object(parts)) = serde_json::from_str(text) {
                found.extend(parts.values().filter_map(Value::as_str).map(SecretString::from));
            }
            if let Some(password) = url::Url::parse(text).ok().as_ref().and_then(url::Url::password) {
                found.push(SecretString::from(password));
            }
            found.push(secret.clone());
        }
        found
    }
}

/// Everything a provider needs for one run. Equal for every attempt, but for `attempt`.
#[derive(Debug, Clone)]
pub struct Job {
    /// The environment.
    pub environment: EnvironmentId,
    /// Its name, as people gave it.
    pub environment_name: String,
    /// The environment type's slug: dev, test, prod.
    pub environment_type: String,
    /// The project's slug.
    pub project: String,
    /// The run.
    pub run: RunId,
    /// When the run was first claimed, by the database's clock. Ids do not tell which run is later:
    /// they are made by the clocks of many machines.
    pub since: Timestamp,
    /// Which attempt this is: the fencing token.
    pub attempt: i32,
    /// The environment's generation; a new one with every change that a person asked for.
    pub generation: i64,
    /// `create`, `update`, `delete`, a power operation or `act`.
    pub operation: &'static str,
    /// What the template declares for a power operation or an action; none for the others.
    pub action: Option<JobAction>,
    /// Whether the environment is stopped, so that a look for drift compares with what that left.
    pub stopped: bool,
    /// The inputs, secret ones included.
    pub inputs: Map<String, Value>,
    /// Names of the inputs that are secret: their values are masked in logs.
    pub secret_inputs: Vec<String>,
    /// The manifest's settings for this provider.
    pub config: Value,
    /// The template's files.
    pub files: Arc<Vec<TemplateFile>>,
    /// The plan of this run, once it is made and passed its checks. Apply and destroy do exactly
    /// what its artifact says, or refuse.
    pub plan: Option<Arc<Plan>>,
    /// Where to make things, for providers that need a target.
    pub target: Option<Target>,
    /// Seals values that must be the same on every attempt, for example a generated password:
    /// 32 bytes that follow from the environment and the platform's key.
    pub seed: [u8; 32],
    /// Canceled when the run must stop.
    pub cancel: CancellationToken,
}

/// A power operation or an action, as the template declares it.
#[derive(Debug, Clone)]
pub struct JobAction {
    /// Its name: `stop`, `rotate-password`.
    pub name: String,
    /// What the provider is to do: a script, or the name of something that it can do.
    pub run: String,
    /// Whether it must not be repeated by itself after an attempt that did not see its end.
    pub once: bool,
    /// Its own inputs, secret ones included.
    pub inputs: Map<String, Value>,
}

impl Job {
    /// Orders the attempts of all runs of an environment: a later one is larger.
    pub fn turn(&self) -> Turn {
        Turn(self.since.as_microsecond(), self.attempt)
    }
}

/// The place of an attempt among all of its environment, over all runs: microseconds and attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn(pub i64, pub i32);

/// Which stream a log line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = LogStream)]
pub enum Stream {
    /// What a program printed.
    Stdout,
    /// What a program printed as errors.
    Stderr,
    /// What Paddock itself says.
    Paddock,
}

/// What a plan would do to one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanAction {
    /// Make it.
    Create,
    /// Change it in place.
    Change,
    /// Destroy it and make it again.
    Replace,
    /// Destroy it.
    Destroy,
}

/// One line of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanChange {
    /// The resource, as the provider names it.
    pub address: String,
    /// What would happen to it.
    pub action: PlanAction,
    /// What changes, in words.
    pub summary: String,
}

/// What an apply would do, and what it needs in order to do exactly that.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The changes; empty when nothing would happen.
    pub changes: Vec<PlanChange>,
    /// The plan in the provider's own form, from which apply works on any machine. It holds secrets:
    /// sealed wherever it is stored, never shown. `None` for providers that find out at apply.
    #[serde(default, with = "bytes", skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Vec<u8>>,
}

impl Plan {
    /// How an apply begins its refusal of a plan that the target or the template has left behind.
    pub const STALE: &'static str = "The plan is stale";

    /// A plan that is only told, not kept.
    pub fn of(changes: Vec<PlanChange>) -> Self {
        Self { changes, artifact: None }
    }

    /// What an approval binds to: the changes as shown, and the bytes that apply would run.
    pub fn digest(&self) -> Digest {
        let changes = serde_json::json!(self.changes);
        Digest::of_json(&serde_json::json!({"changes": changes, "artifact": self.artifact.as_deref().map(Digest::of)}))
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let artifact = self.artifact.as_ref().map(|bytes| format!("{} bytes", bytes.len()));
        f.debug_struct("Plan").field("changes", &self.changes).field("artifact", &artifact).finish()
    }
}

/// Bytes in JSON, as Base64.
mod bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[allow(clippy::ref_option, reason = "the signature that serde asks for")]
    pub fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => to.serialize_str(&STANDARD.encode(bytes)),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| STANDARD.decode(text)).transpose().map_err(D::Error::custom)
    }
}

/// How far a provider is with one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It began to work on it.
    Begun,
    /// It has done it.
    Done,
    /// It could not.
    Failed,
}

/// What a provider does to one resource, as it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The resource, as the provider names it.
    pub address: String,
    /// What is done to it, in the provider's word: `create`, `update`, `delete`.
    pub action: String,
    /// How far it is.
    pub phase: Phase,
    /// The id at the target, once it is known.
    pub provider_id: Option<String>,
}

/// What progress told of a resource that was to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The resource; its id is known once it is made.
    pub resource: Resource,
    /// Whether it was made. Otherwise the work on it was cut off, and it may exist or not.
    pub made: bool,
    /// The run that told it.
    pub run: RunId,
    /// And its attempt.
    pub attempt: i32,
}

/// An address at which somebody else can say how the work of a run goes.
#[derive(Debug, Clone)]
pub struct CallBack {
    /// The whole address; who has it may speak, so it is a secret.
    pub url: SecretString,
    /// When it ends, unless it is asked for again.
    pub expires_at: Timestamp,
}

/// What came in at such an address.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Heard {
    /// Reports on the way, by number.
    pub reports: Vec<(i64, Report)>,
    /// The last word.
    pub last: Option<Report>,
}

/// A value that the environment gives to its users.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Whether it is masked until revealed, and encrypted at rest.
    pub sensitive: bool,
    /// The value.
    pub value: Value,
}

/// Something that a run made, as the provider names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// The name inside the environment, unique there: `terraform_data.service`, `database`.
    pub address: String,
    /// The type: `terraform_data`, `postgres_database`.
    pub r#type: String,
    /// The id at the target, if it has one.
    pub provider_id: Option<String>,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.provider_id {
            Some(id) => write!(f, "{} ({id})", self.address),
            None => f.write_str(&self.address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_told_apart_by_what_it_shows_and_by_what_it_would_run() {
        let change =
            |summary: &str| PlanChange { address: "a".into(), action: PlanAction::Create, summary: summary.into() };
        let plan = Plan { changes: vec![change("x")], artifact: Some(b"secret".to_vec()) };
        assert_eq!(plan.digest(), plan.clone().digest());
        assert_ne!(plan.digest(), Plan { artifact: Some(b"other".to_vec()), ..plan.clone() }.digest());
        assert_ne!(plan.digest(), Plan { artifact: None, ..plan.clone() }.digest());
        assert_ne!(plan.digest(), Plan { changes: vec![change("y")], ..plan.clone() }.digest());
        assert!(!format!("{plan:?}").contains("115"), "no bytes in logs: {plan:?}");
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
        assert_eq!(serde_json::from_str::<Plan>(r#"{"changes": []}"#).unwrap(), Plan::default());
    }
}
