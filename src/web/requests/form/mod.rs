//! The form for new environments, updates, extensions and actions: one address for showing and sending.
//!
//! A post with `_check`, `_add` or `_remove` shows the form again, with everything typed; a plain
//! post submits. The hidden `_key` is made with the form, so sending it twice is one request. The
//! address with a query is a link to a filled-in form. A secret that was typed stands only in the
//! answer to the very post that brought it; a stored one is never shown.

mod draft;
pub(super) mod exception;
mod fields;
pub(in crate::web) mod lifetime;
mod share;
mod subject;
mod typed;
mod verdict;
mod yaml;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use self::subject::{Ask, Subject};
use self::typed::Typed;
use super::view::{RequestFormPage, VerdictFragment};
use crate::base::id::{EnvironmentId, RequestId};
use crate::base::{ErrorKind, FieldError, Kinded as _};
use crate::catalog::form as inputs;
use crate::environments::Operation;
use crate::requests::{Caller, Error, RequestStatus};
use crate::web::answer::{self, Form, Query};
use crate::web::error::{PageError, sentence};
use crate::web::frame;
use crate::web::ui::{FormError, Verdict};
use crate::web::urls;
use crate::web::visitor::Visitor;

/// `GET /catalog/{template}/request`
pub async fn show_create(visitor: Visitor, Path(template): Path<String>, query: Query) -> Result<Response, PageError> {
    show(&visitor, Ask::Create(template), &query.0).await
}

/// `POST /catalog/{template}/request`
pub async fn post_create(visitor: Visitor, Path(template): Path<String>, form: Form) -> Result<Response, PageError> {
    post(&visitor, Ask::Create(template), form).await
}

/// `GET /environments/{environment}/update`
pub async fn show_update(visitor: Visitor, Path(id): Path<String>, query: Query) -> Result<Response, PageError> {
    show(&visitor, Ask::Update(environment_id(&id)?), &query.0).await
}

/// `POST /environments/{environment}/update`
pub async fn post_update(visitor: Visitor, Path(id): Path<String>, form: Form) -> Result<Response, PageError> {
    post(&visitor, Ask::Update(environment_id(&id)?), form).await
}

/// `GET /environments/{environment}/extend`
pub async fn show_extend(visitor: Visitor, Path(id): Path<String>, query: Query) -> Result<Response, PageError> {
    show(&visitor, Ask::Extend(environment_id(&id)?), &query.0).await
}

/// `POST /environments/{environment}/extend`
pub async fn post_extend(visitor: Visitor, Path(id): Path<String>, form: Form) -> Result<Response, PageError> {
    post(&visitor, Ask::Extend(environment_id(&id)?), form).await
}

/// `GET /environments/{environment}/actions/{action}`
pub async fn show_act(
    visitor: Visitor,
    Path((id, action)): Path<(String, String)>,
    query: Query,
) -> Result<Response, PageError> {
    show(&visitor, Ask::Act(environment_id(&id)?, action), &query.0).await
}

/// `POST /environments/{environment}/actions/{action}`
pub async fn post_act(
    visitor: Visitor,
    Path((id, action)): Path<(String, String)>,
    form: Form,
) -> Result<Response, PageError> {
    post(&visitor, Ask::Act(environment_id(&id)?, action), form).await
}

fn environment_id(text: &str) -> Result<EnvironmentId, PageError> {
    text.parse().map_err(|_| PageError::not_found("environment"))
}

async fn show(visitor: &Visitor, ask: Ask, query: &Form) -> Result<Response, PageError> {
    let link = visitor.here.split_once('?').map_or("", |(_, query)| query);
    let saved = draft::find(visitor, &ask.address()).await?;
    let continued = saved.as_ref().filter(|saved| draft::continues(saved, link));
    let values = continued.map_or_else(|| query.clone(), |saved| Form(saved.fields.clone()));
    let subject = Subject::load(visitor, ask, &values).await?;
    let typed = if continued.is_some() { Typed::posted(&subject, &values) } else { Typed::linked(&subject, query) };
    let (verdict, _) = judge(visitor, &subject, &typed).await?;
    let mut page = page(visitor, &subject, &typed, new_key(visitor), &[], verdict).await?;
    page.link = continued.map_or(link, |saved| &saved.link).to_owned();
    page.draft = saved.as_ref().map(|saved| draft::note(visitor, saved, &subject, continued.is_some()));
    answer::page(&page)
}

async fn post(visitor: &Visitor, ask: Ask, form: Form) -> Result<Response, PageError> {
    if form.has("_discard") {
        draft::discard(visitor, &ask.address(), &form).await?;
        let link = form.get("_link");
        let address = if link.is_empty() { ask.address() } else { format!("{}?{link}", ask.address()) };
        return Ok(answer::see_other(&address));
    }
    let subject = Subject::load(visitor, ask, &form).await?;
    let typed = Typed::posted(&subject, &form);
    let editing = inputs::list_button(&form.0);
    if editing || form.has("_check") {
        let kept = draft::keep(visitor, &subject, &typed, &form).await?;
        let (mut verdict, found) = judge(visitor, &subject, &typed).await?;
        verdict.saved = kept.then(|| visitor.times().clock(visitor.op.now()));
        if visitor.partial {
            return answer::page(&VerdictFragment { verdict });
        }
        // Only who asks for a check wants to be told what is missing; a form in the making does not.
        let shown = if editing || visitor.htmx { &[][..] } else { &found };
        let mut page = page(visitor, &subject, &typed, key_of(visitor, &form), shown, verdict).await?;
        form.get("_link").clone_into(&mut page.link);
        return answer::page(&page);
    }
    submit(visitor, &subject, &typed, &form).await
}

