//! The versions of an environment's state.

use axum::Json;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, Reads};
use super::error::Problem;
use super::extract::{Id, Query};
use super::page::{List, Paging};
use super::requests::may_see_environment;
use crate::base::id::EnvironmentId;
use crate::environments::{self, StateVersion};
use crate::policy::ability;
use crate::providers::{PlanAction, StateOrigin};

/// A version of the state that the provider keeps. The state itself is not shown.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StateVersion)]
pub struct StateVersionView {
    /// From 1, in the order in which they were written.
    version: i32,
    origin: StateOrigin,
    /// The provider's own count.
    serial: i64,
    /// The run that wrote it; null for what was there before states had versions.
    run_id: Option<String>,
    attempt: Option<i32>,
    written_at: Timestamp,
    /// What it has more, changed or less than the version before it.
    changes: Vec<StateChangeView>,
}

/// A resource that differs between two versions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StateChange)]
pub struct StateChangeView {
    address: String,
    /// `create`, `change` or `destroy`.
    #[schema(value_type = String)]
    action: PlanAction,
    /// The names of the attributes that differ; values are never told.
    attributes: Vec<String>,
}

impl From<StateVersion> for StateVersionView {
    fn from(version: StateVersion) -> Self {
        let changes = version.changes.into_iter().map(|change| StateChangeView {
            address: change.address,
            action: change.action,
            attributes: change.summary.split(", ").filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        });
        Self {
            version: version.version,
            origin: version.origin,
            serial: version.serial,
            run_id: version.by.map(|(run, _)| run.to_string()),
            attempt: version.by.map(|(_, attempt)| attempt),
            written_at: version.written_at,
            changes: changes.collect(),
        }
    }
}

/// Which versions.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct StateQuery {
    /// At most this many, 1 to 100.
    limit: Option<i64>,
    /// From the page before.
    cursor: Option<i32>,
}

/// The versions of the state, newest first, for those who may reveal the environment's outputs.
#[utoipa::path(get, path = "/environments/{id}/state-versions", tag = "environments",
    params(("id" = String, Path), StateQuery),
    security(("token" = ["read"]), ("token" = ["request"]), ("session" = [])),
    responses((status = 200, body = List<StateVersionView>)))]
pub async fn list_state_versions(
    caller: Caller<Reads>,
    Id(id): Id<EnvironmentId>,
    Query(query): Query<StateQuery>,
) -> Result<Json<List<StateVersionView>>, Problem> {
    let limit = usize::try_from(Paging::read(query.limit, None)?.limit).unwrap_or(1);
    let environment = may_see_environment(&caller, id).await?;
    let permit = caller.permit_environment::<ability::RevealOutput>(&environment)?;
    let mut connection = caller.app.db.acquire().await?;
    let versions =
        environments::list_versions(&mut connection, &caller.app.sealer, &permit, query.cursor, limit).await?;
    let last = versions.last().map(|version| version.version).filter(|version| *version > 1);
    let next_cursor = last.filter(|_| versions.len() == limit).map(|version| version.to_string());
    Ok(Json(List { items: versions.into_iter().map(Into::into).collect(), next_cursor }))
}
