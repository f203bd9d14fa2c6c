//! Roles for a time: asking for one, taking one in an emergency, deciding and reviewing.

use axum::Json;
use axum::extract::Path;
use axum::http::{HeaderName, StatusCode, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Admins, Caller, Reads, Requests};
use super::error::Problem;
use super::extract::{Body, Id, Query};
use super::page::{List, Paging};
use crate::app::ElevationDraft;
use crate::base::id::ElevationId;
use crate::base::lifetime::Lifetime;
use crate::identity::{self, Elevation, ElevationFilter, ElevationState, IdentityError, Role, Scope};
use crate::policy::{Action, Permit, Resource, ability};

/// A role that somebody asked for, or took in an emergency.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Elevation)]
pub struct ElevationView {
    id: String,
    /// The login of who asked.
    who: String,
    /// The name to show.
    name: String,
    role: Role,
    /// The slug of the project; null: on the platform.
    project: Option<String>,
    /// Taken at once, and to be reviewed.
    emergency: bool,
    state: ElevationState,
    reason: String,
    /// For how long, from the decision on.
    lifetime_seconds: i64,
    #[schema(format = DateTime, value_type = String)]
    created_at: Timestamp,
    /// Until when somebody can decide.
    #[schema(format = DateTime, value_type = String)]
    lapses_at: Timestamp,
    /// The name of who decided; null: nobody, or nobody else.
    decided_by: Option<String>,
    #[schema(format = DateTime, value_type = Option<String>)]
    decided_at: Option<Timestamp>,
    answer: Option<String>,
    /// When the role ends, or ended at the latest.
    #[schema(format = DateTime, value_type = Option<String>)]
    ends_at: Option<Timestamp>,
    reviewed_by: Option<String>,
    #[schema(format = DateTime, value_type = Option<String>)]
    reviewed_at: Option<Timestamp>,
    /// Whether it was an emergency, as the reviewer says.
    justified: Option<bool>,
    review: Option<String>,
}

impl From<Elevation> for ElevationView {
    fn from(one: Elevation) -> Self {
        let said = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            id: one.id.to_string(),
            who: one.login,
            name: one.name,
            role: one.role,
            project: one.project_slug,
            emergency: one.emergency,
            state: one.state,
            reason: one.reason,
            lifetime_seconds: one.lifetime.as_secs(),
            created_at: one.created_at,
            lapses_at: one.lapses_at,
            decided_by: said(one.decided_by),
            decided_at: one.decided_at,
            answer: said(one.answer),
            ends_at: one.ends_at,
            reviewed_by: said(one.reviewed_by),
            reviewed_at: one.reviewed_at,
            justified: one.justified,
            review: said(one.review),
        }
    }
}

/// What is listed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ElevationQuery {
    /// Those of everybody, for who may read the administration; else one's own.
    #[serde(default)]
    all: bool,
    /// Only those that somebody has to decide.
    #[serde(default)]
    waiting: bool,
    /// Only emergencies that nobody has reviewed.
    #[serde(default)]
    to_review: bool,
    /// At most this many, 1 to 100.
    limit: Option<i64>,
    /// From the page before.
    cursor: Option<String>,
}

/// Roles that the caller asked for, or everybody, newest first.
#[utoipa::path(get, path = "/elevations", tag = "roles", params(ElevationQuery),
    security(("token" = ["read"]), ("session" = [])), responses((status = 200, body = List<ElevationView>)))]
pub async fn list_elevations(
    caller: Caller<Reads>,
    Query(query): Query<ElevationQuery>,
) -> Result<Json<List<ElevationView>>, Problem> {
    let person = if query.all {
        let _: Permit<ability::ReadAdmin> = caller.permit_platform(Resource::platform())?;
        None
    } else {
        Some(caller.access().person.id)
    };
    let filter = ElevationFilter { id: None, person, waiting: query.waiting, to_review: query.to_review };
    let paging = Paging::read(query.limit, query.cursor.as_deref())?;
    let mut connection = caller.app.db.acquire().await?;
    let page = identity::list_elevations(&mut connection, filter, paging.after, paging.limit).await?;
    Ok(Json(List { items: page.items.into_iter().map(Into::into).collect(), next_cursor: page.next_cursor }))
}

/// One of them: the caller's own, or anybody's for who may read the administration.
#[utoipa::path(get, path = "/elevations/{id}", tag = "roles", params(("id" = String, Path)),
    security(("token" = ["read"]), ("session" = [])), responses((status = 200, body = ElevationView)))]
pub async fn get_elevation(caller: Caller<Reads>, Id(id): Id<ElevationId>) -> Result<Json<ElevationView>, Problem> {
    let found = identity::get_elevation(&mut *caller.app.db.acquire().await?, id).await?;
    let reads_all: Result<Permit<ability::ReadAdmin>, Problem> = caller.permit_platform(Resource::platform());
    if found.person != caller.access().person.id && reads_all.is_err() {
        return Err(Problem::not_found("role that somebody asked for"));
    }
    Ok(Json(found.into()))
}

