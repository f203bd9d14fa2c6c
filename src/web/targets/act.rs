//! What the buttons and forms on a target's page do.

use axum::extract::Path;
use axum::response::Response;

use super::connect::is_shown;
use super::{failed, fields, found, manage, page, wrong};
use crate::app::SetBy;
use crate::base::FieldError;
use crate::base::id::ProjectEnvironmentTypeId;
use crate::policy::{Action, Permit, Resource, ability};
use crate::projects::{self, ConnectedTarget, Error};
use crate::providers::{Finding, Verdict};
use crate::web::answer::{self, Form};
use crate::web::error::PageError;
use crate::web::urls;
use crate::web::visitor::Visitor;
use crate::web::words::count;

/// The page again with what is wrong, or an error page.
async fn refused(
    visitor: &Visitor,
    target: &ConnectedTarget,
    form: &Form,
    error: Error,
) -> Result<Response, PageError> {
    if !is_shown(&error) {
        return Err(failed(error, urls::ADMIN_TARGETS));
    }
    let page = page::filled(visitor, target, form, &fields::errors_of(&error)).await?;
    wrong(&page, &error)
}

/// `POST /admin/targets/{target}/check`
pub async fn check(visitor: Visitor, Path(slug): Path<String>) -> Result<Response, PageError> {
    let permit = manage(&visitor, "target.checked", &slug).await?;
    let target = found(&visitor, &slug).await?;
    let to = urls::admin_target(&target.slug);
    let findings = visitor.app.check_target(&visitor.op, &permit, target.id).await;
    let findings = findings.map_err(|error| failed(error, urls::ADMIN_TARGETS))?;
    let bad = findings.iter().filter(|finding| finding.result == Verdict::Failed).count();
    Ok(match Finding::worst(&findings) {
        Verdict::Ok => answer::see_other_saying(&to, "The check passed."),
        Verdict::Warning => answer::see_other_saying(&to, "The check passed, with something to look at."),
        Verdict::Failed => answer::see_other_warning(
            &to,
            &format!("The check did not pass: {} wrong.", count(bad, "thing is", "things are")),
        ),
    })
}

/// `POST /admin/targets/{target}/rotate`
pub async fn rotate(visitor: Visitor, Path(slug): Path<String>, form: Form) -> Result<Response, PageError> {
    let permit = manage(&visitor, "target.rotated", &slug).await?;
    let target = found(&visitor, &slug).await?;
    let forms = visitor.app.target_forms();
    let Some((_, declared)) = forms.into_iter().find(|(name, _)| *name == target.provider) else {
        return Err(PageError::not_found("provider").link("Targets", urls::ADMIN_TARGETS));
    };
    let credential = fields::typed_credential(&form, declared);
    let by = if form.get("how") == "paddock" { SetBy::Paddock } else { SetBy::Somebody };
    match visitor.app.rotate_target(&visitor.op, &permit, target.id, &credential, by).await {
        Ok(_) => {
            let said = match by {
                SetBy::Paddock => "The target has a new credential, and so has Paddock.",
                SetBy::Somebody => "The target takes the new credential. Steps at work end with the old one.",
            };
            Ok(answer::see_other_saying(&urls::admin_target(&target.slug), said))
        }
        Err(error) => refused(&visitor, &target, &form, error).await,
    }
}

fn place_of(form: &Form) -> Result<ProjectEnvironmentTypeId, Error> {
    let wrong = |_| Error::Invalid(vec![FieldError::new("/place", "must be one of the list")]);
    form.get("place").parse().map_err(wrong)
}

/// `POST /admin/targets/{target}/bind`
pub async fn bind(visitor: Visitor, Path(slug): Path<String>, form: Form) -> Result<Response, PageError> {
    let permit = manage(&visitor, "target.bound", &slug).await?;
    let target = found(&visitor, &slug).await?;
    let bound = match place_of(&form) {
        Ok(place) => visitor.app.bind_target(&visitor.op, &permit, target.id, place).await,
        Err(error) => Err(error),
    };
    match bound {
        Ok(_) => {
            let said = "New environments there use this target from now on; those that are there stay where they are.";
            Ok(answer::see_other_saying(&urls::admin_target(&target.slug), said))
        }
        Err(error) => refused(&visitor, &target, &form, error).await,
    }
}

/// `POST /admin/targets/{target}/unbind`
pub async fn unbind(visitor: Visitor, Path(slug): Path<String>, form: Form) -> Result<Response, PageError> {
    let permit = manage(&visitor, "target.unbound", &slug).await?;
    let target = found(&visitor, &slug).await?;
    let unbound = match place_of(&form) {
        Ok(place) => visitor.app.unbind_target(&visitor.op, &permit, target.id, place).await,
        Err(error) => Err(error),
    };
    match unbound {
        Ok(_) => {
            let said = "New environments there do not use this target any more; those that are there stay.";
            Ok(answer::see_other_saying(&urls::admin_target(&target.slug), said))
        }
        Err(error) => refused(&visitor, &target, &form, error).await,
    }
}

/// `POST /admin/targets/{target}/limits`
pub async fn limit(visitor: Visitor, Path(slug): Path<String>, form: Form) -> Result<Response, PageError> {
    // Who runs the queue limits it; who connects targets sees the form.
    manage(&visitor, "target.limited", &slug).await?;
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    let permit: Permit<ability::ManageQueue> =
        app.policy.permit(&app.platform_question(op, access, Action::ManageQueue, Resource::platform()))?;
    let target = found(&visitor, &slug).await?;
    let typed = fields::typed_limits(&form).and_then(|(run_limit, labels)| {
        projects::check_limits(run_limit, &labels)?;
        Ok((run_limit, labels))
    });
    match typed {
        Ok((run_limit, labels)) => {
            app.limit_target(op, &permit, target.id, run_limit, &labels).await?;
            Ok(answer::see_other_saying(&urls::admin_target(&target.slug), "The limits are set."))
        }
        Err(error) => refused(&visitor, &target, &form, error).await,
    }
}

/// `POST /admin/targets/{target}/disconnect`
pub async fn disconnect(visitor: Visitor, Path(slug): Path<String>, form: Form) -> Result<Response, PageError> {
    let permit = manage(&visitor, "target.disconnected", &slug).await?;
    let target = found(&visitor, &slug).await?;
    let ended = if form.get("confirm").trim() == target.slug {
        visitor.app.disconnect_target(&visitor.op, &permit, target.id).await
    } else {
        let detail = format!("type {} to confirm", target.slug);
        Err(Error::Invalid(vec![FieldError::new("/confirm", detail)]))
    };
    match ended {
        Ok(()) => {
            let said = format!("{} is disconnected, and its credential is gone.", target.name);
            Ok(answer::see_other_saying(urls::ADMIN_TARGETS, &said))
        }
        Err(error) => refused(&visitor, &target, &form, error).await,
    }
}
