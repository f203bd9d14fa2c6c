//! What an admin does with targets. The caller has the permit to.
//!
//! Targets are asked here, in the process that serves pages, between two transactions and never inside
//! one: a check says what this process reaches. What a check finds is masked before it goes anywhere.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::App;
use crate::base::id::{ProjectEnvironmentTypeId, TargetId};
use crate::base::mask::Masks;
use crate::base::{Actor, FieldError, Op};
use crate::db;
use crate::environments::{self, Living};
use crate::orchestrator::Event;
use crate::policy::{Permit, ability};
use crate::projects::{self, ConnectedTarget, Error, NewTarget, StoredTarget, TargetChange};
use crate::providers::{self, Finding, Provider, ProviderError, TargetForm, Verdict};

/// How long a check may take in all; shorter than an answer may.
const CHECK: Duration = Duration::from_secs(20);
/// The longest text of a finding, in characters.
const LONGEST: usize = 600;
/// The most findings that are kept.
const MOST: usize = 40;
/// How many environments are named when a target cannot be disconnected.
const NAMED: i64 = 4;

/// Who makes the target take a new credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetBy {
    /// It takes it already.
    Somebody,
    /// Paddock sets it there, where the provider can.
    Paddock,
}

impl App {
    /// The providers that targets can be connected for, with their forms, by name.
    pub fn target_forms(&self) -> Vec<(&'static str, &'static TargetForm)> {
        self.providers.all().map(|provider| (provider.name(), provider.target_form())).collect()
    }

