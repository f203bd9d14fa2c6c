//! Environments: list, read, resources, timeline.

use axum::Json;
use axum::http::{HeaderName, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, Reader, Reads};
use super::decisions::PersonView;
use super::error::Problem;
use super::extract::{Id, Query};
use super::page::{List, Paging};
use super::requests::{TemplateRefView, may_see_environment};
use crate::audit::{self, AuditRecord, Outcome};
use crate::base::id::{EnvironmentId, PersonId};
use crate::base::{ErrorKind, Kinded as _};
use crate::catalog;
use crate::environments::{self, Environment, Filter, State};
use crate::policy::{Action, ability};
use crate::projects;

/// An environment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Environment)]
pub struct EnvironmentView {
    id: String,
    name: String,
    state: State,
    /// Grows with every change that a person asked for; the `ETag`.
    generation: i64,
    /// When it is deleted; not known before it is ready.
    expires_at: Option<Timestamp>,
    template: TemplateRefView,
    provider: String,
    project: ProjectRefView,
    /// The environment type's slug.
    environment_type: String,
    owner: PersonView,
    /// The owner is deactivated, or neither developer nor lead of the project any more: somebody should take it over.
    owner_gone: bool,
    /// Without the secret ones.
    #[schema(value_type = Object)]
    inputs: Map<String, Value>,
    /// How long it lives from when it is ready, or from when it was last extended.
    lifetime_seconds: i64,
    /// The first real error of the last run, while it is failed or faulted.
    last_error: Option<String>,
    created_at: Timestamp,
    ready_at: Option<Timestamp>,
    deleted_at: Option<Timestamp>,
    /// Since when it is not as its last run left it; null: it is, as far as is known.
    drifted_since: Option<Timestamp>,
}

/// The project of an environment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProjectRef)]
pub struct ProjectRefView {
    id: String,
    slug: String,
    name: String,
}

/// Something that the last run made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Resource)]
pub struct ResourceView {
    /// The name inside the environment.
    address: String,
    r#type: String,
    /// The id at the target, if it has one.
    provider_id: Option<String>,
}

/// Something that happened to an environment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TimelineEvent)]
pub struct TimelineView {
    /// The id of its audit record.
    id: String,
    at: Timestamp,
    /// What happened: `request.submitted`, `environment.ready`.
    action: String,
    /// Who did it.
    actor: String,
    outcome: Outcome,
    /// What it happened to, in words.
    label: String,
    request_id: Option<String>,
    run_id: Option<String>,
    #[schema(value_type = Object)]
    detail: Value,
}

/// Which environments.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentQuery {
    /// Only of this project, by its slug.
    project: Option<String>,
    /// Only of this environment type, by its slug.
    environment_type: Option<String>,
    /// Only in this state; otherwise all but deleted ones.
    state: Option<State>,
    /// Only of this template, by its id or slug.
    template: Option<String>,
    /// Only of this person.
    #[param(value_type = Option<String>)]
    owner: Option<PersonId>,
    /// Only the caller's own.
    #[serde(default)]
    mine: bool,
    /// A part of the name.
    query: Option<String>,
    /// Only those that end before.
    expires_before: Option<Timestamp>,
    /// Only those that are drifted.
    #[serde(default)]
    drifted: bool,
    /// Only those whose owner is gone: the hand-over list.
    #[serde(default)]
    owner_gone: bool,
    /// At most this many, 1 to 100.
    limit: Option<i64>,
    /// From the page before.
    cursor: Option<String>,
}

/// Environments of the projects that the caller may read, newest first.
#[utoipa::path(get, path = "/environments", tag = "environments", params(EnvironmentQuery),
    security(("token" = ["read"]), ("session" = [])), responses((status = 200, body = List<EnvironmentView>)))]
pub async fn list_environments(
    Reader(caller, mut connection): Reader<Reads>,
    Query(query): Query<EnvironmentQuery>,
) -> Result<Json<List<EnvironmentView>>, Problem> {
    let paging = Paging::read(query.limit, query.cursor.as_deref())?;
    let mut visible = caller.visible(&mut connection, Action::ReadEnvironment).await?;
    if let Some(slug) = &query.project {
        let project = projects::find(&mut connection, slug).await?;
        let project = project.ok_or_else(|| Problem::malformed("/project", format!("there is no project “{slug}”")))?;
        caller.permit_project::<ability::ReadProject>(&project)?;
        visible = visible.within(project.id);
    }
    let template = match &query.template {
        Some(name) => {
            let found = catalog::get_template(&mut connection, name).await;
            let absent = |error: catalog::CatalogError| match error.kind() {
                ErrorKind::NotFound => Problem::malformed("/template", error.to_string()),
                _ => error.into(),
            };
            Some(found.map_err(absent)?.0.id)
        }
        None => None,
    };
    let filter = Filter {
        projects: visible.projects(),
        parts: visible.parts(),
        owner: if query.mine { Some(caller.access().person.id) } else { query.owner },
        state: query.state,
        template,
        environment_type: query.environment_type,
        query: query.query,
        expires_before: query.expires_before,
        drifted: query.drifted,
        owner_gone: query.owner_gone,
    };
    let page = environments::list(&mut connection, &filter, paging.after, paging.limit).await?;
    Ok(Json(page.map(EnvironmentView::from).into()))
}

