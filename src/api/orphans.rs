//! Orphans: what targets hold with Paddock's mark and nobody owns.

use axum::Json;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Admins, Caller};
use super::error::Problem;
use super::extract::{Body, Id, NoBody, Query};
use super::page::{List, Paging};
use crate::base::id::OrphanId;
use crate::environments::State;
use crate::environments::orphans::{self, InventoryResult, Looked, Orphan, OrphanState};
use crate::policy::{Permit, Resource, ability};

/// Something at a target that carries Paddock's mark and belongs to no live environment. Nothing is
/// removed by itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Orphan)]
pub struct OrphanView {
    id: String,
    /// The target's slug.
    target: String,
    target_id: String,
    provider: String,
    /// What it is, as resources of environments have it.
    r#type: String,
    /// The id at the target.
    provider_id: String,
    /// Whose it is by its mark; perhaps of another Paddock.
    environment_id: Option<String>,
    /// That environment, where this Paddock knows it.
    environment: Option<String>,
    environment_state: Option<State>,
    /// Whether it can be given back to that environment.
    can_be_adopted: bool,
    /// Since when it is there, where the target tells.
    there_since: Option<Timestamp>,
    /// What it costs, in words, where the target tells.
    cost: Option<String>,
    found_at: Timestamp,
    seen_at: Timestamp,
    state: OrphanState,
    /// The run that removes it, or tried to.
    run_id: Option<String>,
    /// Why that could not.
    error: Option<String>,
}

impl From<Orphan> for OrphanView {
    fn from(orphan: Orphan) -> Self {
        let can_be_adopted = orphan.can_be_adopted();
        let (environment, environment_state) = orphan.environment.unzip();
        Self {
            id: orphan.id.to_string(),
            target: orphan.target_slug,
            target_id: orphan.target.to_string(),
            provider: orphan.provider,
            r#type: orphan.thing.r#type,
            provider_id: orphan.thing.id,
            environment_id: orphan.thing.environment.map(|id| id.to_string()),
            environment,
            environment_state,
            can_be_adopted,
            there_since: orphan.thing.since,
            cost: orphan.thing.cost,
            found_at: orphan.found_at,
            seen_at: orphan.seen_at,
            state: orphan.state,
            run_id: orphan.run.map(|run| run.to_string()),
            error: orphan.error,
        }
    }
}

/// How the last look at a target ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TargetLook)]
pub struct LookView {
    /// The target's slug.
    target: String,
    looked_at: Option<Timestamp>,
    result: Option<InventoryResult>,
    /// Why it could not tell, or why it failed.
    reason: Option<String>,
    next_look_at: Option<Timestamp>,
}

impl From<Looked> for LookView {
    fn from(look: Looked) -> Self {
        let Looked { target, at, result, reason, due_at } = look;
        Self { target, looked_at: at, result, reason, next_look_at: due_at }
    }
}

/// Which orphans.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OrphanQuery {
    /// At most this many, 1 to 100.
    limit: Option<i64>,
    /// From the page before.
    cursor: Option<String>,
}

/// Why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OrphanVerdict)]
pub struct VerdictBody {
    reason: String,
}

fn look(caller: &Caller<Admins>) -> Result<Permit<ability::ReadAdmin>, Problem> {
    caller.permit_platform(Resource::platform())
}

fn manage(caller: &Caller<Admins>) -> Result<Permit<ability::ManageOrphans>, Problem> {
    caller.permit_platform(Resource::platform())
}

/// What nobody owns, newest first.
#[utoipa::path(get, path = "/orphans", tag = "orphans", params(OrphanQuery),
    security(("token" = ["admin"]), ("session" = [])), responses((status = 200, body = List<OrphanView>)))]
pub async fn list_orphans(
    caller: Caller<Admins>,
    Query(query): Query<OrphanQuery>,
) -> Result<Json<List<OrphanView>>, Problem> {
    look(&caller)?;
    let paging = Paging::read(query.limit, query.cursor.as_deref())?;
    let page = orphans::list(&mut *caller.app.db.acquire().await?, paging.after, paging.limit).await?;
    Ok(Json(page.map(OrphanView::from).into()))
}

/// When each target was looked over, and how that ended.
#[utoipa::path(get, path = "/orphans/looks", tag = "orphans", security(("token" = ["admin"]), ("session" = [])),
    responses((status = 200, body = List<LookView>)))]
pub async fn list_looks(caller: Caller<Admins>) -> Result<Json<List<LookView>>, Problem> {
    look(&caller)?;
    let looks = orphans::looks(&mut *caller.app.db.acquire().await?).await?;
    Ok(List::whole(looks.into_iter().map(Into::into).collect()))
}

/// Lets every target be looked over as soon as a worker comes to it.
#[utoipa::path(post, path = "/orphans/look", tag = "orphans", security(("token" = ["admin"]), ("session" = [])),
    responses((status = 204, description = "They will be")))]
pub async fn look_now(caller: Caller<Admins>, _: NoBody) -> Result<StatusCode, Problem> {
    let permit = manage(&caller)?;
    caller.app.look_for_orphans(&permit).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// One orphan.
#[utoipa::path(get, path = "/orphans/{id}", tag = "orphans", params(("id" = String, Path)),
    security(("token" = ["admin"]), ("session" = [])), responses((status = 200, body = OrphanView)))]
pub async fn get_orphan(caller: Caller<Admins>, Id(id): Id<OrphanId>) -> Result<Json<OrphanView>, Problem> {
    look(&caller)?;
    load(&caller, id).await
}

/// Gives it back to the environment that its mark names, which lost its record of it.
#[utoipa::path(post, path = "/orphans/{id}/adopt", tag = "orphans", params(("id" = String, Path)),
    security(("token" = ["admin"]), ("session" = [])), responses((status = 200, body = OrphanView)))]
pub async fn adopt_orphan(
    caller: Caller<Admins>,
    Id(id): Id<OrphanId>,
    Body(body): Body<VerdictBody>,
) -> Result<Json<OrphanView>, Problem> {
    let permit = manage(&caller)?;
    caller.app.adopt_orphan(&caller.op, &permit, id, &body.reason).await?;
    load(&caller, id).await
}

/// Lets a run remove it for good.
#[utoipa::path(post, path = "/orphans/{id}/destroy", tag = "orphans", params(("id" = String, Path)),
    security(("token" = ["admin"]), ("session" = [])),
    responses((status = 202, description = "The orphan, with its run", body = OrphanView)))]
pub async fn destroy_orphan(
    caller: Caller<Admins>,
    Id(id): Id<OrphanId>,
    Body(body): Body<VerdictBody>,
) -> Result<(StatusCode, Json<OrphanView>), Problem> {
    let permit = manage(&caller)?;
    caller.app.destroy_orphan(&caller.op, &permit, id, &body.reason).await?;
    Ok((StatusCode::ACCEPTED, load(&caller, id).await?))
}

async fn load(caller: &Caller<Admins>, id: OrphanId) -> Result<Json<OrphanView>, Problem> {
    let orphan = orphans::get(&mut *caller.app.db.acquire().await?, id).await?;
    Ok(Json(orphan.into()))
}