/// A role to be asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewElevation {
    role: Role,
    /// The slug of a project. Left out: on the platform.
    project: Option<String>,
    /// How long from the decision on: seconds, or a text such as `8h`.
    #[schema(value_type = String)]
    lifetime: Lifetime,
    /// What it is for.
    reason: String,
    /// Take it at once, where policy lets one; every admin is told, and one reviews it.
    #[serde(default)]
    emergency: bool,
}

/// Asks for a role, or takes it at once in an emergency.
#[utoipa::path(post, path = "/elevations", tag = "roles", request_body = NewElevation,
    security(("token" = ["request"]), ("session" = [])), responses((status = 201, body = ElevationView),
        (status = 409, description = "The caller holds it, or has asked for it already")))]
pub async fn ask_for_role(
    caller: Caller<Requests>,
    Body(new): Body<NewElevation>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<ElevationView>), Problem> {
    if new.emergency && !caller.reaches(Action::BreakGlass) {
        return Err(Problem::token_scope(Scope::from(Action::BreakGlass), Action::BreakGlass.as_str()));
    }
    let NewElevation { role, project, lifetime, reason, emergency } = new;
    let draft = ElevationDraft { role, project, lifetime: lifetime.0, reason, emergency };
    let asked = caller.app.elevate(&caller.op, caller.access(), &draft).await?;
    let location = [(header::LOCATION, format!("/api/v1/elevations/{}", asked.id))];
    Ok((StatusCode::CREATED, location, Json(asked.into())))
}

/// Takes back what the caller asked for, or gives back what they got.
#[utoipa::path(delete, path = "/elevations/{id}", tag = "roles", params(("id" = String, Path)),
    security(("token" = ["request"]), ("session" = [])), responses((status = 200, body = ElevationView)))]
pub async fn end_elevation(caller: Caller<Requests>, Path(name): Path<String>) -> Result<Json<ElevationView>, Problem> {
    Ok(Json(caller.app.end_elevation(&caller.op, id_of(&name)?).await?.into()))
}

/// Yes or no.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ElevationDecision)]
pub struct Decision {
    grant: bool,
    /// What they read; to decline, why.
    #[serde(default)]
    answer: String,
}

/// Grants what somebody asked for, or declines it. Never by whoever asked.
#[utoipa::path(post, path = "/elevations/{id}/decision", tag = "roles", request_body = Decision,
    params(("id" = String, Path)), security(("token" = ["admin"]), ("session" = [])),
    responses((status = 200, body = ElevationView), (status = 409, description = "It does not wait any more")))]
pub async fn decide_elevation(
    caller: Caller<Admins>,
    Path(name): Path<String>,
    Body(said): Body<Decision>,
) -> Result<Json<ElevationView>, Problem> {
    let action = if said.grant { "elevation.granted" } else { "elevation.declined" };
    let (permit, id) = judge(&caller, action, &name).await?;
    Ok(Json(caller.app.decide_elevation(&caller.op, &permit, id, (said.grant, &said.answer)).await?.into()))
}

/// What a reviewer says of an emergency.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ElevationReview)]
pub struct Review {
    /// Whether it was one.
    justified: bool,
    /// What they found.
    review: String,
}

/// Reviews an emergency. Never by whoever took the role.
#[utoipa::path(post, path = "/elevations/{id}/review", tag = "roles", request_body = Review,
    params(("id" = String, Path)), security(("token" = ["admin"]), ("session" = [])),
    responses((status = 200, body = ElevationView), (status = 409, description = "It is reviewed")))]
pub async fn review_elevation(
    caller: Caller<Admins>,
    Path(name): Path<String>,
    Body(said): Body<Review>,
) -> Result<Json<ElevationView>, Problem> {
    let (permit, id) = judge(&caller, "elevation.reviewed", &name).await?;
    Ok(Json(caller.app.review_elevation(&caller.op, &permit, id, (said.justified, &said.review)).await?.into()))
}

/// The permit to decide and review; a refusal is written down.
async fn judge(
    caller: &Caller<Admins>,
    action: &'static str,
    name: &str,
) -> Result<(Permit<ability::ManageRoles>, ElevationId), Problem> {
    let refused = match caller.app.permit_roles(&caller.op, caller.access()).await {
        Ok(permit) => return Ok((permit, id_of(name)?)),
        Err(refused) => refused,
    };
    if let Ok(id) = id_of(name)
        && let Ok(one) = identity::get_elevation(&mut *caller.app.db.acquire().await?, id).await
    {
        caller.app.record_refused_elevation(&caller.op, action, &one).await?;
    }
    Err(refused.into())
}

fn id_of(text: &str) -> Result<ElevationId, IdentityError> {
    text.parse().map_err(|_| IdentityError::NotFound("role that somebody asked for"))
}
