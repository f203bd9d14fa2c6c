//! Verdicts: what a submit would meet. Nothing is written.

use axum::Json;
use axum::http::HeaderMap;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::budgets::BudgetCheckView;
use super::caller::{Caller, Requests};
use super::costs::EstimateView;
use super::decisions::{DecisionView, RequirementView, preview};
use super::drafts::{DraftBody, environment_of};
use super::error::Problem;
use super::extract::{Document, if_match};
use super::requests::may_see_environment;
use crate::base::FieldError;
use crate::policy::ability;
use crate::projects::{self, QuotaScope};
use crate::requests::{Draft, Intent, Shortage, Verdict};

/// What a submit of the draft would meet.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Verdict)]
pub struct VerdictView {
    decision: DecisionView,
    /// When it is denied by rules that allow an exception: what `exception: true` would take.
    #[serde(skip_serializing_if = "Option::is_none")]
    exception: Option<ExceptionView>,
    /// For one that needs approval: whether there are enough different people to agree.
    can_be_approved: bool,
    /// Quotas before and after.
    quotas: Vec<QuotaChangeView>,
    /// Why there is no room, for each quota that is full or has others in line, and what would make some.
    shortages: Vec<ShortageView>,
    /// Where there is no room and it would wait in line: as which number. Null: it would not wait.
    position: Option<i64>,
    /// What it would cost by the prices of today; null: the template does not say what it takes, the operation does
    /// not change it, or values are not right yet.
    cost: Option<EstimateView>,
    /// The budget of the project with it; null: there is none, or this adds no cost.
    budget: Option<BudgetCheckView>,
    /// How long the environment would live.
    lifetime_seconds: Option<i64>,
    /// The longest that is allowed there.
    maximum_lifetime_seconds: i64,
    /// When it would end if it were ready now.
    ends_at: Option<Timestamp>,
    /// Values that are not right yet, by their pointers.
    errors: Vec<FieldError>,
    /// Whether a submit would be taken: perhaps after waiting in line or for an approval, but not refused.
    can_submit: bool,
}

/// What an exception would take.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OfferedException)]
pub struct ExceptionView {
    /// Who must agree.
    requirements: Vec<RequirementView>,
    /// How long what is made may live at most; null: as long as anything there.
    longest_seconds: Option<i64>,
}

/// A quota before and after.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QuotaChange)]
pub struct QuotaChangeView {
    scope: QuotaScope,
    /// Where it holds, in words.
    place: String,
    dimension: String,
    before: i64,
    after: i64,
    limit: i64,
    /// Whether it is within the limit.
    fits: bool,
}

/// A quota without room.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Shortage)]
pub struct ShortageView {
    /// The quota, and how much of it is taken.
    sentence: String,
    /// What would make room, as far as the caller may see it.
    advice: String,
}

/// What a submit of this draft would meet. No side effects.
#[utoipa::path(post, path = "/verdicts", tag = "requests", request_body(content((DraftBody = "application/json"), (DraftBody = "application/yaml"))),
    security(("token" = ["request"]), ("session" = [])), responses((status = 200, body = VerdictView)))]
pub async fn ask_verdict(
    caller: Caller<Requests>,
    headers: HeaderMap,
    Document(body): Document<DraftBody>,
) -> Result<Json<VerdictView>, Problem> {
    let draft = body.into_draft(&caller.app, if_match(&headers)?).await?;
    may_see_place(&caller, &draft).await?;
    let verdict = caller.app.requests.verdict(&caller.op, caller.person(), &draft).await?;
    Ok(Json(verdict.into()))
}

/// A verdict shows quotas and approvers: they are for those who may read the project.
async fn may_see_place(caller: &Caller<Requests>, draft: &Draft) -> Result<(), Problem> {
    if let Some(environment) = environment_of(draft) {
        return may_see_environment(caller, environment).await.map(drop);
    }
    let Intent::Create { project, .. } = &draft.intent else { return Ok(()) };
    if let Some(project) = projects::find(&mut *caller.app.db.acquire().await?, project).await? {
        caller.permit_project::<ability::ReadProject>(&project)?;
    }
    Ok(())
}

impl From<Shortage> for ShortageView {
    fn from(one: Shortage) -> Self {
        Self { sentence: one.sentence, advice: one.advice }
    }
}

impl From<Verdict> for VerdictView {
    fn from(verdict: Verdict) -> Self {
        let can_submit = verdict.can_submit();
        let quotas = verdict.quotas.iter().map(|quota| QuotaChangeView {
            scope: quota.scope,
            place: quota.place.clone(),
            dimension: quota.dimension.clone(),
            before: quota.before,
            after: quota.after,
            limit: quota.limit,
            fits: quota.fits(),
        });
        Self {
            decision: DecisionView::preview(&verdict.decision, &verdict.approvers),
            can_be_approved: verdict.nobody_for.is_none(),
            exception: verdict.exception.map(|one| ExceptionView {
                requirements: preview(&one.offer.requirements, &one.approvers),
                longest_seconds: one.offer.longest.map(|longest| longest.as_secs()),
            }),
            quotas: quotas.collect(),
            shortages: verdict.shortages.into_iter().map(Into::into).collect(),
            position: verdict.position,
            cost: verdict.cost.estimate().cloned().map(Into::into),
            budget: verdict.budget.map(Into::into),
            lifetime_seconds: verdict.lifetime.map(|lifetime| lifetime.as_secs()),
            maximum_lifetime_seconds: verdict.maximum_lifetime.as_secs(),
            ends_at: verdict.ends_at,
            errors: verdict.errors,
            can_submit,
        }
    }
}
