//! Where a receiver of a webhook says how its work goes. The token in the address is the only proof that it
//! may, so it is told nowhere: not in logs, not in problems.

use axum::Json;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::StatusCode;
use axum::http::request::Parts;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{Problem, sentence};
use super::extract::Body;
use crate::app::{App, http};
use crate::base::{ErrorKind, Op};
use crate::environments::{Reception, Refusal};
use crate::providers::{Report, ReportState};

/// Whoever has a token of a call-back.
pub struct Holder {
    app: App,
    op: Op,
    token: SecretString,
}

impl FromRequestParts<App> for Holder {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let parameters = RawPathParams::from_request_parts(parts, app).await.map_err(|_| refused(Refusal::Unknown))?;
        let token = parameters.iter().next().map(|(_, value)| value).unwrap_or_default();
        if !app.knows_call_back(token).await? {
            return Err(refused(Refusal::Unknown));
        }
        Ok(Self { app: app.clone(), op: http::op_of(app, parts, "api"), token: SecretString::from(token) })
    }
}

/// What became of a call-back.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallBackTaken {
    /// `taken`, or `taken_before` when the same last word had come in already.
    #[schema(value_type = String)]
    result: &'static str,
}

/// Says how the work of a run goes. `running` may come often; the first `succeeded` or `failed` is the last
/// word. The same last word once more is fine: whoever did not get the answer sends it again.
#[utoipa::path(post, path = "/callbacks/{token}", tag = "callbacks", security(()),
    params(("token" = String, Path, description = "From `data.callback.url` of the request")),
    request_body = Report,
    responses((status = 200, body = CallBackTaken),
              (status = 404, description = "Nobody gave out this token"),
              (status = 410, description = "It was used, it has expired, or the run has ended"),
              (status = 429, description = "Too many reports wait to be told")))]
pub async fn call_back(holder: Holder, Body(report): Body<Report>) -> Result<Json<CallBackTaken>, Problem> {
    if report.state == ReportState::Unknown {
        return Err(Problem::invalid("/state", "must be running, succeeded or failed"));
    }
    if let Some(wrong) = report.problem() {
        return Err(Problem::invalid(wrong.pointer, wrong.detail));
    }
    match holder.app.take_call_back(&holder.op, holder.token.expose_secret(), &report).await? {
        Reception::Taken(_) => Ok(Json(CallBackTaken { result: "taken" })),
        Reception::TakenBefore => Ok(Json(CallBackTaken { result: "taken_before" })),
        Reception::Refused(refusal) => Err(refused(refusal)),
    }
}

fn refused(refusal: Refusal) -> Problem {
    let kind = match refusal {
        Refusal::Unknown => ErrorKind::NotFound,
        Refusal::Used | Refusal::Expired | Refusal::Ended => ErrorKind::Conflict,
        Refusal::TooMany => ErrorKind::Limited,
    };
    let problem = Problem::new(kind, sentence(&refusal.to_string()));
    if kind == ErrorKind::Conflict { problem.with_status(StatusCode::GONE) } else { problem }
}
