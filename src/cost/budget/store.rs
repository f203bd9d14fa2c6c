//! Rows of `budget`. Amounts go to and fro as text: decimal digits, as they stand.

use rust_decimal::Decimal;
use sqlx::PgConnection;

use super::{Budget, BudgetTerms};
use crate::base::id::ProjectId;
use crate::db::{Error, Result};

/// Holds the row until the transaction ends; false: there is none.
pub async fn hold(connection: &mut PgConnection, project: ProjectId) -> Result<bool> {
    let held = sqlx::query!("SELECT generation FROM budget WHERE project_id = $1 FOR UPDATE", project.0);
    Ok(held.fetch_optional(connection).await?.is_some())
}

/// That of a project.
pub async fn find(connection: &mut PgConnection, project: ProjectId) -> Result<Option<Budget>> {
    let found = sqlx::query!(
        r#"SELECT amount::text AS "amount!", warn_above, approve_above, deny_above, generation FROM budget
           WHERE project_id = $1"#,
        project.0
    );
    let Some(row) = found.fetch_optional(connection).await? else { return Ok(None) };
    let amount = Decimal::from_str_exact(&row.amount).map_err(|_| Error::Corrupt("budget"))?;
    let (warn_above, approve_above, deny_above) = (row.warn_above, row.approve_above, row.deny_above);
    Ok(Some(Budget {
        terms: BudgetTerms { amount, warn_above, approve_above, deny_above },
        generation: row.generation,
    }))
}

/// Writes it; false: it is not of this generation, where one is given (0: there is none).
pub async fn set(
    connection: &mut PgConnection,
    project: ProjectId,
    generation: Option<i64>,
    exists: bool,
    terms: &BudgetTerms,
) -> Result<bool> {
    let set = sqlx::query!(
        "INSERT INTO budget AS b (project_id, amount, warn_above, approve_above, deny_above)
         SELECT $1, $2::text::numeric, $3, $4, $5 WHERE $6::bigint IS NULL OR $6 = 0 OR $7
         ON CONFLICT (project_id) DO UPDATE
         SET amount = excluded.amount, warn_above = excluded.warn_above, approve_above = excluded.approve_above,
             deny_above = excluded.deny_above, generation = b.generation + 1
         WHERE $6 IS NULL OR b.generation = $6",
        project.0,
        terms.amount.to_string(),
        terms.warn_above,
        terms.approve_above,
        terms.deny_above,
        generation,
        exists
    );
    Ok(set.execute(connection).await?.rows_affected() == 1)
}

/// Takes it away.
pub async fn delete(connection: &mut PgConnection, project: ProjectId) -> Result<()> {
    sqlx::query!("DELETE FROM budget WHERE project_id = $1", project.0).execute(connection).await?;
    Ok(())
}
