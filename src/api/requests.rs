//! Requests: submit, list, read, review, withdraw.

use axum::Json;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::budgets::BudgetCheckView;
use super::caller::{Caller, Reach, Reader, Reads, Requests, Reviews};
use super::costs::EstimateView;
use super::decisions::{DecisionView, PersonView};
use super::drafts::{DraftBody, environment_of};
use super::error::Problem;
use super::extract::{Body, Document, Id, NoBody, Query, idempotency_key, if_match};
use super::page::{List, Paging};
use super::suggestions::SuggestionView;
use super::verdicts::ShortageView;
use crate::base::id::{EnvironmentId, RequestId};
use crate::environments::{self, Environment, Operation};
use crate::policy::{Action, ability};
use crate::providers::{PlanAction, PlanChange};
use crate::requests::{
    self, Filter, Mine, PlanProgress, Request, RequestDetail, RequestPlan, RequestStatus, Review, ReviewVerdict,
};

/// A request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Request)]
pub struct RequestView {
    id: String,
    status: RequestStatus,
    /// While it waits in line for a quota: as which number. 1 is the next.
    position: Option<i64>,
    /// While it waits in line, when it is read alone: what has no room for it, as far as the caller may see it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shortages: Vec<ShortageView>,
    operation: Operation,
    /// Of `act`, the name of the action.
    action: Option<String>,
    decision: DecisionView,
    /// Null when a create was denied.
    environment: Option<EnvironmentRefView>,
    /// The newest run for it; null before it is approved, and for `extend`, which needs none.
    run: Option<RunRefView>,
    /// The environment's name.
    name: String,
    /// The project's slug.
    project: String,
    /// The environment type's slug.
    environment_type: String,
    template: TemplateRefView,
    /// Null when Paddock itself asked.
    requester: Option<PersonView>,
    /// Without the secret ones.
    #[schema(value_type = Object)]
    inputs: Map<String, Value>,
    lifetime_seconds: Option<i64>,
    reason: String,
    /// Digest of all that is asked for.
    digest: String,
    /// What reviews bind to: what is asked for, template version, plan, policy and approvers. Null
    /// while the plan is not made.
    approval_digest: Option<String>,
    /// What would be done, for requests that need an approval; null for those that need no plan.
    plan: Option<PlanView>,
    /// What it was said to cost when it was submitted; null where nothing was known, or nothing changed.
    cost: Option<EstimateView>,
    /// By what numbers the budget of the project was held against it, when it is read alone by somebody who may see
    /// the project; null: there was none, or it added no cost.
    budget: Option<BudgetCheckView>,
    /// When it lapses, if it still waits then: for its turn or for an approval.
    lapses_at: Option<Timestamp>,
    /// While it waits for an approval: since when those who are asked now are.
    waiting_since: Option<Timestamp>,
    /// When the requester asked for an answer, the last time.
    reminded_at: Option<Timestamp>,
    created_at: Timestamp,
    decided_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    reviews: Vec<ReviewView>,
    /// Changes that were suggested for it, and those that it came of.
    suggestions: Vec<SuggestionView>,
}

/// The environment of a request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EnvironmentRef)]
pub struct EnvironmentRefView {
    id: String,
    name: String,
}

/// A run, by its id.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunRef)]
pub struct RunRefView {
    id: String,
}

/// The plan of a request: made before it is approved, by a run that changes nothing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RequestPlan)]
pub struct PlanView {
    /// `queued`, `planning`, `made` or `failed`.
    #[schema(value_type = String)]
    state: &'static str,
    /// The run that makes it; retrying that one plans again.
    run: RunRefView,
    /// What would be done; null until it is made.
    changes: Option<Vec<PlanChangeView>>,
    /// Digest of the plan, with the provider's own bytes.
    digest: Option<String>,
    made_at: Option<Timestamp>,
    /// The first real error, when it could not be made.
    error: Option<String>,
}

/// One line of a plan.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlanChange)]
pub struct PlanChangeView {
    /// The resource, as the provider names it.
    address: String,
    /// `create`, `change`, `replace` or `destroy`.
    #[schema(value_type = String)]
    action: PlanAction,
    /// What changes, in words.
    summary: String,
}

