//! Rows of `run`.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::base::id::{ProjectId, RequestId, RunId};
use crate::db::Result;
use crate::orchestrator::{NewRun, Run, RunState};

pub struct RunRow {
    pub id: RunId,
    pub kind: String,
    pub subject_id: Uuid,
    pub request_id: Option<RequestId>,
    pub project_id: ProjectId,
    pub label: String,
    pub state: RunState,
    pub attempt: i32,
    pub max_attempts: i32,
    pub worker: Option<String>,
    pub cancel_requested: bool,
    pub error: Option<String>,
    pub error_step: Option<String>,
    pub created_at: jiff_sqlx::Timestamp,
    pub run_at: jiff_sqlx::Timestamp,
    pub started_at: Option<jiff_sqlx::Timestamp>,
    pub ended_at: Option<jiff_sqlx::Timestamp>,
}

impl From<RunRow> for Run {
    fn from(row: RunRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            subject: row.subject_id,
            request: row.request_id,
            project: row.project_id,
            label: row.label,
            state: row.state,
            attempt: row.attempt,
            max_attempts: row.max_attempts,
            worker: row.worker,
            cancel_requested: row.cancel_requested,
            error: row.error,
            error_step: row.error_step,
            created_at: row.created_at.to_jiff(),
            run_at: row.run_at.to_jiff(),
            started_at: row.started_at.map(jiff_sqlx::Timestamp::to_jiff),
            ended_at: row.ended_at.map(jiff_sqlx::Timestamp::to_jiff),
        }
    }
}

/// Queues a run. What its target asks of workers is added to what it asks itself.
pub async fn insert(connection: &mut PgConnection, run: &NewRun) -> Result<()> {
    sqlx::query!(
        "INSERT INTO run (id, kind, subject_id, request_id, project_id, label, state, priority, provider, target_id,
             place_id, labels)
         VALUES ($1, $2, $3, $4, $5, $6, 'queued', $7, $8, $9, $10, ARRAY(
             SELECT DISTINCT label FROM unnest($11::text[]) AS label
             UNION SELECT unnest(labels) FROM target WHERE id = $9 ORDER BY 1))",
        run.id.0,
        run.kind,
        run.subject,
        run.request.map(|id| id.0),
        run.project.0,
        run.label,
        run.priority,
        run.place.provider,
        run.place.target,
        run.place.place,
        &run.place.labels,
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn find(connection: &mut PgConnection, id: RunId) -> Result<Option<Run>> {
    let row = sqlx::query_as!(
        RunRow,
        r#"SELECT id AS "id: _", kind, subject_id, request_id AS "request_id: _", project_id AS "project_id: _",
               label, state AS "state: _", attempt, max_attempts, worker, cancel_requested, error, error_step,
               created_at, run_at, started_at, ended_at
           FROM run WHERE id = $1"#,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Into::into))
}

/// Which of the subjects have a run that is not over.
pub async fn open_subjects(connection: &mut PgConnection, subjects: &[Uuid]) -> Result<Vec<Uuid>> {
    let query = sqlx::query_scalar!(
        "SELECT DISTINCT subject_id FROM run WHERE state IN ('queued', 'running') AND subject_id = ANY($1)",
        subjects
    );
    Ok(query.fetch_all(connection).await?)
}

/// Those of these runs that are there.
pub async fn some(connection: &mut PgConnection, ids: &[RunId]) -> Result<Vec<Run>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        RunRow,
        r#"SELECT id AS "id: _", kind, subject_id, request_id AS "request_id: _", project_id AS "project_id: _",
               label, state AS "state: _", attempt, max_attempts, worker, cancel_requested, error, error_step,
               created_at, run_at, started_at, ended_at
           FROM run WHERE id = ANY ($1)"#,
        &ids
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The newest runs of a subject.
pub async fn of_subject(connection: &mut PgConnection, subject: Uuid, limit: i64) -> Result<Vec<Run>> {
    let rows = sqlx::query_as!(
        RunRow,
        r#"SELECT id AS "id: _", kind, subject_id, request_id AS "request_id: _", project_id AS "project_id: _",
               label, state AS "state: _", attempt, max_attempts, worker, cancel_requested, error, error_step,
               created_at, run_at, started_at, ended_at
           FROM run WHERE subject_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2"#,
        subject,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The run of this kind that is not over.
pub async fn open_of(connection: &mut PgConnection, subject: Uuid, kind: &str) -> Result<Option<RunId>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: RunId" FROM run WHERE subject_id = $1 AND kind = $2 AND state IN ('queued', 'running')
           ORDER BY created_at LIMIT 1"#,
        subject,
        kind
    )
    .fetch_optional(connection)
    .await?)
}

/// Locks what waits of this kind, passing over what others work on.
pub async fn lock_waiting(connection: &mut PgConnection, subject: Uuid, kind: &str) -> Result<Vec<Run>> {
    let rows = sqlx::query_as!(
        RunRow,
        r#"SELECT id AS "id: _", kind, subject_id, request_id AS "request_id: _", project_id AS "project_id: _",
               label, state AS "state: _", attempt, max_attempts, worker, cancel_requested, error, error_step,
               created_at, run_at, started_at, ended_at
           FROM run WHERE subject_id = $1 AND kind = $2 AND state = 'queued' FOR UPDATE SKIP LOCKED"#,
        subject,
        kind
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Asks the worker to stop. `None`: the run is not there or has ended; else its state.
pub async fn request_cancel(connection: &mut PgConnection, id: RunId) -> Result<Option<Run>> {
    let row = sqlx::query_as!(
        RunRow,
        r#"UPDATE run SET cancel_requested = true WHERE id = $1 AND state IN ('queued', 'running')
           RETURNING id AS "id: _", kind, subject_id, request_id AS "request_id: _", project_id AS "project_id: _",
               label, state AS "state: _", attempt, max_attempts, worker, cancel_requested, error, error_step,
               created_at, run_at, started_at, ended_at"#,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Into::into))
}
