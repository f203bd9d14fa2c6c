//! Asking for an answer: the button of the requester, and what says so to others.

use axum::extract::Path;
use axum::response::Response;

use super::detail::may;
use crate::base::id::RequestId;
use crate::policy::Action;
use crate::requests::{Caller, REMINDED_EVERY, Request, RequestStatus};
use crate::web::answer;
use crate::web::error::PageError;
use crate::web::urls;
use crate::web::visitor::Visitor;
use crate::web::words::{Times, length};

/// `POST /requests/{request}/remind`
pub async fn remind(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    let id: RequestId = id.parse().map_err(|_| PageError::not_found("request"))?;
    let caller = Caller::Person(&visitor.access);
    let reminded = visitor.app.requests.remind(&visitor.op, caller, id).await;
    reminded.map_err(|error| PageError::from(error).link("The request", urls::request(id)))?;
    let text = "Whoever can approve it sees on every page that you asked for an answer.";
    Ok(answer::see_other_saying(&urls::request(id), text))
}

/// The post address, for the requester of what waits and was not asked about just now.
pub fn action(visitor: &Visitor, request: &Request) -> Option<String> {
    let mine = request.requester == Some(visitor.access.person.id) && may(visitor, Action::WithdrawRequest, request);
    let waits = request.status == RequestStatus::AwaitingApproval && request.bound_to().is_some();
    let now = visitor.op.now();
    let recent = |at| now.duration_since(at).unsigned_abs() < REMINDED_EVERY;
    (mine && waits && !request.reminded_at.is_some_and(recent)).then(|| urls::request_remind(request.id))
}

/// "Dana Reyes asked for an answer, 5 minutes ago", "Has waited for 2 days".
pub fn mark(visitor: &Visitor, request: &Request, times: &Times) -> Option<String> {
    if let Some(at) = request.asked_again() {
        return Some(format!("{} asked for an answer, {}", request.requester_label, ago(times, at)));
    }
    let since = request.waiting_since.filter(|_| visitor.app.requests.is_late(request, times.now()))?;
    let hours = times.now().duration_since(since).as_hours();
    let long = if hours < 48 { hours.min(24) } else { hours / 24 * 24 };
    Some(format!("Has waited for {}", length(jiff::SignedDuration::from_hours(long.max(1)))))
}

/// "5 minutes ago", "just now".
pub fn ago(times: &Times, at: jiff::Timestamp) -> String {
    match times.near(at).shown.as_str() {
        "now" => "just now".to_owned(),
        when => when.to_owned(),
    }
}
