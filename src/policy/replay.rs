//! Stored decisions made again: by another set, to see what would come out otherwise, and by their own,
//! to see that they follow from their records.
//!
//! Memory is bounded: decisions are read by chunks, and what does not flip is forgotten, but for the
//! short answers to the last questions, which people ask again and again. Nothing is skipped in silence:
//! what cannot be made again is counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sqlx::PgConnection;
use tokio::time::Instant;

use super::decision::{Decision, ENGINE_ERROR, Effect, Outcome, Requirement, Rule, StoredDecision};
use super::group::Group;
use super::memo::Memo;
use super::question::Question;
use super::{PolicyEngine, store};
use crate::base::Digest;
use crate::base::cursor::Cursor;
use crate::base::id::DecisionId;
use crate::db::Result;

/// How many decisions are read at a time.
pub const CHUNK: i64 = 200;
/// A part ends with this many flips, or some more.
const MOST_FLIPS: usize = 1000;

/// How a decision would come out otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PolicyFlipKind)]
pub enum FlipKind {
    /// It is allowed or waits for approval, and would be denied.
    NewlyDenied,
    /// It is denied, and would be allowed, perhaps with approval.
    NewlyAllowed,
    /// It would need an approval that it does not need.
    ApprovalAdded,
    /// It would not need an approval that it needs.
    ApprovalDropped,
}

impl FlipKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::NewlyDenied, Self::NewlyAllowed, Self::ApprovalAdded, Self::ApprovalDropped];

    /// “newly denied”.
    pub fn words(self) -> &'static str {
        match self {
            Self::NewlyDenied => "newly denied",
            Self::NewlyAllowed => "newly allowed",
            Self::ApprovalAdded => "approval added",
            Self::ApprovalDropped => "approval dropped",
        }
    }

    /// How `after` differs from `before`, if it does.
    pub fn of(before: &Decision, after: &Decision) -> Option<Self> {
        match (before.outcome, after.outcome) {
            (Outcome::Denied, Outcome::Denied) => None,
            (Outcome::Denied, Outcome::Allowed | Outcome::NeedsApproval) => Some(Self::NewlyAllowed),
            (Outcome::Allowed | Outcome::NeedsApproval, Outcome::Denied) => Some(Self::NewlyDenied),
            (Outcome::Allowed | Outcome::NeedsApproval, Outcome::Allowed | Outcome::NeedsApproval) => {
                let (before, after) = (needed(&before.requirements), needed(&after.requirements));
                if more(&before, &after) {
                    Some(Self::ApprovalAdded)
                } else if more(&after, &before) {
                    Some(Self::ApprovalDropped)
                } else {
                    None
                }
            }
        }
    }
}

/// How many people of each group: an approval counts for one rule, whatever its step.
fn needed(requirements: &[Requirement]) -> BTreeMap<&Group, u32> {
    let mut needed = BTreeMap::new();
    for requirement in requirements {
        *needed.entry(&requirement.by).or_insert(0) += requirement.count;
    }
    needed
}

fn more(before: &BTreeMap<&Group, u32>, after: &BTreeMap<&Group, u32>) -> bool {
    after.iter().any(|(group, count)| before.get(group).is_none_or(|old| old < count))
}

/// A decision that comes out otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Flip {
    /// How.
    pub kind: FlipKind,
    /// The stored decision.
    pub id: DecisionId,
    /// When it was made.
    pub at: jiff::Timestamp,
    /// What was asked.
    pub question: Question,
    /// What the rules in force say.
    pub before: Decision,
    /// What the other rules say.
    pub after: Decision,
}

/// The two sets that a replay compares, as they are at this moment.
#[derive(Debug, Clone)]
pub struct Replay {
    before: PolicyEngine,
    after: PolicyEngine,
    known: Arc<Memo<Known>>,
    /// Whether a rule of either set reads when something is asked. Otherwise time tells no two questions apart.
    reads_time: bool,
}

/// A part of a replay.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Replayed {
    /// How many stored decisions were looked at.
    pub seen: u64,
    /// How many of them cannot be made again: an action or a thing that this Paddock does not know.
    pub lost: u64,
    /// What flips, the oldest first.
    pub flips: Vec<Flip>,
    /// Where to go on; `None`: that was all.
    pub next: Option<Cursor>,
}

