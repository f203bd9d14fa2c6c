//! Whether environments are still as their last run left them.
//!
//! A check is a run of its own kind that writes nothing at the target. Each environment at rest is
//! checked once per period, at a moment of its own, by the database's clock; people may ask in between.
//! A check gives way: an operation ends one that waits, and one that is at work stops by itself.
//! Invariants: a check never changes the environment's state; what could not be looked at is not called
//! drift; what people accepted is not told again as long as it is found like that.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;

use super::service::{about, load, priority};
use super::store::drift as store;
use super::{Environment, Error, State, drift_kind_of};
use crate::audit::{self, Entry, Outcome};
use crate::base::id::{EnvironmentId, RunId};
use crate::base::{Digest, Op};
use crate::catalog;
use crate::db::{Db, Tx};
use crate::orchestrator::{self, NewRun, RunPlace};
use crate::policy::{Permit, ability};
use crate::providers::{Difference, Drift};

/// How much one look of the reconciler asks for at most; the next look does the rest.
const BATCH: i64 = 50;
/// When an environment whose turn it is, and that somebody works on, has its turn again.
const LATER: Duration = Duration::from_mins(10);
/// The longest reason, in characters.
const LONGEST_REASON: usize = 2000;
/// How many differences a record of the audit log names.
const MOST_NAMED: usize = 20;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum DriftResult {
    /// It could look.
    Looked,
    /// Nobody can look: the provider has no way to, or the template declares none.
    CannotTell,
    /// It failed.
    Failed,
}

/// The last check that came to an end.
#[derive(Debug, Clone)]
pub struct Checked {
    /// When.
    pub at: Timestamp,
    /// How.
    pub result: DriftResult,
    /// Why it could not look.
    pub reason: Option<String>,
    /// Its run.
    pub run: Option<RunId>,
}

/// A difference that somebody accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The difference.
    pub difference: Difference,
    /// Who, by the login of that time.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// What is known of an environment.
#[derive(Debug, Clone, Default)]
pub struct DriftReport {
    /// When it is looked at next by itself.
    pub due_at: Option<Timestamp>,
    /// The last check.
    pub checked: Option<Checked>,
    /// What differs and nobody accepted, by the last check that could look.
    pub differences: Vec<Difference>,
    /// Since when something differs; `None`: it is not drifted, as far as anybody knows.
    pub since: Option<Timestamp>,
    /// What people accepted.
    pub accepted: Vec<Accepted>,
}

impl DriftReport {
    /// What somebody has seen when they accept.
    pub fn digest(&self) -> Digest {
        Digest::of_json(&json!(self.differences))
    }
}

/// What is known of an environment.
pub async fn find(connection: &mut PgConnection, id: EnvironmentId) -> Result<DriftReport, Error> {
    Ok(store::find(connection, id).await?.unwrap_or_default())
}

/// Somebody asks for a check now. One that is under way already is theirs as well.
pub async fn check(tx: &mut Tx, op: &Op, permit: &Permit<ability::CheckDrift>) -> Result<RunId, Error> {
    let id: EnvironmentId = permit.resource().parse().map_err(|_| Error::NotFound)?;
    let environment = load(tx, id).await?;
    let kind = drift_kind_of(&environment.template.provider);
    if let Some(run) = orchestrator::open_run(tx, id.0, &kind).await? {
        return Ok(run);
    }
    let run = begin(tx, op, &environment).await?;
    audit::append(tx, op, about(&environment, "drift.asked").run(run)).await?;
    Ok(run)
}

/// Asks for the checks that are due. Returns how many. A period of zero asks for none.
pub async fn check_due(db: &Db, op: &Op, period: Duration) -> Result<usize, Error> {
    if period.is_zero() {
        return Ok(0);
    }
    let mut connection = db.acquire().await?;
    store::spread(&mut connection, period.as_secs_f64()).await?;
    let due = store::due(&mut connection, BATCH).await?;
    let ids: Vec<_> = due.iter().map(|id| id.0).collect();
    let busy = orchestrator::open_subjects(&mut connection, &ids).await?;
    drop(connection);
    let mut asked = 0;
    for id in due {
        let mut tx = db.begin().await?;
        let rests = !busy.contains(&id.0);
        let next = if rests { period } else { period.min(LATER) };
        let environment = load(&mut tx, id).await?;
        if store::take(&mut tx, id, next.as_secs_f64()).await? && rests && is_at_rest(environment.state) {
            begin(&mut tx, op, &environment).await?;
            asked += 1;
        }
        tx.commit().await?;
    }
    Ok(asked)
}

/// Whether a check of it makes sense.
pub(super) fn is_at_rest(state: State) -> bool {
    matches!(state, State::Ready | State::Stopped)
}

