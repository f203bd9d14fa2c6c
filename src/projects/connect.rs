//! Connecting targets: drafts against their provider's form, credentials, bindings, the end.
//!
//! A credential is sealed for its target and for its place there: moved to another row or from
//! `next_secret` to `secret` it does not open. It is opened for a run or a check and for nothing else.
//! Every change is told in the audit log by the names of what changed, never with a secret. No function
//! here talks to a target: `app` does, between two transactions.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::store::targets;
use super::{ConnectedTarget, Error, NewTarget, StoredTarget, TargetChange};
use crate::audit::{self, Entry, Object, Outcome};
use crate::base::id::{PersonId, ProjectEnvironmentTypeId, TargetId};
use crate::base::text::{LABEL_RULE, NUL_REFUSED, is_label};
use crate::base::{Digest, FieldError, Op, Sealer};
use crate::db::{self, Tx};
use crate::providers::{self, Finding, TargetForm};

/// The most labels.
const MOST_LABELS: usize = 12;
/// The longest name, in characters.
const LONGEST_NAME: usize = 100;
/// Slugs that are addresses of pages.
const RESERVED: [&str; 1] = ["new"];

/// Every connected target by slug, with its bindings and its last check.
pub async fn targets(connection: &mut PgConnection) -> db::Result<Vec<ConnectedTarget>> {
    targets::connected(connection, None, None).await
}

/// The connected target of this id or slug.
pub async fn connected_target(connection: &mut PgConnection, name: &str) -> Result<ConnectedTarget, Error> {
    let found = match name.parse::<TargetId>() {
        Ok(id) => targets::connected(connection, Some(id), None).await?,
        Err(_) => targets::connected(connection, None, Some(name)).await?,
    };
    found.into_iter().next().ok_or(Error::NoTarget)
}

fn place_of(id: TargetId, column: &str) -> String {
    format!("target/{id}/{column}")
}

/// The target with its credential opened.
pub(super) fn open(sealer: &Sealer, stored: StoredTarget) -> Result<providers::Target, Error> {
    let opened = |column: &str, blob: Option<&Vec<u8>>| {
        blob.map(|blob| {
            let plain = sealer.open(&place_of(stored.id, column), blob)?;
            let text = String::from_utf8(plain).map_err(|_| db::Error::Corrupt("target secret"))?;
            Ok::<_, Error>(SecretString::from(text))
        })
        .transpose()
    };
    let secret = opened("secret", stored.secret.as_ref())?;
    let next_secret = opened("next_secret", stored.next_secret.as_ref())?;
    Ok(providers::Target { slug: stored.slug, settings: stored.settings, secret, next_secret })
}

/// Seals and stores the credential; one that was about to follow is forgotten.
pub(super) async fn set_credential(
    tx: &mut Tx,
    op: &Op,
    sealer: &Sealer,
    id: TargetId,
    secret: &SecretString,
) -> Result<(), Error> {
    let sealed = sealer.seal(op.entropy(), &place_of(id, "secret"), secret.expose_secret().as_bytes())?;
    targets::set_secret(tx, id, &sealed).await?;
    Ok(())
}

/// What is wrong with limits of a target.
pub fn check_limits(run_limit: Option<i32>, labels: &[String]) -> Result<(), Error> {
    let mut wrong = Vec::new();
    if run_limit.is_some_and(|limit| limit < 1) {
        wrong.push(FieldError::new("/run_limit", "must be at least 1; without one there is no limit"));
    }
    if labels.len() > MOST_LABELS {
        wrong.push(FieldError::new("/labels", "at most 12 labels fit"));
    }
    if let Some(place) = labels.iter().position(|label| !is_label(label)) {
        wrong.push(FieldError::new(format!("/labels/{place}"), LABEL_RULE));
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::Invalid(wrong)) }
}

fn wrong_of<T>(result: Result<T, Error>) -> Result<Vec<FieldError>, Error> {
    match result {
        Ok(_) => Ok(Vec::new()),
        Err(Error::Invalid(wrong)) => Ok(wrong),
        Err(other) => Err(other),
    }
}

fn check_slug(slug: &str) -> Option<FieldError> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = (2..=63).contains(&slug.len()) && slug.chars().all(fits) && !slug.starts_with('-');
    let detail = if RESERVED.contains(&slug) || slug.parse::<TargetId>().is_ok() {
        "is a word that Paddock needs; take another one"
    } else if good {
        return None;
    } else {
        "must be 2 to 63 lower-case letters, digits and dashes, and begin with a letter or digit"
    };
    Some(FieldError::new("/slug", detail))
}

fn check_name(name: &str) -> Option<FieldError> {
    let detail = match name.trim() {
        "" => "is needed".to_owned(),
        name if name.chars().count() > LONGEST_NAME => format!("is longer than {LONGEST_NAME} characters"),
        name if name.contains('\0') => NUL_REFUSED.to_owned(),
        name if name.contains(char::is_control) => "must be one line".to_owned(),
        _ => return None,
    };
    Some(FieldError::new("/name", detail))
}

