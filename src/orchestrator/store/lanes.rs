//! Lanes: the runs of one subject, of which only the head can be claimed. Triggers keep them
//! (`migrations/0003_lanes.sql`); here is what looks after them.

use sqlx::PgConnection;

use crate::db::Result;

/// Puts lanes right that stand still: those whose next run was locked when it would have been
/// promoted, by somebody who then did not cancel it. Returns how many.
pub async fn promote_waiting(connection: &mut PgConnection) -> Result<i64> {
    Ok(sqlx::query_scalar!("SELECT promote_waiting() AS \"count!\"").fetch_one(connection).await?)
}

/// Lanes with work but without exactly one head. The invariant monitor expects none.
pub async fn without_head(connection: &mut PgConnection) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        "SELECT count(*) AS \"count!\" FROM (
             SELECT subject_id FROM run WHERE state IN ('queued', 'running') OR head GROUP BY subject_id
             HAVING count(*) FILTER (WHERE head) <> 1 OR bool_or(head AND state NOT IN ('queued', 'running'))) AS bad"
    )
    .fetch_one(connection)
    .await?)
}
