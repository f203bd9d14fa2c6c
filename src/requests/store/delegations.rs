//! Rows of `delegation`.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::base::id::{DelegationId, PersonId};
use crate::db::Result;
use crate::requests::Delegation;

/// More are not listed.
const MOST: i64 = 100;

/// Whatever else this person gives waits until the transaction ends.
pub async fn lock(connection: &mut PgConnection, person: PersonId) -> Result<()> {
    let name = format!("delegation/{person}");
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", name).execute(connection).await?;
    Ok(())
}

/// How many of this person hold or will.
pub async fn count_open(connection: &mut PgConnection, person: PersonId) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM delegation WHERE person_id = $1 AND ended_at IS NULL AND ends_at > now()"#,
        person.0
    )
    .fetch_one(connection)
    .await?)
}

pub async fn insert(
    connection: &mut PgConnection,
    id: DelegationId,
    (absent, deputy): (PersonId, PersonId),
    (from, until): (Timestamp, Timestamp),
    note: &str,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO delegation (id, person_id, delegate_id, starts_at, ends_at, note) VALUES ($1, $2, $3, $4, $5, $6)",
        id.0,
        absent.0,
        deputy.0,
        from.to_sqlx() as jiff_sqlx::Timestamp,
        until.to_sqlx() as jiff_sqlx::Timestamp,
        note
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes it back; false when it had ended.
pub async fn end(connection: &mut PgConnection, id: DelegationId) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE delegation SET ended_at = now() WHERE id = $1 AND ended_at IS NULL AND ends_at > now()",
        id.0
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

struct Row {
    id: DelegationId,
    absent: PersonId,
    absent_name: String,
    deputy: PersonId,
    deputy_name: String,
    starts_at: jiff_sqlx::Timestamp,
    ends_at: jiff_sqlx::Timestamp,
    note: String,
    created_at: jiff_sqlx::Timestamp,
    ended_at: Option<jiff_sqlx::Timestamp>,
    holds: bool,
    open: bool,
}

impl From<Row> for Delegation {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            absent: row.absent,
            absent_name: row.absent_name,
            deputy: row.deputy,
            deputy_name: row.deputy_name,
            starts_at: row.starts_at.to_jiff(),
            ends_at: row.ends_at.to_jiff(),
            note: row.note,
            created_at: row.created_at.to_jiff(),
            ended_at: row.ended_at.map(jiff_sqlx::Timestamp::to_jiff),
            holds: row.holds,
            open: row.open,
        }
    }
}

async fn rows(connection: &mut PgConnection, id: Option<DelegationId>, of: Option<PersonId>) -> Result<Vec<Row>> {
    Ok(sqlx::query_as!(
        Row,
        r#"SELECT d.id AS "id: _", d.person_id AS "absent: _", absent.display_name AS absent_name,
               d.delegate_id AS "deputy: _", deputy.display_name AS deputy_name, d.starts_at, d.ends_at, d.note,
               d.created_at, d.ended_at, EXISTS (SELECT FROM delegation_now n WHERE n.id = d.id) AS "holds!",
               d.ended_at IS NULL AND d.ends_at > now() AS "open!"
           FROM delegation d JOIN person absent ON absent.id = d.person_id JOIN person deputy ON deputy.id = d.delegate_id
           WHERE d.id = $1 OR d.person_id = $2 OR d.delegate_id = $2
           ORDER BY d.ends_at DESC, d.id DESC LIMIT $3"#,
        id.map(|id| id.0),
        of.map(|id| id.0),
        MOST
    )
    .fetch_all(connection)
    .await?)
}

pub async fn find(connection: &mut PgConnection, id: DelegationId) -> Result<Option<Delegation>> {
    Ok(rows(connection, Some(id), None).await?.pop().map(Into::into))
}

/// Those that a person gave or decides by, the one that ends last first.
pub async fn list(connection: &mut PgConnection, of: PersonId) -> Result<Vec<Delegation>> {
    Ok(rows(connection, None, Some(of)).await?.into_iter().map(Into::into).collect())
}

/// Who decides at this moment for one of these people: the absent person, and who does, by name.
pub async fn deputies(connection: &mut PgConnection, absent: &[PersonId]) -> Result<Vec<(PersonId, PersonId, String)>> {
    let ids: Vec<Uuid> = absent.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"SELECT n.person_id AS "absent!: PersonId", p.id AS "deputy: PersonId", p.display_name
           FROM delegation_now n JOIN person p ON p.id = n.delegate_id
           WHERE n.person_id = ANY ($1) ORDER BY p.display_name, p.id"#,
        &ids
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.absent, row.deputy, row.display_name)).collect())
}
