//! Use-cases: queue a run, read it, ask to cancel it.

use std::sync::Arc;

use sqlx::PgConnection;
use uuid::Uuid;

use super::store::claim::{self, End};
use super::store::{lanes, log, runs, steps};
use super::{Ending, Error, LogLine, NewRun, Run, RunState, RunStep, Workflow};
use crate::audit;
use crate::base::Op;
use crate::base::id::RunId;
use crate::db::{Result, Tx};

/// Queues a run inside the transaction that asks for it. Send [`super::Event::Queue`] after the commit.
pub async fn enqueue(tx: &mut Tx, run: &NewRun) -> Result<()> {
    runs::insert(tx, run).await
}

/// The run with this id.
pub async fn find(connection: &mut PgConnection, id: RunId) -> Result<Option<Run>> {
    runs::find(connection, id).await
}

/// Which of the subjects have a run that is not over.
pub async fn open_subjects(connection: &mut PgConnection, subjects: &[Uuid]) -> Result<Vec<Uuid>> {
    runs::open_subjects(connection, subjects).await
}

/// The newest runs of a subject, at most `limit`.
pub async fn runs_of(connection: &mut PgConnection, subject: Uuid, limit: i64) -> Result<Vec<Run>> {
    runs::of_subject(connection, subject, limit).await
}

/// The steps of a run, in order.
pub async fn steps(connection: &mut PgConnection, id: RunId) -> Result<Vec<RunStep>> {
    steps::list(connection, id).await
}

/// Whether any run of a subject has begun another step than these.
pub async fn went_beyond(connection: &mut PgConnection, subject: Uuid, known: &[&str]) -> Result<bool> {
    steps::went_beyond(connection, subject, known).await
}

/// Log lines after number `after`, oldest first, at most `limit`.
pub async fn log_lines(connection: &mut PgConnection, id: RunId, after: i64, limit: i64) -> Result<Vec<LogLine>> {
    log::after(connection, id, after, limit).await
}

/// Lines of a run with these words after number `after` and up to `until`, oldest first.
pub async fn search_log(
    connection: &mut PgConnection,
    id: RunId,
    span: (i64, i64),
    words: &str,
    limit: i64,
) -> Result<Vec<LogLine>> {
    log::search(connection, id, span, words, limit).await
}

/// The number of the first line after `after` that a run wrote to its error stream.
pub async fn first_on_stderr(connection: &mut PgConnection, id: RunId, after: i64) -> Result<Option<i64>> {
    log::first_on_stderr(connection, id, after).await
}

/// How many log lines a run has: the number of the last one.
pub async fn log_length(connection: &mut PgConnection, id: RunId) -> Result<i64> {
    log::length(connection, id).await
}

/// The checkpoint of a step that succeeded. Only its workflow knows what it says.
pub async fn checkpoint(connection: &mut PgConnection, id: RunId, step: &str) -> Result<Option<Vec<u8>>> {
    steps::checkpoint(connection, id, step).await
}

/// Asks for a run to be canceled. One that still waits ends at once; one that runs is stopped by
/// its worker, and then ends.
pub async fn cancel(tx: &mut Tx, op: &Op, id: RunId, workflow: &Arc<dyn Workflow>) -> Result<Run, Error> {
    let Some(run) = runs::request_cancel(tx, id).await? else {
        let exists = runs::find(tx, id).await?.is_some();
        return Err(if exists { Error::Ended } else { Error::NotFound });
    };
    audit::append(tx, op, super::execution::run_entry("run.cancel_requested", &run)).await?;
    if run.state == RunState::Queued {
        claim::end(tx, &[&End::of(&run, Ending::Canceled, None)]).await?;
        let checkpoints = steps::checkpoints(tx, run.id).await?;
        let told = workflow.settle(tx, op, &run, &Ending::Canceled, &checkpoints).await?;
        audit::append_all(tx, op, told).await?;
    }
    Ok(run)
}

/// The run of this kind that waits or works for the subject, if there is one.
pub async fn open_run(connection: &mut PgConnection, subject: Uuid, kind: &str) -> Result<Option<RunId>> {
    runs::open_of(connection, subject, kind).await
}

/// Ends what waits of this kind for the subject without having been begun, because what comes now goes
/// first. One that a worker is just taking is left alone. Only for kinds whose end nobody is told of.
pub async fn give_way(tx: &mut Tx, op: &Op, subject: Uuid, kind: &str) -> Result<()> {
    for run in runs::lock_waiting(tx, subject, kind).await? {
        claim::end(tx, &[&End::of(&run, Ending::Canceled, None)]).await?;
        audit::append(tx, op, super::execution::run_entry("run.cancel_requested", &run)).await?;
    }
    Ok(())
}

/// A step asks for the end of its own run: it is told by its token, like by a person's word.
pub async fn ask_to_stop(connection: &mut PgConnection, id: RunId) -> Result<()> {
    runs::request_cancel(connection, id).await.map(drop)
}

/// Lanes with work but without exactly one head: the invariant monitor expects none.
pub async fn lanes_without_head(connection: &mut PgConnection) -> Result<i64> {
    lanes::without_head(connection).await
}
