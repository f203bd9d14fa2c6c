//! Which policies are in force here, and what admins do with their versions. The caller has the permit to.
//!
//! Postgres says which version is in force; every process takes it up as soon as a hint comes, and looks
//! every few seconds anyway. A process that was started with a folder keeps to that folder: there Git is
//! the source, and nothing is written here.

use std::path::PathBuf;
use std::sync::{OnceLock, PoisonError, RwLock};

use serde_json::{Value, json};

use super::App;
use crate::audit::{self, Entry, Object, Outcome};
use crate::base::id::{PersonId, PolicyVersionId};
use crate::base::{Actor, Op};
use crate::db::{self, Tx};
use crate::orchestrator::Event;
use crate::policy::versions::{
    self, NewVersion, PolicyVersion, RuleDifference, VersionError, VersionOrigin, VersionState, VersionText,
};
use crate::policy::{self, Permit, PolicyEngine, Resource, ResourceKind, ability};

type Result<T> = std::result::Result<T, VersionError>;

/// Where the policies of this process come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicySource {
    /// The versions in Postgres; the first of them is the set inside the binary.
    Versions,
    /// This folder.
    Folder(PathBuf),
}

/// Which version this process decides by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InForce {
    /// Its id; none before [`App::begin_policies`].
    pub id: Option<PolicyVersionId>,
    /// Its number.
    pub number: Option<i32>,
    /// Why the version that shall be in force is not, in words: then nothing is made or changed.
    pub wrong: Option<String>,
}

/// See [`InForce`].
#[derive(Debug, Default)]
pub struct Policies {
    source: OnceLock<PolicySource>,
    in_force: RwLock<InForce>,
    /// One look at a time.
    looking: tokio::sync::Mutex<()>,
}

