//! `/admin/targets/new`: pick a provider, fill in what it asks for, connect.

use axum::response::Response;

use super::view::{PickPage, TargetFormPage};
use super::{fields, manage, wrong};
use crate::base::{ErrorKind, FieldError, Kinded as _};
use crate::projects::{Error, NewTarget};
use crate::providers::{TargetForm, Verdict};
use crate::web::answer::{self, Form, Query};
use crate::web::error::PageError;
use crate::web::shell::Section;
use crate::web::ui::{Crumb, FormError, LinkRow};
use crate::web::visitor::Visitor;
use crate::web::{frame, urls};

/// `GET /admin/targets/new`
pub async fn show(visitor: Visitor, query: Query) -> Result<Response, PageError> {
    manage(&visitor, "target.connected", "new").await?;
    match declared(&visitor, query.get("provider")) {
        Some((provider, declared)) => answer::page(&page(&visitor, provider, declared, &Form::default(), &[]).await?),
        None => pick(&visitor).await,
    }
}

fn declared(visitor: &Visitor, provider: &str) -> Option<(&'static str, &'static TargetForm)> {
    visitor.app.target_forms().into_iter().find(|(name, _)| *name == provider)
}

async fn pick(visitor: &Visitor) -> Result<Response, PageError> {
    let row = |(name, form): (&'static str, &'static TargetForm)| LinkRow {
        title: name.to_owned(),
        href: urls::admin_target_new(name),
        sub: form.about.to_owned(),
        pill: None,
        when: None,
        soon: false,
    };
    let page = PickPage {
        shell: frame::shell(visitor, Section::Admin, "Connect a target").await?,
        crumbs: vec![Crumb::to("Targets", urls::ADMIN_TARGETS)],
        lede: "Which provider is it for? Templates say which provider they need.".to_owned(),
        providers: visitor.app.target_forms().into_iter().map(row).collect(),
    };
    answer::page(&page)
}

/// `POST /admin/targets/new`
pub async fn post(visitor: Visitor, form: Form) -> Result<Response, PageError> {
    let slug = form.get("slug").trim();
    let permit = manage(&visitor, "target.connected", slug).await?;
    let Some((provider, declared)) = declared(&visitor, form.get("provider")) else {
        return Err(PageError::not_found("provider").link("Targets", urls::ADMIN_TARGETS));
    };
    let connected = match fields::typed_limits(&form) {
        Ok((run_limit, labels)) => {
            let new = NewTarget {
                slug: slug.to_owned(),
                name: form.get("name").to_owned(),
                provider: provider.to_owned(),
                settings: fields::typed_settings(&form, declared),
                credential: fields::typed_credential(&form, declared),
                run_limit,
                labels,
            };
            visitor.app.connect_target(&visitor.op, &permit, &new, None).await
        }
        Err(error) => Err(error),
    };
    match connected {
        Ok(target) => {
            let to = urls::admin_target(&target.slug);
            Ok(match target.check.map(|check| check.result) {
                Some(Verdict::Failed) | None => {
                    answer::see_other_warning(&to, "It is connected, and its check did not pass: see what to do.")
                }
                Some(_) => answer::see_other_saying(&to, "It is connected. Say below where it is used."),
            })
        }
        Err(error) if error.kind() == ErrorKind::Internal => Err(super::failed(error, urls::ADMIN_TARGETS)),
        Err(error) => {
            let page = page(&visitor, provider, declared, &form, &fields::errors_of(&error)).await?;
            wrong(&page, &error)
        }
    }
}

async fn page(
    visitor: &Visitor,
    provider: &'static str,
    declared: &'static TargetForm,
    form: &Form,
    found: &[FieldError],
) -> Result<TargetFormPage, PageError> {
    let mut sections =
        vec![fields::about(form, found), fields::settings(declared, &serde_json::Value::Null, form, found)];
    if declared.secrets().next().is_some() {
        let help = "Encrypted with a key that is not in the database, for this target alone, and never shown again.";
        sections.push(fields::credential(declared, true, help, found));
    }
    sections.push(fields::limits(None, form, found));
    Ok(TargetFormPage {
        shell: frame::shell(visitor, Section::Admin, "Connect a target").await?,
        crumbs: vec![Crumb::to("Targets", urls::ADMIN_TARGETS), Crumb::to("Connect a target", urls::ADMIN_TARGET_NEW)],
        title: format!("Connect a target for {provider}"),
        lede: declared.about.to_owned(),
        action: urls::ADMIN_TARGET_NEW.to_owned(),
        hidden: vec![("provider", provider.to_owned())],
        errors: summary(&sections, found),
        sections,
        submit: "Connect and check it",
        cancel_href: urls::ADMIN_TARGETS.to_owned(),
    })
}

/// The summary on top: what is wrong with fields, and what is about none.
pub(super) fn summary(sections: &[crate::web::ui::FormSection], found: &[FieldError]) -> Vec<FormError> {
    let alone = found.iter().filter(|error| error.pointer.is_empty());
    let alone = alone.map(|error| FormError { text: crate::web::error::sentence(&error.detail), href: String::new() });
    alone.chain(FormError::collect(sections)).collect()
}

/// What stands where nothing is wrong: an error of the kind that a form can show.
pub(super) fn is_shown(error: &Error) -> bool {
    !matches!(error.kind(), ErrorKind::Internal | ErrorKind::NotFound)
}
