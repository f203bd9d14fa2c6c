//! The catalog.

use axum::Json;
use axum::extract::Path;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, Reads};
use super::error::Problem;
use super::extract::Query;
use super::page::{List, Paging};
use crate::catalog::{self, Filter, Format, Kind, OutputSpec, Template, TemplateVersion, VersionState, VersionSummary};
use crate::policy::{Action, Outcome, Resource, ResourceKind, ability};
use crate::projects::{self, Place, Project};

/// A template with its current version.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Template)]
pub struct TemplateView {
    id: String,
    slug: String,
    name: String,
    summary: String,
    provider: String,
    kind: Kind,
    /// The state of the current version.
    state: VersionState,
    /// The current version as its author writes it.
    version: String,
    /// The number of the current version.
    number: i32,
    version_id: String,
    icon: String,
    tags: Vec<String>,
    /// The slug of the catalog source that it comes from.
    source: String,
    /// Whether environments can be made from it.
    requestable: bool,
    /// Why not, in words.
    reason: Option<String>,
    created_at: Timestamp,
}

/// A template with its content and history.
#[derive(Debug, Serialize, ToSchema)]
pub struct TemplateDetail {
    #[serde(flatten)]
    template: TemplateView,
    /// The content of the current version.
    current: VersionView,
    /// Every version, newest first.
    versions: Vec<VersionRow>,
}

/// A power operation (`start`, `stop`, `hibernate`, `restart`) or an action of a template.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TemplateAction)]
pub struct ActionView {
    name: String,
    title: String,
    description: String,
    /// Whether it is asked for as an operation of its own, not as `act`.
    power: bool,
    /// JSON Schema 2020-12 of its inputs.
    #[schema(value_type = Object)]
    inputs_schema: Value,
}

impl From<catalog::ActionSpec> for ActionView {
    fn from(spec: catalog::ActionSpec) -> Self {
        let power = spec.is_power();
        Self { name: spec.name, title: spec.title, description: spec.description, power, inputs_schema: spec.inputs }
    }
}

/// A version with its content.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TemplateVersion)]
pub struct VersionView {
    id: String,
    template_id: String,
    version: String,
    number: i32,
    state: VersionState,
    /// SHA-256 of manifest and files.
    digest: String,
    source_commit: Option<String>,
    format: Format,
    /// JSON Schema 2020-12 of the inputs.
    #[schema(value_type = Object)]
    inputs_schema: Value,
    /// Power operations and actions that its environments can be asked for.
    actions: Vec<ActionView>,
    /// The output that holds the address at which people get in.
    connect: Option<String>,
    outputs: Vec<OutputSpec>,
    provider: String,
    /// Markdown.
    readme: String,
    created_at: Timestamp,
}

/// A line of a template's history.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TemplateVersionSummary)]
pub struct VersionRow {
    id: String,
    version: String,
    number: i32,
    state: VersionState,
    digest: String,
    source_commit: Option<String>,
    created_at: Timestamp,
}

/// Which templates.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct TemplateQuery {
    /// Words; each must begin a word of name, slug, summary or tags.
    query: Option<String>,
    /// What it makes.
    kind: Option<Kind>,
    /// The provider that makes it.
    provider: Option<String>,
    /// Only templates that the caller may ask for in this project, by its slug.
    project: Option<String>,
    /// At most this many, 1 to 100.
    limit: Option<i64>,
    /// From the page before.
    cursor: Option<String>,
}

/// Templates by name.
#[utoipa::path(get, path = "/templates", tag = "templates", params(TemplateQuery),
    security(("token" = ["read"]), ("session" = [])), responses((status = 200, body = List<TemplateView>)))]
pub async fn list_templates(
    caller: Caller<Reads>,
    Query(query): Query<TemplateQuery>,
) -> Result<Json<List<TemplateView>>, Problem> {
    caller.permit_platform::<ability::ReadCatalog>(Resource::platform())?;
    let paging = Paging::read(query.limit, query.cursor.as_deref())?;
    let filter = Filter {
        query: query.query.unwrap_or_default(),
        provider: query.provider,
        kind: query.kind,
        ..Filter::default()
    };
    let mut found = catalog::list(&caller.app.db, &filter).await?.templates;
    if let Some(slug) = query.project {
        let (project, places) = readable_project(&caller, &slug).await?;
        found.retain(|one| places.iter().any(|place| may_create(&caller, &project, place, &one.template)));
    }
    let page = paging.cut(found, |one| one.template.id.0)?;
    let current = |one: catalog::TemplateSummary| {
        let version = (VersionState::Published, one.version, one.number, one.version_id.to_string());
        TemplateView::new(&one.template, version, one.template.requestable())
    };
    Ok(Json(page.map(current).into()))
}

