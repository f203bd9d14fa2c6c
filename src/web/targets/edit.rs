//! `/admin/targets/{target}/edit`: name and settings, and the credential where they say where it goes.

use axum::extract::Path;
use axum::response::Response;

use super::connect::{is_shown, summary};
use super::view::TargetFormPage;
use super::{failed, fields, found, manage, wrong};
use crate::base::FieldError;
use crate::catalog::form::Field;
use crate::projects::{ConnectedTarget, TargetChange};
use crate::providers::{TargetForm, Verdict};
use crate::web::answer::{self, Form};
use crate::web::error::PageError;
use crate::web::shell::Section;
use crate::web::ui::{Crumb, FormSection};
use crate::web::visitor::Visitor;
use crate::web::{frame, urls};

/// `GET /admin/targets/{target}/edit`
pub async fn show(visitor: Visitor, Path(slug): Path<String>) -> Result<Response, PageError> {
    manage(&visitor, "target.updated", &slug).await?;
    let target = found(&visitor, &slug).await?;
    answer::page(&page(&visitor, &target, &Form::default(), &[]).await?)
}

/// `POST /admin/targets/{target}/edit`
pub async fn post(visitor: Visitor, Path(slug): Path<String>, form: Form) -> Result<Response, PageError> {
    let permit = manage(&visitor, "target.updated", &slug).await?;
    let target = found(&visitor, &slug).await?;
    let declared = declared(&visitor, &target)?;
    let change = TargetChange {
        name: Some(form.get("name").to_owned()),
        settings: fields::typed_settings(&form, declared),
        credential: fields::typed_credential(&form, declared),
    };
    let generation = form.get("generation").parse().ok();
    let to = urls::admin_target(&target.slug);
    match visitor.app.change_target(&visitor.op, &permit, target.id, generation, &change).await {
        Ok(target) => Ok(match target.check.map(|check| check.result) {
            Some(Verdict::Failed) | None => {
                answer::see_other_warning(&to, "It is changed, and its check did not pass: see what to do.")
            }
            Some(_) => answer::see_other_saying(&to, "It is changed and checked."),
        }),
        Err(error) if is_shown(&error) => {
            let page = page(&visitor, &target, &form, &fields::errors_of(&error)).await?;
            wrong(&page, &error)
        }
        Err(error) => Err(failed(error, &to)),
    }
}

fn declared(visitor: &Visitor, target: &ConnectedTarget) -> Result<&'static TargetForm, PageError> {
    let forms = visitor.app.target_forms();
    let found = forms.into_iter().find(|(name, _)| *name == target.provider).map(|(_, form)| form);
    found.ok_or_else(|| PageError::not_found("provider").link("Targets", urls::ADMIN_TARGETS))
}

async fn page(
    visitor: &Visitor,
    target: &ConnectedTarget,
    form: &Form,
    found: &[FieldError],
) -> Result<TargetFormPage, PageError> {
    let declared = declared(visitor, target)?;
    let mut typed = form.clone();
    if !typed.has("name") {
        typed.0.push(("name".to_owned(), target.name.clone()));
    }
    let about = fields::about(&typed, found);
    let named: Vec<Field> = about.fields.into_iter().filter(|field| field.name == "name").collect();
    let mut sections =
        vec![FormSection { fields: named, ..about }, fields::settings(declared, &target.settings, form, found)];
    if declared.secrets().next().is_some() {
        let moving: Vec<&str> = declared.settings().filter(|field| field.binds).map(|field| field.label).collect();
        let help = if moving.is_empty() {
            "Leave it empty, and it stays.".to_owned()
        } else {
            let moving = crate::web::words::listed(&moving, "or");
            format!("Leave it empty, and it stays. It is needed anew when you change {moving}.")
        };
        sections.push(fields::credential(declared, false, &help, found));
    }
    Ok(TargetFormPage {
        shell: frame::shell(visitor, Section::Admin, "Change a target").await?,
        crumbs: vec![
            Crumb::to("Targets", urls::ADMIN_TARGETS),
            Crumb::to(target.name.clone(), urls::admin_target(&target.slug)),
        ],
        title: format!("Change {}", target.name),
        lede: "Environments that are there are reached by the new settings from their next step on.".to_owned(),
        action: urls::admin_target_verb(&target.slug, "edit"),
        // As it is now: who sends the form again after a refusal has seen that somebody was faster.
        hidden: vec![("generation", target.generation.to_string())],
        errors: summary(&sections, found),
        sections,
        submit: "Save and check it",
        cancel_href: urls::admin_target(&target.slug),
    })
}
