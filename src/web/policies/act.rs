//! What the buttons on a version's page do.

use axum::extract::Path;
use axum::response::Response;

use super::{failed, found, write};
use crate::app::policy_version_resource;
use crate::policy::versions::VersionError;
use crate::policy::{Action, Permit, ability};
use crate::web::answer::{self, Form};
use crate::web::error::PageError;
use crate::web::urls;
use crate::web::visitor::Visitor;

/// What somebody saw before they pressed the button.
fn generation(form: &Form) -> Option<i64> {
    form.get("generation").parse().ok()
}

fn said<T>(number: i32, done: Result<T, VersionError>, words: &str) -> Result<Response, PageError> {
    let to = urls::admin_policy(number);
    match done {
        Ok(_) => Ok(answer::see_other_saying(&to, words)),
        // The page says what is wrong with the text, with its places.
        Err(VersionError::Invalid(_)) => {
            Ok(answer::see_other_warning(&to, "The rules are not valid: see what is wrong."))
        }
        Err(error) => Err(failed(error, &to)),
    }
}

/// `POST /admin/policies/new`: a draft of the version `from`, or of the one in force.
pub async fn draft(visitor: Visitor, form: Form) -> Result<Response, PageError> {
    let permit = write(&visitor, "policy_version.drafted", "new").await?;
    let from = form.get("from").parse().ok();
    let version = visitor.app.draft_policies(&visitor.op, &permit, from, None).await;
    let version = version.map_err(|error| failed(error, urls::ADMIN_POLICIES))?;
    Ok(answer::see_other(&urls::admin_policy_verb(version.number, "edit")))
}

/// `POST /admin/policies/{number}/propose`
pub async fn propose(visitor: Visitor, Path(number): Path<i32>, form: Form) -> Result<Response, PageError> {
    let permit = write(&visitor, "policy_version.proposed", number).await?;
    let done = visitor.app.propose_policies(&visitor.op, &permit, number, generation(&form)).await;
    said(number, done, "It is proposed. Another admin publishes it.")
}

/// `POST /admin/policies/{number}/take-back`
pub async fn take_back(visitor: Visitor, Path(number): Path<i32>, form: Form) -> Result<Response, PageError> {
    let permit = write(&visitor, "policy_version.taken_back", number).await?;
    let done = visitor.app.take_back_policies(&visitor.op, &permit, number, generation(&form)).await;
    said(number, done, "It is a draft again.")
}

/// `POST /admin/policies/{number}/discard`
pub async fn discard(visitor: Visitor, Path(number): Path<i32>, form: Form) -> Result<Response, PageError> {
    let permit = write(&visitor, "policy_version.discarded", number).await?;
    let done = visitor.app.discard_policies(&visitor.op, &permit, number, generation(&form)).await;
    said(number, done, "It is discarded.")
}

/// `POST /admin/policies/{number}/publish`
pub async fn publish(visitor: Visitor, Path(number): Path<i32>, form: Form) -> Result<Response, PageError> {
    let version = found(&visitor, number).await?;
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    let question = app.platform_question(op, access, Action::PublishPolicies, policy_version_resource(&version));
    let permit: Permit<ability::PublishPolicies> = match app.policy.permit(&question) {
        Ok(permit) => permit,
        Err(refused) => {
            app.record_refused_policies(op, "policy_version.published", &format!("version {number}")).await?;
            return Err(PageError::from(refused).link("The version", urls::admin_policy(number)));
        }
    };
    let seen = (generation(&form), form.get("in_force").parse().ok());
    let done = app.publish_policies(op, &permit, number, seen).await;
    said(number, done, "It is in force, in every process. What waits for approval asks again.")
}
