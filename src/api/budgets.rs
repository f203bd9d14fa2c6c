//! Budgets: what a project may cost in a month.

use axum::Json;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use rust_decimal::Decimal;
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::{Admins, Caller, Reads};
use super::error::Problem;
use super::extract::{Body, if_match};
use crate::cost::{self, Budget, BudgetCheck, BudgetLevel, BudgetTerms};
use crate::policy::{Permit, Resource, ability};
use crate::projects::{self, Project};

type Tagged<T> = ([(HeaderName, String); 1], Json<T>);

/// What a project may cost in each month.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Budget)]
pub struct BudgetView {
    #[serde(flatten)]
    terms: BudgetTerms,
    /// Counts its changes; the same as the `ETag`.
    generation: i64,
}

fn tagged(budget: Budget) -> Tagged<BudgetView> {
    let Budget { terms, generation } = budget;
    ([(header::ETAG, format!("\"{generation}\""))], Json(BudgetView { terms, generation }))
}

/// A budget held against what a request adds to the month. Amounts are decimal numbers as text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BudgetCheck)]
pub struct BudgetCheckView {
    /// What it said then.
    budget: BudgetTerms,
    /// `2026-11`
    month: String,
    /// ISO 4217.
    currency: String,
    /// What the month had cost until then.
    #[schema(value_type = String)]
    so_far: Decimal,
    /// The same, and the rest of the month as everything was then.
    #[schema(value_type = String)]
    forecast: Decimal,
    /// What other requests that were under way add until the end of the month.
    #[schema(value_type = String)]
    under_way: Decimal,
    /// What this adds until the end of the month.
    #[schema(value_type = String)]
    adds: Decimal,
    /// Which threshold is passed with it.
    level: BudgetLevel,
}

impl From<BudgetCheck> for BudgetCheckView {
    fn from(check: BudgetCheck) -> Self {
        let BudgetCheck { terms, month, currency, so_far, forecast, under_way, adds, level } = check;
        Self { budget: terms, month, currency, so_far, forecast, under_way, adds, level }
    }
}

/// The permit to change budgets; a refusal is written down.
async fn manage(
    caller: &Caller<Admins>,
    action: &'static str,
    slug: &str,
) -> Result<Permit<ability::ManageQuotas>, Problem> {
    match caller.permit_platform(Resource::platform()) {
        Ok(permit) => Ok(permit),
        Err(refused) => {
            caller.app.record_refused_budget(&caller.op, action, slug).await?;
            Err(refused)
        }
    }
}

/// The budget of a project.
#[utoipa::path(get, path = "/projects/{slug}/budget", tag = "costs", params(("slug" = String, Path)),
    security(("token" = ["read"]), ("session" = [])),
    responses((status = 200, body = BudgetView), (status = 404, description = "It has none")))]
pub async fn get_budget(caller: Caller<Reads>, Path(slug): Path<String>) -> Result<Tagged<BudgetView>, Problem> {
    let mut connection = caller.app.db.acquire().await?;
    let project = projects::find(&mut connection, &slug).await?.ok_or(projects::Error::NoProject(slug))?;
    caller.permit_project::<ability::ReadProject>(&project)?;
    let budget = cost::budget(&mut connection, project.id, false).await?.ok_or(cost::Error::NoBudget)?;
    Ok(tagged(budget))
}

/// Gives a project a budget, or another one. What is there stays; requests meet it from now on.
#[utoipa::path(put, path = "/projects/{slug}/budget", tag = "costs", request_body = BudgetTerms,
    params(("slug" = String, Path),
           ("If-Match" = Option<String>, Header, description = "The ETag of the budget: 412 when it has changed")),
    security(("token" = ["admin"]), ("session" = [])), responses((status = 200, body = BudgetView)))]
pub async fn set_budget(
    caller: Caller<Admins>,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Body(terms): Body<BudgetTerms>,
) -> Result<Tagged<BudgetView>, Problem> {
    let permit = manage(&caller, "budget.changed", &slug).await?;
    let generation = if_match(&headers)?;
    let project = found(&caller, slug).await?;
    Ok(tagged(caller.app.set_budget(&caller.op, &permit, &project, generation, &terms).await?))
}

/// Takes the budget of a project away.
#[utoipa::path(delete, path = "/projects/{slug}/budget", tag = "costs", params(("slug" = String, Path)),
    security(("token" = ["admin"]), ("session" = [])), responses((status = 204, description = "It is removed")))]
pub async fn remove_budget(caller: Caller<Admins>, Path(slug): Path<String>) -> Result<StatusCode, Problem> {
    let permit = manage(&caller, "budget.removed", &slug).await?;
    let project = found(&caller, slug).await?;
    caller.app.remove_budget(&caller.op, &permit, &project).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn found(caller: &Caller<Admins>, slug: String) -> Result<Project, Problem> {
    let found = projects::find(&mut *caller.app.db.acquire().await?, &slug).await?;
    Ok(found.ok_or(projects::Error::NoProject(slug))?)
}