/// One environment. The `ETag` is its generation, for `If-Match` of an update.
#[utoipa::path(get, path = "/environments/{id}", tag = "environments", params(("id" = String, Path)),
    security(("token" = ["read"]), ("session" = [])),
    responses((status = 200, body = EnvironmentView, headers(("ETag" = String, description = "The generation")))))]
pub async fn get_environment(
    caller: Caller<Reads>,
    Id(id): Id<EnvironmentId>,
) -> Result<([(HeaderName, String); 1], Json<EnvironmentView>), Problem> {
    let environment = may_see_environment(&caller, id).await?;
    let tag = [(header::ETAG, format!("\"{}\"", environment.generation))];
    Ok((tag, Json(environment.into())))
}

/// What the last run made.
#[utoipa::path(get, path = "/environments/{id}/resources", tag = "environments", params(("id" = String, Path)),
    security(("token" = ["read"]), ("session" = [])), responses((status = 200, body = List<ResourceView>)))]
pub async fn get_resources(
    caller: Caller<Reads>,
    Id(id): Id<EnvironmentId>,
) -> Result<Json<List<ResourceView>>, Problem> {
    let environment = may_see_environment(&caller, id).await?;
    let resources = environments::resources(&mut *caller.app.db.acquire().await?, environment.id).await?;
    let views = resources.into_iter().map(|resource| ResourceView {
        address: resource.address,
        r#type: resource.r#type,
        provider_id: resource.provider_id,
    });
    Ok(List::whole(views.collect()))
}

/// Which part of the timeline.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct TimelineQuery {
    /// At most this many, 1 to 100.
    limit: Option<i64>,
    /// From the page before.
    cursor: Option<String>,
}

/// Everything that happened to an environment, newest first: requests, reviews, runs, changes.
#[utoipa::path(get, path = "/environments/{id}/timeline", tag = "environments",
    params(("id" = String, Path), TimelineQuery),
    security(("token" = ["read"]), ("session" = [])), responses((status = 200, body = List<TimelineView>)))]
pub async fn get_timeline(
    caller: Caller<Reads>,
    Id(id): Id<EnvironmentId>,
    Query(query): Query<TimelineQuery>,
) -> Result<Json<List<TimelineView>>, Problem> {
    let paging = Paging::read(query.limit, query.cursor.as_deref())?;
    let environment = may_see_environment(&caller, id).await?;
    let filter = audit::Filter { object: Some(environment.id.0), ..audit::Filter::default() };
    let mut connection = caller.app.db.acquire().await?;
    let page = audit::list(&mut connection, &filter, paging.after, paging.limit).await?;
    Ok(Json(page.map(TimelineView::from).into()))
}

impl From<Environment> for EnvironmentView {
    fn from(environment: Environment) -> Self {
        let template = environment.template;
        Self {
            id: environment.id.to_string(),
            name: environment.name,
            state: environment.state,
            generation: environment.generation,
            expires_at: environment.expires_at,
            template: TemplateRefView {
                id: template.id.to_string(),
                slug: template.slug,
                name: template.name,
                version: template.version,
                version_id: template.version_id.to_string(),
            },
            provider: template.provider,
            project: ProjectRefView {
                id: environment.project.id.to_string(),
                slug: environment.project.slug,
                name: environment.project.name,
            },
            environment_type: environment.place.slug,
            owner: PersonView::new(environment.owner.id, &environment.owner.name),
            owner_gone: environment.owner.gone,
            inputs: environment.inputs,
            lifetime_seconds: environment.lifetime.as_secs(),
            last_error: environment.last_error,
            created_at: environment.created_at,
            ready_at: environment.ready_at,
            deleted_at: environment.deleted_at,
            drifted_since: environment.drifted_since,
        }
    }
}

impl From<AuditRecord> for TimelineView {
    fn from(record: AuditRecord) -> Self {
        Self {
            id: record.id.to_string(),
            at: record.at,
            action: record.action,
            actor: record.actor,
            outcome: record.outcome,
            label: record.object_label,
            request_id: record.request_id.map(|id| id.to_string()),
            run_id: record.run_id.map(|id| id.to_string()),
            detail: record.detail,
        }
    }
}
