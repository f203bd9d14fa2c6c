//! Rows of `suggestion`.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::base::id::{DelegationId, PersonId, RequestId, SuggestionId};
use crate::db::{Error, Result};
use crate::requests::suggestions::{Suggestion, SuggestionState};

struct Row {
    id: SuggestionId,
    request_id: RequestId,
    reviewer_id: PersonId,
    display_name: String,
    absent_id: Option<PersonId>,
    absent_name: Option<String>,
    delegation_id: Option<DelegationId>,
    inputs: Value,
    lifetime_seconds: Option<i64>,
    reason: String,
    state: SuggestionState,
    created_at: jiff_sqlx::Timestamp,
    decided_at: Option<jiff_sqlx::Timestamp>,
    successor_id: Option<RequestId>,
}

impl TryFrom<Row> for Suggestion {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let Value::Object(inputs) = row.inputs else { return Err(Error::Corrupt("suggestion")) };
        Ok(Self {
            id: row.id,
            request: row.request_id,
            reviewer: row.reviewer_id,
            reviewer_name: row.display_name,
            absent: row.absent_id.zip(row.absent_name),
            delegation: row.delegation_id,
            inputs,
            lifetime: row.lifetime_seconds.map(SignedDuration::from_secs),
            reason: row.reason,
            state: row.state,
            at: row.created_at.to_jiff(),
            decided_at: row.decided_at.map(jiff_sqlx::Timestamp::to_jiff),
            successor: row.successor_id,
        })
    }
}

/// Keeps a suggestion; an open one of the same reviewer is replaced.
pub async fn insert(connection: &mut PgConnection, new: &Suggestion) -> Result<()> {
    sqlx::query!(
        "UPDATE suggestion SET state = 'replaced', decided_at = now()
         WHERE request_id = $1 AND reviewer_id = $2 AND state = 'open'",
        new.request.0,
        new.reviewer.0
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "INSERT INTO suggestion (id, request_id, reviewer_id, delegation_id, inputs, lifetime_seconds, reason)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        new.id.0,
        new.request.0,
        new.reviewer.0,
        new.delegation.map(|id| id.0),
        Value::Object(new.inputs.clone()),
        new.lifetime.map(|lifetime| lifetime.as_secs()),
        new.reason
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What was suggested for these requests, and what these came of; the earliest first.
pub async fn of(connection: &mut PgConnection, requests: &[RequestId]) -> Result<BTreeMap<RequestId, Vec<Suggestion>>> {
    let ids: Vec<Uuid> = requests.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT s.id AS "id: _", s.request_id AS "request_id: _", s.reviewer_id AS "reviewer_id: _", p.display_name,
               absent.id AS "absent_id?: _", absent.display_name AS "absent_name?", s.delegation_id AS "delegation_id: _",
               s.inputs, s.lifetime_seconds, s.reason, s.state AS "state: _", s.created_at, s.decided_at,
               s.successor_id AS "successor_id: _"
           FROM suggestion s JOIN person p ON p.id = s.reviewer_id
           LEFT JOIN delegation d ON d.id = s.delegation_id LEFT JOIN person absent ON absent.id = d.person_id
           WHERE s.request_id = ANY ($1) OR s.successor_id = ANY ($1) ORDER BY s.created_at, s.id"#,
        &ids
    )
    .fetch_all(connection)
    .await?;
    let mut found: BTreeMap<RequestId, Vec<Suggestion>> = BTreeMap::new();
    for row in rows {
        let one = Suggestion::try_from(row)?;
        for request in [Some(one.request), one.successor].into_iter().flatten().filter(|id| ids.contains(&id.0)) {
            found.entry(request).or_default().push(one.clone());
        }
    }
    Ok(found)
}

/// Decides on an open one; false when it is not open any more.
pub async fn decide(
    connection: &mut PgConnection,
    id: SuggestionId,
    state: SuggestionState,
    successor: Option<RequestId>,
) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE suggestion SET state = $2, successor_id = $3, decided_at = now() WHERE id = $1 AND state = 'open'",
        id.0,
        state as SuggestionState,
        successor.map(|id| id.0)
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}