/// Connects a target. With a key, the same draft by the same person again gives the same target.
pub async fn connect_target(
    tx: &mut Tx,
    op: &Op,
    sealer: &Sealer,
    form: &TargetForm,
    new: &NewTarget,
    key: Option<(PersonId, &str)>,
) -> Result<(TargetId, bool), Error> {
    let draft = Digest::of_json(&json!([
        new.slug,
        new.name,
        new.provider,
        new.settings,
        new.credential,
        new.run_limit,
        new.labels
    ]));
    if let Some((person, key)) = key
        && let Some((id, sealed)) = targets::with_key(tx, person, key).await?
    {
        // Sealed, because a digest of something short tells what it is of.
        let same = sealer.open(&place_of(id, "connect_digest"), &sealed)? == draft.0;
        return if same { Ok((id, false)) } else { Err(Error::KeyReused) };
    }
    let mut wrong: Vec<FieldError> = [check_name(&new.name), check_slug(&new.slug)].into_iter().flatten().collect();
    let settings = form.lay_over(&Map::new(), &new.settings);
    let credential = form.credential(&new.credential);
    wrong.extend(settings.as_ref().err().into_iter().chain(credential.as_ref().err()).flatten().cloned());
    wrong.extend(wrong_of(check_limits(new.run_limit, &new.labels))?);
    let (Ok(settings), Ok(credential), true) = (settings, credential, wrong.is_empty()) else {
        return Err(Error::Invalid(wrong));
    };
    let id = TargetId::new(op.clock(), op.entropy());
    let stored = StoredTarget {
        id,
        slug: new.slug.clone(),
        name: new.name.trim().to_owned(),
        provider: new.provider.clone(),
        settings: Value::Object(settings),
        generation: 1,
        secret: None,
        next_secret: None,
    };
    targets::insert(tx, &stored, new.run_limit, &new.labels).await.map_err(|error| {
        if error.is_constraint("target_slug_key") { Error::TargetExists(new.slug.clone()) } else { error.into() }
    })?;
    if let Some(secret) = &credential {
        set_credential(tx, op, sealer, id, secret).await?;
    }
    if let Some((person, key)) = key {
        let sealed = sealer.seal(op.entropy(), &place_of(id, "connect_digest"), &draft.0)?;
        targets::set_key(tx, id, person, key, &sealed).await?;
    }
    let detail = json!({
        "provider": stored.provider, "name": stored.name, "settings": stored.settings,
        "credential": credential.is_some(), "run_limit": new.run_limit, "labels": new.labels,
    });
    tell(tx, op, "target.connected", &stored, detail).await?;
    Ok((id, true))
}

async fn tell(tx: &mut Tx, op: &Op, action: &'static str, target: &StoredTarget, detail: Value) -> db::Result<()> {
    let object = Object::new("target", target.id.0, target.slug.clone());
    audit::append(tx, op, Entry::new(action, object).detail(detail)).await?;
    Ok(())
}

/// Writes down that somebody wanted to do this to a target and may not.
pub async fn record_refusal(tx: &mut Tx, op: &Op, action: &'static str, target: &str) -> db::Result<()> {
    let object = Object { kind: "target", id: None, label: target.chars().take(LONGEST_NAME).collect() };
    audit::append(tx, op, Entry::new(action, object).outcome(Outcome::Denied)).await?;
    Ok(())
}

/// The target, held until the transaction ends. `generation`: it must not have changed since.
pub async fn hold_target(tx: &mut Tx, id: TargetId, generation: Option<i64>) -> Result<StoredTarget, Error> {
    let stored = targets::lock(tx, id).await?.ok_or(Error::NoTarget)?;
    if generation.is_some_and(|generation| generation != stored.generation) {
        return Err(Error::StaleTarget);
    }
    Ok(stored)
}

