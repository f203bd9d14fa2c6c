//! Use-cases: sources, the list of templates, one template, its versions and files.

use std::collections::BTreeMap;

use serde_json::json;
use sqlx::PgConnection;

use super::error::CatalogError;
use super::model::{
    CatalogSource, Facet, Facets, Filter, Kind, Listing, NewSource, Problem, PublishedInputs, SourceKind, Template,
    TemplateSummary, TemplateVersion, VersionSummary,
};
use super::store::{self, Which};
use crate::audit::{self, Entry, Object};
use crate::base::id::{CatalogSourceId, TemplateId, TemplateVersionId};
use crate::base::{FieldError, Op};
use crate::db::{self, Db};
use crate::providers::TemplateFile;

/// Most templates that a list shows: a catalog of more wants its facets.
const MAX_LISTED: i64 = 500;

type Result<T, E = CatalogError> = std::result::Result<T, E>;

/// Adds a source. It is read by the next [`sync`](fn@super::sync).
pub async fn add_source(db: &Db, op: &Op, source: NewSource) -> Result<CatalogSourceId> {
    check_source(&source)?;
    let id = CatalogSourceId::new(op.clock(), op.entropy());
    let mut tx = db.begin().await?;
    store::insert_source(&mut tx, id, &source).await.map_err(|error| {
        if error.is_constraint("catalog_source_slug_key") {
            CatalogError::SourceExists(source.slug.clone())
        } else {
            error.into()
        }
    })?;
    let entry = Entry::new("catalog_source.added", Object::new("catalog_source", id.0, &source.slug)).detail(json!({
        "kind": source.kind, "location": source.location, "branch": source.branch, "folder": source.folder,
    }));
    audit::append(&mut tx, op, entry).await?;
    tx.commit().await?;
    Ok(id)
}

fn check_source(source: &NewSource) -> Result<()> {
    let mut errors = Vec::new();
    if !super::manifest::is_slug(&source.slug) {
        errors.push(FieldError::new("/slug", "must be lower-case letters, digits and dashes, at most 63"));
    }
    match source.kind {
        SourceKind::Embedded => {}
        SourceKind::Folder if std::path::Path::new(&source.location).is_absolute() => {}
        SourceKind::Folder => errors.push(FieldError::new("/location", "must be an absolute path on the server")),
        SourceKind::Git => {
            if let Err(reason) = super::source::check_url(&source.location) {
                errors.push(FieldError::new("/location", reason));
            }
        }
    }
    if let Some(branch) = &source.branch
        && !super::source::is_branch(branch)
    {
        errors.push(FieldError::new("/branch", "is not the name of a branch"));
    }
    let inside = source.folder.is_empty() || super::manifest::inner_path(&source.folder).is_ok();
    if !inside {
        errors.push(FieldError::new("/folder", "must be a relative path inside the source"));
    }
    if errors.is_empty() { Ok(()) } else { Err(CatalogError::InvalidSource(errors)) }
}

/// All sources, the oldest first.
pub async fn list_sources(db: &Db) -> Result<Vec<CatalogSource>> {
    Ok(store::list_sources(&mut *db.acquire().await?).await?)
}

/// What the last sync of a source found wrong, errors first.
pub async fn problems(db: &Db, source: CatalogSourceId) -> Result<Vec<Problem>> {
    Ok(store::problems(&mut *db.acquire().await?, source).await?)
}

/// The templates that can be seen in the catalog, with facets.
pub async fn list(db: &Db, filter: &Filter) -> Result<Listing> {
    let query = prefix_query(&filter.query);
    let all = store::list(&mut *db.acquire().await?, query.as_deref(), MAX_LISTED).await?;
    Ok(narrow(all, filter))
}

/// What every published template asks for, by its name.
pub async fn published_inputs(connection: &mut PgConnection) -> Result<Vec<PublishedInputs>> {
    Ok(store::published_inputs(connection, MAX_LISTED).await?)
}

/// The words of a search as a `tsquery` in which every word may go on: `post data` finds “Postgres database”.
fn prefix_query(text: &str) -> Option<String> {
    let words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(12)
        .map(|word| format!("{}:*", word.to_lowercase()))
        .collect();
    if words.is_empty() { None } else { Some(words.join(" & ")) }
}

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Environment => "environment",
        Kind::Workspace => "workspace",
    }
}

