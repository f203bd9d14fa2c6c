//! What environments cost, and what requests were said to cost.

use axum::Json;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::{Caller, Reads};
use super::error::Problem;
use super::extract::Id;
use super::requests::may_see_environment;
use crate::base::During;
use crate::base::id::EnvironmentId;
use crate::catalog;
use crate::cost::{Estimate, Line, Unit};

/// What something would cost by the prices of one day. Amounts are decimal numbers as text, sums have two digits
/// behind the point and hold what is priced.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Estimate)]
pub struct EstimateView {
    /// ISO 4217.
    currency: String,
    /// The day whose prices it is by (UTC).
    #[schema(value_type = String, format = Date)]
    day: Date,
    /// In a month of 730 hours in which it runs all the time.
    #[schema(value_type = String, example = "12.30")]
    month_running: Decimal,
    /// In a month in which it is stopped all the time.
    #[schema(value_type = String, example = "4.10")]
    month_stopped: Decimal,
    /// If it runs until its end of life; null: it has no end.
    #[schema(value_type = Option<String>, example = "2.87")]
    until_end: Option<Decimal>,
    /// How long that is.
    until_end_seconds: Option<i64>,
    /// What it takes.
    lines: Vec<EstimateLineView>,
    /// The items that have no price: they are in no sum.
    not_priced: Vec<String>,
}

/// One item that is taken.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EstimateLine)]
pub struct EstimateLineView {
    item: String,
    title: String,
    quantity: i64,
    /// For how long it is taken.
    r#while: During,
    /// What the price is for; null: the item is not priced.
    unit: Option<Unit>,
    /// Of one unit.
    #[schema(value_type = Option<String>, example = "0.0416")]
    unit_price: Option<Decimal>,
    /// Of the whole line in a month in which it is taken all the time.
    #[schema(value_type = Option<String>, example = "30.37")]
    month: Option<Decimal>,
}

impl From<Estimate> for EstimateView {
    fn from(estimate: Estimate) -> Self {
        let not_priced = estimate.not_priced().into_iter().map(str::to_owned).collect();
        Self {
            not_priced,
            currency: estimate.currency,
            day: estimate.day,
            month_running: estimate.running,
            month_stopped: estimate.stopped,
            until_end: estimate.until_end.map(|end| end.amount),
            until_end_seconds: estimate.until_end.map(|end| end.seconds),
            lines: estimate.lines.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Line> for EstimateLineView {
    fn from(line: Line) -> Self {
        Self {
            item: line.charge.item,
            title: line.title,
            quantity: line.charge.quantity,
            r#while: line.charge.during,
            unit: line.price.map(|price| price.unit),
            unit_price: line.price.map(|price| price.amount),
            month: line.price.map(|price| price.month),
        }
    }
}

/// What an environment costs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EnvironmentCost)]
pub struct CostView {
    /// As it is now, by the prices of today; null: its template does not say what it takes.
    estimate: Option<EstimateView>,
}

/// What an environment costs.
#[utoipa::path(get, path = "/environments/{id}/cost", tag = "environments", params(("id" = String, Path)),
    security(("token" = ["read"]), ("session" = [])), responses((status = 200, body = CostView)))]
pub async fn get_cost(caller: Caller<Reads>, Id(id): Id<EnvironmentId>) -> Result<Json<CostView>, Problem> {
    let environment = may_see_environment(&caller, id).await?;
    let mut connection = caller.app.db.acquire().await?;
    let version = catalog::get_version(&mut connection, environment.template.version_id).await?;
    let estimate = caller.app.estimate_of(&mut connection, &caller.op, &environment, &version).await?;
    Ok(Json(CostView { estimate: estimate.map(Into::into) }))
}
