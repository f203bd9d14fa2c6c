//! Sync: reads a source outside any transaction, then stores what is new in one.
//!
//! A template is the one at the same folder, or, where it moved, the one with the same slug in
//! the same source. New content becomes a new published version; content that was there before
//! becomes the published one again. A template whose new content has errors keeps what it has;
//! one that left the source is retired, never deleted: environments made from it live on.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::json;

use super::error::CatalogError;
use super::loader::{self, Content, Loaded};
use super::model::{CatalogSource, Problem, SyncCounts, VersionState};
use super::source::{self, FolderTree, Location, SourceError};
use super::store::{self, Known};
use crate::audit::{self, Entry, Object, Outcome};
use crate::base::id::{CatalogSourceId, TemplateId, TemplateVersionId};
use crate::base::{Actor, Op};
use crate::db::{Db, Tx};

/// Reads a source and stores what is new. Problems of single templates do not make it fail; they
/// stand in [`super::problems`].
#[tracing::instrument(name = "catalog.source.sync", skip_all, fields(catalog_source.id = %id))]
pub async fn sync(db: &Db, op: &Op, id: CatalogSourceId) -> Result<SyncCounts, CatalogError> {
    let source = store::find_source(&mut *db.acquire().await?, id).await?;
    let source = source.ok_or_else(|| CatalogError::SourceNotFound(id.to_string()))?;
    let location = Location {
        kind: source.kind,
        location: source.location.clone(),
        branch: source.branch.clone(),
        folder: source.folder.clone(),
    };
    let read = tokio::task::spawn_blocking(move || loader::load(&*source::open(&location)?)).await;
    match read.map_err(CatalogError::internal)? {
        Ok(content) => store_content(db, op, &source, content).await,
        Err(error) => {
            record_failure(db, op, &source, &error).await?;
            Err(match error {
                SourceError::Unreadable(reason) => CatalogError::Unreadable(reason),
                SourceError::Unavailable(reason) => CatalogError::Unavailable(reason),
            })
        }
    }
}

/// Syncs every source whose last sync is older than `every`; the reconciler's work. One that
/// fails does not keep the others back.
pub async fn sync_due(db: &Db, op: &Op, every: SignedDuration) -> Result<(), CatalogError> {
    let before = op.now().saturating_sub(every).map_err(CatalogError::internal)?;
    let due = store::due_sources(&mut *db.acquire().await?, before).await?;
    for id in due {
        if let Err(error) = sync(db, op, id).await {
            tracing::warn!(catalog_source.id = %id, error = %error, "a catalog source was not synced");
        }
    }
    Ok(())
}

/// Everything that a sync of this folder would find wrong.
pub fn lint(path: &std::path::Path) -> Result<Vec<Problem>, CatalogError> {
    let content = FolderTree::open(path).and_then(|tree| loader::load(&tree));
    let content = content.map_err(|error| CatalogError::Unreadable(error.to_string()))?;
    let mut problems = content.problems;
    if content.templates.is_empty() && content.broken.is_empty() {
        problems.push(Problem::warning(
            ".",
            "There is no template here: no folder has a paddock.yaml or an environment.yaml.",
        ));
    }
    Ok(problems)
}

