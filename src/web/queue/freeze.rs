//! Setting and lifting freezes.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use jiff::SignedDuration;

use super::{list, manage};
use crate::base::FieldError;
use crate::base::id::{FreezeId, ProjectEnvironmentTypeId};
use crate::catalog::form::{Choice, Control, Field};
use crate::db::Connection;
use crate::orchestrator::{Error, NewFreeze};
use crate::projects;
use crate::web::answer::{self, Form};
use crate::web::error::{PageError, sentence};
use crate::web::ui::FormSection;
use crate::web::urls;
use crate::web::visitor::Visitor;

/// How long, in hours, and the words; none: until it is lifted.
const LENGTHS: [(&str, &str, i64); 6] = [
    ("lifted", "Until it is lifted", 0),
    ("1h", "1 hour", 1),
    ("4h", "4 hours", 4),
    ("12h", "12 hours", 12),
    ("1d", "1 day", 24),
    ("7d", "7 days", 168),
];

/// `POST /admin/freezes`
pub async fn set(visitor: Visitor, form: Form) -> Result<Response, PageError> {
    let permit = manage(&visitor)?;
    let place: Option<ProjectEnvironmentTypeId> = match form.get("place") {
        "" | "platform" => None,
        text => Some(text.parse().map_err(|_| PageError::invalid("There is no such environment type."))?),
    };
    let hours = LENGTHS.iter().find(|(value, _, hours)| *value == form.get("length") && *hours > 0);
    let ends_at = hours.and_then(|(_, _, hours)| visitor.op.now().checked_add(SignedDuration::from_hours(*hours)).ok());
    let new =
        NewFreeze { place: place.map(|id| id.0), reason: form.get("reason").to_owned(), starts_at: None, ends_at };
    match visitor.app.set_freeze(&visitor.op, &permit, &new).await {
        Ok(_) => Ok(answer::see_other_saying(urls::ADMIN_QUEUE, "Runs are held there from now on.")),
        Err(Error::Invalid(found)) => {
            let page = list::filled(&visitor, &form, &found).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, answer::page(&page)?).into_response())
        }
        Err(error) => Err(PageError::from(error).link("Queue", urls::ADMIN_QUEUE)),
    }
}

/// `POST /admin/freezes/{freeze}/lift`
pub async fn lift(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    let permit = manage(&visitor)?;
    let id: FreezeId = id.parse().map_err(|_| PageError::not_found("freeze"))?;
    let lifted = visitor.app.lift_freeze(&visitor.op, &permit, id).await;
    lifted.map_err(|error| PageError::from(error).link("Queue", urls::ADMIN_QUEUE))?;
    Ok(answer::see_other_saying(urls::ADMIN_QUEUE, "The freeze is lifted: held runs go on."))
}

/// The form of a new freeze.
pub(super) async fn section(
    connection: &mut Connection,
    form: &Form,
    found: &[FieldError],
) -> Result<FormSection, PageError> {
    let all = projects::list(connection, None).await?;
    let ids: Vec<_> = all.iter().map(|project| project.id).collect();
    let mut places = vec![choice("platform", "The whole platform", form.get("place"))];
    for place in projects::places(connection, &ids).await? {
        let project = all.iter().find(|project| project.id == place.kind.project);
        let label = format!("{} {}", project.map_or("", |project| project.slug.as_str()), place.kind.slug);
        places.push(choice(&place.kind.id.to_string(), &label, form.get("place")));
    }
    let lengths = LENGTHS.iter().map(|(value, label, _)| choice(value, label, form.get("length"))).collect();
    let reason = Control::Text {
        value: form.get("reason").to_owned(),
        pattern: None,
        min_length: None,
        max_length: Some(500),
        placeholder: Some("The books are being closed".to_owned()),
    };
    Ok(FormSection {
        id: "new-freeze".to_owned(),
        title: "Hold runs".to_owned(),
        help: "What runs goes on; what waits is held, and its page says why and until when.".to_owned(),
        fields: vec![
            field(found, "place", "Where", Control::Select { choices: places }),
            field(found, "length", "For how long", Control::Select { choices: lengths }),
            field(found, "reason", "Reason", reason),
        ],
        reshapes: false,
    })
}

fn choice(value: &str, label: &str, chosen: &str) -> Choice {
    Choice { value: value.to_owned(), label: label.to_owned(), help: None, selected: value == chosen }
}

fn field(found: &[FieldError], name: &str, label: &str, control: Control) -> Field {
    let pointer = format!("/{name}");
    let errors = found.iter().filter(|error| error.pointer == pointer).map(|error| sentence(&error.detail)).collect();
    Field {
        pointer,
        name: name.to_owned(),
        label: label.to_owned(),
        help: None,
        required: true,
        read_only: false,
        secret: false,
        control,
        errors,
    }
}