impl App {
    /// Which version this process decides by.
    pub fn policies_in_force(&self) -> InForce {
        self.policies.in_force.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The folder that the policies of this process come from: there they are written, not here.
    pub fn policy_folder(&self) -> Option<String> {
        match self.policies.source.get() {
            Some(PolicySource::Folder(folder)) => Some(folder.display().to_string()),
            Some(PolicySource::Versions) | None => None,
        }
    }

    /// Says where the policies come from, stores what is not there yet, and takes up what is in force.
    pub async fn begin_policies(&self, op: &Op, source: PolicySource) -> Result<()> {
        let mut tx = self.db.begin().await?;
        versions::lock(&mut tx).await?;
        let before = versions::published(&mut tx).await?;
        if let Some(new) = self.to_load(&mut tx, before.as_ref(), &source).await? {
            let id = PolicyVersionId::new(op.clock(), op.entropy());
            let loaded = versions::load(&mut tx, id, &new.of()).await?;
            let detail = json!({"digest": loaded.digest, "instead_of": before.map(|before| before.number)});
            tell(&mut tx, op, "policy_version.loaded", &loaded, detail).await?;
        }
        tx.commit().await?;
        let _ = self.policies.source.set(source);
        self.take_up_policies().await?;
        self.signals.send(Event::Policies);
        Ok(())
    }

    /// What is put in force without a person: the first set, a newer built-in one in place of the
    /// built-in one, and what the folder holds.
    async fn to_load(
        &self,
        tx: &mut Tx,
        before: Option<&PolicyVersion>,
        source: &PolicySource,
    ) -> Result<Option<Loaded>> {
        let digest = self.policy.digest();
        let loaded = |origin, note: String| {
            let schema = self.policy.schema();
            let own = PolicyEngine::embedded().is_ok_and(|default| default.schema() != schema).then_some(schema);
            Loaded { origin, text: VersionText { source: self.policy.source(), schema: own }, digest, note }
        };
        Ok(match (source, before) {
            (PolicySource::Folder(_), Some(before)) if before.digest == digest => None,
            (PolicySource::Folder(folder), _) => {
                Some(loaded(VersionOrigin::Folder, format!("Loaded from {}.", folder.display())))
            }
            (PolicySource::Versions, Some(before))
                if before.origin != VersionOrigin::BuiltIn
                    || before.digest == digest
                    // An older process beside newer ones does not bring its set back.
                    || versions::was_loaded(tx, VersionOrigin::BuiltIn, digest).await? =>
            {
                None
            }
            (PolicySource::Versions, _) => {
                let note = format!("The set inside Paddock {}.", env!("CARGO_PKG_VERSION"));
                Some(loaded(VersionOrigin::BuiltIn, note))
            }
        })
    }

    /// Looks which version is in force and decides by it from now on. True: it is another one. A version
    /// that does not fit this process leaves only what is needed to mend it.
    pub async fn take_up_policies(&self) -> db::Result<bool> {
        let _one = self.policies.looking.lock().await;
        let folder = self.policy_folder().is_some();
        let mut connection = self.db.acquire().await?;
        let Some(version) = versions::published(&mut connection).await? else { return Ok(false) };
        if self.policies_in_force().id == Some(version.id) {
            return Ok(false);
        }
        let text = versions::text_of(&mut connection, version.id).await?;
        drop(connection);
        let mut in_force = InForce { id: Some(version.id), number: Some(version.number), wrong: None };
        if folder {
            // What is published elsewhere does not reach a process that has a folder.
            if version.digest != self.policy.digest() {
                in_force.number = None;
            }
        } else {
            match fitting_policies(&version, &text) {
                Ok(engine) => self.policy.take_up(&engine),
                Err(why) => {
                    let why = format!("version {} of the policies does not fit this Paddock: {why}", version.number);
                    tracing::error!(
                        policy.version = version.number,
                        why,
                        "nothing is made or changed until an admin publishes policies that fit"
                    );
                    in_force.wrong = Some(why);
                    if let Ok(engine) = PolicyEngine::for_repair() {
                        self.policy.take_up(&engine);
                    }
                }
            }
        }
        tracing::info!(policy.version = version.number, policy.digest = %self.policy.digest(), "policies taken up");
        *self.policies.in_force.write().unwrap_or_else(PoisonError::into_inner) = in_force;
        Ok(true)
    }

    /// Begins a draft: from this version, or the one in force; with this text, or that version's.
    pub async fn draft_policies(
        &self,
        op: &Op,
        _: &Permit<ability::ManagePolicies>,
        from: Option<i32>,
        written: Option<(&str, &str)>,
    ) -> Result<PolicyVersion> {
        let (author, label) = self.writer(op)?;
        let mut tx = self.db.begin().await?;
        versions::lock(&mut tx).await?;
        let base = match from {
            Some(number) => Some(versions::held(&mut tx, number, None).await?),
            None => versions::published(&mut tx).await?,
        };
        let mut text = match &base {
            Some(base) => versions::text_of(&mut tx, base.id).await?,
            None => VersionText { source: self.policy.source(), schema: None },
        };
        let (source, note) = written.unwrap_or((&text.source, ""));
        let (source, note) = (source.to_owned(), note.to_owned());
        text.source = source;
        fits_the_table(&text)?;
        let new = NewVersion {
            state: VersionState::Draft,
            origin: VersionOrigin::Person,
            digest: self.digest_of(&text),
            text: &text,
            note,
            author: Some(author),
            author_label: label.to_owned(),
            based_on: base.map(|base| base.number),
        };
        let version = versions::insert(&mut tx, PolicyVersionId::new(op.clock(), op.entropy()), &new).await?;
        tell(&mut tx, op, "policy_version.drafted", &version, json!({"based_on": version.based_on})).await?;
        tx.commit().await?;
        Ok(version)
    }

    /// Gives a draft another text. It need not be valid yet.
    pub async fn write_policies(
        &self,
        op: &Op,
        _: &Permit<ability::ManagePolicies>,
        number: i32,
        generation: Option<i64>,
        (source, note): (&str, &str),
    ) -> Result<PolicyVersion> {
        let editor = self.writer(op)?;
        let mut tx = self.db.begin().await?;
        versions::lock(&mut tx).await?;
        let version = versions::held(&mut tx, number, generation).await?;
        let text = VersionText { source: source.to_owned(), ..versions::text_of(&mut tx, version.id).await? };
        fits_the_table(&text)?;
        let digest = self.digest_of(&text);
        let version = versions::write(&mut tx, &version, editor, source, note, digest).await?;
        tell(&mut tx, op, "policy_version.written", &version, json!({"digest": version.digest})).await?;
        tx.commit().await?;
        Ok(version)
    }

    /// Asks a second person to publish a draft, which must be valid, and for which the standing proofs hold.
    pub async fn propose_policies(
        &self,
        op: &Op,
        _: &Permit<ability::ManagePolicies>,
        number: i32,
        generation: Option<i64>,
    ) -> Result<PolicyVersion> {
        let by = self.writer(op)?;
        let proved = self.proved(number).await?;
        let mut tx = self.db.begin().await?;
        versions::lock(&mut tx).await?;
        let version = versions::held(&mut tx, number, generation).await?;
        if versions::text_of(&mut tx, version.id).await? != proved {
            return Err(VersionError::Stale(number));
        }
        versions::propose(&mut tx, &version, by).await?;
        tell(&mut tx, op, "policy_version.proposed", &version, json!({"digest": version.digest})).await?;
        tx.commit().await?;
        self.policy_version(number).await
    }

    /// Makes a draft of a proposed version again.
    pub async fn take_back_policies(
        &self,
        op: &Op,
        _: &Permit<ability::ManagePolicies>,
        number: i32,
        generation: Option<i64>,
    ) -> Result<PolicyVersion> {
        self.writer(op)?;
        let mut tx = self.db.begin().await?;
        versions::lock(&mut tx).await?;
        let version = versions::held(&mut tx, number, generation).await?;
        versions::take_back(&mut tx, &version).await?;
        tell(&mut tx, op, "policy_version.taken_back", &version, json!({})).await?;
        tx.commit().await?;
        self.policy_version(number).await
    }

    /// Gives a draft or a proposed version up.
    pub async fn discard_policies(
        &self,
        op: &Op,
        _: &Permit<ability::ManagePolicies>,
        number: i32,
        generation: Option<i64>,
    ) -> Result<PolicyVersion> {
        self.writer(op)?;
        let mut tx = self.db.begin().await?;
        versions::lock(&mut tx).await?;
        let version = versions::held(&mut tx, number, generation).await?;
        versions::discard(&mut tx, &version).await?;
        tell(&mut tx, op, "policy_version.discarded", &version, json!({})).await?;
        tx.commit().await?;
        self.policy_version(number).await
    }

    /// Puts a proposed version in force, by a second person who saw it in `generation` against the version
    /// `instead_of`. Every process decides by it at once; what waits for approval asks again.
    pub async fn publish_policies(
        &self,
        op: &Op,
        permit: &Permit<ability::PublishPolicies>,
        number: i32,
        seen: (Option<i64>, Option<i32>),
    ) -> Result<PolicyVersion> {
        let by = self.writer(op)?;
        let proved = self.proved(number).await?;
        let mut tx = self.db.begin().await?;
        versions::lock(&mut tx).await?;
        let version = versions::held(&mut tx, number, seen.0).await?;
        if permit.resource() != version.id.to_string() {
            return Err(VersionError::NotFound(number));
        }
        let before = versions::published(&mut tx).await?.map(|before| before.number);
        if seen.1.is_some() && seen.1 != before {
            return Err(VersionError::Stale(number));
        }
        let old = self.policy.source();
        let text = versions::text_of(&mut tx, version.id).await?;
        if text != proved {
            return Err(VersionError::Stale(number));
        }
        versions::publish(&mut tx, &version, by).await?;
        let detail = json!({
            "digest": version.digest, "instead_of": before, "note": version.note,
            "editors": version.editors.iter().map(|(_, label)| label).collect::<Vec<_>>(),
            "rules": changes(&old, &text.source),
        });
        tell(&mut tx, op, "policy_version.published", &version, detail).await?;
        tx.commit().await?;
        self.take_up_policies().await?;
        self.signals.send(Event::Policies);
        self.policy_version(number).await
    }

    /// The version with this number.
    pub async fn policy_version(&self, number: i32) -> Result<PolicyVersion> {
        let found = versions::find(&mut *self.db.acquire().await?, number).await?;
        found.ok_or(VersionError::NotFound(number))
    }

    /// Writes down that somebody wanted to do this to a version and may not.
    pub async fn record_refused_policies(&self, op: &Op, action: &'static str, version: &str) -> db::Result<()> {
        let mut tx = self.db.begin().await?;
        let object = Object { kind: "policy_version", id: None, label: version.chars().take(80).collect() };
        audit::append(&mut tx, op, Entry::new(action, object).outcome(Outcome::Denied)).await?;
        tx.commit().await
    }

    /// The person who writes, where the rules are written here.
    fn writer<'a>(&self, op: &'a Op) -> Result<(PersonId, &'a str)> {
        if let Some(folder) = self.policy_folder() {
            return Err(VersionError::FromFolder(folder));
        }
        match &op.actor {
            Actor::Person { id, login, .. } => Ok((*id, login)),
            Actor::System { .. } | Actor::Operator | Actor::Anonymous => Err(VersionError::NoPerson),
        }
    }

