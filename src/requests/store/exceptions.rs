//! Decisions that an exception made.

use sqlx::PgConnection;

use crate::base::id::{DecisionId, EnvironmentId, RequestId};
use crate::db::Result;

/// The newest request that an environment is as it is by, when an exception let it pass.
pub async fn newest_of(
    connection: &mut PgConnection,
    environment: EnvironmentId,
) -> Result<Option<(RequestId, DecisionId)>> {
    let row = sqlx::query!(
        r#"SELECT r.id AS "id: RequestId", r.decision_id AS "decision: DecisionId"
           FROM request r JOIN decision d ON d.id = r.decision_id
           WHERE r.environment_id = $1 AND r.status = 'succeeded' AND d.rules @> '[{"effect": "excepted"}]'
           ORDER BY r.created_at DESC, r.id DESC LIMIT 1"#,
        environment.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| (row.id, row.decision)))
}
