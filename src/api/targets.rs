//! Targets, as far as they hold runs: how many may be at work, what a worker must have.

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::{Admins, Caller};
use super::error::Problem;
use super::extract::{Body, Id};
use super::page::List;
use crate::base::ErrorKind;
use crate::base::id::TargetId;
use crate::base::text::{LABEL_RULE, is_label};
use crate::policy::{Permit, Resource, ability};
use crate::projects::{self, TargetLimits};

/// The most labels.
const MOST: usize = 12;

/// A target.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Target)]
pub struct TargetView {
    id: String,
    slug: String,
    name: String,
    /// The provider that it is for.
    provider: String,
    /// How many of its runs may be at work at a time; null: as many as workers have room for.
    run_limit: Option<i32>,
    /// What a worker must have to execute its runs.
    labels: Vec<String>,
}

impl From<TargetLimits> for TargetView {
    fn from(target: TargetLimits) -> Self {
        Self {
            id: target.id.to_string(),
            slug: target.slug,
            name: target.name,
            provider: target.provider,
            run_limit: target.run_limit,
            labels: target.labels,
        }
    }
}

/// Every target, with what holds its runs.
#[utoipa::path(get, path = "/targets", tag = "queue", security(("token" = ["admin"]), ("session" = [])),
    responses((status = 200, body = List<TargetView>)))]
pub async fn list_targets(caller: Caller<Admins>) -> Result<Json<List<TargetView>>, Problem> {
    let _: Permit<ability::ReadAdmin> = caller.permit_platform(Resource::platform())?;
    let targets = projects::targets(&mut *caller.app.db.acquire().await?).await?;
    Ok(List::whole(targets.into_iter().map(Into::into).collect()))
}

/// What holds the runs of a target.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TargetLimits)]
pub struct LimitsDraft {
    /// How many may be at work at a time, from now on; null: as many as workers have room for.
    run_limit: Option<i32>,
    /// What a worker must have; it holds for runs that are asked for from now on.
    labels: Vec<String>,
}

/// Replaces what holds the runs of a target.
#[utoipa::path(put, path = "/targets/{id}/limits", tag = "queue", params(("id" = String, Path)),
    request_body = LimitsDraft, security(("token" = ["admin"]), ("session" = [])),
    responses((status = 200, body = TargetView)))]
pub async fn limit_target(
    caller: Caller<Admins>,
    Id(id): Id<TargetId>,
    Body(draft): Body<LimitsDraft>,
) -> Result<Json<TargetView>, Problem> {
    let permit = caller.permit_platform::<ability::ManageQueue>(Resource::platform())?;
    if draft.run_limit.is_some_and(|limit| limit < 1) {
        return Err(Problem::invalid("/run_limit", "must be at least 1; null lifts the limit"));
    }
    if draft.labels.len() > MOST {
        return Err(Problem::invalid("/labels", "at most 12 labels fit"));
    }
    if let Some(place) = draft.labels.iter().position(|label| !is_label(label)) {
        return Err(Problem::invalid(format!("/labels/{place}"), LABEL_RULE));
    }
    let target = caller.app.limit_target(&caller.op, &permit, id, draft.run_limit, &draft.labels).await?;
    let target = target.ok_or_else(|| Problem::new(ErrorKind::NotFound, "There is no such target."))?;
    Ok(Json(target.into()))
}