    fn form(&self, provider: &str) -> Result<&'static TargetForm, Error> {
        let found = self.providers.find(provider);
        found.map(|provider| provider.target_form()).ok_or_else(|| {
            let known: Vec<&str> = self.providers.names().collect();
            let detail = format!("must be a provider: {}", known.join(", "));
            Error::Invalid(vec![FieldError::new("/provider", detail)])
        })
    }

    /// Connects a target and checks it. The same draft with the same key gives the same target.
    pub async fn connect_target(
        &self,
        op: &Op,
        permit: &Permit<ability::ManageTargets>,
        new: &NewTarget,
        key: Option<&str>,
    ) -> Result<ConnectedTarget, Error> {
        let form = self.form(&new.provider)?;
        let person = match op.actor {
            Actor::Person { id, .. } => Some(id),
            Actor::System { .. } | Actor::Operator | Actor::Anonymous => None,
        };
        let mut tx = self.db.begin().await?;
        let (id, fresh) = projects::connect_target(&mut tx, op, &self.sealer, form, new, person.zip(key)).await?;
        tx.commit().await?;
        if fresh {
            self.check_target(op, permit, id).await?;
        }
        self.target(id).await
    }

    async fn target(&self, id: TargetId) -> Result<ConnectedTarget, Error> {
        projects::connected_target(&mut *self.db.acquire().await?, &id.to_string()).await
    }

    /// Changes name, settings and credential of a target, and checks it.
    pub async fn change_target(
        &self,
        op: &Op,
        permit: &Permit<ability::ManageTargets>,
        id: TargetId,
        generation: Option<i64>,
        change: &TargetChange,
    ) -> Result<ConnectedTarget, Error> {
        let mut tx = self.db.begin().await?;
        let before = projects::hold_target(&mut tx, id, generation).await?;
        let form = self.form(&before.provider)?;
        projects::change_target(&mut tx, op, &self.sealer, form, &before, change).await?;
        tx.commit().await?;
        self.check_target(op, permit, id).await?;
        self.target(id).await
    }

    /// Looks whether the target can be reached and used, and keeps what was found.
    pub async fn check_target(
        &self,
        op: &Op,
        _: &Permit<ability::ManageTargets>,
        id: TargetId,
    ) -> Result<Vec<Finding>, Error> {
        let (stored, target) = self.opened(id).await?;
        let findings = self.look_at(&stored.provider, &target).await;
        let mut tx = self.db.begin().await?;
        let stored = projects::hold_target(&mut tx, id, None).await?;
        projects::record_check(&mut tx, op, &stored, &findings).await?;
        tx.commit().await?;
        Ok(findings)
    }

    async fn look_at(&self, provider: &str, target: &providers::Target) -> Vec<Finding> {
        let Some(provider) = self.providers.find(provider) else {
            let detail = format!("This server has no provider {provider}.");
            return vec![Finding::failed("Provider", detail, "Start it with the provider, or disconnect the target.")];
        };
        let found = match tokio::time::timeout(CHECK, provider.check_target(target)).await {
            Ok(found) => found,
            Err(_) => {
                let detail = format!("The check did not end within {} s.", CHECK.as_secs());
                vec![Finding::failed("Reach", detail, "See that the target answers, then check it again.")]
            }
        };
        let secrets = Masks::of(target.secret_texts());
        found.into_iter().take(MOST).map(|finding| masked(finding, &secrets)).collect()
    }

    /// Brings a new credential: it is checked first, then takes the place of the old one in one
    /// transaction. Steps that are under way end with the old one; every later step gets the new one.
    pub async fn rotate_target(
        &self,
        op: &Op,
        _: &Permit<ability::ManageTargets>,
        id: TargetId,
        credential: &Map<String, Value>,
        by: SetBy,
    ) -> Result<ConnectedTarget, Error> {
        let (mut stored, mut current) = self.opened(id).await?;
        if by == SetBy::Paddock && self.settle_rotation(op, &stored, &current).await? {
            (stored, current) = self.opened(id).await?;
        }
        let form = self.form(&stored.provider)?;
        let provider = self.providers.find(&stored.provider).ok_or(Error::NoTarget)?;
        let first = form.secrets().next().map_or("", |field| field.name);
        let wrong = |detail: String| Error::Invalid(vec![FieldError::new(format!("/credential/{first}"), detail)]);
        if by == SetBy::Paddock && !form.sets_credential {
            return Err(wrong("Paddock cannot set it at such a target; set it there, then bring it here".to_owned()));
        }
        let given = form.credential(credential).map_err(Error::Invalid)?;
        let new = match (given, by) {
            (Some(new), _) => new,
            (None, SetBy::Paddock) => SecretString::from(URL_SAFE_NO_PAD.encode(op.entropy().bytes32())),
            (None, SetBy::Somebody) => return Err(wrong("is needed".to_owned())),
        };
        let generation = match by {
            SetBy::Somebody => stored.generation,
            SetBy::Paddock => {
                self.set_there(op, &stored, &*provider, &current, &new).await.map_err(|error| match error {
                    Refused::For(why) => wrong(why),
                    Refused::Other(error) => error,
                })?
            }
        };
        let then = providers::Target { secret: Some(new.clone()), next_secret: None, ..current };
        let findings = self.look_at(&stored.provider, &then).await;
        if let Some(why) = findings.iter().find(|finding| finding.result == Verdict::Failed) {
            let why = format!("{}: {}", why.what, why.detail);
            return Err(match by {
                SetBy::Somebody => wrong(format!("the target does not take it, so the old one stays. {why}")),
                SetBy::Paddock => Error::Unsure(why.trim_end_matches('.').to_owned()),
            });
        }
        let mut tx = self.db.begin().await?;
        let stored = projects::hold_target(&mut tx, id, Some(generation)).await?;
        projects::take_next(&mut tx, op, &self.sealer, &stored, &new, by == SetBy::Paddock).await?;
        let stored = projects::hold_target(&mut tx, id, None).await?;
        projects::record_check(&mut tx, op, &stored, &findings).await?;
        tx.commit().await?;
        self.target(id).await
    }

    pub(super) async fn opened(&self, id: TargetId) -> Result<(StoredTarget, providers::Target), Error> {
        let mut tx = self.db.begin().await?;
        let stored = projects::hold_target(&mut tx, id, None).await?;
        let target = projects::open_target(&mut tx, &self.sealer, id).await?.ok_or(Error::NoTarget)?;
        tx.commit().await?;
        Ok((stored, target))
    }

    /// An earlier rotation was broken off. Where the target took its credential, that becomes the one,
    /// before another one is written over it: `true`.
    async fn settle_rotation(
        &self,
        op: &Op,
        stored: &StoredTarget,
        current: &providers::Target,
    ) -> Result<bool, Error> {
        let Some(next) = &current.next_secret else { return Ok(false) };
        let alone = providers::Target { secret: Some(next.clone()), next_secret: None, ..current.clone() };
        if Finding::worst(&self.look_at(&stored.provider, &alone).await) == Verdict::Failed {
            return Ok(false);
        }
        let mut tx = self.db.begin().await?;
        let stored = projects::hold_target(&mut tx, stored.id, Some(stored.generation)).await?;
        projects::take_next(&mut tx, op, &self.sealer, &stored, next, true).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Keeps the new credential beside the old one, so that runs try both, then sets it at the target.
    /// Gives the generation that the target has by then.
    async fn set_there(
        &self,
        op: &Op,
        before: &StoredTarget,
        provider: &dyn Provider,
        current: &providers::Target,
        new: &SecretString,
    ) -> Result<i64, Refused> {
        let mut tx = self.db.begin().await.map_err(Error::from)?;
        let stored = projects::hold_target(&mut tx, before.id, Some(before.generation)).await?;
        projects::keep_next(&mut tx, op, &self.sealer, &stored, Some(new)).await?;
        tx.commit().await.map_err(Error::from)?;
        let generation = before.generation + 1;
        let set = provider.set_credential(current, new, op.entropy().bytes32());
        let why = match tokio::time::timeout(CHECK, set).await {
            Ok(Ok(())) => return Ok(generation),
            Ok(Err(ProviderError::Failed { message } | ProviderError::Retryable { message })) => message,
            // It may have been carried out: the check with the new one will tell.
            Ok(Err(_)) | Err(_) => return Ok(generation),
        };
        // It was refused before it was carried out: the old one stays, and nothing follows it.
        let mut tx = self.db.begin().await.map_err(Error::from)?;
        let stored = projects::hold_target(&mut tx, before.id, Some(generation)).await?;
        projects::keep_next(&mut tx, op, &self.sealer, &stored, None).await?;
        tx.commit().await.map_err(Error::from)?;
        let secrets = Masks::of(current.secret_texts().into_iter().chain([new.clone()]));
        Err(Refused::For(format!("the target refused to take it, so the old one stays: {}", mask(&why, &secrets))))
    }

    /// From now on, new environments of the project environment type use the target.
    pub async fn bind_target(
        &self,
        op: &Op,
        _: &Permit<ability::ManageTargets>,
        id: TargetId,
        place: ProjectEnvironmentTypeId,
    ) -> Result<ConnectedTarget, Error> {
        let mut tx = self.db.begin().await?;
        let target = projects::hold_target(&mut tx, id, None).await?;
        let label = self.place_label(&mut tx, place).await?;
        projects::bind(&mut tx, op, &target, place, &label).await?;
        tx.commit().await?;
        self.target(id).await
    }

    /// New environments of the project environment type do not use the target any more.
    pub async fn unbind_target(
        &self,
        op: &Op,
        _: &Permit<ability::ManageTargets>,
        id: TargetId,
        place: ProjectEnvironmentTypeId,
    ) -> Result<ConnectedTarget, Error> {
        let mut tx = self.db.begin().await?;
        let target = projects::hold_target(&mut tx, id, None).await?;
        let label = self.place_label(&mut tx, place).await?;
        projects::unbind(&mut tx, op, &target, place, &label).await?;
        tx.commit().await?;
        self.target(id).await
    }

    /// `payments dev`
    async fn place_label(&self, tx: &mut db::Tx, place: ProjectEnvironmentTypeId) -> Result<String, Error> {
        let all = projects::list(tx, None).await?;
        let ids: Vec<_> = all.iter().map(|project| project.id).collect();
        let found = projects::places(tx, &ids).await?.into_iter().find(|found| found.kind.id == place);
        let label = found.and_then(|found| {
            let project = all.iter().find(|project| project.id == found.kind.project)?;
            Some(format!("{} {}", project.slug, found.kind.slug))
        });
        let detail = "there is no such project environment type";
        label.ok_or_else(|| Error::Invalid(vec![FieldError::new("/place", detail)]))
    }

    /// Ends a target on which nothing lives; its credential is gone with it.
    pub async fn disconnect_target(
        &self,
        op: &Op,
        _: &Permit<ability::ManageTargets>,
        id: TargetId,
    ) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        // Nobody makes an environment there while it is held.
        let target = projects::hold_target(&mut tx, id, None).await?;
        let living = environments::on_target(&mut tx, id, NAMED).await?;
        if !living.is_empty() {
            return Err(Error::LivedOn(named(&living)));
        }
        projects::disconnect_target(&mut tx, op, &target).await?;
        tx.commit().await?;
        self.signals.send(Event::Queue);
        Ok(())
    }

    /// Writes down that somebody wanted to do this to a target and may not.
    pub async fn record_refused_target(&self, op: &Op, action: &'static str, target: &str) -> db::Result<()> {
        let mut tx = self.db.begin().await?;
        projects::record_refusal(&mut tx, op, action, target).await?;
        tx.commit().await
    }
}

