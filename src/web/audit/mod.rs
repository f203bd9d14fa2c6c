//! The audit log: sentences by day, and one record in full.

mod list;
mod record;
pub mod sentence;
pub mod view;

use crate::base::id::ProjectId;
use crate::db::Connection;
use crate::policy::{Action, Denied, Permit, Resource, ability};
use crate::projects;
use crate::web::error::PageError;
use crate::web::visitor::Visitor;

pub use list::page as list_page;
pub use record::page;

/// The projects whose records the viewer may read; `None` is everything, and nothing is refused.
async fn scope(visitor: &Visitor, connection: &mut Connection) -> Result<Option<Vec<ProjectId>>, PageError> {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    let whole = app.platform_question(op, access, Action::ReadAudit, Resource::audit_log(None));
    let whole: Result<Permit<ability::ReadAudit>, Denied> = app.policy.permit(&whole);
    let Err(refused) = whole else { return Ok(None) };
    let mut ids = Vec::new();
    for project in projects::list(connection, None).await? {
        let question = app.project_question(op, access, Action::ReadAudit, &project);
        if app.policy.decide(&question).is_allowed() {
            ids.push(project.id);
        }
    }
    if ids.is_empty() { Err(refused.into()) } else { Ok(Some(ids)) }
}