/// Applies the facets. A catalog is small: counting here needs no second query.
fn narrow(all: Vec<TemplateSummary>, filter: &Filter) -> Listing {
    let provider =
        |one: &TemplateSummary| filter.provider.as_ref().is_none_or(|wanted| *wanted == one.template.provider);
    let kind = |one: &TemplateSummary| filter.kind.is_none_or(|wanted| wanted == one.template.kind);
    let tag = |one: &TemplateSummary| filter.tag.as_ref().is_none_or(|wanted| one.template.tags.contains(wanted));
    let mut providers: BTreeMap<String, usize> = BTreeMap::new();
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let mut tags: BTreeMap<String, usize> = BTreeMap::new();
    for one in &all {
        if kind(one) && tag(one) {
            *providers.entry(one.template.provider.clone()).or_default() += 1;
        }
        if provider(one) && tag(one) {
            *kinds.entry(kind_word(one.template.kind).to_owned()).or_default() += 1;
        }
        if provider(one) && kind(one) {
            for tag in &one.template.tags {
                *tags.entry(tag.clone()).or_default() += 1;
            }
        }
    }
    let facets = Facets { providers: sorted(providers), kinds: sorted(kinds), tags: sorted(tags) };
    let templates = all.into_iter().filter(|one| provider(one) && kind(one) && tag(one)).collect();
    Listing { templates, facets }
}

fn sorted(counts: BTreeMap<String, usize>) -> Vec<Facet> {
    let mut facets: Vec<Facet> = counts.into_iter().map(|(value, count)| Facet { value, count }).collect();
    facets.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
    facets
}

/// A template by its slug or id, with its current version: the published one, or the newest when
/// it is retired (its state says so).
pub async fn get_template(connection: &mut PgConnection, slug_or_id: &str) -> Result<(Template, TemplateVersion)> {
    let template = match slug_or_id.parse::<TemplateId>() {
        Ok(id) => store::get_template(connection, id).await?,
        Err(_) => store::find_template(connection, slug_or_id).await?,
    };
    let template = template.ok_or_else(|| CatalogError::TemplateNotFound(slug_or_id.to_owned()))?;
    let version = store::find_version(connection, Which::Current(template.id)).await?;
    let version = version.ok_or_else(|| CatalogError::TemplateNotFound(slug_or_id.to_owned()))?;
    Ok((template, version))
}

/// The current version of a template: the published one, or the newest when it is retired.
pub async fn current_version(connection: &mut PgConnection, template: TemplateId) -> Result<TemplateVersion> {
    store::find_version(connection, Which::Current(template))
        .await?
        .ok_or_else(|| CatalogError::TemplateNotFound(template.to_string()))
}

/// All versions of a template, the newest first.
pub async fn list_versions(db: &Db, template: TemplateId) -> Result<Vec<VersionSummary>> {
    Ok(store::list_versions(&mut *db.acquire().await?, template).await?)
}

/// A version with its content, but for the files. Takes any connection, so that a transaction
/// can read it.
pub async fn get_version(connection: &mut PgConnection, id: TemplateVersionId) -> Result<TemplateVersion> {
    store::find_version(connection, Which::Id(id)).await?.ok_or_else(|| CatalogError::VersionNotFound(id.to_string()))
}

/// What a worker must have to execute the runs of a version.
pub async fn worker_labels(connection: &mut PgConnection, id: TemplateVersionId) -> db::Result<Vec<String>> {
    store::worker_labels(connection, id).await
}

/// The items that published versions take, by name, each with the names of their templates.
pub async fn priced_items(connection: &mut PgConnection) -> db::Result<Vec<(String, Vec<String>)>> {
    store::priced_items(connection).await
}

/// A template's version by its number.
pub async fn get_version_number(
    connection: &mut PgConnection,
    template: TemplateId,
    number: i32,
) -> Result<TemplateVersion> {
    store::find_version(connection, Which::Number(template, number))
        .await?
        .ok_or_else(|| CatalogError::VersionNotFound(number.to_string()))
}

/// The files of a version, for a run.
pub async fn template_files(connection: &mut PgConnection, version: TemplateVersionId) -> Result<Vec<TemplateFile>> {
    Ok(store::files(connection, version).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_made_of_harmless_prefixes() {
        assert_eq!(prefix_query("  Post data!"), Some("post:* & data:*".into()));
        assert_eq!(prefix_query("a & b | !c:('"), Some("a:* & b:* & c:*".into()));
        assert_eq!(prefix_query(" ('&|!:*"), None);
    }
}
