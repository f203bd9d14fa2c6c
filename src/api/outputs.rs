//! Outputs: masked, or revealed with a record in the audit log.

use axum::Json;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, Reads};
use super::error::Problem;
use super::extract::{Id, Query};
use super::page::List;
use super::requests::may_see_environment;
use crate::base::id::EnvironmentId;
use crate::environments;
use crate::policy::ability;

/// An output of an environment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Output)]
pub struct OutputView {
    name: String,
    /// Null while it is masked.
    #[schema(value_type = Option<Object>)]
    value: Option<Value>,
    /// Whether it is masked until revealed.
    sensitive: bool,
}

/// Which outputs to reveal.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OutputQuery {
    /// `true` or `all` for every sensitive output, or names with commas between. It is recorded.
    reveal: Option<String>,
}

/// The outputs; sensitive ones are masked unless `reveal` asks for them.
#[utoipa::path(get, path = "/environments/{id}/outputs", tag = "environments",
    params(("id" = String, Path), OutputQuery),
    security(("token" = ["read"]), ("token" = ["request"]), ("session" = [])),
    responses((status = 200, body = List<OutputView>)))]
pub async fn get_outputs(
    caller: Caller<Reads>,
    Id(id): Id<EnvironmentId>,
    Query(query): Query<OutputQuery>,
) -> Result<Json<List<OutputView>>, Problem> {
    let environment = may_see_environment(&caller, id).await?;
    let outputs = match query.reveal.as_deref().map(wanted) {
        None | Some(None) => environments::list_outputs(&mut *caller.app.db.acquire().await?, id).await?,
        Some(Some(names)) => {
            let permit = match caller.permit_environment::<ability::RevealOutput>(&environment) {
                Ok(permit) => permit,
                Err(refused) => {
                    caller.app.record_refused_reveal(&caller.op, &environment, &names).await?;
                    return Err(refused);
                }
            };
            let mut tx = caller.app.db.begin().await?;
            let sealer = &caller.app.sealer;
            let shown = environments::reveal(&mut tx, &caller.op, sealer, &permit, &environment, &names).await?;
            tx.commit().await?;
            shown
        }
    };
    let views = outputs.into_iter().map(|output| OutputView {
        name: output.name,
        value: output.value,
        sensitive: output.sensitive,
    });
    Ok(List::whole(views.collect()))
}

/// The names to reveal; an empty list is all of them.
fn wanted(text: &str) -> Option<Vec<String>> {
    match text {
        "false" => None,
        "true" | "all" => Some(Vec::new()),
        names => Some(names.split(',').map(|name| name.trim().to_owned()).collect()),
    }
}
