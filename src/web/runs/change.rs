//! Cancel and retry: posts without fields.

use axum::extract::Path;
use axum::response::Response;

use super::readable;
use crate::policy::ability;
use crate::web::answer;
use crate::web::error::PageError;
use crate::web::urls;
use crate::web::visitor::Visitor;

/// `POST /runs/{run}/cancel`: at once when it waits, else as soon as its worker has stopped.
pub async fn cancel(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    let (run, environment) = readable(&visitor, &mut *visitor.app.db.acquire().await?, &id).await?;
    let back = urls::run(run.id);
    let permit = visitor.app.permit_on::<ability::CancelRun>(&visitor.op, &visitor.access, &environment);
    let permit = permit.map_err(|denied| PageError::from(denied).link(&run.label, &back))?;
    let canceled = visitor.app.cancel_run(&visitor.op, &permit, run.id).await;
    canceled.map_err(|error| PageError::from(error).link(&run.label, &back))?;
    Ok(answer::see_other_saying(&back, "It will stop as soon as it can."))
}

/// `POST /runs/{run}/retry`: a new run for the same request.
pub async fn retry(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    let (run, environment) = readable(&visitor, &mut *visitor.app.db.acquire().await?, &id).await?;
    let back = urls::run(run.id);
    let permit = visitor.app.permit_on::<ability::RetryRun>(&visitor.op, &visitor.access, &environment);
    let permit = permit.map_err(|denied| PageError::from(denied).link(&run.label, &back))?;
    let request =
        run.request.ok_or_else(|| PageError::invalid("Nobody asked for this run, so there is nothing to retry."))?;
    let retried = visitor.app.requests.retry(&visitor.op, &permit, request).await;
    let new = retried.map_err(|error| PageError::from(error).link(&run.label, &back))?;
    Ok(answer::see_other_saying(&urls::run(new), "It is tried again with a new run."))
}
