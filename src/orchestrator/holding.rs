//! What holds runs back: freezes, circuits that opened, and workers that are told to take no more.

use jiff::Timestamp;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Error;
use super::store::{circuits, freezes, workers};
use crate::audit::{self, Entry, Object};
use crate::base::id::{CircuitId, FreezeId};
use crate::base::{FieldError, Op};
use crate::db::{Result, Tx};

/// The longest reason.
const LONGEST: usize = 500;

/// A time in which runs are held.
#[derive(Debug, Clone)]
pub struct Freeze {
    /// Its id.
    pub id: FreezeId,
    /// The project environment type; none: the whole platform.
    pub place: Option<Uuid>,
    /// Where, for people: `payments prod`, or `the whole platform`.
    pub scope: String,
    /// Why, in words.
    pub reason: String,
    /// From when on.
    pub starts_at: Timestamp,
    /// Until when; none: until it is lifted.
    pub ends_at: Option<Timestamp>,
    /// Whether it holds runs now, by the database's clock.
    pub in_force: bool,
    /// Who set it.
    pub set_by: String,
}

/// A freeze to be set.
#[derive(Debug, Clone, Default)]
pub struct NewFreeze {
    /// The project environment type; none: the whole platform.
    pub place: Option<Uuid>,
    /// Why, in words.
    pub reason: String,
    /// From when on; none: now.
    pub starts_at: Option<Timestamp>,
    /// Until when; none: until it is lifted.
    pub ends_at: Option<Timestamp>,
}

/// A circuit breaker that opened: several environments in a row met an error there that may pass. Runs
/// wait; one at a time tries, and when it succeeds, the others go on.
#[derive(Debug, Clone)]
pub struct Circuit {
    /// Its id.
    pub id: CircuitId,
    /// Where, for people: `the target eu-small`, `the provider simulated`.
    pub of: String,
    /// The provider.
    pub provider: String,
    /// The target, where the provider has one.
    pub target: Option<Uuid>,
    /// How many environments met an error since a run last succeeded.
    pub environments: i32,
    /// What the last one said.
    pub error: String,
    /// From when on a run may try.
    pub until: Timestamp,
}

/// A worker, as it last said.
#[derive(Debug, Clone)]
pub struct WorkerState {
    /// Its name.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// What it has.
    pub labels: Vec<String>,
    /// The kinds of runs that it knows.
    pub kinds: Vec<String>,
    /// How many runs at once.
    pub slots: i32,
    /// How many it holds.
    pub busy: i64,
    /// The limits that it keeps, per provider.
    pub provider_limits: serde_json::Value,
    /// It takes no more: it stops, or was told to.
    pub draining: bool,
    /// A person told it to take no more.
    pub drain_requested: bool,
    /// Not heard of for longer than a lease.
    pub silent: bool,
    /// When it started.
    pub started_at: Timestamp,
    /// When it was last heard of.
    pub seen_at: Timestamp,
}

/// Freezes that hold runs now or will.
pub async fn freezes(connection: &mut PgConnection) -> Result<Vec<Freeze>> {
    freezes::list(connection).await
}

/// Sets a freeze. The caller has the permit to.
pub async fn freeze(tx: &mut Tx, op: &Op, new: &NewFreeze) -> Result<FreezeId, Error> {
    let new = NewFreeze { reason: new.reason.trim().to_owned(), ..new.clone() };
    let mut wrong = Vec::new();
    if new.reason.is_empty() {
        wrong.push(FieldError::new("/reason", "say why: people see it beside every run that waits"));
    } else if new.reason.chars().count() > LONGEST {
        wrong.push(FieldError::new("/reason", "must be at most 500 characters long"));
    }
    let starts_at = new.starts_at.unwrap_or_else(|| op.now());
    if new.ends_at.is_some_and(|end| end <= starts_at || end <= op.now()) {
        wrong.push(FieldError::new("/ends_at", "must be later than its beginning, and not past"));
    }
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }
    let id = FreezeId::new(op.clock(), op.entropy());
    let set = freezes::insert(tx, id, &new, &op.actor.to_string()).await.map_err(|error| {
        if error.is_constraint("freeze_window_place_id_fkey") {
            Error::Invalid(vec![FieldError::new("/place", "there is no such environment type of a project")])
        } else {
            Error::Db(error)
        }
    });
    set?;
    let freeze = freezes::find(tx, id).await?.ok_or(Error::NotFound)?;
    let detail = json!({"reason": freeze.reason, "starts_at": freeze.starts_at, "ends_at": freeze.ends_at});
    audit::append(tx, op, Entry::new("freeze.set", Object::new("freeze", id.0, freeze.scope)).detail(detail)).await?;
    Ok(id)
}

/// Lifts a freeze before its end. The caller has the permit to.
pub async fn lift_freeze(tx: &mut Tx, op: &Op, id: FreezeId) -> Result<(), Error> {
    let freeze = freezes::find(tx, id).await?.ok_or(Error::NoFreeze)?;
    if !freezes::lift(tx, id, &op.actor.to_string()).await? {
        return Err(Error::NoFreeze);
    }
    let detail = json!({"reason": freeze.reason});
    audit::append(tx, op, Entry::new("freeze.lifted", Object::new("freeze", id.0, freeze.scope)).detail(detail))
        .await?;
    Ok(())
}

/// Circuits that are open, the newest first.
pub async fn circuits(connection: &mut PgConnection) -> Result<Vec<Circuit>> {
    circuits::list(connection).await
}

/// Closes a circuit, so that all runs go on at once. The caller has the permit to.
pub async fn close_circuit(tx: &mut Tx, op: &Op, id: CircuitId) -> Result<(), Error> {
    let circuit = circuits::list(tx).await?.into_iter().find(|one| one.id == id).ok_or(Error::NoCircuit)?;
    if !circuits::close(tx, id).await? {
        return Err(Error::NoCircuit);
    }
    let detail = json!({"error": circuit.error, "environments": circuit.environments});
    audit::append(tx, op, Entry::new("circuit.closed", Object::new("circuit", id.0, circuit.of)).detail(detail))
        .await?;
    Ok(())
}

/// The workers that were heard of within the hour, those that work first.
pub async fn workers(connection: &mut PgConnection) -> Result<Vec<WorkerState>> {
    workers::list(connection).await
}

/// Tells a worker to take no more runs, or (`drain` false) to take runs again. It holds from its
/// next claim on; what it runs goes on. The caller has the permit to.
pub async fn drain_worker(tx: &mut Tx, op: &Op, name: &str, drain: bool) -> Result<(), Error> {
    if !workers::request_drain(tx, name, drain).await? {
        return Err(Error::NoWorker);
    }
    let action = if drain { "worker.drained" } else { "worker.resumed" };
    let object = Object { kind: "worker", id: None, label: name.to_owned() };
    audit::append(tx, op, Entry::new(action, object)).await?;
    Ok(())
}
