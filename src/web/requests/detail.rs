//! `GET /requests/{request}`: what was asked for, what policy said, whom it waits for; withdraw.

use axum::extract::Path;
use axum::response::Response;

use super::form::exception;
use super::rows::{self, Approvers};
use super::view::RequestPage;
use super::{decision, plan, remind, suggestions, values};
use crate::base::id::RequestId;
use crate::catalog;
use crate::db::Connection;
use crate::environments::{self, Environment, Operation};
use crate::policy::{Action, ability};
use crate::requests::{self, Caller, PlanProgress, Request, RequestDetail, RequestStatus, ReviewVerdict};
use crate::web::answer;
use crate::web::error::PageError;
use crate::web::shell::Section;
use crate::web::ui::{Crumb, Fact, Look, Pill, TimelineItem};
use crate::web::visitor::Visitor;
use crate::web::words::{length, listed};
use crate::web::{cost, frame, urls};

/// The request that an address names, if the viewer may see it.
pub async fn load(visitor: &Visitor, connection: &mut Connection, text: &str) -> Result<RequestDetail, PageError> {
    let id: RequestId = text.parse().map_err(|_| PageError::not_found("request"))?;
    let requests = &visitor.app.requests;
    let request = requests.find(connection, id).await?.ok_or_else(|| PageError::not_found("request"))?;
    let question = requests.question_about(&visitor.op, Caller::Person(&visitor.access), Action::ReadRequest, &request);
    visitor.app.policy.permit::<ability::ReadRequest>(&question)?;
    Ok(requests.detail(connection, request).await?)
}

/// Whether policy lets the viewer do this with the request.
pub fn may(visitor: &Visitor, action: Action, request: &Request) -> bool {
    let caller = Caller::Person(&visitor.access);
    let question = visitor.app.requests.question_about(&visitor.op, caller, action, request);
    visitor.app.policy.decide(&question).is_allowed()
}

/// The page.
pub async fn page(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    let mut connection = visitor.app.db.acquire().await?;
    let detail = load(&visitor, &mut connection, &id).await?;
    let mut approvers = Approvers::default();
    let waits_for = approvers.waits_for(&mut connection, &detail).await?;
    let decided = decision::view(&visitor, &mut connection, &mut approvers, &detail).await?;
    let request = &detail.request;
    let version = catalog::get_version(&mut connection, request.version_id).await?;
    let environment = match request.environment {
        Some(id) => environments::find(&mut connection, id).await?,
        None => None,
    };
    let seen = visitor.visible(&mut connection, Action::ReadProject).await?.is_whole(request.project);
    let held = if seen { requests::budget_of(&mut connection, request.id).await? } else { None };
    let line = in_line(&visitor, &mut connection, &detail).await?;
    drop(connection);
    let mut facts = facts(&visitor, request);
    facts.extend(held.as_ref().map(|held| Fact::new("Budget", cost::budget_words(held))));
    let exception_href = exception_href(&visitor, &detail).await;
    let waiting = request.status == RequestStatus::AwaitingApproval;
    let in_line_now = request.status == RequestStatus::AwaitingQuota;
    let me = visitor.access.person.id;
    let reviewed = detail.reviews.iter().any(|review| review.counts && review.reviewer == me);
    let mut planning = plan::progress(&detail);
    if let Some(one) = planning.as_mut().filter(|_| !plan::may_retry(&visitor, environment.as_ref())) {
        one.retry_action = None;
    }
    let page = RequestPage {
        shell: frame::shell(&visitor, Section::Requests, &rows::title(request)).await?,
        crumbs: vec![Crumb::to("Requests", urls::REQUESTS)],
        title: rows::title(request),
        pill: Pill::of(request.status.as_str()),
        lede: format!("{} {} in {}", request.template_name, request.version, rows::place(request)),
        waiting: ((waiting && planning.is_none()) || in_line_now).then(|| waiting_words(&visitor, &detail, &waits_for)),
        line,
        withdraw_action: ((waiting || in_line_now) && may(&visitor, Action::WithdrawRequest, request))
            .then(|| urls::request_withdraw(request.id)),
        remind_action: remind::action(&visitor, request),
        review_href: (waiting && !reviewed && may(&visitor, Action::ReviewRequest, request))
            .then(|| urls::approval(request.id)),
        exception_href,
        retry_action: retry_action(&visitor, request, environment.as_ref()),
        environment_href: request.environment.map(urls::environment),
        run_href: request.run.map(urls::run),
        why: Some(request.reason.clone()).filter(|why| !why.is_empty()),
        suggestions: suggestions::open(&visitor, &detail, &version),
        planning,
        plan: plan::made(&visitor, &detail),
        decision: decided,
        inputs: inputs(request, &version),
        cost: detail.estimate.as_ref().map(cost::of),
        facts,
        timeline: timeline(&visitor, &detail),
        live: waiting || in_line_now || matches!(request.status, RequestStatus::Approved | RequestStatus::Running),
    };
    answer::page(&page)
}