impl From<RequestPlan> for PlanView {
    fn from(plan: RequestPlan) -> Self {
        let (state, run) = (plan.progress.as_str(), RunRefView { id: plan.run.to_string() });
        let view = Self { state, run, changes: None, digest: None, made_at: None, error: None };
        match plan.progress {
            PlanProgress::Queued | PlanProgress::Planning => view,
            PlanProgress::Failed { error } => Self { error: Some(error), ..view },
            PlanProgress::Made { changes, digest, at } => {
                let change =
                    |one: PlanChange| PlanChangeView { address: one.address, action: one.action, summary: one.summary };
                let changes = Some(changes.into_iter().map(change).collect());
                Self { changes, digest: Some(digest.to_string()), made_at: Some(at), ..view }
            }
        }
    }
}

/// The template of a request or an environment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TemplateRef)]
pub struct TemplateRefView {
    /// The template's id.
    pub id: String,
    /// Its slug.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// The version as its author writes it.
    pub version: String,
    /// The version's id.
    pub version_id: String,
}

/// One person's verdict.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Review)]
pub struct ReviewView {
    id: String,
    reviewer: PersonView,
    /// The absent person in whose place they said it; null: in their own name.
    #[serde(rename = "for")]
    absent: Option<PersonView>,
    verdict: ReviewVerdict,
    reason: String,
    at: Timestamp,
    /// False when it was given for something else than what waits now, for example an earlier plan.
    counts: bool,
}

/// A verdict to be given.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewBody {
    verdict: ReviewVerdict,
    /// Why; needed to reject.
    #[serde(default)]
    reason: String,
    /// The `approval_digest` of the request that was looked at: 409 when another one waits by now.
    #[serde(default)]
    approval_digest: Option<String>,
}

/// Which requests.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RequestQuery {
    /// Only this status.
    status: Option<RequestStatus>,
    /// Only the caller's own.
    #[serde(default)]
    mine: bool,
    /// Only those that wait for the caller's review.
    #[serde(default)]
    to_review: bool,
    /// Only of this environment.
    #[param(value_type = Option<String>)]
    environment: Option<EnvironmentId>,
    /// At most this many, 1 to 100.
    limit: Option<i64>,
    /// From the page before.
    cursor: Option<String>,
}

/// Requests, newest first: those of the projects that the caller may read, and the caller's own.
#[utoipa::path(get, path = "/requests", tag = "requests", params(RequestQuery),
    security(("token" = ["read"]), ("session" = [])), responses((status = 200, body = List<RequestView>)))]
pub async fn list_requests(
    Reader(caller, mut connection): Reader<Reads>,
    Query(query): Query<RequestQuery>,
) -> Result<Json<List<RequestView>>, Problem> {
    let paging = Paging::read(query.limit, query.cursor.as_deref())?;
    let visible = caller.visible(&mut connection, Action::ReadRequest).await?;
    let me = caller.access().person.id;
    let filter = Filter {
        // Who is asked for an approval may see what for, wherever it is.
        projects: if query.to_review { None } else { visible.projects() },
        parts: if query.to_review { Vec::new() } else { visible.parts() },
        or_requester: Some(me),
        requester: query.mine.then_some(me),
        status: query.status,
        environment: query.environment,
        to_review: query.to_review.then(|| Mine::of(caller.access())),
        ..Filter::default()
    };
    let requests = &caller.app.requests;
    let page = requests.list(&mut connection, &filter, paging.after, paging.limit).await?;
    let items = requests.details(&mut connection, page.items).await?;
    Ok(Json(List { items: items.into_iter().map(Into::into).collect(), next_cursor: page.next_cursor }))
}

/// Asks for an operation. A draft that policy denies is recorded, too: its status is `denied`.
///
/// With `Idempotency-Key`, a repetition of the same body gives the same request, another body 422.
#[utoipa::path(post, path = "/requests", tag = "requests", request_body(content((DraftBody = "application/json"), (DraftBody = "application/yaml"))),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key makes one request"),
           ("If-Match" = Option<String>, Header, description = "The ETag of the environment: 412 when it has changed")),
    security(("token" = ["request"]), ("session" = [])),
    responses((status = 201, body = RequestView), (status = 412, description = "The environment has changed"),
              (status = 422, description = "Some values are not right")))]
