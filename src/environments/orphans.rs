//! Orphans: what carries Paddock's mark at a target and belongs to no live environment.
//!
//! A reconciler looks each target over once per period and compares what it lists with the
//! environments. Invariants: what is listed and not owned stands in the list (I11); nothing is removed
//! but by a person's word with a reason, through a run; what a person adopts is a resource of its
//! environment from then on. What another hand removed leaves the list by itself.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::service::load;
use super::store::orphans as store;
use super::{Error, State, orphan_kind_of};
use crate::audit::{self, Entry, Object, Outcome};
use crate::base::Op;
use crate::base::cursor::{Cursor, Page};
use crate::base::id::{OrphanId, ProjectId, RunId, TargetId};
use crate::db::Tx;
use crate::orchestrator::{self, NewRun, RunPlace};
use crate::policy::{Permit, ability};
use crate::providers::{Inventory, Marked};

/// The longest reason, in characters.
const LONGEST_REASON: usize = 2000;

/// What became of an orphan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum OrphanState {
    /// Nothing yet: it waits for a person.
    Found,
    /// A run removes it.
    Destroying,
    /// A run removed it.
    Destroyed,
    /// It belongs to its environment again.
    Adopted,
    /// It was not there any more, or an environment has it.
    Gone,
}

impl OrphanState {
    /// The word in SQL and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Destroying => "destroying",
            Self::Destroyed => "destroyed",
            Self::Adopted => "adopted",
            Self::Gone => "gone",
        }
    }
}

/// How a look at a target ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum InventoryResult {
    /// Everything with our mark is known.
    Listed,
    /// The provider has no way to list it.
    CannotTell,
    /// It failed.
    Failed,
}

/// An orphan.
#[derive(Debug, Clone)]
pub struct Orphan {
    /// Its id.
    pub id: OrphanId,
    /// Where it is.
    pub target: TargetId,
    /// That target's slug.
    pub target_slug: String,
    /// That target's provider.
    pub provider: String,
    /// What it is.
    pub thing: Marked,
    /// The environment that its mark names, where this Paddock knows it: name and state.
    pub environment: Option<(String, State)>,
    /// When it was found first.
    pub found_at: Timestamp,
    /// When it was seen last.
    pub seen_at: Timestamp,
    /// The run that removes it, or tried to.
    pub run: Option<RunId>,
    /// Why that could not.
    pub error: Option<String>,
    /// What became of it.
    pub state: OrphanState,
}

impl Orphan {
    /// Whether its environment can have it back.
    pub fn can_be_adopted(&self) -> bool {
        let lives = |state: &State| !matches!(state, State::Deleting | State::Deleted);
        self.state == OrphanState::Found && self.environment.as_ref().is_some_and(|(_, state)| lives(state))
    }

