//! Rows of `request_budget`: by what numbers budgets were held against requests.

use rust_decimal::Decimal;
use serde_json::Value;
use sqlx::PgConnection;

use crate::base::id::{ProjectId, RequestId};
use crate::cost::BudgetCheck;
use crate::db::{Error, Result};

/// Keeps the numbers. They are never changed.
pub async fn insert(connection: &mut PgConnection, id: RequestId, check: &BudgetCheck) -> Result<()> {
    let told = serde_json::to_value(check).map_err(|_| Error::Corrupt("budget"))?;
    sqlx::query!(
        "INSERT INTO request_budget (request_id, adds, told) VALUES ($1, $2::text::numeric, $3)",
        id.0,
        check.adds.to_string(),
        told
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Those of a request.
pub async fn of(connection: &mut PgConnection, id: RequestId) -> Result<Option<BudgetCheck>> {
    let found = sqlx::query_scalar!(r#"SELECT told AS "told: Value" FROM request_budget WHERE request_id = $1"#, id.0);
    let told = found.fetch_optional(connection).await?;
    told.map(|told| serde_json::from_value(told).map_err(|_| Error::Corrupt("budget"))).transpose()
}

/// What requests that are under way in a project add to the month. What is being made counts in the forecast already.
pub async fn under_way(connection: &mut PgConnection, project: ProjectId) -> Result<Decimal> {
    let sum = sqlx::query_scalar!(
        r#"SELECT coalesce(sum(b.adds), 0)::text AS "sum!" FROM request r
           JOIN request_budget b ON b.request_id = r.id JOIN environment e ON e.id = r.environment_id
           WHERE r.project_id = $1 AND r.status IN ('awaiting_approval', 'approved', 'running')
             AND (r.operation <> 'create' OR e.state = 'requested')"#,
        project.0
    );
    Decimal::from_str_exact(&sum.fetch_one(connection).await?).map_err(|_| Error::Corrupt("budget"))
}