/// Why the target did not get its new credential: the target, or something else.
enum Refused {
    For(String),
    Other(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// `orders-db (payments) lives`, `a, b, c and more live`
fn named(living: &[Living]) -> String {
    let most = usize::try_from(NAMED - 1).unwrap_or(3);
    let names: Vec<String> = living.iter().take(most).map(|one| format!("{} ({})", one.name, one.project)).collect();
    match (names.as_slice(), living.len() > most) {
        ([one], _) => format!("{one} lives"),
        (_, true) => format!("{} and more live", names.join(", ")),
        ([first @ .., last], false) => format!("{} and {last} live", first.join(", ")),
        ([], false) => String::new(),
    }
}

fn masked(finding: Finding, secrets: &Masks) -> Finding {
    Finding {
        what: mask(&finding.what, secrets),
        detail: mask(&finding.detail, secrets),
        advice: finding.advice.map(|advice| mask(&advice, secrets)),
        ..finding
    }
}

/// The text without secrets and control characters, and not endless.
fn mask(text: &str, secrets: &Masks) -> String {
    secrets.hide(text.chars().filter(|c| !c.is_control()).collect(), LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_tells_no_secret() {
        let secrets = Masks::of([SecretString::from("hunter2 and more"), SecretString::from("abc")]);
        let finding = Finding::failed("Reach", "it said: hunter2 and more\u{7}, abc", "not hunter2 and more");
        let told = masked(finding, &secrets);
        assert_eq!((told.detail.as_str(), told.advice.as_deref()), ("it said: ••••••, abc", Some("not ••••••")));
    }
}
