//! What attempts have to write down, each together with what others of this worker have to write at
//! the same moment: what arrives while a batch is being written is the next batch, which begins when
//! the one before is left to the disk.
//!
//! A worker without much to do writes at once, each alone. A busy one shares the round trips, the
//! commits and the statements. A batch decides nothing in common: each record carries the token of its
//! own attempt (I3); and when one of a batch is refused, or somebody holds its subject, each is written
//! alone, so that nobody waits for it.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::store::claim::{self, End};
use super::store::steps::{self, Advance};
use super::{Run, Workflow};
use crate::audit;
use crate::base::Op;
use crate::base::failpoint::{reach, reach_for, within};
use crate::db::{Db, Error, Result, Tx, in_time};

/// How many records in a batch.
const MOST: usize = 16;
/// How the transaction of a batch begins: as [`claim::BEGIN`], and it waits for nobody's lock for long.
const BEGIN_TOGETHER: &str = "BEGIN; SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off;
    SET LOCAL lock_timeout = '200ms'";

/// Writes the records of one worker. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    advances: mpsc::UnboundedSender<Asked<Advance>>,
    settlements: mpsc::UnboundedSender<Asked<Settlement>>,
}

impl Recorder {
    /// Starts the tasks that write; they end with the last clone, or with `tasks`.
    pub fn start(db: &Db, tasks: &mut JoinSet<()>) -> Self {
        let (advances, advancing) = mpsc::unbounded_channel();
        let (settlements, settling) = mpsc::unbounded_channel();
        tasks.spawn(write_all(db.clone(), advancing));
        tasks.spawn(write_all(db.clone(), settling));
        Self { advances, settlements }
    }

    /// The end of a step. `None` if the run is not this attempt's any more, else whether an earlier
    /// attempt began the next step.
    pub async fn advance(&self, advance: Advance) -> Result<Option<bool>> {
        write(&self.advances, advance).await
    }

    /// Ends the run and settles its subject in one transaction. False: it is not this attempt's.
    pub async fn settle(&self, settlement: Settlement) -> Result<bool> {
        write(&self.settlements, settlement).await
    }
}

/// Something to be written, and what is told to who asked for it.
#[async_trait]
trait Record: Send + Sync + Sized + 'static {
    type Answer: Send + Sync + 'static;

    /// Writes these into the transaction.
    async fn write(tx: &mut Tx, batch: &[Self]) -> Result<Vec<Self::Answer>>;

    /// It is durable.
    fn stored(&self, _: &Self::Answer) {}
}

type Asked<R> = (R, oneshot::Sender<Result<<R as Record>::Answer>>);

#[async_trait]
impl Record for Advance {
    type Answer = Option<bool>;

    async fn write(tx: &mut Tx, batch: &[Self]) -> Result<Vec<Option<bool>>> {
        steps::advance(tx, batch).await
    }
}

/// The end of a run and what is needed to settle its subject in the same transaction.
pub struct Settlement {
    pub run: Run,
    pub end: End,
    pub workflow: Arc<dyn Workflow>,
    pub op: Op,
    pub checkpoints: BTreeMap<String, Vec<u8>>,
}

#[async_trait]
impl Record for Settlement {
    type Answer = bool;

    async fn write(tx: &mut Tx, batch: &[Self]) -> Result<Vec<bool>> {
        let ends: Vec<&End> = batch.iter().map(|one| &one.end).collect();
        let ended = claim::end(tx, &ends).await?;
        let held = || batch.iter().zip(&ended).filter_map(|(one, ended)| ended.then_some(one));
        let mut told = Vec::new();
        for one in held() {
            let settled = async {
                reach("end.ended");
                let entries =
                    one.workflow.settle(&mut *tx, &one.op, &one.run, &one.end.ending, &one.checkpoints).await?;
                reach("end.settled");
                Ok::<_, Error>(entries)
            };
            let entries = within(one.run.label.clone(), settled).await?;
            told.extend(entries.into_iter().map(|entry| (&one.op, entry)));
        }
        audit::append_each(tx, told).await?;
        held().for_each(|one| reach_for("end.audited", &one.run.label));
        Ok(ended)
    }

