//! When each waiting run is likely to start: the queue played through as the claim would do it.
//!
//! Pure. Workers with their slots take runs in the claim's order (people, then the project with the
//! fewest runs at work, then the oldest); how long a run takes is the middle of the last ones of its
//! kind. Where a kind has no history, nothing behind it has an estimate: rather none than a wrong one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use uuid::Uuid;

use crate::base::id::RunId;

/// A run that waits and could be taken by some worker.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The run.
    pub id: RunId,
    /// Its lane.
    pub subject: Uuid,
    /// Its team.
    pub project: Uuid,
    /// Its kind.
    pub kind: String,
    /// What it asks of workers.
    pub labels: Vec<String>,
    /// Lower is sooner, after ageing.
    pub rank: i32,
    /// How long it has been due; the longest goes first.
    pub due_for: Duration,
    /// How long until it may be tried (again).
    pub not_before: Duration,
    /// What is counted with it, and how many may be at work: its target, its provider.
    pub limits: Vec<(String, i64)>,
}

/// A run at work.
#[derive(Debug, Clone)]
pub struct AtWork {
    /// Its lane.
    pub subject: Uuid,
    /// Its team.
    pub project: Uuid,
    /// Its kind.
    pub kind: String,
    /// Which worker holds it.
    pub worker: String,
    /// For how long.
    pub running_for: Duration,
    /// What is counted with it.
    pub limits: Vec<String>,
}

/// A worker that takes runs.
#[derive(Debug, Clone)]
pub struct Hands {
    /// Its name.
    pub name: String,
    /// How many runs at once.
    pub slots: usize,
    /// The kinds that it knows.
    pub kinds: Vec<String>,
    /// What it has.
    pub labels: Vec<String>,
}

impl Hands {
    /// Whether it could execute such a run.
    pub fn fits(&self, kind: &str, labels: &[String]) -> bool {
        self.kinds.iter().any(|known| known == kind) && labels.iter().all(|label| self.labels.contains(label))
    }
}

/// A place in line and, if it can be known, how long until the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// From 1.
    pub position: usize,
    /// From now on; none: unknown.
    pub after: Option<Duration>,
}

/// Something at work in the play: until when (unknown: nobody knows), and what it holds.
struct Busy {
    until: Option<Duration>,
    worker: usize,
    subject: Uuid,
    project: Uuid,
    limits: Vec<String>,
}

/// Plays the queue through. `waiting` may hold several runs of a lane, in the lane's order.
pub fn forecast(
    waiting: &[Candidate],
    at_work: &[AtWork],
    workers: &[Hands],
    usual: &BTreeMap<String, Duration>,
) -> BTreeMap<RunId, Start> {
    let mut busy: Vec<Busy> = at_work
        .iter()
        .map(|run| Busy {
            // Longer than usual already: it may end at any moment.
            until: usual.get(&run.kind).map(|usual| usual.saturating_sub(run.running_for)),
            worker: workers.iter().position(|hands| hands.name == run.worker).unwrap_or(usize::MAX),
            subject: run.subject,
            project: run.project,
            limits: run.limits.clone(),
        })
        .collect();
    let mut left: Vec<&Candidate> = waiting.iter().collect();
    let mut starts = BTreeMap::new();
    let mut now = Some(Duration::ZERO);
    while !left.is_empty() {
        if let Some((index, worker)) = next(&left, &busy, workers, now) {
            let run = left.remove(index);
            starts.insert(run.id, Start { position: starts.len() + 1, after: now });
            let until = now.and_then(|now| usual.get(&run.kind).map(|usual| now + *usual));
            let limits = run.limits.iter().map(|(name, _)| name.clone()).collect();
            busy.push(Busy { until, worker, subject: run.subject, project: run.project, limits });
            continue;
        }
        // Nothing fits at this moment: on to the next one at which something ends or becomes due.
        let ends = busy.iter().filter_map(|busy| busy.until);
        let due = left.iter().map(|run| run.not_before).filter(|at| now.is_some_and(|now| *at > now));
        match ends.chain(due).min().filter(|_| now.is_some()) {
            Some(at) => {
                now = now.map(|now| now.max(at));
                busy.retain(|busy| busy.until.is_none_or(|until| Some(until) > now));
            }
            // What is left at work ends nobody knows when: from here on only the order is known.
            None if !busy.is_empty() => {
                now = None;
                busy.remove(0);
            }
            None => break,
        }
    }
    starts
}

