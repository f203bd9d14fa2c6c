//! `POST /environments/{environment}/power/{operation}`: one click starts, stops, hibernates or
//! restarts; and `GET …/connect`, the way in.

use axum::extract::Path;
use axum::http::HeaderMap;
use axum::response::Response;

use super::{id_of, readable};
use crate::catalog;
use crate::environments::{self, Environment, Operation, State};
use crate::policy::ability;
use crate::requests::{Caller, Draft, Intent};
use crate::web::answer::{self, Form};
use crate::web::error::PageError;
use crate::web::requests::form::sent;
use crate::web::urls;
use crate::web::visitor::Visitor;

/// A request like any other, so policy and approvals hold.
pub async fn post(
    visitor: Visitor,
    Path((id, operation)): Path<(String, String)>,
    form: Form,
) -> Result<Response, PageError> {
    let environment = readable(&visitor, &mut *visitor.app.db.acquire().await?, id_of(&id)?).await?;
    let power = Operation::POWER.into_iter().find(|power| power.as_str() == operation);
    let power = power.ok_or_else(|| PageError::not_found("operation"))?;
    let intent = Intent::Power { environment: environment.id, power };
    let draft = Draft { intent, reason: form.get("reason").trim().to_owned(), exception: false };
    let caller = Caller::Person(&visitor.access);
    match visitor.app.requests.submit(&visitor.op, caller, &draft, Some(form.get("_key"))).await {
        Ok(submitted) => sent(&visitor, submitted.id).await,
        Err(error) => Err(PageError::from(error).link(&environment.name, urls::environment(environment.id))),
    }
}

/// Leads to the address that the template's `connect` names. An address that is a secret is revealed
/// by that, which is recorded; so nobody else's page may lead here.
pub async fn connect(visitor: Visitor, Path(id): Path<String>, headers: HeaderMap) -> Result<Response, PageError> {
    let mut connection = visitor.app.db.acquire().await?;
    let environment = readable(&visitor, &mut connection, id_of(&id)?).await?;
    let back = urls::environment(environment.id);
    let from = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
    if !matches!(from, None | Some("same-origin" | "none")) {
        return Ok(answer::see_other(&back));
    }
    let version = catalog::get_version(&mut connection, environment.template.version_id).await?;
    let Some(connect) = catalog::connect_of(&version.manifest) else {
        return Err(PageError::not_found("way in").link(&environment.name, back));
    };
    if environment.state != State::Ready {
        let words = format!("{} is {}: there is nothing to connect to.", environment.name, environment.state.words());
        return Err(PageError::conflict(words).link(&environment.name, back));
    }
    drop(connection);
    let address =
        address(&visitor, &environment, connect.output).await.map_err(|error| error.link(&environment.name, &back))?;
    Ok(answer::see_other(&address))
}

async fn address(visitor: &Visitor, environment: &Environment, output: String) -> Result<String, PageError> {
    let mut tx = visitor.app.db.begin().await?;
    let known = environments::list_outputs(&mut tx, environment.id).await?;
    let secret = known.iter().any(|one| one.name == output && one.sensitive);
    let outputs = if secret {
        let permit = visitor.app.permit_on::<ability::RevealOutput>(&visitor.op, &visitor.access, environment);
        let permit = match permit {
            Ok(permit) => permit,
            Err(denied) => {
                drop(tx);
                visitor.app.record_refused_reveal(&visitor.op, environment, &[output]).await?;
                return Err(PageError::from(denied));
            }
        };
        let names = [output.clone()];
        environments::reveal(&mut tx, &visitor.op, &visitor.app.sealer, &permit, environment, &names).await?
    } else {
        known
    };
    tx.commit().await?;
    let value = outputs.into_iter().find(|one| one.name == output).and_then(|one| one.value);
    let text = value.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url.into()),
        _ => Err(PageError::invalid(format!("Its output {output} does not hold an address that a browser can open."))),
    }
}
