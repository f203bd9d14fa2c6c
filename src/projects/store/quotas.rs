//! Quotas and reservations.

use sqlx::PgConnection;

use crate::base::id::{EnvironmentId, ProjectEnvironmentTypeId, QuotaId};
use crate::db::Result;
use crate::projects::QuotaUse;

pub async fn list(connection: &mut PgConnection, place: ProjectEnvironmentTypeId) -> Result<Vec<QuotaUse>> {
    Ok(sqlx::query_as!(
        QuotaUse,
        r#"SELECT id AS "id: _", dimension, maximum, used, reserved
           FROM quota WHERE project_environment_type_id = $1 ORDER BY id"#,
        place.0
    )
    .fetch_all(connection)
    .await?)
}

pub async fn of_places(
    connection: &mut PgConnection,
    places: &[ProjectEnvironmentTypeId],
) -> Result<Vec<(ProjectEnvironmentTypeId, QuotaUse)>> {
    let places: Vec<uuid::Uuid> = places.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"SELECT project_environment_type_id AS "place: ProjectEnvironmentTypeId", id AS "id: QuotaId", dimension,
               maximum, used, reserved
           FROM quota WHERE project_environment_type_id = ANY ($1) ORDER BY id"#,
        &places
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let (maximum, used, reserved) = (row.maximum, row.used, row.reserved);
            (row.place, QuotaUse { id: row.id, dimension: row.dimension, maximum, used, reserved })
        })
        .collect())
}

pub async fn ensure(
    connection: &mut PgConnection,
    id: QuotaId,
    place: ProjectEnvironmentTypeId,
    dimension: &str,
    maximum: i64,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO quota (id, project_environment_type_id, dimension, maximum) VALUES ($1, $2, $3, $4)
         ON CONFLICT (project_environment_type_id, dimension) DO NOTHING",
        id.0,
        place.0,
        dimension,
        maximum
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Reserves `amount` for the environment when it fits. False: no room.
pub async fn take(
    connection: &mut PgConnection,
    environment: EnvironmentId,
    quota: QuotaId,
    amount: i64,
) -> Result<bool> {
    let result = sqlx::query!(
        "WITH taken AS (
             UPDATE quota SET reserved = reserved + $3 WHERE id = $2 AND used + reserved + $3 <= maximum RETURNING id)
         INSERT INTO quota_reservation (environment_id, quota_id, amount, state)
         SELECT $1, id, $3, 'reserved' FROM taken",
        environment.0,
        quota.0,
        amount
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

pub async fn use_up(connection: &mut PgConnection, environment: EnvironmentId) -> Result<()> {
    sqlx::query!(
        "WITH moved AS (
             UPDATE quota_reservation SET state = 'used' WHERE environment_id = $1 AND state = 'reserved'
             RETURNING quota_id, amount)
         UPDATE quota SET used = used + amount, reserved = reserved - amount FROM moved WHERE quota.id = quota_id",
        environment.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn release(connection: &mut PgConnection, environment: EnvironmentId) -> Result<()> {
    // The old state decides which counter goes down: read it under the row's lock.
    sqlx::query!(
        "WITH held AS (
             SELECT quota_id, amount, state FROM quota_reservation
             WHERE environment_id = $1 AND state <> 'released' FOR UPDATE),
         moved AS (
             UPDATE quota_reservation AS r SET state = 'released' FROM held
             WHERE r.environment_id = $1 AND r.quota_id = held.quota_id)
         UPDATE quota SET
             used = used - CASE held.state WHEN 'used' THEN amount ELSE 0 END,
             reserved = reserved - CASE held.state WHEN 'reserved' THEN amount ELSE 0 END
         FROM held WHERE quota.id = held.quota_id",
        environment.0
    )
    .execute(connection)
    .await?;
    Ok(())
}
