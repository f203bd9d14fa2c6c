//! Rows of `orphan` and `target_inventory`.

use jiff_sqlx::{Timestamp, ToSqlx};
use sqlx::PgConnection;

use crate::base::cursor::{Cursor, MAX_PAGE};
use crate::base::id::{EnvironmentId, OrphanId, RunId, TargetId};
use crate::db::Result;
use crate::environments::State;
use crate::environments::orphans::{InventoryResult, Looked, Orphan, OrphanState};
use crate::providers::Marked;

struct Row {
    id: OrphanId,
    target_id: TargetId,
    target: String,
    provider: String,
    r#type: String,
    provider_id: String,
    address: Option<String>,
    environment_id: Option<EnvironmentId>,
    environment: Option<String>,
    environment_state: Option<State>,
    there_since: Option<Timestamp>,
    cost: Option<String>,
    found_at: Timestamp,
    seen_at: Timestamp,
    run_id: Option<RunId>,
    error: Option<String>,
    state: OrphanState,
}

impl From<Row> for Orphan {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            target: row.target_id,
            target_slug: row.target,
            provider: row.provider,
            thing: Marked {
                r#type: row.r#type,
                id: row.provider_id,
                address: row.address,
                environment: row.environment_id,
                since: row.there_since.map(Timestamp::to_jiff),
                cost: row.cost,
                is_resource: true,
            },
            environment: row.environment.zip(row.environment_state),
            found_at: row.found_at.to_jiff(),
            seen_at: row.seen_at.to_jiff(),
            run: row.run_id,
            error: row.error,
            state: row.state,
        }
    }
}

macro_rules! orphans {
    ($tail:tt, $($argument:expr),*) => {
        sqlx::query_as!(
            Row,
            r#"SELECT o.id AS "id: _", o.target_id AS "target_id: _", t.slug AS target, t.provider, o.type AS "type",
                   o.provider_id, o.address, o.environment_id AS "environment_id: _",
                   (SELECT e.name FROM environment e WHERE e.id = o.environment_id) AS environment,
                   (SELECT e.state FROM environment e WHERE e.id = o.environment_id) AS "environment_state: _",
                   o.there_since, o.cost, o.found_at, o.seen_at, o.run_id AS "run_id: _", o.error,
                   o.state AS "state: _"
               FROM orphan o JOIN target t ON t.id = o.target_id "#
                + $tail,
            $($argument),*
        )
    };
}

/// Those that nothing became of yet, newest first; one more than `limit` at least, if there are so many.
pub async fn list(connection: &mut PgConnection, after: Option<Cursor>, limit: i64) -> Result<Vec<Orphan>> {
    let rows = orphans!(
        "WHERE o.closed_at IS NULL AND ($1::timestamptz IS NULL OR (o.found_at, o.id) < ($1, $2))
         ORDER BY o.found_at DESC, o.id DESC LIMIT $3",
        after.map(|cursor| cursor.at.to_sqlx()) as Option<Timestamp>,
        after.map(|cursor| cursor.id),
        limit.clamp(1, MAX_PAGE) + 1
    );
    Ok(rows.fetch_all(connection).await?.into_iter().map(Into::into).collect())
}

pub async fn find(connection: &mut PgConnection, id: OrphanId) -> Result<Option<Orphan>> {
    let row = orphans!("WHERE o.id = $1", id.0).fetch_optional(connection).await?;
    Ok(row.map(Into::into))
}

/// The row, locked until the transaction ends.
pub async fn lock(connection: &mut PgConnection, id: OrphanId) -> Result<Option<Orphan>> {
    sqlx::query!("SELECT id FROM orphan WHERE id = $1 FOR UPDATE", id.0).fetch_optional(&mut *connection).await?;
    find(connection, id).await
}

/// How many there are.
pub async fn count(connection: &mut PgConnection) -> Result<i64> {
    Ok(sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM orphan WHERE closed_at IS NULL"#)
        .fetch_one(connection)
        .await?)
}

