//! Answers that were given before.
//!
//! Every page of a list asks the same about each project, and people ask for the same again and again.
//! An answer depends on its question and the policy sets alone: so a memo belongs to one set (or to the
//! two that a replay compares), and its key is the digest of the whole question.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::question::Question;
use crate::base::Digest;

/// So many answers take about a megabyte. Then all are forgotten.
const MOST: usize = 10_000;

/// Answers by the digests of their questions.
#[derive(Debug)]
pub(super) struct Memo<T = bool>(Mutex<HashMap<Digest, T>>);

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Copy> Memo<T> {
    /// The answer given before, or that of `decide`, which is kept.
    pub(super) fn answer(&self, question: &Question, decide: impl FnOnce() -> T) -> T {
        let Ok(text) = serde_json::to_vec(question) else { return decide() };
        let key = Digest::of(&text);
        if let Some(known) = self.known().get(&key) {
            return *known;
        }
        let answer = decide();
        let mut known = self.known();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(key, answer);
        answer
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::question::{Action, Context, Principal, Resource};
    use super::*;

    #[test]
    fn it_asks_once_and_forgets_before_it_grows_too_large() {
        let question = |part: usize| Question {
            action: Action::ReadProject,
            principal: Principal::system(&part.to_string()),
            resource: Resource::platform(),
            context: Context::default(),
        };
        let memo = Memo::default();
        assert!(memo.answer(&question(0), || true));
        assert!(memo.answer(&question(0), || panic!("it was answered before")));
        for part in 1..=MOST {
            assert!(!memo.answer(&question(part), || false));
        }
        assert!(memo.known().len() <= MOST);
    }
}
