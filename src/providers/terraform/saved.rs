//! A saved plan on its way from plan to apply, maybe on another machine.
//!
//! The artifact is one line of JSON, the dependency lock file, and the plan file as Terraform wrote
//! it. The line says what the plan was made for; whoever applies it compares. A plan that an
//! earlier attempt has begun cannot be applied again, since Terraform knows that the state has
//! moved on: then the rest is planned anew, and must be covered by what was approved.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::base::Digest;
use crate::base::id::{EnvironmentId, RunId};
use crate::providers::{Job, Plan, PlanAction, PlanChange, ProviderError};

/// A plan file and what belongs to it.
#[derive(Debug)]
pub struct SavedPlan {
    head: Head,
    /// The dependency lock file that `init` left, if there was one.
    pub lock: Option<Vec<u8>>,
    /// Terraform's own file.
    pub plan: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    format: u8,
    environment: EnvironmentId,
    run: RunId,
    attempt: i32,
    /// The digest of operation, inputs and files.
    work: String,
    /// The digest of the state.
    state: Option<String>,
    /// The length of the lock file.
    lock: Option<usize>,
}

/// What a saved plan means for this attempt.
#[derive(Debug, PartialEq, Eq)]
pub enum Fit {
    /// Nothing has changed: apply it as it is.
    Exact,
    /// An earlier attempt of the run that applies it may have done a part of it.
    Begun,
    /// It was made for something else: why, in words.
    Stale(&'static str),
}

impl SavedPlan {
    /// What plan leaves for apply.
    pub fn new(job: &Job, state: Option<&[u8]>, lock: Option<Vec<u8>>, plan: Vec<u8>) -> Self {
        let head = Head {
            format: 1,
            environment: job.environment,
            run: job.run,
            attempt: job.attempt,
            work: work(job),
            state: state.map(|state| Digest::of(state).to_string()),
            lock: lock.as_ref().map(Vec::len),
        };
        Self { head, lock, plan }
    }

    /// As [`Plan::artifact`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, ProviderError> {
        let mut bytes = serde_json::to_vec(&self.head).map_err(ProviderError::internal)?;
        bytes.push(b'\n');
        bytes.extend(self.lock.iter().flatten());
        bytes.extend(&self.plan);
        Ok(bytes)
    }

    /// From [`Plan::artifact`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProviderError> {
        Self::read(bytes).ok_or_else(|| ProviderError::failed("The saved plan cannot be read. Plan again."))
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let (line, rest) = bytes.split_at_checked(end)?;
        let rest = rest.get(1..)?;
        let head: Head = serde_json::from_slice(line).ok()?;
        if head.format != 1 {
            return None;
        }
        let (lock, plan) = rest.split_at_checked(head.lock.unwrap_or(0))?;
        let lock = head.lock.map(|_| lock.to_vec());
        Some(Self { lock, plan: plan.to_vec(), head })
    }

    /// Whether it can be applied by `job` to `state`.
    pub fn fit(&self, job: &Job, state: Option<&[u8]>) -> Fit {
        if self.head.environment != job.environment {
            Fit::Stale("it belongs to another environment")
        } else if self.head.work != work(job) {
            Fit::Stale("the template or the inputs have changed since it was made")
        } else if self.head.state == state.map(|state| Digest::of(state).to_string()) {
            Fit::Exact
        } else if job.attempt > if self.head.run == job.run { self.head.attempt } else { 1 } {
            Fit::Begun
        } else {
            Fit::Stale("the state has changed since it was made")
        }
    }
}

/// The refusal.
pub fn stale(why: &str) -> ProviderError {
    ProviderError::failed(format!("{}: {why}. Plan again.", Plan::STALE))
}

fn work(job: &Job) -> String {
    let files: Vec<Value> = job.files.iter().map(|file| json!([file.path, Digest::of(&file.content)])).collect();
    Digest::of_json(&json!({"operation": job.operation, "inputs": job.inputs, "files": files})).to_string()
}

/// The first change of `rest` that goes beyond `approved`. What an attempt left half made is
/// replaced, which is the rest of a creation.
pub fn beyond<'a>(rest: &'a Plan, approved: &Plan) -> Option<&'a PlanChange> {
    use PlanAction::{Change, Create, Destroy, Replace};
    let covered = |change: &PlanChange| {
        approved.changes.iter().filter(|was| was.address == change.address).any(|was| match was.action {
            Create => matches!(change.action, Create | Replace | Change),
            // An old object that is deposed but still there is destroyed.
            Replace => matches!(change.action, Create | Replace | Change | Destroy),
            Change => change.action == Change,
            Destroy => change.action == Destroy,
        })
    };
    rest.changes.iter().find(|change| !covered(change))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(changes: &[(&str, PlanAction)]) -> Plan {
        let change = |(address, action): &(&str, PlanAction)| PlanChange {
            address: (*address).to_owned(),
            action: *action,
            summary: String::new(),
        };
        Plan::of(changes.iter().map(change).collect())
    }

    #[test]
    fn the_rest_is_no_more_than_what_was_approved() {
        use PlanAction::{Change, Create, Destroy, Replace};
        let approved = plan(&[("a", Create), ("b", Change), ("c", Destroy), ("d", Replace)]);
        assert_eq!(beyond(&plan(&[]), &approved), None);
        assert_eq!(beyond(&plan(&[("a", Replace), ("b", Change), ("c", Destroy), ("d", Destroy)]), &approved), None);
        for more in [("e", Create), ("a", Destroy), ("b", Replace), ("c", Replace)] {
            let rest = plan(&[("d", Create), more]);
            assert_eq!(beyond(&rest, &approved).map(|change| change.address.as_str()), Some(more.0), "{more:?}");
        }
    }

    #[test]
    fn an_artifact_is_read_back_or_refused() {
        let head = Head {
            format: 1,
            environment: EnvironmentId(uuid::Uuid::from_u128(2)),
            run: RunId(uuid::Uuid::from_u128(1)),
            attempt: 1,
            work: "w".into(),
            state: None,
            lock: Some(3),
        };
        let saved = SavedPlan { head, lock: Some(b"a\nb".to_vec()), plan: b"PK\n\0".to_vec() };
        let bytes = saved.to_bytes().unwrap();
        let back = SavedPlan::from_bytes(&bytes).unwrap();
        assert_eq!((back.lock, back.plan), (saved.lock, saved.plan));
        for bad in [&b""[..], b"\n", b"{}\n", &bytes[..bytes.len() - 5]] {
            assert!(SavedPlan::from_bytes(bad).is_err());
        }
    }
}