async fn readable_project(caller: &Caller<Reads>, slug: &str) -> Result<(Project, Vec<Place>), Problem> {
    let mut connection = caller.app.db.acquire().await?;
    let project = projects::find(&mut connection, slug).await?;
    let project = project.ok_or_else(|| Problem::malformed("/project", format!("there is no project “{slug}”")))?;
    caller.permit_project::<ability::ReadProject>(&project)?;
    let places = projects::places(&mut connection, &[project.id]).await?;
    Ok((project, places))
}

fn may_create(caller: &Caller<Reads>, project: &Project, place: &Place, template: &Template) -> bool {
    let mut question = caller.app.project_question(&caller.op, caller.access(), Action::CreateEnvironment, project);
    question.resource = Resource {
        project: Some(project.slug.clone()),
        environment_type: Some(place.kind.slug.clone()),
        template: Some(template.slug.clone()),
        provider: Some(template.provider.clone()),
        owner: Some(question.principal.id.clone()),
        ..Resource::new(ResourceKind::Environment, "")
    };
    question.context.lifetime_seconds = Some(place.kind.default_lifetime.as_secs());
    question.context.maximum_lifetime_seconds = Some(place.kind.maximum_lifetime.as_secs());
    place.kind.enabled && caller.app.policy.decide(&question).outcome != Outcome::Denied
}

/// One template, by id or slug.
#[utoipa::path(get, path = "/templates/{template}", tag = "templates",
    params(("template" = String, Path, description = "Id or slug")),
    security(("token" = ["read"]), ("session" = [])), responses((status = 200, body = TemplateDetail)))]
pub async fn get_template(caller: Caller<Reads>, Path(name): Path<String>) -> Result<Json<TemplateDetail>, Problem> {
    let (template, current) = find(&caller, &name).await?;
    let versions = catalog::list_versions(&caller.app.db, template.id).await?;
    let version = (current.state, current.version.clone(), current.number, current.id.to_string());
    Ok(Json(TemplateDetail {
        template: TemplateView::new(&template, version, current.requestable()),
        current: current.into(),
        versions: versions.into_iter().map(Into::into).collect(),
    }))
}

/// One version of a template, as its author writes it or by its number.
#[utoipa::path(get, path = "/templates/{template}/versions/{version}", tag = "templates",
    params(("template" = String, Path, description = "Id or slug"),
           ("version" = String, Path, description = "As its author writes it, or its number")),
    security(("token" = ["read"]), ("session" = [])), responses((status = 200, body = VersionView)))]
pub async fn get_template_version(
    caller: Caller<Reads>,
    Path((name, version)): Path<(String, String)>,
) -> Result<Json<VersionView>, Problem> {
    let (template, _) = find(&caller, &name).await?;
    let versions = catalog::list_versions(&caller.app.db, template.id).await?;
    let named = versions.iter().find(|one| one.version == version);
    let named = named.or_else(|| versions.iter().find(|one| one.number.to_string() == version));
    let id = named.ok_or_else(|| catalog::CatalogError::VersionNotFound(version.clone()))?.id;
    Ok(Json(catalog::get_version(&mut *caller.app.db.acquire().await?, id).await?.into()))
}

async fn find(caller: &Caller<Reads>, name: &str) -> Result<(Template, TemplateVersion), Problem> {
    caller.permit_platform::<ability::ReadCatalog>(Resource::platform())?;
    Ok(catalog::get_template(&mut *caller.app.db.acquire().await?, name).await?)
}

impl TemplateView {
    fn new(
        template: &Template,
        (state, version, number, version_id): (VersionState, String, i32, String),
        requestable: Result<(), String>,
    ) -> Self {
        Self {
            id: template.id.to_string(),
            slug: template.slug.clone(),
            name: template.name.clone(),
            summary: template.summary.clone(),
            provider: template.provider.clone(),
            kind: template.kind,
            state,
            version,
            number,
            version_id,
            icon: template.icon.clone(),
            tags: template.tags.clone(),
            source: template.source_slug.clone(),
            requestable: requestable.is_ok(),
            reason: requestable.err(),
            created_at: template.created_at,
        }
    }
}

impl From<TemplateVersion> for VersionView {
    fn from(version: TemplateVersion) -> Self {
        Self {
            id: version.id.to_string(),
            template_id: version.template_id.to_string(),
            version: version.version,
            number: version.number,
            state: version.state,
            digest: version.digest.to_string(),
            source_commit: version.source_commit,
            format: version.format,
            actions: catalog::actions_of(&version.manifest).into_iter().map(ActionView::from).collect(),
            connect: catalog::connect_of(&version.manifest).map(|connect| connect.output),
            inputs_schema: version.inputs_schema,
            outputs: version.outputs,
            provider: version.provider,
            readme: version.readme,
            created_at: version.created_at,
        }
    }
}

impl From<VersionSummary> for VersionRow {
    fn from(version: VersionSummary) -> Self {
        Self {
            id: version.id.to_string(),
            version: version.version,
            number: version.number,
            state: version.state,
            digest: version.digest.to_string(),
            source_commit: version.source_commit,
            created_at: version.created_at,
        }
    }
}
