//! `GET /approvals/{request}`: everything on one screen; `POST`: the review.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::changes;
use super::view::ApprovalPage;
use crate::base::id::RequestId;
use crate::base::{ErrorKind, Kinded as _};
use crate::db::Connection;
use crate::environments::{self, Operation};
use crate::policy::{Action, Role};
use crate::requests::{Caller, Error, Filter, QuotaChange, Request, RequestDetail, RequestStatus, ReviewVerdict};
use crate::web::answer::{self, Form};
use crate::web::error::{PageError, sentence};
use crate::web::requests::rows::{self, Approvers};
use crate::web::requests::view::Planning;
use crate::web::requests::{decision, detail, plan, values};
use crate::web::shell::Section;
use crate::web::ui::{Crumb, Fact, FormError, LinkRow, Person, Pill, QuotaBar};
use crate::web::visitor::Visitor;
use crate::web::words::{count, length, listed};
use crate::web::{cost, frame, urls};
use crate::{catalog, identity};

/// How many of the requester's earlier requests are listed, and counted.
const LISTED: usize = 5;
const COUNTED: i64 = 100;

/// The page.
pub async fn page(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    answer::page(&view(&visitor, &id, "", Vec::new()).await?)
}

/// The review.
pub async fn post(visitor: Visitor, Path(text): Path<String>, form: Form) -> Result<Response, PageError> {
    let id: RequestId = text.parse().map_err(|_| PageError::not_found("request"))?;
    let verdict = match form.get("verdict") {
        "approve" => ReviewVerdict::Approved,
        "reject" => ReviewVerdict::Rejected,
        _ => {
            return Err(
                PageError::invalid("Say whether you approve or reject.").link("The request", urls::approval(id))
            );
        }
    };
    let error = match review(&visitor, id, verdict, &form).await {
        Ok(request) => return Ok(answer::see_other_saying(urls::APPROVALS, &said(&request, verdict))),
        Err(error) => error,
    };
    let kind = error.kind();
    if !matches!(kind, ErrorKind::Invalid | ErrorKind::Conflict) {
        return Err(PageError::from(error).link("The request", urls::request(id)));
    }
    let field = |one: &crate::base::FieldError| FormError {
        text: format!("Reason: {}", one.detail),
        href: "#f-reason".to_owned(),
    };
    let mut errors: Vec<FormError> = error.field_errors().iter().map(field).collect();
    if errors.is_empty() {
        errors.push(FormError { text: sentence(&error.to_string()), href: String::new() });
    }
    let page = view(&visitor, &text, form.get("reason"), errors).await?;
    let status = StatusCode::from_u16(kind.status()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
    Ok((status, answer::page(&page)?).into_response())
}

async fn review(visitor: &Visitor, id: RequestId, verdict: ReviewVerdict, form: &Form) -> Result<Request, Error> {
    let (caller, reason) = (Caller::Person(&visitor.access), form.get("reason"));
    let seen = Some(form.get("seen")).filter(|seen| !seen.is_empty());
    visitor.app.requests.review_seen(&visitor.op, caller, id, verdict, reason, seen).await
}

fn said(request: &Request, verdict: ReviewVerdict) -> String {
    let what = rows::title(request);
    match (verdict, request.status) {
        (ReviewVerdict::Rejected, _) => format!("Rejected: {what}."),
        (ReviewVerdict::Approved, RequestStatus::AwaitingApproval) => {
            format!("Approved: {what}. It still waits for somebody else.")
        }
        (ReviewVerdict::Approved, _) => format!("Approved: {what}. It is carried out now."),
    }
}

async fn view(visitor: &Visitor, id: &str, reason: &str, errors: Vec<FormError>) -> Result<ApprovalPage, PageError> {
    let mut connection = visitor.app.db.acquire().await?;
    let detail = detail::load(visitor, &mut connection, id).await?;
    let request = &detail.request;
    let decision = decision::view(visitor, &mut connection, &mut Approvers::default(), &detail).await?;
    let requester_role = requester_role(&mut connection, request).await?;
    let inputs = inputs(&mut connection, request).await?;
    let quotas = quotas(visitor, &mut connection, request).await?;
    let (history, history_summary) = history(visitor, &mut connection, request).await?;
    drop(connection);
    let title = rows::title(request);
    Ok(ApprovalPage {
        shell: frame::shell(visitor, Section::Approvals, &title).await?,
        crumbs: vec![Crumb::to("Approvals", urls::APPROVALS)],
        pill: Pill::of(request.status.as_str()),
        lede: format!("{} {} in {}", request.template_name, request.version, rows::place(request)),
        action: urls::approval(request.id),
        errors,
        reason: reason.to_owned(),
        changes_href: changes::may_suggest(visitor, &detail).then(|| urls::approval_changes(request.id)),
        cannot: cannot(visitor, &detail),
        absent: detail.decides_for(&visitor.access).map(|one| one.absent_name.clone()),
        requester: Person::named(&request.requester_label),
        requester_role,
        asked: visitor.times().near(request.created_at),
        why: Some(request.reason.clone()).filter(|why| !why.is_empty()),
        inputs,
        planning: plan::progress(&detail).map(|one| Planning { retry_action: None, ..one }),
        plan: plan::made(visitor, &detail),
        seen: request.bound_to().map(|digest| digest.to_string()).unwrap_or_default(),
        decision,
        quotas,
        cost: detail.estimate.as_ref().map(cost::of),
        facts: facts(visitor, request),
        history,
        history_summary,
        title,
    })
}

/// Why the viewer cannot review it.
fn cannot(visitor: &Visitor, detail: &RequestDetail) -> Option<String> {
    let (request, me) = (&detail.request, visitor.access.person.id);
    if request.status == RequestStatus::AwaitingQuota {
        return Some("It waits in line for a quota. It asks for approval when it is its turn.".to_owned());
    }
    if request.status != RequestStatus::AwaitingApproval {
        let word = Pill::of(request.status.as_str()).word.to_lowercase();
        return Some(format!("It does not wait any more: it is {word}."));
    }
    if request.requester == Some(me) {
        return Some("You asked for this yourself. Nobody approves their own request.".to_owned());
    }
    if detail.reviews.iter().any(|review| review.counts && review.reviewer == me) {
        return Some("You have reviewed it already. It waits for somebody else.".to_owned());
    }
    if !detail::may(visitor, Action::ReviewRequest, request) {
        let who: Vec<&str> = detail.requirements.iter().map(|one| one.who.as_str()).collect();
        return Some(format!("You may see it, but not decide it. It needs {}.", listed(&who, "and")));
    }
    if request.bound_to().is_none() {
        return Some("There is no plan to see yet. It can be decided once the plan is made.".to_owned());
    }
    None
}

async fn requester_role(connection: &mut Connection, request: &Request) -> Result<String, PageError> {
    let Some(id) = request.requester else { return Ok("Paddock itself".to_owned()) };
    let access = identity::load_access(connection, id).await?;
    let words =
        |place| -> Vec<&str> { access.roles_in(request.project, place).into_iter().map(Role::as_str).collect() };
    let roles = words(Some(request.place));
    let place = match (roles.is_empty(), roles == words(None)) {
        (true, _) => return Ok(format!("no role in {} any more", request.project_slug)),
        (_, true) => request.project_slug.clone(),
        (_, false) => format!("{} of {}", request.environment_type, request.project_slug),
    };
    Ok(format!("{} in {place}", listed(&roles, "and")))
}

/// The inputs; for an update with what they are now.
async fn inputs(connection: &mut Connection, request: &Request) -> Result<Vec<Fact>, PageError> {
    let mut facts = Vec::new();
    if matches!(request.operation, Operation::Create | Operation::Update) {
        let version = catalog::get_version(connection, request.version_id).await?;
        facts = values::facts(&version.inputs_schema, &request.inputs);
        if let (Operation::Update, Some(id)) = (request.operation, request.environment)
            && let Some(environment) = environments::find(connection, id).await?
        {
            let now = values::facts(&version.inputs_schema, &environment.inputs);
            for fact in &mut facts {
                let before = now.iter().find(|one| one.label == fact.label);
                let before = before.map_or_else(|| "none".to_owned(), |one| one.value.clone());
                fact.before = (before != fact.value).then_some(before);
            }
        }
    }
    if let Some(lifetime) = request.lifetime {
        facts.push(Fact::new("Lifetime", length(lifetime)));
    }
    facts.insert(0, Fact::new("Name", request.environment_name.clone()));
    Ok(facts)
}

/// What it takes is reserved already: before is without it.
async fn quotas(visitor: &Visitor, connection: &mut Connection, request: &Request) -> Result<Vec<QuotaBar>, PageError> {
    let number = |n: i64| u64::try_from(n).unwrap_or(0);
    let found = visitor.app.requests.reserved_quotas(connection, request).await?;
    let bar = |quota: QuotaChange| {
        let name = sentence(&quota.dimension.replace('_', " "));
        let label = format!("{} in {}", name.trim_end_matches('.'), quota.place);
        QuotaBar::new(label, number(quota.before), number(quota.after), number(quota.limit))
    };
    Ok(found.into_iter().map(bar).collect())
}

fn facts(visitor: &Visitor, request: &Request) -> Vec<Fact> {
    let mut facts = vec![Fact::link("Template", request.template_name.clone(), urls::template(&request.template_slug))];
    if let Some(lifetime) = request.lifetime
        && let Ok(end) = visitor.op.now().checked_add(lifetime)
    {
        facts.push(Fact { value: format!("({})", length(lifetime)), ..Fact::time("Ends", visitor.times().at(end)) });
    }
    if let (RequestStatus::AwaitingApproval, Some(at)) = (request.status, request.lapses_at) {
        facts.push(Fact::time("Lapses", visitor.times().at(at)));
    }
    facts.push(Fact { mono: true, ..Fact::link("Request", request.id.to_string(), urls::request(request.id)) });
    facts
}

/// What the requester asked for before, as far as the viewer may see it.
async fn history(
    visitor: &Visitor,
    connection: &mut Connection,
    request: &Request,
) -> Result<(Vec<LinkRow>, String), PageError> {
    let Some(requester) = request.requester else { return Ok((Vec::new(), String::new())) };
    let filter = Filter { requester: Some(requester), ..Filter::default() };
    let mut before = visitor.app.requests.list(connection, &filter, None, COUNTED).await?.items;
    before.retain(|one| one.id != request.id && detail::may(visitor, Action::ReadRequest, one));
    let times = visitor.times();
    let rows = before.iter().take(LISTED).map(|one| rows::link(one, urls::request(one.id), &times)).collect();
    let mut parts = Vec::new();
    for (status, word) in [
        (RequestStatus::Succeeded, "succeeded"),
        (RequestStatus::Denied, "denied"),
        (RequestStatus::Rejected, "rejected"),
        (RequestStatus::Failed, "failed"),
    ] {
        let n = before.iter().filter(|one| one.status == status).count();
        if n > 0 {
            parts.push(format!("{n} {word}"));
        }
    }
    let total = count(before.len(), "request", "requests");
    let summary = match (before.is_empty(), parts.is_empty()) {
        (true, _) => String::new(),
        (false, true) => total,
        (false, false) => format!("{total}: {}", parts.join(", ")),
    };
    Ok((rows, summary))
}