    /// `postgres_database payments_orders_a1b2`
    pub fn label(&self) -> String {
        format!("{} {}", self.thing.r#type, self.thing.id)
    }
}

/// The last look at a target.
#[derive(Debug, Clone)]
pub struct Looked {
    /// The target's slug.
    pub target: String,
    /// When.
    pub at: Option<Timestamp>,
    /// How it ended.
    pub result: Option<InventoryResult>,
    /// Why it could not tell, or why it failed.
    pub reason: Option<String>,
    /// When it is looked over next.
    pub due_at: Option<Timestamp>,
}

/// Orphans that wait for a person or are being removed, newest first.
pub async fn list(connection: &mut PgConnection, after: Option<Cursor>, limit: i64) -> Result<Page<Orphan>, Error> {
    let rows = store::list(connection, after, limit).await?;
    Ok(Page::cut(rows, limit, |orphan| Cursor { at: orphan.found_at, id: orphan.id.0 }))
}

/// How many there are.
pub async fn count(connection: &mut PgConnection) -> Result<i64, Error> {
    Ok(store::count(connection).await?)
}

/// The orphan with this id.
pub async fn get(connection: &mut PgConnection, id: OrphanId) -> Result<Orphan, Error> {
    store::find(connection, id).await?.ok_or(Error::NoOrphan)
}

/// How the last look at each target ended.
pub async fn looks(connection: &mut PgConnection) -> Result<Vec<Looked>, Error> {
    Ok(store::looks(connection).await?)
}

/// Lets every target be looked over soon.
pub async fn hurry(tx: &mut Tx, _: &Permit<ability::ManageOrphans>) -> Result<(), Error> {
    Ok(store::hurry(tx).await?)
}

/// Takes the turn of one target that is due, by the database's clock.
pub async fn take_turn(
    connection: &mut PgConnection,
    period: std::time::Duration,
) -> Result<Option<(TargetId, Timestamp)>, Error> {
    store::schedule(connection, period.as_secs_f64()).await?;
    Ok(store::take(connection, period.as_secs_f64()).await?)
}

/// A target was looked over since `began`. Returns how many orphans are new.
pub async fn settle(
    tx: &mut Tx,
    op: &Op,
    target: TargetId,
    began: Timestamp,
    found: Result<Inventory, String>,
) -> Result<usize, Error> {
    let things = match found {
        Ok(Inventory::Listed(things)) => things,
        Ok(Inventory::CannotTell(reason)) => {
            store::looked(tx, target, InventoryResult::CannotTell, Some(&reason)).await?;
            return Ok(0);
        }
        Err(reason) => {
            store::looked(tx, target, InventoryResult::Failed, Some(&reason)).await?;
            return Ok(0);
        }
    };
    store::looked(tx, target, InventoryResult::Listed, None).await?;
    let owned = store::owned(tx, &things, began).await?;
    let environments: Vec<Uuid> = things.iter().filter_map(|one| one.environment).map(|id| id.0).collect();
    let busy = orchestrator::open_subjects(tx, &environments).await?;
    let mut fresh = 0;
    for (thing, owned) in things.iter().zip(owned) {
        if owned || thing.environment.is_some_and(|id| busy.contains(&id.0)) {
            continue;
        }
        let id = OrphanId::new(op.clock(), op.entropy());
        if store::found(tx, id, target, thing).await? {
            let orphan = get(tx, id).await?;
            let detail = json!({"target": orphan.target_slug, "environment": thing.environment});
            audit::append(tx, op, about(&orphan, "orphan.found").detail(detail)).await?;
            fresh += 1;
        }
    }
    for orphan in store::not_seen(tx, target).await? {
        close(tx, op, &orphan, OrphanState::Gone, "orphan.gone", "").await?;
    }
    Ok(fresh)
}

/// The environment that the mark names has it again.
pub async fn adopt(
    tx: &mut Tx,
    op: &Op,
    _: &Permit<ability::ManageOrphans>,
    id: OrphanId,
    reason: &str,
) -> Result<(), Error> {
    let reason = checked(reason)?;
    let orphan = store::lock(tx, id).await?.ok_or(Error::NoOrphan)?;
    if orphan.state != OrphanState::Found {
        return Err(Error::OrphanState("something became of it already"));
    }
    let environment = orphan.thing.environment.filter(|_| orphan.can_be_adopted());
    let environment = environment.ok_or(Error::OrphanState("its environment does not live here: destroy it"))?;
    let environment = load(tx, environment).await?;
    if environment.target != Some(orphan.target) {
        return Err(Error::OrphanState("its environment is on another target: destroy it"));
    }
    let thing = &orphan.thing;
    let address = thing.address.as_deref().unwrap_or(&thing.id);
    if !store::record(tx, environment.id, address, thing).await? {
        store::record(tx, environment.id, &format!("{address} {}", thing.id), thing).await?;
    }
    close(tx, op, &orphan, OrphanState::Adopted, "orphan.adopted", reason).await
}

/// A run removes it.
pub async fn destroy(
    tx: &mut Tx,
    op: &Op,
    _: &Permit<ability::ManageOrphans>,
    id: OrphanId,
    reason: &str,
) -> Result<RunId, Error> {
    let reason = checked(reason)?;
    let orphan = store::lock(tx, id).await?.ok_or(Error::NoOrphan)?;
    let run = NewRun {
        id: RunId::new(op.clock(), op.entropy()),
        kind: orphan_kind_of(&orphan.provider),
        subject: orphan.id.0,
        request: None,
        // It belongs to nobody.
        project: ProjectId(Uuid::nil()),
        label: format!("Destroy {}", orphan.label()),
        priority: super::service::priority(op),
        place: RunPlace {
            provider: orphan.provider.clone(),
            target: Some(orphan.target.0),
            place: None,
            labels: Vec::new(),
        },
    };
    let (from, to) = (OrphanState::Found, OrphanState::Destroying);
    if !store::move_to(tx, id, from, to, Some(run.id), None).await? {
        return Err(Error::OrphanState("something became of it already"));
    }
    orchestrator::enqueue(tx, &run).await?;
    let detail = json!({"reason": reason, "target": orphan.target_slug});
    audit::append(tx, op, about(&orphan, "orphan.destroying").run(run.id).detail(detail)).await?;
    Ok(run.id)
}

/// The run that removes it ended.
pub(super) async fn destroyed(
    tx: &mut Tx,
    orphan: &Orphan,
    run: RunId,
    error: Option<&str>,
) -> crate::db::Result<Vec<Entry>> {
    let to = if error.is_some() { OrphanState::Found } else { OrphanState::Destroyed };
    if !store::move_to(tx, orphan.id, OrphanState::Destroying, to, None, error).await? {
        return Ok(Vec::new());
    }
    let entry = about(orphan, "orphan.destroyed").run(run);
    Ok(vec![match error {
        Some(error) => entry.outcome(Outcome::Failed).detail(json!({"error": error})),
        None => entry,
    }])
}

async fn close(
    tx: &mut Tx,
    op: &Op,
    orphan: &Orphan,
    to: OrphanState,
    action: &'static str,
    reason: &str,
) -> Result<(), Error> {
    if !store::move_to(tx, orphan.id, orphan.state, to, None, None).await? {
        return Err(Error::Stale);
    }
    let detail = json!({"reason": reason, "target": orphan.target_slug, "environment": orphan.thing.environment});
    audit::append(tx, op, about(orphan, action).detail(detail)).await?;
    Ok(())
}

fn checked(reason: &str) -> Result<&str, Error> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON { Err(Error::NoReason) } else { Ok(reason) }
}

fn about(orphan: &Orphan, action: &'static str) -> Entry {
    Entry::new(action, Object::new("orphan", orphan.id.0, orphan.label()))
}
