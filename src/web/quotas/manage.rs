//! `/admin/quotas/new` and `/admin/quotas/{quota}`: adding, changing and removing a quota.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::view::QuotaFormPage;
use super::{fields, list, look, permit};
use crate::base::id::QuotaId;
use crate::base::{ErrorKind, FieldError, Kinded as _};
use crate::projects::{self, Error, ListedQuota};
use crate::web::answer::{self, Form, Query};
use crate::web::error::{PageError, sentence};
use crate::web::shell::Section;
use crate::web::ui::{Crumb, FormError, FormSection};
use crate::web::visitor::Visitor;
use crate::web::{frame, urls};

/// `GET /admin/quotas/new`
pub async fn add_page(visitor: Visitor, query: Query) -> Result<Response, PageError> {
    permit(&visitor, "quota.added", "new").await?;
    answer::page(&new_page(&visitor, &query.0, &[]).await?)
}

/// `POST /admin/quotas/new`
pub async fn add(visitor: Visitor, form: Form) -> Result<Response, PageError> {
    let permit = permit(&visitor, "quota.added", form.get("dimension")).await?;
    let added = match fields::typed(&form) {
        Ok(new) => visitor.app.add_quota(&visitor.op, &permit, &new).await,
        Err(error) => Err(error),
    };
    match added {
        Ok(one) => {
            Ok(answer::see_other_saying(urls::ADMIN_QUOTAS, &format!("There is a quota of {} now.", one.label())))
        }
        Err(error) if is_shown(&error) => {
            let page = new_page(&visitor, &form, &fields::errors_of(&error)).await?;
            wrong(&page, &error)
        }
        Err(error) => Err(failed(error)),
    }
}

/// `GET /admin/quotas/{quota}`
pub async fn page(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    permit(&visitor, "quota.changed", &id).await?;
    let one = found(&visitor, &id).await?;
    answer::page(&change_page(&visitor, &one, &Form::default(), &[]).await?)
}

/// `POST /admin/quotas/{quota}`
pub async fn change(visitor: Visitor, Path(id): Path<String>, form: Form) -> Result<Response, PageError> {
    let permit = permit(&visitor, "quota.changed", &id).await?;
    let one = found(&visitor, &id).await?;
    let generation = form.get("generation").parse().ok();
    let changed = match fields::typed_terms(&form) {
        Ok(terms) => visitor.app.change_quota(&visitor.op, &permit, (one.quota.id, generation), terms).await,
        Err(error) => Err(error),
    };
    match changed {
        Ok(one) => Ok(answer::see_other_saying(
            urls::ADMIN_QUOTAS,
            &format!("The quota of {} is {} from now on.", one.label(), one.quota.maximum),
        )),
        Err(error) if is_shown(&error) => {
            let page = change_page(&visitor, &one, &form, &fields::errors_of(&error)).await?;
            wrong(&page, &error)
        }
        Err(error) => Err(failed(error)),
    }
}

/// `POST /admin/quotas/{quota}/remove`
pub async fn remove(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    let permit = permit(&visitor, "quota.removed", &id).await?;
    let one = found(&visitor, &id).await?;
    let gone = visitor.app.remove_quota(&visitor.op, &permit, one.quota.id).await.map_err(failed)?;
    Ok(answer::see_other_saying(urls::ADMIN_QUOTAS, &format!("There is no quota of {} any more.", gone.label())))
}

async fn found(visitor: &Visitor, id: &str) -> Result<ListedQuota, PageError> {
    let id: QuotaId = id.parse().map_err(|_| failed(Error::NoQuota))?;
    let permit = look(visitor)?;
    projects::quota(&mut *visitor.app.db.acquire().await?, &permit, id).await.map_err(failed)
}

async fn new_page(visitor: &Visitor, form: &Form, found: &[FieldError]) -> Result<QuotaFormPage, PageError> {
    let section = fields::new(form, found);
    Ok(QuotaFormPage {
        shell: frame::shell(visitor, Section::Admin, "Add a quota").await?,
        crumbs: vec![Crumb::to("Quotas", urls::ADMIN_QUOTAS)],
        title: "Add a quota".to_owned(),
        lede: "A request must fit into every quota that it counts in.".to_owned(),
        action: urls::ADMIN_QUOTA_NEW.to_owned(),
        generation: None,
        bar: None,
        errors: summary(&section, found),
        section,
        submit: "Add the quota",
        cancel_href: urls::ADMIN_QUOTAS,
        remove_action: None,
    })
}

async fn change_page(
    visitor: &Visitor,
    one: &ListedQuota,
    form: &Form,
    found: &[FieldError],
) -> Result<QuotaFormPage, PageError> {
    let section = fields::change(one, form, found);
    let title = sentence(&one.label()).trim_end_matches('.').to_owned();
    Ok(QuotaFormPage {
        shell: frame::shell(visitor, Section::Admin, "Quota").await?,
        crumbs: vec![Crumb::to("Quotas", urls::ADMIN_QUOTAS)],
        title,
        lede: "A lower limit touches nothing that is there.".to_owned(),
        action: urls::admin_quota(one.quota.id),
        // As it is now: who sends the form again after a refusal has seen that somebody was faster.
        generation: Some(one.generation),
        bar: Some(list::bar(one)),
        errors: summary(&section, found),
        section,
        submit: "Save",
        cancel_href: urls::ADMIN_QUOTAS,
        remove_action: Some(urls::admin_quota_remove(one.quota.id)),
    })
}

fn summary(section: &FormSection, found: &[FieldError]) -> Vec<FormError> {
    let alone = found.iter().filter(|error| error.pointer.is_empty());
    let alone = alone.map(|error| FormError { text: sentence(&error.detail), href: String::new() });
    alone.chain(FormError::collect(std::slice::from_ref(section))).collect()
}

fn is_shown(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Conflict | ErrorKind::Stale)
}

fn wrong(page: &QuotaFormPage, error: &Error) -> Result<Response, PageError> {
    let status =
        if error.kind() == ErrorKind::Invalid { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::CONFLICT };
    Ok((status, answer::page(page)?).into_response())
}

fn failed(error: Error) -> PageError {
    let error = match error {
        Error::NoQuota => PageError::not_found("quota"),
        other => PageError::from(other),
    };
    error.link("Quotas", urls::ADMIN_QUOTAS)
}