pub async fn submit_request(
    caller: Caller<Requests>,
    headers: HeaderMap,
    Document(body): Document<DraftBody>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<RequestView>), Problem> {
    let expected = if_match(&headers)?;
    let key = idempotency_key(&headers)?;
    let draft = body.into_draft(&caller.app, expected).await?;
    if let Some(id) = environment_of(&draft) {
        let environment = may_see_environment(&caller, id).await?;
        // An update carries the generation in its draft, and is compared in the transaction.
        let carried = matches!(draft.intent, requests::Intent::Update { .. });
        if !carried && expected.is_some_and(|generation| generation != environment.generation) {
            return Err(environments::Error::Stale.into());
        }
    }
    let submitted = caller.app.requests.submit(&caller.op, caller.person(), &draft, key).await?;
    let view = match &submitted.decision {
        // Nobody is asked: there is nothing about it to be read but the request itself.
        Some(decision) if decision.requirements.is_empty() => {
            let request = find(&caller, submitted.id).await?;
            let view = RequestView::new(request, DecisionView::stored(decision, &[]), Vec::new(), None);
            RequestView { cost: submitted.estimate.map(Into::into), ..view }
        }
        _ => load(&caller, submitted.id).await?,
    };
    let location = [(header::LOCATION, format!("/api/v1/requests/{}", submitted.id))];
    Ok((StatusCode::CREATED, location, Json(view)))
}

/// The environment of a draft, for those who may read it: a refusal tells of its project.
pub async fn may_see_environment<S: Reach>(caller: &Caller<S>, id: EnvironmentId) -> Result<Environment, Problem> {
    let found = environments::find(&mut *caller.app.db.acquire().await?, id).await?;
    let environment = found.ok_or(environments::Error::NotFound)?;
    caller.permit_environment::<ability::ReadEnvironment>(&environment)?;
    Ok(environment)
}

/// One request.
#[utoipa::path(get, path = "/requests/{id}", tag = "requests", params(("id" = String, Path)),
    security(("token" = ["read"]), ("session" = [])), responses((status = 200, body = RequestView)))]
pub async fn get_request(caller: Caller<Reads>, Id(id): Id<RequestId>) -> Result<Json<RequestView>, Problem> {
    let request = find(&caller, id).await?;
    caller.permit_request(&request)?;
    let view = load(&caller, id).await?;
    let mut connection = caller.app.db.acquire().await?;
    let (op, person) = (&caller.op, caller.person());
    let shortages = caller.app.requests.shortages_of(&mut connection, op, person, &request).await?;
    let shortages = shortages.into_iter().map(Into::into).collect();
    let seen = caller.visible(&mut connection, Action::ReadProject).await?.is_whole(request.project);
    let held = if seen { requests::budget_of(&mut connection, id).await? } else { None };
    Ok(Json(RequestView { budget: held.map(Into::into), shortages, ..view }))
}

/// Approves or rejects a request. Nobody reviews their own.
#[utoipa::path(post, path = "/requests/{id}/reviews", tag = "requests", params(("id" = String, Path)),
    request_body = ReviewBody, security(("token" = ["review"]), ("session" = [])),
    responses((status = 201, description = "The request, after the review", body = RequestView)))]
pub async fn review_request(
    caller: Caller<Reviews>,
    Id(id): Id<RequestId>,
    Body(body): Body<ReviewBody>,
) -> Result<(StatusCode, Json<RequestView>), Problem> {
    let seen = body.approval_digest.as_deref();
    caller.app.requests.review_seen(&caller.op, caller.person(), id, body.verdict, &body.reason, seen).await?;
    Ok((StatusCode::CREATED, Json(load(&caller, id).await?)))
}

/// Takes a request back that waits, in line or for approval.
#[utoipa::path(post, path = "/requests/{id}/withdraw", tag = "requests", params(("id" = String, Path)),
    security(("token" = ["request"]), ("session" = [])), responses((status = 200, body = RequestView)))]
