//! `/admin/roles/asked`: roles that people asked for, or took in an emergency; deciding and reviewing.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::view::{AskedPage, AskedRolesPage, AskedRow, JudgeForm};
use super::{fields, look, manage};
use crate::base::FieldError;
use crate::base::Kinded as _;
use crate::base::id::ElevationId;
use crate::identity::{self, Elevation, ElevationFilter, ElevationState, IdentityError};
use crate::web::answer::{self, Form, Query};
use crate::web::error::PageError;
use crate::web::listing::{self, PAGE_SIZE};
use crate::web::shell::Section;
use crate::web::ui::{Crumb, Empty, Fact, Look, Pill, Tab};
use crate::web::visitor::Visitor;
use crate::web::words::{Times, count, length};
use crate::web::{frame, queue, urls};

/// `GET /admin/roles/asked`
pub async fn list_page(visitor: Visitor, query: Query) -> Result<Response, PageError> {
    look(&visitor)?;
    let after = listing::cursor(&query)?;
    let show = query.get("show");
    let filter =
        ElevationFilter { waiting: show == "waiting", to_review: show == "review", ..ElevationFilter::default() };
    let mut connection = visitor.app.db.acquire().await?;
    let found = identity::list_elevations(&mut connection, filter, after, PAGE_SIZE).await?;
    drop(connection);
    let times = visitor.times();
    let rows: Vec<AskedRow> = found.items.iter().map(|one| row(one, &times)).collect();
    let tab = |label: &str, value: &str| Tab {
        label: label.to_owned(),
        count: None,
        href: listing::href(urls::ADMIN_ROLES_ASKED, [("show", value)]),
        current: show == value,
    };
    let page = AskedRolesPage {
        shell: frame::shell(&visitor, Section::Admin, "Roles asked for").await?,
        crumbs: vec![Crumb::to("Roles", urls::ADMIN_ROLES)],
        tabs: queue::tabs(urls::ADMIN_ROLES),
        lede: "Roles for a time: what people asked for, and what they took in an emergency.".to_owned(),
        shows: vec![tab("All", ""), tab("To decide", "waiting"), tab("Emergencies to review", "review")],
        empty: rows.is_empty().then(|| Empty {
            icon: "key-round",
            title: "Nothing here".to_owned(),
            text: "People ask under Your roles, in the menu behind their name.".to_owned(),
            action: None,
        }),
        pager: listing::pager(
            urls::ADMIN_ROLES_ASKED,
            &query,
            count(rows.len(), "role", "roles"),
            found.next_cursor.as_deref(),
        ),
        rows,
    };
    answer::page(&page)
}

/// `GET /admin/roles/asked/{elevation}`
pub async fn page(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    let one = found(&visitor, &id).await?;
    answer::page(&one_page(&visitor, &one, &Form::default(), &[]).await?)
}

/// `POST /admin/roles/asked/{elevation}/decide`
pub async fn decide(visitor: Visitor, Path(id): Path<String>, form: Form) -> Result<Response, PageError> {
    let one = found(&visitor, &id).await?;
    let grant = form.get("verdict") == "grant";
    let action = if grant { "elevation.granted" } else { "elevation.declined" };
    let done = match judge(&visitor, action, &one).await {
        Ok(permit) => visitor.app.decide_elevation(&visitor.op, &permit, one.id, (grant, form.get("answer"))).await,
        Err(error) => Err(error),
    };
    let said = |one: &Elevation| match one.state {
        ElevationState::Granted => format!("{} is {} from now on.", one.name, one.label()),
        _ => format!("{} does not become {}.", one.name, one.label()),
    };
    answered(&visitor, &one, &form, done, said).await
}

/// `POST /admin/roles/asked/{elevation}/review`
pub async fn review(visitor: Visitor, Path(id): Path<String>, form: Form) -> Result<Response, PageError> {
    let one = found(&visitor, &id).await?;
    let justified = form.get("verdict") == "justified";
    let done = match judge(&visitor, "elevation.reviewed", &one).await {
        Ok(permit) => visitor.app.review_elevation(&visitor.op, &permit, one.id, (justified, form.get("review"))).await,
        Err(error) => Err(error),
    };
    answered(&visitor, &one, &form, done, |one| format!("What {} took is reviewed.", one.name)).await
}

/// The permit to decide and review; a refusal is written down.
async fn judge(
    visitor: &Visitor,
    action: &'static str,
    one: &Elevation,
) -> identity::Result<crate::policy::Permit<crate::policy::ability::ManageRoles>> {
    let permit = visitor.app.permit_roles(&visitor.op, &visitor.access).await;
    if permit.is_err() {
        visitor.app.record_refused_elevation(&visitor.op, action, one).await?;
    }
    permit
}

