//! Why each run waits, where it stands in line, and when it is likely to start.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

use super::forecast::{AtWork, Candidate, Hands, Start, forecast};
use super::store::queue::{self as store, RunningRow, WaitingRow};
use super::store::{circuits, freezes, workers};
use super::{AGEING, Circuit, Freeze};
use crate::base::id::RunId;
use crate::db::Result;

/// How many waiting runs are looked at: the first ones of the queue.
pub const MOST: i64 = 300;

/// Why a run waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Every worker that could take it is busy, or it is about to be taken.
    Turn,
    /// Another run of the same environment is before it.
    Lane {
        /// That run.
        run: RunId,
        /// What it does.
        label: String,
    },
    /// The last attempt met an error: it is tried again later.
    Again {
        /// When.
        at: Timestamp,
    },
    /// A freeze holds it.
    Frozen {
        /// Why, in the words of who set it.
        reason: String,
        /// Until when; none: until it is lifted.
        until: Option<Timestamp>,
    },
    /// Several environments in a row met an error there: one run tries, the others wait.
    Circuit {
        /// `the target eu-small`, `the provider terraform`.
        of: String,
        /// How many environments.
        environments: i32,
        /// From when on one may try.
        until: Timestamp,
    },
    /// No live worker has what it needs.
    NoWorker {
        /// The labels that none has, or none has together.
        labels: Vec<String>,
        /// No worker knows this kind of run at all.
        kind: Option<String>,
    },
    /// As many are at work on its target, or with its provider, as may.
    Limit {
        /// `the target eu-small`, `the provider terraform`.
        of: String,
        /// How many may be.
        most: i64,
    },
}

impl Why {
    /// One sentence for people.
    pub fn sentence(&self) -> String {
        match self {
            Self::Turn => "Waits for a free worker.".to_owned(),
            Self::Lane { label, .. } => format!("Waits for “{label}”: one at a time for each environment."),
            Self::Again { .. } => "The last attempt met an error; it is tried again.".to_owned(),
            Self::Frozen { reason, .. } => format!("Held by a freeze: {reason}"),
            // Not what they met: it may be of another project.
            Self::Circuit { of, environments, .. } => {
                format!("Held: {environments} environments in a row met an error at {of}.")
            }
            Self::NoWorker { kind: Some(kind), .. } => format!("No worker can take this: none knows {kind}."),
            Self::NoWorker { labels, .. } if labels.is_empty() => {
                "Waits for a worker: none is there at the moment.".to_owned()
            }
            Self::NoWorker { labels, .. } => {
                let word = if labels.len() == 1 { "label" } else { "labels" };
                format!("No worker can take this: needs {word} {}.", labels.join(", "))
            }
            Self::Limit { of, most } => format!("Waits for {of}: at most {most} at a time."),
        }
    }

    /// The word in the API.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Turn => "turn",
            Self::Lane { .. } => "lane",
            Self::Again { .. } => "again",
            Self::Frozen { .. } => "frozen",
            Self::Circuit { .. } => "circuit",
            Self::NoWorker { .. } => "no_worker",
            Self::Limit { .. } => "limit",
        }
    }

    /// Whether its turn does not come before something else happens.
    pub fn holds(&self) -> bool {
        match self {
            Self::Frozen { .. } | Self::Circuit { .. } | Self::NoWorker { .. } => true,
            Self::Turn | Self::Lane { .. } | Self::Again { .. } | Self::Limit { .. } => false,
        }
    }

    /// When that ends, where it is known.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Again { at } => Some(*at),
            Self::Frozen { until, .. } => *until,
            Self::Circuit { until, .. } => Some(*until),
            Self::Turn | Self::Lane { .. } | Self::NoWorker { .. } | Self::Limit { .. } => None,
        }
    }
}

