//! Following runs: many readers, one look at the database for all of them.
//!
//! A task looks at every followed run once a second, and at once (a few milliseconds of hints
//! together) when one has news. What it sees is shared: a reader takes the lines after its own place
//! from it, and reads the database itself only when it is further behind than the look reaches back.
//! So two thousand readers of a run cost what one costs, and a slow one holds up nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::store::{log, runs, steps};
use super::{Event, LogLine, Run, RunStep, Signals};
use crate::base::id::RunId;
use crate::db::{Db, Error, Result, in_time};

/// How often the database is looked at without a hint.
const POLL: Duration = Duration::from_secs(1);
/// Hints come in bursts: one look for all of this time.
const PAUSE: Duration = Duration::from_millis(20);
/// How many of its last lines a look at a run brings.
pub const REACH: i64 = 500;

/// What a look at a run brought.
#[derive(Debug)]
pub struct Look {
    /// The run.
    pub run: Run,
    /// Its steps.
    pub steps: Vec<RunStep>,
    /// Its last lines, oldest first: all that it wrote before the look, but at most [`REACH`].
    lines: Vec<LogLine>,
}

type Looks = watch::Sender<Option<Arc<Look>>>;

/// Tells readers of runs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Followers {
    db: Db,
    followed: Arc<Mutex<BTreeMap<RunId, Looks>>>,
    joined: Arc<Notify>,
}

impl Followers {
    /// Followers of this process, and the task that looks for them.
    pub fn new(db: Db, signals: &Signals, stop: CancellationToken) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let this = Self { db, followed: Arc::default(), joined: Arc::default() };
        let hints = signals.subscribe();
        (this.clone(), this.look_after(hints, stop))
    }

    /// Follows a run, from after its line `after`.
    pub fn follow(&self, id: RunId, after: i64) -> Follower {
        let mut followed = self.followed();
        let mut looks = followed.entry(id).or_insert_with(|| watch::Sender::new(None)).subscribe();
        drop(followed);
        // What is there already counts as seen for who subscribes: not for who has seen nothing.
        looks.mark_changed();
        self.joined.notify_one();
        Follower { db: self.db.clone(), id, after, looks, seen: None }
    }

    fn followed(&self) -> std::sync::MutexGuard<'_, BTreeMap<RunId, Looks>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look_after(self, mut hints: broadcast::Receiver<Event>, stop: CancellationToken) {
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let mut news = BTreeSet::new();
            let all = tokio::select! {
                () = stop.cancelled() => return,
                _ = poll.tick() => true,
                () = self.joined.notified() => false,
                hint = hints.recv() => note(&hint, &mut news),
            };
            tokio::time::sleep(PAUSE).await;
            let all = std::iter::from_fn(|| match hints.try_recv() {
                Ok(event) => Some(note(&Ok(event), &mut news)),
                Err(broadcast::error::TryRecvError::Lagged(missed)) => {
                    Some(note(&Err(RecvError::Lagged(missed)), &mut news))
                }
                Err(_) => None,
            })
            .fold(all, |all, one| all || one);
            let wanted = self.wanted(all, &news);
            if let Err(error) = in_time(self.look(&wanted)).await {
                tracing::debug!(%error, "followed runs could not be looked at");
            }
        }
    }

    /// The runs to look at: those with news, those never looked at, or all. Forgets those that nobody
    /// follows any more.
    fn wanted(&self, all: bool, news: &BTreeSet<RunId>) -> Vec<RunId> {
        let mut followed = self.followed();
        followed.retain(|_, looks| looks.receiver_count() > 0);
        let wanted = followed.iter().filter(|(id, looks)| all || looks.borrow().is_none() || news.contains(id));
        wanted.map(|(id, _)| *id).collect()
    }

    async fn look(&self, wanted: &[RunId]) -> Result<()> {
        if wanted.is_empty() {
            return Ok(());
        }
        let mut connection = self.db.acquire().await?;
        // The runs first: what one wrote before it ended is then among the lines that follow.
        let runs = runs::some(&mut connection, wanted).await?;
        let mut steps = steps::of_some(&mut connection, wanted).await?;
        let mut lines = log::ends(&mut connection, wanted, REACH).await?;
        drop(connection);
        for run in runs {
            let id = run.id;
            let steps = steps.remove(&id).unwrap_or_default();
            let look = Look { run, steps, lines: lines.remove(&id).unwrap_or_default() };
            if let Some(looks) = self.followed().get(&id) {
                looks.send_replace(Some(Arc::new(look)));
            }
        }
        Ok(())
    }
}

/// Notes the run that a hint tells of. True: hints were missed, so that any run may have news.
fn note(hint: &Result<Event, RecvError>, news: &mut BTreeSet<RunId>) -> bool {
    match hint {
        Ok(Event::Run(id)) => {
            news.insert(*id);
            false
        }
        Ok(Event::Queue | Event::Policies) => false,
        Err(_) => true,
    }
}

/// One reader's place in a run.
#[derive(Debug)]
pub struct Follower {
    db: Db,
    id: RunId,
    after: i64,
    looks: watch::Receiver<Option<Arc<Look>>>,
    /// A look that has more lines than were taken at once.
    seen: Option<Arc<Look>>,
}

/// What is new for a reader.
#[derive(Debug)]
pub struct News {
    /// Run and steps as they are.
    pub look: Arc<Look>,
    /// The next lines.
    pub lines: Vec<LogLine>,
    /// The run has ended, and these were its last lines.
    pub last: bool,
}

impl Follower {
    /// The number of the last line that was taken.
    pub fn after(&self) -> i64 {
        self.after
    }

    /// The run that is followed.
    pub fn run(&self) -> RunId {
        self.id
    }

    /// Waits for the next look; comes at once with what is there already. Nothing is lost when it is
    /// dropped before it has come.
    pub async fn next(&mut self) -> Result<News> {
        let look = match self.seen.take() {
            Some(look) => look,
            None => loop {
                // The task that looks lives as long as the process.
                self.looks.changed().await.map_err(|_| Error::RowNotFound)?;
                if let Some(look) = self.looks.borrow_and_update().clone() {
                    break look;
                }
            },
        };
        let reached = look.lines.first().map_or(0, |line| line.seq - 1);
        let end = look.lines.last().map_or(0, |line| line.seq);
        let lines = if self.after < reached {
            self.seen = Some(Arc::clone(&look));
            // On the heap, and only now: it is larger than all else that a reader keeps.
            let lines = Box::pin(behind(&self.db, self.id, self.after)).await?;
            self.seen = None;
            lines
        } else {
            look.lines.iter().filter(|line| line.seq > self.after).cloned().collect()
        };
        self.after = lines.last().map_or(self.after, |line| line.seq);
        if self.after < end {
            self.seen = Some(Arc::clone(&look));
        }
        let last = look.run.state.is_terminal() && self.after >= end;
        Ok(News { look, lines, last })
    }
}

async fn behind(db: &Db, run: RunId, after: i64) -> Result<Vec<LogLine>> {
    log::after(&mut *db.acquire().await?, run, after, REACH).await
}
