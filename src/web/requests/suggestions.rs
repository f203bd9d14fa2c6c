//! Changes that a reviewer suggests, on the page of the request; accepting and declining them.

use axum::extract::Path;
use axum::response::Response;

use super::values;
use super::view::SuggestionCard;
use crate::base::id::{RequestId, SuggestionId};
use crate::catalog::TemplateVersion;
use crate::requests::{Caller, Request, RequestDetail, RequestStatus, Suggestion, SuggestionState};
use crate::web::answer;
use crate::web::error::PageError;
use crate::web::ui::{Change, Fact, Look, TimelineItem};
use crate::web::urls;
use crate::web::visitor::Visitor;
use crate::web::words::length;

/// Those on which the requester has to decide.
pub(super) fn open(visitor: &Visitor, detail: &RequestDetail, version: &TemplateVersion) -> Vec<SuggestionCard> {
    let request = &detail.request;
    let mine = request.requester == Some(visitor.access.person.id);
    let card = |one: &Suggestion| SuggestionCard {
        id: one.id.to_string(),
        title: format!("{} would agree with changes", one.who()),
        reason: one.reason.clone(),
        when: visitor.times().near(one.at),
        changes: changes(request, one, version),
        waits: (!mine).then(|| format!("{} accepts them or not.", request.requester_label)),
        accept_action: mine.then(|| urls::suggestion_accept(request.id, one.id)),
        decline_action: mine.then(|| urls::suggestion_decline(request.id, one.id)),
    };
    open_ones(detail).map(card).collect()
}

/// Those that can be accepted.
pub(super) fn open_ones(detail: &RequestDetail) -> impl Iterator<Item = &Suggestion> {
    let request = &detail.request;
    let waits = request.status == RequestStatus::AwaitingApproval;
    let open = move |one: &&Suggestion| waits && one.request == request.id && one.state == SuggestionState::Open;
    detail.suggestions.iter().filter(open)
}

fn changes(request: &Request, suggestion: &Suggestion, version: &TemplateVersion) -> Vec<Fact> {
    let fact = |one: Change| Fact { before: Some(one.before), ..Fact::new(one.label, one.after) };
    let changes = values::changes(&version.inputs_schema, &request.inputs, &suggestion.inputs);
    let mut facts: Vec<Fact> = changes.into_iter().map(fact).collect();
    if let (Some(before), Some(after)) = (request.lifetime, suggestion.lifetime)
        && before != after
    {
        facts.push(Fact { before: Some(length(before)), ..Fact::new("Lifetime", length(after)) });
    }
    facts
}

/// What was suggested, and what became of it.
pub(super) fn timeline(visitor: &Visitor, detail: &RequestDetail) -> Vec<TimelineItem> {
    let times = visitor.times();
    let item = |icon, sentence: String, href, note: Option<String>, at| TimelineItem {
        look: Look::Off,
        icon,
        sentence,
        href,
        note,
        when: times.near(at),
    };
    let mut items = Vec::new();
    for one in &detail.suggestions {
        if one.request != detail.request.id {
            let text = format!("It took the place of an earlier request, with the changes of {}", one.who());
            items.push(item("git-compare-arrows", text, Some(urls::request(one.request)), None, one.at));
            continue;
        }
        let text = format!("{} would agree with changes", one.who());
        items.push(item("pencil", text, None, Some(one.reason.clone()), one.at));
        let requester = &detail.request.requester_label;
        let text = match one.state {
            SuggestionState::Accepted => format!("{requester} accepted them: another request took its place"),
            SuggestionState::Declined => format!("{requester} declined the changes of {}", one.who()),
            SuggestionState::Open | SuggestionState::Replaced => continue,
        };
        items.extend(one.decided_at.map(|at| item("check", text, one.successor.map(urls::request), None, at)));
    }
    items
}

/// `POST /requests/{request}/suggestions/{suggestion}/accept`
pub async fn accept(visitor: Visitor, Path(ids): Path<(String, String)>) -> Result<Response, PageError> {
    let (id, suggestion) = both(&ids)?;
    let caller = Caller::Person(&visitor.access);
    let accepted = visitor.app.requests.accept(&visitor.op, caller, id, suggestion).await;
    let submitted = accepted.map_err(|error| PageError::from(error).link("The request", urls::request(id)))?;
    let text = "Sent with the changes. This request took the place of the other one.";
    Ok(answer::see_other_saying(&urls::request(submitted.id), text))
}

/// `POST /requests/{request}/suggestions/{suggestion}/decline`
pub async fn decline(visitor: Visitor, Path(ids): Path<(String, String)>) -> Result<Response, PageError> {
    let (id, suggestion) = both(&ids)?;
    let caller = Caller::Person(&visitor.access);
    let declined = visitor.app.requests.decline(&visitor.op, caller, id, suggestion).await;
    declined.map_err(|error| PageError::from(error).link("The request", urls::request(id)))?;
    Ok(answer::see_other_saying(&urls::request(id), "Declined. The request waits as it was."))
}

fn both((request, suggestion): &(String, String)) -> Result<(RequestId, SuggestionId), PageError> {
    let request = request.parse().map_err(|_| PageError::not_found("request"))?;
    Ok((request, suggestion.parse().map_err(|_| PageError::not_found("suggestion"))?))
}