/// A run that waits.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// The run.
    pub id: RunId,
    /// What it does, for people.
    pub label: String,
    /// What it works on.
    pub subject: Uuid,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// Its project's slug.
    pub project: String,
    /// Asked for by Paddock itself.
    pub automatic: bool,
    /// Why it waits.
    pub why: Why,
    /// Its place in line; none: it is held, or nobody can take it.
    pub position: Option<usize>,
    /// How long until it is likely to start; none: unknown.
    pub starts_in: Option<Duration>,
}

/// The queue as it is now.
#[derive(Debug, Clone)]
pub struct Queue {
    /// How many wait in all.
    pub total: i64,
    /// How many are at work.
    pub running: usize,
    /// The first ones, in the order in which they are likely to start; those without a place last.
    pub waiting: Vec<Waiting>,
}

impl Queue {
    /// How many runs are at work on each target.
    pub async fn at_work(connection: &mut PgConnection) -> Result<BTreeMap<Uuid, i64>> {
        store::at_work(connection).await
    }
}

/// The queue now.
pub async fn queue(connection: &mut PgConnection) -> Result<Queue> {
    let waiting = store::waiting(connection, MOST).await?;
    let running = store::running(connection).await?;
    let hands: Vec<Hands> = live(connection).await?;
    let limits = store::limits(connection).await?;
    let freezes: Vec<Freeze> = freezes::list(connection).await?.into_iter().filter(|freeze| freeze.in_force).collect();
    let kinds: Vec<String> =
        waiting.iter().map(|row| row.kind.clone()).chain(running.iter().map(|row| row.kind.clone())).collect();
    let circuits = circuits::list(connection).await?;
    let usual = store::usual(connection, &kinds).await?;
    let total = store::total(connection).await?;
    let sight = Sight { running: &running, hands: &hands, limits: &limits, freezes: &freezes, circuits: &circuits };
    let mut first_of_lane: BTreeMap<Uuid, (RunId, String)> =
        running.iter().map(|row| (row.subject_id, (row.id, row.label.clone()))).collect();
    let mut whys = Vec::with_capacity(waiting.len());
    let mut candidates = Vec::new();
    for row in &waiting {
        let before = first_of_lane.get(&row.subject_id).cloned();
        let why = sight.why(row, before);
        first_of_lane.entry(row.subject_id).or_insert((row.id, row.label.clone()));
        if !why.holds() {
            candidates.push(sight.candidate(row));
        }
        whys.push(why);
    }
    let at_work: Vec<AtWork> = running.iter().map(|row| sight.at_work(row)).collect();
    let starts = forecast(&candidates, &at_work, &hands, &usual);
    let mut waiting: Vec<Waiting> = waiting
        .into_iter()
        .zip(whys)
        .map(|(row, why)| {
            let start: Option<Start> = starts.get(&row.id).copied();
            Waiting {
                id: row.id,
                label: row.label,
                subject: row.subject_id,
                queued_at: row.created_at.to_jiff(),
                project: row.project.unwrap_or_default(),
                automatic: row.priority > 100,
                why,
                position: start.map(|start| start.position),
                starts_in: start.and_then(|start| start.after),
            }
        })
        .collect();
    waiting.sort_by_key(|one| (one.position.is_none(), one.position));
    Ok(Queue { total, running: running.len(), waiting })
}

/// One waiting run with its place in line. `None`: it does not wait, or stands far behind.
pub async fn place_in_line(connection: &mut PgConnection, id: RunId) -> Result<Option<Waiting>> {
    Ok(queue(connection).await?.waiting.into_iter().find(|one| one.id == id))
}

async fn live(connection: &mut PgConnection) -> Result<Vec<Hands>> {
    let workers = workers::list(connection).await?.into_iter().filter(|worker| !worker.silent && !worker.draining);
    Ok(workers
        .map(|worker| Hands {
            name: worker.name,
            slots: usize::try_from(worker.slots).unwrap_or(0),
            kinds: worker.kinds,
            labels: worker.labels,
        })
        .collect())
}

