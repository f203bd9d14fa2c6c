//! What environments cost and have cost, and what requests were said to cost.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Admins, Caller, Reach, Reads};
use super::error::Problem;
use super::extract::{Id, Query};
use super::requests::may_see_environment;
use crate::app::Visible;
use crate::base::During;
use crate::base::id::EnvironmentId;
use crate::cost::{Estimate, Line, Month, Unit};
use crate::environments::costs::{self, Accrued, FocusRow, MonthCosts, Subject};
use crate::policy::{Action, Permit, Resource, ability};
use crate::{catalog, projects};

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
    /// In all its life so far, by the prices of each day.
    so_far: AccruedView,
    /// In the present month (UTC).
    this_month: AccruedView,
    /// Since when its cost is known; null: from the beginning.
    known_since: Option<Timestamp>,
}

/// What something has cost. Amounts are decimal numbers as text with two digits behind the point, and hold what is
/// priced.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccruedCost)]
pub struct AccruedView {
    /// ISO 4217.
    currency: String,
    /// Until now, or until the end of a month that is over.
    #[schema(value_type = String, example = "12.30")]
    so_far: Decimal,
    /// The same, and the rest of the month if everything stays as it is, until the month or the life ends; null: the
    /// month is over, or it is no month.
    #[schema(value_type = Option<String>, example = "30.10")]
    forecast: Option<Decimal>,
    /// Items that were taken in a time in which they had no price: they are in no sum.
    not_priced: Vec<String>,
    /// Templates that do not say what they take: what is made of them is in no sum.
    not_told: Vec<String>,
}

impl AccruedView {
    fn new(accrued: Accrued, currency: &str, goes_on: bool) -> Self {
        Self {
            currency: currency.to_owned(),
            so_far: accrued.so_far.told(),
            forecast: goes_on.then(|| accrued.forecast.told()),
            not_priced: accrued.not_priced.into_iter().collect(),
            not_told: accrued.not_told.into_iter().collect(),
        }
    }
}

/// What an environment costs.
#[utoipa::path(get, path = "/environments/{id}/cost", tag = "environments", params(("id" = String, Path)),
    security(("token" = ["read"]), ("session" = [])), responses((status = 200, body = CostView)))]
pub async fn get_cost(caller: Caller<Reads>, Id(id): Id<EnvironmentId>) -> Result<Json<CostView>, Problem> {
    let environment = may_see_environment(&caller, id).await?;
    let mut connection = caller.app.db.acquire().await?;
    let version = catalog::get_version(&mut connection, environment.template.version_id).await?;
    let estimate = caller.app.estimate_of(&mut connection, &caller.op, &environment, &version).await?;
    let found = costs::accrued(&mut connection, environment.id).await?;
    Ok(Json(CostView {
        estimate: estimate.map(Into::into),
        so_far: AccruedView::new(found.life, &found.currency, false),
        this_month: AccruedView::new(found.this_month, &found.currency, true),
        known_since: found.since,
    }))
}

/// Which month.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct MonthQuery {
    /// `2026-11`; left out: the present one (UTC).
    month: Option<String>,
    /// Only this project.
    project: Option<String>,
}

/// Which month of a file.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct LinesQuery {
    /// `2026-11`; left out: the present one (UTC).
    month: Option<String>,
}

/// What was used in a month has cost.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MonthCosts)]
pub struct MonthView {
    /// `2026-11`
    month: String,
    /// Until when it is summed: now, or the end of the month.
    until: Timestamp,
    /// Since when costs are known, where something was there before; null: from the beginning of the month.
    known_since: Option<Timestamp>,
    /// Everything.
    total: AccruedView,
    /// By project.
    projects: Vec<PartView>,
    /// By template.
    templates: Vec<PartView>,
    /// By environment type.
    environment_types: Vec<PartView>,
    /// By environment; empty where no project was given.
    environments: Vec<PartView>,
}

/// A part of what was used.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CostPart)]
pub struct PartView {
    /// The short name, or the id of an environment.
    key: String,
    name: String,
    #[serde(flatten)]
    cost: AccruedView,
}

