//! Rows of the line before quotas.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::base::id::{EnvironmentId, QuotaId, RequestId};
use crate::db::Result;
use crate::projects::quota::model::{Balance, EntryKind, Full, Move};

/// A place at the end, and what is wanted.
pub async fn insert(
    connection: &mut PgConnection,
    request: RequestId,
    environment: EnvironmentId,
    moves: &[Move],
) -> Result<()> {
    sqlx::query!("INSERT INTO quota_line (request_id, environment_id) VALUES ($1, $2)", request.0, environment.0)
        .execute(&mut *connection)
        .await?;
    let dimensions: Vec<String> = moves.iter().map(|one| one.dimension.clone()).collect();
    let each = |part: fn(&Balance) -> i64| -> Vec<i64> { moves.iter().map(|one| part(&one.by)).collect() };
    sqlx::query!(
        "INSERT INTO quota_line_want (request_id, dimension, reserved, stopped)
         SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[])",
        request.0,
        &dimensions,
        &each(|by| by.reserved),
        &each(|by| by.stopped)
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What is wanted.
pub async fn wants(connection: &mut PgConnection, request: RequestId) -> Result<Vec<Move>> {
    let rows =
        sqlx::query!("SELECT dimension, reserved, stopped FROM quota_line_want WHERE request_id = $1", request.0)
            .fetch_all(connection)
            .await?;
    let want = |(dimension, reserved, stopped)| Move {
        dimension,
        kind: EntryKind::Reserve,
        by: Balance { reserved, used: 0, stopped },
    };
    Ok(rows.into_iter().map(|row| want((row.dimension, row.reserved, row.stopped))).collect())
}

/// Stands before these, too.
pub async fn stand(connection: &mut PgConnection, request: RequestId, full: &[&Full]) -> Result<()> {
    let (quotas, subjects) = keys(full);
    sqlx::query!(
        "INSERT INTO quota_line_stand (quota_id, subject, place, request_id)
         SELECT f.quota_id, f.subject, l.place, l.request_id FROM quota_line l
         CROSS JOIN unnest($2::uuid[], $3::uuid[]) f (quota_id, subject)
         WHERE l.request_id = $1 ON CONFLICT DO NOTHING",
        request.0,
        &quotas,
        &subjects
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// No longer before counters that do not count its environment any more.
pub async fn step_out(connection: &mut PgConnection, request: RequestId, environment: EnvironmentId) -> Result<()> {
    sqlx::query!(
        "DELETE FROM quota_line_stand s WHERE s.request_id = $1 AND NOT EXISTS (
             SELECT FROM quota_reach r
             WHERE r.environment_id = $2 AND r.quota_id = s.quota_id AND r.subject = s.subject)",
        request.0,
        environment.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Before what it stands.
pub async fn stands(connection: &mut PgConnection, request: RequestId) -> Result<Vec<(QuotaId, Uuid)>> {
    let rows = sqlx::query!(
        r#"SELECT quota_id AS "quota: QuotaId", subject FROM quota_line_stand WHERE request_id = $1"#,
        request.0
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.quota, row.subject)).collect())
}

/// Takes it out of the line.
pub async fn delete(connection: &mut PgConnection, request: RequestId) -> Result<()> {
    sqlx::query!("DELETE FROM quota_line WHERE request_id = $1", request.0).execute(connection).await?;
    Ok(())
}

/// How many wait before each of these counters, with a place before that of `asks` where that one is in line.
pub async fn ahead(
    connection: &mut PgConnection,
    quotas: &[Uuid],
    subjects: &[Uuid],
    asks: Option<RequestId>,
) -> Result<BTreeMap<(QuotaId, Uuid), i64>> {
    let rows = sqlx::query!(
        r#"SELECT quota_id AS "quota: QuotaId", subject, count(*) AS "count!" FROM quota_line_stand
           WHERE (quota_id, subject) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))
             AND place < coalesce((SELECT place FROM quota_line WHERE request_id = $3), 9223372036854775807)
           GROUP BY quota_id, subject"#,
        quotas,
        subjects,
        asks.map(|id| id.0)
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| ((row.quota, row.subject), row.count)).collect())
}

/// How many requests wait before one of these.
pub async fn waiting_before(connection: &mut PgConnection, full: &[&Full]) -> Result<i64> {
    let (quotas, subjects) = keys(full);
    Ok(sqlx::query_scalar!(
        r#"SELECT count(DISTINCT s.request_id) AS "count!" FROM quota_line_stand s
           JOIN unnest($1::uuid[], $2::uuid[]) f (quota_id, subject)
             ON f.quota_id = s.quota_id AND f.subject = s.subject"#,
        &quotas,
        &subjects
    )
    .fetch_one(connection)
    .await?)
}

/// Those for whom there is something to do, in the order of the line.
pub async fn next(connection: &mut PgConnection, limit: i64) -> Result<Vec<RequestId>> {
    Ok(sqlx::query_scalar!(
        r#"WITH met AS (
             SELECT l.request_id, l.place, q.maximum, q.when_full = 'wait' AS lets_wait,
                 s.request_id IS NOT NULL AS stands,
                 w.reserved + CASE WHEN q.count_stopped THEN w.stopped ELSE 0 END AS wanted,
                 coalesce(h.used + h.reserved + CASE WHEN q.count_stopped THEN h.stopped ELSE 0 END, 0) AS own,
                 coalesce(c.used + c.reserved + CASE WHEN q.count_stopped THEN c.stopped ELSE 0 END, 0) AS taken,
                 EXISTS (SELECT FROM quota_line_stand o
                         WHERE o.quota_id = q.id AND o.subject = r.subject AND o.place < l.place) AS behind
             FROM quota_line l
             JOIN quota_line_want w ON w.request_id = l.request_id
             JOIN quota_reach r ON r.environment_id = l.environment_id AND r.dimension = w.dimension
             JOIN quota q ON q.id = r.quota_id
             LEFT JOIN quota_counter c ON c.quota_id = q.id AND c.subject = r.subject
             LEFT JOIN quota_holding h ON h.environment_id = l.environment_id AND h.dimension = w.dimension
             LEFT JOIN quota_line_stand s
               ON s.request_id = l.request_id AND s.quota_id = q.id AND s.subject = r.subject),
         judged AS (
             SELECT *, wanted + own > maximum AS never, behind OR taken + wanted > maximum AS held_up
             FROM met WHERE wanted > 0)
         SELECT l.request_id AS "id!: RequestId" FROM quota_line l LEFT JOIN judged j USING (request_id)
         GROUP BY l.request_id, l.place
         HAVING NOT coalesce(bool_or(held_up AND stands), false)
             OR bool_or(never) OR bool_or(held_up AND NOT stands AND lets_wait)
             OR EXISTS (SELECT FROM quota_line_stand s WHERE s.request_id = l.request_id AND NOT EXISTS (
                 SELECT FROM quota_reach r WHERE r.environment_id = l.environment_id AND r.quota_id = s.quota_id
                     AND r.subject = s.subject))
         ORDER BY l.place LIMIT $1"#,
        limit
    )
    .fetch_all(connection)
    .await?)
}

fn keys(full: &[&Full]) -> (Vec<Uuid>, Vec<Uuid>) {
    full.iter().map(|one| (one.quota.id.0, one.quota.subject)).unzip()
}