async fn record_failure(db: &Db, op: &Op, source: &CatalogSource, error: &SourceError) -> Result<(), CatalogError> {
    let reason = error.to_string();
    let mut tx = db.begin().await?;
    store::fail_sync(&mut tx, source.id, &reason).await?;
    if is_news(op, source.sync_error.as_ref() != Some(&reason)) {
        let entry = Entry::new("catalog.synced", Object::new("catalog_source", source.id.0, &source.slug))
            .outcome(Outcome::Failed)
            .detail(json!({"error": reason}));
        audit::append(&mut tx, op, entry).await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn store_content(
    db: &Db,
    op: &Op,
    source: &CatalogSource,
    mut content: Content,
) -> Result<SyncCounts, CatalogError> {
    let mut tx = db.begin().await?;
    if !store::lock_source(&mut tx, source.id).await? {
        return Err(CatalogError::SourceNotFound(source.id.to_string()));
    }
    let known = store::known_templates(&mut tx).await?;
    let mut counts = SyncCounts::default();
    let mut seen: BTreeSet<TemplateId> = BTreeSet::new();
    let templates = std::mem::take(&mut content.templates);
    let folders: BTreeSet<&str> = templates.iter().map(|loaded| loaded.path.as_str()).collect();
    for loaded in &templates {
        let mine = match place(&known, source.id, loaded, &folders, &content.broken) {
            Place::New => None,
            Place::Known(id) => Some(id),
            Place::Taken(problem, mine) => {
                content.problems.push(problem);
                seen.extend(mine);
                continue;
            }
        };
        let stored = store_template(&mut tx, op, source.id, mine, loaded, content.commit.as_deref()).await?;
        seen.insert(stored.id);
        match stored.change {
            Change::Added => counts.added += 1,
            Change::Updated => counts.updated += 1,
            Change::Unchanged => counts.unchanged += 1,
        }
    }
    for gone in known.iter().filter(|known| known.source == source.id && !seen.contains(&known.id)) {
        if !content.broken.contains(&gone.path) && retire(&mut tx, op, gone).await? {
            counts.removed += 1;
        }
    }
    store::replace_problems(&mut tx, source.id, &content.problems).await?;
    store::finish_sync(&mut tx, source.id, counts, content.commit.as_deref()).await?;
    let changed = counts.added + counts.updated + counts.removed > 0 || source.sync_error.is_some();
    if is_news(op, changed) {
        let errors = content.problems.iter().filter(|problem| problem.is_error()).count();
        let object = Object::new("catalog_source", source.id.0, &source.slug);
        let entry = Entry::new("catalog.synced", object).detail(json!({
            "added": counts.added, "updated": counts.updated, "unchanged": counts.unchanged, "removed": counts.removed,
            "errors": errors, "warnings": content.problems.len() - errors, "commit": content.commit,
        }));
        audit::append(&mut tx, op, entry).await?;
    }
    tx.commit().await?;
    Ok(counts)
}

/// Whether a sync belongs into the audit log: it changed something, or a person asked for it. The
/// reconciler that finds everything as it was would only fill it.
fn is_news(op: &Op, changed: bool) -> bool {
    changed || !matches!(op.actor, Actor::System { .. })
}

/// Where a loaded template belongs.
enum Place {
    New,
    Known(TemplateId),
    /// Another template has its slug; what it was before stays as it is.
    Taken(Problem, Option<TemplateId>),
}

fn place(
    known: &[Known],
    source: CatalogSourceId,
    loaded: &Loaded,
    folders: &BTreeSet<&str>,
    broken: &BTreeSet<String>,
) -> Place {
    let here = known.iter().find(|known| known.source == source && known.path == loaded.path);
    let named = known.iter().find(|known| known.slug == loaded.slug);
    match (here, named) {
        (None, None) => Place::New,
        (Some(here), None) => Place::Known(here.id),
        (Some(here), Some(named)) if here.id == named.id => Place::Known(here.id),
        // It moved: its old folder holds no template any more.
        (None, Some(named))
            if named.source == source && !folders.contains(named.path.as_str()) && !broken.contains(&named.path) =>
        {
            Place::Known(named.id)
        }
        (here, Some(named)) => {
            let owner = if named.source == source {
                format!("the template that was in “{}”", named.path)
            } else {
                format!("a template of the catalog source “{}”", named.source_slug)
            };
            let manifest = loaded.manifest.format.file_name();
            let path = if loaded.path == "." { manifest.to_owned() } else { format!("{}/{manifest}", loaded.path) };
            let message =
                format!("The slug “{}” belongs to {owner}. Set another “slug”, or rename the folder.", loaded.slug);
            let problem = Problem { key: Some("slug".to_owned()), ..Problem::error(path, message) };
            Place::Taken(problem, here.map(|here| here.id))
        }
    }
}

enum Change {
    Added,
    Updated,
    Unchanged,
}

struct Stored {
    id: TemplateId,
    change: Change,
}

async fn store_template(
    tx: &mut Tx,
    op: &Op,
    source: CatalogSourceId,
    mine: Option<TemplateId>,
    loaded: &Loaded,
    commit: Option<&str>,
) -> Result<Stored, CatalogError> {
    let id = mine.unwrap_or_else(|| TemplateId::new(op.clock(), op.entropy()));
    if mine.is_some() {
        store::update_template(tx, id, loaded).await?;
    } else {
        store::insert_template(tx, id, source, loaded).await?;
    }
    let (same, last) = store::versions_for_sync(tx, id, loaded.digest).await?;
    if let Some((_, VersionState::Published)) = same {
        return Ok(Stored { id, change: Change::Unchanged });
    }
    let replaced = store::replace_published(tx, id, None, VersionState::Deprecated).await?;
    let (version, action) = if let Some((version, _)) = same {
        store::publish(tx, version).await?;
        (version, "template_version.republished")
    } else {
        let version = TemplateVersionId::new(op.clock(), op.entropy());
        store::insert_version(tx, version, id, last + 1, commit, loaded).await?;
        (version, "template_version.published")
    };
    let detail = json!({
        "template": id, "slug": loaded.slug, "version": loaded.manifest.version, "digest": loaded.digest,
        "commit": commit, "replaces": replaced,
    });
    let object =
        Object::new("template_version", version.0, format!("{} {}", loaded.slug, loaded.manifest.version).trim());
    audit::append(tx, op, Entry::new(action, object).detail(detail)).await?;
    Ok(Stored { id, change: if mine.is_some() { Change::Updated } else { Change::Added } })
}

/// Retires what is published of a template that left its source; false when nothing was.
async fn retire(tx: &mut Tx, op: &Op, gone: &Known) -> Result<bool, CatalogError> {
    let Some(version) = store::replace_published(tx, gone.id, None, VersionState::Retired).await? else {
        return Ok(false);
    };
    let object = Object::new("template_version", version.0, &gone.slug);
    audit::append(tx, op, Entry::new("template_version.retired", object).detail(json!({"template": gone.id}))).await?;
    Ok(true)
}