async fn begin(tx: &mut Tx, op: &Op, environment: &Environment) -> Result<RunId, Error> {
    if !is_at_rest(environment.state) {
        return Err(Error::WrongState(environment.state, "only one that is ready or stopped is checked for drift"));
    }
    let run = NewRun {
        id: RunId::new(op.clock(), op.entropy()),
        kind: drift_kind_of(&environment.template.provider),
        subject: environment.id.0,
        request: None,
        project: environment.project.id,
        label: format!("Check {} for drift", environment.name),
        priority: priority(op),
        // No place: a freeze of changes does not keep anybody from looking.
        place: RunPlace {
            provider: environment.template.provider.clone(),
            target: environment.target.map(|target| target.0),
            place: None,
            labels: catalog::worker_labels(tx, environment.template.version_id).await?,
        },
    };
    orchestrator::enqueue(tx, &run).await?;
    Ok(run.id)
}

/// Somebody says that what differs shall be so. `seen` is the digest of what they saw.
pub async fn accept(
    tx: &mut Tx,
    op: &Op,
    permit: &Permit<ability::AcceptDrift>,
    seen: &str,
    reason: &str,
) -> Result<(), Error> {
    let id: EnvironmentId = permit.resource().parse().map_err(|_| Error::NotFound)?;
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
        return Err(Error::NoReason);
    }
    let environment = load(tx, id).await?;
    let report = find(tx, id).await?;
    if report.since.is_none() {
        return Err(Error::NotDrifted);
    }
    if report.digest().to_string() != seen {
        return Err(Error::Stale);
    }
    let (by, at) = (op.actor.to_string(), op.now());
    let one = |difference: &Difference| Accepted {
        difference: difference.clone(),
        by: by.clone(),
        at,
        reason: reason.to_owned(),
    };
    let accepted: Vec<Accepted> = report.accepted.into_iter().chain(report.differences.iter().map(one)).collect();
    store::accept(tx, id, &accepted).await?;
    let detail = json!({"reason": reason, "differences": named(&report.differences)});
    audit::append(tx, op, about(&environment, "drift.accepted").detail(detail)).await?;
    Ok(())
}

/// A check ended. Returns what the audit log is told: what is new, and what is over.
pub(super) async fn settle(
    tx: &mut Tx,
    environment: &Environment,
    run: RunId,
    found: Result<Drift, String>,
) -> crate::db::Result<Vec<Entry>> {
    let id = environment.id;
    let before = store::find(tx, id).await?.unwrap_or_default();
    let entry = |action, detail| about(environment, action).run(run).detail(detail);
    let (result, reason) = match found {
        Ok(Drift::Looked { differences }) => {
            let (told, accepted) = sorted(differences, before.accepted);
            store::looked(tx, id, Some(run), &told, &accepted).await?;
            let detail = json!({"differences": named(&told), "count": told.len()});
            return Ok(if told.is_empty() && before.since.is_some() {
                vec![entry("drift.ended", detail)]
            } else if told.is_empty() || told == before.differences {
                Vec::new()
            } else {
                vec![entry("drift.found", detail)]
            });
        }
        Ok(Drift::CannotTell { reason }) => (DriftResult::CannotTell, reason),
        Err(error) => (DriftResult::Failed, error),
    };
    store::not_looked(tx, id, run, result, &reason).await?;
    // What is known already is not told each day.
    let known = before.checked.is_some_and(|last| last.result == result && last.reason.as_deref() == Some(&reason));
    if known || result == DriftResult::CannotTell {
        return Ok(Vec::new());
    }
    Ok(vec![entry("drift.failed", json!({"error": reason})).outcome(Outcome::Failed)])
}

/// What is told, and what stays accepted: only what is found exactly like that.
fn sorted(found: Vec<Difference>, mut accepted: Vec<Accepted>) -> (Vec<Difference>, Vec<Accepted>) {
    accepted.retain(|one| found.contains(&one.difference));
    let told = found.into_iter().filter(|one| !accepted.iter().any(|known| known.difference == *one)).collect();
    (told, accepted)
}

/// `database: missing`
fn named(differences: &[Difference]) -> Vec<String> {
    let name = |one: &Difference| format!("{}: {}", one.address, one.kind.as_str());
    differences.iter().take(MOST_NAMED).map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::DifferenceKind;

    #[test]
    fn what_was_accepted_is_told_again_once_it_changes() {
        let difference = |words: &str| Difference::new("role", DifferenceKind::Changed, words);
        let accepted = |words: &str| Accepted {
            difference: difference(words),
            by: "lead".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            reason: "it is so".to_owned(),
        };
        let (told, kept) = sorted(vec![difference("a"), difference("b")], vec![accepted("a"), accepted("gone")]);
        assert_eq!((told, kept), (vec![difference("b")], vec![accepted("a")]));
        let printed = Difference { print: Some("2".to_owned()), ..difference("a") };
        let (told, kept) = sorted(vec![printed.clone()], vec![accepted("a")]);
        assert_eq!((told, kept), (vec![printed], Vec::new()), "the same words of something else");
    }
}
