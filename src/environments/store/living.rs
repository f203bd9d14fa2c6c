//! What lives on a target.

use sqlx::PgConnection;

use crate::base::id::{EnvironmentId, TargetId};
use crate::db::Result;
use crate::environments::State;

/// An environment that is on a target, or that is to be made there.
#[derive(Debug, Clone)]
pub struct Living {
    /// Its id.
    pub id: EnvironmentId,
    /// Its name.
    pub name: String,
    /// The slug of its project.
    pub project: String,
    /// Its state.
    pub state: State,
}

/// The newest environments on the target that are not deleted, at most `limit`.
pub async fn on_target(connection: &mut PgConnection, target: TargetId, limit: i64) -> Result<Vec<Living>> {
    Ok(sqlx::query_as!(
        Living,
        r#"SELECT e.id AS "id: _", e.name, p.slug AS project, e.state AS "state: _"
           FROM environment e JOIN project p ON p.id = e.project_id
           WHERE e.target_id = $1 AND e.state <> 'deleted' ORDER BY e.created_at DESC, e.id DESC LIMIT $2"#,
        target.0,
        limit
    )
    .fetch_all(connection)
    .await?)
}
