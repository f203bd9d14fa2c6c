//! The simulated cloud's interface: create, update, delete, read, each with latency and faults.
//!
//! Faults are drawn from the book and the seed alone, so the same template with the same seed goes
//! wrong in the same way, and a fault that hit once does not hit again after a crash.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::config::{CHAOS, Config, Fault, FaultKind, Verb};
use super::ledger::{Call, Done, Effect, Holdings, Ledger, Line, Object};
use crate::base::failpoint::reach;
use crate::base::{Clock as _, Digest, SystemClock};
use crate::providers::{Job, ProviderError};

/// How often, and how long, another process's call is waited for: 20 s.
const LOCK_LOOKS: u32 = 4_000;
const LOCK_POLL: Duration = Duration::from_millis(5);

/// How an answer can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Done, by the cloud's word.
    Done {
        /// The object's id, by the cloud's word.
        id: String,
    },
    /// Not now.
    Throttled(String),
    /// Never.
    Refused(String),
    /// What this token made is gone: a new one needs a new token.
    Spent,
    /// An error, which says nothing about the effect.
    Broken,
    /// No answer: it may or may not have happened.
    Silence,
}

/// The cloud as one attempt sees it.
pub struct Cloud<'a> {
    /// Its book.
    pub ledger: &'a Arc<Ledger>,
    /// How it behaves.
    pub config: &'a Config,
    /// Who calls.
    pub job: &'a Job,
}

/// The token of the one object of this name that this environment may have at a time; `made` is how
/// many were made before.
pub fn token(job: &Job, object: &str, made: u32) -> String {
    Digest::of(format!("{}/{object}/{made}", job.environment).as_bytes()).to_string()
}

