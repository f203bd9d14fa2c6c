//! Who decides on requests in the caller's place, and in whose place the caller does.

use axum::Json;
use axum::http::{HeaderName, StatusCode, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::{Caller, Reads, Reviews};
use super::decisions::PersonView;
use super::error::Problem;
use super::extract::{Body, Id};
use super::page::List;
use crate::base::id::DelegationId;
use crate::requests::{Delegation, NewDelegation};

/// Somebody decides in the place of another.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delegation)]
pub struct DelegationView {
    id: String,
    /// Who is absent.
    absent: PersonView,
    /// Who decides for them.
    deputy: PersonView,
    #[schema(format = DateTime, value_type = String)]
    from: Timestamp,
    /// From that second on it counts for nothing.
    #[schema(format = DateTime, value_type = String)]
    until: Timestamp,
    /// What the absent person wrote about it.
    note: String,
    #[schema(format = DateTime, value_type = String)]
    created_at: Timestamp,
    /// Null: it was not taken back.
    #[schema(format = DateTime, value_type = Option<String>)]
    taken_back_at: Option<Timestamp>,
    /// Whether it counts at this moment.
    holds: bool,
}

impl From<Delegation> for DelegationView {
    fn from(one: Delegation) -> Self {
        Self {
            id: one.id.to_string(),
            absent: PersonView::new(one.absent, &one.absent_name),
            deputy: PersonView::new(one.deputy, &one.deputy_name),
            from: one.starts_at,
            until: one.ends_at,
            note: one.note,
            created_at: one.created_at,
            taken_back_at: one.ended_at,
            holds: one.holds,
        }
    }
}

/// The delegations that the caller gave, and those by which they decide; the newest 100.
#[utoipa::path(get, path = "/me/delegations", tag = "me", security(("token" = ["read"]), ("session" = [])),
    responses((status = 200, body = List<DelegationView>)))]
pub async fn list_delegations(caller: Caller<Reads>) -> Result<Json<List<DelegationView>>, Problem> {
    let mut connection = caller.app.db.acquire().await?;
    let found = caller.app.requests.delegations(&mut connection, caller.access().person.id).await?;
    Ok(Json(List { items: found.into_iter().map(Into::into).collect(), next_cursor: None }))
}

/// A delegation to be given.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewDelegation)]
pub struct DelegationBody {
    /// The login of who is to decide. Never one's own.
    to: String,
    /// Left out: from now on.
    #[schema(format = DateTime, value_type = Option<String>)]
    from: Option<Timestamp>,
    /// At most 90 days after the beginning.
    #[schema(format = DateTime, value_type = String)]
    until: Timestamp,
    #[serde(default)]
    note: String,
}

/// Lets somebody decide on requests in the caller's place: on those that ask for what the caller holds.
#[utoipa::path(post, path = "/me/delegations", tag = "me", request_body = DelegationBody,
    security(("token" = ["review"]), ("session" = [])), responses((status = 201, body = DelegationView)))]
pub async fn give_delegation(
    caller: Caller<Reviews>,
    Body(body): Body<DelegationBody>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<DelegationView>), Problem> {
    let new = NewDelegation { to: &body.to, from: body.from, until: body.until, note: &body.note };
    let given = caller.app.requests.delegate(&caller.op, caller.access(), new).await?;
    let location = [(header::LOCATION, "/api/v1/me/delegations".to_owned())];
    Ok((StatusCode::CREATED, location, Json(given.into())))
}

/// Takes a delegation back that the caller gave. It counts for nothing from then on, nor do approvals by it that wait.
#[utoipa::path(delete, path = "/me/delegations/{id}", tag = "me", params(("id" = String, Path)),
    security(("token" = ["review"]), ("session" = [])), responses((status = 204, description = "It is taken back")))]
pub async fn end_delegation(caller: Caller<Reviews>, Id(id): Id<DelegationId>) -> Result<StatusCode, Problem> {
    caller.app.requests.end_delegation(&caller.op, caller.access(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}
