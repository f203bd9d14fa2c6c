//! Drift on the page of an environment: what differs, and what can be done about it.

use axum::extract::Path;
use axum::response::Response;

use super::view::{DifferenceRow, DriftCard};
use super::{actions, id_of, readable};
use crate::db::Connection;
use crate::environments::drift::{self, Accepted, DriftReport, DriftResult};
use crate::environments::{Environment, State};
use crate::policy::ability;
use crate::providers::Difference;
use crate::requests::{Caller, Draft, Intent};
use crate::web::answer::{self, Form};
use crate::web::error::{PageError, sentence};
use crate::web::requests::form::{new_key, sent};
use crate::web::urls;
use crate::web::visitor::Visitor;
use crate::web::words::Times;

/// `POST …/drift/check`
pub async fn check(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    let environment = readable(&visitor, &mut *visitor.app.db.acquire().await?, id_of(&id)?).await?;
    let back = urls::environment(environment.id);
    let permit = visitor.app.permit_on::<ability::CheckDrift>(&visitor.op, &visitor.access, &environment);
    let permit = permit.map_err(|denied| PageError::from(denied).link(&environment.name, &back))?;
    let asked = visitor.app.check_drift(&visitor.op, &permit).await;
    asked.map_err(|error| PageError::from(error).link(&environment.name, &back))?;
    Ok(answer::see_other_saying(&back, "It is compared with what its last run left. Nothing is changed."))
}

/// `POST …/drift/accept`, with `reason` and `seen`.
pub async fn accept(visitor: Visitor, Path(id): Path<String>, form: Form) -> Result<Response, PageError> {
    let environment = readable(&visitor, &mut *visitor.app.db.acquire().await?, id_of(&id)?).await?;
    let back = urls::environment(environment.id);
    let permit = visitor.app.permit_on::<ability::AcceptDrift>(&visitor.op, &visitor.access, &environment);
    let permit = permit.map_err(|denied| PageError::from(denied).link(&environment.name, &back))?;
    let accepted = visitor.app.accept_drift(&visitor.op, &permit, form.get("seen"), form.get("reason")).await;
    accepted.map_err(|error| PageError::from(error).link(&environment.name, &back))?;
    Ok(answer::see_other_saying(&back, "Accepted. It is told again once it changes."))
}

/// `POST …/drift/reapply`: an update without changes, a request like any other.
pub async fn reapply(visitor: Visitor, Path(id): Path<String>, form: Form) -> Result<Response, PageError> {
    let environment = readable(&visitor, &mut *visitor.app.db.acquire().await?, id_of(&id)?).await?;
    let intent = Intent::Update {
        environment: environment.id,
        generation: Some(environment.generation),
        version: None,
        inputs: serde_json::Map::new(),
    };
    let draft = Draft { intent, reason: "Apply the same inputs again: it has drifted.".to_owned(), exception: false };
    let caller = Caller::Person(&visitor.access);
    match visitor.app.requests.submit(&visitor.op, caller, &draft, Some(form.get("_key"))).await {
        Ok(submitted) => sent(&visitor, submitted.id).await,
        Err(error) => Err(PageError::from(error).link(&environment.name, urls::environment(environment.id))),
    }
}

/// The card; none while it was never ready, and once it is on its way out.
pub(super) async fn card(
    visitor: &Visitor,
    connection: &mut Connection,
    environment: &Environment,
    times: &Times,
) -> Result<Option<DriftCard>, PageError> {
    if environment.ready_at.is_none() || matches!(environment.state, State::Deleting | State::Deleted) {
        return Ok(None);
    }
    let report = drift::find(connection, environment.id).await?;
    let drifted = report.since.is_some();
    let may_accept = drifted && actions::denied::<ability::AcceptDrift>(visitor, environment).is_none();
    let may_reapply = drifted
        && environment.state == State::Ready
        && actions::denied::<ability::UpdateEnvironment>(visitor, environment).is_none();
    let checked = report.checked.as_ref();
    Ok(Some(DriftCard {
        headline: headline(&report, times),
        drifted,
        trouble: checked.and_then(|last| {
            let reason = last.reason.as_deref()?;
            let lead = if last.result == DriftResult::Failed { "The last check failed: " } else { "" };
            Some(sentence(&format!("{lead}{reason}")))
        }),
        checked: checked.map(|last| (times.near(last.at), last.run.map(urls::run))),
        next: report.due_at.map(|at| times.near(at)),
        seen: report.digest().to_string(),
        differences: report.differences.iter().map(|one| row(one, None)).collect(),
        accepted: report.accepted.iter().map(|one| row(&one.difference, Some(said(one, times)))).collect(),
        accept_action: may_accept.then(|| urls::drift_accept(environment.id)),
        reapply_action: may_reapply.then(|| urls::reapply(environment.id)),
        submission_key: new_key(visitor),
    }))
}

fn headline(report: &DriftReport, times: &Times) -> String {
    let looked = report.checked.as_ref().is_some_and(|last| last.result == DriftResult::Looked);
    match report.since {
        Some(since) => {
            format!("It is not as its last run left it. Found first {}.", times.at(since).shown)
        }
        None if looked && report.accepted.is_empty() => "It is as its last run left it.".to_owned(),
        None if looked => "Nothing differs from what its last run left but what was accepted.".to_owned(),
        None if report.checked.is_some() => "Whether it is as its last run left it is not known.".to_owned(),
        None => "It was not compared with what its last run left yet.".to_owned(),
    }
}

fn row(difference: &Difference, accepted: Option<String>) -> DifferenceRow {
    DifferenceRow {
        address: difference.address.clone(),
        kind: difference.kind.as_str(),
        words: difference.summary.clone(),
        accepted,
    }
}

fn said(accepted: &Accepted, times: &Times) -> String {
    format!("{}, {}: {}", accepted.by, times.near(accepted.at).shown, accepted.reason)
}