    fn digest_of(&self, text: &VersionText) -> crate::base::Digest {
        let schema = text.schema.clone().unwrap_or_else(|| self.policy.schema());
        PolicyEngine::digest_of(&schema, &text.source)
    }
}

/// What policy is asked about a version.
pub fn policy_version_resource(version: &PolicyVersion) -> Resource {
    Resource {
        editors: version.editors.iter().map(|(id, _)| id.to_string()).collect(),
        ..Resource::new(ResourceKind::PolicyVersion, version.id.to_string())
    }
}

/// What is to be stored without a person.
struct Loaded {
    origin: VersionOrigin,
    text: VersionText,
    digest: crate::base::Digest,
    note: String,
}

impl Loaded {
    fn of(&self) -> NewVersion<'_> {
        NewVersion {
            state: VersionState::Published,
            origin: self.origin,
            text: &self.text,
            digest: self.digest,
            note: self.note.clone(),
            author: None,
            author_label: "Paddock".to_owned(),
            based_on: None,
        }
    }
}

/// The set of a version, as this process reads it; or why not, in words.
pub fn fitting_policies(version: &PolicyVersion, text: &VersionText) -> std::result::Result<PolicyEngine, String> {
    engine_of(version, text).map_err(|error| error.to_string())
}

/// The set of a version, as this process reads it.
pub(super) fn engine_of(
    version: &PolicyVersion,
    text: &VersionText,
) -> std::result::Result<PolicyEngine, policy::Error> {
    match version.origin {
        VersionOrigin::BuiltIn => PolicyEngine::embedded(),
        VersionOrigin::Folder | VersionOrigin::Person => text.engine(),
    }
}

/// What the table refuses, as a problem of the text.
fn fits_the_table(text: &VersionText) -> Result<()> {
    if text.source.len() <= versions::LONGEST_SOURCE && !text.source.contains('\0') {
        return Ok(());
    }
    versions::check(text).map(|_| ()).map_err(VersionError::Invalid)
}

/// The rules that differ, for the audit log.
fn changes(before: &str, after: &str) -> Value {
    let mut changes = json!({"added": [], "removed": [], "changed": []});
    for change in versions::compare(before, after) {
        let kind = match change.difference {
            RuleDifference::Added => "added",
            RuleDifference::Removed => "removed",
            RuleDifference::Changed(_) => "changed",
        };
        if let Some(list) = changes.get_mut(kind).and_then(Value::as_array_mut) {
            list.push(Value::String(change.id));
        }
    }
    changes
}

async fn tell(tx: &mut Tx, op: &Op, action: &'static str, version: &PolicyVersion, detail: Value) -> db::Result<()> {
    let object = Object::new("policy_version", version.id.0, format!("version {}", version.number));
    audit::append(tx, op, Entry::new(action, object).detail(detail)).await?;
    Ok(())
}