/// `POST /requests/{request}/withdraw`
pub async fn withdraw(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    let id: RequestId = id.parse().map_err(|_| PageError::not_found("request"))?;
    let caller = Caller::Person(&visitor.access);
    let withdrawn = visitor.app.requests.withdraw(&visitor.op, caller, id).await;
    let request = withdrawn.map_err(|error| PageError::from(error).link("The request", urls::request(id)))?;
    let text = format!("You took the request for {} back.", request.environment_name);
    Ok(answer::see_other_saying(&urls::request(id), &text))
}

/// What has no room for it, while it waits in line, as far as the viewer may see it.
async fn in_line(
    visitor: &Visitor,
    connection: &mut Connection,
    detail: &RequestDetail,
) -> Result<Vec<String>, PageError> {
    let (requests, caller) = (&visitor.app.requests, Caller::Person(&visitor.access));
    let shortages = requests.shortages_of(connection, &visitor.op, caller, &detail.request).await?;
    let mut lines: Vec<String> =
        shortages.iter().map(|one| format!("{} It goes on after {}.", one.sentence, one.after)).collect();
    let who: Vec<&str> = detail.decision.decision.requirements.iter().map(|one| one.who.as_str()).collect();
    if detail.request.status == RequestStatus::AwaitingQuota && !who.is_empty() {
        lines.push(format!("When it is its turn, it asks {}.", listed(&who, "and")));
    }
    Ok(lines)
}

/// For whom it waits; the requester, also that it is their turn.
fn waiting_words(visitor: &Visitor, detail: &RequestDetail, waits_for: &str) -> String {
    let mine = detail.request.requester == Some(visitor.access.person.id);
    if mine && suggestions::open_ones(detail).next().is_some() {
        return format!("Waits for {waits_for}, or for you: changes are suggested");
    }
    format!("Waits for {waits_for}")
}

/// Where the requester of what was denied can ask for an exception, if the rules of now allow one.
async fn exception_href(visitor: &Visitor, detail: &RequestDetail) -> Option<String> {
    let mine = detail.request.requester == Some(visitor.access.person.id);
    if !mine || detail.request.status != RequestStatus::Denied {
        return None;
    }
    visitor.app.policy.offer(&detail.decision.question)?;
    exception::address(visitor, &detail.request).await
}

fn retry_action(visitor: &Visitor, request: &Request, environment: Option<&Environment>) -> Option<String> {
    let failed = matches!(request.status, RequestStatus::Failed | RequestStatus::Canceled);
    let (environment, run) = environment.zip(request.run).filter(|_| failed)?;
    visitor.app.permit_on::<ability::RetryRun>(&visitor.op, &visitor.access, environment).ok()?;
    Some(urls::run_retry(run))
}

fn inputs(request: &Request, version: &catalog::TemplateVersion) -> Vec<Fact> {
    match request.operation {
        Operation::Create | Operation::Update => values::facts(&version.inputs_schema, &request.inputs),
        Operation::Act => {
            let actions = catalog::actions_of(&version.manifest);
            let asked = actions.iter().find(|action| Some(&action.name) == request.action.as_ref());
            asked.map(|action| values::facts(&action.inputs, &request.inputs)).unwrap_or_default()
        }
        Operation::Extend
        | Operation::Start
        | Operation::Stop
        | Operation::Hibernate
        | Operation::Restart
        | Operation::Delete => Vec::new(),
    }
}

