//! Environments: the list, one environment, its secrets, and its end.

mod actions;
mod delete;
mod detail;
pub mod drift;
mod facts;
pub mod handover;
mod list;
mod power;
mod row;
mod schedule;
mod versions;
pub mod view;

use crate::base::id::EnvironmentId;
use crate::db::Connection;
use crate::environments::{self, Environment};
use crate::policy::ability;
use crate::web::error::PageError;
use crate::web::visitor::Visitor;

pub use delete::{post as delete_post, show as delete_page};
pub use detail::{page, reveal};
pub use list::{csv, page as list_page};
pub use power::{connect, post as power};
pub use schedule::{delay as schedule_delay, post as schedule_post, show as schedule_page, skip as schedule_skip};

/// The environment, for those who may read it.
pub async fn readable(
    visitor: &Visitor,
    connection: &mut Connection,
    id: EnvironmentId,
) -> Result<Environment, PageError> {
    let environment = environments::find(connection, id).await?.ok_or(environments::Error::NotFound)?;
    visitor.app.permit_on::<ability::ReadEnvironment>(&visitor.op, &visitor.access, &environment)?;
    Ok(environment)
}

fn id_of(text: &str) -> Result<EnvironmentId, PageError> {
    text.parse().map_err(|_| PageError::not_found("environment"))
}

/// Types in which nothing of value is kept, as the default policies have it; all others count as
/// production, so a new type starts strict.
fn is_production(environment_type: &str) -> bool {
    !matches!(environment_type, "dev" | "test")
}