async fn answered(
    visitor: &Visitor,
    one: &Elevation,
    form: &Form,
    done: identity::Result<Elevation>,
    said: impl Fn(&Elevation) -> String,
) -> Result<Response, PageError> {
    match done {
        Ok(one) => Ok(answer::see_other_saying(urls::ADMIN_ROLES_ASKED, &said(&one))),
        Err(error) if manage::is_shown(&error) => {
            let page = one_page(visitor, one, form, &fields::errors_of(&error)).await?;
            let status = StatusCode::from_u16(error.kind().status()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
            Ok((status, answer::page(&page)?).into_response())
        }
        Err(error) => Err(failed(error)),
    }
}

async fn found(visitor: &Visitor, id: &str) -> Result<Elevation, PageError> {
    let id: ElevationId = id.parse().map_err(|_| PageError::not_found("role that somebody asked for"))?;
    look(visitor)?;
    identity::get_elevation(&mut *visitor.app.db.acquire().await?, id).await.map_err(failed)
}

fn failed(error: IdentityError) -> PageError {
    PageError::from(error).link("Roles asked for", urls::ADMIN_ROLES_ASKED)
}

async fn one_page(
    visitor: &Visitor,
    one: &Elevation,
    form: &Form,
    found: &[FieldError],
) -> Result<AskedPage, PageError> {
    let own = one.person == visitor.access.person.id;
    let judge = match (one.state, one.is_to_review()) {
        _ if own => None,
        (ElevationState::Waiting, _) => Some(JudgeForm {
            action: urls::admin_role_decide(one.id),
            section: fields::decision(form, found),
            yes: ("grant", "Grant it"),
            no: ("decline", "Decline"),
        }),
        (_, true) => Some(JudgeForm {
            action: urls::admin_role_review(one.id),
            section: fields::review(form, found),
            yes: ("justified", "It was an emergency"),
            no: ("unjustified", "It was none"),
        }),
        (_, false) => None,
    };
    let errors = match &judge {
        Some(judge) => manage::summary(&judge.section, found),
        None => Vec::new(),
    };
    Ok(AskedPage {
        shell: frame::shell(visitor, Section::Admin, "Role asked for").await?,
        crumbs: vec![Crumb::to("Roles", urls::ADMIN_ROLES), Crumb::to("Asked for", urls::ADMIN_ROLES_ASKED)],
        title: format!("{}: {}", one.name, one.label()),
        pill: pill(one),
        note: own.then_some("Somebody else decides on what you ask for, and reviews what you took."),
        facts: facts(one, &visitor.times()),
        did_href: did(visitor, one),
        errors,
        judge,
    })
}

fn facts(one: &Elevation, times: &Times) -> Vec<Fact> {
    let mut facts = vec![
        Fact::new("Reason", &one.reason),
        Fact::new("For", length(one.lifetime)),
        Fact::time(if one.emergency { "Taken" } else { "Asked" }, times.at(one.created_at)),
    ];
    if one.state == ElevationState::Waiting {
        facts.push(Fact::time("Can be decided until", times.at(one.lapses_at)));
    }
    if !one.decided_by.is_empty() {
        facts.push(Fact::new("Decided by", &one.decided_by));
    }
    if !one.answer.is_empty() {
        facts.push(Fact::new("Answer", &one.answer));
    }
    if let Some(end) = one.ends_at {
        facts.push(Fact::time(
            if one.state == ElevationState::Granted { "Ends" } else { "Ended at the latest" },
            times.at(end),
        ));
    }
    if let Some(at) = one.reviewed_at {
        facts.push(Fact::new("Reviewed by", &one.reviewed_by));
        facts.push(Fact::time("Reviewed", times.at(at)));
        facts.push(Fact::new("Review", &one.review));
    }
    facts
}

/// What they did since, in the audit log, for those who may read it.
fn did(visitor: &Visitor, one: &Elevation) -> Option<String> {
    let since = one.decided_at?;
    let zone = visitor.zone.time_zone();
    let day = |at: jiff::Timestamp| at.to_zoned(zone.clone()).date().to_string();
    let until = one.ends_at.unwrap_or(since).min(visitor.op.now());
    Some(listing::href(urls::AUDIT, [("actor", one.login.as_str()), ("from", &day(since)), ("to", &day(until))]))
}

/// Where it stands.
pub(super) fn pill(one: &Elevation) -> Pill {
    let (look, icon, word) = match one.state {
        _ if one.is_to_review() => (Look::Bad, "triangle-alert", "To review"),
        ElevationState::Waiting => (Look::Wait, "user-round-check", "Waiting"),
        ElevationState::Granted if one.emergency => (Look::Go, "circle-check", "Taken"),
        ElevationState::Granted => (Look::Go, "circle-check", "Granted"),
        ElevationState::Declined => (Look::Bad, "circle-x", "Declined"),
        ElevationState::Withdrawn => (Look::Off, "ban", "Taken back"),
        ElevationState::Lapsed => (Look::Off, "timer-off", "Lapsed"),
        ElevationState::Ended => (Look::Off, "timer-off", "Ended"),
    };
    Pill { look, icon, word: word.into() }
}

/// One of a list.
pub(super) fn row(one: &Elevation, times: &Times) -> AskedRow {
    AskedRow {
        name: one.name.clone(),
        href: urls::admin_role_asked(one.id),
        label: one.label(),
        pill: pill(one),
        reason: one.reason.clone(),
        answer: match (one.answer.as_str(), one.decided_by.as_str()) {
            ("", _) | (_, "") => String::new(),
            (answer, by) => format!("{by}: {answer}"),
        },
        asked: times.near(one.created_at),
        ends: one.ends_at.map(|end| times.near(end)),
        end: None,
    }
}
