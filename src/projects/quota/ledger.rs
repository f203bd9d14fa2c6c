//! The ledger: what environments hold, moved by entries that are only ever added.
//!
//! Each entry moves the holding of its environment and the counters of every quota that the environment
//! counts in, in one transaction. Locks are taken in one order (holdings of the environment, then counters
//! by quota and subject), so that no two transactions wait for one another in a circle. A quota is made,
//! changed and removed under the exclusive side of [`store::hold_quotas`]: nobody moves a counter meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use super::model::{At, Balance, Cause, Demand, EntryKind, Holder, Move, QuotaChange, QuotaUse};
use crate::base::id::{EnvironmentId, RequestId};
use crate::db::{self, Tx};
use crate::projects::Error;
use crate::projects::store::quotas as store;

/// A new environment counts for its owner's teams from now on.
pub async fn enter(tx: &mut Tx, environment: EnvironmentId) -> db::Result<()> {
    store::set_teams(tx, environment).await
}

/// Reserves what the environment is to take beyond what it holds; none of it when one quota has no room.
pub async fn reserve(tx: &mut Tx, environment: EnvironmentId, demand: &Demand, cause: Cause) -> Result<(), Error> {
    let held = store::lock_holdings(tx, environment).await?;
    post(tx, environment, reserving(&held, demand), cause, Guard::Asks).await
}

/// The moves that reserve what the environment is to take beyond what it holds.
pub(super) fn reserving(held: &BTreeMap<String, Balance>, demand: &Demand) -> Vec<Move> {
    let reserve = |(dimension, more)| Move {
        dimension,
        kind: EntryKind::Reserve,
        by: Balance { reserved: more, ..Balance::default() },
    };
    growth(held, demand).into_iter().map(reserve).collect()
}

/// Reserves what a stopped environment takes when it runs.
pub async fn start(tx: &mut Tx, environment: EnvironmentId, cause: Cause) -> Result<(), Error> {
    let held = store::lock_holdings(tx, environment).await?;
    post(tx, environment, starting(&held), cause, Guard::Asks).await
}

/// The moves that reserve what a stopped environment takes when it runs.
pub(super) fn starting(held: &BTreeMap<String, Balance>) -> Vec<Move> {
    let start = |(dimension, held): (&String, &Balance)| Move {
        dimension: dimension.clone(),
        kind: EntryKind::Start,
        by: Balance { reserved: held.stopped, used: 0, stopped: -held.stopped },
    };
    held.iter().map(start).collect()
}

/// The environment runs: it uses what it takes, and nothing is reserved any more.
pub async fn settle(tx: &mut Tx, environment: EnvironmentId, demand: &Demand, cause: Cause) -> Result<(), Error> {
    let mut held = store::lock_holdings(tx, environment).await?;
    for dimension in demand.keys() {
        held.entry(dimension.clone()).or_default();
    }
    let moves = held.into_iter().map(|(dimension, held)| {
        let takes = demand.get(&dimension).copied().unwrap_or_default();
        let by = Balance { reserved: -held.reserved, used: takes - held.used, stopped: -held.stopped };
        Move { dimension, kind: EntryKind::Settle, by }
    });
    post(tx, environment, moves.collect(), cause, Guard::Tells).await
}

/// The environment is stopped: what it holds is that of a stopped one.
pub async fn stop(tx: &mut Tx, environment: EnvironmentId, cause: Cause) -> Result<(), Error> {
    let held = store::lock_holdings(tx, environment).await?;
    let moves = held.into_iter().map(|(dimension, held)| Move {
        dimension,
        kind: EntryKind::Stop,
        by: Balance { reserved: -held.reserved, used: -held.used, stopped: held.reserved.saturating_add(held.used) },
    });
    post(tx, environment, moves.collect(), cause, Guard::Tells).await
}

/// Gives back everything that an environment holds. Repeating it changes nothing.
pub async fn release(tx: &mut Tx, environment: EnvironmentId, cause: Cause) -> Result<(), Error> {
    let held = store::lock_holdings(tx, environment).await?;
    let moves = held.into_iter().map(|(dimension, held)| Move {
        dimension,
        kind: EntryKind::Release,
        by: Balance { reserved: -held.reserved, used: -held.used, stopped: -held.stopped },
    });
    post(tx, environment, moves.collect(), cause, Guard::Tells).await
}

/// Gives back what this request reserved and does not use: it is not carried out.
pub async fn give_back(tx: &mut Tx, environment: EnvironmentId, request: RequestId) -> Result<(), Error> {
    let held = store::lock_holdings(tx, environment).await?;
    let moves = store::moved_by(tx, environment, request).await?.into_iter().map(|(dimension, moved)| {
        let reserved = held.get(&dimension).copied().unwrap_or_default().reserved.min(moved.reserved);
        // What a start took from the stopped part goes back there.
        let stopped = reserved.min(-moved.stopped).max(0);
        Move { dimension, kind: EntryKind::Release, by: Balance { reserved: -reserved, used: 0, stopped } }
    });
    post(tx, environment, moves.collect(), Cause::request(request), Guard::Tells).await
}

/// Its owner has changed: it counts for the new one and their teams. Nobody is asked for room: what
/// exists is not touched by a quota.
pub async fn change_hands(tx: &mut Tx, environment: EnvironmentId) -> db::Result<()> {
    store::hold_quotas(tx, true).await?;
    store::set_teams(tx, environment).await?;
    for id in store::of_people(tx, environment).await? {
        store::recount(tx, id).await?;
    }
    Ok(())
}

