//! Approve with changes: what a reviewer suggests, and whether the requester agrees.

use axum::Json;
use axum::extract::Path;
use axum::http::{HeaderName, StatusCode, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::caller::{Caller, Requests, Reviews};
use super::decisions::PersonView;
use super::drafts::lifetime_schema;
use super::error::Problem;
use super::extract::{Body, Id, NoBody};
use super::requests::{RequestView, load};
use crate::base::Lifetime;
use crate::base::id::{RequestId, SuggestionId};
use crate::requests::{self, Changes, Suggestion, SuggestionState};

/// Changes that a reviewer would agree to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Suggestion)]
pub struct SuggestionView {
    id: String,
    /// The request that it is about.
    request: String,
    reviewer: PersonView,
    /// The absent person in whose place they suggest it; null: in their own name.
    #[serde(rename = "for")]
    absent: Option<PersonView>,
    /// All inputs as they would be, without the secret ones, which stay as they are.
    #[schema(value_type = Object)]
    inputs: Map<String, Value>,
    lifetime_seconds: Option<i64>,
    reason: String,
    state: SuggestionState,
    at: Timestamp,
    decided_at: Option<Timestamp>,
    /// The request that came of it; null: none.
    successor: Option<String>,
}

impl From<Suggestion> for SuggestionView {
    fn from(one: Suggestion) -> Self {
        Self {
            id: one.id.to_string(),
            request: one.request.to_string(),
            reviewer: PersonView::new(one.reviewer, &one.reviewer_name),
            absent: one.absent.map(|(id, name)| PersonView::new(id, &name)),
            inputs: one.inputs,
            lifetime_seconds: one.lifetime.map(|lifetime| lifetime.as_secs()),
            reason: one.reason,
            state: one.state,
            at: one.at,
            decided_at: one.decided_at,
            successor: one.successor.map(|id| id.to_string()),
        }
    }
}

/// What to change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSuggestion)]
pub struct SuggestionBody {
    /// Inputs to change; null takes one away. The others stay, and so do secret ones.
    #[serde(default)]
    #[schema(value_type = Object)]
    inputs: Map<String, Value>,
    #[schema(schema_with = lifetime_schema)]
    lifetime: Option<Lifetime>,
    /// Why: the requester reads it.
    reason: String,
}

/// Approves a request with changes: suggests them to the requester, who accepts or declines. The caller's open suggestion for
/// the request is replaced. What could not be accepted now (wrong values, denied, a full quota) is refused.
#[utoipa::path(post, path = "/requests/{id}/suggestions", tag = "requests", params(("id" = String, Path)),
    request_body = SuggestionBody, security(("token" = ["review"]), ("session" = [])),
    responses((status = 201, description = "The request, with the suggestion", body = RequestView),
              (status = 422, description = "Some values are not right")))]
pub async fn suggest_changes(
    caller: Caller<Reviews>,
    Id(id): Id<RequestId>,
    Body(body): Body<SuggestionBody>,
) -> Result<(StatusCode, Json<RequestView>), Problem> {
    let lifetime = body.lifetime.map(|lifetime| lifetime.0);
    let changes = Changes { inputs: &body.inputs, lifetime, reason: &body.reason };
    caller.app.requests.suggest(&caller.op, caller.person(), id, changes).await?;
    Ok((StatusCode::CREATED, Json(load(&caller, id).await?)))
}

/// Agrees to suggested changes: the request is withdrawn and another one, with the changes, takes its place.
#[utoipa::path(post, path = "/requests/{id}/suggestions/{suggestion}/accept", tag = "requests",
    params(("id" = String, Path), ("suggestion" = String, Path)),
    security(("token" = ["request"]), ("session" = [])),
    responses((status = 201, description = "The request that takes its place", body = RequestView)))]
pub async fn accept_changes(
    caller: Caller<Requests>,
    Path(ids): Path<(String, String)>,
    _: NoBody,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<RequestView>), Problem> {
    let (id, suggestion) = both(&ids)?;
    let submitted = caller.app.requests.accept(&caller.op, caller.person(), id, suggestion).await?;
    let location = [(header::LOCATION, format!("/api/v1/requests/{}", submitted.id))];
    Ok((StatusCode::CREATED, location, Json(load(&caller, submitted.id).await?)))
}

/// Does not agree to suggested changes: the request waits as it was.
#[utoipa::path(post, path = "/requests/{id}/suggestions/{suggestion}/decline", tag = "requests",
    params(("id" = String, Path), ("suggestion" = String, Path)),
    security(("token" = ["request"]), ("session" = [])), responses((status = 200, body = RequestView)))]
pub async fn decline_changes(
    caller: Caller<Requests>,
    Path(ids): Path<(String, String)>,
    _: NoBody,
) -> Result<Json<RequestView>, Problem> {
    let (id, suggestion) = both(&ids)?;
    caller.app.requests.decline(&caller.op, caller.person(), id, suggestion).await?;
    Ok(Json(load(&caller, id).await?))
}

/// What is not an id names nothing.
fn both((request, suggestion): &(String, String)) -> Result<(RequestId, SuggestionId), Problem> {
    let request = request.parse().map_err(|_| requests::Error::NotFound)?;
    let suggestion = suggestion.parse().map_err(|_| requests::Error::NoSuggestion)?;
    Ok((request, suggestion))
}