fn facts(visitor: &Visitor, request: &Request) -> Vec<Fact> {
    let times = visitor.times();
    let mut facts = vec![
        Fact::new("Asked by", request.requester_label.clone()),
        Fact::new("Where", rows::place(request)),
        Fact::link("Template", request.template_name.clone(), urls::template(&request.template_slug)),
        Fact::new("Version", request.version.clone()),
    ];
    if let Some(lifetime) = request.lifetime {
        facts.push(Fact::new("Lifetime", length(lifetime)));
    }
    if let (RequestStatus::AwaitingQuota | RequestStatus::AwaitingApproval, Some(at)) =
        (request.status, request.lapses_at)
    {
        facts.push(Fact::time("Lapses", times.at(at)));
    }
    facts.push(Fact::id("Request", request.id.to_string()));
    facts.push(Fact::id("Digest", request.digest.to_string()));
    facts
}

/// What happened, newest first.
fn timeline(visitor: &Visitor, detail: &RequestDetail) -> Vec<TimelineItem> {
    let (times, request) = (visitor.times(), &detail.request);
    let item = |look, icon, sentence: String, note: Option<String>, at| TimelineItem {
        look,
        icon,
        sentence,
        href: None,
        note,
        when: times.near(at),
    };
    let mut items = Vec::new();
    items.push(item(Look::Off, "send", format!("{} asked for it", request.requester_label), None, request.created_at));
    items.push(item(Look::Off, "shield-check", detail.decision.decision.sentence.clone(), None, detail.decision.at));
    for review in &detail.reviews {
        let (look, icon, word) = match review.verdict {
            ReviewVerdict::Approved => (Look::Go, "circle-check", "approved"),
            ReviewVerdict::Rejected => (Look::Bad, "circle-x", "rejected"),
        };
        let note = Some(review.reason.clone()).filter(|reason| !reason.is_empty());
        let what = if review.counts { "it" } else { "an earlier plan" };
        items.push(item(look, icon, format!("{} {word} {what}", review.who()), note, review.at));
    }
    for rung in detail.requirements.iter().flat_map(|one| &one.escalation) {
        if let Some(at) = rung.since {
            let who = rung.rule.to.in_words(1, &request.project_slug);
            items.push(item(Look::Wait, "user-round-check", format!("Paddock asked {who} as well"), None, at));
        }
    }
    let again = |at| item(Look::Wait, "clock", format!("{} asked for an answer", request.requester_label), None, at);
    items.extend(request.reminded_at.map(again));
    items.extend(suggestions::timeline(visitor, detail));
    if let Some(PlanProgress::Made { at, .. }) = detail.plan.as_ref().map(|plan| &plan.progress) {
        items.push(item(Look::Off, "scroll-text", "Paddock planned what would be done".to_owned(), None, *at));
    }
    let pill = Pill::of(request.status.as_str());
    let end = match request.status {
        RequestStatus::Withdrawn => Some(format!("{} took it back", request.requester_label)),
        RequestStatus::Lapsed if detail.requirements.is_empty() => {
            Some("Its turn in the line did not come in time, so it lapsed".to_owned())
        }
        RequestStatus::Lapsed => Some("Nobody agreed in time, so it lapsed".to_owned()),
        RequestStatus::Succeeded => Some("Done".to_owned()),
        RequestStatus::Failed => Some("Its run failed".to_owned()),
        RequestStatus::Canceled => Some("Its run was canceled".to_owned()),
        RequestStatus::Denied
        | RequestStatus::AwaitingQuota
        | RequestStatus::AwaitingApproval
        | RequestStatus::Rejected
        | RequestStatus::Approved
        | RequestStatus::Running => None,
    };
    if let (Some(sentence), Some(at)) = (end, request.finished_at) {
        items.push(item(pill.look, pill.icon, sentence, None, at));
    }
    items.reverse();
    if let (Some(run), Some(newest)) = (request.run, items.first_mut()) {
        newest.href = Some(urls::run(run));
    }
    items
}
