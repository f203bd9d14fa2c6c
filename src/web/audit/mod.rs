//! The audit log: sentences by day, and one record in full.

mod list;
mod record;
pub mod sentence;
pub mod view;

use crate::base::id::ProjectId;
use crate::db::Connection;
use crate::web::error::PageError;
use crate::web::visitor::Visitor;

pub use list::page as list_page;
pub use record::page;

/// The projects whose records the viewer may read; `None` is everything, and nothing is refused.
async fn scope(visitor: &Visitor, connection: &mut Connection) -> Result<Option<Vec<ProjectId>>, PageError> {
    Ok(visitor.app.readable_audit(connection, &visitor.op, &visitor.access).await??.projects())
}
