//! Rows of `call_back` and `call_back_report`.

use jiff::Timestamp;
use sqlx::PgConnection;

use crate::base::Digest;
use crate::base::id::{ProjectId, RequestId, RunId};
use crate::db::Result;

/// A call-back with the run that it is of.
pub struct CallBackRow {
    pub run: RunId,
    pub label: String,
    pub project: ProjectId,
    pub environment: uuid::Uuid,
    pub request: Option<RequestId>,
    /// Whether the run goes on.
    pub open: bool,
    pub expired: bool,
    pub reports: i64,
    /// Reports that no worker has told yet.
    pub waiting: i64,
    pub answer_digest: Option<Vec<u8>>,
    pub refused: Vec<String>,
}

/// The call-back of a run lasts for so long from now, and no shorter than before: until when.
pub async fn open(connection: &mut PgConnection, run: RunId, token: Digest, seconds: f64) -> Result<Timestamp> {
    let until = sqlx::query_scalar!(
        r#"INSERT INTO call_back (run_id, token_digest, expires_at) VALUES ($1, $2, now() + make_interval(secs => $3))
           ON CONFLICT (run_id) DO UPDATE SET expires_at = greatest(call_back.expires_at, excluded.expires_at)
           RETURNING expires_at AS "expires_at: jiff_sqlx::Timestamp""#,
        run.0,
        &token.0[..],
        seconds
    )
    .fetch_one(connection)
    .await?;
    Ok(until.to_jiff())
}

/// Whether there is a call-back with this token.
pub async fn exists(connection: &mut PgConnection, token: Digest) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM call_back WHERE token_digest = $1) AS "exists!""#,
        &token.0[..]
    )
    .fetch_one(connection)
    .await?)
}

/// The call-back with this token, locked; its run does not end meanwhile.
pub async fn lock(connection: &mut PgConnection, token: Digest) -> Result<Option<CallBackRow>> {
    Ok(sqlx::query_as!(
        CallBackRow,
        r#"SELECT c.run_id AS "run: _", r.label, r.project_id AS "project: _", r.subject_id AS environment,
               r.request_id AS "request: _", r.ended_at IS NULL AS "open!", c.expires_at <= now() AS "expired!",
               c.reports, (SELECT count(*) FROM call_back_report p WHERE p.run_id = c.run_id) AS "waiting!",
               c.answer_digest, c.refused
           FROM call_back c JOIN run r ON r.id = c.run_id WHERE c.token_digest = $1
           FOR UPDATE OF c FOR SHARE OF r"#,
        &token.0[..]
    )
    .fetch_optional(connection)
    .await?)
}

/// Keeps a report on the way.
pub async fn report(connection: &mut PgConnection, run: RunId, number: i64, body: &[u8]) -> Result<()> {
    sqlx::query!("UPDATE call_back SET reports = $2 WHERE run_id = $1", run.0, number)
        .execute(&mut *connection)
        .await?;
    sqlx::query!("INSERT INTO call_back_report (run_id, number, body) VALUES ($1, $2, $3)", run.0, number, body)
        .execute(connection)
        .await?;
    Ok(())
}

/// Keeps the last word.
pub async fn answer(connection: &mut PgConnection, run: RunId, print: &[u8], body: &[u8]) -> Result<()> {
    sqlx::query!(
        "UPDATE call_back SET answered_at = now(), answer_digest = $2, answer = $3 WHERE run_id = $1",
        run.0,
        print,
        body
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Keeps that something was refused for this reason.
pub async fn refuse(connection: &mut PgConnection, run: RunId, why: &str) -> Result<()> {
    sqlx::query!("UPDATE call_back SET refused = refused || $2 WHERE run_id = $1", run.0, &[why.to_owned()])
        .execute(connection)
        .await?;
    Ok(())
}

/// Forgets the reports up to this number.
pub async fn told(connection: &mut PgConnection, run: RunId, until: i64) -> Result<()> {
    sqlx::query!("DELETE FROM call_back_report WHERE run_id = $1 AND number <= $2", run.0, until)
        .execute(connection)
        .await?;
    Ok(())
}

/// What is there, sealed: the reports by number, and the last word.
pub struct Sealed {
    pub reports: Vec<(i64, Vec<u8>)>,
    pub answer: Option<Vec<u8>>,
}

/// What is there for an attempt that holds the run; `None` when it does not.
pub async fn there(connection: &mut PgConnection, run: RunId, attempt: i32) -> Result<Option<Sealed>> {
    let held = sqlx::query!(
        "SELECT c.answer FROM run r LEFT JOIN call_back c ON c.run_id = r.id
         WHERE r.id = $1 AND r.attempt = $2 AND r.lease_until IS NOT NULL",
        run.0,
        attempt
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(held) = held else { return Ok(None) };
    let reports =
        sqlx::query!("SELECT number, body FROM call_back_report WHERE run_id = $1 ORDER BY number LIMIT 100", run.0)
            .fetch_all(connection)
            .await?;
    let reports = reports.into_iter().map(|row| (row.number, row.body)).collect();
    Ok(Some(Sealed { reports, answer: held.answer }))
}

/// The run has ended: what came in is not kept.
pub async fn forget(connection: &mut PgConnection, run: RunId) -> Result<()> {
    sqlx::query!("UPDATE call_back SET answer = NULL WHERE run_id = $1 AND answer IS NOT NULL", run.0)
        .execute(&mut *connection)
        .await?;
    sqlx::query!("DELETE FROM call_back_report WHERE run_id = $1", run.0).execute(connection).await?;
    Ok(())
}
