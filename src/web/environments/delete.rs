//! `/environments/{environment}/delete`: says what is lost and on which terms, then asks.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::view::DeletePage;
use super::{id_of, is_production, readable};
use crate::base::{ErrorKind, Kinded as _};
use crate::environments::{self, Environment};
use crate::policy::Outcome;
use crate::providers::Resource;
use crate::requests::{Caller, Draft, Intent};
use crate::web::answer::{self, Form};
use crate::web::error::{PageError, sentence};
use crate::web::requests::form::{key_of, sent};
use crate::web::shell::Section;
use crate::web::ui::{Crumb, FormError};
use crate::web::visitor::Visitor;
use crate::web::words::listed;
use crate::web::{frame, urls};

/// The page.
pub async fn show(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    let environment = readable(&visitor, &mut *visitor.app.db.acquire().await?, id_of(&id)?).await?;
    answer::page(&page(&visitor, &environment, &Form::default(), Vec::new()).await?)
}

/// The post: a request like any other, so policy and approvals hold.
pub async fn post(visitor: Visitor, Path(id): Path<String>, form: Form) -> Result<Response, PageError> {
    let environment = readable(&visitor, &mut *visitor.app.db.acquire().await?, id_of(&id)?).await?;
    if is_production(&environment.place.slug) && form.get("name").trim() != environment.name {
        let text = format!("Type the name {} to confirm: this is not undone", environment.name);
        let errors = vec![FormError { text, href: "#f-name".to_owned() }];
        let page = page(&visitor, &environment, &form, errors).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, answer::page(&page)?).into_response());
    }
    let draft = draft(&environment, form.get("reason"));
    let caller = Caller::Person(&visitor.access);
    match visitor.app.requests.submit(&visitor.op, caller, &draft, Some(form.get("_key"))).await {
        Ok(submitted) => sent(&visitor, submitted.id).await,
        Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Invalid) => {
            let errors = vec![FormError { text: sentence(&error.to_string()), href: String::new() }];
            let status = StatusCode::from_u16(error.kind().status()).unwrap_or(StatusCode::CONFLICT);
            let page = page(&visitor, &environment, &Form::default(), errors).await?;
            Ok((status, answer::page(&page)?).into_response())
        }
        Err(error) => Err(PageError::from(error).link(&environment.name, urls::environment(environment.id))),
    }
}

fn draft(environment: &Environment, reason: &str) -> Draft {
    Draft { intent: Intent::Delete { environment: environment.id }, reason: reason.trim().to_owned(), exception: false }
}

async fn page(
    visitor: &Visitor,
    environment: &Environment,
    form: &Form,
    errors: Vec<FormError>,
) -> Result<DeletePage, PageError> {
    let name = &environment.name;
    let caller = Caller::Person(&visitor.access);
    let verdict = visitor.app.requests.verdict(&visitor.op, caller, &draft(environment, "")).await?;
    let decision = &verdict.decision;
    let denied = decision.outcome == Outcome::Denied;
    let terms = match decision.outcome {
        Outcome::Allowed => None,
        Outcome::Denied => Some(sentence(&decision.sentence)),
        Outcome::NeedsApproval => {
            let who: Vec<&str> = decision.requirements.iter().map(|one| one.who.as_str()).collect();
            Some(sentence(&format!("{} must agree before it is deleted", listed(&who, "and"))))
        }
    };
    Ok(DeletePage {
        shell: frame::shell(visitor, Section::Environments, &format!("Delete {name}")).await?,
        crumbs: vec![Crumb::to("Environments", urls::ENVIRONMENTS), Crumb::to(name, urls::environment(environment.id))],
        name: name.clone(),
        action: urls::environment_delete(environment.id),
        back_href: urls::environment(environment.id),
        submission_key: key_of(visitor, form),
        errors,
        typed: is_production(&environment.place.slug),
        typed_name: form.get("name").to_owned(),
        lost: lost(visitor, environment).await?,
        terms,
        button: if decision.outcome == Outcome::NeedsApproval { "Ask to delete" } else { "Delete" }.to_owned(),
        denied,
    })
}

/// What goes, one line each.
async fn lost(visitor: &Visitor, environment: &Environment) -> Result<Vec<String>, PageError> {
    let mut connection = visitor.app.db.acquire().await?;
    let resources = environments::resources(&mut connection, environment.id).await?;
    let mut lost: Vec<String> =
        resources.iter().map(|one| format!("{}, with all that is in it", called(one))).collect();
    if lost.is_empty() {
        lost.push("Whatever its runs have made at the provider".to_owned());
    }
    lost.push("Its outputs: what uses them stops working".to_owned());
    Ok(lost)
}

/// "database `payments_ledger_db`", or the address alone.
fn called(resource: &Resource) -> String {
    match &resource.provider_id {
        Some(id) if *id != resource.address => format!("{} {id}", resource.address),
        _ => resource.address.clone(),
    }
}
