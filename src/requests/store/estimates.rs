//! Rows of `request_estimate`: what requests were said to cost when they were submitted.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::base::id::RequestId;
use crate::cost::Estimate;
use crate::db::{Error, Result};

/// Keeps an estimate. It is never changed.
pub async fn insert(connection: &mut PgConnection, id: RequestId, estimate: &Estimate) -> Result<()> {
    let value = serde_json::to_value(estimate).map_err(|_| Error::Corrupt("estimate"))?;
    sqlx::query!("INSERT INTO request_estimate (request_id, estimate) VALUES ($1, $2)", id.0, value)
        .execute(connection)
        .await?;
    Ok(())
}

/// Those of these requests.
pub async fn of(connection: &mut PgConnection, ids: &[RequestId]) -> Result<BTreeMap<RequestId, Estimate>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"SELECT request_id AS "id: RequestId", estimate AS "estimate: Value" FROM request_estimate
           WHERE request_id = ANY ($1)"#,
        &ids
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| Ok((row.id, serde_json::from_value(row.estimate).map_err(|_| Error::Corrupt("estimate"))?)))
        .collect()
}
