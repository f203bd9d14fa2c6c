//! `simulated`: a cloud that exists only on this machine, for practice and for tests. It is slow,
//! busy, forgetful and dishonest on request, and keeps a book of everything that it was asked.
//!
//! Modelled on what clouds are known to do. Idempotency tokens are those of EC2's `RunInstances`:
//! a repeated token makes nothing and names what the first call made, and a token whose instance is
//! gone stays spent. Throttling, errors after the effect (HTTP 500 behind a proxy), objects that reads
//! do not find for a while after their creation (eventual consistency), half-made objects, quotas and
//! answers that never come are those of the large clouds' control planes. What no cloud does, but a
//! state lock before it does: calls of an attempt that another one has replaced are refused.
//!
//! Config: `objects` (names, made in this order), `seed`, `latency_ms`, `timeout_ms`, `faults` (see
//! [`config::Fault`]), `chaos_percent`, `scenarios` (named lists of faults). The inputs `scenario`,
//! `seed`, `latency_ms`, `timeout_ms`, `faults`, `chaos_percent` and `objects` (a count) win; all other
//! inputs are what the objects are like. A target is optional: its setting `folder` says where its book lies.
//!
//! Actions: `on`, `off` and `cycle` (off and on again) change what every object is like.
//!
//! Repeat safety. The intent to make an object is saved before the first call for it; the token
//! follows from the environment, the object's name and how many of that name were made before. An
//! answer is never believed: the object is looked for, by owner and name, until it is found whole and
//! as wished, and only then is it said to be there. No answer is *unknown*: look first, then the
//! same call with the same token. Delete addresses by owner and name, so it also ends what no read
//! finds yet.

mod cloud;
mod config;
mod inventory;
mod ledger;
mod record;
mod target;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use self::cloud::{Answer, Cloud, token};
use self::config::{Config, Verb};
use self::ledger::{Ledger, Object};
use self::record::Record;
use super::{
    Difference, DifferenceKind, Drift, Finding, Host, Inventory, Job, Marked, Output, Plan, PlanAction, PlanChange,
    Provider, ProviderError, Resource, Stream, Target, TargetForm,
};
use crate::base::Digest;

/// How often a call is repeated before the run goes back to the queue.
const TRIES: u32 = 12;
/// How often an object is looked for after an answer, before the call is repeated with its token.
const LOOKS: u32 = 6;
/// The wait after the first look or refusal; it doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The provider of the simulated cloud.
#[derive(Debug)]
pub struct SimulatedProvider {
    root: PathBuf,
    books: Mutex<BTreeMap<PathBuf, Arc<Ledger>>>,
}

impl SimulatedProvider {
    /// A cloud whose books lie in the folder `root`, one for each target.
    pub fn new(root: PathBuf) -> Self {
        Self { root, books: Mutex::default() }
    }

    fn book(&self, job: &Job) -> Arc<Ledger> {
        self.book_of(job.target.as_ref())
    }

    fn book_of(&self, target: Option<&Target>) -> Arc<Ledger> {
        let path =
            self.folder(target).join(format!("{}.ledger", target.map_or("default", |target| target.slug.as_str())));
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(books.entry(path.clone()).or_insert_with(|| Arc::new(Ledger::new(path))))
    }
}