/// Changes name and settings. Settings that say where the credential goes ask for the credential, too.
pub async fn change_target(
    tx: &mut Tx,
    op: &Op,
    sealer: &Sealer,
    form: &TargetForm,
    before: &StoredTarget,
    change: &TargetChange,
) -> Result<(), Error> {
    let nothing = Map::new();
    let stored = before.settings.as_object().unwrap_or(&nothing);
    let name = change.name.as_deref().unwrap_or(&before.name);
    let mut wrong: Vec<FieldError> = check_name(name).into_iter().collect();
    let settings = form.lay_over(stored, &change.settings);
    wrong.extend(settings.as_ref().err().into_iter().flatten().cloned());
    let typed = change.credential.values().any(|value| value.as_str() != Some("") && !value.is_null());
    let credential = if typed { form.credential(&change.credential) } else { Ok(None) };
    wrong.extend(credential.as_ref().err().into_iter().flatten().cloned());
    let (Ok(settings), Ok(credential), true) = (settings, credential, wrong.is_empty()) else {
        return Err(Error::Invalid(wrong));
    };
    let moved = form.moved(stored, &settings);
    if before.secret.is_some() && credential.is_none() && !moved.is_empty() {
        let first = form.secrets().next().map_or("", |field| field.name);
        let detail = format!("bring it anew: {} changes, and the stored one is for where it was", moved.join(", "));
        return Err(Error::Invalid(vec![FieldError::new(format!("/credential/{first}"), detail)]));
    }
    let names = settings.keys().chain(stored.keys());
    let mut changed: Vec<&String> = names.filter(|name| settings.get(*name) != stored.get(*name)).collect();
    changed.sort();
    changed.dedup();
    let pairs = changed
        .into_iter()
        .map(|name| (name.clone(), json!({"before": stored.get(name), "after": settings.get(name)})));
    let detail = json!({
        "settings": Value::Object(pairs.collect()), "credential": credential.is_some(),
        "name": (name.trim() != before.name).then(|| json!({"before": before.name, "after": name.trim()})),
    });
    targets::change(tx, before.id, name.trim(), &Value::Object(settings.clone())).await?;
    if let Some(secret) = &credential {
        set_credential(tx, op, sealer, before.id, secret).await?;
    }
    tell(tx, op, "target.updated", before, detail).await?;
    Ok(())
}

/// Keeps what a check found.
pub async fn record_check(tx: &mut Tx, op: &Op, target: &StoredTarget, findings: &[Finding]) -> Result<(), Error> {
    let result = Finding::worst(findings);
    targets::set_check(tx, target.id, result, findings).await?;
    let not_ok = findings.iter().filter(|finding| finding.result != providers::Verdict::Ok);
    let not_ok: Vec<&str> = not_ok.map(|finding| finding.what.as_str()).collect();
    let object = Object::new("target", target.id.0, target.slug.clone());
    let outcome = if result == providers::Verdict::Failed { Outcome::Failed } else { Outcome::Succeeded };
    let detail = json!({"result": result.as_str(), "not_ok": not_ok});
    audit::append(tx, op, Entry::new("target.checked", object).outcome(outcome).detail(detail)).await?;
    Ok(())
}

/// Keeps the credential that is about to be set at the target: from here on runs try both.
pub async fn keep_next(
    tx: &mut Tx,
    op: &Op,
    sealer: &Sealer,
    target: &StoredTarget,
    secret: Option<&SecretString>,
) -> Result<(), Error> {
    let place = place_of(target.id, "next_secret");
    let sealed = secret.map(|secret| sealer.seal(op.entropy(), &place, secret.expose_secret().as_bytes()));
    targets::set_next_secret(tx, target.id, sealed.transpose()?.as_deref()).await?;
    Ok(())
}

/// Puts a new credential in the place of the old one, which is gone with the end of the transaction.
pub async fn take_next(
    tx: &mut Tx,
    op: &Op,
    sealer: &Sealer,
    target: &StoredTarget,
    secret: &SecretString,
    set_at_target: bool,
) -> Result<(), Error> {
    set_credential(tx, op, sealer, target.id, secret).await?;
    tell(tx, op, "target.rotated", target, json!({"set_at_target": set_at_target})).await?;
    Ok(())
}

/// From now on new environments there use the target; instead of another one of its provider, if there is.
pub async fn bind(
    tx: &mut Tx,
    op: &Op,
    target: &StoredTarget,
    place: ProjectEnvironmentTypeId,
    label: &str,
) -> Result<(), Error> {
    let before = targets::at(tx, place, &target.provider).await?;
    targets::bind(tx, place, &target.provider, target.id).await?;
    let instead_of = before.filter(|before| before.id != target.id).map(|before| before.slug);
    tell(tx, op, "target.bound", target, json!({"place": label, "instead_of": instead_of})).await?;
    Ok(())
}

/// New environments there do not use the target any more; those that are there stay on it.
pub async fn unbind(
    tx: &mut Tx,
    op: &Op,
    target: &StoredTarget,
    place: ProjectEnvironmentTypeId,
    label: &str,
) -> Result<(), Error> {
    if targets::unbind(tx, place, target.id).await? {
        tell(tx, op, "target.unbound", target, json!({"place": label})).await?;
    }
    Ok(())
}

/// Ends a target on which nothing lives, which the caller has seen to while holding it.
pub async fn disconnect_target(tx: &mut Tx, op: &Op, target: &StoredTarget) -> Result<(), Error> {
    targets::disconnect(tx, target.id).await?;
    let detail = json!({"provider": target.provider, "name": target.name, "settings": target.settings});
    tell(tx, op, "target.disconnected", target, detail).await?;
    Ok(())
}
