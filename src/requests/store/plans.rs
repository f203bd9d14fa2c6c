//! Rows of `request_plan`, and which of them counts for a request.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::base::Digest;
use crate::base::id::{RequestId, RunId};
use crate::db::{Error, Result};
use crate::orchestrator::RunState;
use crate::requests::{PlanProgress, RequestPlan};

/// A plan to be inserted.
pub struct NewPlan<'a> {
    pub run: RunId,
    pub request: RequestId,
    pub changes: Value,
    pub sealed: &'a [u8],
    pub plan: Digest,
    pub work: Digest,
    pub policy: Digest,
}

/// A stored plan: the sealed bytes, and the parts that a review binds to.
pub struct StoredPlan {
    pub sealed: Vec<u8>,
    pub plan: Digest,
    pub work: Digest,
    pub policy: Digest,
}

pub async fn insert(connection: &mut PgConnection, new: &NewPlan<'_>) -> Result<()> {
    sqlx::query!(
        "INSERT INTO request_plan (run_id, request_id, changes, plan, plan_digest, work_digest, policy_digest)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        new.run.0,
        new.request.0,
        new.changes,
        new.sealed,
        &new.plan.0,
        &new.work.0,
        &new.policy.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn find(connection: &mut PgConnection, run: RunId) -> Result<Option<StoredPlan>> {
    let row =
        sqlx::query!("SELECT plan, plan_digest, work_digest, policy_digest FROM request_plan WHERE run_id = $1", run.0)
            .fetch_optional(connection)
            .await?;
    row.map(|row| {
        Ok(StoredPlan {
            sealed: row.plan,
            plan: digest(row.plan_digest)?,
            work: digest(row.work_digest)?,
            policy: digest(row.policy_digest)?,
        })
    })
    .transpose()
}

/// Another run makes the plan from now on: no review binds to anything until it is made.
pub async fn set_run(connection: &mut PgConnection, request: RequestId, run: RunId) -> Result<()> {
    sqlx::query!("UPDATE request SET plan_run_id = $2, approval_digest = NULL WHERE id = $1", request.0, run.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// What reviews bind to from now on.
pub async fn bind(connection: &mut PgConnection, request: RequestId, digest: Digest) -> Result<()> {
    sqlx::query!("UPDATE request SET approval_digest = $2 WHERE id = $1", request.0, &digest.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// The time to approve begins anew, by the database's clock.
pub async fn restart_time(connection: &mut PgConnection, request: RequestId, time: Duration) -> Result<()> {
    sqlx::query!(
        "UPDATE request SET lapses_at = now() + make_interval(secs => $2) WHERE id = $1",
        request.0,
        time.as_secs_f64()
    )
    .execute(connection)
    .await?;
    Ok(())
}

struct Row {
    request_id: RequestId,
    run_id: RunId,
    state: RunState,
    error: Option<String>,
    changes: Option<Value>,
    plan_digest: Option<Vec<u8>>,
    made_at: Option<jiff_sqlx::Timestamp>,
}

/// The plans that count for these requests.
pub async fn of(connection: &mut PgConnection, requests: &[RequestId]) -> Result<BTreeMap<RequestId, RequestPlan>> {
    let requests: Vec<Uuid> = requests.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT r.id AS "request_id!: _", run.id AS "run_id!: _", run.state AS "state!: _", run.error,
               p.changes AS "changes?", p.plan_digest AS "plan_digest?", p.made_at AS "made_at?"
           FROM request r JOIN run ON run.id = r.plan_run_id LEFT JOIN request_plan p ON p.run_id = r.plan_run_id
           WHERE r.id = ANY ($1)"#,
        &requests
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| Ok((row.request_id, RequestPlan { run: row.run_id, progress: progress(row)? })))
        .collect()
}

fn progress(row: Row) -> Result<PlanProgress> {
    if let (Some(changes), Some(bytes), Some(at)) = (row.changes, row.plan_digest, row.made_at) {
        let changes = serde_json::from_value(changes).map_err(|_| Error::Corrupt("plan"))?;
        return Ok(PlanProgress::Made { changes, digest: digest(bytes)?, at: at.to_jiff() });
    }
    Ok(match row.state {
        RunState::Queued => PlanProgress::Queued,
        RunState::Running => PlanProgress::Planning,
        // A run that succeeded without a plan planned for a request that had moved on.
        RunState::Succeeded | RunState::Failed | RunState::Faulted | RunState::Canceled => {
            PlanProgress::Failed { error: row.error.unwrap_or_else(|| "Planning was canceled.".to_owned()) }
        }
    })
}

fn digest(bytes: Vec<u8>) -> Result<Digest> {
    bytes.try_into().map(Digest).map_err(|_| Error::Corrupt("digest"))
}
