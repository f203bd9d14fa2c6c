//! Versions of the policy set: drafts that people write, and the one that is in force.
//!
//! Invariants: at most one version is published; what left the state draft keeps its content; who
//! wrote in a version, or proposed it, does not publish it (the rule says so, the use-case asks, and
//! the database refuses it); a version is validated before it is proposed and again before it is
//! published, and one under which no admin could write and publish policies any more is refused.
//!
//! It decides nothing about who may: the caller has the permit. Every function that changes something
//! is called with the [`lock`].

mod check;
mod compare;
mod error;
mod model;
mod store;

pub use check::{LONGEST_SOURCE, check, formatted, locked_out, problems_of, proved, unproved};
pub use compare::{RuleChange, RuleDifference, compare};
pub use error::VersionError;
pub use model::{NewVersion, PolicyVersion, VersionOrigin, VersionState, VersionText};
pub use store::{counted, find, list, lock, published, text_of};

use crate::base::Digest;
use crate::base::id::{PersonId, PolicyVersionId};
use crate::db::{self, Tx};

/// The longest note, in characters.
pub const LONGEST_NOTE: usize = 1000;

type Result<T> = std::result::Result<T, VersionError>;

/// The version with this number, which must not have changed since `generation`.
pub async fn held(tx: &mut Tx, number: i32, generation: Option<i64>) -> Result<PolicyVersion> {
    let version = find(tx, number).await?.ok_or(VersionError::NotFound(number))?;
    if generation.is_some_and(|seen| seen != version.generation) {
        return Err(VersionError::Stale(number));
    }
    Ok(version)
}

/// Stores a version; it gets the next number.
pub async fn insert(tx: &mut Tx, id: PolicyVersionId, new: &NewVersion<'_>) -> Result<PolicyVersion> {
    check_note(&new.note)?;
    let number = store::insert(tx, id, new).await?;
    if let Some(author) = new.author {
        store::add_editor(tx, id, author, &new.author_label).await?;
    }
    held(tx, number, None).await
}

/// Gives a draft another text and note.
pub async fn write(
    tx: &mut Tx,
    version: &PolicyVersion,
    editor: (PersonId, &str),
    source: &str,
    note: &str,
    digest: Digest,
) -> Result<PolicyVersion> {
    version.must_be(&[VersionState::Draft], "changed")?;
    check_note(note)?;
    store::add_editor(tx, version.id, editor.0, editor.1).await?;
    store::write(tx, version.id, source, note, digest).await?;
    held(tx, version.number, None).await
}

/// Asks a second person to publish it. Who does becomes one of its editors.
pub async fn propose(tx: &mut Tx, version: &PolicyVersion, by: (PersonId, &str)) -> Result<()> {
    version.must_be(&[VersionState::Draft], "proposed")?;
    store::add_editor(tx, version.id, by.0, by.1).await?;
    store::set_state(tx, version, VersionState::Proposed, Some(by.1)).await
}

/// Makes a draft of it again.
pub async fn take_back(tx: &mut Tx, version: &PolicyVersion) -> Result<()> {
    version.must_be(&[VersionState::Proposed], "taken back")?;
    store::set_state(tx, version, VersionState::Draft, None).await
}

/// Gives it up.
pub async fn discard(tx: &mut Tx, version: &PolicyVersion) -> Result<()> {
    version.must_be(&[VersionState::Draft, VersionState::Proposed], "discarded")?;
    store::set_state(tx, version, VersionState::Discarded, None).await
}

/// Puts it in force in place of the one that is. `by` must be a second person.
pub async fn publish(tx: &mut Tx, version: &PolicyVersion, by: (PersonId, &str)) -> Result<()> {
    version.must_be(&[VersionState::Proposed], "published")?;
    if version.editors.iter().any(|(id, _)| *id == by.0) {
        return Err(VersionError::OwnVersion(version.number));
    }
    store::supersede(tx).await?;
    store::publish(tx, version.id, by.0, by.1).await.map_err(|error| match error {
        error if error.is_constraint("policy_version_second_person") => VersionError::OwnVersion(version.number),
        error => error.into(),
    })
}

/// Puts a version that nobody wrote in force: the built-in set, or that of a folder.
pub async fn load(tx: &mut Tx, id: PolicyVersionId, new: &NewVersion<'_>) -> Result<PolicyVersion> {
    store::supersede(tx).await?;
    insert(tx, id, new).await
}

/// Whether a version of this origin had this digest once.
pub async fn was_loaded(tx: &mut Tx, origin: VersionOrigin, digest: Digest) -> db::Result<bool> {
    store::was_loaded(tx, origin, digest).await
}

fn check_note(note: &str) -> Result<()> {
    if note.contains('\0') {
        return Err(VersionError::Note(crate::base::text::NUL_REFUSED.to_owned()));
    }
    if note.chars().count() > LONGEST_NOTE {
        return Err(VersionError::Note(format!("is longer than {LONGEST_NOTE} characters")));
    }
    Ok(())
}
