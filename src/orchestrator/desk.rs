//! The desk of a worker: what many attempts write at the same time is written together.
//!
//! A statement costs Postgres more than its rows, and a commit more than both. While one batch is
//! written the next one gathers, and so a worker with many attempts needs few of them. Each write
//! keeps its own fencing token: what another attempt holds is left out of the batch. The desk waits for
//! nobody's lock; whoever it could not write for writes for itself, and learns there what is the matter.
//!
//! With few attempts at work each writes for itself: then nobody depends on a neighbour.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::store::log::NewLine;
use super::store::steps::{Advance, Finish};
use super::store::{claim, steps};
use super::{Ending, Error, Run, Workflow};
use crate::base::Op;
use crate::base::failpoint::{self, reach};
use crate::db::{self, Db, Tx, in_time};

/// With no more attempts than these at work, each writes for itself.
const FEW: usize = 4;
/// The most that is written together.
const MOST: usize = 64;

/// The end of a run.
pub struct End {
    pub run: Run,
    pub ending: Ending,
    /// The step that it came from, if the ending does not say.
    pub step: Option<String>,
    pub last: Option<Finish>,
    pub lines: Vec<NewLine>,
    pub checkpoints: BTreeMap<String, Vec<u8>>,
    pub workflow: Arc<dyn Workflow>,
    pub op: Op,
}

impl End {
    /// Ends the run and settles its subject. False: it is not this attempt's any more.
    pub async fn write(&self, tx: &mut Tx) -> db::Result<bool> {
        let (step, last) = (self.step.as_deref(), self.last.as_ref());
        if !claim::end(tx, &self.run, &self.ending, step, last, &self.lines).await? {
            return Ok(false);
        }
        reach("end.ended");
        self.workflow.settle(tx, &self.op, &self.run, &self.ending, &self.checkpoints).await?;
        reach("end.settled");
        Ok(true)
    }
}

/// Hands writes in. Cheap to clone: each attempt has one.
#[derive(Clone)]
pub struct Desk {
    steps: Inbox<Advance>,
    ends: Inbox<End>,
    here: Arc<()>,
}

type Inbox<M> = mpsc::UnboundedSender<Letter<M>>;

/// What is to be written, and where the answer goes. It is dropped when nobody knows whether it was.
struct Letter<M: Matter> {
    matter: Arc<M>,
    answer: oneshot::Sender<Option<M::Answer>>,
}

impl Desk {
    /// A desk, and its two clerks. They end when no attempt can hand in anything any more.
    pub fn new(db: &Db) -> (Self, [BoxFuture<'static, ()>; 2]) {
        let ((steps, of_steps), (ends, of_ends)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        let clerks: [BoxFuture<'static, ()>; 2] =
            [Box::pin(write_all(db.clone(), of_steps)), Box::pin(write_all(db.clone(), of_ends))];
        (Self { steps, ends, here: Arc::default() }, clerks)
    }

    /// Whether there are many attempts at work. The worker itself has a desk, too.
    fn crowded(&self) -> bool {
        Arc::strong_count(&self.here) > FEW + 1
    }

    /// Records the end of a step: what [`steps::advance`] would say. `None`: do it alone.
    pub async fn advance(&self, advance: &Arc<Advance>) -> Result<Option<bool>, Error> {
        if self.crowded() { hand_in(&self.steps, advance).await } else { Ok(None) }
    }

    /// Ends a run: what [`End::write`] would say, and durable. `None`: do it alone.
    pub async fn end(&self, end: &Arc<End>) -> Result<Option<bool>, Error> {
        if self.crowded() { hand_in(&self.ends, end).await } else { Ok(None) }
    }
}

async fn hand_in<M: Matter>(inbox: &Inbox<M>, matter: &Arc<M>) -> Result<Option<M::Answer>, Error> {
    let (answer, told) = oneshot::channel();
    if inbox.send(Letter { matter: Arc::clone(matter), answer }).is_err() {
        return Ok(None);
    }
    told.await.map_err(|_| Error::Db(db::Error::Unavailable(sqlx::Error::WorkerCrashed)))
}

async fn write_all<M: Matter>(db: Db, mut inbox: mpsc::UnboundedReceiver<Letter<M>>) {
    let mut letters = Vec::new();
    while inbox.recv_many(&mut letters, MOST).await > 0 {
        let matters: Vec<Arc<M>> = letters.iter().map(|letter| Arc::clone(&letter.matter)).collect();
        let answers = match in_time(write(&db, &matters)).await {
            Ok(answers) => answers.into_iter().map(Some).collect(),
            Err(error) => {
                tracing::warn!(%error, count = matters.len(), "nobody knows whether a batch was written");
                Vec::new()
            }
        };
        // Letters without an answer are dropped.
        for (letter, answer) in letters.drain(..).zip(answers.into_iter().chain(std::iter::repeat_with(|| None))) {
            if let Some(answer) = answer {
                let _ = letter.answer.send(answer);
            }
        }
    }
}

/// Writes a batch in one transaction. Everything is `None` when nothing was written, for sure; an
/// error when nobody knows.
async fn write<M: Matter>(db: &Db, matters: &[Arc<M>]) -> db::Result<Vec<Option<M::Answer>>> {
    let nothing = || matters.iter().map(|_| None).collect();
    let written = async {
        let mut tx = db.begin_with(M::BEGIN).await?;
        let answers = M::write(&mut tx, matters).await?;
        Ok::<_, db::Error>((tx, answers))
    };
    let (tx, answers) = match written.await {
        Ok(done) => done,
        Err(error) => {
            tracing::debug!(%error, count = matters.len(), "a batch could not be written: each does it alone");
            return Ok(nothing());
        }
    };
    match tx.commit().await {
        Ok(()) => Ok(answers),
        // Postgres itself refused it.
        Err(db::Error::Refused { .. } | db::Error::Other(sqlx::Error::Database(_))) => Ok(nothing()),
        Err(error) => Err(error),
    }
}

/// What can be written together.
#[async_trait]
trait Matter: Send + Sync + 'static {
    type Answer: Send + 'static;

    /// How the transaction begins.
    const BEGIN: &'static str;

    /// Writes, and says of each what became of it; `None` where it was left out.
    async fn write(tx: &mut Tx, matters: &[Arc<Self>]) -> db::Result<Vec<Option<Self::Answer>>>;
}

#[async_trait]
impl Matter for Advance {
    type Answer = bool;
    const BEGIN: &'static str = steps::BEGIN_MANY;

    async fn write(tx: &mut Tx, matters: &[Arc<Self>]) -> db::Result<Vec<Option<bool>>> {
        steps::advance_many(tx, matters).await
    }
}

#[async_trait]
impl Matter for End {
    type Answer = bool;
    const BEGIN: &'static str = claim::BEGIN_ENDS;

    async fn write(tx: &mut Tx, matters: &[Arc<Self>]) -> db::Result<Vec<Option<bool>>> {
        let mut answers = Vec::with_capacity(matters.len());
        for end in matters {
            answers.push(Some(failpoint::within(end.run.label.clone(), end.write(tx)).await?));
        }
        Ok(answers)
    }
}
