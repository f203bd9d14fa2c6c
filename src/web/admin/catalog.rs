//! `/admin/catalog`: where templates come from, what is wrong with them, and adding a source.

use std::time::Duration;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::sync::oneshot;

use super::form;
use super::view::{AdminCatalogPage, SourceCard, SourceProblem, SourceTemplate};
use crate::base::id::CatalogSourceId;
use crate::base::{ErrorKind, FieldError, Kinded as _};
use crate::catalog::{self, CatalogError, CatalogSource, Problem, SourceKind, SyncCounts, SyncState, TemplateSummary};
use crate::policy::{Action, Permit, Resource, ResourceKind, ability};
use crate::web::answer::{self, Form};
use crate::web::error::PageError;
use crate::web::shell::Section;
use crate::web::ui::{Empty, Fact, FormError, Pill};
use crate::web::visitor::Visitor;
use crate::web::words::count;
use crate::web::{frame, queue, urls};

/// How long a page waits for a sync; it goes on without the page.
const PATIENCE: Duration = Duration::from_secs(10);

/// The page.
pub async fn show(visitor: Visitor) -> Result<Response, PageError> {
    answer::page(&page(&visitor, &Form::default(), &[]).await?)
}

/// Adds a source and reads it.
pub async fn add(visitor: Visitor, form: Form) -> Result<Response, PageError> {
    manage(&visitor, Resource::platform())?;
    let error = match catalog::add_source(&visitor.app.db, &visitor.op, form::source(&form)).await {
        Ok(id) => return sync_and_say(&visitor, id).await,
        Err(error) => error,
    };
    let found = match &error {
        CatalogError::InvalidSource(errors) => errors.clone(),
        CatalogError::SourceExists(_) => vec![FieldError::new("/slug", error.to_string())],
        _ => return Err(PageError::from(error).link("Catalog sources", urls::ADMIN_CATALOG)),
    };
    let status = StatusCode::from_u16(error.kind().status()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
    let page = page(&visitor, &form, &found).await?;
    Ok((status, answer::page(&page)?).into_response())
}

/// Reads a source again.
pub async fn sync(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    let id: CatalogSourceId = id.parse().map_err(|_| PageError::not_found("catalog source"))?;
    manage(&visitor, Resource::new(ResourceKind::CatalogSource, id.to_string()))?;
    sync_and_say(&visitor, id).await
}

fn manage(visitor: &Visitor, resource: Resource) -> Result<Permit<ability::ManageCatalog>, PageError> {
    let question = visitor.app.platform_question(&visitor.op, &visitor.access, Action::ManageCatalog, resource);
    Ok(visitor.app.policy.permit(&question)?)
}

/// A source may be far away: the page waits a little, the sync goes on.
async fn sync_and_say(visitor: &Visitor, id: CatalogSourceId) -> Result<Response, PageError> {
    let (done, result) = oneshot::channel();
    let (app, op) = (visitor.app.clone(), visitor.op.clone());
    visitor.app.tasks.spawn(async move {
        // Nobody waits any more: the page shows it at the next look.
        let _ = done.send(catalog::sync(&app.db, &op, id).await);
    });
    let back = format!("{}#{id}", urls::ADMIN_CATALOG);
    Ok(match tokio::time::timeout(PATIENCE, result).await {
        Ok(Ok(Ok(counts))) => answer::see_other_saying(&back, &counted(counts)),
        Ok(Ok(Err(error))) if error.kind() == ErrorKind::Internal || error.kind() == ErrorKind::NotFound => {
            return Err(PageError::from(error).link("Catalog sources", urls::ADMIN_CATALOG));
        }
        Ok(Ok(Err(error))) => {
            answer::see_other_warning(&back, &crate::web::error::sentence(&format!("It could not be read: {error}")))
        }
        Ok(Err(_)) => return Err(PageError::internal("a sync ended without a result")),
        Err(_) => answer::see_other_saying(&back, "It is being read; look again in a moment."),
    })
}

fn counted(counts: SyncCounts) -> String {
    let SyncCounts { added, updated, unchanged, removed } = counts;
    format!("Read: {added} new, {updated} updated, {unchanged} unchanged, {removed} removed.")
}

async fn page(visitor: &Visitor, form: &Form, found: &[FieldError]) -> Result<AdminCatalogPage, PageError> {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    let question = app.platform_question(op, access, Action::ReadAdmin, Resource::platform());
    let _: Permit<ability::ReadAdmin> = app.policy.permit(&question)?;
    let may_manage = manage(visitor, Resource::platform()).is_ok();
    let templates = catalog::list(&app.db, &catalog::Filter::default()).await?.templates;
    let mut sources = Vec::new();
    for source in catalog::list_sources(&app.db).await? {
        let problems = catalog::problems(&app.db, source.id).await?;
        sources.push(card(visitor, &source, problems, &templates, may_manage));
    }
    let section = may_manage.then(|| form::section(form, found));
    Ok(AdminCatalogPage {
        shell: frame::shell(visitor, Section::Admin, "Catalog sources").await?,
        tabs: queue::tabs(urls::ADMIN_CATALOG),
        lede: "Where templates come from, and what is wrong with them. Each is read every 30 minutes.".to_owned(),
        empty: sources.is_empty().then(empty),
        sources,
        errors: section.iter().flat_map(|section| FormError::collect(std::slice::from_ref(section))).collect(),
        form: section,
    })
}

fn empty() -> Empty {
    Empty {
        icon: "folder-git-2",
        title: "There is no catalog source yet".to_owned(),
        text: "Add a folder on this server or a Git repository: each folder in it with a paddock.yaml or an \
               environment.yaml becomes a template."
            .to_owned(),
        action: None,
    }
}

fn card(
    visitor: &Visitor,
    source: &CatalogSource,
    problems: Vec<Problem>,
    templates: &[TemplateSummary],
    may_manage: bool,
) -> SourceCard {
    let own = templates.iter().filter(|one| one.template.source_id == source.id);
    SourceCard {
        id: source.id.to_string(),
        name: source.slug.clone(),
        pill: pill(source, &problems),
        facts: facts(source),
        synced: source.synced_at.map(|at| visitor.times().near(at)),
        sync_action: may_manage.then(|| urls::admin_catalog_sync(source.id)),
        problems: problems.into_iter().map(problem).collect(),
        templates: own.map(template).collect(),
    }
}

fn pill(source: &CatalogSource, problems: &[Problem]) -> Pill {
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    match source.sync_state {
        SyncState::Never => Pill::of("pending").saying("Not read yet"),
        SyncState::Running => Pill::of("running").saying("Being read"),
        SyncState::Failed => Pill::of("failed").saying("Could not be read"),
        SyncState::Succeeded if errors > 0 => Pill::of("failed").saying(count(errors, "problem", "problems")),
        SyncState::Succeeded if !problems.is_empty() => {
            Pill::of("needs_approval").saying(count(problems.len(), "warning", "warnings"))
        }
        SyncState::Succeeded => Pill::of("succeeded").saying("Synced"),
    }
}

fn facts(source: &CatalogSource) -> Vec<Fact> {
    let place = match source.kind {
        SourceKind::Folder => Fact { mono: true, ..Fact::new("Folder", source.location.clone()) },
        SourceKind::Git => Fact { mono: true, ..Fact::new("Repository", source.location.clone()) },
        SourceKind::Embedded => Fact::new("Where", "The sample catalog inside Paddock"),
    };
    let mut facts = vec![place];
    if source.kind == SourceKind::Git {
        facts.push(Fact::new("Branch", source.branch.clone().unwrap_or_else(|| "the default branch".to_owned())));
    }
    if !source.folder.is_empty() {
        facts.push(Fact { mono: true, ..Fact::new("Folder inside", source.folder.clone()) });
    }
    if let Some(commit) = &source.source_commit {
        facts.push(Fact::id("Commit", commit.clone()));
    }
    if source.synced_at.is_some() {
        facts.push(Fact::new("Last time", counted(source.counts).trim_start_matches("Read: ").trim_end_matches('.')));
    }
    if let Some(error) = &source.sync_error {
        facts.push(Fact::new("Error", error.clone()));
    }
    facts
}

fn problem(problem: Problem) -> SourceProblem {
    SourceProblem {
        warning: !problem.is_error(),
        file: problem.path,
        line: problem.line.map(u64::from),
        key: problem.key,
        message: problem.message,
    }
}

fn template(one: &TemplateSummary) -> SourceTemplate {
    SourceTemplate {
        name: one.template.name.clone(),
        href: urls::template(&one.template.slug),
        version: one.version.clone(),
        pill: Pill::of("published"),
        folder: one.template.path.clone(),
    }
}
