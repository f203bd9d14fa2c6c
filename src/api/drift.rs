//! Whether an environment is still as its last run left it, and whose it is from now on.

use axum::Json;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::{Caller, Reads, Requests};
use super::environments::EnvironmentView;
use super::error::Problem;
use super::extract::{Body, Id, NoBody};
use super::requests::may_see_environment;
use super::runs::{self, RunView};
use crate::app::App;
use crate::base::id::EnvironmentId;
use crate::environments::drift::{self, Accepted, DriftResult};
use crate::policy::ability;
use crate::providers::{Difference, DifferenceKind};

/// Whether an environment is still as its last run left it, by the last look at its target.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Drift)]
pub struct DriftView {
    /// Since when something differs that nobody accepted; null: it is not drifted, as far as is known.
    drifted_since: Option<Timestamp>,
    /// What differs and nobody accepted, by the last check that could look.
    differences: Vec<DifferenceView>,
    /// Names these differences, for whoever accepts them.
    digest: String,
    /// What people accepted, as long as it is found like that.
    accepted: Vec<AcceptedView>,
    /// When the last check came to an end.
    checked_at: Option<Timestamp>,
    /// How it ended.
    result: Option<DriftResult>,
    /// Why it could not tell, or why it failed.
    reason: Option<String>,
    /// Its run.
    run_id: Option<String>,
    /// When Paddock checks next by itself.
    next_check_at: Option<Timestamp>,
}

/// Something that is not as the last run left it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Difference)]
pub struct DifferenceView {
    /// The resource, as the provider names it.
    address: String,
    kind: DifferenceKind,
    /// In words, from what it was to what it is. Secret values are never told.
    summary: String,
}

/// A difference that somebody accepted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AcceptedDifference)]
pub struct AcceptedView {
    #[serde(flatten)]
    difference: DifferenceView,
    /// Who, by the login of that time.
    by: String,
    at: Timestamp,
    reason: String,
}

impl From<Difference> for DifferenceView {
    fn from(one: Difference) -> Self {
        Self { address: one.address, kind: one.kind, summary: one.summary }
    }
}

impl From<Accepted> for AcceptedView {
    fn from(one: Accepted) -> Self {
        Self { difference: one.difference.into(), by: one.by, at: one.at, reason: one.reason }
    }
}

/// What somebody says about the differences that they saw.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AcceptDrift)]
pub struct AcceptBody {
    /// The `digest` of the differences.
    digest: String,
    /// Why they shall be so.
    reason: String,
}

/// To whom, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = HandOver)]
pub struct HandOverBody {
    /// The login of an active developer or lead of the project.
    to: String,
    reason: String,
}

/// Gives the environment to another member of its project, for example because its owner is gone.
#[utoipa::path(post, path = "/environments/{id}/hand-over", tag = "environments", params(("id" = String, Path)),
    security(("token" = ["request"]), ("session" = [])), responses((status = 200, body = EnvironmentView)))]
pub async fn hand_over(
    caller: Caller<Requests>,
    Id(id): Id<EnvironmentId>,
    Body(body): Body<HandOverBody>,
) -> Result<Json<EnvironmentView>, Problem> {
    let environment = may_see_environment(&caller, id).await?;
    let permit = caller.permit_environment::<ability::HandOver>(&environment)?;
    Ok(Json(caller.app.hand_over(&caller.op, &permit, &body.to, &body.reason).await?.into()))
}

/// What the last check found.
#[utoipa::path(get, path = "/environments/{id}/drift", tag = "environments", params(("id" = String, Path)),
    security(("token" = ["read"]), ("session" = [])), responses((status = 200, body = DriftView)))]
pub async fn get_drift(caller: Caller<Reads>, Id(id): Id<EnvironmentId>) -> Result<Json<DriftView>, Problem> {
    let environment = may_see_environment(&caller, id).await?;
    Ok(Json(load(&caller.app, environment.id).await?))
}

/// Compares the environment with what its last run left. Nothing is changed; a check that is under way
/// already is answered.
#[utoipa::path(post, path = "/environments/{id}/drift/check", tag = "environments", params(("id" = String, Path)),
    security(("token" = ["request"]), ("session" = [])),
    responses((status = 202, description = "The run of the check", body = RunView)))]
pub async fn check_drift(
    caller: Caller<Requests>,
    Id(id): Id<EnvironmentId>,
    _: NoBody,
) -> Result<(StatusCode, Json<RunView>), Problem> {
    let environment = may_see_environment(&caller, id).await?;
    let permit = caller.permit_environment::<ability::CheckDrift>(&environment)?;
    let run = caller.app.check_drift(&caller.op, &permit).await?;
    Ok((StatusCode::ACCEPTED, Json(runs::load(&caller.app, run).await?)))
}

/// Says that what differs shall be so: it is not told again as long as it is found like that. To have it
/// as it was instead, request an update without changes.
#[utoipa::path(post, path = "/environments/{id}/drift/accept", tag = "environments", params(("id" = String, Path)),
    security(("token" = ["request"]), ("session" = [])), responses((status = 200, body = DriftView)))]
pub async fn accept_drift(
    caller: Caller<Requests>,
    Id(id): Id<EnvironmentId>,
    Body(body): Body<AcceptBody>,
) -> Result<Json<DriftView>, Problem> {
    let environment = may_see_environment(&caller, id).await?;
    let permit = caller.permit_environment::<ability::AcceptDrift>(&environment)?;
    caller.app.accept_drift(&caller.op, &permit, &body.digest, &body.reason).await?;
    Ok(Json(load(&caller.app, environment.id).await?))
}

async fn load(app: &App, id: EnvironmentId) -> Result<DriftView, Problem> {
    let report = drift::find(&mut *app.db.acquire().await?, id).await?;
    let digest = report.digest().to_string();
    let (checked_at, result, reason, run) = match report.checked {
        Some(last) => (Some(last.at), Some(last.result), last.reason, last.run),
        None => (None, None, None, None),
    };
    Ok(DriftView {
        drifted_since: report.since,
        differences: report.differences.into_iter().map(Into::into).collect(),
        digest,
        accepted: report.accepted.into_iter().map(Into::into).collect(),
        checked_at,
        result,
        reason,
        run_id: run.map(|run| run.to_string()),
        next_check_at: report.due_at,
    })
}
