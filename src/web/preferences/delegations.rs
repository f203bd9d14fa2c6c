//! `/preferences/delegations`: who decides for the viewer while they are away, and for whom the viewer does.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use jiff::civil::DateTime;

use super::view::{DelegationRow, DelegationsPage};
use crate::base::id::DelegationId;
use crate::base::{ErrorKind, FieldError, Kinded as _};
use crate::catalog::form::Control;
use crate::requests::{Delegation, Error, NewDelegation};
use crate::web::answer::{self, Form};
use crate::web::error::{PageError, sentence};
use crate::web::shell::Section;
use crate::web::ui::{Empty, FormError, FormSection, Pill, own_field, text_control};
use crate::web::visitor::Visitor;
use crate::web::words::Times;
use crate::web::{frame, urls};

/// An example of a moment, as people type it.
const EXAMPLE: &str = "2026-12-20 18:00";

/// `GET /preferences/delegations`
pub async fn show(visitor: Visitor) -> Result<Response, PageError> {
    answer::page(&page(&visitor, &Form::default(), &[]).await?)
}

/// `POST /preferences/delegations`
pub async fn give(visitor: Visitor, form: Form) -> Result<Response, PageError> {
    let given = match moments(&visitor, &form) {
        Ok((from, until)) => {
            let new = NewDelegation { to: form.get("to"), from, until, note: form.get("note") };
            visitor.app.requests.delegate(&visitor.op, &visitor.access, new).await
        }
        Err(found) => Err(Error::Invalid(found)),
    };
    match given {
        Ok(one) => {
            let said = format!("In that time, {} decides for you.", one.deputy_name);
            Ok(answer::see_other_saying(urls::DELEGATIONS, &said))
        }
        Err(Error::Invalid(found)) => {
            let page = page(&visitor, &form, &found).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, answer::page(&page)?).into_response())
        }
        Err(error) => Err(PageError::from(error).link("While you are away", urls::DELEGATIONS)),
    }
}

/// `POST /preferences/delegations/{delegation}/end`
pub async fn end(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    let unknown = || PageError::not_found("delegation").link("While you are away", urls::DELEGATIONS);
    let id: DelegationId = id.parse().map_err(|_| unknown())?;
    match visitor.app.requests.end_delegation(&visitor.op, &visitor.access, id).await {
        Ok(one) => {
            let said = format!("{} does not decide for you any more.", one.deputy_name);
            Ok(answer::see_other_saying(urls::DELEGATIONS, &said))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Err(unknown()),
        Err(error) => Err(PageError::from(error).link("While you are away", urls::DELEGATIONS)),
    }
}

/// From when, if that was typed, and until when: in the viewer's zone.
fn moments(visitor: &Visitor, form: &Form) -> Result<(Option<Timestamp>, Timestamp), Vec<FieldError>> {
    let moment = |name: &str| {
        let civil: DateTime = form.get(name).trim().parse().ok()?;
        Some(civil.to_zoned(visitor.zone.time_zone()).ok()?.timestamp())
    };
    let wrong = |name: &str| FieldError::new(format!("/{name}"), format!("is a day and a time such as {EXAMPLE}"));
    let (from, until) = (moment("from"), moment("until"));
    let mut found = Vec::new();
    if from.is_none() && !form.get("from").trim().is_empty() {
        found.push(wrong("from"));
    }
    match until {
        Some(until) if found.is_empty() => Ok((from, until)),
        Some(_) => Err(found),
        None => {
            found.push(wrong("until"));
            Err(found)
        }
    }
}

async fn page(visitor: &Visitor, form: &Form, found: &[FieldError]) -> Result<DelegationsPage, PageError> {
    let mut connection = visitor.app.db.acquire().await?;
    let me = visitor.access.person.id;
    let all = visitor.app.requests.delegations(&mut connection, me).await?;
    drop(connection);
    let mut shell = frame::shell(visitor, Section::Elsewhere, "While you are away").await?;
    // The answer to a post comes back to what can be opened.
    urls::DELEGATIONS.clone_into(&mut shell.here);
    let times = visitor.times();
    let (given, held): (Vec<Delegation>, Vec<Delegation>) = all.into_iter().partition(|one| one.absent == me);
    let section = section(form, visitor.zone.name(), found);
    let alone = found.iter().filter(|error| error.pointer.is_empty());
    let alone = alone.map(|error| FormError { text: sentence(&error.detail), href: String::new() });
    Ok(DelegationsPage {
        shell,
        tabs: super::tokens::tabs(urls::DELEGATIONS),
        empty: given.is_empty().then(empty),
        given: given.into_iter().map(|one| row(one, true, &times)).collect(),
        // What is over is the affair of whoever gave it.
        held: held.into_iter().filter(|one| one.open).map(|one| row(one, false, &times)).collect(),
        errors: alone.chain(FormError::collect(std::slice::from_ref(&section))).collect(),
        form: section,
    })
}

fn section(form: &Form, zone: &str, found: &[FieldError]) -> FormSection {
    let moment = |name: &str| text_control(form.get(name), EXAMPLE, Some(40));
    let in_zone = format!("A day and a time in {zone}.");
    let until = format!("{in_zone} At most 90 days after the beginning.");
    let from = format!("{in_zone} Empty: from now on.");
    let note = Control::LongText { value: form.get("note").to_owned() };
    FormSection {
        id: "new-delegation".to_owned(),
        title: "Let somebody decide for you".to_owned(),
        help: "On requests that ask for what you hold, and on nothing else: not on your own, nor on theirs. \
               You can still decide yourself; of the two of you one approval counts."
            .to_owned(),
        fields: vec![
            own_field(found, "to", "Who", Some("A login."), true, text_control(form.get("to"), "noor", Some(120))),
            own_field(found, "from", "From", Some(&from), false, moment("from")),
            own_field(found, "until", "To", Some(&until), true, moment("until")),
            own_field(found, "note", "Note", Some("They read it too."), false, note),
        ],
        reshapes: false,
    }
}

fn empty() -> Empty {
    Empty {
        icon: "user-round-check",
        title: "Nobody decides for you".to_owned(),
        text: "When you go away, let somebody approve and reject in your place. Requests do not wait for you then."
            .to_owned(),
        action: None,
    }
}

fn row(one: Delegation, given: bool, times: &Times) -> DelegationRow {
    let pill = match (one.ended_at, one.holds, one.open) {
        (Some(_), ..) => Pill::of("withdrawn").saying("Taken back"),
        (None, true, _) => Pill::of("ready").saying("Holds"),
        (None, false, true) => Pill::of("queued").saying("To come"),
        (None, false, false) => Pill::of("lapsed").saying("Over"),
    };
    DelegationRow {
        id: one.id.to_string(),
        name: if given { one.deputy_name } else { one.absent_name },
        from: times.at(one.starts_at),
        until: times.at(one.ends_at),
        note: one.note,
        pill,
        end_action: (given && one.open).then(|| urls::delegation_end(one.id)),
    }
}