    fn stored(&self, ended: &bool) {
        if *ended {
            reach_for("end.committed", &self.run.label);
        }
    }
}

async fn write<R: Record>(queue: &mpsc::UnboundedSender<Asked<R>>, record: R) -> Result<R::Answer> {
    let (asker, answer) = oneshot::channel();
    let gone = || Error::Unavailable(sqlx::Error::WorkerCrashed);
    queue.send((record, asker)).map_err(|_| gone())?;
    answer.await.map_err(|_| gone())?
}

async fn write_all<R: Record>(db: Db, mut queue: mpsc::UnboundedReceiver<Asked<R>>) {
    let mut under_way = JoinSet::new();
    while let Some(first) = queue.recv().await {
        // Whoever is ready at this moment comes along.
        tokio::task::yield_now().await;
        let mut batch = Batch { db: db.clone(), records: Vec::new(), askers: Vec::new() };
        batch.add(first);
        while batch.records.len() < MOST
            && let Ok(another) = queue.try_recv()
        {
            batch.add(another);
        }
        while under_way.try_join_next().is_some() {}
        // A defect in what settles one of them ends neither the others nor this task.
        let written = AssertUnwindSafe(in_time(batch.write())).catch_unwind().await;
        let written = written.unwrap_or(Err(Error::Corrupt("record")));
        under_way.spawn(batch.store(written));
    }
    while under_way.join_next().await.is_some() {}
}

/// Records that are written in one transaction, and who waits for the answers.
struct Batch<R: Record> {
    db: Db,
    records: Vec<R>,
    askers: Vec<oneshot::Sender<Result<R::Answer>>>,
}

impl<R: Record> Batch<R> {
    fn add(&mut self, (record, asker): Asked<R>) {
        self.records.push(record);
        self.askers.push(asker);
    }

    async fn write(&self) -> Result<(Tx, Vec<R::Answer>)> {
        let mut tx = self.db.begin_with(BEGIN_TOGETHER).await?;
        let answers = R::write(&mut tx, &self.records).await?;
        Ok((tx, answers))
    }

    /// Commits what was written, or writes each alone, and answers. Who lost the lease meanwhile does
    /// not listen any more.
    async fn store(self, written: Result<(Tx, Vec<R::Answer>)>) {
        let stored = match written {
            Ok((tx, answers)) => in_time(tx.commit()).await.map(|()| answers),
            Err(error) => Err(error),
        };
        match stored {
            Ok(answers) => {
                for ((record, asker), answer) in self.records.iter().zip(self.askers).zip(answers) {
                    record.stored(&answer);
                    let _ = asker.send(Ok(answer));
                }
            }
            Err(error) if nothing_is_stored(&error) => {
                tracing::debug!(%error, count = self.records.len(), "not together: each alone");
                let mut alone = JoinSet::new();
                for (record, asker) in self.records.into_iter().zip(self.askers) {
                    let db = self.db.clone();
                    alone.spawn(async move {
                        let _ = asker.send(in_time(write_alone(&db, record)).await);
                    });
                }
                while alone.join_next().await.is_some() {}
            }
            Err(error) => {
                for asker in self.askers {
                    let _ = asker.send(Err(again(&error)));
                }
            }
        }
    }
}

async fn write_alone<R: Record>(db: &Db, record: R) -> Result<R::Answer> {
    let mut tx = db.begin_with(claim::BEGIN).await?;
    let answer = R::write(&mut tx, std::slice::from_ref(&record)).await?.pop().ok_or(Error::RowNotFound)?;
    tx.commit().await?;
    record.stored(&answer);
    Ok(answer)
}

/// Whether the answer says that nothing of the batch is stored. If the connection was lost, nobody
/// knows, and to write it again could write it twice.
fn nothing_is_stored(error: &Error) -> bool {
    !matches!(error, Error::Unavailable(_))
}

/// The same error for another one.
fn again(error: &Error) -> Error {
    Error::Unavailable(sqlx::Error::Io(std::io::Error::other(error.to_string())))
}