/// Found again, or for the first time: true. What two targets lead to, two names of one server perhaps,
/// is listed once: by its environment's own target, else by the one that had it first.
pub async fn found(connection: &mut PgConnection, id: OrphanId, target: TargetId, thing: &Marked) -> Result<bool> {
    let environment = thing.environment.map(|id| id.0);
    sqlx::query!(
        "UPDATE orphan o SET target_id = $1
         FROM target mine, target other
         WHERE mine.id = $1 AND other.id = o.target_id AND other.id <> mine.id AND other.provider = mine.provider
           AND o.closed_at IS NULL AND o.state = 'found'
           AND (o.type, o.provider_id, o.environment_id) = ($2, $3, $4::uuid)
           AND EXISTS (SELECT FROM environment e WHERE e.id = $4 AND e.target_id = $1)
           AND NOT EXISTS (SELECT FROM orphan own WHERE own.target_id = $1 AND own.closed_at IS NULL
                           AND (own.type, own.provider_id) = ($2, $3))",
        target.0,
        thing.r#type,
        thing.id,
        environment
    )
    .execute(&mut *connection)
    .await?;
    let fresh = sqlx::query_scalar!(
        r#"INSERT INTO orphan (id, target_id, type, provider_id, address, environment_id, there_since, cost)
           SELECT $1, $2, $3, $4, $5, $6, $7, $8
           WHERE NOT EXISTS (
               SELECT FROM orphan o JOIN target other ON other.id = o.target_id
                   JOIN target mine ON mine.id = $2 AND mine.id <> other.id AND mine.provider = other.provider
               WHERE o.closed_at IS NULL AND (o.type, o.provider_id, o.environment_id) = ($3, $4, $6::uuid)
                 AND (o.state <> 'found'
                      OR NOT EXISTS (SELECT FROM environment e WHERE e.id = $6 AND e.target_id = $2)))
           ON CONFLICT (target_id, type, provider_id) WHERE closed_at IS NULL
           DO UPDATE SET seen_at = now(), cost = excluded.cost, there_since = excluded.there_since,
               environment_id = excluded.environment_id, address = excluded.address
           RETURNING id = $1 AS "fresh!""#,
        id.0,
        target.0,
        thing.r#type,
        thing.id,
        thing.address,
        environment,
        thing.since.map(ToSqlx::to_sqlx) as Option<Timestamp>,
        thing.cost
    )
    .fetch_optional(connection)
    .await?;
    Ok(fresh == Some(true))
}

/// Those of the target that were not seen since this transaction began: they are gone, or somebody's.
pub async fn not_seen(connection: &mut PgConnection, target: TargetId) -> Result<Vec<Orphan>> {
    let rows = orphans!("WHERE o.target_id = $1 AND o.state = 'found' AND o.seen_at < now()", target.0);
    Ok(rows.fetch_all(connection).await?.into_iter().map(Into::into).collect())
}

