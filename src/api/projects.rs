//! Projects with their environment types, quotas and members.

use axum::Json;
use axum::extract::Path;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, Reader, Reads};
use super::error::Problem;
use super::extract::Query;
use super::page::{List, Paging};
use crate::base::id::ProjectId;
use crate::identity::{self, Member};
use crate::policy::{Action, Role, ability};
use crate::projects::{self, Place, Project};

/// A project.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Project)]
pub struct ProjectView {
    id: String,
    slug: String,
    name: String,
    summary: String,
    environment_types: Vec<TypeView>,
}

/// A project with its members.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectDetail {
    #[serde(flatten)]
    project: ProjectView,
    /// Who holds a role in the project or in one of its environment types, by name; roles on the whole platform are not listed.
    members: Vec<MemberView>,
}

/// An environment type of a project.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EnvironmentType)]
pub struct TypeView {
    /// The id of the project environment type, `pet_…`.
    id: String,
    slug: String,
    name: String,
    /// Whether new environments may be made.
    enabled: bool,
    /// How long an environment lives when nobody says.
    default_lifetime_seconds: i64,
    /// How long it may live at most.
    maximum_lifetime_seconds: i64,
    quotas: Vec<QuotaView>,
}

/// A quota and how much of it is taken.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Quota)]
pub struct QuotaView {
    /// What is counted.
    dimension: String,
    limit: i64,
    /// Taken by environments that exist.
    used: i64,
    /// Taken by requests that wait or run.
    reserved: i64,
}

/// Somebody who holds a role in a project.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Member)]
pub struct MemberView {
    id: String,
    login: String,
    name: String,
    role: Role,
    /// The slug of the team that has the role; null when the person has it.
    team: Option<String>,
    /// The slug of the environment type in which alone the role counts; null: in all of the project.
    environment_type: Option<String>,
}

/// Which projects.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ProjectQuery {
    /// At most this many, 1 to 100.
    limit: Option<i64>,
    /// From the page before.
    cursor: Option<String>,
}

/// The projects that the caller may read, by name.
#[utoipa::path(get, path = "/projects", tag = "projects", params(ProjectQuery),
    security(("token" = ["read"]), ("session" = [])), responses((status = 200, body = List<ProjectView>)))]
pub async fn list_projects(
    Reader(caller, mut connection): Reader<Reads>,
    Query(query): Query<ProjectQuery>,
) -> Result<Json<List<ProjectView>>, Problem> {
    let paging = Paging::read(query.limit, query.cursor.as_deref())?;
    let mut projects = projects::list(&mut connection, None).await?;
    let visible = caller.visible(&mut connection, Action::ReadProject).await?;
    projects.retain(|project| visible.contains(project.id));
    let page = paging.cut(projects, |project| project.id.0)?;
    let ids: Vec<ProjectId> = page.items.iter().map(|project| project.id).collect();
    let places = projects::places(&mut connection, &ids).await?;
    Ok(Json(page.map(|project| ProjectView::new(project, &places)).into()))
}

/// One project, by its slug.
#[utoipa::path(get, path = "/projects/{slug}", tag = "projects", params(("slug" = String, Path)),
    security(("token" = ["read"]), ("session" = [])), responses((status = 200, body = ProjectDetail)))]
pub async fn get_project(caller: Caller<Reads>, Path(slug): Path<String>) -> Result<Json<ProjectDetail>, Problem> {
    let mut connection = caller.app.db.acquire().await?;
    let project = projects::find(&mut connection, &slug).await?;
    let project = project.ok_or(projects::Error::NoProject(slug))?;
    caller.permit_project::<ability::ReadProject>(&project)?;
    let places = projects::places(&mut connection, &[project.id]).await?;
    let members = identity::members(&mut connection, project.id).await?;
    Ok(Json(ProjectDetail {
        project: ProjectView::new(project, &places),
        members: members.into_iter().map(Into::into).collect(),
    }))
}

impl ProjectView {
    fn new(project: Project, places: &[Place]) -> Self {
        let places = places.iter().filter(|place| place.kind.project == project.id);
        Self {
            id: project.id.to_string(),
            slug: project.slug,
            name: project.name,
            summary: project.summary,
            environment_types: places.map(TypeView::new).collect(),
        }
    }
}

impl TypeView {
    fn new(place: &Place) -> Self {
        let quotas = place.quotas.iter().map(|quota| QuotaView {
            dimension: quota.dimension.clone(),
            limit: quota.maximum,
            used: quota.in_use(),
            reserved: quota.reserved,
        });
        Self {
            id: place.kind.id.to_string(),
            slug: place.kind.slug.clone(),
            name: place.kind.name.clone(),
            enabled: place.kind.enabled,
            default_lifetime_seconds: place.kind.default_lifetime.as_secs(),
            maximum_lifetime_seconds: place.kind.maximum_lifetime.as_secs(),
            quotas: quotas.collect(),
        }
    }
}

impl From<Member> for MemberView {
    fn from(member: Member) -> Self {
        Self {
            id: member.person.to_string(),
            login: member.login,
            name: member.display_name,
            role: member.role,
            team: member.team,
            environment_type: member.environment_type,
        }
    }
}
