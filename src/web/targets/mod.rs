//! Targets: the list, connecting one, one target with its check, its credential and where it is used.
//!
//! The fields come from the provider's form (`providers::target`); no page knows a provider. What was
//! typed comes back with what is wrong with it, but for secrets.

pub mod act;
pub mod connect;
pub mod edit;
mod fields;
mod list;
pub mod page;
pub mod view;

pub use list::page as list_page;

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use crate::base::Kinded as _;
use crate::policy::{Action, Permit, Resource, ability};
use crate::projects::{self, ConnectedTarget};
use crate::web::answer;
use crate::web::error::PageError;
use crate::web::urls;
use crate::web::visitor::Visitor;

/// Whether the viewer may look, as a permit.
fn look(visitor: &Visitor) -> Result<Permit<ability::ReadAdmin>, PageError> {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    Ok(app.policy.permit(&app.platform_question(op, access, Action::ReadAdmin, Resource::platform()))?)
}

/// Whether the viewer may change targets; nothing is written down.
fn may_manage(visitor: &Visitor) -> bool {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    app.policy.allows(&app.platform_question(op, access, Action::ManageTargets, Resource::platform()))
}

/// The permit to change targets. A refusal is written down as what was to be done to which target.
async fn manage(
    visitor: &Visitor,
    action: &'static str,
    target: &str,
) -> Result<Permit<ability::ManageTargets>, PageError> {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    match app.policy.permit(&app.platform_question(op, access, Action::ManageTargets, Resource::platform())) {
        Ok(permit) => Ok(permit),
        Err(refused) => {
            app.record_refused_target(op, action, target).await?;
            Err(refused.into())
        }
    }
}

async fn found(visitor: &Visitor, slug: &str) -> Result<ConnectedTarget, PageError> {
    let found = projects::connected_target(&mut *visitor.app.db.acquire().await?, slug).await;
    found.map_err(|error| failed(error, urls::ADMIN_TARGETS))
}

/// An error that no form can show.
fn failed(error: projects::Error, back: &str) -> PageError {
    let error = match error {
        projects::Error::NoTarget => PageError::not_found("target"),
        other => PageError::from(other),
    };
    error.link("Targets", back)
}

/// A page with what is wrong with its form.
fn wrong(page: &impl askama::Template, error: &projects::Error) -> Result<Response, PageError> {
    let status = StatusCode::from_u16(error.kind().status()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
    let status = if status == StatusCode::PRECONDITION_FAILED { StatusCode::CONFLICT } else { status };
    Ok((status, answer::page(page)?).into_response())
}
