//! Rows of `freeze_window`.

use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::base::id::FreezeId;
use crate::db::Result;
use crate::orchestrator::{Freeze, NewFreeze};

struct FreezeRow {
    id: FreezeId,
    place_id: Option<Uuid>,
    scope: Option<String>,
    reason: String,
    starts_at: jiff_sqlx::Timestamp,
    ends_at: Option<jiff_sqlx::Timestamp>,
    in_force: bool,
    set_by: String,
}

impl From<FreezeRow> for Freeze {
    fn from(row: FreezeRow) -> Self {
        Self {
            id: row.id,
            place: row.place_id,
            scope: row.scope.unwrap_or_else(|| "the whole platform".to_owned()),
            reason: row.reason,
            starts_at: row.starts_at.to_jiff(),
            ends_at: row.ends_at.map(jiff_sqlx::Timestamp::to_jiff),
            in_force: row.in_force,
            set_by: row.set_by,
        }
    }
}

/// Freezes that are neither lifted nor over, the earliest first.
pub async fn list(connection: &mut PgConnection) -> Result<Vec<Freeze>> {
    rows(connection, None).await
}

pub async fn find(connection: &mut PgConnection, id: FreezeId) -> Result<Option<Freeze>> {
    Ok(rows(connection, Some(id)).await?.pop())
}

async fn rows(connection: &mut PgConnection, id: Option<FreezeId>) -> Result<Vec<Freeze>> {
    let rows = sqlx::query_as!(
        FreezeRow,
        r#"SELECT f.id AS "id: _", f.place_id, p.slug || ' ' || t.slug AS scope, f.reason, f.starts_at, f.ends_at,
               f.starts_at <= now() AS "in_force!", f.set_by
           FROM freeze_window AS f
           LEFT JOIN project_environment_type AS pet ON pet.id = f.place_id
           LEFT JOIN project AS p ON p.id = pet.project_id
           LEFT JOIN environment_type AS t ON t.id = pet.environment_type_id
           WHERE f.lifted_at IS NULL AND (f.ends_at IS NULL OR f.ends_at > now()) AND ($1::uuid IS NULL OR f.id = $1)
           ORDER BY f.starts_at, f.id LIMIT 200"#,
        id.map(|id| id.0)
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub async fn insert(connection: &mut PgConnection, id: FreezeId, new: &NewFreeze, by: &str) -> Result<()> {
    sqlx::query!(
        "INSERT INTO freeze_window (id, place_id, reason, starts_at, ends_at, set_by)
         VALUES ($1, $2, $3, coalesce($4, now()), $5, $6)",
        id.0,
        new.place,
        new.reason,
        new.starts_at.map(ToSqlx::to_sqlx) as Option<jiff_sqlx::Timestamp>,
        new.ends_at.map(ToSqlx::to_sqlx) as Option<jiff_sqlx::Timestamp>,
        by
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// False: it is lifted already.
pub async fn lift(connection: &mut PgConnection, id: FreezeId, by: &str) -> Result<bool> {
    let result = sqlx::query!(
        "UPDATE freeze_window SET lifted_at = now(), lifted_by = $2 WHERE id = $1 AND lifted_at IS NULL",
        id.0,
        by
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}