#[async_trait]
impl Provider for SimulatedProvider {
    fn name(&self) -> &'static str {
        "simulated"
    }

    async fn check(&self) -> Result<(), String> {
        Ok(())
    }

    fn target_form(&self) -> &'static TargetForm {
        &target::FORM
    }

    async fn check_target(&self, target: &Target) -> Vec<Finding> {
        self.look_at(target)
    }

    async fn plan(&self, job: &Job, host: &dyn Host) -> Result<Plan, ProviderError> {
        let (config, book) = (config::read(job)?, self.book(job));
        let cloud = Cloud { ledger: &book, config: &config, job };
        let record = Record::load(host).await?;
        let wished: &[String] = if job.operation == "delete" { &[] } else { &config.objects };
        let mut changes = Vec::new();
        for name in wished {
            let (action, summary) = match cloud.read(name).await? {
                None => (PlanAction::Create, format!("like {}", config.spec)),
                Some(found) if !found.whole => (PlanAction::Change, "finish what was begun".to_owned()),
                Some(found) if found.spec != config.spec => {
                    (PlanAction::Change, format!("{} → {}", found.spec, config.spec))
                }
                Some(_) => continue,
            };
            changes.push(PlanChange { address: name.clone(), action, summary });
        }
        for name in leftovers(&cloud, &record, wished).await? {
            let summary = format!("remove {name}");
            changes.push(PlanChange { address: name, action: PlanAction::Destroy, summary });
        }
        Ok(Plan::of(changes))
    }

    async fn apply(&self, job: &Job, host: &dyn Host) -> Result<(), ProviderError> {
        let (config, book) = (config::read(job)?, self.book(job));
        let cloud = Cloud { ledger: &book, config: &config, job };
        let mut work = Work { cloud: &cloud, host, record: Record::load(host).await? };
        let result = work.make_all().await;
        work.tell(result).await
    }

    async fn act(&self, job: &Job, host: &dyn Host) -> Result<(), ProviderError> {
        let (config, book) = (config::read(job)?, self.book(job));
        let wanted = job.action.as_ref().map_or("", |action| action.run.as_str());
        let off = off(&config.spec);
        let specs = match wanted {
            "on" => vec![config.spec.clone()],
            "off" => vec![off],
            "cycle" => vec![off, config.spec.clone()],
            other => {
                let message = format!("the simulated cloud knows the actions on, off and cycle, not “{other}”");
                return Err(ProviderError::failed(message));
            }
        };
        for spec in specs {
            let config = Config { spec, ..config.clone() };
            let cloud = Cloud { ledger: &book, config: &config, job };
            let mut work = Work { cloud: &cloud, host, record: Record::load(host).await? };
            let result = work.make_all().await;
            work.tell(result).await?;
        }
        Ok(())
    }

    async fn collect(&self, job: &Job, _host: &dyn Host) -> Result<(Vec<Output>, Vec<Resource>), ProviderError> {
        let (config, book) = (config::read(job)?, self.book(job));
        let cloud = Cloud { ledger: &book, config: &config, job };
        let (mut outputs, mut resources) = (Vec::new(), Vec::new());
        for name in &config.objects {
            let found = cloud.read(name).await?;
            let found = found.ok_or_else(|| ProviderError::retryable(format!("{name} is not there any more")))?;
            outputs.push(output(&format!("{name}_id"), false, &found.id));
            resources.push(resource(name, Some(found.id)));
        }
        let secret = Digest::of(&[&job.seed[..], b"/simulated/key/1"].concat());
        outputs.push(output("endpoint", false, &format!("simulated://{}/{}", job.project, job.environment_name)));
        outputs.push(output("key", true, &secret.to_string()));
        Ok((outputs, resources))
    }

    async fn destroy(&self, job: &Job, host: &dyn Host) -> Result<(), ProviderError> {
        let (config, book) = (config::read(job)?, self.book(job));
        let cloud = Cloud { ledger: &book, config: &config, job };
        let mut work = Work { cloud: &cloud, host, record: Record::load(host).await? };
        let mut all = leftovers(&cloud, &work.record, &[]).await?;
        all.sort_by_key(|name| std::cmp::Reverse(config.objects.iter().position(|wished| wished == name)));
        let result = work.remove_all(&all).await;
        work.tell(result).await
    }

    async fn read_back(&self, job: &Job, host: &dyn Host) -> Result<Vec<Resource>, ProviderError> {
        let (config, book) = (config::read(job)?, self.book(job));
        let cloud = Cloud { ledger: &book, config: &config, job };
        let record = Record::load(host).await?;
        let mut found = Vec::new();
        for name in leftovers(&cloud, &record, &[]).await? {
            if let Some(object) = cloud.read(&name).await? {
                found.push(resource(&name, Some(object.id)));
            }
        }
        Ok(found)
    }

    async fn inventory(&self, target: &Target) -> Result<Inventory, ProviderError> {
        Ok(Inventory::Listed(inventory::list(&self.book_of(Some(target))).await?))
    }

    async fn remove_marked(&self, target: &Target, marked: &Marked, host: &dyn Host) -> Result<(), ProviderError> {
        host.log(Stream::Paddock, &format!("Removing {}", marked.id)).await?;
        inventory::remove(&self.book_of(Some(target)), marked).await
    }

    async fn drift(&self, job: &Job, _host: &dyn Host) -> Result<Drift, ProviderError> {
        let (config, book) = (config::read(job)?, self.book(job));
        let cloud = Cloud { ledger: &book, config: &config, job };
        let wished = if job.stopped { off(&config.spec) } else { config.spec.clone() };
        let mut differences = Vec::new();
        for name in &config.objects {
            let (kind, words) = match cloud.read(name).await? {
                None => (DifferenceKind::Missing, "it is not there any more".to_owned()),
                Some(found) if !found.whole => (DifferenceKind::Changed, "it is only half there".to_owned()),
                Some(found) if found.spec != wished => (DifferenceKind::Changed, format!("{wished} → {}", found.spec)),
                Some(_) => continue,
            };
            differences.push(Difference::new(name, kind, words));
        }
        for (name, object) in cloud.list().await? {
            if !config.objects.contains(&name) {
                let words = format!("{} was not made by a run", object.id);
                differences.push(Difference::new(name, DifferenceKind::Added, words));
            }
        }
        Ok(Drift::of(differences))
    }
}