/// Each quota that the demand of a new environment counts in, with what would be added.
pub async fn preview_new(connection: &mut PgConnection, at: At, demand: &Demand) -> db::Result<Vec<QuotaChange>> {
    let scopes = store::scopes_at(connection, at).await?;
    changes(connection, &scopes, &BTreeMap::new(), demand).await
}

/// The same for an environment that is there and would take `demand`.
pub async fn preview_change(
    connection: &mut PgConnection,
    environment: EnvironmentId,
    demand: &Demand,
) -> db::Result<Vec<QuotaChange>> {
    let scopes = store::scopes_of(connection, environment).await?;
    let held = store::holdings(connection, environment).await?;
    changes(connection, &scopes, &held, demand).await
}

/// The same for a stopped environment that would be started.
pub async fn preview_start(connection: &mut PgConnection, environment: EnvironmentId) -> db::Result<Vec<QuotaChange>> {
    let scopes = store::scopes_of(connection, environment).await?;
    let held = store::holdings(connection, environment).await?;
    let moves = starting(&held);
    let quotas = store::over(connection, &scopes, &dimensions(&moves), None).await?;
    Ok(changes_by(quotas, &moves, &held))
}

/// The quotas that this request has reserved something of, as they are, with that in them.
pub async fn reserved_by(
    connection: &mut PgConnection,
    environment: EnvironmentId,
    request: RequestId,
) -> db::Result<Vec<QuotaChange>> {
    let moved = store::moved_by(connection, environment, request).await?;
    let scopes = store::scopes_of(connection, environment).await?;
    let dimensions: Vec<String> = moved.keys().cloned().collect();
    let quotas = store::over(connection, &scopes, &dimensions, None).await?;
    let adds = |quota: &QuotaUse| counted(quota, moved.get(&quota.dimension).copied().unwrap_or_default());
    Ok(quotas.into_iter().map(|quota| QuotaChange { adds: adds(&quota), own: 0, quota }).collect())
}

async fn changes(
    connection: &mut PgConnection,
    scopes: &store::Scopes,
    held: &BTreeMap<String, Balance>,
    demand: &Demand,
) -> db::Result<Vec<QuotaChange>> {
    let dimensions: BTreeSet<String> = demand.keys().chain(held.keys()).cloned().collect();
    let dimensions: Vec<String> = dimensions.into_iter().collect();
    let quotas = store::over(connection, scopes, &dimensions, None).await?;
    Ok(changes_by(quotas, &reserving(held, demand), held))
}

/// What these moves would add to each quota.
pub(super) fn changes_by(quotas: Vec<QuotaUse>, moves: &[Move], held: &BTreeMap<String, Balance>) -> Vec<QuotaChange> {
    let change = |quota: QuotaUse| {
        let by = moves.iter().find(|one| one.dimension == quota.dimension).map(|one| one.by).unwrap_or_default();
        let own = held.get(&quota.dimension).copied().unwrap_or_default();
        QuotaChange { adds: counted(&quota, by), own: counted(&quota, own), quota }
    };
    quotas.into_iter().map(change).collect()
}

pub(super) fn dimensions(moves: &[Move]) -> Vec<String> {
    moves.iter().map(|one| one.dimension.clone()).collect()
}

/// What is asked for beyond what is held. Less is given back when it is done, not before.
fn growth(held: &BTreeMap<String, Balance>, demand: &Demand) -> BTreeMap<String, i64> {
    let more = |(dimension, takes): (&String, &i64)| {
        let has = held.get(dimension).copied().unwrap_or_default().total();
        (takes > &has).then(|| (dimension.clone(), takes - has))
    };
    demand.iter().filter_map(more).collect()
}

/// The environments that take the most of a quota, those of `first` before the others.
pub async fn holders(
    connection: &mut PgConnection,
    quota: &QuotaUse,
    first: Option<crate::base::id::PersonId>,
) -> db::Result<Vec<Holder>> {
    store::holders(connection, quota, first).await
}

/// Whether a full quota refuses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guard {
    /// Somebody asks for more.
    Asks,
    /// It has happened.
    Tells,
}

async fn post(
    tx: &mut Tx,
    environment: EnvironmentId,
    mut moves: Vec<Move>,
    cause: Cause,
    guard: Guard,
) -> Result<(), Error> {
    moves.retain(|one| !one.by.is_zero());
    if moves.is_empty() {
        return Ok(());
    }
    store::hold_quotas(tx, false).await?;
    let scopes = store::scopes_of(tx, environment).await?;
    let quotas = store::lock(tx, &scopes, &dimensions(&moves), cause.request).await?;
    let by = |quota: &QuotaUse| {
        let found = moves.iter().find(|one| one.dimension == quota.dimension);
        found.map(|one| one.by).unwrap_or_default()
    };
    if guard == Guard::Asks {
        let any = changes_by(quotas.clone(), &moves, &BTreeMap::new()).iter().any(|one| one.full().is_some());
        if any {
            let held = store::holdings(tx, environment).await?;
            let full = changes_by(quotas, &moves, &held).iter().filter_map(QuotaChange::full).collect();
            return Err(Error::QuotaFull(full));
        }
    }
    let changes: Vec<(&QuotaUse, Balance)> = quotas.iter().map(|quota| (quota, by(quota))).collect();
    store::count(tx, &changes).await?;
    store::enter(tx, environment, &moves, cause).await?;
    Ok(())
}

/// By how much what counts against the quota moves.
fn counted(quota: &QuotaUse, by: Balance) -> i64 {
    let stopped = if quota.count_stopped { by.stopped } else { 0 };
    by.reserved.saturating_add(by.used).saturating_add(stopped)
}
