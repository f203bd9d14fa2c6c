//! `/admin/roles/new` and `/admin/roles/{role}`: giving, changing and taking a role.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::view::RoleFormPage;
use super::{fields, list, look, permit};
use crate::base::id::RoleBindingId;
use crate::base::{ErrorKind, FieldError, Kinded as _};
use crate::identity::{self, Binding, IdentityError, Source};
use crate::projects;
use crate::web::answer::{self, Form, Query};
use crate::web::error::{PageError, sentence};
use crate::web::shell::Section;
use crate::web::ui::{Crumb, Fact, FormError, FormSection};
use crate::web::visitor::Visitor;
use crate::web::{frame, urls};

/// Of a role that is not given by hand.
const ELSEWHERE: &str = "It follows from the groups at the identity provider, and is changed there.";

/// `GET /admin/roles/new`
pub async fn give_page(visitor: Visitor, query: Query) -> Result<Response, PageError> {
    permit(&visitor, "role.granted", "new").await?;
    answer::page(&new_page(&visitor, &query.0, &[]).await?)
}

/// `POST /admin/roles/new`
pub async fn give(visitor: Visitor, form: Form) -> Result<Response, PageError> {
    let permit = permit(&visitor, "role.granted", form.get("who")).await?;
    let given = match fields::typed(&form) {
        Ok(draft) => visitor.app.give_role(&visitor.op, &permit, &draft).await,
        Err(error) => Err(error),
    };
    match given {
        Ok(one) => {
            let said = format!("{} is {} from now on.", one.name, one.label());
            Ok(answer::see_other_saying(urls::ADMIN_ROLES, &said))
        }
        Err(error) if is_shown(&error) => wrong(&new_page(&visitor, &form, &fields::errors_of(&error)).await?, &error),
        Err(error) => Err(failed(error)),
    }
}

/// `GET /admin/roles/{role}`
pub async fn page(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    permit(&visitor, "role.changed", &id).await?;
    let one = found(&visitor, &id).await?;
    answer::page(&change_page(&visitor, &one, &Form::default(), &[]).await?)
}

/// `POST /admin/roles/{role}`
pub async fn change(visitor: Visitor, Path(id): Path<String>, form: Form) -> Result<Response, PageError> {
    let permit = permit(&visitor, "role.changed", &id).await?;
    let one = found(&visitor, &id).await?;
    let seen = match form.get("seen") {
        "" => None,
        "none" => Some(None),
        text => Some(text.parse().ok()),
    };
    let changed = match fields::typed_lifetime(&form) {
        Ok(lifetime) => visitor.app.change_role_end(&visitor.op, &permit, (one.id, seen), lifetime).await,
        Err(error) => Err(error),
    };
    match changed {
        Ok(one) => {
            let until = if one.expires_at.is_some() { "for so long" } else { "until it is taken away" };
            let said = format!("{} is {} {until}.", one.name, one.label());
            Ok(answer::see_other_saying(urls::ADMIN_ROLES, &said))
        }
        Err(error) if is_shown(&error) => {
            let page = change_page(&visitor, &one, &form, &fields::errors_of(&error)).await?;
            wrong(&page, &error)
        }
        Err(error) => Err(failed(error)),
    }
}

/// `POST /admin/roles/{role}/take`
pub async fn take(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    let permit = permit(&visitor, "role.withdrawn", &id).await?;
    let one = found(&visitor, &id).await?;
    match visitor.app.take_role(&visitor.op, &permit, one.id).await {
        Ok(gone) => {
            let said = format!("{} is not {} any more.", gone.name, gone.label());
            Ok(answer::see_other_saying(urls::ADMIN_ROLES, &said))
        }
        Err(error) if is_shown(&error) => {
            let page = change_page(&visitor, &one, &Form::default(), &fields::errors_of(&error)).await?;
            wrong(&page, &error)
        }
        Err(error) => Err(failed(error)),
    }
}

async fn found(visitor: &Visitor, id: &str) -> Result<Binding, PageError> {
    let id: RoleBindingId = id.parse().map_err(|_| PageError::not_found("role"))?;
    let permit = look(visitor)?;
    identity::get_binding(&mut *visitor.app.db.acquire().await?, &permit, id).await.map_err(failed)
}

async fn new_page(visitor: &Visitor, form: &Form, found: &[FieldError]) -> Result<RoleFormPage, PageError> {
    let mut connection = visitor.app.db.acquire().await?;
    let projects = projects::list(&mut connection, None).await?;
    let types = projects::all_environment_types(&mut connection).await?;
    drop(connection);
    let section = fields::new(form, (&projects, &types), found);
    Ok(RoleFormPage {
        shell: frame::shell(visitor, Section::Admin, "Give a role").await?,
        crumbs: vec![Crumb::to("Roles", urls::ADMIN_ROLES)],
        title: "Give a role".to_owned(),
        lede: "As little as is needed, for as long as it is needed.".to_owned(),
        action: urls::ADMIN_ROLE_NEW.to_owned(),
        seen: None,
        facts: Vec::new(),
        errors: summary(&section, found),
        section,
        submit: "Give the role",
        take_action: None,
    })
}

async fn change_page(
    visitor: &Visitor,
    one: &Binding,
    form: &Form,
    found: &[FieldError],
) -> Result<RoleFormPage, PageError> {
    let section = fields::change(form, found);
    let times = visitor.times();
    let mut facts = vec![
        Fact::new("Who", list::key(one)),
        Fact::new("Given by", list::by(one)),
        Fact::time("Since", times.at(one.created_at)),
    ];
    facts.push(match one.expires_at {
        Some(end) => Fact::time("Ends", times.at(end)),
        None => Fact::new("Ends", "when it is taken away"),
    });
    let elsewhere = one.source == Source::Oidc;
    Ok(RoleFormPage {
        shell: frame::shell(visitor, Section::Admin, "Role").await?,
        crumbs: vec![Crumb::to("Roles", urls::ADMIN_ROLES)],
        title: format!("{}: {}", one.name, one.label()),
        lede: if elsewhere { ELSEWHERE.to_owned() } else { String::new() },
        action: urls::admin_role(one.id),
        seen: (!elsewhere).then(|| one.expires_at.map_or_else(|| "none".to_owned(), |end| end.to_string())),
        facts,
        errors: summary(&section, found),
        section,
        submit: "Save",
        take_action: (!elsewhere).then(|| urls::admin_role_take(one.id)),
    })
}

pub(super) fn summary(section: &FormSection, found: &[FieldError]) -> Vec<FormError> {
    let alone = found.iter().filter(|error| error.pointer.is_empty());
    let alone = alone.map(|error| FormError { text: sentence(&error.detail), href: String::new() });
    alone.chain(FormError::collect(std::slice::from_ref(section))).collect()
}

pub(super) fn is_shown(error: &IdentityError) -> bool {
    matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Conflict | ErrorKind::Stale | ErrorKind::Denied)
}

fn wrong(page: &RoleFormPage, error: &IdentityError) -> Result<Response, PageError> {
    let status = StatusCode::from_u16(error.kind().status()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
    Ok((status, answer::page(page)?).into_response())
}

fn failed(error: IdentityError) -> PageError {
    PageError::from(error).link("Roles", urls::ADMIN_ROLES)
}