/// What environments cost in a month, by the prices of each day: those of the projects that you may read.
#[utoipa::path(get, path = "/costs", tag = "costs", params(MonthQuery),
    security(("token" = ["read"]), ("session" = [])), responses((status = 200, body = MonthView)))]
pub async fn get_costs(caller: Caller<Reads>, Query(query): Query<MonthQuery>) -> Result<Json<MonthView>, Problem> {
    let month = month_of(&caller, query.month.as_deref())?;
    let mut connection = caller.app.db.acquire().await?;
    let mut visible = caller.visible(&mut connection, Action::ReadProject).await?;
    if let Some(slug) = &query.project {
        let project = projects::find(&mut connection, slug).await?;
        visible = project.map_or_else(Visible::nothing, |project| visible.within(project.id));
    }
    let wanted = costs::Wanted { projects: visible.projects(), parts: visible.parts() };
    let found = costs::month(&mut connection, month, &wanted).await?;
    Ok(Json(MonthView {
        month: month.to_string(),
        until: found.until,
        known_since: found.since,
        total: AccruedView::new(found.total(), &found.currency, found.goes_on()),
        projects: parts(&found, |one| (&one.project_slug, &one.project_name)),
        templates: parts(&found, |one| (&one.template_slug, &one.template_name)),
        environment_types: parts(&found, |one| (&one.environment_type, &one.environment_type)),
        environments: if query.project.is_some() { parts(&found, |one| (one.id, &one.name)) } else { Vec::new() },
    }))
}

/// Sums by what `of` names: key and name.
fn parts<'a, K: ToString>(found: &'a MonthCosts, of: impl Fn(&'a Subject) -> (K, &'a String)) -> Vec<PartView> {
    let mut parts: BTreeMap<String, (String, Accrued)> = BTreeMap::new();
    for one in &found.environments {
        let (key, name) = of(&one.subject);
        let part = parts.entry(key.to_string()).or_insert_with(|| (name.clone(), Accrued::default()));
        part.1.add(&one.accrued);
    }
    let view = |(key, (name, accrued))| PartView {
        key,
        name,
        cost: AccruedView::new(accrued, &found.currency, found.goes_on()),
    };
    parts.into_iter().map(view).collect()
}

/// Every line of a month, one JSON object per line, by the names of the columns of FOCUS 1.x: what each environment
/// took of each item, at one price. The same as the file that the page *Costs* gives.
#[utoipa::path(get, path = "/cost-lines", tag = "costs", params(LinesQuery),
    security(("token" = ["admin"]), ("session" = [])),
    responses((status = 200, description = "Lines", body = FocusRow, content_type = "application/x-ndjson")))]
pub async fn get_cost_lines(caller: Caller<Admins>, Query(query): Query<LinesQuery>) -> Result<Response, Problem> {
    let _: Permit<ability::ReadAdmin> = caller.permit_platform(Resource::platform())?;
    let month = month_of(&caller, query.month.as_deref())?;
    let begun = costs::lines_of_month(&mut *caller.app.db.acquire().await?, month, &costs::Wanted::default()).await?;
    // Read as the client reads: no connection is held while a slow one takes its time.
    let batches = stream::try_unfold(begun, move |mut lines| {
        let app = caller.app.clone();
        async move {
            let Some(read) = lines.next(&mut *app.db.acquire().await?).await? else {
                return Ok::<_, crate::environments::Error>(None);
            };
            let mut out = Vec::new();
            for line in &read {
                out.extend(serde_json::to_vec(&FocusRow::of(&lines, line)).unwrap_or_default());
                out.push(b'\n');
            }
            Ok(Some((Bytes::from(out), lines)))
        }
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(batches)).into_response())
}

fn month_of<S: Reach>(caller: &Caller<S>, text: Option<&str>) -> Result<Month, Problem> {
    match text {
        None => Ok(Month::of(caller.op.now())),
        Some(text) => Month::parse(text).ok_or_else(|| Problem::malformed("/month", "is written like 2026-11")),
    }
}