/// Moves it on. False: it is not in `from` any more.
pub async fn move_to(
    connection: &mut PgConnection,
    id: OrphanId,
    from: OrphanState,
    to: OrphanState,
    run: Option<RunId>,
    error: Option<&str>,
) -> Result<bool> {
    let result = sqlx::query!(
        "UPDATE orphan SET state = $3, run_id = coalesce($4, run_id), error = $5,
             closed_at = CASE WHEN $3 IN ('destroyed', 'adopted', 'gone') THEN now() END
         WHERE id = $1 AND state = $2",
        id.0,
        from as OrphanState,
        to as OrphanState,
        run.map(|run| run.0),
        error
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Which of these things live environments own: by a record of the resource, or because the
/// environment is being worked on or waits for a person, or was still there when the look began.
pub async fn owned(connection: &mut PgConnection, things: &[Marked], began: jiff::Timestamp) -> Result<Vec<bool>> {
    let environments: Vec<Option<uuid::Uuid>> = things.iter().map(|one| one.environment.map(|id| id.0)).collect();
    let ids: Vec<String> = things.iter().map(|one| one.id.clone()).collect();
    let types: Vec<String> = things.iter().map(|one| one.r#type.clone()).collect();
    let resources: Vec<bool> = things.iter().map(|one| one.is_resource).collect();
    let owned = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM environment e WHERE e.id = thing.environment_id
                 AND (e.deleted_at IS NULL OR e.deleted_at >= $5)
                 AND (e.state NOT IN ('ready', 'stopped') OR NOT thing.is_resource OR e.ready_at >= $5
                      OR EXISTS (SELECT FROM environment_resource r WHERE r.environment_id = e.id
                                 AND r.provider_id = thing.id AND r.type = thing.type))) AS "owned!"
           FROM unnest($1::uuid[], $2::text[], $3::text[], $4::boolean[]) WITH ORDINALITY
               AS thing (environment_id, id, type, is_resource, n) ORDER BY n"#,
        &environments as &[Option<uuid::Uuid>],
        &ids,
        &types,
        &resources,
        began.to_sqlx() as Timestamp
    )
    .fetch_all(connection)
    .await?;
    Ok(owned)
}

/// The environment has the resource again. False: it has one of that address already.
pub async fn record(
    connection: &mut PgConnection,
    environment: EnvironmentId,
    address: &str,
    thing: &Marked,
) -> Result<bool> {
    let result = sqlx::query!(
        "INSERT INTO environment_resource (environment_id, address, type, provider_id) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
        environment.0,
        address,
        thing.r#type,
        thing.id
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Targets that are connected and have no moment yet get one now; those of a longer period get another.
pub async fn schedule(connection: &mut PgConnection, period: f64) -> Result<()> {
    sqlx::query!(
        "INSERT INTO target_inventory (target_id)
             SELECT id FROM target WHERE disconnected_at IS NULL ON CONFLICT DO NOTHING"
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "UPDATE target_inventory SET due_at = now() + make_interval(secs => $1)
         WHERE due_at > now() + make_interval(secs => $1)",
        period
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes the moment of one connected target whose turn it is; the next is after `period` seconds. With
/// it the database's time, before which nothing that is listed then was begun.
pub async fn take(connection: &mut PgConnection, period: f64) -> Result<Option<(TargetId, jiff::Timestamp)>> {
    let row = sqlx::query!(
        r#"UPDATE target_inventory SET due_at = now() + make_interval(secs => $1)
           WHERE target_id = (
               SELECT i.target_id FROM target_inventory i JOIN target t ON t.id = i.target_id
               WHERE i.due_at <= now() AND t.disconnected_at IS NULL ORDER BY i.due_at LIMIT 1
               FOR UPDATE OF i SKIP LOCKED)
           RETURNING target_id AS "target_id: TargetId", now() AS "began!: Timestamp""#,
        period
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| (row.target_id, row.began.to_jiff())))
}

/// Every target is looked over as soon as somebody can.
pub async fn hurry(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("UPDATE target_inventory SET due_at = least(due_at, now())").execute(connection).await?;
    Ok(())
}

pub async fn looked(
    connection: &mut PgConnection,
    target: TargetId,
    result: InventoryResult,
    reason: Option<&str>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE target_inventory SET looked_at = now(), result = $2, reason = $3 WHERE target_id = $1",
        target.0,
        result as InventoryResult,
        reason
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// How the last look at each connected target ended.
pub async fn looks(connection: &mut PgConnection) -> Result<Vec<Looked>> {
    let rows = sqlx::query!(
        r#"SELECT t.slug, i.looked_at AS "looked_at?: Timestamp", i.result AS "result?: InventoryResult", i.reason AS "reason?",
               i.due_at AS "due_at?: Timestamp"
           FROM target t LEFT JOIN target_inventory i ON i.target_id = t.id
           WHERE t.disconnected_at IS NULL ORDER BY t.slug LIMIT 500"#
    )
    .fetch_all(connection)
    .await?;
    let looked = rows.into_iter().map(|row| Looked {
        target: row.slug,
        at: row.looked_at.map(Timestamp::to_jiff),
        result: row.result,
        reason: row.reason,
        due_at: row.due_at.map(Timestamp::to_jiff),
    });
    Ok(looked.collect())
}