impl Replay {
    /// Compares `after` with what is in force.
    pub fn new(before: &PolicyEngine, after: &PolicyEngine) -> Self {
        let (before, after) = (before.now(), after.now());
        let reads_time = before.compiled().reads_time || after.compiled().reads_time;
        Self { before, after, known: Arc::default(), reads_time }
    }

    /// The digests of what is in force and of the other set.
    pub fn digests(&self) -> (Digest, Digest) {
        (self.before.digest(), self.after.digest())
    }

    /// Makes the decisions after `from` again, the oldest first, chunk by chunk until `budget` is over.
    pub async fn part(&self, connection: &mut PgConnection, from: Cursor, budget: Duration) -> Result<Replayed> {
        let begin = Instant::now();
        let mut part = Replayed { next: Some(from), ..Replayed::default() };
        while let Some(after) = part.next {
            let chunk = store::decisions_after(connection, after, CHUNK).await?;
            let whole = i64::try_from(chunk.len()).is_ok_and(|count| count == CHUNK);
            part.next = chunk.last().filter(|_| whole).map(|(place, _)| *place);
            for (_, stored) in chunk {
                part.seen += 1;
                match stored {
                    Ok(stored) => self.add(&mut part, stored),
                    Err(error) => {
                        tracing::warn!(%error, "a stored decision cannot be read");
                        part.lost += 1;
                    }
                }
            }
            if begin.elapsed() >= budget || part.flips.len() >= MOST_FLIPS {
                break;
            }
        }
        Ok(part)
    }

    fn add(&self, part: &mut Replayed, stored: StoredDecision) {
        let mut question = stored.question.clone();
        // Whoever asked before rules could read it asked at the time of the decision.
        question.context.at = question.context.at.or(Some(stored.at)).filter(|_| self.reads_time);
        match self.compare(&question) {
            Compared::Lost => part.lost += 1,
            Compared::Same => {}
            Compared::Flips(kind, both) => {
                let (before, after) = *both;
                let StoredDecision { id, at, question, .. } = stored;
                part.flips.push(Flip { kind, id, at, question, before, after });
            }
        }
    }

    /// The flip of one stored decision, if it is one.
    pub fn flip(&self, stored: StoredDecision) -> Option<Flip> {
        let mut part = Replayed::default();
        self.add(&mut part, stored);
        part.flips.pop()
    }

    /// What both sets say about a question.
    pub fn both(&self, question: &Question) -> (Decision, Decision) {
        (self.before.decide(question), self.after.decide(question))
    }

    fn compare(&self, question: &Question) -> Compared {
        let mut whole = None;
        let known = self.known.answer(question, || {
            let (known, both) = self.compare_anew(question);
            whole = Some(both);
            known
        });
        match known {
            Known::Lost => Compared::Lost,
            Known::Same => Compared::Same,
            Known::Flips(kind) => Compared::Flips(kind, Box::new(whole.unwrap_or_else(|| self.both(question)))),
        }
    }

    fn compare_anew(&self, question: &Question) -> (Known, (Decision, Decision)) {
        let both = self.both(question);
        let known = match FlipKind::of(&both.0, &both.1) {
            _ if failed(&both.0) => Known::Lost,
            Some(kind) => Known::Flips(kind),
            None => Known::Same,
        };
        (known, both)
    }
}

/// What is remembered of a comparison.
#[derive(Debug, Clone, Copy)]
enum Known {
    /// What is in force cannot even be asked.
    Lost,
    Same,
    Flips(FlipKind),
}

enum Compared {
    Lost,
    Same,
    Flips(FlipKind, Box<(Decision, Decision)>),
}

fn failed(decision: &Decision) -> bool {
    decision.rules.iter().any(|rule| rule.id == ENGINE_ERROR)
}

/// Whether a decision that was made again from its record is the one that was stored: outcome, rules,
/// approvals and what rules that are only watched said. The words for “no rule permits it” may change.
pub fn follows(stored: &Decision, again: &Decision) -> bool {
    let rules = |decision: &Decision| -> Vec<(String, Effect, Option<String>)> {
        let reason = |rule: &Rule| (rule.effect != Effect::Default).then(|| rule.reason.clone());
        decision.rules.iter().map(|rule| (rule.id.clone(), rule.effect, reason(rule))).collect()
    };
    stored.policy_digest == again.policy_digest
        && stored.outcome == again.outcome
        && rules(stored) == rules(again)
        && stored.requirements == again.requirements
        && stored.observed == again.observed
}