async fn submit(visitor: &Visitor, subject: &Subject, typed: &Typed, form: &Form) -> Result<Response, PageError> {
    let caller = Caller::Person(&visitor.access);
    let (draft, mut found) = typed.draft(subject);
    let requests = &visitor.app.requests;
    let error = if found.is_empty() {
        match requests.submit(&visitor.op, caller, &draft, Some(form.get("_key"))).await {
            Ok(submitted) => {
                draft::discard(visitor, &subject.address(), form).await?;
                return sent(visitor, submitted.id).await;
            }
            Err(error) => error,
        }
    } else {
        // What cannot be read and what is read and wrong are told together.
        if let Ok(verdict) = requests.verdict(&visitor.op, caller, &draft).await {
            found.extend(verdict.errors);
        }
        Error::Invalid(found)
    };
    let kind = error.kind();
    if matches!(kind, ErrorKind::Internal | ErrorKind::Unavailable | ErrorKind::NotFound | ErrorKind::Stale) {
        return Err(PageError::from(error).link("Open the form again", subject.action()));
    }
    let mut found = error.field_errors().to_vec();
    if found.is_empty() {
        found.push(FieldError::new("", error.to_string()));
    }
    // A key that was used for something else would refuse every correction, too.
    let key = if matches!(error, Error::KeyReused) { new_key(visitor) } else { key_of(visitor, form) };
    draft::keep(visitor, subject, typed, form).await?;
    let (verdict, _) = judge(visitor, subject, typed).await?;
    let mut page = page(visitor, subject, typed, key, &found, verdict).await?;
    form.get("_link").clone_into(&mut page.link);
    let status = StatusCode::from_u16(kind.status()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
    Ok((status, answer::page(&page)?).into_response())
}

/// Where a sent request is to be watched.
pub(in crate::web) async fn sent(visitor: &Visitor, id: RequestId) -> Result<Response, PageError> {
    let mut connection = visitor.app.db.acquire().await?;
    let found = visitor.app.requests.find(&mut connection, id).await?;
    let request = found.ok_or_else(|| PageError::internal("a request that was just sent is not there"))?;
    let name = &request.environment_name;
    Ok(match (request.status, request.environment) {
        (RequestStatus::Denied, _) => answer::see_other(&urls::request(id)),
        (RequestStatus::AwaitingQuota, _) => {
            let said = format!("Sent. It waits in line as number {} now.", request.position.unwrap_or(1));
            answer::see_other_saying(&urls::request(id), &said)
        }
        (RequestStatus::AwaitingApproval, _) => {
            answer::see_other_saying(&urls::request(id), "Sent. It waits for approval now.")
        }
        (_, Some(environment)) => {
            // It stays on the page while that goes on to show what has become of it.
            let done = match request.operation {
                Operation::Create => format!("Sent. This page shows how {name} is made."),
                Operation::Update => format!("Sent. This page shows how {name} is updated."),
                Operation::Extend => format!("{name} has a new end."),
                Operation::Start => format!("Sent. This page shows how {name} is started."),
                Operation::Stop | Operation::Hibernate => format!("Sent. This page shows how {name} is stopped."),
                Operation::Restart => format!("Sent. This page shows how {name} is restarted."),
                Operation::Act => "Sent. This page shows how it goes.".to_owned(),
                Operation::Delete => format!("Sent. This page shows how {name} is deleted."),
            };
            answer::see_other_saying(&urls::environment(environment), &done)
        }
        (_, None) => answer::see_other(&urls::request(id)),
    })
}

/// What a submit would meet, and what is wrong with the values.
async fn judge(visitor: &Visitor, subject: &Subject, typed: &Typed) -> Result<(Verdict, Vec<FieldError>), PageError> {
    let (draft, mut found) = typed.draft(subject);
    let judged = visitor.app.requests.verdict(&visitor.op, Caller::Person(&visitor.access), &draft).await;
    match judged {
        Ok(judged) => {
            found.extend(judged.errors.clone());
            let mut verdict = verdict::of(visitor, subject, typed, &judged, &found);
            verdict.share = Some(share::of(visitor, subject, typed));
            Ok((verdict, found))
        }
        Err(Error::Invalid(errors)) => {
            found.extend(errors);
            Ok((verdict::incomplete(&found), found))
        }
        Err(error) => Err(PageError::from(error).link("Open the form again", subject.action())),
    }
}

async fn page(
    visitor: &Visitor,
    subject: &Subject,
    typed: &Typed,
    key: String,
    found: &[FieldError],
    verdict: Verdict,
) -> Result<RequestFormPage, PageError> {
    let sections = fields::sections(subject, typed, found);
    let mut errors = fields::homeless(subject, found);
    errors.extend(FormError::collect(&sections));
    Ok(RequestFormPage {
        shell: frame::shell(visitor, subject.section(), &subject.title()).await?,
        crumbs: subject.crumbs(),
        title: subject.title(),
        lede: subject.lede(),
        action: subject.action(),
        submission_key: key,
        link: String::new(),
        draft: None,
        errors,
        sections,
        verdict,
    })
}

pub(in crate::web) fn key_of(visitor: &Visitor, form: &Form) -> String {
    match form.get("_key") {
        "" => new_key(visitor),
        key => key.to_owned(),
    }
}

pub(in crate::web) fn new_key(visitor: &Visitor) -> String {
    let mut random = [0; 16];
    visitor.op.entropy().fill(&mut random);
    hex::encode(random)
}

/// An error that belongs to no field.
fn line(error: &FieldError) -> FormError {
    FormError { text: sentence(&error.detail), href: String::new() }
}
