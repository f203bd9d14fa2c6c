//! The ledger of quotas: reserve at submit, use when ready, release at the end.

use super::store::quotas;
use super::{Error, QuotaUse};
use crate::base::id::{EnvironmentId, ProjectEnvironmentTypeId};
use crate::db::Tx;

/// What a new environment takes of each dimension. One environment counts one.
fn demand(quota: &QuotaUse) -> i64 {
    match quota.dimension.as_str() {
        "environments" => 1,
        _ => 0,
    }
}

/// Reserves what a new environment takes; none of it when one dimension has no room.
///
/// Each counter moves by one UPDATE that checks the limit, in the order of the quotas' ids: two
/// submits wait for one another at the row and never dead-lock.
pub async fn reserve(tx: &mut Tx, place: ProjectEnvironmentTypeId, environment: EnvironmentId) -> Result<(), Error> {
    for quota in quotas::list(tx, place).await? {
        let amount = demand(&quota);
        if !quotas::take(tx, environment, quota.id, amount).await? {
            let now = quotas::list(tx, place).await?.into_iter().find(|other| other.id == quota.id);
            return Err(Error::QuotaFull(now.unwrap_or(quota)));
        }
    }
    Ok(())
}

/// Whether a new environment would fit at the moment: each quota with what would be added.
pub async fn preview(
    connection: &mut sqlx::PgConnection,
    place: ProjectEnvironmentTypeId,
) -> Result<Vec<(QuotaUse, i64)>, Error> {
    let quotas = quotas::list(connection, place).await?;
    Ok(quotas.into_iter().map(|quota| (quota.clone(), demand(&quota))).collect())
}

/// Turns an environment's reservations into use, once it exists.
pub async fn use_up(tx: &mut Tx, environment: EnvironmentId) -> crate::db::Result<()> {
    quotas::use_up(tx, environment).await
}

/// Gives back everything that an environment holds. Repeating it changes nothing.
pub async fn release(tx: &mut Tx, environment: EnvironmentId) -> crate::db::Result<()> {
    quotas::release(tx, environment).await
}
