//! Rows of `circuit`. The claim holds what an open one holds and lets one try; the end of a run that
//! succeeded closes it (`claim.rs`).

use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::base::id::{CircuitId, RunId};
use crate::db::Result;
use crate::orchestrator::Circuit;

/// As many environments in a row open it.
pub const ENVIRONMENTS: i32 = 3;
/// How long it is open at first; twice as long each time that a try fails, and at most [`LONGEST`].
pub const FIRST: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(600);

/// Notes that a run met an error that may pass, and opens the circuit where it was the last that was
/// needed. True: it is open now, and was not just before.
pub async fn failed(connection: &mut PgConnection, id: CircuitId, run: RunId, error: &str) -> Result<bool> {
    let id = sqlx::query_scalar!(
        "INSERT INTO circuit AS c (id, provider, target_id, subjects, error)
         SELECT $1, provider, target_id, ARRAY[subject_id], $3 FROM run WHERE run.id = $2
         ON CONFLICT (provider, target_id) DO UPDATE SET error = excluded.error, failed_at = now(),
             subjects = CASE
                 WHEN c.opened = 0 AND c.failed_at < now() - make_interval(secs => $4) THEN excluded.subjects
                 WHEN c.subjects @> excluded.subjects OR cardinality(c.subjects) >= 100 THEN c.subjects
                 ELSE c.subjects || excluded.subjects END
         RETURNING id",
        id.0,
        run.0,
        error,
        LONGEST.as_secs_f64(),
    )
    .fetch_one(&mut *connection)
    .await?;
    let opened = sqlx::query!(
        "UPDATE circuit SET opened = opened + 1, trying = false,
             open_until = now() + make_interval(secs => least($3 * 2 ^ least(opened, 10), $4))
         WHERE id = $1 AND cardinality(subjects) >= $2 AND (opened = 0 OR trying)",
        id,
        ENVIRONMENTS,
        FIRST.as_secs_f64(),
        LONGEST.as_secs_f64(),
    )
    .execute(connection)
    .await?;
    Ok(opened.rows_affected() == 1)
}

struct CircuitRow {
    id: CircuitId,
    provider: String,
    target_id: Option<Uuid>,
    target: Option<String>,
    environments: i32,
    error: String,
    open_until: jiff_sqlx::Timestamp,
}

impl From<CircuitRow> for Circuit {
    fn from(row: CircuitRow) -> Self {
        Self {
            id: row.id,
            of: match row.target {
                Some(slug) => format!("the target {slug}"),
                None => format!("the provider {}", row.provider),
            },
            provider: row.provider,
            target: row.target_id,
            environments: row.environments,
            error: row.error,
            until: row.open_until.to_jiff(),
        }
    }
}

/// Those that are open, the newest first.
pub async fn list(connection: &mut PgConnection) -> Result<Vec<Circuit>> {
    let rows = sqlx::query_as!(
        CircuitRow,
        r#"SELECT c.id AS "id: _", c.provider, c.target_id, t.slug AS "target?", cardinality(c.subjects) AS "environments!",
               c.error, c.open_until AS "open_until!"
           FROM circuit AS c LEFT JOIN target AS t ON t.id = c.target_id
           WHERE c.open_until IS NOT NULL ORDER BY c.failed_at DESC, c.id LIMIT 200"#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// False: it is closed already.
pub async fn close(connection: &mut PgConnection, id: CircuitId) -> Result<bool> {
    let result = sqlx::query!("DELETE FROM circuit WHERE id = $1", id.0).execute(connection).await?;
    Ok(result.rows_affected() == 1)
}

/// Forgets those where nothing failed for an hour: nobody tried.
pub async fn forget_old(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("DELETE FROM circuit WHERE failed_at < now() - interval '1 hour'").execute(connection).await?;
    Ok(())
}
