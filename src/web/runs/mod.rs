//! Runs: steps, log, and what arrives live.

pub mod ansi;
mod change;
mod events;
mod find;
mod log;
mod outline;
mod page;
pub mod view;
mod window;

use crate::base::id::{EnvironmentId, RunId};
use crate::db::Connection;
use crate::environments::Environment;
use crate::orchestrator::{self, Run};
use crate::web::environments;
use crate::web::error::PageError;
use crate::web::visitor::Visitor;

pub use change::{cancel, retry};
pub use events::follow;
pub use log::text;
pub use page::page;

/// The run and its environment, for those who may read the environment.
async fn readable(visitor: &Visitor, connection: &mut Connection, id: &str) -> Result<(Run, Environment), PageError> {
    let id: RunId = id.parse().map_err(|_| PageError::not_found("run"))?;
    let run = orchestrator::find(connection, id).await?.ok_or(orchestrator::Error::NotFound)?;
    let environment = environments::readable(visitor, connection, EnvironmentId(run.subject)).await?;
    Ok((run, environment))
}