/// All that a run's waiting is explained with.
struct Sight<'a> {
    running: &'a [RunningRow],
    hands: &'a [Hands],
    limits: &'a store::Limits,
    freezes: &'a [Freeze],
    circuits: &'a [Circuit],
}

impl Sight<'_> {
    fn why(&self, row: &WaitingRow, before: Option<(RunId, String)>) -> Why {
        let freeze = self.freezes.iter().find(|freeze| freeze.place.is_none() || freeze.place == row.place_id);
        if let Some(freeze) = freeze {
            return Why::Frozen { reason: freeze.reason.clone(), until: freeze.ends_at };
        }
        if let Some(why) = self.nobody(row) {
            return why;
        }
        if let Some((run, label)) = before {
            return Why::Lane { run, label };
        }
        let there = |circuit: &&Circuit| circuit.provider == row.provider && circuit.target == row.target_id;
        if let Some(circuit) = self.circuits.iter().find(there) {
            return Why::Circuit { of: circuit.of.clone(), environments: circuit.environments, until: circuit.until };
        }
        if row.later {
            return Why::Again { at: row.run_at.to_jiff() };
        }
        for (name, of, most) in self.limits_of(row.target_id, &row.provider) {
            let count = self.running.iter().filter(|run| self.counts(run).contains(&name)).count();
            if i64::try_from(count).unwrap_or(i64::MAX) >= most {
                return Why::Limit { of, most };
            }
        }
        Why::Turn
    }

    fn nobody(&self, row: &WaitingRow) -> Option<Why> {
        if self.hands.iter().any(|hands| hands.fits(&row.kind, &row.labels)) {
            return None;
        }
        let able: Vec<&Hands> = self.hands.iter().filter(|hands| hands.kinds.contains(&row.kind)).collect();
        if able.is_empty() {
            let kind = (!self.hands.is_empty()).then(|| row.kind.clone());
            return Some(Why::NoWorker { labels: Vec::new(), kind });
        }
        let nowhere = |label: &&String| !able.iter().any(|hands| hands.labels.contains(label));
        let missing: Vec<String> = row.labels.iter().filter(nowhere).cloned().collect();
        let labels = if missing.is_empty() { row.labels.clone() } else { missing };
        Some(Why::NoWorker { labels, kind: None })
    }

    /// The limits of a target and a provider: key, words, how many.
    fn limits_of(&self, target: Option<Uuid>, provider: &str) -> Vec<(String, String, i64)> {
        let mut found = Vec::new();
        if let Some((id, (slug, most))) = target.and_then(|id| Some((id, self.limits.targets.get(&id)?))) {
            found.push((id.to_string(), format!("the target {slug}"), *most));
        }
        if let Some(most) = self.limits.providers.get(provider) {
            found.push((provider.to_owned(), format!("the provider {provider}"), *most));
        }
        found
    }

    fn counts(&self, run: &RunningRow) -> Vec<String> {
        self.limits_of(run.target_id, &run.provider).into_iter().map(|(name, _, _)| name).collect()
    }

    fn candidate(&self, row: &WaitingRow) -> Candidate {
        let limits = self.limits_of(row.target_id, &row.provider);
        let due_for = Duration::from_secs_f64(row.due_seconds.max(0.0));
        Candidate {
            id: row.id,
            subject: row.subject_id,
            project: row.project_id.0,
            kind: row.kind.clone(),
            labels: row.labels.clone(),
            rank: if due_for > AGEING { row.priority.min(100) } else { row.priority },
            due_for,
            not_before: Duration::from_secs_f64((-row.due_seconds).max(0.0)),
            limits: limits.into_iter().map(|(name, _, most)| (name, most)).collect(),
        }
    }

    fn at_work(&self, row: &RunningRow) -> AtWork {
        AtWork {
            subject: row.subject_id,
            project: row.project_id.0,
            kind: row.kind.clone(),
            worker: row.worker.clone().unwrap_or_default(),
            running_for: Duration::from_secs_f64(row.seconds.max(0.0)),
            limits: self.counts(row),
        }
    }
}