pub async fn withdraw_request(
    caller: Caller<Requests>,
    Id(id): Id<RequestId>,
    _: NoBody,
) -> Result<Json<RequestView>, Problem> {
    caller.app.requests.withdraw(&caller.op, caller.person(), id).await?;
    Ok(Json(load(&caller, id).await?))
}

/// Asks those who can approve it for an answer: they see it on every page until they have reviewed it. Only for who
/// made the request, and once in 4 hours.
#[utoipa::path(post, path = "/requests/{id}/reminder", tag = "requests", params(("id" = String, Path)),
    security(("token" = ["request"]), ("session" = [])),
    responses((status = 200, body = RequestView),
        (status = 409, description = "It does not wait for an approval, or an answer was asked for too recently")))]
pub async fn remind_request(
    caller: Caller<Requests>,
    Id(id): Id<RequestId>,
    _: NoBody,
) -> Result<Json<RequestView>, Problem> {
    caller.app.requests.remind(&caller.op, caller.person(), id).await?;
    Ok(Json(load(&caller, id).await?))
}

async fn find<S: Reach>(caller: &Caller<S>, id: RequestId) -> Result<Request, Problem> {
    let found = caller.app.requests.find(&mut *caller.app.db.acquire().await?, id).await?;
    Ok(found.ok_or(requests::Error::NotFound)?)
}

pub async fn load<S: Reach>(caller: &Caller<S>, id: RequestId) -> Result<RequestView, Problem> {
    let requests = &caller.app.requests;
    let mut connection = caller.app.db.acquire().await?;
    let request = requests.find(&mut connection, id).await?.ok_or(requests::Error::NotFound)?;
    Ok(requests.detail(&mut connection, request).await?.into())
}

impl From<RequestDetail> for RequestView {
    fn from(detail: RequestDetail) -> Self {
        let decision = DecisionView::stored(&detail.decision.decision, &detail.requirements);
        let reviews = detail.reviews.into_iter().map(Into::into).collect();
        let view = Self::new(detail.request, decision, reviews, detail.plan.map(Into::into));
        let suggestions = detail.suggestions.into_iter().map(Into::into).collect();
        Self { cost: detail.estimate.map(Into::into), suggestions, ..view }
    }
}

impl RequestView {
    fn new(request: Request, decision: DecisionView, reviews: Vec<ReviewView>, plan: Option<PlanView>) -> Self {
        let approval_digest = request.bound_to().map(|digest| digest.to_string());
        Self {
            id: request.id.to_string(),
            status: request.status,
            position: request.position,
            shortages: Vec::new(),
            operation: request.operation,
            action: request.action,
            decision,
            environment: request
                .environment
                .map(|id| EnvironmentRefView { id: id.to_string(), name: request.environment_name.clone() }),
            run: request.run.map(|id| RunRefView { id: id.to_string() }),
            name: request.environment_name,
            project: request.project_slug,
            environment_type: request.environment_type,
            template: TemplateRefView {
                id: request.template.to_string(),
                slug: request.template_slug,
                name: request.template_name,
                version: request.version,
                version_id: request.version_id.to_string(),
            },
            requester: request.requester.map(|id| PersonView::new(id, &request.requester_label)),
            inputs: request.inputs,
            lifetime_seconds: request.lifetime.map(|lifetime| lifetime.as_secs()),
            reason: request.reason,
            digest: request.digest.to_string(),
            approval_digest,
            plan,
            cost: None,
            budget: None,
            lapses_at: request.lapses_at,
            waiting_since: request.waiting_since,
            reminded_at: request.reminded_at,
            created_at: request.created_at,
            decided_at: request.decided_at,
            finished_at: request.finished_at,
            reviews,
            suggestions: Vec::new(),
        }
    }
}

impl From<Review> for ReviewView {
    fn from(review: Review) -> Self {
        Self {
            id: review.id.to_string(),
            reviewer: PersonView::new(review.reviewer, &review.reviewer_name),
            absent: review.absent.map(|(id, name)| PersonView::new(id, &name)),
            verdict: review.verdict,
            reason: review.reason,
            at: review.at,
            counts: review.counts,
        }
    }
}
