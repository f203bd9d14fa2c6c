//! The line of those who wait for room.
//!
//! A request has one place, given under the locks of the counters that had no room for it, and stands before each of
//! these until it is let in; before others only from when they have no room for it either. So nobody who comes later
//! takes what it waits for, and a quota that has room for everybody holds nobody up. It takes nothing while it waits.

use sqlx::PgConnection;

use super::ledger::{changes_by, dimensions, reserving, starting};
use super::model::{Demand, Full, Move, QuotaChange, WhenFull};
use crate::base::id::{EnvironmentId, RequestId};
use crate::db::{self, Tx};
use crate::projects::store::{lines, quotas as store};

/// Waits for room for what the environment is to take beyond what it holds.
pub async fn line_up(tx: &mut Tx, environment: EnvironmentId, request: RequestId, demand: &Demand) -> db::Result<()> {
    let held = store::lock_holdings(tx, environment).await?;
    join(tx, environment, request, reserving(&held, demand)).await
}

/// Waits for room for what a stopped environment takes when it runs.
pub async fn line_up_start(tx: &mut Tx, environment: EnvironmentId, request: RequestId) -> db::Result<()> {
    let held = store::lock_holdings(tx, environment).await?;
    join(tx, environment, request, starting(&held)).await
}

async fn join(tx: &mut Tx, environment: EnvironmentId, request: RequestId, mut moves: Vec<Move>) -> db::Result<()> {
    moves.retain(|one| !one.by.is_zero());
    store::hold_quotas(tx, false).await?;
    let scopes = store::scopes_of(tx, environment).await?;
    let quotas = store::lock(tx, &scopes, &dimensions(&moves), None).await?;
    lines::insert(tx, request, environment, &moves).await?;
    let held = store::holdings(tx, environment).await?;
    stand(tx, request, &changes_by(quotas, &moves, &held)).await
}

/// It waits on, also before what has no room for it by now, and no longer before what does not count it any more.
pub async fn stay_in_line(tx: &mut Tx, environment: EnvironmentId, request: RequestId) -> db::Result<()> {
    store::hold_quotas(tx, false).await?;
    let scopes = store::scopes_of(tx, environment).await?;
    let moves = lines::wants(tx, request).await?;
    let quotas = store::lock(tx, &scopes, &dimensions(&moves), Some(request)).await?;
    lines::step_out(tx, request, environment).await?;
    let held = store::holdings(tx, environment).await?;
    stand(tx, request, &changes_by(quotas, &moves, &held)).await
}

/// Stands before each of these that has no room and lets wait. The counters are locked.
async fn stand(tx: &mut Tx, request: RequestId, changes: &[QuotaChange]) -> db::Result<()> {
    let full: Vec<Full> = changes.iter().filter_map(QuotaChange::full).collect();
    let lets_wait: Vec<&Full> = full.iter().filter(|one| one.quota.when_full == WhenFull::Wait).collect();
    lines::stand(tx, request, &lets_wait).await
}

/// Waits no longer, because it has taken what it wants or does not want it any more.
pub async fn leave_line(tx: &mut Tx, request: RequestId) -> db::Result<()> {
    // Whoever removes a quota takes those away who stand before it.
    store::hold_quotas(tx, false).await?;
    lines::delete(tx, request).await
}

/// Those of the line for whom there is something to do, the first ones first: nothing that they stand before holds
/// them up any more, they could never fit, or they must stand before something else as well.
pub async fn next_in_line(connection: &mut PgConnection, limit: i64) -> db::Result<Vec<RequestId>> {
    lines::next(connection, limit).await
}

/// Those of these before which it stands.
pub async fn stands_in(connection: &mut PgConnection, request: RequestId, full: &[Full]) -> db::Result<Vec<Full>> {
    let before = lines::stands(connection, request).await?;
    Ok(full.iter().filter(|one| before.contains(&(one.quota.id, one.quota.subject))).cloned().collect())
}

/// The number that somebody gets who lines up before these.
pub async fn place_behind(connection: &mut PgConnection, full: &[Full]) -> db::Result<i64> {
    let full: Vec<&Full> = full.iter().collect();
    Ok(lines::waiting_before(connection, &full).await?.saturating_add(1))
}

/// Each quota that somebody in line counts in, with what they want of it.
pub async fn preview_waiting(
    connection: &mut PgConnection,
    environment: EnvironmentId,
    request: RequestId,
) -> db::Result<Vec<QuotaChange>> {
    let moves = lines::wants(connection, request).await?;
    let scopes = store::scopes_of(connection, environment).await?;
    let quotas = store::over(connection, &scopes, &dimensions(&moves), Some(request)).await?;
    let held = store::holdings(connection, environment).await?;
    Ok(changes_by(quotas, &moves, &held))
}