impl Cloud<'_> {
    /// Changes something.
    pub async fn call(&self, verb: Verb, object: &str, token: &str) -> Result<Answer, ProviderError> {
        self.wait(self.config.latency).await?;
        reach("simulated.call");
        let (answer, number) = self.on_the_book(|cloud, holdings| cloud.decide(holdings, verb, object, token)).await?;
        reach("simulated.effect");
        if answer == Answer::Silence {
            self.wait(self.config.timeout).await?;
            return Ok(answer);
        }
        self.on_the_book(move |_, _| (Some(Line::Answer { call: number }), Ok(()))).await?;
        reach("simulated.answered");
        Ok(answer)
    }

    /// What a read finds. `None` may be a lie for a while; `Some` is what is there.
    pub async fn read(&self, object: &str) -> Result<Option<Object>, ProviderError> {
        self.wait(self.config.latency).await?;
        self.on_the_book(|cloud, holdings| {
            let there = holdings.objects.get(&(cloud.job.environment, object.to_owned()));
            match there {
                // Only a read that lies has a line: it counts.
                Some(there) if there.hidden > 0 => {
                    let call = cloud.line(holdings, Verb::Read, object, "", Some(FaultKind::Invisible));
                    (Some(Line::Call(Call { effect: Some(Effect::Overlooked), ..call })), Ok(None))
                }
                found => (None, Ok(found.cloned())),
            }
        })
        .await
    }

    /// The names of everything that this environment owns and that reads find.
    pub async fn list(&self) -> Result<Vec<(String, Object)>, ProviderError> {
        self.wait(self.config.latency).await?;
        self.on_the_book(|cloud, holdings| {
            let mine = holdings.objects.iter().filter(|((owner, _), _)| *owner == cloud.job.environment);
            let seen = mine.filter(|(_, object)| object.hidden == 0);
            (None, Ok(seen.map(|((_, name), object)| (name.clone(), object.clone())).collect()))
        })
        .await
    }

    /// What the book says of this environment, from its beginning, in words.
    pub async fn account(&self) -> Result<String, ProviderError> {
        self.on_the_book(|cloud, holdings| {
            let owner = cloud.job.environment;
            let Done { made, changed, removed } = holdings.done.get(&owner).copied().unwrap_or_default();
            let calls: u32 = holdings.calls.iter().filter(|((one, ..), _)| *one == owner).map(|(_, count)| count).sum();
            let mut wrong: BTreeMap<FaultKind, u32> = BTreeMap::new();
            for ((.., kind), count) in holdings.faults.iter().filter(|((one, ..), _)| *one == owner) {
                *wrong.entry(*kind).or_default() += count;
            }
            let wrong: Vec<String> =
                wrong.into_iter().map(|(kind, count)| format!("{} {count}×", kind.name())).collect();
            let wrong = if wrong.is_empty() { "nothing".to_owned() } else { wrong.join(", ") };
            let text =
                format!("{made} made, {changed} changed, {removed} removed in {calls} calls; went wrong: {wrong}");
            (None, Ok(text))
        })
        .await
    }

    /// Waits, unless the run is canceled meanwhile.
    pub async fn wait(&self, time: Duration) -> Result<(), ProviderError> {
        tokio::select! {
            biased;
            () = self.job.cancel.cancelled() => Err(ProviderError::Canceled),
            () = sleep(time) => Ok(()),
        }
    }

    /// Waits until no other process writes: a call is short, and a process may be stopped in it.
    async fn on_the_book<T>(
        &self,
        decide: impl FnOnce(&Self, &Holdings) -> (Option<Line>, Result<T, ProviderError>),
    ) -> Result<T, ProviderError> {
        for _ in 0..LOCK_LOOKS {
            if let Some(held) = self.ledger.try_hold()? {
                return held.write(|holdings| decide(self, holdings))?;
            }
            self.wait(LOCK_POLL).await?;
        }
        Err(ProviderError::retryable("the simulated cloud's book is held by another process"))
    }

    fn decide(
        &self,
        holdings: &Holdings,
        verb: Verb,
        object: &str,
        token: &str,
    ) -> (Option<Line>, Result<(Answer, u64), ProviderError>) {
        let newest = holdings.newest.get(&self.job.environment);
        if newest.is_some_and(|newest| *newest > self.job.turn()) {
            // A cloud behind a state lock knows who holds it, as Paddock's Terraform backend does.
            let call = self.line(holdings, verb, object, token, None);
            return (Some(Line::Call(Call { stale: true, ..call })), Err(ProviderError::LeaseLost));
        }
        let fault = self.fault(holdings, verb, object);
        let kind = fault.as_ref().map(|fault| fault.kind);
        let there = holdings.objects.get(&(self.job.environment, object.to_owned()));
        let effect = match kind {
            Some(FaultKind::Throttle | FaultKind::Refuse | FaultKind::OkNoEffect | FaultKind::DropRequest) => None,
            _ => self.effect(holdings, there, verb, object, token, fault.as_ref()),
        };
        let id = match (&effect, there) {
            (Some(Effect::Made { id, .. }), _) => id.clone(),
            (_, Some(there)) => there.id.clone(),
            (_, None) => format!("{object}-{}", holdings.last + 1),
        };
        let said = |otherwise: String| fault.as_ref().and_then(|fault| fault.message.clone()).unwrap_or(otherwise);
        let spent = verb == Verb::Create && there.is_none() && holdings.tokens.contains_key(token);
        let answer = match kind {
            None if spent => Answer::Spent,
            None | Some(FaultKind::OkNoEffect | FaultKind::Invisible) => Answer::Done { id },
            Some(FaultKind::Throttle) => Answer::Throttled(said(format!("TooManyRequests: {object} must wait"))),
            Some(FaultKind::Refuse) => Answer::Refused(said(format!("QuotaExceeded: no room for {object}"))),
            Some(FaultKind::Partial | FaultKind::EffectThen500) => Answer::Broken,
            Some(FaultKind::WrongId) => Answer::Done { id: format!("{object}-of-somebody-else") },
            Some(FaultKind::DropResponse | FaultKind::DropRequest) => Answer::Silence,
        };
        let call = Call { effect, ..self.line(holdings, verb, object, token, kind) };
        let number = call.number;
        (Some(Line::Call(call)), Ok((answer, number)))
    }

    fn effect(
        &self,
        holdings: &Holdings,
        there: Option<&Object>,
        verb: Verb,
        object: &str,
        token: &str,
        fault: Option<&Fault>,
    ) -> Option<Effect> {
        let spec = self.config.spec.clone();
        match (verb, there) {
            // The token is what makes it once, also when the object is gone by now.
            (Verb::Create, _) if holdings.tokens.contains_key(token) => None,
            (Verb::Create, _) => Some(Effect::Made {
                id: format!("{object}-{}", holdings.last + 1),
                spec,
                whole: fault.is_none_or(|fault| fault.kind != FaultKind::Partial),
                hidden: match fault {
                    Some(Fault { kind: FaultKind::Invisible, reads, .. }) => reads.unwrap_or(3),
                    _ => 0,
                },
            }),
            (Verb::Update, Some(there)) if !there.whole || there.spec != spec => Some(Effect::Changed { spec }),
            (Verb::Delete, Some(_)) => Some(Effect::Removed),
            (Verb::Update | Verb::Delete | Verb::Read, _) => None,
        }
    }

    fn line(&self, holdings: &Holdings, verb: Verb, object: &str, token: &str, fault: Option<FaultKind>) -> Call {
        Call {
            number: holdings.last + 1,
            at: SystemClock.now(),
            environment: self.job.environment,
            run: self.job.run.0,
            since: self.job.since,
            attempt: self.job.attempt,
            generation: self.job.generation,
            verb,
            object: object.to_owned(),
            token: token.to_owned(),
            fault,
            stale: false,
            effect: None,
        }
    }

    /// What goes wrong with this call.
    fn fault(&self, holdings: &Holdings, verb: Verb, object: &str) -> Option<Fault> {
        let owner = self.job.environment;
        let hits = |kind| holdings.faults.get(&(owner, verb, object.to_owned(), kind)).copied().unwrap_or(0);
        let fits = |fault: &&Fault| {
            let most = fault.times.unwrap_or(if fault.kind == FaultKind::Refuse { u32::MAX } else { 1 });
            fault.verb.unwrap_or(Verb::Create) == verb
                && fault.object.as_deref().is_none_or(|wanted| wanted == object)
                && hits(fault.kind) < most
        };
        if let Some(fault) = self.config.faults.iter().find(fits) {
            return Some(fault.clone());
        }
        // Chance, but the same one each time: by seed, verb, object and the number of the call.
        let turn = holdings.calls.get(&(owner, verb, object.to_owned())).copied().unwrap_or(0);
        let drawn = Digest::of(format!("{}/{verb:?}/{object}/{turn}", self.config.seed).as_bytes()).0;
        let [percent, which, ..] = drawn;
        if percent % 100 >= self.config.chaos_percent {
            return None;
        }
        let kind = CHAOS.get(usize::from(which) % CHAOS.len()).copied()?;
        Some(Fault { kind, verb: None, object: None, times: None, reads: None, message: None })
    }
}
