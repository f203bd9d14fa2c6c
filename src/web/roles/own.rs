//! `/preferences/roles`: what the viewer holds, what they asked for, and asking for more.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::asked;
use super::fields::{self, AskForm};
use super::view::{AskedRow, OwnRolesPage, OwnRow};
use crate::app::ElevationDraft;
use crate::base::id::ElevationId;
use crate::base::{FieldError, Kinded as _};
use crate::identity::{self, Elevation, ElevationFilter, ElevationState, OwnRole, Source};
use crate::web::answer::{self, Form, Query};
use crate::web::error::PageError;
use crate::web::listing;
use crate::web::shell::Section;
use crate::web::visitor::Visitor;
use crate::web::words::Times;
use crate::web::{frame, preferences, urls};

/// How many of those asked for the page shows.
const MOST_SHOWN: i64 = 20;

/// `GET /preferences/roles`
pub async fn page(visitor: Visitor, query: Query) -> Result<Response, PageError> {
    answer::page(&own_page(&visitor, &query.0, &[]).await?)
}

/// `POST /preferences/roles`
pub async fn ask(visitor: Visitor, form: Form) -> Result<Response, PageError> {
    let done = match fields::typed_ask(&form) {
        Ok(draft) => visitor.app.elevate(&visitor.op, &visitor.access, &draft).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(one) if one.emergency => {
            let said = format!("You are {} from now on. Every admin is told, until one has reviewed it.", one.label());
            Ok(answer::see_other_saying(urls::OWN_ROLES, &said))
        }
        Ok(one) => {
            let said = format!("You have asked to be {}. Somebody who gives roles decides.", one.label());
            Ok(answer::see_other_saying(urls::OWN_ROLES, &said))
        }
        Err(error) if super::manage::is_shown(&error) => {
            let page = own_page(&visitor, &form, &fields::errors_of(&error)).await?;
            let status = StatusCode::from_u16(error.kind().status()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
            Ok((status, answer::page(&page)?).into_response())
        }
        Err(error) => Err(failed(error)),
    }
}

/// `POST /preferences/roles/{elevation}/end`
pub async fn end(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    let id: ElevationId = id.parse().map_err(|_| PageError::not_found("role that you asked for"))?;
    let ended = visitor.app.end_elevation(&visitor.op, id).await.map_err(failed)?;
    let said = match ended.state {
        ElevationState::Withdrawn => format!("You do not ask to be {} any more.", ended.label()),
        _ => format!("You have given back being {}.", ended.label()),
    };
    Ok(answer::see_other_saying(urls::OWN_ROLES, &said))
}

fn failed(error: identity::IdentityError) -> PageError {
    PageError::from(error).link("Your roles", urls::OWN_ROLES)
}

async fn own_page(visitor: &Visitor, form: &Form, found: &[FieldError]) -> Result<OwnRolesPage, PageError> {
    let mut connection = visitor.app.db.acquire().await?;
    let person = visitor.access.person.id;
    let held = identity::own_roles(&mut connection, person).await?;
    let mine = ElevationFilter { person: Some(person), ..ElevationFilter::default() };
    let asked = identity::list_elevations(&mut connection, mine, None, MOST_SHOWN).await?.items;
    let projects = visitor.projects(&mut connection).await?;
    drop(connection);
    let emergencies = visitor.app.emergencies(&visitor.op, &visitor.access, &projects);
    let times = visitor.times();
    let mut shell = frame::shell(visitor, Section::Elsewhere, "Your roles").await?;
    // The answer to a post comes back to what can be opened.
    urls::OWN_ROLES.clone_into(&mut shell.here);
    let section = fields::ask(&AskForm { form, projects: &projects }, found);
    Ok(OwnRolesPage {
        shell,
        tabs: preferences::tokens::tabs(urls::OWN_ROLES),
        rows: held.iter().map(|one| row(one, &times)).collect(),
        asked: asked.iter().map(|one| asked_row(one, &times)).collect(),
        errors: super::manage::summary(&section, found),
        section,
        emergencies: emergencies
            .into_iter()
            .map(|(role, place)| match place {
                Some(slug) => format!("{role} in {slug}"),
                None => format!("{role} on the platform"),
            })
            .collect(),
    })
}

fn row(one: &OwnRole, times: &Times) -> OwnRow {
    OwnRow {
        role: one.role.to_string(),
        place: match (&one.project_name, &one.environment_type) {
            (Some(name), Some(kind)) => format!("{name}, only {kind}"),
            (Some(name), None) => name.clone(),
            (None, _) => "The platform: everywhere".to_owned(),
        },
        ends: one.expires_at.map(|end| times.near(end)),
        by: match (&one.team, one.source) {
            (Some(team), _) => format!("your team {team}"),
            (None, Source::Oidc) => "the identity provider".to_owned(),
            (None, Source::Demo) => "the demo".to_owned(),
            (None, Source::Elevation) if one.given_by.is_empty() => "taken in an emergency".to_owned(),
            (None, Source::Elevation) => format!("asked for, granted by {}", one.given_by),
            (None, Source::Local) if one.given_by.is_empty() => "set-up".to_owned(),
            (None, Source::Local) => one.given_by.clone(),
        },
    }
}

fn asked_row(one: &Elevation, times: &Times) -> AskedRow {
    let can_end = matches!(one.state, ElevationState::Waiting | ElevationState::Granted);
    AskedRow {
        end: can_end.then(|| {
            let label = if one.state == ElevationState::Waiting { "Take back" } else { "Give back" };
            (label, urls::own_role_end(one.id))
        }),
        ..asked::row(one, times)
    }
}

/// A link to the form, with a role and a place chosen.
pub fn ask_href(role: &str, project: Option<&str>) -> String {
    listing::href(urls::OWN_ROLES, [("role", role), ("project", project.unwrap_or_default())])
}

/// What a post asks for, as the use-case takes it.
pub(super) fn draft(
    role: identity::Role,
    project: &str,
    lifetime: jiff::SignedDuration,
    (reason, emergency): (&str, bool),
) -> ElevationDraft {
    let project = Some(project.trim().to_owned()).filter(|slug| !slug.is_empty());
    ElevationDraft { role, project, lifetime, reason: reason.to_owned(), emergency }
}