/// The run that a worker with a free slot would take now, and the worker.
fn next(left: &[&Candidate], busy: &[Busy], workers: &[Hands], now: Option<Duration>) -> Option<(usize, usize)> {
    let mut lanes = BTreeSet::new();
    let free = |worker: usize, hands: &Hands| busy.iter().filter(|busy| busy.worker == worker).count() < hands.slots;
    let mut best = None;
    for (index, run) in left.iter().enumerate() {
        // Only the first of each lane.
        if !lanes.insert(run.subject) || busy.iter().any(|busy| busy.subject == run.subject) {
            continue;
        }
        let full = run.limits.iter().any(|(name, most)| {
            let count = busy.iter().filter(|busy| busy.limits.contains(name)).count();
            i64::try_from(count).unwrap_or(i64::MAX) >= *most
        });
        if full || now.is_some_and(|now| run.not_before > now) {
            continue;
        }
        let Some(worker) = workers
            .iter()
            .enumerate()
            .position(|(worker, hands)| hands.fits(&run.kind, &run.labels) && free(worker, hands))
        else {
            continue;
        };
        let of_project = busy.iter().filter(|busy| busy.project == run.project).count();
        let key = (run.rank, of_project, std::cmp::Reverse(run.due_for), run.id);
        if best.as_ref().is_none_or(|(known, _, _)| key < *known) {
            best = Some((key, index, worker));
        }
    }
    best.map(|(_, index, worker)| (index, worker))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]
mod tests {
    use super::*;

    fn run(id: u128, project: u128, due_for: u64) -> Candidate {
        Candidate {
            id: RunId(Uuid::from_u128(id)),
            subject: Uuid::from_u128(1000 + id),
            project: Uuid::from_u128(project),
            kind: "create.noop".to_owned(),
            labels: Vec::new(),
            rank: 100,
            due_for: Duration::from_secs(due_for),
            not_before: Duration::ZERO,
            limits: Vec::new(),
        }
    }

    fn hands(slots: usize) -> Hands {
        let kinds = vec!["create.noop".to_owned()];
        Hands { name: "one".to_owned(), slots, kinds, labels: Vec::new() }
    }

    fn minute() -> BTreeMap<String, Duration> {
        BTreeMap::from([("create.noop".to_owned(), Duration::from_secs(60))])
    }

    fn of(starts: &BTreeMap<RunId, Start>, id: u128) -> (usize, Option<u64>) {
        let start = starts[&RunId(Uuid::from_u128(id))];
        (start.position, start.after.map(|after| after.as_secs()))
    }

    #[test]
    fn slots_are_filled_in_the_order_of_the_claim() {
        let waiting = [run(1, 1, 50), run(2, 1, 40), run(3, 1, 30), run(4, 2, 1)];
        let starts = forecast(&waiting, &[], &[hands(2)], &minute());
        assert_eq!(of(&starts, 1), (1, Some(0)));
        assert_eq!(of(&starts, 4), (2, Some(0)), "the other team goes before the second of the first");
        assert_eq!(of(&starts, 2), (3, Some(60)));
        assert_eq!(of(&starts, 3), (4, Some(60)));
    }

    #[test]
    fn a_lane_and_a_limit_are_waited_for() {
        let mut second = run(2, 1, 40);
        second.subject = run(1, 1, 0).subject;
        let mut third = run(3, 1, 30);
        third.limits = vec![("target".to_owned(), 1)];
        let mut fourth = third.clone();
        fourth.id = RunId(Uuid::from_u128(4));
        fourth.subject = Uuid::from_u128(9);
        let starts = forecast(&[run(1, 1, 50), second, third, fourth], &[], &[hands(9)], &minute());
        assert_eq!((of(&starts, 1).1, of(&starts, 2).1), (Some(0), Some(60)));
        assert_eq!((of(&starts, 3).1, of(&starts, 4).1), (Some(0), Some(60)));
    }

    #[test]
    fn without_history_the_order_is_known_and_the_time_is_not() {
        let starts = forecast(&[run(1, 1, 5), run(2, 1, 4)], &[], &[hands(1)], &BTreeMap::new());
        assert_eq!((of(&starts, 1), of(&starts, 2)), ((1, Some(0)), (2, None)));
    }

    #[test]
    fn what_is_at_work_ends_when_it_usually_does() {
        let at_work = AtWork {
            subject: Uuid::from_u128(7),
            project: Uuid::from_u128(1),
            kind: "create.noop".to_owned(),
            worker: "one".to_owned(),
            running_for: Duration::from_secs(45),
            limits: Vec::new(),
        };
        let starts = forecast(&[run(1, 1, 5)], &[at_work], &[hands(1)], &minute());
        assert_eq!(of(&starts, 1), (1, Some(15)));
    }

    #[test]
    fn nobody_to_take_it_is_no_place_in_line() {
        let mut special = run(1, 1, 5);
        special.labels = vec!["gpu".to_owned()];
        assert!(forecast(&[special], &[], &[hands(1)], &minute()).is_empty());
    }
}