/// What may be there of the environment beside `wished`: what the cloud lists, and every intent.
async fn leftovers(cloud: &Cloud<'_>, record: &Record, wished: &[String]) -> Result<Vec<String>, ProviderError> {
    let mut names: Vec<String> = cloud.list().await?.into_iter().map(|(name, _)| name).collect();
    names.extend(record.maybe().map(str::to_owned));
    names.sort();
    names.dedup();
    names.retain(|name| !wished.contains(name));
    Ok(names)
}

/// One attempt at work on the objects of an environment.
struct Work<'a> {
    cloud: &'a Cloud<'a>,
    host: &'a dyn Host,
    record: Record,
}

impl Work<'_> {
    /// Makes everything that is wished, and removes what is not.
    async fn make_all(&mut self) -> Result<(), ProviderError> {
        let wished = &self.cloud.config.objects;
        let mut fresh = false;
        for name in wished {
            fresh |= self.record.intend(name);
        }
        if fresh {
            self.record.save(self.host).await?;
        }
        for name in wished {
            self.make(name).await?;
        }
        let mut surplus = leftovers(self.cloud, &self.record, wished).await?;
        surplus.reverse();
        self.remove_all(&surplus).await
    }

    /// Shows what the cloud's own book says, unless the run is not ours any more.
    async fn tell(&self, result: Result<(), ProviderError>) -> Result<(), ProviderError> {
        if matches!(result, Err(ProviderError::Canceled | ProviderError::LeaseLost)) {
            return result;
        }
        let told = match self.cloud.account().await {
            Ok(account) => self.say(&format!("The cloud's book: {account}")).await,
            Err(error) => Err(error),
        };
        result.and(told)
    }

    /// Makes the object as it is wished, whatever is there and whatever the cloud answers.
    async fn make(&mut self, name: &str) -> Result<(), ProviderError> {
        let mut seen = self.cloud.read(name).await?;
        for turn in 0..TRIES {
            if let Some(there) = seen.as_ref().filter(|there| is_as_wished(self.cloud.config, there)) {
                return self.say(&format!("{name} is there: {}", there.id)).await;
            }
            let verb = if seen.is_some() { Verb::Update } else { Verb::Create };
            self.say(&format!("{} {name}", if verb == Verb::Create { "Creating" } else { "Changing" })).await?;
            let made = self.record.objects.get(name).map_or(0, |intent| intent.made);
            let answer = self.cloud.call(verb, name, &token(self.cloud.job, name, made)).await?;
            if answer == Answer::Spent {
                self.record.gone(name);
                self.record.intend(name);
                self.record.save(self.host).await?;
                continue;
            }
            self.hear(name, &answer, turn).await?;
            let before = seen.take();
            seen = self.look(name, before.as_ref()).await?;
            if let (Some(there), Answer::Done { id }) = (&seen, &answer)
                && there.id != *id
            {
                self.say(&format!("The cloud named {id}, which is not ours: {name} is {}", there.id)).await?;
            }
        }
        Err(ProviderError::retryable(format!("{name} is not there after {TRIES} tries")))
    }

    /// Looks for the object until it is as wished; what it is like at last.
    async fn look(&self, name: &str, before: Option<&Object>) -> Result<Option<Object>, ProviderError> {
        let mut found = None;
        for turn in 0..LOOKS {
            found = self.cloud.read(name).await?;
            match &found {
                Some(there) if is_as_wished(self.cloud.config, there) => return Ok(found),
                // It is there, and the call has not changed it: asking again changes nothing.
                Some(there) if before == Some(there) || !there.whole => return Ok(found),
                Some(_) | None => self.cloud.wait(pause(turn)).await?,
            }
        }
        Ok(found)
    }

    async fn remove_all(&mut self, names: &[String]) -> Result<(), ProviderError> {
        for name in names {
            self.remove(name).await?;
        }
        Ok(())
    }

    /// Removes the object, also when no read finds it.
    async fn remove(&mut self, name: &str) -> Result<(), ProviderError> {
        for turn in 0..TRIES {
            self.say(&format!("Removing {name}")).await?;
            let answer = self.cloud.call(Verb::Delete, name, "").await?;
            self.hear(name, &answer, turn).await?;
            // “Done” is the cloud's word; what is still found was not removed.
            if matches!(answer, Answer::Done { .. }) && self.cloud.read(name).await?.is_none() {
                self.record.gone(name);
                self.record.save(self.host).await?;
                return self.say(&format!("{name} is gone")).await;
            }
        }
        Err(ProviderError::retryable(format!("{name} is still there after {TRIES} tries to remove it")))
    }

    /// What an answer means: refused for good ends it, all else is looked into.
    async fn hear(&self, name: &str, answer: &Answer, turn: u32) -> Result<(), ProviderError> {
        match answer {
            Answer::Done { .. } | Answer::Spent => Ok(()),
            Answer::Refused(message) => Err(ProviderError::failed(message.clone())),
            Answer::Throttled(message) => {
                self.say(&format!("The cloud says: {message}. Waiting")).await?;
                self.cloud.wait(pause(turn)).await
            }
            Answer::Broken => self.say(&format!("The cloud had an error: looking what became of {name}")).await,
            Answer::Silence => self.say(&format!("The cloud did not answer: looking what became of {name}")).await,
        }
    }

    /// Also asks whether this attempt still holds the run: a worker that lost its lease stops here.
    async fn say(&self, line: &str) -> Result<(), ProviderError> {
        self.host.log(Stream::Paddock, line).await
    }
}

/// What is off is like its objects are, and off.
fn off(spec: &str) -> String {
    format!("{spec}, off")
}

fn is_as_wished(config: &Config, object: &Object) -> bool {
    object.whole && object.spec == config.spec
}

fn pause(turn: u32) -> Duration {
    PAUSE.saturating_mul(2_u32.saturating_pow(turn)).min(LONGEST_PAUSE)
}

fn output(name: &str, sensitive: bool, value: &str) -> Output {
    Output { name: name.to_owned(), sensitive, value: Value::from(value) }
}

fn resource(name: &str, id: Option<String>) -> Resource {
    Resource { address: name.to_owned(), r#type: inventory::OBJECT.to_owned(), provider_id: id }
}
